"""What matches: the examples of PS3.4 C.2.2.2, and a slow reading of its rules of its own."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.query import EMPTY, Keys, Query, find_in, matcher, matches, query, response
from dicomkit.query.key import key_vr
from dicomkit.values.tag import Tag

CASES = [
    # C.2.2.2.1, notes: by meaning, not by text
    ("AcquisitionDateTime", "19980128103000.0000", "19980128103000", True),
    ("AcquisitionDateTime", "19980128073000-0300", "19980128103000+0000", True),
    ("StudyTime", "2230", "223000", True),
    ("StudyTime", "2230", "22:30:15", True),
    ("StudyTime", "2230", "223100", False),
    ("StudyDate", "20240131", "2024.01.31", True),
    ("PatientName", "Doe^Jane", "DOE^JANE", True),
    ("PatientName", "Doe^Jane", "DOE^JANE^^", True),
    ("PatientName", "Doe", "DOE^JANE", False),
    ("PatientName", "Wang^XiaoDong", "Wang^XiaoDong=王^小東", True),
    ("PatientName", "王^小東", "Wang^XiaoDong=王^小東", True),
    ("PatientName", "=王*", "Wang^XiaoDong=王^小東", True),
    ("PatientName", "Wang*=李*", "Wang^XiaoDong=王^小東", False),
    ("PatientName", "*=*", "Doe", True),
    ("PatientID", "abc", "ABC", False),
    ("PatientID", "A.C", "ABC", False),
    # C.2.2.2.2 and C.2.2.3
    ("StudyInstanceUID", ["1.2", "1.3"], "1.3", True),
    ("StudyInstanceUID", ["1.2", "1.3"], "1.33", False),
    ("ModalitiesInStudy", "MR", ("CT", "MR"), True),
    ("ModalitiesInStudy", ["PT", "MR"], ("CT", "MR"), True),
    ("ModalitiesInStudy", ["PT", "US"], ("CT", "MR"), False),
    # C.2.2.2.3
    ("PatientID", "", None, True),
    ("PatientID", "A", None, False),
    ("PatientID", "*", None, True),
    # C.2.2.2.4
    ("PatientID", "A*", "A", True),
    ("PatientID", "A?", "A", False),
    ("PatientID", "?*B", "AXB", True),
    ("PatientID", "*A*B*", "xAyBz", True),
    ("PatientID", "*A*B*", "xByAz", False),
    ("PatientID", "a*", "ABC", False),
    ("PatientID", "[A]*", "[A]B", True),
    # C.2.2.2.5
    ("StudyDate", "20240101-20240131", "20240131", True),
    ("StudyDate", "20240101 - 20240131", "20240201", False),
    ("StudyDate", "-20240131", "20230101", True),
    ("StudyDate", "20240131-", "20240131", True),
    ("StudyDate", "2024", "20241231", True),
    ("StudyDate", "2024-2025", "20251231", True),
    ("StudyTime", "1000-1800", "180000.000000", True),
    ("StudyTime", "-0959", "100000", False),
    ("AcquisitionDateTime", "20240101-20240102", "20240102235959", True),
    ("AcquisitionDateTime", "20240101120000+0100-", "20240101110000+0000", True),
    ("AcquisitionDateTime", "20240101120000+0100-", "20240101105959+0000", False),
    # numbers by their value
    ("SeriesNumber", "03", 3, True),
    ("SliceThickness", "1.50", 1.5, True),
    ("Rows", "512", 512, True),
    ("Rows", "512", 256, False),
    # C.2.2.2.7
    ("PatientID", EMPTY, None, True),
    ("PatientID", EMPTY, "A", False),
    ("StudyDate", EMPTY, None, True),
]


@pytest.mark.parametrize(("keyword", "key", "value", "expected"), CASES)
def test_examples(keyword: str, key: Any, value: Any, expected: bool) -> None:
    ds = DataSet() if value is None else DataSet([Element(Tag.of(keyword), key_vr(keyword), value)])
    assert matches(query("image", **{keyword: key}), ds) is expected


@pytest.mark.parametrize(
    ("key", "items", "expected"),
    [
        ({"CodeValue": "1", "CodingSchemeDesignator": "A"}, [("1", "A")], True),
        ({"CodeValue": "1", "CodingSchemeDesignator": "A"}, [("1", "B"), ("2", "A")], False),  # not in one item
        ({"CodeValue": "1", "CodingSchemeDesignator": ""}, [("2", "B"), ("1", "B")], True),
        ({"CodeValue": ""}, [], True),
        ({"CodeValue": "1"}, [], False),
        (None, [], True),
    ],
)
def test_sequences_match_item_by_item(key: Any, items: list[tuple[str, str]], expected: bool) -> None:
    ds = DataSet(
        ProcedureCodeSequence=[DataSet(CodeValue=code, CodingSchemeDesignator=scheme) for code, scheme in items]
    )
    assert matches(query("study", ProcedureCodeSequence=key), ds) is expected
    if not items:
        assert matches(query("study", ProcedureCodeSequence=key), DataSet()) is expected


def test_time_zones() -> None:
    noon = DataSet(AcquisitionDateTime="20240101120000")
    noon_in_berlin = noon.assign(TimezoneOffsetFromUTC="+0100")
    eleven = query("image", AcquisitionDateTime="20240101110000+0000")
    assert matches(eleven, noon_in_berlin)
    assert not matches(eleven, noon)
    local = query("image", AcquisitionDateTime="20240101120000")
    assert matches(local, noon_in_berlin), "without a zone, the local time of the data set is meant"
    in_new_york = query("image", AcquisitionDateTime="20240101060000", TimezoneOffsetFromUTC="-0500")
    assert matches(in_new_york, noon_in_berlin), "the offset of the query is no key"
    assert not matches(in_new_york, noon)


def test_dates_and_times_together() -> None:
    asked = query("study", StudyDate="20060705-20060707", StudyTime="1000-1800")
    july_6_at_night = DataSet(StudyDate="20060706", StudyTime="230000")
    assert not matches(asked, july_6_at_night)
    assert matches(asked, july_6_at_night, combined=True)
    for day, hour, expected in (
        ("20060705", "095959", False),
        ("20060705", "1000", True),
        ("20060707", "180059", True),
        ("20060707", "180100", False),
        ("20060706", None, False),
    ):
        assert matches(asked, DataSet(StudyDate=day, StudyTime=hour), combined=True) is expected
    apart = query("study", StudyDate="20060705-", StudyTime="-1800")  # of two forms: each on its own
    assert not matches(apart, july_6_at_night, combined=True)
    assert matches(query("study", StudyDate="20060705-", StudyTime="1000-"), july_6_at_night, combined=True)


def test_fuzzy_names() -> None:
    ds = DataSet(PatientName="Müller^Mary Ann")
    for name, expected in (("mary muller", True), ("Mary, Mü*", True), ("Mar", False), ("Mueller", False)):
        assert matches(query("study", PatientName=name), ds, fuzzy=True) is expected


def test_one_instance_stands_for_its_study() -> None:
    asked = query("study", ModalitiesInStudy=["CT", "PT"])
    assert matches(asked, DataSet(Modality="CT"))
    assert not matches(asked, DataSet(Modality="CT", ModalitiesInStudy="MR"))


def test_what_a_peer_makes_up_is_only_text() -> None:
    odd = Query("STUDY", Keys([("StudyDate", "2024*"), ("SeriesNumber", "1-3"), ("StudyInstanceUID", "1.*")]))
    assert not matches(odd, DataSet(StudyDate="20240101", SeriesNumber=2, StudyInstanceUID="1.2"))


def test_no_wildcard_is_slow() -> None:
    asked = query("image", PatientComments="*a" * 40 + "*b")
    started = time.process_time()
    assert not matches(asked, DataSet(PatientComments="a" * 5000))
    assert time.process_time() - started < 1


def test_responses_hold_what_is_asked_for() -> None:
    asked = query(
        "study",
        PatientID="A",
        ProcedureCodeSequence={"CodeValue": "1", "CodeMeaning": ""},
        return_keys=["StudyDescription", "NumberOfStudyRelatedSeries"],
    )
    codes = [DataSet(CodeValue="1", CodingSchemeDesignator="X"), DataSet(CodeValue="2", CodeMeaning="two")]
    ds = DataSet(PatientID="A", StudyInstanceUID="1.2", ProcedureCodeSequence=codes, PatientName="N")
    assert response(asked, ds, {"NumberOfStudyRelatedSeries": 3, "RetrieveAETitle": "ME", "Modality": "CT"}) == DataSet(
        QueryRetrieveLevel="STUDY",
        RetrieveAETitle="ME",
        StudyDescription=None,
        ProcedureCodeSequence=[DataSet(CodeValue="1", CodeMeaning=None)],
        PatientID="A",
        StudyInstanceUID="1.2",
        NumberOfStudyRelatedSeries=3,
    )


def test_tables_are_searched_as_data_sets_are() -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(
        {
            "PatientName": ["DOE^JANE", None, "ROE"],
            "StudyDate": pd.to_datetime(["2024-01-31", "2024-02-01", None]),
            "StudyTime": pd.to_timedelta(["10:30:00", None, "12:00:00"]),
            "Modality": ["CT", "MR", "CT"],
            "SeriesNumber": pd.array([1, 2, None], dtype="Int64"),
            "ImageType": ["ORIGINAL\\PRIMARY", "DERIVED", ""],
        }
    )
    for keys, rows in (
        ({"PatientName": "doe*"}, [0]),
        ({"StudyDate": "202401"}, [0]),
        ({"StudyDate": "2024-"}, [0, 1]),
        ({"StudyTime": "1000-1100"}, [0]),
        ({"ModalitiesInStudy": ["MR", "US"]}, [1]),
        ({"SeriesNumber": 2}, [1]),
        ({"ImageType": "PRIMARY"}, [0]),
        ({"PatientName": EMPTY}, [1]),
        ({}, [0, 1, 2]),
    ):
        assert list(find_in(table, query("image", **keys)).index) == rows, keys
    with pytest.raises(Exception, match="no column PatientID"):
        find_in(table, query("image", PatientID="A"))


# -- a slow reading of the rules ---------------------------------------------------------------------------------------


def slow_wildcard(key: str, text: str) -> bool:
    if not key:
        return not text
    if key[0] == "*":
        return any(slow_wildcard(key[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and key[0] in ("?", text[0]) and slow_wildcard(key[1:], text[1:])


def slow_bounds(text: str) -> tuple[int, int]:
    """The days or minutes that a date or a time of day can mean."""
    if len(text) == 8:
        return int(text), int(text)
    return (int(text + "00"), int(text + "59")) if len(text) == 2 else (int(text), int(text))


def slow_range(key: str, text: str) -> bool:
    start, hyphen, end = key.partition("-")
    if not hyphen:
        end = start
    low, high = slow_bounds(text)
    return (not start or high >= slow_bounds(start)[0]) and (not end or low <= slow_bounds(end)[1])


def slow_name(key: str, text: str) -> bool:
    key_groups, groups = key.lower().split("="), text.lower().split("=")
    if not key.strip("*^="):
        return True
    if len(key_groups) == 1:
        return any(slow_wildcard(key_groups[0].rstrip("^"), group.rstrip("^")) for group in groups)
    groups += [""] * len(key_groups)
    return all(
        not wanted.strip("*^") or slow_wildcard(wanted.rstrip("^"), group.rstrip("^"))
        for wanted, group in zip(key_groups, groups, strict=False)
    )


KINDS = {
    "PatientName": slow_name,
    "PatientID": slow_wildcard,
    "ImageType": slow_wildcard,
    "StudyDate": slow_range,
    "StudyTime": slow_range,
    "StudyInstanceUID": lambda key, text: key == text,
    "SeriesNumber": lambda key, text: int(key) == int(text),
}


def anything(key: Any) -> bool:
    """An item of a key that only asks for values is no reason to leave out what has no items."""
    return any(entry.strip("*") == "" for entry in (key if isinstance(key, list) else [key]))


def slow_matches(keys: dict[str, Any], ds: dict[str, Any]) -> bool:
    for keyword, key in keys.items():
        value = ds.get(keyword)
        if isinstance(key, dict):
            if not all(anything(entry) for entry in key.values()) and not any(
                slow_matches(key, item) for item in value or []
            ):
                return False
            continue
        if anything(key):
            continue
        wanted = key if isinstance(key, list) else [key]
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not any(KINDS[keyword](entry, text) for entry in wanted for text in values):
            return False
    return True


def short(alphabet: str, size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=size)


DAYS = st.integers(0, 5).map(lambda days: f"{date(2024, 1, 30) + timedelta(days):%Y%m%d}")
HOURS = st.builds("{:02}{}".format, st.integers(0, 3), st.sampled_from(["", "00", "30", "59"]))


def ranges(one: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(one, st.builds("{}-{}".format, one, one), one.map("{}-".format), one.map("-{}".format))


NAMES = short("aAb^", 4).filter(lambda text: text.strip("^") != "")
UIDS = st.integers(1, 4).map("1.{}".format)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "PatientName": st.lists(NAMES, min_size=1, max_size=2).map("=".join),
    "PatientID": short("ab", 4),
    "ImageType": st.lists(short("AB", 3), min_size=2, max_size=3),
    "StudyDate": DAYS,
    "StudyTime": HOURS,
    "StudyInstanceUID": UIDS,
    "SeriesNumber": st.integers(1, 4).map(str),
}
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "PatientName": st.lists(short("aAb^*?", 4), min_size=1, max_size=2).map("=".join),
    "PatientID": st.one_of(short("ab*?", 5), st.lists(short("ab*?", 3), min_size=2, max_size=2, unique=True)),
    "ImageType": short("AB*?", 4),
    "StudyDate": ranges(DAYS),
    "StudyTime": ranges(HOURS),
    "StudyInstanceUID": st.one_of(UIDS, st.lists(UIDS, min_size=2, max_size=3, unique=True)),
    "SeriesNumber": VALUES["SeriesNumber"],
}


def few(strategies: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.lists(st.sampled_from(sorted(strategies)), max_size=most, unique=True)
    return chosen.flatmap(lambda words: st.fixed_dictionaries({word: strategies[word] for word in words}))


def with_items(strategies: dict[str, st.SearchStrategy[Any]], items: Any) -> dict[str, st.SearchStrategy[Any]]:
    return {**strategies, "ReferencedStudySequence": items}


DATA_SETS = st.fixed_dictionaries(
    {}, optional=with_items(VALUES, st.lists(st.fixed_dictionaries({}, optional=VALUES), max_size=2))
)
ASKED = few(with_items(KEYS, few(KEYS, 2)), 2)


def made(values: dict[str, Any]) -> DataSet:
    return DataSet(
        {word: [made(item) for item in value] if word.endswith("Sequence") else value for word, value in values.items()}
    )


@settings(max_examples=300, deadline=None)
@given(ASKED, st.lists(DATA_SETS, min_size=1, max_size=6))
def test_the_rules_read_slowly_say_the_same(keys: dict[str, Any], data_sets: list[dict[str, Any]]) -> None:
    test = matcher(query("image", **keys))
    for values in data_sets:
        assert test(made(values)) is slow_matches(keys, values), (keys, values)


@settings(max_examples=150, deadline=None)
@given(DATA_SETS.filter(bool), st.data())
def test_a_data_set_matches_its_own_values(values: dict[str, Any], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(sorted(values)))
    value = values[word]
    own = (value[0] if value else {}) if word.endswith("Sequence") else value
    keys = {word: {inner: own[inner] for inner in own} if isinstance(own, dict) else own}
    assert matches(query("image", **keys), made(values))
