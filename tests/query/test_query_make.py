"""Queries are checked when made, have one form, and say what is wrong."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import QueryError
from dicomkit.query import (
    MODELS,
    Keys,
    Query,
    from_identifier,
    level_name,
    model_for,
    model_of,
    query,
    returned,
    to_identifier,
)
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS
from dicomkit.standard.uids import uid_entry


@pytest.mark.parametrize(
    ("word", "level"),
    [("study", "STUDY"), ("Studies", "STUDY"), ("instance", "IMAGE"), (" image ", "IMAGE"), ("PATIENT", "PATIENT")],
)
def test_levels_have_several_names(word: str, level: str) -> None:
    assert query(word).level == level == level_name(word)


def test_a_query_is_a_value() -> None:
    one = query("study", PatientID="A", ProcedureCodeSequence={"CodeValue": "1"}, StudyInstanceUID=["1.2", "1.3"])
    same = query(
        "STUDY",
        StudyInstanceUID=("1.2", "1.3"),
        PatientID="A ",
        ProcedureCodeSequence=[{"CodeValue": "1"}],
    )
    assert one == same
    assert len({one, same, pickle.loads(pickle.dumps(one))}) == 1
    assert eval(repr(one), {"query": lambda level, **keys: query(level, **keys)}) == one
    assert "anything" not in str(one._repr_html_())
    assert "ProcedureCodeSequence" in str(one._repr_html_())


@pytest.mark.parametrize(
    ("keyword", "value", "key"),
    [
        ("StudyDate", (date(2024, 1, 1), None), "20240101-"),
        ("StudyDate", (None, datetime(2024, 1, 1, 12)), "-20240101"),
        ("StudyDate", date(2024, 1, 31), "20240131"),
        ("StudyTime", (time(9), "1030"), "090000-1030"),
        ("StudyTime", datetime(2024, 1, 1, 9, 30), "093000"),
        ("AcquisitionDateTime", datetime(2024, 1, 1, 9, 30, tzinfo=UTC), "20240101093000+0000"),
        ("SeriesNumber", 3, "3"),
        ("SeriesNumber", [3, 4], ("3", "4")),
        ("StudyInstanceUID", ["1.2"], "1.2"),
        ("StudyInstanceUID", ["1.2", "1.2", "1.3"], ("1.2", "1.3")),
        ("FrameIncrementPointer", "FrameTime", "00181063"),
        ("PatientName", "DOE* ", "DOE*"),
        ("RequestAttributesSequence", {"RequestedProcedureID": "A*"}, Keys([("RequestedProcedureID", "A*")])),
        ("RequestAttributesSequence.RequestedProcedureID", "A*", None),
        ("StudyDate", '""', '""'),
    ],
)
def test_values_have_one_form(keyword: str, value: Any, key: Any) -> None:
    made = query("image", **{keyword: value})
    path = keyword.split(".")
    assert made.get(path[0]) == (Keys([(path[1], value)]) if len(path) > 1 else key)


@pytest.mark.parametrize("value", [None, "", "*", "**", [], (None, None), ["A", ""], " "], ids=["None", *"abcdefg"])
def test_anything_is_what_is_to_be_returned(value: Any) -> None:
    keyword = "StudyDate" if value == (None, None) else "AccessionNumber"
    made = query("study", **{keyword: value}, return_keys=["StudyID"])
    assert made.keys == ()
    assert set(returned(made)) == {keyword, "StudyID", "StudyInstanceUID"}


@pytest.mark.parametrize(
    ("level", "keys", "message"),
    [
        ("study", {"StudyInstanceUID": "1.2.*"}, r"StudyInstanceUID='1.2.\*' has a wildcard.*list"),
        ("study", {"StudyInstanceUID": "1.2-1.3"}, "is no UID"),
        ("study", {"StudyDate": "2024*"}, r"wildcard.*range 'a-b'"),
        ("study", {"StudyDate": "20240230"}, "no date"),
        ("study", {"StudyDate": "yesterday"}, "StudyDate='yesterday'"),
        ("study", {"StudyTime": "2561"}, "StudyTime"),
        ("study", {"StudyDat": "2024"}, "'StudyDat' is no attribute"),
        ("study", {"QueryRetrieveLevel": "STUDY"}, "no attribute"),
        ("study", {"00091001": "x"}, "private"),
        ("study", {"SOPInstanceUID": "1"}, "below the level study.*on the level image"),
        ("study", {"Modality": "CT"}, "ModalitiesInStudy"),
        ("patient", {"StudyDate": "2024-"}, "below the level patient"),
        ("series", {"Rows": 512}, "below the level series"),
        ("series", {"SeriesNumber": "1-3"}, "no number"),
        ("series", {"SeriesNumber": "1.5"}, "no number"),
        ("series", {"SeriesNumber": True}, "can't be asked for as True"),
        ("study", {"PatientAge": "0?0Y"}, "wildcard"),
        ("study", {"AccessionNumber": "A\\B"}, "list"),
        ("study", {"AccessionNumber": "A\nB"}, "character that SH"),
        ("image", {"PixelData": "1"}, "can't be matched"),
        ("study", {"PatientComments": ["a", "b"]}, "one value"),
        ("study", {"ProcedureCodeSequence": "x"}, "is a sequence"),
        ("study", {"ProcedureCodeSequence": {"Code": "x"}}, "'Code' is no attribute"),
        ("study", {"ProcedureCodeSequence": {"CodeValue": "x"}, "ProcedureCodeSequence.CodeValue": "y"}, "twice"),
        ("study", {"StudyDate.CodeValue": "x"}, "no sequence"),
        ("plane", {}, "no level"),
    ],
)
def test_what_cant_be_asked_is_said(level: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        query(level, **keys)
    assert caught.value.hint


def test_return_keys_are_checked_too() -> None:
    with pytest.raises(QueryError, match="below the level"):
        query("study", return_keys=["SOPInstanceUID"])
    with pytest.raises(QueryError, match="no attribute"):
        query("study", return_keys=["StudyDescriptio"])
    parts = query("series", return_keys=["RequestAttributesSequence.RequestedProcedureID"])
    assert parts.get("RequestAttributesSequence") == Keys([("RequestedProcedureID", "")])


@pytest.mark.parametrize("level", LEVELS)
def test_usual_return_keys_hold_the_unique_keys(level: str) -> None:
    asked = returned(query(level))
    assert UNIQUE_KEYS[level] in asked
    assert query(level, return_keys=asked).return_keys is not None
    assert {UNIQUE_KEYS[upper] for upper in LEVELS[1 : LEVELS.index(level)]} <= set(asked)


def test_models_are_those_of_the_registry() -> None:
    for (root, operation), uid in MODELS.items():
        entry = uid_entry(uid)
        assert entry is not None
        words = {"PATIENT": "Patient Root", "STUDY": "Study Root", "PATIENT/STUDY ONLY": "Patient/Study Only"}[root]
        assert entry.name.startswith(f"{words} Query/Retrieve Information Model")
        assert operation in entry.name
        assert model_of(uid) == (root, operation)
    assert model_of("1.2.840.10008.1.1") is None


def test_models_and_levels() -> None:
    study, patient, image = query("study"), query("patient"), query("image")
    assert model_for(patient, "find") == MODELS["PATIENT", "FIND"]
    assert model_for(study, "MOVE", root="patient") == MODELS["PATIENT", "MOVE"]
    assert model_for(patient, "GET", root="PATIENT/STUDY ONLY") == MODELS["PATIENT/STUDY ONLY", "GET"]
    for refused, operation, root in (
        (image, "FIND", "PATIENT/STUDY ONLY"),
        (study, "FIND", "SERIES"),
        (study, "STORE", "STUDY"),
        (query(None), "FIND", "STUDY"),
    ):
        with pytest.raises(QueryError) as caught:
            model_for(refused, operation, root=root)
        assert caught.value.hint


SOME = ("PatientName", "StudyDate", "StudyInstanceUID", "StudyTime", "PatientAge", "PatientComments", "PatientSize")


@given(st.text(max_size=20), st.sampled_from(SOME))
def test_any_text_is_a_key_or_a_query_error(text: str, keyword: str) -> None:
    try:
        made = query("study", **{keyword: text})
    except QueryError:
        return
    assert isinstance(made, Query)
    assert from_identifier(to_identifier(made)).keys == made.keys


def test_identifiers_of_peers_are_taken_as_they_are() -> None:
    asked = from_identifier(
        DataSet(QueryRetrieveLevel="STUDY", Modality="CT", PatientName="*", PatientComments="a\\b").assign(
            ModalitiesInStudy=("CT", "MR")
        )
    )
    assert asked == Query(
        "STUDY",
        Keys([("Modality", "CT"), ("ModalitiesInStudy", ("CT", "MR")), ("PatientComments", "a\\b")]),
        ("PatientName",),
    )
    with pytest.raises(QueryError, match="no level"):
        from_identifier(DataSet(QueryRetrieveLevel="FRAME"))
    assert from_identifier(DataSet(PatientName="A")).level is None
