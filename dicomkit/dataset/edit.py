"""How a new DataSet is made from an old one: every edit is an overlay of elements over what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from dicomkit.dataset.element import Element
from dicomkit.dataset.index import EMPTY_INDEX
from dicomkit.dataset.nesting import check_nesting, nested_items
from dicomkit.dataset.records import Records
from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import vr_of
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet


class Drop(Enum):
    """The one value that tells ``DataSet.map`` to leave an element out."""

    DROP = "drop"


DROP: Final = Drop.DROP


def changes(given: Any, by_keyword: Mapping[str, Any], kind: type[DataSet], depth: int = 1) -> dict[Any, Any]:
    """Normalise what an edit was given: Elements by tag, and values by path; at a depth of sequences."""
    found: dict[Any, Any] = {}
    if isinstance(given, Mapping):
        pairs = given.items() if not isinstance(given, kind) else ((e.tag, e) for e in given.elements())
    else:
        pairs = ((element.tag, element) for element in given)
    for key, value in (*pairs, *by_keyword.items()):
        key = _unwrapped(key)
        if _is_path(key):
            found[key] = value
        else:
            tag = Tag.of(key)
            element = value if isinstance(value, Element) else Element.of(tag, _with_items(tag, value, kind, depth))
            if element.vr == "SQ":
                check_nesting(tag, element.value, kind, depth)
            found[tag] = element
    return found


def assign(ds: DataSet, edits: Mapping[Any, Any]) -> DataSet:
    """Return ``ds`` with elements set; the keys are tags and paths."""
    overlay = dict(ds._overlay)
    for key, value in edits.items():
        if isinstance(key, int):
            overlay[key] = _as_before(ds, value)
    result = ds._of(ds._records, overlay, _still_valid(ds, overlay), ds._meta)
    for key, value in edits.items():
        if not isinstance(key, int):
            result = _at_item(result, key, lambda item, rest, value=value: item.assign({rest: value}))
            element = result.element(key)
            if element.vr == "SQ":
                check_nesting(element.tag, element.value, type(ds), 1 + len(key) // 2)
    return result


def drop(ds: DataSet, keys: Iterable[Any]) -> DataSet:
    """Return ``ds`` without some elements."""
    overlay, paths = dict(ds._overlay), []
    for key in map(_unwrapped, keys):
        if _is_path(key):
            paths.append(key)
        else:
            overlay[Tag.of(key)] = None
    result = ds._of(ds._records, overlay, _still_valid(ds, overlay), ds._meta)
    for path in paths:
        if path in result:
            result = _at_item(result, path, lambda item, rest: item.drop(rest))
    return result


def merge(ds: DataSet, other: Mapping[Any, Any]) -> DataSet:
    """Return the elements of both, the other's where both have one."""
    return assign(ds, changes(other, {}, type(ds)))


def map_elements(ds: DataSet, function: Callable[[Element], Any], depth: int = 1) -> DataSet:
    """Return ``ds`` with a function applied to every element, the items of sequences first."""
    overlay = dict(ds._overlay)
    for element in ds.elements():
        before = element
        if element.vr == "SQ" and element.value:
            items = tuple(map_elements(item, function, depth + 1) for item in element.value)
            if any(new is not old for new, old in zip(items, element.value, strict=True)):
                element = Element(element.tag, "SQ", items)
        after = function(element)
        if after is DROP:
            overlay[before.tag] = None
        elif after is not before:
            if not isinstance(after, Element):
                after = Element.of(before.tag, _with_items(before.tag, after, type(ds), depth), before.vr)
            if after.vr == "SQ" and after is not element:
                check_nesting(before.tag, after.value, type(ds), depth)
            overlay[before.tag] = after
    if overlay == ds._overlay:
        return ds
    return ds._of(ds._records, overlay, _still_valid(ds, overlay), ds._meta)


def _still_valid(ds: DataSet, overlay: Mapping[int, Element | None]) -> dict[int, Any]:
    """The values already decoded that the edit leaves as they are."""
    return {tag: value for tag, value in ds._values.copy().items() if tag not in overlay}


def _unwrapped(key: Any) -> Any:
    """Take the path of an element at the top, as ``walk`` gives it, for its key."""
    return key[0] if isinstance(key, tuple) and len(key) == 1 else key


def _is_path(key: Any) -> bool:
    return isinstance(key, tuple) and not (len(key) == 2 and isinstance(key[0], int) and isinstance(key[1], int))


def _with_items(tag: Tag, value: Any, kind: type[DataSet], depth: int) -> Any:
    """Turn dicts that stand for items into data sets."""
    items = nested_items(value)
    if not items:
        return value
    check_nesting(tag, (), kind, depth)
    made = tuple(
        kind._of(Records(EMPTY_INDEX, 0, 0, None, 0, kind), changes(item, {}, kind, depth + 1), {}, None)
        if isinstance(item, Mapping) and not isinstance(item, kind)
        else item
        for item in items
    )
    return made[0] if isinstance(value, Mapping) else made


def _as_before(ds: DataSet, element: Element) -> Element:
    """Keep the VR that an element had, where the dictionary leaves a choice or knows none."""
    vr = vr_of(element.tag)
    open_choice = (vr is None or "|" in vr) and element.origin is None and element.vr != "SQ"
    old = ds._element(element.tag) if open_choice else None
    if old is None or old.vr in (element.vr, "UN"):
        return element
    return Element.of(element.tag, element.value, old.vr)


def _at_item(ds: DataSet, path: tuple[Any, ...], change: Callable[..., DataSet]) -> DataSet:
    """Apply a change to the item that a path leads to first, and put it back in place."""
    if len(path) < 3:
        raise ValueFormatError(f"{path!r} is not the path of an element", hint="such as ('Sequence', 0, 'Keyword')")
    sequence, number, *rest = path
    items = ds.all(sequence)
    if not isinstance(number, int) or not -len(items) <= number < len(items):
        raise ValueFormatError(f"{sequence} has {len(items)} items, there is no item {number!r} to change")
    changed = change(items[number], tuple(rest) if len(rest) > 1 else rest[0])
    position = number % len(items)
    element = Element(Tag.of(sequence), "SQ", (*items[:position], changed, *items[position + 1 :]))
    overlay = {**ds._overlay, element.tag: element}
    return ds._of(ds._records, overlay, _still_valid(ds, overlay), ds._meta)
