"""Performed procedure steps: the states that they go through, what each change needs, and what keeps them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from worklist_items import ITEMS

from dicomkit.archive.performed_steps import (
    KeptStep,
    MemorySteps,
    PerformedSteps,
    SqliteSteps,
    StepsFailedError,
    steps_table,
)
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.recode import with_charset
from dicomkit.dimse.instance_references import headers, performed_series, series_without_instances
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import ValueFormatError
from dicomkit.objects.performed_step import (
    COMPLETED,
    DISCONTINUED,
    IN_PROGRESS,
    PERFORMED_STEP,
    STATES,
    PerformedStepError,
    changed_step,
    check_changes,
    created_step,
    state_of,
)
from dicomkit.objects.performed_step_lists import REASONS, ending, mpps_from_item
from dicomkit.samples import ct_series, write_series
from dicomkit.validation.validate import validate

STEP = mpps_from_item(ITEMS[0], start=datetime(2024, 2, 29, 9, 31))
SERIES = [series_without_instances("Thorax", SeriesInstanceUID="1.2.3.4.5")]
END = datetime(2024, 2, 29, 9, 45)


def refused(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[int, PerformedStepError]:
    with pytest.raises(PerformedStepError) as caught:
        function(*arguments, **options)
    return caught.value.status, caught.value


# ---- the rules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ITEMS)
def test_a_step_from_an_item_is_whole(item: DataSet) -> None:
    step = mpps_from_item(item)
    found = validate(step.assign(SOPClassUID=PERFORMED_STEP))
    assert [str(each) for each in found if each.severity == "error"] == []
    assert created_step(step) == step
    [scheduled] = step.ScheduledStepAttributesSequence
    assert scheduled.StudyInstanceUID == item.StudyInstanceUID
    assert scheduled.AccessionNumber == item.AccessionNumber
    assert step.PatientName == item.PatientName
    ended = changed_step(step, ending(COMPLETED, SERIES, end=END))
    assert [str(each) for each in validate(ended.assign(SOPClassUID=PERFORMED_STEP)) if each.severity == "error"] == []


def test_a_step_that_performs_several_procedures() -> None:
    step = created_step(mpps_from_item(ITEMS[:2]))
    assert [one.AccessionNumber for one in step.ScheduledStepAttributesSequence] == ["ACC1", "ACC2"]
    assert step.PatientID == "A1"
    with pytest.raises(ValueFormatError, match="no item"):
        mpps_from_item([])


def test_a_step_without_anything_scheduled() -> None:
    step = mpps_from_item(DataSet(PatientID="X"), station="CT1", Modality="CT", PatientName="DOE^JANE")
    created_step(step)
    assert step["ScheduledStepAttributesSequence", 0, "StudyInstanceUID"].is_valid
    with pytest.raises(ValueFormatError, match="PerformedStationAETitle"):
        mpps_from_item(DataSet(PatientID="X"), Modality="CT")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106),
        ({"PerformedProcedureStepStatus": "STARTED"}, 0x0106),
        ({"PerformedProcedureStepStatus": None}, 0x0121),
        ({"PerformedProcedureStepID": None}, 0x0121),
        ({"ScheduledStepAttributesSequence": ()}, 0x0121),
        ({("ScheduledStepAttributesSequence", 0, "StudyInstanceUID"): None}, 0x0121),
        ({"PatientSex": "X"}, 0x0106),
    ],
)
def test_what_a_step_cannot_begin_with(change: dict[Any, Any], status: int) -> None:
    code, error = refused(created_step, STEP.assign(change))
    assert code == status
    first = next(iter(change))
    assert error.attributes == (first if isinstance(first, str) else first[0],)


@pytest.mark.parametrize("tag", [tag for tag in STEP if STEP.element(tag).keyword not in ("SpecificCharacterSet",)])
def test_every_attribute_of_types_1_and_2_has_to_be_there(tag: int) -> None:
    optional = {"CommentsOnThePerformedProcedureStep", "PerformedProcedureStepDiscontinuationReasonCodeSequence"}
    keyword = STEP.element(tag).keyword
    if keyword in optional:
        created_step(STEP.drop(tag))
        return
    code, error = refused(created_step, STEP.drop(tag))
    assert (code, error.attributes) == (0x0120, (keyword,))
    if keyword != "PerformedProcedureStepStatus":
        assert created_step(STEP.drop(tag), strict=False) == STEP.drop(tag)


@pytest.mark.parametrize("state", [COMPLETED, DISCONTINUED])
def test_a_step_that_has_ended_changes_no_more(state: str) -> None:
    ended = changed_step(STEP, ending(state, SERIES, end=END))
    assert state_of(ended) == state
    for changes in (DataSet(PerformedProcedureStepStatus=IN_PROGRESS), DataSet(), ending(COMPLETED, SERIES)):
        for strict in (True, False):
            code, error = refused(changed_step, ended, changes, strict=strict)
            assert (code, error.error_id) == (0x0110, 0xA710)
            assert error.message == "Performed Procedure Step Object may no longer be updated"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0121),
        ({"PerformedProcedureStepStatus": "SCHEDULED"}, 0x0106),
        ({"PerformedProcedureStepStatus": ""}, 0x0121),
        ({"PatientID": "OTHER"}, 0x0106),
        ({"Modality": "MR"}, 0x0106),
        ({"TotalNumberOfExposures": 3}, 0x0105),
        ({"PerformedSeriesSequence": [{"SeriesInstanceUID": "1.2"}]}, 0x0120),
        ({"PerformedSeriesSequence": [SERIES[0].assign(ProtocolName=None)]}, 0x0121),
        ({"PerformedProtocolCodeSequence": [{"CodeValue": "1"}]}, 0x0120),
    ],
)
def test_changes_that_a_step_does_not_take(change: dict[str, Any], status: int) -> None:
    assert refused(changed_step, STEP, DataSet(change))[0] == status
    if status != 0x0106 and change.get("PerformedProcedureStepStatus") != "":
        changed_step(STEP, DataSet(change), strict=False)


def test_what_may_not_change_stays_as_it_is() -> None:
    assert changed_step(STEP, DataSet(PatientID=STEP.PatientID, PatientName=STEP.PatientName)) == STEP
    assert changed_step(STEP, DataSet(PatientID="OTHER"), strict=False) == STEP
    assert refused(check_changes, DataSet(PatientID="A"))[0] == 0x0106


def test_an_end_needs_a_series() -> None:
    with pytest.raises(ValueFormatError, match="without a series"):
        ending(COMPLETED)
    code, error = refused(changed_step, STEP, ending(COMPLETED, SERIES).assign(PerformedSeriesSequence=()))
    assert (code, error.attributes) == (0x0121, ("PerformedSeriesSequence",))


def test_reasons_are_codes() -> None:
    word = "PerformedProcedureStepDiscontinuationReasonCodeSequence"
    for reason in ("110512", ("110512", "DCM", "Incorrect side ordered")):
        [code] = ending(DISCONTINUED, SERIES, reason=reason)[word]
        assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == (
            *("110512", "DCM"),
            "Incorrect side ordered",
        )
    with pytest.raises(ValueFormatError, match="CID 9301"):
        ending(DISCONTINUED, SERIES, reason="4711")
    assert len(REASONS) == 17


def test_two_character_sets_become_utf_8() -> None:
    latin = with_charset(STEP.assign(PatientName="Müller", SpecificCharacterSet="ISO_IR 192"), "ISO_IR 100")
    greek = DataSet(PerformedProcedureStepDescription="Θώρακας", SpecificCharacterSet="ISO_IR 126")
    changed = changed_step(latin, greek)
    assert changed.SpecificCharacterSet == "ISO_IR 192"
    assert (changed.PatientName, changed.PerformedProcedureStepDescription) == ("Müller", "Θώρακας")
    same = changed_step(latin, DataSet(PerformedProcedureStepDescription="ä", SpecificCharacterSet="ISO_IR 100"))
    assert same.SpecificCharacterSet == "ISO_IR 100"


# ---- what was made -------------------------------------------------------------------------------------------------


def test_series_of_instances(tmp_path: Path) -> None:
    ct = ct_series(3, 8)
    report = ct[0].assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", SOPInstanceUID="1.2.3.9")
    [item] = performed_series([*ct, report, ct[0]], retrieve_aet="ARCHIVE")
    assert [str(one.ReferencedSOPInstanceUID) for one in item.ReferencedImageSequence] == [
        str(ds.SOPInstanceUID) for ds in ct
    ]
    assert [str(one.ReferencedSOPInstanceUID) for one in item.ReferencedNonImageCompositeSOPInstanceSequence] == [
        "1.2.3.9"
    ]
    assert item.RetrieveAETitle == "ARCHIVE"
    changed_step(STEP, ending(COMPLETED, [item], end=END))
    paths = write_series(ct, tmp_path / "ct")
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"path": [str(path) for path in paths]})
    for same in (paths, tmp_path / "ct", table):
        [found] = performed_series(same)
        assert len(found.ReferencedImageSequence) == 3
    with pytest.raises(ValueFormatError, match="SeriesInstanceUID"):
        list(headers(ct[0].drop("SeriesInstanceUID")))
    with pytest.raises(ValueFormatError, match="no instance"):
        list(headers([42]))


# ---- what keeps steps ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def steps(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PerformedSteps]:
    if request.param == "memory":
        yield MemorySteps(most=3)
    else:
        with SqliteSteps(tmp_path / "steps.sqlite", most=3) as held:
            yield held


def test_steps_are_kept(steps: Any) -> None:
    assert isinstance(steps, PerformedSteps)
    steps.create("1.2.1", STEP)
    assert steps.get("1.2.1") == STEP
    assert refused(steps.create, "1.2.1", STEP)[0] == 0x0111
    for ask in (steps.get, steps.delete, lambda uid: steps.change(uid, lambda step: step)):
        assert refused(ask, "1.2.9")[0] == 0x0112
    before, after = steps.change("1.2.1", lambda step: changed_step(step, ending(COMPLETED, SERIES, end=END)))
    assert (before, state_of(after), steps.get("1.2.1")) == (STEP, COMPLETED, after)
    steps.create("1.2.2", STEP)
    steps.create("1.2.3", STEP)
    assert refused(steps.create, "1.2.4", STEP)[0] == 0x0213
    assert [uid for uid, _ in steps] == ["1.2.1", "1.2.2", "1.2.3"]
    assert steps.delete("1.2.2") == STEP
    assert len(steps) == 2
    assert "Steps" in repr(steps)
    assert steps.to_table()["PerformedProcedureStepStatus"].tolist() == ["COMPLETED", "IN PROGRESS"]


def test_memory_has_an_end() -> None:
    steps = MemorySteps(most_bytes=3 * len(to_bytes(STEP, "1.2.840.10008.1.2.1")) // 2)
    steps.create("1.2.1", STEP)
    code, _ = refused(steps.change, "1.2.1", lambda step: step.assign(CommentsOnThePerformedProcedureStep="x" * 1024))
    assert code == 0x0213
    assert steps.get("1.2.1") == STEP
    assert refused(steps.create, "1.2.2", STEP)[0] == 0x0213
    for number in range(1, 20):  # what is gone makes room
        steps.delete(f"1.2.{number}")
        steps.create(f"1.2.{number + 1}", STEP)
        steps.change(f"1.2.{number + 1}", lambda step: step.assign(StudyID="x"))
    assert len(steps) == 1


def test_a_change_that_fails_changes_nothing(steps: Any) -> None:
    steps.create("1.2.1", STEP)
    refused(steps.change, "1.2.1", lambda step: changed_step(step, DataSet(PatientID="OTHER")))
    with pytest.raises(ZeroDivisionError):
        steps.change("1.2.1", lambda step: step.assign(PatientID=str(1 // 0)))
    assert steps.get("1.2.1") == STEP
    steps.create("1.2.2", STEP)


def test_of_many_who_end_a_step_one_does(steps: Any) -> None:
    steps.create("1.2.1", STEP)
    outcomes: list[int] = []

    def end() -> None:
        try:
            steps.change("1.2.1", lambda step: changed_step(step, ending(COMPLETED, SERIES, end=END)))
            outcomes.append(0)
        except PerformedStepError as error:
            outcomes.append(error.status)

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [0, *[0x0110] * 7]


def test_steps_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "steps.sqlite"
    program = f"""
import os, signal
from dicomkit.archive.performed_steps import SqliteSteps
from dicomkit.dataset.dataset import DataSet
steps = SqliteSteps({str(path)!r})
name = dict(PatientName="Müller", SpecificCharacterSet="ISO_IR 192")
steps.create("1.2.1", DataSet(PerformedProcedureStepStatus="IN PROGRESS", **name))
steps.change("1.2.1", lambda step: step.assign(PatientID="A"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    with SqliteSteps(path) as steps, SqliteSteps(path) as others:
        assert (steps.get("1.2.1").PatientName, others.get("1.2.1").PatientID) == ("Müller", "A")
        assert refused(others.create, "1.2.1", STEP)[0] == 0x0111
    with pytest.raises(StepsFailedError, match="can't be used"):
        steps.get("1.2.1")
    assert sqlite3.connect(path).execute("SELECT state FROM steps").fetchall() == [("IN PROGRESS",)]


def test_a_file_that_is_no_database_and_a_step_too_large(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"this is no database, but a text that is long enough" * 100)
    with pytest.raises(StepsFailedError, match="can't be used"):
        SqliteSteps(tmp_path / "bad")
    with SqliteSteps(tmp_path / "steps", most_bytes=1000) as steps:
        code, _ = refused(steps.create, "1.2.1", STEP.assign(CommentsOnThePerformedProcedureStep="x" * 1000))
        assert code == 0x0213
        assert len(steps) == 0


def test_the_table_of_steps() -> None:
    ended = changed_step(STEP, ending(COMPLETED, performed_series(ct_series(3, 8)), end=END))
    table = steps_table([KeptStep("1.2.1", STEP), KeptStep("1.2.2", ended)])
    assert table[["SOPInstanceUID", "series", "instances"]].values.tolist() == [["1.2.1", 0, 0], ["1.2.2", 1, 3]]
    assert len(steps_table([])) == 0


# ---- any history ---------------------------------------------------------------------------------------------------


def status_of(function: Callable[[], object]) -> int:
    try:
        function()
    except PerformedStepError as error:
        return error.status
    return 0


class Histories(RuleBasedStateMachine):
    """Whatever is asked in whatever order, steps go from IN PROGRESS to an end and nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = MemorySteps()
        self.model: dict[str, str] = {}

    @rule(uid=st.sampled_from(["1.1", "1.2"]), state=st.sampled_from([*STATES, "SCHEDULED", "", None]))
    def create(self, uid: str, state: str | None) -> None:
        code = status_of(lambda: self.steps.create(uid, created_step(STEP.assign(PerformedProcedureStepStatus=state))))
        if state != IN_PROGRESS:
            assert code == (0x0106 if state else 0x0121)
        else:
            assert code == (0x0111 if uid in self.model else 0)
            self.model.setdefault(uid, IN_PROGRESS)

    @rule(
        uid=st.sampled_from(["1.1", "1.2"]),
        state=st.sampled_from([None, *STATES, "SCHEDULED"]),
        series=st.booleans(),
        when=st.booleans(),
        strict=st.booleans(),
    )
    def change(self, uid: str, state: str | None, series: bool, when: bool, strict: bool) -> None:
        changes = DataSet(PerformedProcedureStepDescription="other")
        if state is not None:
            changes = changes.assign(PerformedProcedureStepStatus=state)
        if series:
            changes = changes.assign(PerformedSeriesSequence=SERIES)
        if when:
            changes = changes.assign(PerformedProcedureStepEndDate="20240229", PerformedProcedureStepEndTime="0945")
        code = status_of(lambda: self.steps.change(uid, lambda step: changed_step(step, changes, strict=strict)))
        before = self.model.get(uid)
        if before != IN_PROGRESS:
            assert code == (0x0110 if before else 0x0112)
        elif state == "SCHEDULED":
            assert code == 0x0106
        elif code:
            assert (code, strict, state in (COMPLETED, DISCONTINUED)) == (0x0121, True, True)
            assert not (series and when)
        else:
            self.model[uid] = state or IN_PROGRESS
            whole = {"PerformedSeriesSequence", "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"}
            step = self.steps.get(uid)
            assert not strict or state_of(step) == IN_PROGRESS or all(step[keyword] for keyword in whole)

    @invariant()
    def states_are_those_of_the_model(self) -> None:
        assert {uid: state_of(step) for uid, step in self.steps} == self.model


TestHistories = Histories.TestCase


@given(st.dictionaries(st.sampled_from([element.keyword for element in STEP.elements()]), st.none(), max_size=4))
def test_an_incomplete_step_is_refused_or_whole(gone: dict[str, None]) -> None:
    step = STEP.drop(*gone)
    found = validate(step.assign(SOPClassUID=PERFORMED_STEP))
    is_whole = not any(each.severity == "error" for each in found)
    assert status_of(lambda: created_step(step)) == (0 if is_whole else 0x0120)
