"""Performed procedure steps behind DIMSE: they begin, change and end, are retrieved and told of (PS3.4 F.7 to F.9)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from dicomkit.archive.performed_steps import MemorySteps, PerformedSteps
from dicomkit.archive.worklist import FolderWorklist, MemoryWorklist
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, Service, performing, selected
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.performed_procedure_steps import RETRIEVE_PERFORMED_STEP
from dicomkit.dimse.pool import using
from dicomkit.dimse.provider import Caller, Refused
from dicomkit.dimse.steps import Beside, Operation, Together
from dicomkit.dimse.user_information import RoleSelection
from dicomkit.net.errors import NetworkError
from dicomkit.objects.performed_step import (
    COMPLETED,
    IN_PROGRESS,
    PERFORMED_STEP,
    PerformedStepError,
    changed_step,
    created_step,
    state_of,
)
from dicomkit.query import query
from dicomkit.standard.worklist_keys import STEP_SEQUENCE
from dicomkit.values.uid import UID, new_uid

PERFORMED_STEP_NOTIFICATION = "1.2.840.10008.3.1.2.3.5"
EVENTS = (IN_PROGRESS, COMPLETED, "DISCONTINUED", "UPDATED", "DELETED")
"""The names of the event types 1 to 5 (Table F.9.2-1)."""
_INVALID_INSTANCE, _SOME_UNKNOWN, _MISSING = 0x0117, 0x0001, 0x0120
Peers: TypeAlias = "Iterable[Peer] | Callable[[], Iterable[Peer]]"


class StepChange(NamedTuple):
    """What happened to a step.

    Attributes
    ----------
    event
        One of `EVENTS`: IN PROGRESS for a new one, UPDATED where its state stays.
    sop_instance_uid
        Which step.
    before, after
        The step; None before it began.
    caller
        Who did it.
    """

    event: str
    sop_instance_uid: str
    before: DataSet | None
    after: DataSet
    caller: Caller


def mpps(
    steps: PerformedSteps | None = None,
    *,
    on_change: Callable[[StepChange], object] | None = None,
    strict: bool = True,
    notify: Peers = (),
) -> Service:
    """Make the service of performed procedure steps, for `serve_dimse` and others.

    Parameters
    ----------
    steps
        What keeps them; by default memory.
    on_change
        What is told of each change, after it stands; what fails there is logged.
    strict
        Whether steps have to be as PS3.4 Table F.7.2-1 says; modalities that leave attributes out are refused then.
    notify
        Peers that are told of each change by N-EVENT-REPORT, on associations of their own.

    Examples
    --------
    >>> from datetime import datetime
    >>> import dicomkit as dk
    >>> from dicomkit.dimse.sync import mpps_complete, mpps_create
    >>> from dicomkit.objects.worklist_item import make_worklist_item
    >>> who = {"patient_name": "DOE^JANE", "patient_id": "A"}
    >>> item = make_worklist_item(**who, modality="CT", station="CT1", start=datetime(2024, 2, 29, 9, 30))
    >>> seen = []
    >>> with dk.serve_dimse(None, port=0, services=[mpps(on_change=seen.append)]) as server:
    ...     step = mpps_create(server.peer(), item)
    ...     step = mpps_complete(server.peer(), step, dk.samples.ct_series(2, 8))
    >>> [change.event for change in seen]
    ['IN PROGRESS', 'COMPLETED']
    """
    kept = MemorySteps() if steps is None else steps

    def changed(asked: NormalizedRequest, event: str, uid: str, before: DataSet | None, after: DataSet) -> Then:
        if on_change is not None:
            try:
                on_change(StepChange(event, uid, before, after, asked.caller))
            except Exception:
                logging.getLogger("dicomkit.serve").exception("on_change failed for the step %s", uid)
        peers = tuple(notify() if callable(notify) else notify)
        return _then(peers, uid, event) if peers else None

    def create(asked: NormalizedRequest) -> NormalizedAnswer:
        uid = asked.sop_instance_uid or new_uid()
        if not UID(uid).is_valid:
            raise Refused("the SOP Instance UID is none", status=_INVALID_INSTANCE)
        step = created_step(_data(asked), strict=strict)
        kept.create(uid, step)
        then = changed(asked, IN_PROGRESS, uid, None, step)
        return NormalizedAnswer(sop_instance_uid=uid, then=then)

    def change(asked: NormalizedRequest) -> NormalizedAnswer:
        uid, changes = asked.sop_instance_uid, _data(asked)
        before, after = kept.change(uid, lambda step: changed_step(step, changes, strict=strict))
        event = state_of(after) if state_of(after) != state_of(before) else "UPDATED"
        return NormalizedAnswer(then=changed(asked, event, uid, before, after))

    def give(asked: NormalizedRequest) -> NormalizedAnswer:
        step = kept.get(asked.sop_instance_uid)
        found = selected(step, asked.attributes)
        if "SpecificCharacterSet" in step and "SpecificCharacterSet" not in found:
            found = found.assign(SpecificCharacterSet=step.SpecificCharacterSet)
        is_short = any(tag not in step for tag in asked.attributes)
        return NormalizedAnswer(found, status=_SOME_UNKNOWN if is_short else 0)

    return Service.of(
        {
            (PERFORMED_STEP, "N-CREATE-RQ"): performing(_answering(create)),
            (PERFORMED_STEP, "N-SET-RQ"): performing(_answering(change)),
            (RETRIEVE_PERFORMED_STEP, "N-GET-RQ"): performing(give),
        }
    )


Then: TypeAlias = "Callable[[Association], Operation] | None"


def _data(asked: NormalizedRequest) -> DataSet:
    if asked.data is None:
        raise PerformedStepError("there is no attribute list", status=_MISSING)
    return asked.data


def _answering(perform: Callable[[NormalizedRequest], NormalizedAnswer]) -> Callable[..., NormalizedAnswer]:
    """Answer what can't be done with the attributes that are to blame (F.7.2.1.3)."""

    def answer(asked: NormalizedRequest) -> NormalizedAnswer:
        try:
            return perform(asked)
        except PerformedStepError as error:
            data = asked.data or DataSet()
            blamed = data.drop(*(tag for tag in data if tag.keyword not in (*error.attributes, "SpecificCharacterSet")))
            return NormalizedAnswer(
                blamed if set(error.attributes) & {tag.keyword for tag in blamed} else None,
                status=error.status,
                comment=error.message[:64],
                error_id=error.error_id,
            )

    return answer


def _then(peers: Sequence[Peer], uid: str, event: str) -> Then:
    def then(association: Association) -> Operation:
        yield Beside(association.wire, tell_of_step(peers, uid, event))

    return then


def tell_of_step(peers: Sequence[Peer], uid: str, event: str) -> Operation:
    """Tell peers that something happened to a step (N-EVENT-REPORT, F.9); one that can't be told is passed over.

    Parameters
    ----------
    peers
        Who is told, each on an association of its own.
    uid
        Which step.
    event
        One of `EVENTS`.

    Returns
    -------
    list of NetworkError or None
        Why each peer could not be told; None where it was.
    """
    return (yield Together([_told(peer, uid, EVENTS.index(event) + 1) for peer in peers]))


def _told(peer: Peer, uid: str, number: int) -> Operation:
    def body(association: Association) -> Operation:
        yield from request(
            association, "N-EVENT-REPORT", PERFORMED_STEP_NOTIFICATION, uid, number=number, provider=True
        )

    role = RoleSelection(PERFORMED_STEP_NOTIFICATION, user=False, provider=True)
    proposal = Proposal.of((PERFORMED_STEP_NOTIFICATION, NATIVE), roles=[role])
    try:
        yield from using(peer, proposal, body)
    except NetworkError as error:
        logging.getLogger("dicomkit.serve").warning("%s was not told of the step %s: %s", peer, uid, error)
        return error
    return None


def performed_step_notices(on_notice: Callable[[str, str, Caller], object]) -> Service:
    """Make the service that is told what happened to steps (PS3.4 F.9).

    Parameters
    ----------
    on_notice
        Called with one of `EVENTS`, the UID of the step, and who told it. What the step is now can be asked by
        `mpps_get`.
    """

    def take(asked: NormalizedRequest) -> None:
        if not 1 <= asked.number <= len(EVENTS):
            raise Refused("there is no such event", status=0x0113)
        on_notice(EVENTS[asked.number - 1], asked.sop_instance_uid, asked.caller)

    return Service.of(
        {(PERFORMED_STEP_NOTIFICATION, "N-EVENT-REPORT-RQ"): performing(take)},
        provided_by_requestor=[PERFORMED_STEP_NOTIFICATION],
    )


def taken_off(
    items: MemoryWorklist | FolderWorklist, when: Sequence[str] = (COMPLETED,)
) -> Callable[[StepChange], None]:
    """Make an ``on_change`` for `mpps` that takes what was performed off a worklist.

    Parameters
    ----------
    items
        The worklist.
    when
        At which of `EVENTS`.

    Examples
    --------
    >>> from dicomkit.archive.worklist import MemoryWorklist
    >>> service = mpps(on_change=taken_off(MemoryWorklist()))
    """

    def on_change(change: StepChange) -> None:
        if change.event not in when:
            return
        for scheduled in change.after.all("ScheduledStepAttributesSequence"):
            study, step = scheduled.get("StudyInstanceUID"), scheduled.get("ScheduledProcedureStepID")
            if study and step:
                keys = {STEP_SEQUENCE: {"ScheduledProcedureStepID": step}}
                items.remove(query(None, StudyInstanceUID=study, **keys))

    return on_change
