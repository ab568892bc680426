"""An audit trail: a consumer of events that writes audit messages to the places that one names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TypeAlias

from dicomkit.errors import ValueFormatError
from dicomkit.net.audit_contents import this_host
from dicomkit.net.audit_fold import BEGIN, AuditFold
from dicomkit.net.audit_messages import OUTCOMES, SUCCESS, AuditMessage, AuditSource
from dicomkit.net.events import Event
from dicomkit.standard.audit_messages import audit_message_kind, audit_message_kinds

Destination: TypeAlias = "logging.Handler | Callable[[AuditMessage], object]"
"""Where messages go: a handler of the standard library, or a function."""
LOGGER = "dicomkit.audit"
"""The logger that is told when a destination fails."""


class AuditTrail:
    """A consumer for ``on_event`` that writes audit messages; one may serve many operations and servers at once.

    What a destination raises breaks nothing: it is counted in ``failures``, and the first of a series is logged.

    Attributes
    ----------
    counts
        How many messages of which kind were written, by their keywords.
    failures
        How many times a destination did not take a message.
    """

    def __init__(self, destinations: Iterable[Destination], fold: AuditFold) -> None:
        self.destinations = tuple(destinations)
        self.failures = 0
        self._fold = fold
        self._lock = threading.RLock()
        self._counts: dict[str, int] = {}
        self._failing: set[int] = set()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        messages: list[AuditMessage] = []
        with self._lock:
            self._guarded(self._fold, lambda: messages.extend(self._fold.feed(event)))
        for message in messages:
            self._write(message)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages of which kind were written."""
        with self._lock:
            return MappingProxyType(dict(self._counts))

    def record(self, message: AuditMessage) -> None:
        """Write a message of one's own, if its kind is wanted; others than those of DICOM always are."""
        if not message.kind or message.kind in self._fold.kinds:
            self._write(message)

    def flush(self) -> None:
        """Write what is known of associations that go on, and have the handlers write out what they hold back."""
        with self._lock:
            messages = self._fold.flush()
        for message in messages:
            self._write(message)
        for destination in self.destinations:
            if isinstance(destination, logging.Handler):
                self._guarded(destination, destination.flush)

    def close(self) -> None:
        """Write what is left, and close the handlers."""
        self.flush()
        for destination in self.destinations:
            if isinstance(destination, logging.Handler):
                self._guarded(destination, destination.close)

    def __enter__(self) -> AuditTrail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuditTrail: {sum(self.counts.values()):,} messages, {self.failures:,} failures>"

    def _write(self, message: AuditMessage) -> None:
        with self._lock:
            key = message.kind or message.event.id.code
            self._counts[key] = self._counts.get(key, 0) + 1
        for destination in self.destinations:
            if isinstance(destination, logging.Handler):
                self._guarded(destination, partial(_handed, destination, message))
            else:
                self._guarded(destination, partial(destination, message))

    def _guarded(self, destination: object, act: Callable[[], object]) -> None:
        """Do something that may fail, and go on; the first failure of a series is logged."""
        try:
            act()
        except Exception as error:
            with self._lock:
                self.failures += 1
                is_first = id(destination) not in self._failing
                self._failing.add(id(destination))
            if is_first:
                logging.getLogger(LOGGER).error("an audit destination failed: %r: %r", destination, error)
        else:
            with self._lock:
                self._failing.discard(id(destination))


def audit_trail(
    *destinations: Destination,
    source: AuditSource | str = "",
    kinds: Collection[str] | None = None,
    user: str = "",
    most_instances: int = 256,
) -> AuditTrail:
    """Make a consumer for ``on_event`` that writes audit messages (PS3.15 A.5).

    An association gives one message for each study that moved over it, with what became of it: one for what arrived,
    one for what didn't. Queries, retrievals without instances, deletions, refused and broken associations, and log-ins
    give one each.

    Parameters
    ----------
    destinations
        Handlers, as `audit_file` and `audit_syslog` make them, or functions of a message.
    source
        The system that keeps the trail; by default the name of the machine.
    kinds
        The messages that are wanted, by keyword, code or meaning: ``["DicomInstancesTransferred", "Query"]``; by
        default all but BeginTransferringDicomInstances.
    user
        For whom this process works, as ``"jane@hospital.example"``, where it is known.
    most_instances
        How many instances of a SOP class are listed in a message; all are counted.

    Returns
    -------
    AuditTrail
        A context manager, which closes the handlers.

    Raises
    ------
    ValueFormatError
        When there is no such message.

    Examples
    --------
    >>> import dicomkit as dk
    >>> messages = []
    >>> trail = audit_trail(messages.append, source="doctest")
    >>> with dk.serve_dimse(dk.MemoryArchive(), port=0) as server:
    ...     report = dk.store(server.peer(), dk.samples.ct_series(3, 8), on_event=trail)
    >>> [message.kind for message in messages], messages[0].objects[0].sop_classes[0].count
    (['DicomInstancesTransferred'], 3)
    """
    given = AuditSource(source or this_host()) if isinstance(source, str) else source
    wanted = set(audit_message_kinds()) - {BEGIN} if kinds is None else {_keyword(kind) for kind in kinds}
    return AuditTrail(destinations, AuditFold(given, wanted, user=user, most_instances=most_instances))


def only(kinds: Collection[str], destination: Destination) -> Destination:
    """Have a destination get messages of some kinds only; a handler gets a filter.

    Examples
    --------
    >>> alerts = []
    >>> trail = audit_trail(only(["Security Alert"], alerts.append))
    >>> trail(Event("connection failed", peer="PACS@10.0.0.7:104"))
    >>> len(alerts)
    1
    """
    wanted = {_keyword(kind) for kind in kinds}

    if isinstance(destination, logging.Handler):
        destination.addFilter(lambda record: record.__dict__["audit_message"].kind in wanted)
        return destination
    take = destination
    return lambda message: take(message) if message.kind in wanted else None


def audit_record(message: AuditMessage) -> logging.LogRecord:
    """Make the record that handlers get: its attribute ``audit_message`` is the message.

    Examples
    --------
    >>> from dicomkit.net.audit import ActiveParticipant, audit_message
    >>> message = audit_message("NetworkEntry", [ActiveParticipant("a")], AuditSource("sonic"), type="110124")
    >>> audit_record(message).getMessage()
    'Network Entry: success'
    """
    level = logging.INFO if message.event.outcome == SUCCESS else logging.WARNING
    words = (message.event.id.meaning, OUTCOMES[message.event.outcome])
    record = logging.LogRecord(LOGGER, level, __file__, 0, "%s: %s", words, None)
    record.created = message.event.time.timestamp()
    record.__dict__["audit_message"] = message
    return record


def _handed(handler: logging.Handler, message: AuditMessage) -> None:
    record = audit_record(message)
    if record.levelno >= handler.level:
        handler.handle(record)


def _keyword(name: str) -> str:
    kind = audit_message_kind(name)
    if kind is None:
        hint = f"there are {', '.join(audit_message_kinds())}"
        raise ValueFormatError(f"no audit message is called {name!r}", hint=hint)
    return kind.keyword
