"""When two data sets are equal, and their hash: by canonical values, whatever their encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet


def equal(a: DataSet, b: DataSet) -> bool:
    """Compare tags first, then sizes of bulk data, then values, and the content of bulk data last."""
    if len(a) != len(b) or a._sorted_tags() != b._sorted_tags():
        return False
    pairs = [(a._value(tag), b._value(tag)) for tag in a]
    large = [pair for pair in pairs if _is_large(pair[0]) or _is_large(pair[1])]
    if any(_is_large(mine) != _is_large(theirs) or len(mine) != len(theirs) for mine, theirs in large):
        return False
    return all(_same(*pair) for pair in pairs if not _is_large(pair[0])) and all(_same(*pair) for pair in large)


def hash_of(ds: DataSet) -> int:
    """Hash what is small; of bulk data only the size."""
    return hash(tuple((int(tag), _hashable(ds._value(tag))) for tag in ds))


def _is_large(value: Any) -> bool:
    return isinstance(value, (bytes, Bulk, Fragments))


def _same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, tuple) and isinstance(theirs, tuple):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    return bool(mine == theirs) or (mine != mine and theirs != theirs)


def _hashable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    if _is_large(value):
        return len(value)
    return "NaN" if value != value else value
