"""When to send, and how fast: hours of the week in a time zone, as a value that pure functions ask.

A window is open while a clock on the wall of its time zone shows its hours. So where the clocks go back, an hour that
comes twice counts twice, and one that is left out in spring counts not at all.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from dicomkit.errors import ValueFormatError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_DAYS_AHEAD = 16
"""How far to look: what doesn't change in two weeks, whatever the clocks do, never changes."""
_LOOK_EVERY = 6 * 3600
"""Seconds in which clocks are not set twice."""
_TEXT = re.compile(
    r"\s*(?:(?P<days>[a-z]{3}(?:\s*[-,]\s*[a-z]{3})*)(?:\s+|\s*$))?"
    r"(?:(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2}))?"
    r"(?:\s*\bat\s+(?P<rate>\d+(?:\.\d+)?)\s*(?P<unit>[kmg]?)b(?:/s)?)?\s*"
)
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}
_HINT = 'write "22:00-06:00", "mon-fri 08:00-18:00 at 1 MB/s" or "sat,sun"'


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week, and how fast to send then.

    Attributes
    ----------
    start, end
        Minutes since midnight. An end that isn't after the start is on the next day.
    days
        The days on which it begins: 0 for Monday to 6.
    rate
        Bytes a second; `math.inf` for no limit.

    Examples
    --------
    >>> Window.of("fri,sat 22:00-06:00 at 1.5 MB/s")
    Window(start=1320, end=360, days=(4, 5), rate=1500000.0)
    """

    start: int = 0
    end: int = _DAY
    days: tuple[int, ...] = tuple(range(7))
    rate: float = math.inf

    def __post_init__(self) -> None:
        sound = 0 <= self.start < _DAY and 0 <= self.end <= _DAY and self.start != self.end
        if not (sound and self.days and all(day in range(7) for day in self.days) and self.rate > 0):
            raise ValueFormatError(f"{self!r} is no window of hours", hint=_HINT)

    @classmethod
    def of(cls, text: str) -> Window:
        """Read days, hours and a rate, all of which may be missing.

        Raises
        ------
        ValueFormatError
            When it is anything else.
        """
        found = _TEXT.fullmatch(text.lower())
        if found is None or not text.strip():
            raise ValueFormatError(f"{text!r} is no window of hours", hint=_HINT)
        start, end = (_minutes(found[name], text) for name in ("start", "end")) if found["start"] else (0, _DAY)
        rate = float(found["rate"]) * _UNITS[found["unit"]] if found["rate"] else math.inf
        return cls(start, end, _days(found["days"], text), rate)

    @property
    def length(self) -> int:
        """Its minutes, as the clock shows them."""
        return self.end - self.start if self.end > self.start else self.end - self.start + _DAY

    def holds(self, weekday: int, minute: float) -> bool:
        """Whether it is open on a day of the week, at so many minutes after midnight."""
        return (weekday in self.days and self.start <= minute < self.start + self.length) or (
            (weekday - 1) % 7 in self.days and minute + _DAY < self.start + self.length
        )

    def __str__(self) -> str:
        days = "" if len(set(self.days)) == 7 else ",".join(DAYS[day] for day in sorted(set(self.days))) + " "
        rate = "" if self.rate == math.inf else f" at {self.rate / 1e6:.12g} MB/s"
        return f"{days}{_clock_text(self.start)}-{_clock_text(self.end)}{rate}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of time in which to send; where several hold, the first one counts.

    Attributes
    ----------
    windows
        The first that holds says how fast. Where none does, nothing is sent.
    zone
        Whose clock they are read from, as `zoneinfo.ZoneInfo`; None for the one that the system is in.

    Examples
    --------
    Full speed at night, 1 MB/s by day, on a Wednesday noon:

    >>> from zoneinfo import ZoneInfo
    >>> schedule = Schedule.of("22:00-06:00", "06:00-22:00 at 1 MB/s", zone="Europe/Berlin")
    >>> noon = datetime(2024, 5, 15, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    >>> schedule.rate(noon)
    1000000.0
    >>> (schedule.until(noon) - noon) / 3600
    10.0

    Nothing by day:

    >>> night = Schedule.of("22:00-06:00", zone="Europe/Berlin")
    >>> night.is_open(noon), (night.next_open(noon) - noon) / 3600
    (False, 10.0)
    """

    windows: tuple[Window, ...]
    zone: tzinfo | None = None

    @classmethod
    def of(cls, *windows: str | Window, zone: str | tzinfo | None = None) -> Schedule:
        """Make a schedule of texts, and of the name of a time zone.

        Raises
        ------
        ValueFormatError
            When a text is no window, or there is no such time zone.
        """
        made = tuple(window if isinstance(window, Window) else Window.of(window) for window in windows)
        return cls(made, _zone(zone) if isinstance(zone, str) else zone)

    def rate(self, at: float) -> float:
        """Return the bytes a second that may be sent at a moment: 0 for none, `math.inf` for any number.

        Parameters
        ----------
        at
            Seconds since 1970.
        """
        wall = self._wall(at)
        minute = wall.hour * 60 + wall.minute + (wall.second + wall.microsecond / 1e6) / 60
        weekday = wall.weekday()
        return next((window.rate for window in self.windows if window.holds(weekday, minute)), 0.0)

    def is_open(self, at: float) -> bool:
        """Whether anything may be sent at a moment."""
        return self.rate(at) > 0

    def until(self, at: float) -> float | None:
        """Return the next moment at which the rate is another one; None where it never is."""
        now = self.rate(at)
        return next((moment for moment in self._moments(at) if self.rate(moment) != now), None)

    def next_open(self, at: float) -> float | None:
        """Return the first moment, from one on, at which something may be sent; None where there is none."""
        if self.is_open(at):
            return at
        return self.until(at)  # a rate that isn't 0

    def rate_now(self) -> float:
        """Return the rate of this moment, as `dicomkit.net.bandwidth.Bandwidth` asks for it."""
        return self.rate(time.time())

    def _wall(self, at: float) -> datetime:
        """What the clock shows."""
        return datetime.fromtimestamp(at, self.zone).replace(tzinfo=None)

    def _moments(self, at: float) -> list[float]:
        """Give the moments after one at which something may change, in order: hours begin or end, clocks are set."""
        midnight = self._wall(at).replace(hour=0, minute=0, second=0, microsecond=0)
        minutes = {minute % _DAY for window in self.windows for minute in (window.start, window.end)} | {0}
        found = {
            (midnight + timedelta(days, minutes=minute)).replace(tzinfo=self.zone, fold=fold).timestamp()
            for days in range(-1, _DAYS_AHEAD)
            for minute in minutes
            for fold in (0, 1)
        }
        last = at + _DAYS_AHEAD * 86400
        return sorted(moment for moment in (*found, *self._clock_changes(at, last)) if moment > at)

    def _clock_changes(self, first: float, last: float) -> Iterator[float]:
        """Give the moments at which clocks are set."""
        start = math.floor(first)
        while start < last:
            low, high = start, start + _LOOK_EVERY
            start = high
            before = self._offset(low)
            if self._offset(high) == before:
                continue
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._offset(middle) == before else (low, middle)
            yield float(high)

    def _offset(self, at: float) -> timedelta:
        return self._wall(at) - datetime.fromtimestamp(at, UTC).replace(tzinfo=None)

    def __str__(self) -> str:
        zone = "" if self.zone is None else f" ({self.zone})"
        return "; ".join(map(str, self.windows)) + zone


def _minutes(text: str, whole: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _DAY:
        raise ValueFormatError(f"{text!r} in {whole!r} is no time of a day", hint=_HINT)
    return hours * 60 + minutes


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days(text: str | None, whole: str) -> tuple[int, ...]:
    """Read days and spans of days."""
    found: set[int] = set()
    for part in (text or "mon-sun").split(","):
        ends = [name.strip() for name in part.split("-")]
        if len(ends) > 2 or not set(ends) <= set(DAYS):
            raise ValueFormatError(
                f"{part.strip()!r} in {whole!r} is no day", hint=f"write {', '.join(DAYS)}, or mon-fri"
            )
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        found |= {(first + number) % 7 for number in range((last - first) % 7 + 1)}
    return tuple(sorted(found))


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        hint = "write a name as Europe/Berlin; where the system has no time zones, pip install tzdata"
        raise ValueFormatError(f"there is no time zone {name!r}", hint=hint) from error
