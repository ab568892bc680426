"""Moments that keep their text, precision and offset from UTC (PS3.5 Table 6.2-1, DT)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo

from dicomkit.errors import ValueFormatError
from dicomkit.values.dates import Date, DatePrecision
from dicomkit.values.times import Time, TimeComponents, TimePrecision, time_of_day

_PATTERN = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:[.]([0-9]+))?)?)?)?)?)?"
    r"([+-][0-9]{4})?"
)
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})")

DateTimePrecision = DatePrecision | TimePrecision


def parse_offset(text: str) -> timedelta | None:
    """Read an offset from UTC, ``&ZZXX`` (of a DT, or Timezone Offset From UTC); None where it is none.

    Examples
    --------
    >>> parse_offset("-0330")
    datetime.timedelta(days=-1, seconds=73800)
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3])) * (-1 if match[1] == "-" else 1)
    return offset if int(match[3]) < 60 and timedelta(hours=-12) <= offset <= timedelta(hours=14) else None


class DateTime(str):
    """A value of VR DT: the text as it was written, read when asked for.

    Examples
    --------
    >>> moment = DateTime("20240131093000.5+0100")
    >>> moment.to_datetime().isoformat()
    '2024-01-31T09:30:00.500000+01:00'
    >>> DateTime("195308").precision, DateTime("195308").latest()
    ('month', datetime.datetime(1953, 8, 31, 23, 59, 59, 999999))
    """

    __slots__ = ()

    @classmethod
    def of(cls, moment: datetime) -> DateTime:
        """Write a moment; its offset from UTC is written if it has one.

        Raises
        ------
        ValueFormatError
            When the offset is not in whole minutes between -1200 and +1400.

        Examples
        --------
        >>> DateTime.of(datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc))
        DateTime('20240131093000+0000')
        """
        text = Date.of(moment) + Time.of(moment.time())
        offset = moment.utcoffset()
        if offset is None:
            return cls(text)
        minutes = round(offset.total_seconds() / 60)
        if timedelta(minutes=minutes) != offset or not -720 <= minutes <= 840:
            raise ValueFormatError(f"an offset from UTC of {offset} can't be written: -1200 to +1400 in minutes")
        hours, rest = divmod(abs(minutes), 60)
        return cls(f"{text}{'-' if minutes < 0 else '+'}{hours:02d}{rest:02d}")

    def _match(self) -> re.Match[str] | None:
        return _PATTERN.fullmatch(self.strip())

    @property
    def date(self) -> Date:
        """The part that is a date; ``Date('')`` where the text is no moment."""
        match = self._match()
        return Date("".join(filter(None, match.group(1, 2, 3))) if match else "")

    @property
    def time(self) -> Time:
        """The part that is a time; ``Time('')`` where there is none."""
        match = self._match()
        if match is None:
            return Time("")
        return Time("".join(filter(None, match.group(4, 5, 6))) + (f".{match[7]}" if match[7] else ""))

    @property
    def year(self) -> int | None:
        """The year, or None."""
        return self.date.year

    @property
    def month(self) -> int | None:
        """The month, or None."""
        return self.date.month

    @property
    def day(self) -> int | None:
        """The day of the month, or None."""
        return self.date.day

    @property
    def hour(self) -> int | None:
        """The hour, or None."""
        return self.time.hour

    @property
    def minute(self) -> int | None:
        """The minute, or None."""
        return self.time.minute

    @property
    def second(self) -> int | None:
        """The second, or None; 60 in a leap second."""
        return self.time.second

    @property
    def microsecond(self) -> int | None:
        """The fraction of the second in microseconds, or None."""
        return self.time.microsecond

    @property
    def precision(self) -> DateTimePrecision | None:
        """The smallest component given; None where the text is no moment."""
        return self.time.precision or self.date.precision

    @property
    def utc_offset(self) -> timedelta | None:
        """The offset from UTC; None where not given, or impossible."""
        match = self._match()
        return parse_offset(match[8]) if match and match[8] else None

    @property
    def is_valid(self) -> bool:
        """Whether the text is what the standard asks for."""
        match = self._match()
        if match is None or len(self) != len(self.strip()) or (match[8] and parse_offset(match[8]) is None):
            return False
        if match[8] == "-0000" or (self.time and not self.time.is_valid):
            return False
        try:
            self.date.earliest()
        except ValueFormatError:
            return False
        return True

    def to_datetime(self, default_tz: tzinfo | None = None) -> datetime:
        """Return the moment, with zeros for the parts of the time that are not given.

        Parameters
        ----------
        default_tz
            What holds where the text has no offset from UTC; without it such a moment is naive.

        Raises
        ------
        ValueFormatError
            When the text is no moment, or does not reach to the day.
        """
        self.date.to_date()
        return self.earliest(default_tz)

    def earliest(self, default_tz: tzinfo | None = None) -> datetime:
        """Return the first moment that the text can mean.

        Raises
        ------
        ValueFormatError
            When the text is no moment.
        """
        zone = default_tz if self.utc_offset is None else timezone(self.utc_offset)
        return _joined(self.date.earliest(), self._components().earliest(), self.second == 60, zone)

    def latest(self, default_tz: tzinfo | None = None) -> datetime:
        """Return the last microsecond that the text can mean.

        Raises
        ------
        ValueFormatError
            When the text is no moment.
        """
        zone = default_tz if self.utc_offset is None else timezone(self.utc_offset)
        return _joined(self.date.latest(), self._components().latest(), self.second == 60, zone)

    def _components(self) -> TimeComponents:
        components = self.time.components
        if self._match() is None or not components.in_range:
            raise ValueFormatError(f"{str(self)!r} is no date and time", hint="write YYYYMMDDHHMMSS.FFFFFF&ZZXX")
        return components

    def __repr__(self) -> str:
        return f"DateTime({str.__repr__(self)})"


def _joined(day: date, since_midnight: timedelta, leap: bool, zone: tzinfo | None) -> datetime:
    return datetime.combine(day, time_of_day(since_midnight, leap=leap), zone)


def combine(day: str | date, time: str | timedelta | None = None, utc_offset: str | None = None) -> datetime:
    """Join a DA and a TM, such as Study Date and Study Time, into one moment.

    Parameters
    ----------
    day
        The text of a DA, or a date.
    time
        The text of a TM, or a duration since midnight; midnight where None or empty.
    utc_offset
        Timezone Offset From UTC (0008,0201), ``&ZZXX``; without it the moment is naive.

    Raises
    ------
    ValueFormatError
        When one of them can't be read.

    Examples
    --------
    >>> combine("20240131", "0930", "+0100").isoformat()
    '2024-01-31T09:30:00+01:00'
    """
    zone = None
    if utc_offset:
        offset = parse_offset(utc_offset)
        if offset is None:
            raise ValueFormatError(f"{utc_offset!r} is no offset from UTC", hint="write +HHMM or -HHMM")
        zone = timezone(offset)
    if isinstance(time, timedelta):
        time = Time.of(time)
    start = (Date(day) if isinstance(day, str) else Date.of(day)).to_date()
    return datetime.combine(start, Time(time).to_time() if time else datetime.min.time(), zone)
