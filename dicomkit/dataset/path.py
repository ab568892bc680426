"""Paths into nested items: what they lead to, the data set that holds the last key of one, and a walk along all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.standard.attributes import vr_of
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet
    from dicomkit.dataset.element import Element

Path: TypeAlias = "tuple[int | str, ...]"
Key: TypeAlias = "int | str | Path"


def holder_of(ds: DataSet, key: Key) -> tuple[DataSet | None, int | str | None]:
    """Follow a path to the data set that holds its last key; the key is None where the path ends with an item.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> holder_of(DataSet(ContentSequence=[{"CodeMeaning": "a"}]), ("ContentSequence", 0, "CodeMeaning"))
    (DataSet(1 element), 'CodeMeaning')
    """
    if not isinstance(key, tuple):
        return ds, key
    if len(key) == 2 and isinstance(key[0], int) and isinstance(key[1], int) and key[0] <= 0xFFFF:
        return ds, key[0] << 16 | key[1]
    holder: Any = ds
    for sequence, number in zip(key[0::2], key[1::2], strict=False):
        items = holder.get(sequence)
        if not isinstance(number, int) or not isinstance(items, tuple) or not -len(items) <= number < len(items):
            return None, None
        holder = items[number]
        if not isinstance(holder, type(ds)):
            return None, None
    return holder, key[-1] if len(key) % 2 else None


def items_in(value: object) -> tuple[DataSet, ...]:
    """Return the items of a sequence's value; none of what is no sequence, whatever its tag says.

    Examples
    --------
    >>> items_in(b"bytes where a sequence should be"), items_in(None)
    ((), ())
    """
    return value if isinstance(value, tuple) and value and isinstance(value[0], Mapping) else ()


def values_of(ds: DataSet, key: Key) -> tuple[Any, ...]:
    """Return the values that a key has, however many; none where a sequence is one by its name only."""
    value = ds.get(key)
    values = () if value is None else value if isinstance(value, tuple) else (value,)
    plain = isinstance(key, str) and "Sequence" not in key  # as every keyword of a sequence has it
    if not plain and values and not isinstance(values[0], Mapping):
        last = holder_of(ds, key)[1]
        if last is not None and vr_of(Tag.of(last)) == "SQ":
            return ()
    return values


def walk(ds: DataSet) -> Iterator[tuple[Path, Element]]:
    """Yield every element with its path, those of nested items after their sequence."""
    for element in ds.elements():
        step: int | str = element.keyword or element.tag
        yield (step,), element
        if element.vr == "SQ" and element.value:
            for number, item in enumerate(element.value):
                for path, inner in walk(item):
                    yield (step, number, *path), inner
