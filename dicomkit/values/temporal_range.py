"""Ranges of dates, times and moments as queries write them (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from dicomkit.errors import ValueFormatError
from dicomkit.values.date_times import DateTime, parse_offset
from dicomkit.values.dates import Date
from dicomkit.values.times import Time

Temporal: TypeAlias = Date | Time | DateTime
Moment: TypeAlias = date | time | datetime

_TYPES: Mapping[str, type[Date] | type[Time] | type[DateTime]] = MappingProxyType(
    {"DA": Date, "TM": Time, "DT": DateTime}
)
_DT = r"[0-9]{4,14}(?:[.][0-9]+)?"
# A hyphen and four digits are an offset where they can be one; a further hyphen is then the range's.
_OPEN_START = re.compile(rf"-({_DT}(?:[+-][0-9]{{4}})?)")
_WITH_OFFSET = re.compile(rf"({_DT}[+-][0-9]{{4}})(?:(-)({_DT}(?:[+-][0-9]{{4}})?)?)?")
_WITHOUT_OFFSET = re.compile(rf"({_DT})(?:(-)({_DT}(?:[+-][0-9]{{4}})?)?)?")


@dataclass(frozen=True, slots=True)
class TemporalRange:
    """A range of DA, TM or DT whose ends count as part of it; an end that is None is open.

    An end that is less precise than a microsecond reaches from the first to the last moment that it can mean.

    Examples
    --------
    >>> TemporalRange.of("20240101-20240131").contains("20240115")
    True
    >>> TemporalRange.of("-1800", "TM").contains("1800"), TemporalRange.of("0900-", "TM").contains("085959")
    (True, False)
    >>> TemporalRange.of("20240101-0500-20240102-0500", "DT").start
    DateTime('20240101-0500')
    """

    start: Temporal | None
    end: Temporal | None

    @classmethod
    def of(cls, text: str, vr: Literal["DA", "TM", "DT"] = "DA") -> TemporalRange:
        """Read a range; a single value is a range that starts and ends with it.

        Parameters
        ----------
        text
            ``"a-b"``, ``"a-"``, ``"-b"`` or ``"a"``, with spaces around the hyphen or not.
        vr
            What a and b are.

        Raises
        ------
        ValueFormatError
            When an end can't be read, or both are missing.
        """
        start, end = _split_moments(text) if vr == "DT" else _split(text)
        kind = _TYPES[vr]
        if not start and not end:
            raise ValueFormatError(f"{text!r} is no range of {vr}", hint="write 'a-b', 'a-' or '-b'")
        found = cls(kind(start) if start else None, kind(end) if end else None)
        if found.start is not None:
            found.start.earliest()
        if found.end is not None:
            found.end.latest()
        return found

    def contains(self, value: str | Moment, default_tz: tzinfo = UTC) -> bool:
        """Whether a value can lie within the range: what it can mean and the range have a moment in common.

        Parameters
        ----------
        value
            A value of the same VR as text, or a date, time or datetime.
        default_tz
            For moments: what holds where one has no offset from UTC.

        Raises
        ------
        ValueFormatError
            When the value can't be read.
        """
        bound = self.start if self.start is not None else self.end
        if bound is None:
            return True
        found = type(bound)(_as_text(value))
        return (self.start is None or _latest(found, default_tz) >= _earliest(self.start, default_tz)) and (
            self.end is None or _earliest(found, default_tz) <= _latest(self.end, default_tz)
        )

    def __str__(self) -> str:
        if self.start is not None and self.start == self.end:
            return str(self.start)
        return f"{self.start or ''}-{self.end or ''}"


def _earliest(value: Temporal, default_tz: tzinfo) -> Any:
    return value.earliest(default_tz) if isinstance(value, DateTime) else value.earliest()


def _latest(value: Temporal, default_tz: tzinfo) -> Any:
    return value.latest(default_tz) if isinstance(value, DateTime) else value.latest()


def _as_text(value: str | Moment) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return DateTime.of(value)
    return Date.of(value) if isinstance(value, date) else Time.of(value)


def _split(text: str) -> tuple[str, str]:
    start, hyphen, end = text.partition("-")
    start, end = start.strip(), end.strip()
    return (start, end) if hyphen else (start, start)


def _split_moments(text: str) -> tuple[str, str]:
    """Tell the hyphen of the range from the minus of an offset."""
    text = re.sub(r"\s*-\s*", "-", text.strip())
    if match := _OPEN_START.fullmatch(text):
        return "", match[1]
    for pattern in (_WITH_OFFSET, _WITHOUT_OFFSET):
        match = pattern.fullmatch(text)
        if match and (pattern is _WITHOUT_OFFSET or parse_offset(match[1][-5:]) is not None):
            start, hyphen, end = match.groups()
            return (start, end or "") if hyphen else (start, start)
    return "", ""
