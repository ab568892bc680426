"""How a data set shows itself: one line, a text tree, an HTML tree, and an error for what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.element import Element
from dicomkit.dataset.value_text import value_text
from dicomkit.display.html import TreeRow, badge, stack, tree
from dicomkit.display.text import tree_text
from dicomkit.display.tree_row import MAX_DEPTH
from dicomkit.errors import MissingElementError
from dicomkit.standard.private import private_attribute
from dicomkit.standard.uids import uid_entry

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

COLUMNS = ("Tag", "VR", "Name", "Value")


def one_line(ds: DataSet) -> str:
    """Name the object, how many elements it has and where it is from."""
    entry = uid_entry(str(ds.get("SOPClassUID") or ""))
    parts = [entry.name if entry else "", _count(len(ds), "element"), os.path.basename(ds.path or "")]
    repairs = _count(len(ds.repairs), "repair") if ds.repairs else ""
    return f"DataSet({', '.join(part for part in (*parts, repairs) if part)})"


def text(ds: DataSet, *, width: int = 120, max_rows: int = 1000, max_depth: int = MAX_DEPTH) -> str:
    """Draw the data set as a tree of plain text; a sequence takes two levels, one for its items."""
    rows = [*_rows(ds.meta), *_rows(ds)]
    if not rows:
        return one_line(ds)
    return tree_text(
        rows, columns=COLUMNS, width=width, max_rows=max_rows, max_children=max(200, max_rows), max_depth=max_depth
    )


def html(ds: DataSet) -> str:
    """Draw the data set as a collapsible tree, with its repairs below."""
    parts: list[Any] = []
    if len(ds.meta):
        parts.append(tree(_rows(ds.meta), columns=COLUMNS, caption=f"File meta · {ds.transfer_syntax.name}"))
    parts.append(tree(_Rows(ds), columns=COLUMNS, caption=one_line(ds)))
    if ds.repairs:
        parts.append(badge(_count(len(ds.repairs), "repair"), "warn"))
        parts.append(ds.repairs._repr_html_())
    return stack(*parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def missing(ds: DataSet, key: Any, keywords: Callable[[], Sequence[str]]) -> MissingElementError:
    """Say that a key is not there, and what may have been meant."""
    if isinstance(key, str):
        present = [tag.keyword for tag in ds if tag.keyword]
        near = get_close_matches(key, present, 1) or get_close_matches(key, keywords(), 1)
        hint = f"did you mean {near[0]}?" if near and near[0] != key else None
    else:
        hint = None
    name = " > ".join(map(str, key)) if isinstance(key, tuple) else str(key)
    return MissingElementError(f"the data set has no {name}", path=ds.path, hint=hint)


class _Rows(Sequence[TreeRow]):
    """The rows of a data set, made only when they are shown."""

    def __init__(self, ds: DataSet) -> None:
        self.ds = ds

    def __len__(self) -> int:
        return len(self.ds)

    def __getitem__(self, number: Any) -> Any:
        return list(self)[number]

    def __iter__(self) -> Iterator[TreeRow]:
        return iter(_rows(self.ds))


def _rows(ds: DataSet) -> Iterator[TreeRow]:
    for element in ds.elements():
        yield TreeRow(_cells(element, ds), hover=_hover(element), children=_children(element))


def _cells(element: Element, ds: DataSet) -> tuple[str, str, str, str]:
    tag = element.tag
    name = element.name
    if not name and tag.is_private and (creator := ds.private_creator(tag)):
        known = private_attribute(creator, tag)
        name = f"{known.name if known else '?'} [{creator}]"
    value = value_text(element.value, 120)
    if element.vr == "UI" and isinstance(element.value, str) and (entry := uid_entry(element.value)):
        value = f"{value} ({entry.name})"
    return str(tag), element.vr, name, value


def _hover(element: Element) -> str:
    if element.origin is None:
        return f"{element.keyword}: set in Python"
    place = f"offset {element.origin.offset:,}, {element.origin.length:,} bytes, VR from {element.origin.vr_origin}"
    return "; ".join((f"{element.keyword}: {place}".lstrip(": "), *element.problems))


def _children(element: Element) -> Iterable[TreeRow]:
    if element.vr != "SQ" or not element.value:
        return ()
    return [
        TreeRow((f"Item {number}", "", "", _count(len(item), "element")), children=_Rows(item), open=number == 0)
        for number, item in enumerate(element.value)
    ]
