"""An association for an operation: one of its own, or one of those that a pool keeps open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from dicomkit.dimse.association import Association
from dicomkit.dimse.commands import command
from dicomkit.dimse.guarding import guarded
from dicomkit.dimse.negotiation import MOST_CONTEXTS, NATIVE, Proposal
from dicomkit.dimse.pdu import PresentationContext
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.requestor import associate
from dicomkit.dimse.retrying import Given, never, retrying
from dicomkit.dimse.steps import Offload, Operation, Step
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import (
    AssociationAbortedError,
    ConnectionFailedError,
    NetworkError,
    PeerTimeoutError,
    PoolBusyError,
    ProtocolError,
    StatusError,
)
from dicomkit.net.events import OnEvent

VERIFICATION = "1.2.840.10008.1.1"
_BREAKS = (AssociationAbortedError, ConnectionFailedError, PeerTimeoutError, ProtocolError)


@dataclass(slots=True, eq=False)
class Pool:
    """Associations with one peer that are kept open, to be used again by operations that want the same contexts.

    Parameters
    ----------
    peer
        With whom.
    size
        How many there may be at once; an operation that would be one more waits.
    idle
        Seconds after which an association that nobody used is released: by the next operation, or `release_idle`.
    health
        Seconds after which one is asked for an echo before it is used again.
    on_event
        What is told of every event.
    """

    peer: Peer
    size: int = 4
    idle: float = 60.0
    health: float = 10.0
    on_event: OnEvent | None = field(default=None, repr=False)
    _kept: list[tuple[Proposal, Association]] = field(default_factory=list, repr=False)
    _count: int = field(default=0, repr=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueFormatError(f"a pool of {self.size} associations can't serve anyone")

    @property
    def counts(self) -> tuple[int, int]:
        """How many associations are in use, and how many wait to be."""
        with self._changed:
            return self._count - len(self._kept), len(self._kept)

    @property
    def rounds(self) -> float:
        """Seconds after which to look again for what nobody used."""
        return min(max(self.idle / 2, 0.05), 60.0)

    def reserve(self, proposal: Proposal, timeout: float | None) -> tuple[Association | None, list[Association]]:
        """Take an association with these contexts, or the right to open one; and those that are to be released.

        Raises
        ------
        PoolBusyError
            When others use all of them for longer than the time-out.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._kept or self._count < self.size, timeout):
                text = f"all {self.size} associations with {self.peer} are in use"
                hint = "read what is being retrieved to its end, or close it; or make the pool larger"
                raise PoolBusyError(text, waited=timeout, hint=hint)
            stale = self._idle_ones()
            found = next((pair for pair in reversed(self._kept) if pair[0] == proposal), None)
            if found is not None:
                self._kept.remove(found)
            elif self._count - len(stale) >= self.size:  # make room: the one that waited longest goes
                stale.append(self._kept.pop(0)[1])
            self._count -= len(stale)
            self._count += found is None
            return found[1] if found else None, stale

    def _idle_ones(self) -> list[Association]:
        """Keep those no longer that nobody used for too long."""
        earliest = time.monotonic() - self.idle
        stale = [association for _, association in self._kept if association.last_used < earliest]
        self._kept = [pair for pair in self._kept if pair[1].last_used >= earliest]
        return stale

    def take_idle(self) -> list[Association]:
        """Take those that nobody used for too long, to release them."""
        with self._changed:
            stale = self._idle_ones()
            self._count -= len(stale)
            self._changed.notify_all()
            return stale

    def put_back(self, proposal: Proposal, association: Association) -> None:
        """Keep an association for the next operation."""
        with self._changed:
            association.last_used = time.monotonic()
            self._kept.append((proposal, association))
            self._changed.notify()

    def give_back(self, proposal: Proposal, reserved: tuple[Association | None, list[Association]]) -> None:
        """Take back what was reserved for an operation that is abandoned by now."""
        kept, stale = reserved
        if kept is None:
            self.forget()
        else:
            self.put_back(proposal, kept)
        for association in stale:
            association.wire.abandon(association.abort_bytes())

    def forget(self) -> None:
        """Count one association less: it has ended."""
        with self._changed:
            self._count -= 1
            self._changed.notify()

    def take_all(self) -> list[Association]:
        """Take all that wait, to release them."""
        with self._changed:
            kept, self._kept = [association for _, association in self._kept], []
            self._count -= len(kept)
            self._changed.notify_all()
            return kept


Target: TypeAlias = "Peer | Pool"


def using(
    target: Target,
    proposal: Proposal,
    body: Callable[[Association], Operation],
    on_event: OnEvent | None = None,
    *,
    given: Given | None = None,
    cancelled: Callable[[], bool] = never,
    repeatable: bool = True,
    in_parts: bool = False,
) -> Operation:
    """Run the body of an operation over an association, and leave that as it should be, however the body ends.

    After its result, or a failure that the peer answered, the association is released or goes back to the pool; after
    any other error it is aborted. The breaker of the peer is asked before and told afterwards, and its policy says
    whether there is another attempt, over another association.

    Parameters
    ----------
    target, proposal
        With whom, and about what; the first context is that of the operation.
    body
        Makes the operation, for each attempt.
    given
        The results of earlier attempts, which are not given again.
    cancelled
        Once it says True there is no other attempt.
    repeatable
        Whether the operation may be done twice where its answer was lost; otherwise there is another attempt only where
        it was not begun, or refused.
    in_parts
        Whether the body sees itself to what fails: there is one attempt then, and it tells the breaker how its parts
        went.
    """
    peer = peer_of(target)
    listener = on_event or (target.on_event if isinstance(target, Pool) else None)
    begun = [False]

    def attempt() -> Operation:
        begun[0] = False
        return guarded(peer, _run(target, proposal, noted, on_event), listener, in_parts=in_parts)

    def noted(association: Association) -> Operation:
        begun[0] = True
        return body(association)

    policy = None if in_parts else peer.retry
    return (
        yield from retrying(
            attempt,
            policy and policy.for_sop_class(proposal.contexts[0].abstract_syntax),
            given=given,
            worth=lambda error: repeatable or not begun[0] or isinstance(error, StatusError),
            cancelled=cancelled,
            on_event=listener,
            peer=str(peer),
        )
    )


def peer_of(target: Target) -> Peer:
    """Return the peer that an operation is about.

    Raises
    ------
    ValueFormatError
        When it is given something else.
    """
    if isinstance(target, Peer):
        return target
    if not isinstance(target, Pool):
        raise ValueFormatError(f"{target!r} is neither a Peer nor a pool", hint='write dk.Peer("host", 104, "AET")')
    return target.peer


def _run(
    target: Target,
    proposal: Proposal,
    body: Callable[[Association], Operation],
    on_event: OnEvent | None,
) -> Operation:
    """Make one attempt."""
    association = yield from _acquire(target, proposal, on_event)
    operation = association.timeouts.operation
    association.deadline = None if operation is None else time.monotonic() + operation
    pool = target if isinstance(target, Pool) else None
    try:
        result = yield from body(association)
    except StatusError:
        yield from _give_back(pool, proposal, association)
        raise
    except BaseException as error:
        if pool is not None:
            pool.forget()
        if isinstance(error, _BREAKS):
            association.failed_by(error)
        if isinstance(error, GeneratorExit):
            association.emit("association abandoned", level="info", category="association")
            association.wire.abandon(association.abort_bytes())
        elif association.is_open:
            yield from association.abort()
        raise
    yield from _give_back(pool, proposal, association)
    return result


def release_idle(pool: Pool) -> Operation:
    """Release the associations of a pool that nobody used for too long."""
    for association in pool.take_idle():
        yield from _release(association)


def close_pool(pool: Pool) -> Operation:
    """Release all associations that a pool keeps."""
    for association in pool.take_all():
        yield from _release(association)


def echo_on(association: Association) -> Generator[Step, Any, int]:
    """Send a C-ECHO and return its status."""
    context = association.context_for(VERIFICATION)
    number = association.next_message_id()
    yield from association.write(context, command("C-ECHO-RQ", MessageID=number, AffectedSOPClassUID=VERIFICATION))
    response = yield from association.response(number)
    return int(response.command.Status)


def _acquire(target: Target, proposal: Proposal, on_event: OnEvent | None) -> Generator[Step, Any, Association]:
    if isinstance(target, Peer):
        return (yield from associate(target, proposal, on_event))
    pool = target
    while True:
        patience = pool.peer.timeouts.operation or pool.peer.timeouts.read
        reserve = partial(pool.reserve, proposal, patience)
        kept, stale = yield Offload(reserve, undo=partial(pool.give_back, proposal))
        for association in stale:
            yield from _release(association)
        try:
            listener = on_event or pool.on_event
            if kept is None:
                return (yield from associate(pool.peer, _with_verification(proposal), listener))
            kept.listen(listener)
            if (yield from _is_well(kept, pool.health)):
                found: Association = kept
                return found
        except BaseException:
            pool.forget()
            raise
        pool.forget()


def _with_verification(proposal: Proposal) -> Proposal:
    """Add the context that a health check needs, where there is room for it."""
    contexts = proposal.contexts
    if len(contexts) >= MOST_CONTEXTS or any(context.abstract_syntax == VERIFICATION for context in contexts):
        return proposal
    number = max((context.context_id for context in contexts), default=-1) + 2
    return replace(proposal, contexts=(*contexts, PresentationContext(number, VERIFICATION, NATIVE)))


def _is_well(association: Association, health: float) -> Generator[Step, Any, bool]:
    """Tell whether the peer still keeps its side of an association; one that it doesn't is closed."""
    try:
        message = yield from association.read_arrived()
        if message is not None or not association.is_open:
            yield from association.abort()
            return False
        if time.monotonic() - association.last_used > health:
            yield from echo_on(association)
    except NetworkError:
        return False
    return True


def _give_back(pool: Pool | None, proposal: Proposal, association: Association) -> Operation:
    association.deadline = None
    if pool is None:
        yield from association.release()
    elif association.is_open:
        pool.put_back(proposal, association)
    else:
        pool.forget()


def _release(association: Association) -> Operation:
    """Release an association that nobody needs; that the peer ended it already is no matter."""
    try:
        yield from association.release()
    except NetworkError:
        return
