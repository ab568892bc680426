"""Storage commitment as its provider: look what is there, and report it, over the same association or a new one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, Protocol

from dicomkit.dimse.association import Association
from dicomkit.dimse.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST_COMMITMENT
from dicomkit.dimse.commitments import SERVICE, Commitment, Reference, make_report, read_request
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, Service, performing
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import using
from dicomkit.dimse.provider import Performer, Refused
from dicomkit.dimse.steps import Beside, Offload, Operation, Sleep, Together
from dicomkit.dimse.user_information import RoleSelection
from dicomkit.net.errors import NetworkError, StatusError
from dicomkit.net.events import Event, OnEvent
from dicomkit.standard.statuses import status

MOST_REFERENCES = 100_000
WAITS = (0.0, 1.0, 5.0, 30.0, 120.0, 600.0, *(3600.0,) * 168)
"""The seconds before each attempt to report to a peer that can't be reached: a week at last."""
NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT, DUPLICATE_TRANSACTION, RESOURCE_LIMITATION = 0x0112, 0x0119, 0x0131, 0x0213
_NO_SUCH_ACTION, _MISSING_ATTRIBUTE = 0x0123, 0x0120
_MAY_PASS = (0x0110, RESOURCE_LIMITATION)
"""Why a report isn't taken, where it may be later."""

Check = Callable[[Sequence[Reference]], Mapping[Reference, int]]
"""Gives the reason why an instance isn't kept, for each that isn't."""


class Due(NamedTuple):
    """A report that is to go to who asked: the AE title, the one that was called, and what is to be told."""

    caller: str
    called: str
    commitment: Commitment


class Reports(Protocol):
    """Where reports are written down before they go out, so that none is lost when the program ends."""

    def due(self, due: Due) -> bool:
        """Remember a report that is to go out; False where there was one for the same transaction."""

    def reported(self, transaction_uid: str) -> object:
        """Remember that it has arrived."""

    def unwanted(self, transaction_uid: str) -> object:
        """Remember that nobody takes it."""

    def undelivered(self) -> Sequence[Due]:
        """Return the reports that haven't arrived."""


@dataclass(slots=True, eq=False)
class _Outbox:
    """Reports that wait: one operation for each caller sends them, one after the other."""

    _waiting: dict[str, deque[Due]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, due: Due) -> bool:
        """Add a report; True where nobody sends to its caller yet."""
        with self._lock:
            is_first = due.caller not in self._waiting
            self._waiting.setdefault(due.caller, deque()).append(due)
            return is_first

    def first(self, caller: str) -> Due | None:
        """Return what is to be sent next; None where nothing is, and whoever sent it is done."""
        with self._lock:
            if not self._waiting.get(caller):
                self._waiting.pop(caller, None)
                return None
            return self._waiting[caller][0]

    def took(self, due: Due, *, again: bool) -> None:
        """Take the first report out, or put it at the end where it is to be tried again."""
        with self._lock:
            self._waiting[due.caller].popleft()
            if again:
                self._waiting[due.caller].append(due)

    def forget(self, caller: str) -> None:
        """Forget what is to go to a caller, for whom nobody sends any more."""
        with self._lock:
            self._waiting.pop(caller, None)


def committing(
    check: Check,
    *,
    where_to: Callable[[str], Peer | None],
    reports: Reports,
    retrieve_aet: str = "",
    waits: Sequence[float] = WAITS,
    on_event: OnEvent | None = None,
) -> Service:
    """Make the service that commits to keep instances.

    Parameters
    ----------
    check
        Gives the reason why an instance isn't kept (PS3.3 C.14.1.1), for each that isn't.
    where_to
        Gives the peer of an AE title. To one that is known the report goes over a new association, again and again
        until it arrives, from the AE title that was called; to another over the association of the request.
    reports
        Where they are written down.
    retrieve_aet
        Where the instances can be retrieved from.
    waits
        The seconds before each attempt to report over a new association, as long as they fail one after the other.
    on_event
        What is told of every event.
    """
    outbox = _Outbox()

    def send_to(caller: str) -> Operation:
        return _send(outbox, caller, where_to, reports, waits, on_event)

    def perform(asked: NormalizedRequest) -> NormalizedAnswer:
        uid, instances = _checked(asked)
        caller = asked.caller.calling_aet
        due = Due(caller, asked.caller.called_aet, _look(uid, instances, check, retrieve_aet))
        if not reports.due(due):
            raise Refused("the Transaction UID was used before", status=DUPLICATE_TRANSACTION)
        is_known = where_to(caller) is not None

        def then(association: Association) -> Operation:
            if not is_known:
                yield from _report_here(association, due.commitment, reports)
            elif outbox.put(due):
                yield Beside(association.wire, send_to(caller))

        return NormalizedAnswer(then=then)

    def go_on() -> Operation:
        left: Sequence[Due] = yield Offload(reports.undelivered)
        callers = [due.caller for due in left if where_to(due.caller) is not None and outbox.put(due)]
        yield Together([send_to(caller) for caller in callers])

    performers: Mapping[tuple[str, str], Performer] = {(PUSH_MODEL, "N-ACTION-RQ"): performing(perform)}
    return Service.of(performers, beside=[go_on])


def _checked(asked: NormalizedRequest) -> tuple[str, tuple[Reference, ...]]:
    if asked.number != REQUEST_COMMITMENT:
        raise Refused(f"there is no action of type {asked.number}", status=_NO_SUCH_ACTION)
    if asked.sop_instance_uid != PUSH_MODEL_INSTANCE:
        raise Refused("the instance is the one of PS3.4 J.3.5", status=NO_SUCH_INSTANCE)
    uid, instances = ("", ()) if asked.data is None else read_request(asked.data)
    if not uid or not instances:
        raise Refused("a Transaction UID and instances are needed", status=_MISSING_ATTRIBUTE)
    if len(instances) > MOST_REFERENCES:
        raise Refused(f"more than {MOST_REFERENCES} instances", status=RESOURCE_LIMITATION)
    return uid, instances


def _look(uid: str, instances: tuple[Reference, ...], check: Check, retrieve_aet: str) -> Commitment:
    missing = check(instances)
    return Commitment(
        uid,
        instances,
        tuple(reference for reference in instances if reference not in missing),
        tuple((reference, status(missing[reference], SERVICE)) for reference in instances if reference in missing),
        retrieve_aet=retrieve_aet,
        received=time.time(),
    )


def _tell(association: Association, commitment: Commitment, reports: Reports) -> Operation:
    number, information = make_report(commitment)
    yield from request(
        association,
        "N-EVENT-REPORT",
        PUSH_MODEL,
        PUSH_MODEL_INSTANCE,
        information,
        number=number,
        provider=True,
        meanwhile=association.perform,
    )
    yield Offload(partial(reports.reported, commitment.transaction_uid))


def _report_here(association: Association, commitment: Commitment, reports: Reports) -> Operation:
    """Report over the association of the request; that its user has ended it meanwhile is its right."""
    try:
        yield from _tell(association, commitment, reports)
    except NetworkError as error:
        association.emit("report not delivered", level="warning", category="operation", error=str(error))
        yield Offload(partial(reports.unwanted, commitment.transaction_uid))
        if not isinstance(error, StatusError):
            raise


def _send(
    outbox: _Outbox,
    caller: str,
    where_to: Callable[[str], Peer | None],
    reports: Reports,
    waits: Sequence[float],
    on_event: OnEvent | None,
) -> Operation:
    """Send what waits for a caller, until all has arrived or there were too many failures in a row."""
    failed = 0
    try:
        while (due := outbox.first(caller)) is not None:
            peer = where_to(caller) if failed < len(waits) else None
            if peer is None:
                outbox.forget(caller)
                return
            if waits[failed]:
                yield Sleep(waits[failed])
            try:
                yield from report(replace(peer, calling_aet=due.called), due.commitment, reports, on_event=on_event)
            except NetworkError:
                failed += 1
                outbox.took(due, again=True)
            else:
                failed = 0
                outbox.took(due, again=False)
    except BaseException:
        outbox.forget(caller)
        raise


def report(peer: Peer, commitment: Commitment, reports: Reports, *, on_event: OnEvent | None = None) -> Operation:
    """Report what came of a request over a new association, in the role of the provider.

    Returns
    -------
    bool
        Whether the peer takes it; what it refuses for good is not to be reported again.

    Raises
    ------
    NetworkError
        When it can't be reached, or refuses it for a while.
    """
    roles = [RoleSelection(PUSH_MODEL, user=False, provider=True)]
    proposal = Proposal.of((PUSH_MODEL, NATIVE), roles=roles)
    try:
        yield from using(peer, proposal, lambda association: _tell(association, commitment, reports), on_event)
    except NetworkError as error:
        if on_event is not None:
            told = {"error": str(error), "transaction_uid": commitment.transaction_uid}
            on_event(Event("report not delivered", "warning", "operation", str(peer), data=told))
        if not isinstance(error, StatusError) or error.status.code in _MAY_PASS:
            raise
        yield Offload(partial(reports.unwanted, commitment.transaction_uid))
        return False
    return True
