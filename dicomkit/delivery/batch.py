"""One batch: what was claimed of a queue goes to the first of several peers that can be reached and takes it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from dicomkit.delivery.destination import Awaited, Destination, Settled
from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.routes import Commitment, Route
from dicomkit.dimse.commitment import commit
from dicomkit.dimse.commitments import Commitment as Told
from dicomkit.dimse.commitments import Reference
from dicomkit.dimse.interception import intercepted
from dicomkit.dimse.outgoing import Outgoing
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import Target, peer_of
from dicomkit.dimse.steps import Offload, Operation, Step
from dicomkit.dimse.store import store
from dicomkit.dimse.store_report import Outcome, Progress
from dicomkit.errors import DicomError, PixelError, UnsupportedError
from dicomkit.files.read import read
from dicomkit.net.errors import Category, ContextNotAcceptedError, NetworkError, StatusError
from dicomkit.net.events import Event
from dicomkit.validation.validate import validate

REST = 60.0
"""Seconds in which a peer that failed is tried after the others."""
_CLASS_NOT_SUPPORTED = 0x0122
_TO_SEND_AGAIN = (0x0110, 0x0112)
"""Why an instance isn't kept, where it is kept once it is sent again: the peer failed, or hasn't got it."""
_NO_TRANSACTION = "-"
_UNTOLD = "the peer has not told in time whether it keeps it"
_HELD_OPEN = 0.2
"""Seconds in which a report may come over the association that asked for it, where it can come over a new one, too."""
_MOST_UNCONFIRMED = 10_000


class _Refusal(NamedTuple):
    """That a peer doesn't take an instance which another one may take."""

    peer: str
    error: DicomError
    outcome: Outcome


_Ready: TypeAlias = "dict[str, tuple[Entry, Outgoing | None]]"
"""What was claimed and isn't settled, by its SOP Instance UID."""
_Refusals: TypeAlias = "dict[str, list[_Refusal]]"


def send_batch(own: Destination, entries: Sequence[Entry]) -> Generator[Step, Any, NetworkError | None]:
    """Send what was claimed to the first peer that can be reached; give the last error where something is left."""
    own.took(entries)
    try:
        return (yield from _send(own, entries))
    finally:
        own.give_back()


def _send(own: Destination, entries: Sequence[Entry]) -> Generator[Step, Any, NetworkError | None]:
    ready: _Ready = {}
    for entry in entries:
        ready.setdefault(entry.sop_instance_uid, (entry, None))
    refusals: _Refusals = {}
    failures: list[tuple[str, NetworkError]] = []
    yield from _look_at(own, ready)
    candidates = own.candidates()
    for number, candidate in enumerate(candidates):
        if not ready or own.is_held:
            break
        peer = peer_of(candidate.peer)
        error: NetworkError | None
        try:
            error = yield from _send_to(own, candidate.peer, ready, refusals)
        except NetworkError as caught:
            error = caught
        if error is None:
            if refusals.keys() & ready.keys():
                continue
            break
        failures.append((str(peer), error))
        own.resting[candidate.peer] = own.timer() + REST
        if own.on_event is not None and number + 1 < len(candidates):
            told = {"error": error, "destination": own.name}
            own.on_event(Event("failover", "warning", "operation", str(peer), data=told))
    else:
        left = bool(ready)
        yield from _settle_refused(own, ready, refusals, failures)
        if left and failures:
            return failures[-1][1]
    return None


def _look_at(own: Destination, ready: _Ready) -> Operation:
    """Look at what was claimed; what can't be sent is a dead letter, unless its file may come back."""
    for uid, (entry, _) in list(ready.items()):
        try:
            ready[uid] = entry, (yield Offload(partial(_looked_at, entry, own.route)))
        except DicomError as error:
            del ready[uid]
            yield from own.settle(Settled(entry, error=error, retry_at=own.later(entry, error)))


def _looked_at(entry: Entry, route: Route) -> Outgoing:
    instance = entry.outgoing()
    if route.validation is not None:
        errors = validate(read(entry.path), route.validation).of("error")
        if errors:
            more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise DicomError(f"not valid: {errors[0].message}{more}", path=entry.path)
    if route.check is not None:
        route.check(read(entry.path))
    return instance


def _send_to(
    own: Destination, target: Target, ready: _Ready, refusals: _Refusals
) -> Generator[Step, Any, NetworkError | None]:
    """Send instances to one peer, and take those that are settled out of what is ready."""
    broken: list[NetworkError] = []
    name = str(peer_of(target))
    sent: list[Settled] = _sent_before(own, name, ready)

    def on_result(progress: Progress) -> Operation:
        outcome = progress.outcome
        entry, _ = ready[outcome.sop_instance_uid]
        error = _error_of(outcome)
        if outcome.level == "association" and isinstance(error, NetworkError):
            broken.append(error)
            if len(broken) > 1:
                return  # it was under way beside the one that is to blame, if one is
        if error is not None and _is_of_the_peer(error):
            refusals.setdefault(outcome.sop_instance_uid, []).append(_Refusal(name, error, outcome))
            return
        del ready[outcome.sop_instance_uid]
        if error is None and own.route.commitment is not None:
            sent.append(Settled(entry, name, outcome))
        else:
            retry_at = None if error is None else own.later(entry, error)
            yield from own.settle(Settled(entry, name, outcome, error, retry_at))

    sending = store(
        _without_retry(target),
        [instance for _, instance in ready.values() if instance is not None],
        convert=own.route.convert,
        transfer_syntaxes=own.route.transfer_syntaxes,
        rate_limit=own.route.bandwidth,
        cancelled=lambda: bool(broken) or own.is_held,
        on_event=own.on_event,
    )
    if ready:
        yield from intercepted(sending, on_result)
    if own.route.commitment is not None and sent:
        yield from _confirm(own, target, own.route.commitment, sent)
    return broken[0] if broken else None


def _without_retry(target: Target) -> Target:
    """Return a peer that instances are tried with once: the queue remembers when to try again."""
    return replace(target, retry=None) if isinstance(target, Peer) else target


def _error_of(outcome: Outcome) -> DicomError | None:
    if outcome.is_stored:
        return None
    if outcome.error is not None or outcome.status is None:
        return outcome.error or DicomError("it was not sent")
    return StatusError(outcome.status)


def _is_of_the_peer(error: DicomError) -> bool:
    """Whether an instance is refused for what the peer can't do: it lacks the class, or all forms that we can make."""
    if isinstance(error, StatusError):
        return error.status.code == _CLASS_NOT_SUPPORTED
    return isinstance(error, (ContextNotAcceptedError, PixelError, UnsupportedError))


def _settle_refused(
    own: Destination, ready: _Ready, refusals: _Refusals, failures: Sequence[tuple[str, NetworkError]]
) -> Operation:
    """Give up what no peer takes; what one may take that can't be reached now waits for it."""
    for uid in refusals.keys() & ready.keys():
        entry, _ = ready.pop(uid)
        *_, last = told = refusals[uid]
        error = last.error
        if len(told) + len(failures) > 1:
            reasons = [*((one.peer, one.error) for one in told), *failures]
            why = "; ".join(f"{peer}: {reason}" for peer, reason in reasons)
            category: Category = "transient" if failures else getattr(error, "category", "permanent")
            error = NetworkError(f"none of {len(reasons)} peers takes it: {why}", category=category)
        retry_at = own.later(entry, error, patient=bool(failures))
        yield from own.settle(Settled(entry, last.peer, last.outcome, error, retry_at))


def _sent_before(own: Destination, peer: str, ready: _Ready) -> list[Settled]:
    """Take out what this peer was sent already, of which it hasn't told whether it keeps it."""
    found = [uid for uid, (entry, _) in ready.items() if _key(peer, entry) in own.unconfirmed]
    return [Settled(ready.pop(uid)[0], peer) for uid in found]


def _key(peer: str, entry: Entry) -> tuple[Any, ...]:
    return peer, entry.id, entry.path, entry.size, entry.transfer_syntax_uid


def _confirm(own: Destination, target: Target, how: Commitment, sent: Sequence[Settled]) -> Operation:
    """Ask a peer to keep what it was sent; what it hasn't is sent again, of what it hasn't told it is asked again.

    Where its report can come over a new association, more is sent until it does.
    """
    waiting = {Reference(one.entry.sop_class_uid, one.entry.sop_instance_uid): one for one in sent}
    for uid in {own.unconfirmed.pop(_key(one.peer, one.entry), "") for one in sent}:
        result = own.ledger.result(uid)  # which came after we had stopped waiting
        if result is not None:
            yield from _settle_told(own, waiting, result)
    if not waiting:
        return
    listens = how.port is not None
    try:
        told: Told = yield from commit(
            target,
            list(waiting),
            wait=min(how.wait, _HELD_OPEN) if listens else how.wait,
            listening=listens,
            ledger=own.ledger,
            on_event=own.on_event,
        )
    except NetworkError as error:
        yield from _settle_untold(own, waiting, _NO_TRANSACTION, error)
        return
    yield from _settle_told(own, waiting, told)
    if waiting and listens:
        own.awaiting.append(Awaited(told.transaction_uid, own.timer() + how.wait, waiting))
    else:
        yield from _settle_untold(own, waiting, told.transaction_uid, NetworkError(_UNTOLD, category="transient"))


def settle_awaited(own: Destination) -> Operation:
    """Settle what peers have told of by now, and what they haven't told of in time; tell whether there was any."""
    before = len(own.awaiting)
    for one in own.awaiting[:]:
        told = own.ledger.result(one.transaction_uid)
        if told is None and own.timer() < one.until:
            continue
        if told is not None:
            yield from _settle_told(own, one.waiting, told)
        why = NetworkError(_UNTOLD, category="transient")
        yield from _settle_untold(own, one.waiting, one.transaction_uid, why)
        own.awaiting.remove(one)
    if len(own.awaiting) == before:
        return False
    yield Offload(own.flush)
    return True


def _settle_untold(own: Destination, waiting: dict[Reference, Settled], uid: str, why: NetworkError) -> Operation:
    """Settle what a peer hasn't told of, so that it is asked again."""
    if len(own.unconfirmed) > _MOST_UNCONFIRMED:
        own.unconfirmed.clear()
    for one in waiting.values():
        retry_at = own.later(one.entry, why)
        if retry_at is not None:
            own.unconfirmed[_key(one.peer, one.entry)] = uid
        yield from own.settle(replace(one, error=why, retry_at=retry_at))


def _settle_told(own: Destination, waiting: dict[Reference, Settled], told: Told) -> Operation:
    """Settle what a report tells, and take it out of what waits for one."""
    for reference in told.committed:
        if (one := waiting.pop(reference, None)) is not None:
            yield from own.settle(one)
    for reference, reason in told.failed:
        if (one := waiting.pop(reference, None)) is not None:
            error = StatusError(reason, category="transient" if reason.code in _TO_SEND_AGAIN else None)
            yield from own.settle(replace(one, error=error, retry_at=own.later(one.entry, error)))
