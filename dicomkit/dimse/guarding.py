"""What the breaker of a peer says to an operation, and is told of it."""

from __future__ import annotations

from dicomkit.dimse.peer import Peer
from dicomkit.dimse.steps import Operation
from dicomkit.net.breaker import CircuitState
from dicomkit.net.events import Event, OnEvent


def guarded(peer: Peer, operation: Operation, on_event: OnEvent | None = None, *, in_parts: bool = False) -> Operation:
    """Run an operation if the breaker of its peer allows that, and tell the breaker what became of it.

    One that is done in parts tells the breaker about them itself, so that its end means nothing.

    Raises
    ------
    CircuitOpenError
        When the peer is left alone.
    """
    breaker = peer.breaker
    if breaker is None:
        return (yield from operation)
    _emit(peer, breaker.begin(str(peer)), on_event)
    try:
        result = yield from operation
    except BaseException as error:
        _emit(peer, breaker.ended(error), on_event)
        raise
    if in_parts:
        breaker.left()
    else:
        _emit(peer, breaker.ended(None), on_event)
    return result


def tell_breaker(peer: Peer, error: BaseException | None, on_event: OnEvent | None = None) -> None:
    """Tell the breaker of a peer what became of a part of an operation, such as one of many instances."""
    if peer.breaker is not None:
        _emit(peer, peer.breaker.told(error), on_event)


def _emit(peer: Peer, state: CircuitState | None, on_event: OnEvent | None) -> None:
    """Tell whoever listens of a circuit that changed."""
    if state is not None and on_event is not None:
        level = "warning" if state == "open" else "info"
        on_event(Event(f"circuit {state}", level=level, category="operation", peer=str(peer)))
