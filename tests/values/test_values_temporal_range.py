"""Ranges of queries: their hyphen, their open ends, and what lies within."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.errors import ValueFormatError
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.temporal_range import TemporalRange


@pytest.mark.parametrize(
    ("text", "vr", "start", "end"),
    [
        ("20240101-20240131", "DA", "20240101", "20240131"),
        ("20240101 - 20240131 ", "DA", "20240101", "20240131"),
        ("20240101-", "DA", "20240101", None),
        ("-20240131", "DA", None, "20240131"),
        ("20240131", "DA", "20240131", "20240131"),
        ("1000-1800", "TM", "1000", "1800"),
        ("-1800.5", "TM", None, None),
        ("20240101", "DT", "20240101", "20240101"),
        ("20240101-20240102", "DT", "20240101", "20240102"),
        ("20240101-0500", "DT", "20240101-0500", "20240101-0500"),
        ("20240101-0500-", "DT", "20240101-0500", None),
        ("-20240101-0500", "DT", None, "20240101-0500"),
        ("20240101-0500-20240102-0500", "DT", "20240101-0500", "20240102-0500"),
        ("20240101+0100-20240102+0100", "DT", "20240101+0100", "20240102+0100"),
        ("20240101-20240102-0500", "DT", "20240101", "20240102-0500"),
        ("20240101-0500-20240102", "DT", "20240101-0500", "20240102"),
        ("20240101 - 20240102", "DT", "20240101", "20240102"),
        ("2023-2024", "DT", "2023", "2024"),  # 2024 is no offset
        ("2023-1000", "DT", "2023-1000", "2023-1000"),
        ("2023-1000-2024", "DT", "2023-1000", "2024"),
        ("2023-", "DT", "2023", None),
        ("20240101093000.5-20240101100000.25", "DT", "20240101093000.5", "20240101100000.25"),
    ],
)
def test_ends(text: str, vr: str, start: str | None, end: str | None) -> None:
    if text == "-1800.5":
        with pytest.raises(ValueFormatError):
            TemporalRange.of(text, "TM")
        return
    found = TemporalRange.of(text, vr)
    assert (found.start, found.end) == (start, end)
    assert TemporalRange.of(str(found), vr) == found


@pytest.mark.parametrize("vr", ["DA", "TM", "DT"])
@pytest.mark.parametrize("text", ["", "-", " - ", "x-y", "2024013-", "20240101-20240231-1", "99-99"])
def test_what_is_no_range(vr: str, text: str) -> None:
    with pytest.raises(ValueFormatError):
        TemporalRange.of(text, vr)


@pytest.mark.parametrize(
    ("text", "vr", "within", "without"),
    [
        ("20240101-20240131", "DA", ["20240101", "20240131", date(2024, 1, 5), "2024.01.05"], ["20231231", "20240201"]),
        ("-20240131", "DA", ["00010101", "2024"], ["20240201", "2025"]),
        ("202401-", "DA", ["20240101", "99991231"], ["20231231"]),
        ("10-12", "TM", ["10", "1200", "125959.999999", time(11)], ["095959", "13"]),
        ("20240101-", "DT", ["20240101", "2024", datetime(2024, 1, 1)], ["2023", "20231231235959"]),
        ("2024010112+0000-2024010114+0000", "DT", ["2024010114+0100", "2024010107-0500"], ["2024010112+0200"]),
    ],
)
def test_contains(text: str, vr: str, within: list[str], without: list[str]) -> None:
    found = TemporalRange.of(text, vr)
    assert all(found.contains(value) for value in within)
    assert not any(found.contains(value) for value in without)


def test_zone_of_moments_without_offset() -> None:
    found = TemporalRange.of("2024010112+0000-2024010113+0000", "DT")
    assert found.contains("2024010112")
    assert not found.contains("2024010112", default_tz=timezone(timedelta(hours=9)))
    assert found.contains("2024010121", default_tz=timezone(timedelta(hours=9)))
    assert TemporalRange.of("0001-", "DT").contains("00010101+1400")
    assert not TemporalRange.of("-9999", "DT").contains("99991231235959-1200")  # in UTC, in the year 10000


def test_values_that_cannot_be_read() -> None:
    with pytest.raises(ValueFormatError):
        TemporalRange.of("20240101-").contains("x")


@given(st.dates(), st.dates(), st.dates())
def test_dates_compare_as_dates(start: date, end: date, day: date) -> None:
    found = TemporalRange.of(f"{Date.of(start)}-{Date.of(end)}")
    assert found.contains(day) == (start <= day <= end)


offsets = st.sampled_from(["", "-0500", "-1200", "+1400", "+0000", "-0930"])


later = st.datetimes(min_value=datetime(1500, 1, 1))


@given(later, later, offsets, offsets, st.sampled_from([4, 6, 8, 10, 12, 14, 30]))
def test_the_hyphen_is_told_from_the_minus(a: datetime, b: datetime, first: str, second: str, size: int) -> None:
    start, end = DateTime.of(a)[:size] + first, DateTime.of(b)[:size] + second
    found = TemporalRange.of(f"{start}-{end}", "DT")
    assert (found.start, found.end) == (start, end)
    assert TemporalRange.of(f"-{end}", "DT").end == end
    assert TemporalRange.of(f"{start}-", "DT").start == start
