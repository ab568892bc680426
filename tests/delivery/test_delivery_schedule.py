"""Schedules: hours, days, rates, nights, time zones and the days on which clocks are set."""

import math
import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.delivery.schedule import Schedule, Window
from dicomkit.errors import ValueFormatError

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
MINUTE, HOUR, DAY = 60, 3600, 86400


def moment(*when: int, zone: ZoneInfo = BERLIN) -> float:
    return datetime(*when, tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-06:00", Window(22 * 60, 6 * 60)),
        ("mon-fri 8:00-18:00", Window(480, 1080, (0, 1, 2, 3, 4))),
        ("Fri-Mon", Window(days=(0, 4, 5, 6))),
        ("sat,sun 00:00-24:00 at 1.5 MB/s", Window(days=(5, 6), rate=1.5e6)),
        ("mon-wed,sun 23:59-00:00 at 64kB", Window(1439, 0, (0, 1, 2, 6), 64e3)),
        ("at 200 B/s", Window(rate=200)),
    ],
)
def test_windows_are_read_and_written(text, window):
    assert Window.of(text) == window
    assert Window.of(str(window)) == window


@pytest.mark.parametrize(
    "text",
    ["", "8-18", "25:00-26:00", "08:00-08:00", "24:00-06:00", "08:60-09:00", "mox 08:00-09:00", "at fast", "at 0 B"],
)
def test_what_is_no_window_is_refused(text):
    with pytest.raises(ValueFormatError, match="write"):
        Window.of(text)


def test_no_time_zone_of_that_name():
    for name in ("Europe/Nowhere", "../etc/passwd", ""):
        with pytest.raises(ValueFormatError, match="no time zone"):
            Schedule.of("22:00-06:00", zone=name)


def test_a_night_ends_on_the_next_day():
    night = Schedule.of("fri 22:00-06:00", zone=BERLIN)
    friday = moment(2024, 5, 17, 22)
    assert not night.is_open(friday - 1)
    assert night.is_open(friday)
    assert night.is_open(moment(2024, 5, 18, 5, 59))
    assert not night.is_open(moment(2024, 5, 18, 6))
    assert not night.is_open(moment(2024, 5, 17, 3))
    assert night.until(friday) == moment(2024, 5, 18, 6)
    assert night.next_open(moment(2024, 5, 18, 6)) == friday + 7 * DAY
    assert night.until(moment(2024, 5, 18, 6)) == friday + 7 * DAY


def test_the_first_window_that_holds_counts():
    schedule = Schedule.of("mon-fri 08:00-18:00 at 1 MB/s", "00:00-24:00", zone=BERLIN)
    assert schedule.rate(moment(2024, 5, 15, 12)) == 1e6
    assert schedule.rate(moment(2024, 5, 15, 18)) == math.inf
    assert schedule.until(moment(2024, 5, 15, 12)) == moment(2024, 5, 15, 18)
    assert schedule.until(moment(2024, 5, 17, 20)) == moment(2024, 5, 20, 8)
    assert schedule.next_open(moment(2024, 5, 15, 12)) == moment(2024, 5, 15, 12)


def test_always_and_never():
    always, never = Schedule.of("00:00-24:00"), Schedule.of()
    assert (always.is_open(0), always.until(0), always.next_open(5)) == (True, None, 5)
    assert (never.is_open(0), never.until(0), never.next_open(5)) == (False, None, None)
    assert Schedule.of("00:00-12:00", "12:00-00:00", zone="UTC").until(0) is None


def test_clocks_that_are_set():
    """In Berlin 02:00-03:00 is left out on 31 March 2024, and comes twice on 27 October 2024."""
    spring, autumn = moment(2024, 3, 31), moment(2024, 10, 27)
    night = Schedule.of("22:00-06:00", zone=BERLIN)
    assert night.until(spring) == spring + 5 * HOUR
    assert night.until(autumn) == autumn + 7 * HOUR
    inside = Schedule.of("02:15-02:45", zone=BERLIN)
    assert inside.next_open(spring) == spring + DAY - HOUR + 2 * HOUR + 15 * MINUTE
    first = inside.next_open(autumn)
    assert first == autumn + 2 * HOUR + 15 * MINUTE
    assert inside.until(first) == first + 30 * MINUTE
    assert inside.next_open(inside.until(first)) == first + HOUR
    late = Schedule.of("02:30-04:00", zone=BERLIN)
    assert late.until(spring) == spring + 2 * HOUR  # at once from 01:59 to 03:00
    assert late.until(autumn + 2.5 * HOUR) == autumn + 3 * HOUR  # back to 02:00
    assert late.next_open(autumn + 3 * HOUR) == autumn + 3.5 * HOUR


windows = st.builds(
    Window,
    st.integers(0, 95).map(lambda quarter: quarter * 15),
    st.integers(1, 96).map(lambda quarter: quarter * 15 - 7),
    st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(tuple),
    st.sampled_from((math.inf, 1e6, 5e5)),
)
schedules = st.builds(Schedule, st.lists(windows, max_size=3).map(tuple), st.sampled_from(ZONES).map(ZoneInfo))
# Around the days on which clocks are set, in the north and in the south.
moments = st.one_of(
    st.integers(int(moment(2024, 3, 9)), int(moment(2024, 4, 9))),
    st.integers(int(moment(2024, 10, 4)), int(moment(2024, 11, 5))),
).map(float)


def rate_by_the_wall(schedule: Schedule, at: float) -> float:
    """The rate, from what a clock shows, day by day."""
    wall = datetime.fromtimestamp(at, UTC).astimezone(schedule.zone).replace(tzinfo=None)
    for window in schedule.windows:
        for day in (wall.date(), wall.date() - timedelta(1)):
            start = datetime.combine(day, datetime.min.time()) + timedelta(minutes=window.start)
            end = datetime.combine(day, datetime.min.time()) + timedelta(minutes=window.end)
            end += timedelta(1 if window.end <= window.start else 0)
            if day.weekday() in window.days and start <= wall < end:
                return window.rate
    return 0.0


@given(schedules, moments)
def test_the_rate_is_what_the_clock_on_the_wall_says(schedule, at):
    assert schedule.rate(at) == rate_by_the_wall(schedule, at)
    assert schedule.is_open(at) == (schedule.rate(at) > 0)


@given(schedules, moments)
def test_nothing_changes_until_it_does(schedule, at):
    until = schedule.until(at)
    rate = schedule.rate(at)
    end = at + 3 * DAY if until is None else until
    assert end > at
    for step in range(64):
        assert schedule.rate(at + (end - at) * step / 64) == rate
    if until is not None:
        assert schedule.rate(until) != rate
        assert schedule.rate(until - 0.01) == rate


@given(schedules, moments)
def test_the_next_opening_is_the_first(schedule, at):
    found = schedule.next_open(at)
    if found is None:
        assert not any(schedule.is_open(at + hour * HOUR / 4) for hour in range(4 * 24 * 8))
    else:
        assert found >= at
        assert schedule.is_open(found)
        assert found == at or not schedule.is_open(found - 0.01)


@given(schedules)
def test_schedules_are_values(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(schedule) == hash(Schedule(schedule.windows, schedule.zone))
    assert Schedule.of(*map(str, schedule.windows), zone=schedule.zone).windows == tuple(
        Window(window.start, window.end, tuple(sorted(window.days)), window.rate) for window in schedule.windows
    )
