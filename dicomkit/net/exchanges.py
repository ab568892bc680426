"""Requests and the responses that belong to them, found in a stream of events by their message ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from dicomkit.net.events import Event
from dicomkit.standard.statuses import Status, status

_PENDING = (0xFF00, 0xFF01)


class Exchange(NamedTuple):
    """A request and what came of it.

    Attributes
    ----------
    operation
        The service, as ``"C-STORE"``.
    peer, association
        As the events have them.
    is_user
        Whether the request was ours.
    started, answered, ended
        Seconds since 1970: the request, its first and its last response; None where none came.
    responses
        How many came, pending ones included.
    status
        Of the last response that wasn't pending; None while there was none.
    sent, received
        Bytes, as far as events tell them (``data["bytes"]``).
    """

    operation: str
    peer: str
    association: str
    is_user: bool
    started: float
    answered: float | None = None
    ended: float | None = None
    responses: int = 0
    status: Status | None = None
    sent: int = 0
    received: int = 0

    @property
    def seconds(self) -> float | None:
        """How long it took, None while it isn't done."""
        return None if self.ended is None else self.ended - self.started


def exchanges(events: Iterable[Event]) -> Iterator[Exchange]:
    """Match requests and responses; those that have ended come first, in the order of their end.

    Parameters
    ----------
    events
        In the order of time; those without a ``command`` in their data are passed over. A command is a mapping with the
        keywords of PS3.7 annex E, and a ``name``.

    Yields
    ------
    Exchange
        Those without a final response come last.

    Examples
    --------
    >>> from dicomkit.dimse.commands import command
    >>> asked = Event("message sent", data={"command": command("C-ECHO-RQ", MessageID=1)}, time=1.0)
    >>> told = {"command": command("C-ECHO-RSP", MessageIDBeingRespondedTo=1, Status=0)}
    >>> [echo] = exchanges([asked, Event("message received", data=told, time=1.5)])
    >>> echo.operation, echo.seconds, echo.status.category
    ('C-ECHO', 0.5, 'Success')
    """
    under_way: dict[tuple[str, str, bool, int], Exchange] = {}
    for event in events:
        command = event.data.get("command")
        name = str(getattr(command, "name", ""))
        direction = event.direction
        if command is None or not direction or "CANCEL" in name:
            continue
        count = _bytes(event)
        sent, received = (count, 0) if direction == "sent" else (0, count)
        if name.endswith("-RQ"):
            is_user = direction == "sent"
            key = (event.peer, event.association, is_user, _number(command, "MessageID"))
            service = name.removesuffix("-RQ")
            under_way[key] = Exchange(
                service, event.peer, event.association, is_user, event.time, sent=sent, received=received
            )
        elif name.endswith("-RSP"):
            key = (
                event.peer,
                event.association,
                direction == "received",
                _number(command, "MessageIDBeingRespondedTo"),
            )
            known = under_way.get(key)
            if known is None:
                continue
            code = _number(command, "Status")
            known = known._replace(
                answered=known.answered if known.answered is not None else event.time,
                responses=known.responses + 1,
                sent=known.sent + sent,
                received=known.received + received,
            )
            if code in _PENDING:
                under_way[key] = known
            else:
                del under_way[key]
                yield known._replace(ended=event.time, status=status(code, known.operation))
    yield from under_way.values()


def _number(command: Any, keyword: str) -> int:
    value = command.get(keyword)
    return value if isinstance(value, int) else -1


def _bytes(event: Event) -> int:
    value = event.data.get("bytes")
    return value if isinstance(value, int) else 0
