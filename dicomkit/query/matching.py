"""Whether a data set matches a query: single value, list, wildcard, range and sequence matching (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timezone, tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.query.key import EMPTY, NUMBER_VRS, TEMPORAL_VRS, Key, Keys, TemporalVr, is_universal, key_vr
from dicomkit.query.names import name_test
from dicomkit.query.query import Query
from dicomkit.query.wildcards import wildcard_pattern
from dicomkit.values.date_times import DateTime, parse_offset
from dicomkit.values.dates import Date
from dicomkit.values.temporal_range import TemporalRange
from dicomkit.values.times import Time

if TYPE_CHECKING:
    Matcher: TypeAlias = Callable[[DataSet], bool]
    Test: TypeAlias = Callable[[Any, tzinfo | None], bool]

OF_INSTANCES = {"ModalitiesInStudy": "Modality", "SOPClassesInStudy": "SOPClassUID"}
"""What says of one instance what the other says of all."""
_NEVER_MATCHED = frozenset(("SpecificCharacterSet", "QueryRetrieveLevel", "QueryRetrieveView", "TimezoneOffsetFromUTC"))


def matches(query: Query, ds: DataSet, *, fuzzy: bool = False, combined: bool = False) -> bool:
    """Tell whether a data set matches a query.

    Names match without regard to case, in each component group on its own; dates, times and moments by their meaning;
    other text exactly. Several values match when one of them does, and no value matches only a key that anything
    matches, or ``'""'``. A moment without an offset from UTC has that of its data set, and a query's that of its
    TimezoneOffsetFromUTC, which itself is not matched. Where a data set has no ModalitiesInStudy, its Modality is
    taken.

    Parameters
    ----------
    fuzzy
        Whether names match without regard to accents, order and punctuation of their parts.
    combined
        Whether ranges of a date and of its time are one range of moments (PS3.4 C.2.2.2.5), as QIDO-RS has it.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> ds = DataSet(PatientName="DOE^JANE", StudyDate="20240229")
    >>> matches(query("study", PatientName="doe*", StudyDate="2024-"), ds)
    True
    """
    return matcher(query, fuzzy=fuzzy, combined=combined)(ds)


def matcher(query: Query, *, fuzzy: bool = False, combined: bool = False) -> Matcher:
    """Make the test of a query once, for many data sets.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> is_ct = matcher(query("series", Modality=["CT", "PT"]))
    >>> [is_ct(DataSet(Modality=modality)) for modality in ("CT", "MR", None)]
    [True, False, False]
    """
    offset = query.get("TimezoneOffsetFromUTC")
    test = _keys_test(query.keys, fuzzy, combined, _zone(offset) if isinstance(offset, str) else None)
    has_moments = _has_moments(query.keys)

    def match(ds: DataSet) -> bool:
        return test(ds, _zone(ds.get("TimezoneOffsetFromUTC")) if has_moments else None)

    return match


def _has_moments(key: Key) -> bool:
    return isinstance(key, Keys) and any(key_vr(word) == "DT" or _has_moments(inner) for word, inner in key)


def _zone(offset: object) -> tzinfo | None:
    found = parse_offset(str(offset)) if offset else None
    return None if found is None else timezone(found)


def _keys_test(keys: Keys, fuzzy: bool, combined: bool, zone: tzinfo | None) -> Test:
    asked = {keyword: key for keyword, key in keys if not is_universal(key) and keyword not in _NEVER_MATCHED}
    together = []
    for keyword in tuple(asked) if combined else ():
        other = keyword.removesuffix("Date") + "Time"
        if keyword.endswith("Date") and other in asked and (test := _together(asked[keyword], asked[other])):
            together.append((keyword, other, test))
            del asked[keyword], asked[other]
    absent = [keyword for keyword, key in asked.items() if key == EMPTY]
    tests = [(word, _key_test(word, key, fuzzy, combined, zone)) for word, key in asked.items() if key != EMPTY]

    def every(ds: DataSet, own_zone: tzinfo | None) -> bool:
        for keyword, test in tests:
            if not any(test(value, own_zone) for value in _values(ds, keyword)):
                return False
        return not any(_values(ds, keyword) for keyword in absent) and all(
            any(pair(day, hour) for day, hour in zip(_values(ds, date), _values(ds, time), strict=False))
            for date, time, pair in together
        )

    return every


def _values(ds: DataSet, keyword: str) -> list[Any]:
    values = ds.all(keyword)
    if not values and keyword in OF_INSTANCES:
        values = ds.all(OF_INSTANCES[keyword])
    return [value for value in values if value is not None and value != ""]


def _key_test(keyword: str, key: Key, fuzzy: bool, combined: bool, zone: tzinfo | None) -> Test:
    """Make the test of one key: of a single value, or of an item."""
    if isinstance(key, Keys):
        of_item = _keys_test(key, fuzzy, combined, zone)
        return lambda item, own_zone: isinstance(item, DataSet) and of_item(item, own_zone)
    vr = key_vr(keyword)
    if isinstance(key, tuple):
        if vr == "UI":
            uids = frozenset(key)
            return lambda value, _: str(value) in uids
        tests = [_text_test(vr, str(entry), fuzzy, zone) for entry in key]
        return lambda value, own_zone: any(test(value, own_zone) for test in tests)
    return _text_test(vr, key, fuzzy, zone)


def _text_test(vr: str, key: str, fuzzy: bool, zone: tzinfo | None) -> Test:
    """Make the test of a single value against a text."""
    if vr in TEMPORAL_VRS:
        try:
            return _temporal(TemporalRange.of(key, cast(TemporalVr, vr)), zone)
        except ValueFormatError:  # of a peer that asks with what is no date: only the same text matches
            return lambda value, _: str(value) == key
    if vr == "PN":
        of_name = name_test(key, fuzzy=fuzzy)
        return lambda value, _: of_name(str(value))
    if vr in NUMBER_VRS:
        return _number(key)
    if vr == "AT":
        return lambda value, _: f"{int(value):08X}" == key
    if vr not in ("UI", "AS") and ("*" in key or "?" in key):
        pattern = wildcard_pattern(key)
        return lambda value, _: pattern.fullmatch(str(value)) is not None
    return lambda value, _: str(value) == key


def _temporal(bounds: TemporalRange, zone: tzinfo | None) -> Test:
    def within(value: Any, own_zone: tzinfo | None) -> bool:
        text = str(value)
        try:
            if zone is not None and own_zone is not None and DateTime(text).utc_offset is None:
                text += f"{datetime(2000, 1, 1, tzinfo=own_zone):%z}"
            return bounds.contains(text, zone or own_zone or UTC)
        except ValueFormatError:
            return False

    return within


def _number(key: str) -> Test:
    try:
        wanted = float(key)
    except ValueError:
        return lambda value, _: str(value) == key
    return lambda value, _: isinstance(value, (int, float)) and value == wanted


def _together(dates: Key, times: Key) -> Callable[[Any, Any], bool] | None:
    """Make the test of a date and a time against two ranges of the same form; None where they aren't (C.2.2.2.5)."""
    if not isinstance(dates, str) or not isinstance(times, str) or "-" not in dates or "-" not in times:
        return None
    try:
        days, hours = TemporalRange.of(dates, "DA"), TemporalRange.of(times, "TM")
    except DicomError:
        return None
    if (days.start is None, days.end is None) != (hours.start is None, hours.end is None):
        return None
    start = None if days.start is None or hours.start is None else _first(Date(days.start), Time(hours.start))
    end = None if days.end is None or hours.end is None else _last(Date(days.end), Time(hours.end))

    def within(day: Any, hour: Any) -> bool:
        date, time = Date(day), Time(hour)
        try:
            return (start is None or _last(date, time) >= start) and (end is None or _first(date, time) <= end)
        except ValueFormatError:
            return False

    return within


def _first(day: Date, hour: Time) -> datetime:
    return datetime.combine(day.earliest(), hour.earliest())


def _last(day: Date, hour: Time) -> datetime:
    return datetime.combine(day.latest(), hour.latest())
