"""One destination of a queue: what is claimed for it, how it stands with its peers, and what is written down of it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import SystemRandom
from typing import Any, NamedTuple

from dicomkit.delivery.failover import Candidate, order
from dicomkit.delivery.queue import Queue
from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.routes import Route
from dicomkit.dimse.commitment import MemoryLedger
from dicomkit.dimse.commitments import Reference
from dicomkit.dimse.pool import Target
from dicomkit.dimse.steps import Emit, Offload, Operation
from dicomkit.dimse.store_report import Outcome
from dicomkit.errors import DicomError, SourceError
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import OnEvent

LEASE = 600.0
LOOK_AT_HOURS = 60.0
_SOONEST = 0.02
_AT_ONCE = 25
"""How many deliveries are written down together."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an entry in one attempt.

    Attributes
    ----------
    entry
        As it was claimed.
    peer
        To whom it was sent; empty where it wasn't.
    outcome
        What `dicomkit.store` says of it; None where it wasn't sent.
    error
        Why it isn't delivered; None where it is.
    retry_at
        When it is tried again, in seconds since 1970; None where it is delivered, or a dead letter.
    """

    entry: Entry
    peer: str = ""
    outcome: Outcome | None = None
    error: DicomError | None = None
    retry_at: float | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the peer has it."""
        return self.error is None


class Awaited(NamedTuple):
    """Instances that a peer was asked to keep, and hasn't told of yet: the transaction, and until when to wait."""

    transaction_uid: str
    until: float
    waiting: dict[Reference, Settled]


@dataclass(slots=True, eq=False)
class Destination:
    """One destination of a queue, as one association after the other serves it.

    Attributes
    ----------
    resting
        Until when, by the timer, a peer that failed is tried after the others.
    ledger
        The commitments that are waited for.
    awaiting
        What peers were asked to keep, and have time to tell of while more is sent.
    unconfirmed
        The transaction in which a peer was asked to keep what it was sent, and hasn't told yet whether it does.
    delivered
        How many have arrived.
    """

    queue: Queue
    name: str
    route: Route
    cancelled: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.time
    on_event: OnEvent | None = None
    resting: dict[Target, float] = field(default_factory=dict)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    awaiting: list[Awaited] = field(default_factory=list)
    unconfirmed: dict[tuple[Any, ...], str] = field(default_factory=dict)
    delivered: int = 0
    _turn: int = field(default_factory=lambda: SystemRandom().randrange(1 << 16))
    _claimed: dict[int, Entry] = field(default_factory=dict)
    _done: list[Entry] = field(default_factory=list)
    _renewed: float = 0.0

    @property
    def timer(self) -> Callable[[], float]:
        """What tells how long something takes, whoever sets the clock."""
        return time.monotonic if self.clock is time.time else self.clock

    @property
    def opens(self) -> float:
        """How long to wait, at most, for the hours in which it may be sent; nothing where that is now."""
        schedule, now = self.route.schedule, self.clock()
        if schedule is None or schedule.is_open(now):
            return 0.0
        opens = schedule.next_open(now)
        return LOOK_AT_HOURS if opens is None else min(max(opens - now, _SOONEST), LOOK_AT_HOURS)

    @property
    def is_held(self) -> bool:
        """Whether nothing more is to be begun now."""
        return self.cancelled() or bool(self.opens)

    def candidates(self) -> list[Candidate]:
        """Return the peers in the order in which they are tried: those that failed a moment ago after the others."""
        self._turn += 1
        ordered = order(self.route.candidates, self.route.strategy, self._turn)
        return sorted(ordered, key=lambda one: self.resting.get(one.peer, -math.inf) > self.timer())

    def later(self, entry: Entry, error: DicomError, *, patient: bool = False) -> float | None:
        """Return when an entry is tried again; None where it is a dead letter, which one is not that may wait."""
        policy = self.route.retry.for_sop_class(entry.sop_class_uid)
        if patient:
            policy = replace(policy, attempts=None, timeout=None, on=lambda _: True)
        elif _may_come_back(error, entry.path):
            error = NetworkError(error.message, category="transient")
        wait = policy.wait_after(error, entry.attempts, self.clock() - entry.enqueued)
        return None if wait is None else self.clock() + wait

    def took(self, entries: Sequence[Entry]) -> None:
        """Remember what was claimed, until it is written down what became of it."""
        if not self._claimed:
            self._renewed = self.clock()
        self._claimed |= {entry.id: entry for entry in entries}

    def give_back(self) -> None:
        """Write down what was delivered, and let others have what is claimed and neither settled nor awaited."""
        try:
            self.flush()
        finally:
            awaited = {one.entry.id for each in self.awaiting for one in each.waiting.values()}
            left = [self._claimed.pop(id) for id in list(self._claimed) if id not in awaited]
            if left:
                self.queue.release(left)

    def settle(self, settled: Settled) -> Operation:
        """Write down what became of an entry, and tell it."""
        if settled.error is None:
            self.delivered += 1
            self._done.append(settled.entry)
            if len(self._done) >= _AT_ONCE:
                yield Offload(self.flush)
        else:
            yield Offload(partial(self.queue.failed, settled.entry, settled.error, retry_at=settled.retry_at))
            self._claimed.pop(settled.entry.id, None)
        yield Emit(settled)

    def flush(self) -> None:
        """Write down what was delivered."""
        done = self._done[:]
        if done:
            self.queue.delivered(done)
            del self._done[: len(done)]
            for entry in done:
                self._claimed.pop(entry.id, None)

    def keeping(self, operation: Operation) -> Operation:
        """Run an operation; what is claimed stays so, however long it takes."""
        value: Any = None
        error: Exception | None = None
        try:
            while True:
                step = operation.send(value) if error is None else operation.throw(error)
                value = error = None
                try:
                    value = yield step
                    if self._claimed and abs(self.clock() - self._renewed) > LEASE / 3:
                        self._renewed = self.clock()
                        yield Offload(partial(self.queue.renew, list(self._claimed.values()), LEASE))
                except Exception as caught:
                    error = caught
        except StopIteration as stop:
            return stop.value
        finally:
            operation.close()


def _may_come_back(error: DicomError, path: str) -> bool:
    """Tell whether a file that can't be read may be read later: a share isn't there, and not just one of its files."""
    cause = error.__cause__
    if not isinstance(error, SourceError) or not isinstance(cause, OSError):
        return False
    return not isinstance(cause, FileNotFoundError) or not os.path.isdir(os.path.dirname(path))
