"""Dates, times, moments, ages and person names: text kept as written, parts read when asked for."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.errors import ValueFormatError
from dicomkit.values.age import Age
from dicomkit.values.date_times import DateTime, combine, parse_offset
from dicomkit.values.dates import Date
from dicomkit.values.person_name import PersonName, PersonNameGroup
from dicomkit.values.times import Time


@given(st.dates())
def test_dates_there_and_back(day: date) -> None:
    text = Date.of(day)
    assert text.is_valid
    assert text.precision == "day"
    assert text.to_date() == text.earliest() == text.latest() == day
    assert (text.year, text.month, text.day) == (day.year, day.month, day.day)
    assert Date(f"{day.year:04d}.{day.month:02d}.{day.day:02d}").to_date() == day


@pytest.mark.parametrize(
    ("text", "precision", "valid", "earliest", "latest"),
    [
        ("20240229", "day", True, date(2024, 2, 29), date(2024, 2, 29)),
        ("2024.02.29", "day", False, date(2024, 2, 29), date(2024, 2, 29)),
        ("202402", "month", False, date(2024, 2, 1), date(2024, 2, 29)),
        ("2024", "year", False, date(2024, 1, 1), date(2024, 12, 31)),
        (" 20240229", "day", False, date(2024, 2, 29), date(2024, 2, 29)),
        ("99991231", "day", True, date(9999, 12, 31), date(9999, 12, 31)),
        ("20230229", "day", False, None, None),
        ("20241301", "day", False, None, None),
        ("00000101", "day", False, None, None),
        ("202413", "month", False, None, None),
        ("0000", "year", False, None, None),
        ("2024-02-29", None, False, None, None),
        ("20240229-", None, False, None, None),
        ("２０２４0229", None, False, None, None),
        ("2024.0229", None, False, None, None),
        ("", None, False, None, None),
    ],
)
def test_dates(text: str, precision: str | None, valid: bool, earliest: date | None, latest: date | None) -> None:
    day = Date(text)
    assert (day.precision, day.is_valid) == (precision, valid)
    for method, expected in ((day.earliest, earliest), (day.latest, latest)):
        if expected is None:
            with pytest.raises(ValueFormatError):
                method()
        else:
            assert method() == expected
    if precision != "day" or earliest is None:
        with pytest.raises(ValueFormatError):
            day.to_date()


def test_an_incomplete_date_is_not_its_first_day() -> None:
    with pytest.raises(ValueFormatError, match="precise to the year only"):
        Date("2024").to_date()
    assert Date("2024").month is None


@given(st.times())
def test_times_there_and_back(moment: time) -> None:
    text = Time.of(moment)
    assert text.is_valid
    assert text.to_time() == text.earliest() == text.latest() or not moment.microsecond
    assert text.to_time() == moment
    since = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
    assert text.to_timedelta() == since
    assert Time.of(since) == text
    legacy = f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}.{moment.microsecond:06d}"
    assert Time(legacy).to_time() == moment
    assert not Time(legacy).is_valid


@pytest.mark.parametrize(
    ("text", "precision", "valid", "earliest", "latest"),
    [
        ("10", "hour", True, time(10), time(10, 59, 59, 999999)),
        ("1010", "minute", True, time(10, 10), time(10, 10, 59, 999999)),
        ("101010", "second", True, time(10, 10, 10), time(10, 10, 10, 999999)),
        ("101010.5", "fraction", True, time(10, 10, 10, 500000), time(10, 10, 10, 599999)),
        ("101010.1234567", "fraction", False, time(10, 10, 10, 123456), time(10, 10, 10, 123456)),
        ("235960", "second", True, time(23, 59, 59, 999999), time(23, 59, 59, 999999)),
        ("105960", "second", True, time(10, 59, 59, 999999), time(10, 59, 59, 999999)),
        ("10:10", "minute", False, time(10, 10), time(10, 10, 59, 999999)),
        ("101010 ", "second", False, time(10, 10, 10), time(10, 10, 10, 999999)),
        ("2400", "minute", False, None, None),
        ("101061", "second", False, None, None),
        ("021", None, False, None, None),
        ("1010.5", None, False, None, None),
        ("101010.", None, False, None, None),
        ("10:1010", None, False, None, None),
        ("", None, False, None, None),
    ],
)
def test_times(text: str, precision: str | None, valid: bool, earliest: time | None, latest: time | None) -> None:
    moment = Time(text)
    assert (moment.precision, moment.is_valid) == (precision, valid)
    for method, expected in ((moment.earliest, earliest), (moment.latest, latest), (moment.to_time, earliest)):
        if expected is None:
            with pytest.raises(ValueFormatError):
                method()
        else:
            assert method() == expected


def test_parts_of_a_time() -> None:
    moment = Time("070907.0705")
    assert (moment.hour, moment.minute, moment.second, moment.microsecond) == (7, 9, 7, 70500)
    assert (Time("07").minute, Time("07").microsecond, Time("x").hour) == (None, None, None)
    assert Time("235960").second == 60
    assert Time("235960.5").to_timedelta() == timedelta(days=1, microseconds=500_000)
    with pytest.raises(ValueFormatError):
        Time.of(timedelta(days=1))
    with pytest.raises(ValueFormatError):
        Time.of(timedelta(microseconds=-1))


zones = st.none() | st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=zones))
def test_moments_there_and_back(moment: datetime) -> None:
    text = DateTime.of(moment)
    assert text.is_valid
    assert text.to_datetime() == moment
    assert text.utc_offset == moment.utcoffset()
    assert (text.year, text.month, text.day, text.hour, text.minute, text.second) == moment.timetuple()[:6]


@pytest.mark.parametrize(
    ("text", "precision", "valid", "earliest", "latest"),
    [
        ("2024", "year", True, "2024-01-01T00:00:00", "2024-12-31T23:59:59.999999"),
        ("2007-0500", "year", True, "2007-01-01T00:00:00-05:00", "2007-12-31T23:59:59.999999-05:00"),
        ("195308", "month", True, "1953-08-01T00:00:00", "1953-08-31T23:59:59.999999"),
        ("20240131", "day", True, "2024-01-31T00:00:00", "2024-01-31T23:59:59.999999"),
        ("2024013110+1400", "hour", True, "2024-01-31T10:00:00+14:00", "2024-01-31T10:59:59.999999+14:00"),
        ("19530827111300.0", "fraction", True, "1953-08-27T11:13:00", "1953-08-27T11:13:00.099999"),
        ("20161231235960Z", None, False, None, None),
        ("20161231235960", "second", True, "2016-12-31T23:59:59.999999", "2016-12-31T23:59:59.999999"),
        ("20240131-1300", "day", False, "2024-01-31T00:00:00", "2024-01-31T23:59:59.999999"),
        ("20240131-0000", "day", False, "2024-01-31T00:00:00+00:00", "2024-01-31T23:59:59.999999+00:00"),
        ("2024013125", "hour", False, None, None),
        ("20240231", "day", False, None, None),
        ("202", None, False, None, None),
        ("", None, False, None, None),
    ],
)
def test_moments(text: str, precision: str | None, valid: bool, earliest: str | None, latest: str | None) -> None:
    moment = DateTime(text)
    assert (moment.precision, moment.is_valid) == (precision, valid)
    for method, expected in ((moment.earliest, earliest), (moment.latest, latest)):
        if expected is None:
            with pytest.raises(ValueFormatError):
                method()
        else:
            assert method().isoformat() == expected


def test_zones_of_moments() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert DateTime("20240131").to_datetime() == datetime(2024, 1, 31)
    assert DateTime("20240131").to_datetime(tokyo).isoformat() == "2024-01-31T00:00:00+09:00"
    assert DateTime("20240131+0000").to_datetime(tokyo).isoformat() == "2024-01-31T00:00:00+00:00"
    with pytest.raises(ValueFormatError, match="precise to the month only"):
        DateTime("202401").to_datetime()
    with pytest.raises(ValueFormatError):
        DateTime.of(datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-13))))
    with pytest.raises(ValueFormatError):
        DateTime.of(datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=30))))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0000", 0), ("-0000", 0), ("+1400", 840), ("-1200", -720), ("+0545", 345), ("-0330", -210), ("+1401", None)]
    + [("-1201", None), ("+0060", None), ("0100", None), ("+100", None), ("", None)],
)
def test_offsets(text: str, minutes: int | None) -> None:
    assert parse_offset(text) == (None if minutes is None else timedelta(minutes=minutes))


def test_combine() -> None:
    assert combine("20240131", "093000.25") == datetime(2024, 1, 31, 9, 30, 0, 250_000)
    assert combine(date(2024, 1, 31), timedelta(hours=1)) == datetime(2024, 1, 31, 1)
    assert combine("20240131") == combine("20240131", "") == datetime(2024, 1, 31)
    assert combine("20240131", "10", "-0500").utcoffset() == timedelta(hours=-5)
    for arguments in (("2024", "10", None), ("20240131", "25", None), ("20240131", "10", "EST")):
        with pytest.raises(ValueFormatError):
            combine(*arguments)


def test_ages() -> None:
    assert Age("018M").to_timedelta() == timedelta(days=18 * 365.2425 / 12)
    assert Age("002W").to_timedelta() == timedelta(days=14)
    assert Age("045Y").years == 45
    assert Age("365D").years == pytest.approx(0.99934, abs=1e-5)
    assert (Age("45Y").number, Age("45Y").unit, Age("45Y").is_valid) == (45, "Y", False)
    assert (Age("045y").unit, Age("045y").is_valid, Age("045Y").is_valid) == ("Y", False, True)
    assert (Age("x").number, Age("x").unit) == (None, None)
    assert Age("x").years != Age("x").years
    with pytest.raises(ValueFormatError):
        Age("x").to_timedelta()
    for number, unit in ((1000, "Y"), (-1, "Y"), (1, "X")):
        with pytest.raises(ValueFormatError):
            Age.of(number, unit)


@given(st.integers(0, 999), st.sampled_from("DWMY"))
def test_ages_there_and_back(number: int, unit: str) -> None:
    age = Age.of(number, unit)
    assert age.is_valid
    assert (age.number, age.unit) == (number, unit)


def test_names_of_ps3_5_6_2_1_1() -> None:
    adams = PersonName("Adams^John Robert Quincy^^Rev.^B.A. M.Div.")
    assert adams.alphabetic == ("Adams", "John Robert Quincy", "", "Rev.", "B.A. M.Div.")
    assert adams.formatted() == "Rev. John Robert Quincy Adams, B.A. M.Div."
    assert PersonName("Morrison-Jones^Susan^^^Ph.D., Chief Executive Officer").name_suffix.endswith("Officer")
    assert PersonName("Doe^John").formatted() == "John Doe"
    assert PersonName("ABC Farms^Running on Water").given_name == "Running on Water"


def test_groups_of_names() -> None:
    name = PersonName("Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert name.ideographic == PersonNameGroup("山田", "太郎")
    assert name.phonetic.family_name == "やまだ"
    assert (name.family_name, name.given_name, name.middle_name, name.name_prefix) == ("Yamada", "Tarou", "", "")
    only = PersonName("=山田^太郎")
    assert only.alphabetic == PersonNameGroup()
    assert only.formatted() == "太郎 山田"
    assert PersonName("").formatted() == ""
    assert PersonName("a=b=c=d^e^f^g^h^i").phonetic.name_suffix == "h^i"
    assert repr(name) == "PersonName('Yamada^Tarou=山田^太郎=やまだ^たろう')"


components = st.text(st.characters(exclude_characters="^=\\ ", exclude_categories=["Cc", "Cs"]), max_size=5)
Five = tuple[str, str, str, str, str]
fives = st.tuples(components, components, components, components, components)


@given(fives, fives, fives)
def test_names_there_and_back(
    alphabetic: tuple[str, ...], ideographic: tuple[str, ...], phonetic: tuple[str, ...]
) -> None:
    name = PersonName.of(*alphabetic, ideographic=ideographic, phonetic=phonetic)
    assert name.groups == (alphabetic, ideographic, phonetic)
    assert not name.endswith(("^", "="))
    assert name.same_as("=".join("^".join(group) for group in (alphabetic, ideographic, phonetic)))


def test_trailing_delimiters_are_the_same_name() -> None:
    assert PersonName("Doe^Jane").same_as("Doe^Jane^^^==")
    assert PersonName("Doe ^Jane").same_as("Doe^Jane")
    assert not PersonName("Doe^Jane").same_as("Doe^^Jane")
    assert PersonName("Doe^Jane") != PersonName("Doe^Jane^")


def test_they_are_strings() -> None:
    for kind in (Date, Time, DateTime, Age, PersonName):
        value = kind("2024")
        assert value == "2024"
        assert {value: 1}["2024"] == 1
        assert f"{value:>6}" == "  2024"
        assert repr(value) == f"{kind.__name__}('2024')"
        assert type(str(value)) is str
        with pytest.raises(AttributeError):
            value.other = 1
