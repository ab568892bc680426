"""When two data sets are equal, and their hash: by canonical values, whatever their encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomkit.sources import Bulk
from dicomkit.values.decode import swapped
from dicomkit.values.fragments import Fragments
from dicomkit.values.vr import VRS

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet
    from dicomkit.dataset.element import Element


def equal(a: DataSet, b: DataSet) -> bool:
    """Compare tags first, then sizes of bulk data, then values, and the content of bulk data last."""
    if len(a) != len(b) or a._sorted_tags() != b._sorted_tags():
        return False
    pairs = [(tag, a._value(tag), b._value(tag)) for tag in a]
    large = [pair for pair in pairs if _is_large(pair[1]) or _is_large(pair[2])]
    if any(_is_large(mine) != _is_large(theirs) or _sizes_differ(mine, theirs) for _, mine, theirs in large):
        return False
    small = (pair for pair in pairs if not _is_large(pair[1]))
    return all(_same(mine, theirs) for _, mine, theirs in small) and all(
        same(a.element(tag), b.element(tag)) for tag, _, _ in large
    )


def same(mine: Element, theirs: Element) -> bool:
    """Compare two elements; bulk data that is stored in different byte orders, number by number."""
    if _is_large(mine.value) and _is_large(theirs.value) and _big_endian(mine) != _big_endian(theirs):
        size = max(VRS[mine.vr].itemsize, 1)
        if size > 1 and not isinstance(mine.value, Fragments):
            return len(mine.value) == len(theirs.value) and swapped(bytes(mine.value), size) == bytes(theirs.value)
    return _same(mine.value, theirs.value)


def hash_of(ds: DataSet) -> int:
    """Hash what is small; of bulk data only the size."""
    return hash(tuple((int(tag), _hashable(ds._value(tag))) for tag in ds))


def _big_endian(element: Element) -> bool:
    return element.origin is not None and element.origin.big_endian


def _is_large(value: Any) -> bool:
    return isinstance(value, (bytes, Bulk, Fragments))


def _is_elsewhere(value: Any) -> bool:
    """Whether it is behind a URI, so that its size is known only when it is fetched."""
    return isinstance(value, Bulk) and value.uri is not None


def _sizes_differ(mine: Any, theirs: Any) -> bool:
    return not _is_elsewhere(mine) and not _is_elsewhere(theirs) and _size(mine) != _size(theirs)


def _size(value: bytes | Bulk | Fragments) -> int:
    return value.padded_length if isinstance(value, Fragments) else len(value)


def _same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, tuple) and isinstance(theirs, tuple):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    return bool(mine == theirs) or (mine != mine and theirs != theirs)


def _hashable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    if _is_large(value):
        return "bulk"
    return "NaN" if value != value else value
