"""A worklist of unified procedure steps behind DIMSE: UPS Push, Pull, Watch, Query and Event (PS3.4 CC)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from dicomkit.archive.workitem_states import Outcome
from dicomkit.archive.workitems import Workitems
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.find_provider import FindRequest, finding
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, Service, performing, selected
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.procedure_step_requests import CHANGE_STATE, REQUEST_CANCEL, SUBSCRIBE, SUSPEND, UNSUBSCRIBE
from dicomkit.dimse.provider import UNRECOGNIZED_OPERATION, Performer, Refused
from dicomkit.dimse.steps import Offload, Operation
from dicomkit.net.events import OnEvent
from dicomkit.query import Query, from_identifier
from dicomkit.serve.step_reports import StepReports
from dicomkit.standard.procedure_steps import EVENT, PULL, PUSH, QUERY, WATCH
from dicomkit.standard.statuses import status
from dicomkit.values.tag import Tag

NO_SUCH_ACTION, INVALID_ARGUMENT, NO_SUCH_ATTRIBUTE = 0x0123, 0x0115, 0x0001
UNKNOWN_RECEIVER, NO_REPORTS = 0xC308, 0xC315
_OPERATIONS: Mapping[str, Collection[str | int]] = MappingProxyType(
    {
        PUSH: ("N-CREATE", "N-GET", REQUEST_CANCEL),
        WATCH: ("N-GET", REQUEST_CANCEL, SUBSCRIBE, UNSUBSCRIBE, SUSPEND),
        PULL: ("N-GET", "N-SET", CHANGE_STATE),
    }
)
"""What the SOP classes have, and which types of action (PS3.4 CC.2)."""
_NORMALIZED = ("N-CREATE", "N-GET", "N-SET", "N-ACTION")
_LOOKING = 2
"""How many operations of a server deliver what its associations didn't cause."""
_SUBSCRIPTION = ("ReceivingAE", "DeletionLock")

Destinations = Mapping[str, Peer] | Callable[[str], Peer | None]


def procedure_steps(
    workitems: Workitems,
    *,
    destinations: Destinations | None = None,
    check: Callable[[NormalizedRequest], object] | None = None,
    fallback: Sequence[str] = (),
    most_waiting: int = 10_000,
    attempts: int = 3,
    wait: float = 2.0,
    on_event: OnEvent | None = None,
) -> Service:
    """Make the service of a worklist, for `serve_dimse` and `archive_provider`.

    Parameters
    ----------
    workitems
        The steps, and who is subscribed to them.
    destinations
        Whom the AE title of a subscriber means: a mapping, or a function. None: nobody can subscribe. Events go to them
        over associations of their own.
    check
        Called with each request before it is performed; raises `Refused` where it isn't allowed.
    fallback
        AE titles that are told of each start of a server, with all subscribers (PS3.4 CC.2.4.3).
    most_waiting
        How many events may wait for one subscriber.
    attempts, wait
        How often a delivery is tried, and seconds before the second attempt.
    on_event
        What is told of each event that isn't delivered.

    Examples
    --------
    >>> from dicomkit.dimse import ups
    >>> from dicomkit.objects.procedure_step import make_procedure_step
    >>> from dicomkit.serve.dimse import serve_dimse
    >>> with serve_dimse(port=0, services=[procedure_steps(Workitems())]) as server:
    ...     made = ups.create(server.peer(), make_procedure_step("Report"))
    ...     claim = ups.claim(server.peer(), made.sop_instance_uid)
    ...     [match.ProcedureStepState for match in ups.find(server.peer())]
    ['IN PROGRESS']
    """
    where_to = _destination(destinations)
    reports = StepReports(where_to, most=most_waiting, attempts=attempts, wait=wait, on_event=on_event)
    workitems.listen(reports.add)

    def perform(request: NormalizedRequest) -> NormalizedAnswer:
        wanted = request.number if request.operation == "N-ACTION" else request.operation
        if wanted not in _OPERATIONS.get(request.abstract_syntax, ()):
            code = NO_SUCH_ACTION if request.operation == "N-ACTION" else UNRECOGNIZED_OPERATION
            raise Refused("the SOP class has no such operation", status=code)
        if check is not None:
            check(request)
        if request.operation == "N-GET":
            return _got(workitems, request)
        outcome = _PERFORM[wanted](workitems, request, where_to if destinations is not None else None)
        meaning = status(outcome.status, f"UPS {request.operation}")
        comment = meaning.meaning[:64] if meaning.category == "Warning" else None
        return NormalizedAnswer(
            status=outcome.status, sop_instance_uid=outcome.uid, comment=comment, then=reports.begin
        )

    performer = performing(perform)
    performers: dict[tuple[str, str], Performer] = {
        (sop_class, f"{operation}-RQ"): performer for sop_class in _OPERATIONS for operation in _NORMALIZED
    }
    search = finding(_searching(workitems))
    performers |= {(sop_class, "C-FIND-RQ"): search for sop_class in (PULL, WATCH, QUERY)}
    accepted = dict.fromkeys((PUSH, WATCH, PULL, EVENT, QUERY), NATIVE)

    def announce() -> Operation:
        yield Offload(lambda: workitems.status_change("RESTARTED", fallback=fallback))

    return Service(performers, accepted, beside=(announce, *(reports.look for _ in range(_LOOKING))))


def _destination(destinations: Destinations | None) -> Callable[[str], Peer | None]:
    if destinations is None:
        return lambda _: None
    return destinations.get if isinstance(destinations, Mapping) else destinations


def _searching(workitems: Workitems) -> Callable[[DataSet, FindRequest], Iterator[DataSet]]:
    return lambda identifier, request: workitems.search(from_identifier(identifier))


def _got(workitems: Workitems, request: NormalizedRequest) -> NormalizedAnswer:
    """Give what is asked for of a step; the Transaction UID is never part of it."""
    step = workitems.get(request.sop_instance_uid)
    found = selected(step, request.attributes)
    code = NO_SUCH_ATTRIBUTE if any(tag not in step for tag in request.attributes) else 0
    if "SpecificCharacterSet" in step and "SpecificCharacterSet" not in found:
        found = found.assign(SpecificCharacterSet=step.SpecificCharacterSet)
    return NormalizedAnswer(found.drop("SOPClassUID", "SOPInstanceUID") if not request.attributes else found, code)


WhereTo = Callable[[str], Peer | None] | None


def _create(workitems: Workitems, request: NormalizedRequest, _: WhereTo) -> Outcome:
    return workitems.create(request.data or DataSet(), request.sop_instance_uid or None)


def _set(workitems: Workitems, request: NormalizedRequest, _: WhereTo) -> Outcome:
    return workitems.set(request.sop_instance_uid, request.data or DataSet())


def _change_state(workitems: Workitems, request: NormalizedRequest, _: WhereTo) -> Outcome:
    asked = request.data or DataSet()
    state = _argument(asked, "ProcedureStepState")
    return workitems.change_state(request.sop_instance_uid, state, str(asked.get("TransactionUID") or ""))


def _request_cancel(workitems: Workitems, request: NormalizedRequest, _: WhereTo) -> Outcome:
    caller = request.caller.calling_aet
    return workitems.request_cancel(request.sop_instance_uid, request.data, requesting_ae=caller)


def _subscribe(workitems: Workitems, request: NormalizedRequest, where_to: WhereTo) -> Outcome:
    if where_to is None:
        raise Refused("events are not reported here", status=NO_REPORTS)
    asked = request.data or DataSet()
    ae = _argument(asked, "ReceivingAE")
    if where_to(ae) is None:
        raise Refused("the receiving AE title is unknown", status=UNKNOWN_RECEIVER)
    keys: Query | None = from_identifier(asked.drop(*_SUBSCRIPTION))
    return workitems.subscribe(request.sop_instance_uid, ae, lock=asked.get("DeletionLock") == "TRUE", keys=keys)


def _unsubscribe(workitems: Workitems, request: NormalizedRequest, _: WhereTo) -> Outcome:
    return workitems.unsubscribe(request.sop_instance_uid, _argument(request.data or DataSet(), "ReceivingAE"))


def _suspend(workitems: Workitems, request: NormalizedRequest, _: WhereTo) -> Outcome:
    return workitems.suspend(request.sop_instance_uid, _argument(request.data or DataSet(), "ReceivingAE"))


_PERFORM: Mapping[str | int, Callable[[Workitems, NormalizedRequest, WhereTo], Outcome]] = MappingProxyType(
    {
        "N-CREATE": _create,
        "N-SET": _set,
        CHANGE_STATE: _change_state,
        REQUEST_CANCEL: _request_cancel,
        SUBSCRIBE: _subscribe,
        UNSUBSCRIBE: _unsubscribe,
        SUSPEND: _suspend,
    }
)


def _argument(asked: DataSet, keyword: str) -> str:
    value = asked.get(keyword)
    if not value:
        raise Refused(f"{keyword} is missing", status=INVALID_ARGUMENT, tag=Tag.of(keyword))
    return str(value)
