"""Forwarding: what is in a queue goes to the peers of its destinations, until nothing is left or nobody is reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from dicomkit.delivery.batch import send_batch, settle_awaited
from dicomkit.delivery.destination import LEASE, Destination
from dicomkit.delivery.queue import Queue
from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.routes import Route
from dicomkit.dimse.commitment import MemoryLedger, listening_for_reports
from dicomkit.dimse.pool import Target
from dicomkit.dimse.retrying import followed
from dicomkit.dimse.serving import while_serving
from dicomkit.dimse.steps import Offload, Operation, Sleep, Step, Together
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import OnEvent
from dicomkit.net.retry import RetryHistory

LOOK_AGAIN = 1.0
"""Seconds after which to look whether others have put something in, or it is to end."""
_SOONEST = 0.02
_LOOK_FOR_REPORTS = 0.05
_MOST_AWAITED = 100
"""How many batches may wait for reports of commitment before no more is sent."""
_REMEMBERED = 100
"""How many attempts to reach a peer are remembered."""


def forward(
    queue: Queue,
    routes: Mapping[str, Route],
    *,
    forever: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.time,
    on_event: OnEvent | None = None,
) -> Operation:
    """Send what is in a queue, until it is empty or nobody can be reached; several programs may do so at once.

    Parameters
    ----------
    queue
        Where the instances wait.
    routes
        How each destination is reached, by its name; those that aren't named are left alone.
    forever
        Whether to go on when there is nothing more, and when nobody can be reached, for whatever reason.
    cancelled
        Asked before each instance; once it says True nothing more is sent.
    clock
        Gives the seconds since 1970.
    on_event
        What is told of every event.

    Yields
    ------
    Settled
        For each attempt at an instance.

    Returns
    -------
    dict
        By destination: why the last attempt failed to reach any of its peers, where the patience of the route has
        ended; what waits for it is in the queue still.

    Raises
    ------
    QueueError
        When the queue can't be used.
    ConnectionFailedError
        When nothing can listen for commitments where a route says so.
    """
    resting: dict[Target, float] = {}
    ledger = MemoryLedger()
    destinations = [
        Destination(queue, name, one, cancelled, clock, on_event, resting, ledger)
        for name, one in routes.items()
        for _ in range(one.associations)
    ]
    operation = _forward_to_all(destinations, forever=forever)
    ports = {(one.commitment.host, one.commitment.port) for one in routes.values() if one.commitment is not None}
    for host, port in ports:
        if port is not None:
            operation = while_serving(listening_for_reports(ledger, host, port, on_event), operation)
    errors: dict[str, NetworkError] = yield from operation
    return errors


def _forward_to_all(destinations: list[Destination], *, forever: bool) -> Operation:
    operations = [own.keeping(_forward_to_the_end(own, forever=forever)) for own in destinations]
    if len(operations) == 1:
        errors = [(yield from operations[0])]
    else:
        errors = yield Together(operations)
    return {own.name: error for own, error in zip(destinations, errors, strict=True) if error is not None}


def _forward_to_the_end(own: Destination, *, forever: bool) -> Generator[Step, Any, NetworkError | None]:
    """Send what waits for a destination, and wait for what its peers have to tell of it."""
    try:
        error = yield from _forward_to(own, forever=forever)
        while own.awaiting:
            yield from _look_for_reports(own)
        return error
    finally:
        own.awaiting.clear()
        own.give_back()


def _forward_to(own: Destination, *, forever: bool) -> Generator[Step, Any, NetworkError | None]:
    """Send what waits for a destination; give why nobody can be reached, where that ends it."""
    patience = own.route.patience
    if forever:
        patience = replace(patience, attempts=None, timeout=None, on=lambda _: True)
    claim = partial(own.queue.claim, own.route.batch, destinations=own.name, lease=LEASE)
    history, failed = RetryHistory(), 0
    began = own.timer()
    while not own.cancelled():
        yield from settle_awaited(own)
        opens = own.opens
        held = opens or len(own.awaiting) >= _MOST_AWAITED
        entries: list[Entry] = [] if held else (yield Offload(claim, undo=own.queue.release))
        if own.awaiting and not entries:
            yield from _look_for_reports(own)
            continue
        if not entries:
            due = yield Offload(partial(own.queue.next_time, destinations=own.name))
            if due is None and not forever:
                return None
            wait = LOOK_AGAIN if due is None else min(max(due - own.clock(), _SOONEST), LOOK_AGAIN)
            yield from _pause(own, opens or wait)
            continue
        before = own.delivered
        error = yield from send_batch(own, entries)
        if error is None or own.delivered > before:
            history, failed, began = RetryHistory(), 0, own.timer()
            continue
        failed += 1
        seconds = patience.wait_after(error, failed, own.timer() - began)
        if seconds is None:
            error.history = history
            return error
        history = followed(RetryHistory(history[-_REMEMBERED:]), error, seconds, own.on_event, own.name)
        yield from _pause(own, seconds)
    return None


def _look_for_reports(own: Destination) -> Operation:
    """Let time pass until a peer tells something, or there may be more to send."""
    seconds = LOOK_AGAIN
    while seconds > 0 and not (yield from settle_awaited(own)):
        yield Sleep(_LOOK_FOR_REPORTS)
        seconds -= _LOOK_FOR_REPORTS


def _pause(own: Destination, seconds: float) -> Operation:
    """Let time pass, as long as nobody wants the end."""
    while seconds > 0 and not own.cancelled():
        yield Sleep(min(seconds, LOOK_AGAIN))
        seconds -= LOOK_AGAIN
