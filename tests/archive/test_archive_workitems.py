"""A worklist of unified procedure steps: what is created, changed, found and told, in memory and in a file."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomkit.archive.workitem_rules import WorkitemError, missing_for
from dicomkit.archive.workitem_states import Workitem, reports_of
from dicomkit.archive.workitems import Workitems
from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.objects.procedure_step import (
    PERFORMED,
    PROGRESS,
    discontinued,
    make_procedure_step,
    performed,
    progress,
)
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import from_identifier, query
from dicomkit.standard.procedure_steps import FILTERED, GLOBAL, step_attributes

UID, LOCK, OTHER = "2.25.1", "2.25.100", "2.25.200"
ROOM = ("R1", "99ROOMS", "Room 1")
READING = ("110005", "DCM", "Interpretation")


@pytest.fixture(params=["memory", "file"])
def worklist(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workitems]:
    made = Workitems(None if request.param == "memory" else tmp_path / "worklist.sqlite")
    yield made
    made.close()


def step(**attributes: Any) -> DataSet:
    return make_procedure_step("Read the CT", station=ROOM, workitem=READING, **attributes)


def refused(status: int) -> Any:
    return _Refused(status)


class _Refused:
    """Expects a WorkitemError with a status."""

    def __init__(self, status: int) -> None:
        self._status, self._raises = status, pytest.raises(WorkitemError)

    def __enter__(self) -> None:
        self._caught = self._raises.__enter__()

    def __exit__(self, *error: Any) -> bool:
        done = bool(self._raises.__exit__(*error))
        assert f"{self._caught.value.status:04X}" == f"{self._status:04X}", self._caught.value
        return done


def put_into(worklist: Workitems, state: str) -> None:
    """Create the step and bring it into a state."""
    worklist.create(step(), UID)
    if state != "SCHEDULED":
        worklist.change_state(UID, "IN PROGRESS", LOCK)
    if state == "COMPLETED":
        worklist.set(UID, performed(step()).assign(TransactionUID=LOCK))
    if state == "CANCELED":
        worklist.set(UID, discontinued().assign(TransactionUID=LOCK))
    if state in ("COMPLETED", "CANCELED"):
        worklist.change_state(UID, state, LOCK)


# ---- states --------------------------------------------------------------------------------------------------------

# Table CC.1.1-2 of PS3.4, by hand: what is answered in null, SCHEDULED, IN PROGRESS, COMPLETED, CANCELED.
STATES = ("null", "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
BY_HAND = {
    ("IN PROGRESS", LOCK): (0xC307, 0, 0xC302, 0xC300, 0xC300),
    ("IN PROGRESS", None): (0xC307, 0xC301, 0xC301, 0xC301, 0xC301),
    ("SCHEDULED", LOCK): (0xC307, 0xC303, 0xC303, 0xC303, 0xC303),
    ("COMPLETED", LOCK): (0xC307, 0xC310, 0, 0xB306, 0xC300),
    ("COMPLETED", None): (0xC307, 0xC301, 0xC301, 0xC301, 0xC301),
    ("CANCELED", LOCK): (0xC307, 0xC310, 0, 0xC300, 0xB304),
    ("CANCELED", None): (0xC307, 0xC301, 0xC301, 0xC301, 0xC301),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("asked", "transaction"), BY_HAND)
def test_changes_of_state_are_those_of_the_table(
    worklist: Workitems, asked: str, transaction: str | None, state: str
) -> None:
    status = BY_HAND[asked, transaction][STATES.index(state)]
    if state != "null":
        put_into(worklist, state)
    if state == "IN PROGRESS":
        worklist.set(UID, performed(step()).merge(discontinued()).assign(TransactionUID=LOCK))
    if status >> 12 == 0xC:
        with refused(status):
            worklist.change_state(UID, asked, transaction)
        assert state == "null" or worklist.get(UID).ProcedureStepState == state
        return
    assert worklist.change_state(UID, asked, transaction).status == status
    assert worklist.get(UID).ProcedureStepState == asked


@pytest.mark.parametrize("state", ["IN PROGRESS", "COMPLETED", "CANCELED"])
@pytest.mark.parametrize("asked", ["IN PROGRESS", "COMPLETED", "CANCELED"])
def test_another_transaction_changes_nothing(worklist: Workitems, state: str, asked: str) -> None:
    put_into(worklist, state)
    with refused(0xC301):
        worklist.change_state(UID, asked, OTHER)
    assert worklist.get(UID).ProcedureStepState == state


@pytest.mark.parametrize(
    ("state", "status"), [("null", 0xC307), ("COMPLETED", 0xC311), ("CANCELED", 0xB304), ("SCHEDULED", 0)]
)
def test_who_does_not_perform_a_step_may_ask_to_cancel_it(worklist: Workitems, state: str, status: int) -> None:
    if state != "null":
        put_into(worklist, state)
    if status >> 12 == 0xC:
        with refused(status):
            worklist.request_cancel(UID)
    else:
        assert worklist.request_cancel(UID).status == status
        assert worklist.get(UID).ProcedureStepState == "CANCELED"


def test_a_step_that_waits_is_cancelled_with_all_that_a_final_state_needs(worklist: Workitems) -> None:
    worklist.create(step(), UID)
    worklist.subscribe(UID, "WATCHER")
    asked = DataSet(ReasonForCancellation="patient left", ContactDisplayName="Desk", ContactURI="tel:1")
    outcome = worklist.request_cancel(UID, asked, requesting_ae="RIS")
    assert [(event.number, event.state) for event in outcome.events] == [(1, "IN PROGRESS"), (1, "CANCELED")]
    ended = worklist.get(UID)
    assert missing_for(ended, "CANCELED") == ()
    item = ended[PROGRESS, 0]
    assert item.ReasonForCancellation == "patient left"
    assert item.ProcedureStepCancellationDateTime is not None
    assert item["ProcedureStepCommunicationsURISequence", 0, "ContactURI"] == "tel:1"


def test_the_performer_hears_of_a_request_to_cancel(worklist: Workitems) -> None:
    put_into(worklist, "IN PROGRESS")
    with refused(0xC312):  # nobody is told
        worklist.request_cancel(UID)
    worklist.subscribe(UID, "PERFORMER")
    asked = DataSet(ReasonForCancellation="wrong patient")
    [event] = worklist.request_cancel(UID, asked, requesting_ae="RIS").events
    assert (event.number, event.receivers, event.requesting_ae) == (2, ("PERFORMER",), "RIS")
    assert event.reason == "wrong patient"
    assert worklist.get(UID).ProcedureStepState == "IN PROGRESS"


@pytest.mark.parametrize("wants", [True, False])
def test_a_program_that_performs_its_steps_itself_decides(wants: bool) -> None:
    worklist = Workitems(cancels=lambda step, information: wants)
    put_into(worklist, "IN PROGRESS")
    worklist.subscribe(UID, "WATCHER")
    if wants:
        events = worklist.request_cancel(UID).events
        assert [(event.number, event.state) for event in events] == [(2, None), (1, "CANCELED")]
    else:
        with refused(0xC313):
            worklist.request_cancel(UID)
    assert worklist.get(UID).ProcedureStepState == ("CANCELED" if wants else "IN PROGRESS")


def test_a_state_that_is_none(worklist: Workitems) -> None:
    worklist.create(step(), UID)
    with refused(0x0115):
        worklist.change_state(UID, "DONE", LOCK)


# ---- creation ------------------------------------------------------------------------------------------------------


def test_what_is_created_is_there(worklist: Workitems) -> None:
    outcome = worklist.create(step(patient=DataSet(PatientName="Müller^Änne", PatientID="A-17")), UID)
    assert (outcome.uid, outcome.status) == (UID, 0)
    found = worklist.get(UID)
    assert (found.SOPInstanceUID, found.SOPClassUID.keyword) == (UID, "UnifiedProcedureStepPush")
    assert (found.PatientName, found.WorklistLabel) == ("Müller^Änne", "Worklist")
    assert found.ScheduledProcedureStepModificationDateTime is not None
    with refused(0x0111):
        worklist.create(step(), UID)
    assert len(worklist) == 1


def test_the_provider_chooses_a_uid_where_nobody_does(worklist: Workitems) -> None:
    uids = {worklist.create(step()).uid for _ in range(3)}
    assert len(uids) == 3 == len(worklist)
    assert worklist.create(step().assign(SOPInstanceUID="2.25.77")).uid == "2.25.77"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, 0xC309),
        ({"ProcedureStepState": None}, 0xC309),
        ({"TransactionUID": LOCK}, 0x0106),
        ({"ProcedureStepLabel": None}, 0x0121),
        ({"ScheduledProcedureStepPriority": "URGENT"}, 0x0106),
        ({"InputReadinessState": "MAYBE"}, 0x0106),
        ({PROGRESS: [{"ProcedureStepProgress": 5}]}, 0x0106),
        ({PERFORMED: [{"PerformedProcedureStepDescription": "x"}]}, 0x0106),
        ({"ScheduledStationNameCodeSequence": [{"CodeMeaning": "a room"}]}, 0x0120),
    ],
)
def test_what_is_no_new_step_is_refused(worklist: Workitems, changes: dict[str, Any], status: int) -> None:
    with refused(status):
        worklist.create(step().assign(changes), UID)
    assert UID not in worklist


@pytest.mark.parametrize("uid", ["1.2.x", "1." * 40 + "1", "DROP TABLE steps"])
def test_a_uid_that_is_none_is_refused(worklist: Workitems, uid: str) -> None:
    with refused(0x0117):
        worklist.create(step(), uid)


def test_every_attribute_of_type_1_is_needed(worklist: Workitems) -> None:
    needed = [one.path[0] for one in step_attributes() if one.create == "1" and len(one.path) == 1]
    assert len(needed) == 5
    for tag in needed:
        with pytest.raises(WorkitemError) as caught:
            worklist.create(step().drop(tag), UID)
        assert caught.value.status in (0x0120, 0xC309)


def test_what_may_be_empty_is_added_with_a_warning(worklist: Workitems) -> None:
    assert worklist.create(step().drop("AdmissionID", "InputInformationSequence"), UID).status == 0xB300
    assert "InputInformationSequence" in worklist.get(UID)
    assert worklist.create(step().assign(SOPInstanceUID="2.25.9"), "2.25.3").status == 0xB300


def test_codes_of_later_editions_are_codes(worklist: Workitems) -> None:
    long = {"LongCodeValue": "x" * 20, "CodingSchemeDesignator": "99X", "CodeMeaning": "long"}
    urn = {"URNCodeValue": "urn:oid:1.2.3", "CodeMeaning": "urn"}
    assert worklist.create(step().assign(ScheduledStationNameCodeSequence=[long, urn])).status == 0


# ---- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "transaction", "status"),
    [
        ("SCHEDULED", None, 0),
        ("SCHEDULED", LOCK, 0xC310),
        ("IN PROGRESS", LOCK, 0),
        ("IN PROGRESS", None, 0xC301),
        ("IN PROGRESS", OTHER, 0xC301),
        ("COMPLETED", LOCK, 0xC300),
        ("CANCELED", LOCK, 0xC300),
        ("null", None, 0xC307),
    ],
)
def test_who_may_change_a_step(worklist: Workitems, state: str, transaction: str | None, status: int) -> None:
    if state != "null":
        put_into(worklist, state)
    changes = DataSet(ProcedureStepLabel="Read it again")
    changes = changes.assign(TransactionUID=transaction) if transaction else changes
    if status:
        with refused(status):
            worklist.set(UID, changes)
    else:
        assert worklist.set(UID, changes).status == 0
        assert worklist.get(UID).ProcedureStepLabel == "Read it again"
    if state != "null":
        assert "TransactionUID" not in worklist.get(UID)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"PatientName": "ROE"}, 0x0106),
        ({"ProcedureStepState": "COMPLETED"}, 0x0106),
        ({"ProcedureStepState": "SCHEDULED"}, 0xC303),
        ({"ScheduledProcedureStepPriority": None}, 0x0121),
        ({"InputReadinessState": "SOON"}, 0x0106),
        ({PROGRESS: [{"ProcedureStepCommunicationsURISequence": [{"ContactDisplayName": "me"}]}]}, 0x0120),
    ],
)
def test_what_may_not_be_set_changes_nothing(worklist: Workitems, changes: dict[str, Any], status: int) -> None:
    put_into(worklist, "IN PROGRESS")
    before = worklist.get(UID)
    with refused(status):
        worklist.set(UID, DataSet(changes).assign(ProcedureStepLabel="else", TransactionUID=LOCK))
    assert worklist.get(UID) == before


def test_setting_the_same_again_is_allowed(worklist: Workitems) -> None:
    worklist.create(step(patient=DataSet(PatientName="DOE", PatientID="1")), UID)
    worklist.set(UID, worklist.get(UID).assign(ProcedureStepLabel="other"))
    assert worklist.get(UID).ProcedureStepLabel == "other"


def test_character_sets_are_brought_together(worklist: Workitems) -> None:
    worklist.create(step().assign(SpecificCharacterSet="ISO_IR 100", PatientName="Müller"), UID)
    worklist.set(UID, DataSet(SpecificCharacterSet="ISO_IR 192", ProcedureStepLabel="Łódź"))
    found = worklist.get(UID)
    assert (found.PatientName, found.ProcedureStepLabel) == ("Müller", "Łódź")
    worklist.set(UID, DataSet(CommentsOnTheScheduledProcedureStep="plain"))
    assert worklist.get(UID).ProcedureStepLabel == "Łódź"


def test_a_final_state_needs_what_the_table_says(worklist: Workitems) -> None:
    put_into(worklist, "IN PROGRESS")
    done = performed(step())
    for path in (
        "PerformedStationNameCodeSequence",
        "PerformedWorkitemCodeSequence",
        "PerformedProcedureStepStartDateTime",
        "PerformedProcedureStepEndDateTime",
        "OutputInformationSequence",
    ):
        worklist.set(UID, done.drop((PERFORMED, 0, path)).assign(TransactionUID=LOCK))
        with refused(0xC304):
            worklist.change_state(UID, "COMPLETED", LOCK)
        assert missing_for(worklist.get(UID), "COMPLETED") == (f"{PERFORMED}.{path}",)
    with refused(0xC304):
        worklist.change_state(UID, "CANCELED", LOCK)
    worklist.set(UID, done.assign(TransactionUID=LOCK))
    assert worklist.change_state(UID, "COMPLETED", LOCK).status == 0


# ---- subscriptions -------------------------------------------------------------------------------------------------


def numbers(events: tuple[StepEvent, ...]) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(event.number, event.uid, event.receivers) for event in events]


def test_who_subscribes_to_a_step_is_told_at_once_and_of_each_change(worklist: Workitems) -> None:
    worklist.create(step(), UID)
    assert numbers(worklist.subscribe(UID, "A").events) == [(1, UID, ("A",))]
    worklist.subscribe(UID, "B", lock=True)
    claimed = worklist.change_state(UID, "IN PROGRESS", LOCK)
    assert numbers(claimed.events) == [(1, UID, ("A", "B"))]
    told = worklist.set(UID, progress(50, "half").assign(TransactionUID=LOCK, InputReadinessState="INCOMPLETE"))
    assert [event.number for event in told.events] == [1, 3]
    assert (told.events[1].progress, told.events[1].description) == (50.0, "half")
    moved = DataSet(
        ScheduledStationNameCodeSequence=[{"CodeValue": "2", "CodingSchemeDesignator": "X", "CodeMeaning": "Y"}]
    )
    [assigned] = worklist.set(UID, moved.assign(TransactionUID=LOCK)).events
    assert (assigned.number, assigned.data["ScheduledStationNameCodeSequence", 0, "CodeValue"]) == (5, "2")
    assert worklist.set(UID, DataSet(TransactionUID=LOCK, ProcedureStepLabel="x")).events == ()
    worklist.unsubscribe(UID, "A")
    worklist.set(UID, discontinued("no").assign(TransactionUID=LOCK))
    [ended] = worklist.change_state(UID, "CANCELED", LOCK).events
    assert (ended.receivers, ended.state, ended.reason) == (("B",), "CANCELED", "no")


# Table CC.2.3-2 of PS3.4, by hand: from not subscribed, with and without a lock; an asterisk for an initial event.
SUBSCRIPTIONS = {
    "subscribe to all, locked": ("locked*", "locked", "plain"),
    "subscribe to all": ("plain", "locked", "plain"),
    "subscribe, locked": ("locked*", "locked*", "locked*"),
    "subscribe": ("plain*", "plain*", "plain*"),
    "unsubscribe": ("none", "none", "none"),
    "unsubscribe from all": ("none", "none", "none"),
    "suspend": ("none", "locked", "plain"),
}


@pytest.mark.parametrize("before", ["none", "locked", "plain"])
@pytest.mark.parametrize("action", SUBSCRIPTIONS)
def test_subscriptions_are_those_of_the_table(worklist: Workitems, action: str, before: str) -> None:
    worklist.create(step(), UID)
    if before != "none":
        worklist.subscribe(UID, "A", lock=before == "locked")
    heard: list[StepEvent] = []
    worklist.listen(heard.extend)
    verb, scope = action.partition(",")[0], GLOBAL if "all" in action or action == "suspend" else UID
    if verb.startswith("subscribe"):
        worklist.subscribe(scope, "A", lock="locked" in action)
    else:
        (worklist.suspend if verb == "suspend" else worklist.unsubscribe)(scope, "A")
    now = [("locked" if one.lock else "plain") for one in worklist.subscriptions(UID)] or ["none"]
    expected = SUBSCRIPTIONS[action][["none", "locked", "plain"].index(before)]
    assert now == [expected.removesuffix("*")]
    assert numbers(tuple(heard)) == ([(1, UID, ("A",))] if expected.endswith("*") else [])
    assert [(one.ae, one.lock) for one in worklist.subscriptions()] == (
        [("A", "locked" in action)] if verb == "subscribe to all" else []
    )


def test_a_subscription_to_all(worklist: Workitems) -> None:
    worklist.create(step(), "2.25.10")
    assert worklist.subscribe(GLOBAL, "PLAIN").events == ()
    assert numbers(worklist.subscribe(GLOBAL, "LOCKING", lock=True).events) == [(1, "2.25.10", ("LOCKING",))]
    made = worklist.create(step(), "2.25.11")
    assert numbers(made.events) == [
        (number, "2.25.11", (ae,)) for ae in ("LOCKING", "PLAIN") for number in (1, 5)
    ]  # the step is assigned to a station already (CC.2.4.3)
    assert {(one.ae, one.lock) for one in worklist.subscriptions("2.25.11")} == {("PLAIN", False), ("LOCKING", True)}
    worklist.suspend(GLOBAL, "PLAIN")
    assert [event.receivers for event in worklist.create(step(), "2.25.12").events] == [("LOCKING",)] * 2
    assert [one.ae for one in worklist.subscriptions("2.25.10")] == ["LOCKING", "PLAIN"]
    worklist.unsubscribe(GLOBAL, "LOCKING")
    assert [one.ae for one in worklist.subscriptions("2.25.10")] == ["PLAIN"]
    assert worklist.subscriptions() == ()


def test_each_person_learns_of_an_assignment(worklist: Workitems) -> None:
    def person(name: str) -> dict[str, Any]:
        code = {"CodeValue": name, "CodingSchemeDesignator": "99P", "CodeMeaning": name}
        return {"HumanPerformerCodeSequence": [code], "HumanPerformerName": name, "HumanPerformerOrganization": "Ward"}

    worklist.subscribe(GLOBAL, "A")
    made = worklist.create(step().assign(ScheduledHumanPerformersSequence=[person("P1"), person("P2")]), UID)
    assigned = [event.data for event in made.events if event.number == 5]
    assert [data["HumanPerformerCodeSequence", 0, "CodeValue"] for data in assigned] == ["P1", "P2"]
    assert {data.HumanPerformerOrganization for data in assigned} == {"Ward"}
    assert {data["ScheduledStationNameCodeSequence", 0, "CodeValue"] for data in assigned} == {ROOM[0]}
    [left] = worklist.set(UID, DataSet(ScheduledHumanPerformersSequence=[])).events
    assert [tag.keyword for tag in left.data] == ["ScheduledStationNameCodeSequence"]
    [nobody] = worklist.set(UID, DataSet(ScheduledStationNameCodeSequence=[])).events
    assert (nobody.number, len(nobody.data)) == (5, 0)
    assert numbers(worklist.create(make_procedure_step("Read"), "2.25.78").events) == [(1, "2.25.78", ("A",))]


def test_a_filtered_subscription(worklist: Workitems) -> None:
    worklist.create(step(priority="HIGH"), "2.25.10")
    worklist.create(step(priority="LOW"), "2.25.11")
    urgent = query(None, ScheduledProcedureStepPriority="HIGH")
    assert numbers(worklist.subscribe(FILTERED, "A", keys=urgent, lock=True).events) == [(1, "2.25.10", ("A",))]
    made = worklist.create(step(priority="HIGH"), "2.25.12")
    assert numbers(made.events) == [(1, "2.25.12", ("A",)), (5, "2.25.12", ("A",))]
    assert worklist.create(step(priority="LOW"), "2.25.13").events == ()
    [one] = worklist.subscriptions()
    assert (one.ae, one.uid, dict(one.keys)) == ("A", FILTERED, {"ScheduledProcedureStepPriority": "HIGH"})
    worklist.subscribe("2.25.13", "A")
    worklist.unsubscribe(FILTERED, "A")
    assert [uid for uid in ("2.25.10", "2.25.12", "2.25.13") if worklist.subscriptions(uid)] == ["2.25.13"]
    with refused(0x0115):
        worklist.subscribe(FILTERED, "A", keys=query(None))
    large = query(None, SOPInstanceUID=[f"2.25.{number:060}" for number in range(20_000)])
    with refused(0x0213):
        worklist.subscribe(FILTERED, "A", keys=large)
    assert worklist.subscriptions() == ()


def test_subscriptions_need_a_step(worklist: Workitems) -> None:
    for ask in (worklist.subscribe, worklist.unsubscribe, worklist.suspend):
        with refused(0xC307):
            ask("2.25.404", "A")
    worklist.create(step(), UID)
    with refused(0xC314):
        worklist.suspend(UID, "A")


def test_deletion_locks_keep_a_step() -> None:
    now = [datetime(2024, 2, 29)]
    worklist = Workitems(keep=60, clock=lambda: now[0])
    put_into(worklist, "CANCELED")
    worklist.create(step(), "2.25.2")
    assert worklist.subscribe(UID, "A", lock=True).status == 0
    now[0] += timedelta(seconds=61)
    assert (worklist.expire(), UID in worklist) == (0, True)
    with pytest.raises(WorkitemError):
        worklist.delete(UID)
    worklist.subscribe(UID, "A", lock=False)
    assert (worklist.expire(), UID in worklist, "2.25.2" in worklist) == (1, False, True)
    assert worklist.subscriptions(UID) == ()


def test_deletion_locks_may_not_be_granted() -> None:
    worklist = Workitems(deletion_locks=False)
    worklist.create(step(), UID)
    assert worklist.subscribe(UID, "A", lock=True).status == 0xB301
    assert not worklist.subscriptions(UID)[0].lock


def test_all_subscribers_hear_of_a_restart(worklist: Workitems) -> None:
    worklist.create(step(), UID)
    worklist.subscribe(UID, "A")
    worklist.subscribe(GLOBAL, "B")
    [event] = worklist.status_change("GOING DOWN", fallback=["C"]).events
    assert (event.number, event.receivers) == (4, ("A", "B", "C"))
    assert event.data.SCPStatus == "GOING DOWN"
    assert worklist.status_change(preserved=True).events[0].data.SubscriptionListStatus == "WARM START"
    assert Workitems().status_change(fallback=["C"]).events[0].data.SubscriptionListStatus == "COLD START"


def test_listeners_hear_of_what_has_happened(worklist: Workitems) -> None:
    heard: list[StepEvent] = []
    end = worklist.listen(heard.extend)
    worklist.listen(lambda events: 1 / 0)
    worklist.create(step(), UID)
    worklist.subscribe(UID, "A")
    with refused(0xC301):
        worklist.change_state(UID, "IN PROGRESS")
    worklist.change_state(UID, "IN PROGRESS", LOCK)
    assert [event.state for event in heard] == ["SCHEDULED", "IN PROGRESS"]
    end()
    worklist.request_cancel(UID)
    assert len(heard) == 2


def test_only_what_differs_is_reported() -> None:
    one = Workitem(UID, DataSet(ProcedureStepState="SCHEDULED", InputReadinessState="READY"))
    assert list(reports_of(one, one)) == []
    gone = Workitem(UID, one.dataset.assign({PROGRESS: [{"ReasonForCancellation": "x"}]}))
    assert list(reports_of(one, gone)) == []


# ---- searches ------------------------------------------------------------------------------------------------------


def test_steps_are_found_by_what_they_say(worklist: Workitems) -> None:
    for number, (label, priority) in enumerate([("Read", "HIGH"), ("Segment", "LOW"), ("Read", "LOW")]):
        start = datetime(2024, 3, 1 + number)
        given = make_procedure_step(label, priority=priority, station=ROOM, start=start)
        worklist.create(given, f"2.25.{number + 1}")
    worklist.change_state("2.25.3", "IN PROGRESS", LOCK)

    def uids(**keys: Any) -> list[str]:
        return [str(match.SOPInstanceUID) for match in worklist.search(**keys)]

    assert uids(ProcedureStepLabel="Read") == ["2.25.1", "2.25.3"]
    assert uids(ProcedureStepState="SCHEDULED") == ["2.25.1", "2.25.2"]
    assert uids(ProcedureStepLabel="Re*", ScheduledProcedureStepPriority="LOW") == ["2.25.3"]
    assert uids(ScheduledProcedureStepStartDateTime="20240302-") == ["2.25.2", "2.25.3"]
    assert uids(ScheduledStationNameCodeSequence={"CodeValue": "R1"}) == ["2.25.1", "2.25.2", "2.25.3"]
    assert uids(SOPInstanceUID=["2.25.2", "2.25.3", "2.25.4"]) == ["2.25.2", "2.25.3"]
    assert uids(ProcedureStepState="COMPLETED") == []
    assert [str(match.SOPInstanceUID) for match in worklist.search(offset=1, limit=1)] == ["2.25.2"]


def test_nobody_learns_the_transaction(worklist: Workitems) -> None:
    put_into(worklist, "IN PROGRESS")
    assert "TransactionUID" not in worklist.get(UID)
    [found] = worklist.search(query(None, TransactionUID=OTHER, return_keys=["TransactionUID", "ProcedureStepState"]))
    assert "TransactionUID" not in found
    assert all("TransactionUID" not in one.dataset for one in worklist)
    assert LOCK not in repr(list(worklist))


def test_a_search_goes_on_while_steps_change(worklist: Workitems) -> None:
    for number in range(250):
        worklist.create(step(), f"2.25.{number + 1}")
    found = worklist.search(ProcedureStepState="SCHEDULED")
    first = next(found)
    worklist.change_state("2.25.250", "IN PROGRESS", LOCK)
    rest = list(found)
    assert len({str(match.SOPInstanceUID) for match in [first, *rest]}) == 249


# ---- bounds and restarts -------------------------------------------------------------------------------------------


def test_there_is_room_for_so_many_steps() -> None:
    worklist = Workitems(most=3)
    put_into(worklist, "CANCELED")
    for number in (2, 3):
        worklist.create(step(), f"2.25.{number}")
    worklist.create(step(), "2.25.4")  # what has ended makes room
    assert UID not in worklist
    with refused(0x0213):
        worklist.create(step(), "2.25.5")
    assert len(worklist) == 3


def test_a_step_may_be_so_large(worklist: Workitems) -> None:
    small = Workitems(most_bytes=5_000)
    with refused(0x0213):
        small.create(step(CommentsOnTheScheduledProcedureStep="x" * 5_000), UID)
    assert len(small) == 0
    small.create(step(), UID)
    before = small.get(UID)
    with refused(0x0213):
        small.set(UID, DataSet(CommentsOnTheScheduledProcedureStep="x" * 5_000))
    assert small.get(UID) == before


def test_there_are_so_many_subscribers() -> None:
    worklist = Workitems(most_subscribers=2)
    worklist.create(step(), UID)
    worklist.subscribe(UID, "A")
    worklist.subscribe(GLOBAL, "B")
    with refused(0x0213):
        worklist.subscribe(UID, "C")
    worklist.subscribe(UID, "B")


def test_a_worklist_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "worklist.sqlite"
    first = Workitems(path)
    put_into(first, "IN PROGRESS")
    first.subscribe(UID, "A", lock=True)
    first.subscribe(FILTERED, "B", keys=query(None, ProcedureStepLabel="Read*"))
    before = first.get(UID)
    del first  # nobody closed it
    again = Workitems(path)
    assert again.get(UID) == before
    with refused(0xC301):
        again.change_state(UID, "COMPLETED", OTHER)
    assert again.set(UID, performed(step()).assign(TransactionUID=LOCK)).status == 0
    assert numbers(again.change_state(UID, "COMPLETED", LOCK).events) == [(1, UID, ("A", "B"))]
    assert numbers(again.create(step(), "2.25.2").events) == [(1, "2.25.2", ("B",)), (5, "2.25.2", ("B",))]
    again.close()


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "worklist.sqlite"
    program = f"""
from dicomkit.archive.workitems import Workitems
from dicomkit.objects.procedure_step import make_procedure_step
worklist = Workitems({str(path)!r})
step = make_procedure_step("Read")
while True:
    print(worklist.create(step).uid, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(20)]
    process.kill()
    answered += process.stdout.read().split()
    process.wait(20)
    again = Workitems(path)
    assert [uid for uid in answered if uid not in again] == []
    assert len(again) - len(answered) in (0, 1)


SHAPES = st.sampled_from(
    [b"", b"x" * 6, b"SCHEDULED ", bytes(8), b"2.25.1", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"A\\B "]
)
TAGS = sorted({one.path[0] for one in step_attributes()} | {0x00081195, 0x00091001, 0x7FE00010})


@given(
    st.lists(
        st.tuples(st.sampled_from(TAGS), st.sampled_from(["UN", "LO", "UI", "SQ", "OB", "US"]), SHAPES), max_size=6
    ),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_what_peers_send_is_taken_or_refused(elements: list[tuple[int, str, bytes]], complete: bool) -> None:
    """Whatever the VRs and values are: nothing but errors of ours, and afterwards the worklist works."""
    parts = {}
    for tag, vr, value in elements:
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
        long = vr in ("UN", "SQ", "OB")
        parts[tag] = head + (struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))) + value
    encoded = b"".join(parts[tag] for tag in sorted(parts))
    try:
        sent = read(encoded, transfer_syntax="1.2.840.10008.1.2.1")
    except DicomError:  # which a provider answers before it asks
        sent = DataSet()
    worklist = Workitems()
    put_into(worklist, "IN PROGRESS")
    worklist.subscribe(UID, "A")
    base = step().drop("SpecificCharacterSet") if complete else DataSet()
    for ask in (
        lambda: worklist.create(base.merge(sent)),
        lambda: worklist.set(UID, sent.assign(TransactionUID=LOCK)),
        lambda: worklist.change_state(UID, "CANCELED", LOCK),
        lambda: worklist.request_cancel(UID, sent),
        lambda: list(worklist.search(from_identifier(sent))),
        lambda: worklist.subscribe(FILTERED, "B", keys=from_identifier(sent)),
    ):
        try:
            ask()
        except DicomError:
            continue
    assert len(list(worklist)) in (1, 2)
    assert worklist.get(UID).ProcedureStepState in ("IN PROGRESS", "CANCELED")


def test_a_worklist_is_a_table(worklist: Workitems) -> None:
    pytest.importorskip("pandas")
    worklist.create(step(priority="HIGH"), UID)
    row = worklist.to_table(ProcedureStepState="SCHEDULED").loc[0]
    assert (row["ProcedureStepLabel"], row["ScheduledProcedureStepPriority"]) == ("Read the CT", "HIGH")


def test_what_is_no_worklist_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(WorkitemError):
        Workitems(path)


def test_one_of_many_who_claim_at_once_gets_the_step(worklist: Workitems) -> None:
    worklist.create(step(), UID)
    won: list[int] = []
    start = threading.Barrier(8)

    def claim(number: int) -> None:
        start.wait()
        try:
            worklist.change_state(UID, "IN PROGRESS", f"2.25.{number + 10}")
        except WorkitemError:
            return
        won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(won) == 1


def test_two_programs_share_a_file(tmp_path: Path) -> None:
    one, other = Workitems(tmp_path / "shared"), Workitems(tmp_path / "shared")
    one.create(step(), UID)
    other.change_state(UID, "IN PROGRESS", LOCK)
    with refused(0xC301):
        one.change_state(UID, "IN PROGRESS", OTHER)
    assert repr(one) == "<Workitems: 1 IN PROGRESS>"
