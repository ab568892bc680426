"""What happens to a step, and what is reported of it: pure functions of a step and an event (PS3.4 CC.1.1, CC.2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dicomkit.archive.workitem_rules import WorkitemError, changed_step, missing_for
from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.coded_entry import code_items
from dicomkit.objects.procedure_step import PROGRESS, UNSPECIFIED_REASON
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.standard.procedure_steps import (
    ASSIGNED,
    CANCEL_REQUESTED,
    CANCELED,
    FINAL_STATES,
    GLOBAL,
    IN_PROGRESS,
    PROGRESS_REPORT,
    SCHEDULED,
    STATE_REPORT,
    STATUS_CHANGE,
    event_attributes,
    transition,
)
from dicomkit.standard.statuses import status
from dicomkit.values.date_times import DateTime
from dicomkit.values.tag import Tag
from dicomkit.values.uid import new_uid

NO_LONGER, WRONG_TRANSACTION, NOT_IN_PROGRESS, UNKNOWN_STEP = 0xC300, 0xC301, 0xC310, 0xC307
INVALID_ARGUMENT = 0x0115
_LONGEST_UID = 64
_REASON = "ProcedureStepDiscontinuationReasonCodeSequence"
_STATIONS, _PEOPLE = "ScheduledStationNameCodeSequence", "ScheduledHumanPerformersSequence"
_PERSON = ("HumanPerformerCodeSequence", "HumanPerformerOrganization")


@dataclass(frozen=True, slots=True)
class Workitem:
    """A step as its provider keeps it.

    Parameters
    ----------
    uid
        Its SOP Instance UID.
    dataset
        What it says; the Transaction UID is never part of it.
    transaction_uid
        The lock of whoever performs it; empty as long as nobody does.
    """

    uid: str
    dataset: DataSet
    transaction_uid: str = field(default="", repr=False)

    @property
    def state(self) -> str:
        """``"SCHEDULED"``, ``"IN PROGRESS"``, ``"COMPLETED"`` or ``"CANCELED"``."""
        return str(self.dataset.ProcedureStepState)

    def __repr__(self) -> str:
        return f"<Workitem {self.uid}: {self.state}>"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Attributes
    ----------
    uid
        Of the step.
    status
        Success, or a warning; see `dicomkit.standard.statuses.status` with the service ``"UPS N-CREATE"`` and so on.
    events
        What is to be told, and to whom, in this order.
    """

    uid: str
    status: int = 0
    events: tuple[StepEvent, ...] = ()

    def __repr__(self) -> str:
        return f"<Outcome {self.uid}: 0x{self.status:04X}, {len(self.events)} events>"


def change_state(
    step: Workitem | None, state: str, transaction_uid: str, now: datetime
) -> tuple[tuple[Workitem, ...], int]:
    """Return a step in the state that is asked for, and the status; nothing, where it is in that state already.

    Raises
    ------
    WorkitemError
        When the state can't be reached, or not by whoever asks.

    Examples
    --------
    >>> step = Workitem("2.25.1", DataSet(ProcedureStepState="SCHEDULED"))
    >>> change_state(step, "IN PROGRESS", "2.25.2", datetime(2024, 2, 29))
    ((<Workitem 2.25.1: IN PROGRESS>,), 0)
    """
    if state not in (SCHEDULED, IN_PROGRESS, *FINAL_STATES):
        raise WorkitemError(f"there is no state {state!r}", status=INVALID_ARGUMENT, tag=Tag.of("ProcedureStepState"))
    known = step.transaction_uid if step is not None else ""
    right = 0 < len(transaction_uid) <= _LONGEST_UID and known in ("", transaction_uid)
    return _follow(step, state, right, transaction_uid, now)


def request_cancel(step: Workitem | None, information: DataSet, now: datetime) -> tuple[tuple[Workitem, ...], int]:
    """Return the states that a step goes through when somebody else asks to cancel it, and the status.

    Raises
    ------
    WorkitemError
        When it is completed, or isn't there.
    """
    if step is not None and step.state == SCHEDULED:
        step = replace(step, dataset=with_reason(step.dataset, information))
    return _follow(step, "cancel request", True, new_uid(), now)


def perform_cancel(step: Workitem, information: DataSet, now: datetime) -> tuple[Workitem, ...]:
    """Cancel a step that its provider performs itself, since somebody asked for that."""
    return _follow(
        replace(step, dataset=with_reason(step.dataset, information)), CANCELED, True, step.transaction_uid, now
    )[0]


def change(step: Workitem | None, changes: DataSet, now: datetime) -> Workitem:
    """Return a step after an N-SET.

    Raises
    ------
    WorkitemError
        When its state doesn't let it change, whoever asks doesn't perform it, or something may not be set.
    """
    if step is None:
        raise failure(UNKNOWN_STEP, "N-SET")
    transaction_uid = str(changes.get("TransactionUID") or "")
    if step.state in FINAL_STATES:
        raise failure(NO_LONGER, "N-SET")
    if step.state == SCHEDULED and transaction_uid:
        raise failure(NOT_IN_PROGRESS, "N-SET")
    if step.state == IN_PROGRESS and transaction_uid != step.transaction_uid:
        raise failure(WRONG_TRANSACTION, "N-SET")
    return replace(step, dataset=changed_step(step.dataset, changes, now))


def with_reason(ds: DataSet, information: DataSet) -> DataSet:
    """Put why a step is cancelled, and whom to ask, where they belong."""
    items = ds.all(PROGRESS)
    item = items[0] if items else DataSet()
    told: dict[str, Any] = {_REASON: information.all(_REASON) or code_items(UNSPECIFIED_REASON)}
    if text := information.get("ReasonForCancellation"):
        told["ReasonForCancellation"] = text
    contact = {word: information[word] for word in ("ContactURI", "ContactDisplayName") if information.get(word)}
    if contact.get("ContactURI"):
        told["ProcedureStepCommunicationsURISequence"] = [contact]
    return ds.assign({PROGRESS: [item.assign(told)]})


def _follow(
    step: Workitem | None, event: str, right: bool, transaction_uid: str, now: datetime
) -> tuple[tuple[Workitem, ...], int]:
    found = transition(event, "null" if step is None else step.state, right=right)
    if step is None or status(found.status, "UPS N-ACTION").category == "Failure":
        raise failure(found.status, "N-ACTION")
    passed = []
    for state in found.then:
        if found.otherwise is not None and (missing := missing_for(step.dataset, state)):
            text = f"a step that is {state} needs {', '.join(missing)}"
            raise WorkitemError(text, status=found.otherwise)
        step = _in_state(step, state, transaction_uid, now)
        passed.append(step)
    return tuple(passed), found.status


def _in_state(step: Workitem, state: str, transaction_uid: str, now: datetime) -> Workitem:
    ds = step.dataset.assign(ProcedureStepState=state)
    moment = (PROGRESS, 0, "ProcedureStepCancellationDateTime")
    if state == CANCELED and not ds.get(moment):
        ds = ds.assign({moment: DateTime.of(now)})
    return Workitem(step.uid, ds, step.transaction_uid or transaction_uid)


def failure(code: int, operation: str) -> WorkitemError:
    """Make the error of a status, in the words of the standard."""
    return WorkitemError(status(code, f"UPS {operation}").meaning.removeprefix("Refused: "), status=code)


# ---- reports -------------------------------------------------------------------------------------------------------


def state_report(step: Workitem) -> StepEvent:
    """Report how a step stands.

    Examples
    --------
    >>> state_report(Workitem("2.25.1", DataSet(ProcedureStepState="SCHEDULED", InputReadinessState="READY")))
    <StepEvent 2.25.1: state report, SCHEDULED, READY>
    """
    told = {"ProcedureStepState": step.state, "InputReadinessState": step.dataset.get("InputReadinessState")}
    for keyword in ("ReasonForCancellation", _REASON):
        if value := step.dataset.get((PROGRESS, 0, keyword)):
            told[keyword] = value
    return StepEvent(STATE_REPORT, step.uid, DataSet(told))


def cancel_report(step: Workitem, information: DataSet, requesting_ae: str) -> StepEvent:
    """Report that somebody asks to cancel a step."""
    tags = {Tag(path[0]) for path, _ in event_attributes(CANCEL_REQUESTED)}
    told = {tag: information[tag] for tag in tags if information.get(tag)}
    return StepEvent(CANCEL_REQUESTED, step.uid, DataSet(told).assign(RequestingAE=requesting_ae))


def reports_of(before: Workitem, after: Workitem) -> Iterator[StepEvent]:
    """Report what differs between two states of a step.

    Examples
    --------
    >>> one = Workitem("2.25.1", DataSet(ProcedureStepState="SCHEDULED", InputReadinessState="INCOMPLETE"))
    >>> list(reports_of(one, replace(one, dataset=one.dataset.assign(InputReadinessState="READY"))))
    [<StepEvent 2.25.1: state report, SCHEDULED, READY>]
    """
    old, new = before.dataset, after.dataset
    if any(old.get(word) != new.get(word) for word in ("ProcedureStepState", "InputReadinessState")):
        yield state_report(after)
    progress = _progress(new)
    if progress != _progress(old) and progress:
        yield StepEvent(PROGRESS_REPORT, after.uid, DataSet({PROGRESS: [progress]}))
    if any(old.get(word) != new.get(word) for word in (_STATIONS, _PEOPLE)):
        yield from assigned_reports(after) or (StepEvent(ASSIGNED, after.uid),)


def _progress(ds: DataSet) -> DataSet:
    """Take of the progress of a step what is reported of it."""
    item = next(iter(ds.all(PROGRESS)), DataSet())
    tags = {path[1] for path, _ in event_attributes(PROGRESS_REPORT) if len(path) == 2}
    return item.drop(*(tag for tag in item if tag not in tags))


def assigned_reports(step: Workitem) -> tuple[StepEvent, ...]:
    """Report to whom a step is assigned: one for each person, as such a report names one; none where it is to nobody.

    Examples
    --------
    >>> person = {"HumanPerformerOrganization": "CT"}
    >>> step = DataSet(ProcedureStepState="SCHEDULED", ScheduledHumanPerformersSequence=[person])
    >>> [event.data.HumanPerformerOrganization for event in assigned_reports(Workitem("2.25.1", step))]
    ['CT']
    """
    stations = step.dataset.all(_STATIONS)
    told = {_STATIONS: stations} if stations else {}
    people = step.dataset.all(_PEOPLE) or ((DataSet(),) if stations else ())
    return tuple(
        StepEvent(ASSIGNED, step.uid, DataSet(told | {word: person[word] for word in _PERSON if person.get(word)}))
        for person in people
    )


def status_report(scp_status: str, preserved: bool, receivers: tuple[str, ...]) -> StepEvent:
    """Report that who manages the steps was restarted, or will go.

    Examples
    --------
    >>> status_report("RESTARTED", True, ("WATCHER",))
    <StepEvent 1.2.840.10008.5.1.4.34.5: SCP status change, RESTARTED>
    """
    lists = "WARM START" if preserved else "COLD START"
    told = DataSet(SCPStatus=scp_status, SubscriptionListStatus=lists, UnifiedProcedureStepListStatus=lists)
    return StepEvent(STATUS_CHANGE, GLOBAL, told, receivers)
