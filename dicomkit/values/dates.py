"""Dates that keep their text and their precision (PS3.5 Table 6.2-1, DA)."""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import Literal

from dicomkit.errors import ValueFormatError

_PATTERN = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<month>[0-9]{2})(?P<day>[0-9]{2})?|[.](?P<month2>[0-9]{2})[.](?P<day2>[0-9]{2}))?"
)

DatePrecision = Literal["year", "month", "day"]


class Date(str):
    """A value of VR DA: the text as it was written, read when asked for.

    Besides ``YYYYMMDD`` it understands ``YYYY.MM.DD`` (ACR-NEMA 300), ``YYYYMM`` and ``YYYY``; these are not valid.

    Examples
    --------
    >>> day = Date("20240131")
    >>> day.year, day.month, day.day, day.to_date()
    (2024, 1, 31, datetime.date(2024, 1, 31))
    >>> Date("202402").precision, Date("202402").latest(), Date("2024.01.31").to_date()
    ('month', datetime.date(2024, 2, 29), datetime.date(2024, 1, 31))
    """

    __slots__ = ()

    @classmethod
    def of(cls, day: date) -> Date:
        """Write a date (of a datetime, its day).

        Examples
        --------
        >>> Date.of(date(2024, 1, 31))
        Date('20240131')
        """
        return cls(f"{day.year:04d}{day.month:02d}{day.day:02d}")

    @property
    def components(self) -> tuple[int | None, int | None, int | None]:
        """Year, month and day; None where not given, and all None where the text is no date."""
        match = _PATTERN.fullmatch(self.strip())
        if match is None:
            return None, None, None
        month, day = match["month"] or match["month2"], match["day"] or match["day2"]
        return int(match["year"]), int(month) if month else None, int(day) if day else None

    @property
    def year(self) -> int | None:
        """The year, or None."""
        return self.components[0]

    @property
    def month(self) -> int | None:
        """The month, or None."""
        return self.components[1]

    @property
    def day(self) -> int | None:
        """The day of the month, or None."""
        return self.components[2]

    @property
    def precision(self) -> DatePrecision | None:
        """The smallest component given; None where the text is no date."""
        year, month, day = self.components
        return "day" if day is not None else "month" if month is not None else "year" if year is not None else None

    @property
    def is_valid(self) -> bool:
        """Whether the text is what the standard asks for: eight digits that name a day."""
        if len(self) != 8 or not (self.isascii() and self.isdigit()):
            return False
        try:
            self.to_date()
        except ValueFormatError:
            return False
        return True

    def to_date(self) -> date:
        """Return the day.

        Raises
        ------
        ValueFormatError
            When the text is no date, names no day of the calendar, or does not reach to the day.
        """
        if self.precision in ("year", "month"):
            raise ValueFormatError(
                f"{str(self)!r} is precise to the {self.precision} only", hint="earliest() and latest() give its bounds"
            )
        return self.earliest()

    def earliest(self) -> date:
        """Return the first day that the text can mean.

        Raises
        ------
        ValueFormatError
            When the text is no date, or names no day of the calendar.
        """
        year, month, day = self.components
        return self._day(year, 1 if month is None else month, 1 if day is None else day)

    def latest(self) -> date:
        """Return the last day that the text can mean.

        Raises
        ------
        ValueFormatError
            When the text is no date, or names no day of the calendar.
        """
        year, month, day = self.components
        month = 12 if month is None else month
        if day is None and year and 1 <= month <= 12:
            day = calendar.monthrange(year, month)[1]
        return self._day(year, month, day)

    def _day(self, year: int | None, month: int, day: int | None) -> date:
        if year is None or day is None:
            raise ValueFormatError(f"{str(self)!r} is no date", hint="a date is written YYYYMMDD")
        try:
            return date(year, month, day)
        except ValueError as error:
            raise ValueFormatError(f"{str(self)!r} is no date: {error}") from None

    def __repr__(self) -> str:
        return f"Date({str.__repr__(self)})"
