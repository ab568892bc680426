"""A report is what is shown of an object without pixels: its text as a tree, below it all elements."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.value_text import value_text
from dicomkit.display.html import Markup, TreeRow, escape, stack, tree
from dicomkit.display.text import tree_text
from dicomkit.errors import UnsupportedError
from dicomkit.standard.uids import uid_entry

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

COLUMNS = ("Type", "Relation", "Concept", "Value")
_LONGEST = 4000
_VALUES = {
    "TEXT": "TextValue",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "PNAME": "PersonName",
    "UIDREF": "UID",
    "SCOORD": "GraphicType",
    "SCOORD3D": "GraphicType",
    "TCOORD": "TemporalRangeType",
}
"""By Value Type: the attribute that holds the value (PS3.3 C.17.3.2.1)."""


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """An object without pixels.

    Parameters
    ----------
    ds : DataSet
    """

    ds: DataSet

    @property
    def rows(self) -> tuple[TreeRow, ...]:
        """The content of a Structured Report as rows of a tree; nothing for other objects."""
        if "ContentSequence" not in self.ds:
            return ()
        return (_row(self.ds, top=True),) if self.ds.get("ValueType") else tuple(_Below(self.ds))

    @property
    def caption(self) -> str:
        """What it is."""
        return self._name

    def save(self, path: str | os.PathLike[str]) -> None:
        """There is no picture to save.

        Raises
        ------
        UnsupportedError
            Always.
        """
        raise UnsupportedError(f"there is no picture in this {self._name}", path=self.ds.path)

    @property
    def _name(self) -> str:
        entry = uid_entry(str(self.ds.get("SOPClassUID") or ""))
        return entry.name if entry else f"{self.ds.get('Modality') or ''} object".strip()

    def __repr__(self) -> str:
        return f"<Report: {self._name}, {len(self.ds)} elements>"

    def __str__(self) -> str:
        return tree_text(self.rows, columns=COLUMNS) if self.rows else str(self.ds)

    def _repr_html_(self) -> str:
        elements = Markup(self.ds._repr_html_())
        if not self.rows:
            return elements
        content = tree(self.rows, columns=COLUMNS, caption=self._name, max_chars=_LONGEST)
        return stack(Markup(f'<div class="dk-wrap">{escape(content)}</div>'), elements)


def _row(item: Any, *, top: bool = False) -> TreeRow:
    """The row of a content item, with those below it."""
    kind = str(item.get("ValueType") or "")
    cells = (kind, str(item.get("RelationshipType") or ""), _code(item, "ConceptNameCodeSequence"), _value(item, kind))
    return TreeRow(cells, children=_Below(item), open=top or kind == "CONTAINER")


@dataclass(frozen=True, slots=True)
class _Below:
    """The rows below a content item, made when they are shown."""

    item: DataSet

    def __iter__(self) -> Iterator[TreeRow]:
        return (_row(child) for child in self.item.all("ContentSequence") if isinstance(child, Mapping))

    def __len__(self) -> int:
        return len(self.item.all("ContentSequence"))


def _value(item: Any, kind: str) -> str:
    """What a content item says."""
    if kind == "CODE":
        return _code(item, "ConceptCodeSequence")
    if kind == "NUM":
        number = item.get(("MeasuredValueSequence", 0, "NumericValue"))
        unit = item.get(("MeasuredValueSequence", 0, "MeasurementUnitsCodeSequence", 0, "CodeValue"))
        return f"{value_text(number)} {unit or ''}".strip()
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        uid = item.get(("ReferencedSOPSequence", 0, "ReferencedSOPClassUID"))
        entry = uid_entry(str(uid or ""))
        return entry.name if entry else str(uid or "")
    return value_text(item.get(_VALUES.get(kind, "TextValue")), _LONGEST)


def _code(item: Any, keyword: str) -> str:
    """The meaning of a coded concept."""
    code = item.get((keyword, 0))
    return "" if code is None else str(code.get("CodeMeaning") or code.get("CodeValue") or "")
