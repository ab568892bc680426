"""What happens on a wire, as frozen events; one callback gets them all, and small consumers make logs of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from dicomkit.net.printable import printable

LEVELS: Mapping[str, int] = MappingProxyType(
    {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
)
"""The levels of events, and what `logging` calls them."""
MAX_VALUE = 200

Direction: TypeAlias = Literal["", "sent", "received"]

_EPOCH = time.time() - time.perf_counter()
_ON_THE_WIRE = frozenset(("association", "pdu", "message"))
"""The categories of what has a direction."""
_LAST_WORDS: Mapping[str, Direction] = {
    "sent": "sent",
    "requested": "sent",
    "granted": "sent",
    "refused": "sent",
    "aborted": "sent",
    "received": "received",
    "accepted": "received",
    "rejected": "received",
    "ended": "received",
}


def now() -> float:
    """Give the seconds since 1970 from a clock that never goes back.

    Examples
    --------
    >>> now() <= now()
    True
    """
    return _EPOCH + time.perf_counter()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a wire.

    Parameters
    ----------
    name
        What happened: ``"message sent"``, ``"association rejected"``.
    level
        ``"debug"``, ``"info"``, ``"warning"`` or ``"error"``.
    category
        What it is about: ``"association"``, ``"state"``, ``"pdu"``, ``"message"``, ``"operation"``, ``"storage"`` or
        ``"security"``.
    peer
        The other side.
    association
        Which association it belongs to; unique among those that are open.
    data
        What else is known, by name. Values from the wire are as they came: consumers don't print them unsanitised.
    time
        Seconds since 1970.

    Examples
    --------
    >>> Event("message sent", data={"bytes": 68}, time=0.0)
    Event(name='message sent', level='debug', category='message', peer='', association='', data={'bytes': 68}, time=0.0)
    """

    name: str
    level: str = "debug"
    category: str = "message"
    peer: str = ""
    association: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    time: float = field(default_factory=now)

    @property
    def direction(self) -> Direction:
        """Which way something went: what ``data["direction"]`` says, or else, of what goes over a wire, the last word.

        Examples
        --------
        >>> Event("message received").direction, Event("state changed").direction
        ('received', '')
        """
        told = self.data.get("direction")
        if told in ("sent", "received"):
            return "sent" if told == "sent" else "received"
        if self.category not in _ON_THE_WIRE:
            return ""
        return _LAST_WORDS.get(self.name.rpartition(" ")[2], "")

    @property
    def label(self) -> str:
        """A few words for a line of a log or an arrow of a diagram: the command or PDU, else the name.

        Examples
        --------
        >>> Event("association released").label
        'association released'
        """
        command = self.data.get("command")
        return printable(getattr(command, "name", None) or self.data.get("pdu") or self.name)


OnEvent: TypeAlias = Callable[[Event], object]
"""What an operation calls with each event; what it raises is not caught."""


def describe(event: Event) -> str:
    r"""Write an event as one line, sanitised and bounded.

    Examples
    --------
    >>> describe(Event("association requested", peer="A\nB", data={"aet": "X"}))
    'association requested peer=A\\nB aet=X'
    """
    parts = [printable(event.name)]
    if event.peer:
        parts.append(f"peer={printable(event.peer)}")
    if event.association:
        parts.append(f"association={printable(event.association)}")
    parts += [f"{printable(name)}={printable(value, MAX_VALUE)}" for name, value in event.data.items()]
    return " ".join(parts)


def to_logging(logger: logging.Logger | str = "dicomkit.net") -> OnEvent:
    """Make a consumer that writes each event to a logger of the standard library.

    Records have the event as their attribute ``event``. What comes from the wire is sanitised; see `describe`.

    Parameters
    ----------
    logger
        A logger or its name.

    Returns
    -------
    callable
        For ``on_event``.

    Examples
    --------
    >>> to_logging("dicomkit.net")(Event("message sent"))
    """
    target = logging.getLogger(logger) if isinstance(logger, str) else logger

    def consume(event: Event) -> None:
        level = LEVELS.get(event.level, logging.INFO)
        if target.isEnabledFor(level):
            target.log(level, "%s", describe(event), extra={"event": event})

    return consume


def to_all(*consumers: OnEvent) -> OnEvent:
    """Make a consumer that hands each event to several.

    Examples
    --------
    >>> seen, kept = [], []
    >>> to_all(seen.append, kept.append)(Event("message sent"))
    >>> len(seen), len(kept)
    (1, 1)
    """

    def consume(event: Event) -> None:
        for consumer in consumers:
            consumer(event)

    return consume


def at_least(level: str, consumer: OnEvent) -> OnEvent:
    """Make a consumer that hands on events of a level and above.

    Examples
    --------
    >>> seen = []
    >>> consume = at_least("warning", seen.append)
    >>> consume(Event("message sent")), consume(Event("association rejected", level="warning")), len(seen)
    (None, None, 1)
    """
    lowest = LEVELS[level]

    def consume(event: Event) -> None:
        if LEVELS.get(event.level, logging.INFO) >= lowest:
            consumer(event)

    return consume


def about(categories: Iterable[str], consumer: OnEvent) -> OnEvent:
    """Make a consumer that hands on events of some categories.

    Examples
    --------
    >>> seen = []
    >>> consume = about(["association", "pdu"], seen.append)
    >>> consume(Event("pdu sent", category="pdu")), consume(Event("message sent")), len(seen)
    (None, None, 1)
    """
    wanted = frozenset(categories)

    def consume(event: Event) -> None:
        if event.category in wanted:
            consumer(event)

    return consume
