"""What of a query the columns of an index can tell: it narrows a search, and never beyond what the query means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomkit.archive.index_tables import plain
from dicomkit.query import EMPTY, Key, Query
from dicomkit.values.temporal_range import TemporalRange

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select, Table

_COLUMNS = {
    "PatientID": "patient_id",
    "StudyInstanceUID": "study_uid",
    "SeriesInstanceUID": "series_uid",
    "SOPInstanceUID": "sop_uid",
    "SOPClassUID": "sop_class",
    "Modality": "modality",
    "AccessionNumber": "accession",
    "StudyDate": "study_date",
    "PatientName": "patient_name",
}
"""Which attributes have a column of their own; what else is asked for is looked up on the cards."""
_EXACT = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "Modality",
    "PatientID",
    "AccessionNumber",
)
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_MOST_LISTED, _MOST_PATTERNS, _LONGEST_PATTERN = 10_000, 100, 1000
"""How much of a query a database is asked, which all have limits; the cards tell the rest."""


def decides(query: Query) -> bool:
    """Whether the columns exclude all that doesn't match, so that nothing else has to be looked at."""
    return all(
        keyword in _UIDS and isinstance(key, (str, tuple)) and _is_listed(key) for keyword, key in query.keys if key
    )


def narrowed(statement: Select[Any], table: Table, keyword: str, key: Key) -> Select[Any]:
    """Narrow a statement by a key, as far as a column can tell."""
    from sqlalchemy import or_

    name = _COLUMNS.get(keyword)
    if name is None or name not in table.c or not key or not isinstance(key, (str, tuple)):
        return statement
    values = [plain(str(value)) for value in ((key,) if isinstance(key, str) else key)]
    if keyword in _EXACT and _is_listed(key):
        return statement.where(table.c[name].in_(values))
    if len(values) > _MOST_PATTERNS or any(len(value) > _LONGEST_PATTERN for value in values):
        return statement
    conditions = [_condition(table.c[name], keyword, value) for value in values]
    known = [condition for condition in conditions if condition is not None]
    return statement.where(or_(*known)) if len(known) == len(conditions) else statement


def _condition(column: ColumnElement[str], keyword: str, value: str) -> ColumnElement[bool] | None:
    if value == EMPTY:
        return None
    if keyword in _EXACT:
        return _pattern(column, value) if "*" in value or "?" in value else column == value
    if keyword == "PatientName":
        start = value.split("=")[0].split("*")[0].split("?")[0].strip(" ").rstrip("^ ").upper()
        # What begins with it lies between it and its successor; other groups of a name may match too.
        return _pattern(column, f"*{start}*") if start.isascii() and start else None
    return _within(column, value)


def _within(column: ColumnElement[str], value: str) -> ColumnElement[bool] | None:
    """The condition of a range of dates; what isn't of eight digits is left to the cards."""
    from sqlalchemy import and_, func, or_

    try:
        bounds = TemporalRange.of(value, "DA")
    except ValueError:
        return None
    start, end = str(bounds.start or ""), str(bounds.end or "")
    if len(start) not in (0, 8) or len(end) not in (0, 8):
        return None
    conditions = [column >= start] if start else []
    if end:
        conditions.append(column <= end)
    return or_(and_(*conditions), func.length(column) != 8)


def _pattern(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")


def _is_listed(key: str | tuple[Any, ...]) -> bool:
    """Whether a key is a list of values, as a database compares them."""
    values = [key] if isinstance(key, str) else key
    return len(values) <= _MOST_LISTED and not any(
        value == EMPTY or "*" in str(value) or "?" in str(value) for value in values
    )
