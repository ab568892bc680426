"""Queries become identifiers and URL parameters, and come back the same."""

from __future__ import annotations

import string
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import QueryError
from dicomkit.files.read import read
from dicomkit.query import (
    EMPTY,
    Keys,
    Query,
    from_identifier,
    from_parameters,
    query,
    returned,
    to_identifier,
    to_parameters,
)
from dicomkit.standard.attributes import vr_table
from dicomkit.standard.query_keys import LEVELS, query_key
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"

_TEXT = st.text(string.ascii_letters + string.digits + " -=^_.,&%éß山*?", min_size=1, max_size=12)
_CODE = st.text(string.ascii_uppercase + string.digits + " _*?", min_size=1, max_size=12)
_DAY = st.dates().map(lambda day: f"{day.year:04d}{day:%m%d}")
_HOUR = st.times().map(lambda time: f"{time:%H%M%S.%f}")
_UID = st.lists(st.integers(0, 99999), min_size=2, max_size=5).map(lambda parts: ".".join(map(str, parts)))


def _several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(one, st.lists(one, min_size=1, max_size=3))


def _ranges(one: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    ends = st.one_of(one, st.none())
    return st.one_of(one, one.map("-{}".format), one.map("{}-".format), st.tuples(ends, ends))


def _numbers(low: int, high: int) -> st.SearchStrategy[Any]:
    return _several(st.integers(low, high))


VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("LO", "PN", "SH", "UC"), _several(_TEXT)),
    **dict.fromkeys(("LT", "ST", "UT"), st.one_of(_TEXT, st.just("a\\b"))),
    **dict.fromkeys(("AE", "CS"), _several(_CODE)),
    "AS": _several(st.builds("{:03}{}".format, st.integers(0, 999), st.sampled_from("DWMY"))),
    "AT": _several(st.integers(0, 0xFFFFFFFF).map(Tag)),
    "DA": _ranges(_DAY),
    "DS": _several(st.floats(-1e6, 1e6).map(lambda number: f"{number:.6g}")),
    "DT": _ranges(st.builds("{}{:%H%M%S}{}".format, _DAY, st.times(), st.sampled_from(["", "+0100", "-0500"]))),
    **dict.fromkeys(("FD", "FL"), _several(st.floats(width=32, allow_nan=False, allow_infinity=False))),
    "IS": _numbers(-(1 << 31), (1 << 31) - 1),
    "SL": _numbers(-(1 << 31), (1 << 31) - 1),
    "SS": _numbers(-(1 << 15), (1 << 15) - 1),
    "TM": _ranges(_HOUR),
    "UI": _several(_UID),
    "UL": _numbers(0, (1 << 32) - 1),
    "US": _numbers(0, (1 << 16) - 1),
}
_ANY = st.sampled_from([None, "", EMPTY])


def _attributes(vr: str) -> list[str]:
    """Some attributes of a VR, on any level."""
    tags = [tag for tag, known in vr_table().items() if known == vr and tag >> 16 > 8 and tag >> 16 < 0x7FE0]
    words = [Tag(tag).keyword for tag in tags[:: max(1, len(tags) // 8)]]
    return [word for word in words if word and query_key(word) is None]


PLAIN = [(word, vr) for vr in VALUES for word in _attributes(vr)]
WORDS = [word for word, _ in PLAIN]
SEQUENCES = ("RequestAttributesSequence", "ProcedureCodeSequence", "ReferencedStudySequence", "SourceImageSequence")


@st.composite
def keys(draw: st.DrawFn, depth: int = 1) -> dict[str, Any]:
    found = {
        word: draw(st.one_of(VALUES[vr], _ANY if VRS[vr].kind in ("text", "number_text") else st.none()))
        for word, vr in draw(st.lists(st.sampled_from(PLAIN), max_size=4, unique=True))
    }
    if depth and draw(st.booleans()):
        found[draw(st.sampled_from(SEQUENCES))] = draw(keys(depth - 1))
    return found


@st.composite
def queries(draw: st.DrawFn) -> Query:
    words = st.sampled_from([*WORDS, "RequestAttributesSequence.RequestedProcedureID"])
    wanted = draw(st.one_of(st.none(), st.lists(words, max_size=3)))
    return query(draw(st.sampled_from(("IMAGE", None))), return_keys=wanted, **draw(keys()))


def explicit(asked: Query) -> Query:
    """The same query with what is usual written out."""
    return Query(asked.level, asked.keys, tuple(sorted(returned(asked), key=Tag.of)))


@settings(max_examples=150, deadline=None)
@given(queries())
def test_identifiers_come_back_the_same(asked: Query) -> None:
    assert from_identifier(to_identifier(asked)) == explicit(asked)


@settings(max_examples=150, deadline=None)
@given(queries(), st.sampled_from((IMPLICIT, EXPLICIT, BIG)))
def test_identifiers_cross_the_wire(asked: Query, syntax: str) -> None:
    sent = to_bytes(to_identifier(asked), syntax)
    assert not sent or from_identifier(read(sent, transfer_syntax=syntax)) == explicit(asked)


@settings(max_examples=150, deadline=None)
@given(queries())
def test_parameters_come_back_the_same(asked: Query) -> None:
    assert from_parameters(asked.level, to_parameters(asked)).query == asked


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@settings(max_examples=150, deadline=None)
@given(queries())
def test_pydicom_reads_our_identifiers(asked: Query) -> None:
    pydicom = pytest.importorskip("pydicom")
    identifier = to_identifier(asked)
    sent = pydicom.filebase.DicomBytesIO(to_bytes(identifier, EXPLICIT))
    sent.is_implicit_VR, sent.is_little_endian = False, True
    theirs = pydicom.filereader.read_dataset(sent, False, True)
    assert [int(element.tag) for element in theirs] == [int(tag) for tag in identifier]
    for keyword, key in asked.keys:
        if isinstance(key, Keys):
            assert len(theirs[keyword].value) == 1
        elif identifier.element(keyword).vr in ("LO", "SH", "UI", "CS"):
            value = theirs[keyword].value
            assert ([*value] if isinstance(key, tuple) else value) == ([*key] if isinstance(key, tuple) else key)


def test_identifiers_of_pynetdicom_users_are_understood() -> None:
    pydicom = pytest.importorskip("pydicom")
    theirs = pydicom.Dataset()
    theirs.QueryRetrieveLevel = "SERIES"
    theirs.StudyInstanceUID = ["1.2", "1.3"]
    theirs.PatientName = "DOE*"
    theirs.SeriesNumber = None
    theirs.RequestAttributesSequence = [pydicom.Dataset()]
    theirs.RequestAttributesSequence[0].RequestedProcedureID = ""
    theirs.add_new(0x00091001, "LO", "private")
    stream = BytesIO()
    pydicom.dcmwrite(stream, theirs, implicit_vr=True, little_endian=True)
    ours = from_identifier(read(stream.getvalue(), transfer_syntax=IMPLICIT))
    assert (ours.level, ours.return_keys) == ("SERIES", ("SeriesNumber",))
    assert dict(ours.keys) == {
        "PatientName": "DOE*",
        "StudyInstanceUID": ("1.2", "1.3"),
        "RequestAttributesSequence": Keys([("RequestedProcedureID", "")]),
    }


def test_identifiers_hold_what_the_standard_asks_for() -> None:
    plain = to_identifier(query("series", StudyInstanceUID="1.2"))
    assert plain.QueryRetrieveLevel == "SERIES"
    assert "SpecificCharacterSet" not in plain
    assert {"SeriesInstanceUID", "Modality", "SeriesNumber"} <= {tag.keyword for tag in plain}
    assert to_identifier(query("study", PatientName="山*")).SpecificCharacterSet == "ISO_IR 192"
    nested = query("study", ProcedureCodeSequence={"CodeMeaning": "Schädel"})
    assert to_identifier(nested).SpecificCharacterSet == "ISO_IR 192"
    assert "QueryRetrieveLevel" not in to_identifier(query(None, PatientName="A"))


@pytest.mark.parametrize("level", LEVELS)
def test_retrieval_sends_only_keys(level: str) -> None:
    asked = query(level, PatientID="A", PatientName="", return_keys=["PatientSex"])
    assert to_identifier(asked, returning=False) == DataSet(QueryRetrieveLevel=level, PatientID="A")


# -- QIDO-RS ----------------------------------------------------------------------------------------------------------


def test_the_examples_of_the_standard() -> None:
    """PS3.18 10.6.1.2.1."""
    for given_parameters, expected in (
        ([("PatientID", "11235813"), ("StudyDate", "20130509")], {"PatientID": "11235813", "StudyDate": "20130509"}),
        (
            [("00100010", "SMITH*"), ("00101002.00100020", "11235813"), ("limit", "25")],
            {"PatientName": "SMITH*", "OtherPatientIDsSequence": {"PatientID": "11235813"}},
        ),
        ([("OtherPatientIDsSequence.00100020", "1")], {"OtherPatientIDsSequence": {"PatientID": "1"}}),
        ([("StudyDate", "20130509-20130510")], {"StudyDate": ("20130509", "20130510")}),
        ([("StudyInstanceUID", "1.2.3,1.2.4")], {"StudyInstanceUID": ["1.2.3", "1.2.4"]}),
        ([("StudyInstanceUID", "1.2.3\\1.2.4")], {"StudyInstanceUID": ["1.2.3", "1.2.4"]}),
        ([("PatientName", "a,b")], {"PatientName": "a,b"}),
        ([("ModalitiesInStudy", "CT\\MR")], {"ModalitiesInStudy": ["CT", "MR"]}),
    ):
        assert from_parameters("study", given_parameters).query == query("study", **expected)
    for fields in (
        [("includefield", "00081048,00081049")],
        [("includefield", "00081048"), ("includefield", "00081049")],
    ):
        found = from_parameters("studies", [("PatientID", "1"), *fields]).query
        assert found.return_keys == ("PhysiciansOfRecord", "PhysiciansOfRecordIdentificationSequence")


def test_what_else_a_search_says() -> None:
    found = from_parameters(
        "instance",
        [
            *(("limit", "25"), ("offset", "50"), ("fuzzymatching", "true"), ("includefield", "all")),
            *(("includefield", "00091001,Rows"), ("SeriesNumber", "")),
        ],
    )
    assert found[1:] == (25, 50, True, True, ("00091001",))
    assert found.query.return_keys == ("SeriesNumber", "Rows")
    by_uid = query("study", StudyInstanceUID="1.2", return_keys=[])
    assert to_parameters(by_uid) == [("StudyInstanceUID", "1.2"), ("includefield", "StudyInstanceUID")]
    assert from_parameters("study", to_parameters(by_uid)).query == by_uid
    assert from_parameters("study", [])[1:] == (None, 0, False, False, ())
    by_uid = query("study", StudyInstanceUID="1.2", return_keys=[])
    assert to_parameters(by_uid) == [("StudyInstanceUID", "1.2"), ("includefield", "StudyInstanceUID")]
    assert from_parameters("study", to_parameters(by_uid)).query == by_uid
    assert from_parameters("study", []).query == query("study")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([("PatientID", "1"), ("00100020", "2")], "twice"),
        ([("limit", "1"), ("limit", "1")], "twice"),
        ([("limit", "-1")], "limit='-1'"),
        ([("limit", "9" * 30)], "limit"),
        ([("offset", "²")], "offset"),
        ([("fuzzymatching", "yes")], "neither true nor false"),
        ([("00091001", "x")], "'00091001' is no parameter"),
        ([("Nonsense", "x")], "'Nonsense' is no parameter"),
        ([("", "x")], "no parameter"),
        ([("StudyDate", "2013*")], "wildcard"),
        ([("StudyInstanceUID", "1.2,x")], "no UID"),
        ([("SOPInstanceUID", "1.2")], "below the level"),
        ([("StudyDate.PatientID", "1")], "no sequence"),
        ([("OtherPatientIDsSequence", "1")], "is a sequence"),
        ([("QueryRetrieveLevel", "STUDY")], "no attribute"),
    ],
)
def test_parameters_that_cant_be_understood(parameters: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        from_parameters("study", parameters)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.text(max_size=12), st.sampled_from([w for w, _ in PLAIN])), st.text(max_size=12)))
)
def test_any_parameters_are_a_search_or_a_query_error(parameters: list[tuple[str, str]]) -> None:
    try:
        found = from_parameters("instance", parameters)
    except QueryError:
        return
    assert from_parameters("instance", to_parameters(found.query)).query == found.query
    assert from_identifier(to_identifier(found.query)) == explicit(found.query)


@pytest.mark.parametrize("raw", [b"\x08\x00\x10\x11LO\x04\x00abc ", b"\x10\x00\x20\x00SQ\x00\x00\x00\x00\x00\x00"])
def test_a_sequence_that_is_none_is_refused(raw: bytes) -> None:
    identifier = read(b"\x08\x00\x52\x00CS\x06\x00STUDY " + raw, transfer_syntax="1.2.840.10008.1.2.1")
    with pytest.raises(QueryError, match="can't be a key of VR"):
        from_identifier(identifier)
