"""Delivery: instances to a peer, or one of several, through a queue, so that none is lost on the way."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from dicomkit.delivery.destination import Settled
from dicomkit.delivery.failover import Candidate
from dicomkit.delivery.forwarding import forward
from dicomkit.delivery.queue import Queue
from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.queue_put import Receipt
from dicomkit.delivery.queue_tables import QueueError
from dicomkit.delivery.report import Delivery, DeliveryReport
from dicomkit.delivery.routes import Route, route
from dicomkit.dimse.interception import intercepted
from dicomkit.dimse.pool import Target
from dicomkit.dimse.steps import Emit, Offload, Operation
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import PeerTimeoutError
from dicomkit.net.events import OnEvent
from dicomkit.values.transfer_syntax import TransferSyntax

_AT_ONCE = 1000


def deliver(
    instances: Any,
    to: Target | Candidate | Iterable[Target | Candidate] | Route,
    *,
    queue: Queue | str | os.PathLike[str] | None = None,
    name: str | None = None,
    priority: int = 0,
    again: bool = True,
    timeout: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.time,
    on_event: OnEvent | None = None,
    **options: Any,
) -> Operation:
    """Deliver instances to a peer or one of several, through a queue; what fails for a while is tried again.

    Parameters
    ----------
    instances
        A path, folder, DataSet, bytes of a file, table of files, or many of them.
    to
        A peer, or several any of which may have an instance; or a `route`.
    queue
        The queue, or the path of its file, in which what isn't delivered stays for the next time; what is in it for the
        same destination is delivered as well. None: one for this delivery only.
    name
        Of the destination in the queue; by default the peers.
    priority
        The higher, the sooner.
    again
        Whether what the queue remembers as delivered goes again.
    timeout
        Seconds after which no instance is begun any more.
    cancelled
        Asked before each instance; once it says True nothing more is sent.
    clock
        Gives the seconds since 1970, as it does for the queue.
    on_event
        What is told of every event.
    options
        Those of `dicomkit.delivery.route`: ``strategy``, ``retry``, ``patience``, ``validation``, ``compress``,
        ``transfer_syntaxes``, ``convert``, ``bandwidth``, ``schedule``, ``associations``, ``batch``, ``commitment``,
        ``check``.

    Yields
    ------
    Settled
        For each attempt at an instance.

    Returns
    -------
    DeliveryReport
        What became of each instance. No failure of a peer is an error here: the report tells of it.

    Raises
    ------
    ValueFormatError
        When an option makes no sense.
    QueueError
        When the queue can't be used.
    """
    if isinstance(to, Route) and options:
        raise ValueFormatError(f"a route has its {', '.join(options)} already", hint="give them to dk.delivery.route")
    how = to if isinstance(to, Route) else route(to, **options)
    destination = name or how.name
    timer = time.monotonic if clock is time.time else clock
    began = timer()
    latest: dict[int, Delivery] = {}

    def is_over() -> bool:
        return cancelled() or (timeout is not None and timer() - began > timeout)

    def on_result(settled: Settled) -> Operation:
        if settled.entry.id in own:
            latest[settled.entry.id] = _attempted(settled)
        yield Emit(settled)

    with ExitStack() as stack:
        if isinstance(queue, Queue):
            used = queue
        else:
            path = queue or os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "delivery.queue")
            used = stack.enter_context((yield Offload(partial(Queue, path, clock=clock))))
        receipt: Receipt = yield Offload(partial(used.put, instances, destination, priority=priority, again=again))
        own = set(receipt.ids)
        sending = forward(used, {destination: how}, cancelled=is_over, clock=clock, on_event=on_event)
        errors = yield from intercepted(sending, on_result)
        deliveries = yield Offload(partial(_deliveries, used, receipt, latest))
        is_paused = yield Offload(partial(used.is_paused, destination))
    ended_by: DicomError | None = errors.get(destination)
    if ended_by is None and any(delivery.kind == "waiting" for delivery in deliveries):
        if is_over():
            ended_by = PeerTimeoutError("cancelled" if cancelled() else f"not done within {timeout} s")
        elif is_paused:
            ended_by = QueueError("the queue is paused", path=used.path, hint="resume it")
    return DeliveryReport(tuple(deliveries), timer() - began, ended_by)


def _attempted(settled: Settled) -> Delivery:
    """Note what is known of an attempt, as long as nobody clears or forgets the entry."""
    entry, outcome = settled.entry, settled.outcome
    return Delivery(
        "" if entry.is_spooled else entry.path,
        entry.sop_class_uid,
        entry.sop_instance_uid,
        "delivered" if settled.is_delivered else "cleared",
        "" if settled.is_delivered else str(settled.error),
        settled.peer if settled.is_delivered else "",
        entry.attempts,
        TransferSyntax.of(outcome.transfer_syntax_uid).name if outcome and outcome.transfer_syntax_uid else "",
        outcome.size if outcome is not None else 0,
        round(outcome.seconds, 4) if outcome is not None else 0.0,
    )


def _deliveries(queue: Queue, receipt: Receipt, latest: Mapping[int, Delivery]) -> list[Delivery]:
    """Tell what became of each instance: by the queue, and where that has forgotten it, by the last attempt."""
    deliveries = []
    for start in range(0, len(receipt.ids), _AT_ONCE):
        ids = receipt.ids[start : start + _AT_ONCE]
        found = {entry.id: entry for entry in queue.entries(ids=dict.fromkeys(ids))}
        for id in dict.fromkeys(ids):
            attempted = latest.get(id, Delivery("", kind="cleared"))
            deliveries.append(_delivery(found[id], attempted) if id in found else attempted)
    return deliveries + [Delivery(source, reason=str(error)) for source, error in receipt.refused]


def _delivery(entry: Entry, attempted: Delivery) -> Delivery:
    """Tell what became of an entry that the queue has still."""
    kind = entry.state if entry.state in ("delivered", "dead") else "waiting"
    return attempted._replace(
        source="" if entry.is_spooled else entry.path,
        sop_class_uid=entry.sop_class_uid,
        sop_instance_uid=entry.sop_instance_uid,
        kind=kind,
        reason="" if kind == "delivered" else entry.error or "",
        peer=attempted.peer if kind == "delivered" else "",
        attempts=entry.attempts,
    )
