"""The columns of a table: which attribute fills each, what type it has, and how values become a pandas array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import pandas as pd

from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import attribute
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time

Kind: TypeAlias = Literal["text", "integer", "number", "date", "time", "datetime", "numbers", "object"]
ColumnLike: TypeAlias = "str | int | tuple[int | str, ...]"

DEFAULT_COLUMNS: tuple[str, ...] = (
    "PatientID",
    "PatientName",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Modality",
    "Manufacturer",
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "TransferSyntaxUID",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsAllocated",
    "PhotometricInterpretation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
)
"""What ``scan`` collects when not told otherwise."""

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("IS", "US", "SS", "UL", "SL", "UV", "SV", "US|SS"), "integer"),
    **dict.fromkeys(("DS", "FL", "FD"), "number"),
    "DA": "date",
    "TM": "time",
    "DT": "datetime",
    **dict.fromkeys(("SQ", "OB", "OW", "OF", "OD", "OL", "OV", "OB|OW", "US|OW", "US|SS|OW", "UN"), "object"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the tag or path that fills it, and its type.

    Attributes
    ----------
    kind
        ``text`` (pandas string; several values joined by a backslash), ``integer`` (Int64), ``number`` (float64),
        ``date`` (datetime64[s]), ``time`` (timedelta64[us]), ``datetime`` (datetime64[us]), ``numbers`` (a tuple of
        numbers, for attributes that have several), ``object`` (what the DataSet gives).
    vr
        The dictionary's VR.
    """

    name: str
    key: Any
    kind: Kind
    vr: str

    @classmethod
    def of(cls, column: ColumnLike) -> Column:
        """Make a column from a keyword, tag or path.

        Raises
        ------
        ValueFormatError
            When it is none of these.

        Examples
        --------
        >>> Column.of("StudyDate").kind, Column.of("PixelSpacing").kind
        ('date', 'numbers')
        """
        if isinstance(column, tuple) and not (len(column) == 2 and isinstance(column[0], int)):
            if len(column) % 2 == 0:
                raise ValueFormatError(f"{column!r} is not the path of an element")
            return cls(".".join(map(str, column)), column, _kind(Tag.of(column[-1])), "")
        tag = Tag.of(cast(Any, column))
        known = attribute(tag)
        return cls(tag.keyword or str(tag), tag, _kind(tag), known.vr if known else "")

    def array(self, values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
        """Turn values into a pandas array; return it, and by row what could not be had in the column's type."""
        made: tuple[Any, dict[int, str]] = _ARRAYS[self.kind](values)
        return made


def _kind(tag: Tag) -> Kind:
    known = attribute(tag)
    kind = _KINDS.get(known.vr, "text") if known else "object"
    if kind in ("integer", "number") and known and known.vm != "1":
        return "numbers"
    return kind


def _text_array(values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
    texts = ["\\".join(map(str, v)) if type(v) is tuple else v if v is None else str(v) for v in values]
    return pd.array(texts, dtype="string"), {}


def _integer_array(values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
    numbers, missing, odd = np.zeros(len(values), np.int64), np.ones(len(values), bool), {}
    for row, value in enumerate(values):
        first = value[0] if type(value) is tuple else value
        if type(first) is int and -(2**63) <= first < 2**63:
            numbers[row], missing[row] = first, False
        if type(first) not in (int, type(None)) or type(value) is tuple:
            odd[row] = repr(value)
    return pd.arrays.IntegerArray(numbers, missing), odd


def _number_array(values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
    numbers, odd = np.full(len(values), np.nan), {}
    for row, value in enumerate(values):
        first = value[0] if type(value) is tuple else value
        if isinstance(first, (int, float)):
            numbers[row] = first
        if isinstance(first, str) or type(value) is tuple:
            odd[row] = repr(value)
    return numbers, odd


def _numbers_array(values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
    cells, odd = np.empty(len(values), object), {}
    for row, value in enumerate(values):
        numbers = value if type(value) is tuple or value is None else (value,)
        if numbers is not None and any(isinstance(number, str) for number in numbers):
            odd[row], numbers = repr(value), None
        cells[row] = numbers
    return cells, odd


def _moment_array(dtype: str) -> Any:
    """Arrays of dates and times: those that are incomplete or invalid are missing, never guessed."""

    def make(values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
        cells, odd, memo = [], {}, {}
        for row, value in enumerate(values):
            first = value[0] if type(value) is tuple else value
            if first not in memo:
                memo[first] = _moment(first)
            cells.append(memo[first])
            if first is not None and (memo[first] is None or type(value) is tuple):
                odd[row] = repr(str(value))
        return np.array(cells, dtype=dtype), odd

    return make


def _moment(value: Any) -> Any:
    try:
        if isinstance(value, Date):
            return value.to_date()
        if isinstance(value, Time):
            return value.to_timedelta()
        if isinstance(value, DateTime):
            moment = value.to_datetime()
            return moment.replace(tzinfo=None) - (moment.utcoffset() or moment - moment)
    except ValueFormatError:
        pass
    return None


def _object_array(values: Sequence[Any]) -> tuple[Any, dict[int, str]]:
    cells = np.empty(len(values), object)
    for row, value in enumerate(values):
        cells[row] = value
    return cells, {}


_ARRAYS: dict[str, Any] = {
    "text": _text_array,
    "integer": _integer_array,
    "number": _number_array,
    "numbers": _numbers_array,
    "date": _moment_array("datetime64[s]"),
    "time": _moment_array("timedelta64[us]"),
    "datetime": _moment_array("datetime64[us]"),
    "object": _object_array,
}


def columns_of(columns: Iterable[ColumnLike] | None) -> tuple[Column, ...]:
    """Make the columns asked for, or the default ones, each once."""
    made = (Column.of(column) for column in (DEFAULT_COLUMNS if columns is None else columns))
    return tuple({column.name: column for column in made}.values())


def frame_of(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> tuple[pd.DataFrame, pd.Series]:
    """Make a DataFrame from the values of each column; also a column of text that lists deviating values."""
    arrays: dict[str, Any] = {}
    odd: dict[int, list[str]] = {}
    for column, cells in zip(columns, values, strict=True):
        arrays[column.name], problems = column.array(cells)
        for row, text in problems.items():
            odd.setdefault(row, []).append(f"{column.name}: {text}")
    count = len(values[0]) if values else 0
    notes = ["; ".join(odd[row]) if row in odd else None for row in range(count)]
    return pd.DataFrame(arrays), pd.Series(pd.array(notes, dtype="string"))
