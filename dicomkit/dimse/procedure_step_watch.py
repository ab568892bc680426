"""Watch procedure steps: subscribe, and receive events for as long as somebody wants them (PS3.4 CC.2.3, CC.2.4)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized import Reply
from dicomkit.dimse.normalized_provider import NormalizedRequest, Service, performing, with_services
from dicomkit.dimse.pool import VERIFICATION, Target
from dicomkit.dimse.procedure_step_events import subscribe, unsubscribe
from dicomkit.dimse.procedure_step_requests import Step
from dicomkit.dimse.provider import Provider, Refused, provide, verification
from dicomkit.dimse.steps import Emit, Operation, Serve, Sleep, Stop
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import Event, OnEvent
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Query
from dicomkit.standard.procedure_steps import EVENT, PUSH

RESOURCE_LIMITATION = 0x0213
_LOOK_AGAIN = 0.05
_MOST_ASSOCIATIONS = 16


@dataclass(frozen=True, slots=True)
class Watch:
    """A subscription, and the listener that its events come to.

    Attributes
    ----------
    reply
        What the peer answered to the subscription.
    host, port
        Where the listener is.
    """

    peer: Target
    step: Step | None
    receiver: str | None
    filtered: bool
    reply: Reply
    server: Any = field(repr=False)
    arrived: deque[StepEvent] = field(repr=False)
    on_event: OnEvent | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Where the listener is."""
        return str(self.server.host)

    @property
    def port(self) -> int:
        """Where the listener is."""
        return int(self.server.port)


def receiving_events(receive: Callable[[StepEvent], object]) -> Service:
    """Make the service of whom events are reported to (UPS Event as its user).

    Parameters
    ----------
    receive
        Called with each event; `Refused` answers a failure.
    """

    def perform(request: NormalizedRequest) -> None:
        data = request.data if request.data is not None else DataSet()
        receive(StepEvent(request.number, request.sop_instance_uid, data))

    performers = {(sop_class, "N-EVENT-REPORT-RQ"): performing(perform) for sop_class in (EVENT, PUSH)}
    return Service(performers, {EVENT: NATIVE}, provided_by_requestor=(EVENT,))


def watch(
    peer: Target,
    step: Step | None = None,
    *,
    receiver: str | None = None,
    lock: bool = False,
    keys: Query | Mapping[str, Any] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    until: Callable[[StepEvent], bool] | None = None,
    idle: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    most: int = 10_000,
    on_event: OnEvent | None = None,
) -> Operation:
    """Be told of a step, of all that there are and will be, or of those that match, as it happens.

    Events come to a listener that runs as long as this; the peer has to know our AE title, and that it is on ``host``
    and ``port``.

    Parameters
    ----------
    peer, step, receiver, lock, keys
        As for `subscribe`.
    host, port
        Where the listener is; port 0 is any that is free.
    until
        Asked about each event that was given; once it says True, this ends.
    idle
        Ends after so many seconds without an event.
    cancelled
        Asked again and again; once it says True, this ends.
    most
        How many events may wait to be looked at; the peer is refused more.
    on_event
        What is told of every event on the wires.

    Yields
    ------
    StepEvent
        As it comes.

    Returns
    -------
    Reply
        What the peer answered to the subscription.

    Raises
    ------
    StatusError
        When the peer refuses the subscription.
    NetworkError
        When there is no association, or nobody can listen there.
    """
    begun: Watch = yield from begin_watching(
        peer, step, receiver=receiver, lock=lock, keys=keys, host=host, port=port, most=most, on_event=on_event
    )
    try:
        yield from events_of(begun, until=until, idle=idle, cancelled=cancelled)
    except GeneratorExit:
        begun.server.abandon()
        raise
    except BaseException:
        yield from end_watching(begun)
        raise
    yield from end_watching(begun)
    return begun.reply


def begin_watching(
    peer: Target,
    step: Step | None = None,
    *,
    receiver: str | None = None,
    lock: bool = False,
    keys: Query | Mapping[str, Any] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    most: int = 10_000,
    on_event: OnEvent | None = None,
) -> Operation:
    """Listen for events, and then subscribe to them; the parameters are those of `watch`.

    Returns
    -------
    Watch
    """
    arrived: deque[StepEvent] = deque()

    def receive(event: StepEvent) -> None:
        if len(arrived) >= most:
            raise Refused(f"{most} events wait to be looked at", status=RESOURCE_LIMITATION)
        arrived.append(event)

    empty = Provider({(VERIFICATION, "C-ECHO-RQ"): verification}, _echo_only, on_event=on_event)
    provider = with_services(empty, [receiving_events(receive)])
    server = yield Serve(partial(provide, provider), host, port, most=_MOST_ASSOCIATIONS)
    try:
        reply = yield from subscribe(peer, step, receiver=receiver, lock=lock, keys=keys, on_event=on_event)
    except GeneratorExit:
        server.abandon()
        raise
    except BaseException:
        yield Stop(server)
        raise
    return Watch(peer, step, receiver, keys is not None, reply, server, arrived, on_event)


def events_of(
    begun: Watch,
    *,
    until: Callable[[StepEvent], bool] | None = None,
    idle: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Operation:
    """Give the events of a watch as they come; the parameters are those of `watch`."""
    last = time.monotonic()
    while not cancelled():
        while begun.arrived:
            event = begun.arrived.popleft()
            yield Emit(event)
            last = time.monotonic()
            if until is not None and until(event):
                return
        if idle is not None and time.monotonic() - last > idle:
            return
        yield Sleep(_LOOK_AGAIN)


def end_watching(begun: Watch) -> Operation:
    """Unsubscribe, and listen no more; that the peer has gone, or the step, is no matter."""
    try:
        yield from unsubscribe(
            begun.peer, begun.step, receiver=begun.receiver, filtered=begun.filtered, on_event=begun.on_event
        )
    except NetworkError as error:
        if begun.on_event is not None:
            begun.on_event(Event("still subscribed", level="warning", category="operation", data={"error": str(error)}))
    except GeneratorExit:
        begun.server.abandon()
        raise
    yield Stop(begun.server)


def _echo_only(abstract_syntax: str) -> tuple[str, ...]:
    return NATIVE if abstract_syntax == VERIFICATION else ()
