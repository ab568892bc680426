"""Storage commitment as its user: ask a peer to keep instances, and wait for its report (PS3.4 Annex J)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from dicomkit.dimse.association import Association
from dicomkit.dimse.commitments import Commitment, Reference, make_request, read_report, references
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.normalized_provider import NormalizedRequest, Service, performing, with_services
from dicomkit.dimse.pool import VERIFICATION, Target, peer_of, using
from dicomkit.dimse.provider import Caller, Performer, Provider, Refused, provide, verification
from dicomkit.dimse.serving import while_serving
from dicomkit.dimse.steps import Offload, Operation, Serve, Sleep
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import NetworkError, StatusError
from dicomkit.net.events import OnEvent
from dicomkit.values.uid import new_uid

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT = 1
COMMITTED, FAILURES_EXIST = 1, 2
_ANY_TITLE = "ANY-SCP"
_LOOK_AGAIN = 0.05
"""Seconds between two looks for a report."""
_NO_SUCH_INSTANCE, _NO_SUCH_EVENT, _INVALID_ARGUMENT = 0x0112, 0x0113, 0x0115


class Ledger(Protocol):
    """Where requests are written down, so that a report is understood whenever it comes."""

    def asked(self, peer: str, transaction_uid: str, instances: Sequence[Reference]) -> object:
        """Remember a request that is about to be sent."""

    def refused(self, transaction_uid: str) -> object:
        """Remember that the peer didn't take a request."""

    def settled(self, commitment: Commitment) -> object:
        """Remember what a report told."""

    def waiting(self, transaction_uid: str) -> Sequence[Reference] | None:
        """Return what was asked for; None where no such request is waiting."""

    def called(self, transaction_uid: str) -> str | None:
        """Return who was asked, as the name of a peer (``"AET@host:port"``); None where there is no such request."""

    def result(self, transaction_uid: str) -> Commitment | None:
        """Return what a report told; None while none came."""


@dataclass(slots=True)
class MemoryLedger:
    """A ledger that lasts as long as the program; it forgets the oldest requests where there are more than ``most``."""

    most: int = 1000
    _asked: dict[str, tuple[str, tuple[Reference, ...]]] = field(default_factory=dict)
    _results: dict[str, Commitment] = field(default_factory=dict)

    def asked(self, peer: str, transaction_uid: str, instances: Sequence[Reference]) -> None:
        """Remember a request, and forget the oldest where there are too many."""
        self._asked[transaction_uid] = peer, tuple(instances)
        for uid in list(self._asked)[: -self.most]:
            self._asked.pop(uid, None)
            self._results.pop(uid, None)

    def refused(self, transaction_uid: str) -> None:
        """Forget a request."""
        self._asked.pop(transaction_uid, None)

    def settled(self, commitment: Commitment) -> None:
        """Remember what a report told."""
        self._results[commitment.transaction_uid] = commitment

    def waiting(self, transaction_uid: str) -> Sequence[Reference] | None:
        """Return what was asked for, as long as a report of all of it is to come."""
        result = self._results.get(transaction_uid)
        known = self._asked.get(transaction_uid) if result is None or result.pending else None
        return known and known[1]

    def called(self, transaction_uid: str) -> str | None:
        """Return who was asked."""
        known = self._asked.get(transaction_uid)
        return known and known[0]

    def result(self, transaction_uid: str) -> Commitment | None:
        """Return what a report told."""
        return self._results.get(transaction_uid)


def commit(
    peer: Target,
    instances: Any,
    *,
    wait: float = 30.0,
    attempts: int = 1,
    host: str = "127.0.0.1",
    port: int | None = None,
    listening: bool = False,
    ledger: Ledger | None = None,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask a peer to commit to keep instances, and wait for its report.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    instances
        A path, folder, DataSet, table of files, the report of `store` (what is stored counts), `Reference`, or many of
        them.
    wait
        Seconds in which the report may come. It comes over the same association, or over a new one that the peer
        opens; it may come hours later.
    attempts
        How often to ask in all for what stays without a report, or failed for a reason that may pass.
    host, port
        Where to listen for a new association while we wait; None: nowhere. The peer has to know our calling AE title,
        and that it is there.
    listening
        Whether somebody listens already, with the same ledger, so that a report over a new association is waited for.
    ledger
        Where the request is written down before it is sent, so that a later report is understood, too: a
        `dicomkit.archive.Transactions`.
    on_event
        What is told of every event.

    Returns
    -------
    Commitment
        What the peer keeps, what it doesn't and why, and what is pending.

    Raises
    ------
    StatusError
        When the peer doesn't take the request.
    NetworkError
        When there is no association, or nothing can be listened to.
    """
    asked = references(instances)
    if not asked or attempts < 1:
        raise ValueFormatError("there is nothing to ask for", hint="one instance and one attempt at least")
    known = ledger if ledger is not None else MemoryLedger()
    listens = listening or port is not None

    def asking() -> Operation:
        result: Commitment = yield from _ask(peer, asked, known, wait, listens, on_event)
        for _ in range(attempts - 1):
            if not (remaining := _worth_another(result)):
                break
            answered = yield from _ask(peer, remaining, known, wait, listens, on_event)
            result = _merged(result, answered)
        return result

    serve = None if port is None else listening_for_reports(known, host, port, on_event)
    result: Commitment = yield from while_serving(serve, asking())
    return result


def listening_for_reports(ledger: Ledger, host: str, port: int, on_event: OnEvent | None = None) -> Serve:
    """Make the step that listens for reports of commitment, and for echoes."""
    performers: Mapping[tuple[str, str], Performer] = {(VERIFICATION, "C-ECHO-RQ"): verification}
    provider = Provider(performers, lambda uid: NATIVE if uid == VERIFICATION else (), on_event=on_event)
    return Serve(partial(provide, with_services(provider, [commitment_reports(ledger)])), host, port)


def commitment_reports(ledger: Ledger) -> Service:
    """Make the service that takes reports of commitment, whenever and over whichever association they come.

    Who reports has to call itself as it was called when it was asked (PS3.4 J.3.3.1.2); a report from anybody else
    settles nothing. One that comes again, since its answer was lost, is answered as before.

    Parameters
    ----------
    ledger
        Knows the requests, and is told what came of them.
    """
    take = _taking(ledger, lambda caller: caller.calling_aet)
    performers: Mapping[tuple[str, str], Performer] = {(PUSH_MODEL, "N-EVENT-REPORT-RQ"): take}
    return Service.of(performers, provided_by_requestor=[PUSH_MODEL])


def _taking(ledger: Ledger, title_of: Callable[[Caller], str]) -> Performer:
    """Make what takes reports; of who is on the other side ``title_of`` gives the AE title."""

    def take(report: NormalizedRequest) -> None:
        if report.number not in (COMMITTED, FAILURES_EXIST):
            raise Refused(f"there is no event of type {report.number}", status=_NO_SUCH_EVENT)
        uid = "" if report.data is None else str(report.data.get("TransactionUID") or "")
        if report.data is None or not uid:
            raise Refused("the report has no Transaction UID", status=_INVALID_ARGUMENT)
        called = ledger.called(uid)
        if called is None or called.rpartition("@")[0] not in ("", _ANY_TITLE, title_of(report.caller)):
            raise Refused("no request with this Transaction UID is waiting", status=_NO_SUCH_INSTANCE)
        instances = ledger.waiting(uid)
        if instances is not None:
            ledger.settled(read_report(report.data, instances, time.time()))
        elif ledger.result(uid) is None:
            raise Refused("no request with this Transaction UID is waiting", status=_NO_SUCH_INSTANCE)

    return performing(take)


def _ask(
    peer: Target, asked: tuple[Reference, ...], known: Ledger, wait: float, listens: bool, on_event: OnEvent | None
) -> Operation:
    """Ask once, and wait for the report."""
    where = str(peer_of(peer))
    take = _taking(known, lambda caller: caller.called_aet)  # the association is ours

    def body(association: Association) -> Operation:
        uid = str(new_uid())  # another one for each attempt: one whose answer was lost may have been taken
        yield Offload(partial(known.asked, where, uid, asked))
        information = make_request(uid, asked)
        try:
            yield from request(
                association,
                "N-ACTION",
                PUSH_MODEL,
                PUSH_MODEL_INSTANCE,
                information,
                number=REQUEST_COMMITMENT,
                meanwhile=take,
            )
        except StatusError:
            yield Offload(partial(known.refused, uid))
            raise
        deadline = time.monotonic() + wait
        result_of = partial(known.result, uid)
        with suppress(NetworkError):  # that the association ends says nothing of the report
            while association.is_open and time.monotonic() < deadline and not (yield Offload(result_of)):
                yield from _look(association, take)
        return uid, deadline

    uid, deadline = yield from using(peer, Proposal.of((PUSH_MODEL, NATIVE)), body, on_event)
    result_of = partial(known.result, uid)
    while not (result := (yield Offload(result_of))) and listens and time.monotonic() < deadline:
        yield Sleep(_LOOK_AGAIN)
    return result or Commitment(uid, asked)


def _look(association: Association, take: Performer) -> Operation:
    """Take a report that has come over the association; where none has, let some time pass."""
    message = yield from association.read_arrived()
    if message is not None:
        if message.command.name != "N-EVENT-REPORT-RQ":
            raise (yield from association.unexpected(message))
        yield from take(association, message)
    elif association.release_requested:
        yield from association.accept_release()
    else:
        yield Sleep(_LOOK_AGAIN)


def _worth_another(result: Commitment) -> tuple[Reference, ...]:
    """Return what may be committed if it is asked for again."""
    return (*result.pending, *(reference for reference, reason in result.failed if reason.nature == "transient"))


def _merged(earlier: Commitment, later: Commitment) -> Commitment:
    """Return the earlier result with what a later request brought."""
    again = set(later.requested)
    committed = set(earlier.committed).union(later.committed)
    failed = {reference: reason for reference, reason in earlier.failed if reference not in again} | dict(later.failed)
    return replace(
        later,
        requested=earlier.requested,
        committed=tuple(reference for reference in earlier.requested if reference in committed),
        failed=tuple(failed.items()),
        retrieve_aet=later.retrieve_aet or earlier.retrieve_aet,
        received=later.received or earlier.received,
    )
