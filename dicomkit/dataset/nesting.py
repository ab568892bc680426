"""How deep sequences may be nested: a DataSet that goes deeper can't be read, and can't be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dicomkit.errors import UnsupportedError
from dicomkit.values.tag import Tag, TagLike

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

MAX_DEPTH = 100
"""Sequences nested deeper than this are refused, so that whatever walks through a DataSet comes to an end."""


def check_nesting(tag: TagLike, value: Any, kind: type[DataSet], depth: int = 1) -> None:
    """Refuse a sequence that goes deeper than allowed.

    Parameters
    ----------
    tag
        For the error.
    value
        Its items; anything else passes.
    kind
        The class of data sets.
    depth
        Of the sequence itself; 1 at the top.

    Raises
    ------
    UnsupportedError
        If it does.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> check_nesting("ContentSequence", [DataSet(ContentSequence=[])], DataSet, 99)
    >>> check_nesting("ContentSequence", [DataSet(ContentSequence=[])], DataSet, 100)
    Traceback (most recent call last):
    ...
    dicomkit.errors.UnsupportedError: sequences nested more than 100 deep [tag (0040,A730)]
    """
    if depth + max((depth_of(item) for item in nested_items(value) if isinstance(item, kind)), default=0) > MAX_DEPTH:
        raise UnsupportedError(f"sequences nested more than {MAX_DEPTH} deep", tag=Tag.of(tag))


def depth_of(ds: DataSet) -> int:
    """Tell how deep sequences are nested in a data set; found once, since it never changes.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> depth_of(DataSet(ContentSequence=[{"ConceptNameCodeSequence": []}]))
    2
    """
    if ds._depth is None:
        found = ds._records.depth()
        for element in ds._overlay.values():
            if element is not None and element.vr == "SQ":
                items = (item for item in nested_items(element.value) if isinstance(item, type(ds)))
                found = max(found, 1 + max(map(depth_of, items), default=0))
        object.__setattr__(ds, "_depth", found)
        return found
    return ds._depth


def nested_items(value: Any) -> tuple[Any, ...]:
    """Give the items, or the dicts that stand for them, of a value that is to become a sequence; none of another one.

    Examples
    --------
    >>> nested_items({"CodeValue": "1"}), nested_items([1, 2])
    (({'CodeValue': '1'},), ())
    """
    if isinstance(value, Mapping):
        return (value,)
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        return tuple(value)
    return ()
