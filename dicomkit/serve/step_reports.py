"""Events of procedure steps on their way to who is subscribed: a bounded queue for each application entity.

Whoever caused an event doesn't wait for it: an operation beside the associations of the server delivers what waits for
one entity, in order, over an association of its own, and ends when nothing waits any more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from dicomkit.dimse.association import Association
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.procedure_step_events import report
from dicomkit.dimse.steps import Beside, Operation, Sleep
from dicomkit.errors import DicomError
from dicomkit.net.events import Event, OnEvent
from dicomkit.objects.procedure_step_event import StepEvent

_AT_ONCE = 1000
"""How many events one association carries."""
_LOOK_AGAIN = 0.25
"""Seconds between two looks for events that no association caused."""


class StepReports:
    """What waits to be delivered.

    Parameters
    ----------
    destinations
        Gives whom an AE title means; None for one that isn't told over DIMSE.
    most
        How many events may wait for one entity; those beyond are dropped.
    attempts, wait
        How often a delivery is tried, and seconds before the second; twice as many before each further one.
    on_event
        What is told of events that are dropped or refused.
    """

    def __init__(
        self,
        destinations: Callable[[str], Peer | None],
        *,
        most: int = 10_000,
        attempts: int = 3,
        wait: float = 2.0,
        on_event: OnEvent | None = None,
    ) -> None:
        self._destinations, self._most, self._attempts, self._wait = destinations, most, attempts, wait
        self._on_event = on_event
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[StepEvent]] = {}
        self._delivering: set[str] = set()

    def add(self, events: Iterable[StepEvent]) -> None:
        """Let events wait for those that they are for."""
        for event in events:
            for ae in event.receivers:
                if self._destinations(ae) is None:
                    self._tell("step event not sent", "debug", ae, event, reason="its receiver has no address")
                elif not self._put(ae, event):
                    self._tell("step event dropped", "warning", ae, event, reason=f"{self._most} others wait")

    def _put(self, ae: str, event: StepEvent) -> bool:
        with self._lock:
            queue = self._waiting.setdefault(ae, deque())
            if len(queue) < self._most:
                queue.append(event)
                return True
            return False

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def begin(self, association: Association) -> Operation:
        """Begin to deliver what waits, beside an association of the server."""
        for ae in self._idle():
            yield Beside(association.wire, self._deliver(ae))

    def look(self) -> Operation:
        """Deliver, for as long as a server lasts, what others cause than its associations."""
        while True:
            for ae in self._idle()[:1]:
                yield from self._deliver(ae)
            yield Sleep(_LOOK_AGAIN)

    def _idle(self) -> list[str]:
        """List for whom something waits that nobody delivers."""
        with self._lock:
            return [ae for ae in self._waiting if ae not in self._delivering]

    def _deliver(self, ae: str) -> Operation:
        """Deliver what waits for one entity until nothing does."""
        with self._lock:
            if ae in self._delivering:
                return
            self._delivering.add(ae)
        left: deque[StepEvent] = deque()
        try:
            while left := self._next(ae):
                yield from self._try(ae, left)
        except BaseException:  # the server ends: another one may go on
            with self._lock:
                self._waiting.setdefault(ae, deque()).extendleft(reversed(left))
                self._delivering.discard(ae)
            raise

    def _next(self, ae: str) -> deque[StepEvent]:
        """Take the events that are delivered next; where there are none, somebody else may deliver."""
        with self._lock:
            queue = self._waiting.pop(ae, deque())
            taken = deque(islice(queue, _AT_ONCE))
            for _ in taken:
                queue.popleft()
            if queue:
                self._waiting[ae] = queue
            if not taken:
                self._delivering.discard(ae)
            return taken

    def _try(self, ae: str, left: deque[StepEvent]) -> Operation:
        """Try a few times to deliver some events, and say of which that failed."""
        peer = self._destinations(ae)
        reason = "its receiver has no address any more"
        for attempt in range(self._attempts if peer is not None else 0):
            assert peer is not None
            if attempt:
                yield Sleep(self._wait * 2 ** (attempt - 1))
            try:
                refused = yield from report(peer, tuple(left), delivered=lambda _: left.popleft())
            except DicomError as error:
                reason = str(error)
                if left:
                    continue
                return  # only the release of the association failed
            for event, why in refused:
                self._tell("step event refused", "warning", ae, event, reason=str(why))
            return
        for event in left:
            self._tell("step event dropped", "warning", ae, event, reason=reason)

    def _tell(self, name: str, level: str, ae: str, event: StepEvent, **data: Any) -> None:
        if self._on_event is not None:
            told = {"receiver": ae, "step": event.uid, "event": event.name, **data}
            self._on_event(Event(name, level=level, category="operation", peer=ae, data=told))
