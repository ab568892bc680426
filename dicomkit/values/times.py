"""Times of day that keep their text and their precision (PS3.5 Table 6.2-1, TM)."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Literal, NamedTuple

from dicomkit.errors import ValueFormatError

_PATTERN = re.compile(
    r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:[.]([0-9]+))?)?|:([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]+))?)?)?"
)
_VALID = re.compile(r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:[.][0-9]{1,6})?)?)?")

TimePrecision = Literal["hour", "minute", "second", "fraction"]


class TimeComponents(NamedTuple):
    """The parts of a time; None where not given."""

    hour: int | None = None
    minute: int | None = None
    second: int | None = None
    fraction: str | None = None

    @property
    def precision(self) -> TimePrecision | None:
        """The smallest component given, or None."""
        names: tuple[TimePrecision, ...] = ("fraction", "second", "minute", "hour")
        return next((name for name in names if getattr(self, name) is not None), None)

    def earliest(self) -> timedelta:
        """Return the first moment that the components can mean, since midnight."""
        microseconds = int(f"{self.fraction or '':0<6.6}")
        return timedelta(
            hours=self.hour or 0, minutes=self.minute or 0, seconds=self.second or 0, microseconds=microseconds
        )

    def latest(self) -> timedelta:
        """Return the last microsecond that the components can mean, since midnight."""
        unit = {
            None: timedelta(days=1),
            "hour": timedelta(hours=1),
            "minute": timedelta(minutes=1),
            "second": timedelta(seconds=1),
            "fraction": timedelta(microseconds=10 ** max(0, 6 - len(self.fraction or ""))),
        }[self.precision]
        return self.earliest() + unit - timedelta(microseconds=1)

    @property
    def in_range(self) -> bool:
        """Whether they are a time of a day; a leap second counts as one."""
        return (self.hour or 0) < 24 and (self.minute or 0) < 60 and (self.second or 0) <= 60


class Time(str):
    """A value of VR TM: the text as it was written, read when asked for.

    Besides ``HHMMSS.FFFFFF`` and its shorter forms it understands ``HH:MM:SS.frac`` (ACR-NEMA 300), which is not valid.

    Examples
    --------
    >>> moment = Time("070907.0705")
    >>> moment.hour, moment.minute, moment.second, moment.microsecond
    (7, 9, 7, 70500)
    >>> Time("1010").precision, Time("1010").latest(), Time("12:30:10").to_time()
    ('minute', datetime.time(10, 10, 59, 999999), datetime.time(12, 30, 10))
    """

    __slots__ = ()

    @classmethod
    def of(cls, moment: time | timedelta) -> Time:
        """Write a time, or a duration since midnight.

        Raises
        ------
        ValueFormatError
            When the duration is negative or not shorter than a day.

        Examples
        --------
        >>> Time.of(time(7, 9, 7, 70500)), Time.of(timedelta(hours=13))
        (Time('070907.070500'), Time('130000'))
        """
        if isinstance(moment, timedelta):
            if not timedelta() <= moment < timedelta(days=1):
                raise ValueFormatError(f"{moment} is no time of a day")
            minutes, second = divmod(moment.seconds, 60)
            hour, minute = divmod(minutes, 60)
            microsecond = moment.microseconds
        else:
            hour, minute, second, microsecond = moment.hour, moment.minute, moment.second, moment.microsecond
        return cls(f"{hour:02d}{minute:02d}{second:02d}" + (f".{microsecond:06d}" if microsecond else ""))

    @property
    def components(self) -> TimeComponents:
        """Hour, minute, second and the digits of the fraction; all None where the text is no time."""
        match = _PATTERN.fullmatch(self.strip())
        if match is None:
            return TimeComponents()
        hour, minute, second, fraction, minute2, second2, fraction2 = match.groups()
        minute, second = minute or minute2, second or second2
        return TimeComponents(
            int(hour), int(minute) if minute else None, int(second) if second else None, fraction or fraction2
        )

    @property
    def hour(self) -> int | None:
        """The hour, or None."""
        return self.components.hour

    @property
    def minute(self) -> int | None:
        """The minute, or None."""
        return self.components.minute

    @property
    def second(self) -> int | None:
        """The second, or None; 60 in a leap second."""
        return self.components.second

    @property
    def microsecond(self) -> int | None:
        """The fraction of the second in microseconds, or None."""
        fraction = self.components.fraction
        return int(f"{fraction:0<6.6}") if fraction else None

    @property
    def precision(self) -> TimePrecision | None:
        """The smallest component given; None where the text is no time."""
        return self.components.precision

    @property
    def is_valid(self) -> bool:
        """Whether the text is what the standard asks for."""
        return _VALID.fullmatch(self) is not None

    def to_timedelta(self) -> timedelta:
        """Return the time since midnight, with zeros for what is not given.

        Raises
        ------
        ValueFormatError
            When the text is no time of a day.

        Examples
        --------
        >>> Time("235960").to_timedelta()
        datetime.timedelta(days=1)
        """
        return self._checked().earliest()

    def to_time(self) -> time:
        """Return the time of day, with zeros for what is not given; a leap second is the microsecond before its end.

        Raises
        ------
        ValueFormatError
            When the text is no time of a day.
        """
        return self.earliest()

    def earliest(self) -> time:
        """Return the first moment that the text can mean.

        Raises
        ------
        ValueFormatError
            When the text is no time of a day.
        """
        return time_of_day(self._checked().earliest(), leap=self.second == 60)

    def latest(self) -> time:
        """Return the last microsecond that the text can mean.

        Raises
        ------
        ValueFormatError
            When the text is no time of a day.
        """
        return time_of_day(self._checked().latest(), leap=self.second == 60)

    def _checked(self) -> TimeComponents:
        components = self.components
        if components.hour is None or not components.in_range:
            raise ValueFormatError(f"{str(self)!r} is no time of a day", hint="a time is written HHMMSS.FFFFFF")
        return components

    def __repr__(self) -> str:
        return f"Time({str.__repr__(self)})"


def time_of_day(since_midnight: timedelta, *, leap: bool = False) -> time:
    """Turn a duration since midnight into a time; of a leap second, into the last microsecond of the minute before."""
    if leap:
        minute_length = timedelta(minutes=1)
        since_midnight = since_midnight // minute_length * minute_length - timedelta(microseconds=1)
    minutes, second = divmod(since_midnight.seconds, 60)
    hour, minute = divmod(minutes, 60)
    return time(hour, minute, second, since_midnight.microseconds)
