"""An association that stands: what was agreed, what comes over its wire, and how it ends (PS3.8 7)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from dicomkit.dimse.connection import DATA_TRANSFER, Aborted, Closed, Connection, Fragment, Indication
from dicomkit.dimse.negotiation import Context
from dicomkit.dimse.pdu import Abort, AssociateAC, AssociateRQ, ReleaseRP, ReleaseRQ
from dicomkit.dimse.steps import Buffer, Close, Read, Step, Wire, Write
from dicomkit.dimse.tracing import tracing
from dicomkit.dimse.user_information import AsynchronousOperations
from dicomkit.net.errors import (
    AssociationAbortedError,
    ContextNotAcceptedError,
    NetworkError,
    PeerTimeoutError,
)
from dicomkit.net.events import Event, OnEvent
from dicomkit.net.timeouts import Timeouts

_RELEASE_INDICATED = 8
LINGER = 1.0
"""Seconds at most in which what was written last may arrive, before the connection is closed."""
_CONTEXT_HINT = "see explain_association(peer) for what it takes"


@dataclass(slots=True)
class Established:
    """What stands between two ends from the establishment to the end; the only value here that changes.

    Attributes
    ----------
    contexts
        The presentation contexts that may be used, by their ids.
    maximum_length
        How large the PDUs may be that the other side takes.
    window
        How many operations we may have under way at once, 0 for any number.
    deadline
        When the operation that runs has to be done, on the monotonic clock.
    last_used
        When an operation ended last.
    """

    wire: Wire
    connection: Connection
    request: AssociateRQ
    answer: AssociateAC
    contexts: dict[int, Context]
    remote: str
    timeouts: Timeouts
    on_event: OnEvent | None = None
    id: str = ""
    deadline: float | None = None
    last_used: float = field(default_factory=time.monotonic)
    _indications: deque[Indication] = field(default_factory=deque)

    @property
    def is_open(self) -> bool:
        """Whether messages may be exchanged."""
        return self.connection.state == DATA_TRANSFER

    @property
    def release_requested(self) -> bool:
        """Whether the peer has asked for release and waits for the answer."""
        return self.connection.state == _RELEASE_INDICATED

    @property
    def has_more(self) -> bool:
        """Whether more of a message has come than was read."""
        return bool(self._indications) and isinstance(self._indications[0], Fragment)

    @property
    def maximum_length(self) -> int:
        """How large the PDUs may be that the other side takes, 0 for any size."""
        return (self.request if self.connection.acceptor else self.answer).user.maximum_length

    @property
    def window(self) -> int:
        """How many operations we may have under way at once, 0 for any number."""
        granted = self.answer.user.asynchronous_operations or AsynchronousOperations()
        return granted.performed if self.connection.acceptor else granted.invoked

    def context_for(
        self, abstract_syntax: str, transfer_syntax: str | None = None, *, provider: bool = False
    ) -> Context:
        """Return the accepted context of an abstract syntax, in a transfer syntax or any.

        Raises
        ------
        ContextNotAcceptedError
            When there is none.
        """
        for context in self.contexts.values():
            role = context.as_provider if provider else context.as_user
            if (
                context.abstract_syntax == abstract_syntax
                and role
                and transfer_syntax in (None, context.transfer_syntax)
            ):
                return context
        results = {context.context_id: context.result for context in self.answer.contexts}
        refused = [
            results.get(entry.context_id) for entry in self.request.contexts if entry.abstract_syntax == abstract_syntax
        ]
        result = refused[0] if refused else None
        raise ContextNotAcceptedError(abstract_syntax, transfer_syntax, self.remote, result, hint=_CONTEXT_HINT)

    def emit(self, name: str, *, level: str = "debug", category: str = "message", **data: Any) -> None:
        """Tell whoever listens."""
        if self.on_event is not None:
            self.on_event(Event(name, level=level, category=category, peer=self.remote, association=self.id, data=data))

    def listen(self, on_event: OnEvent | None) -> None:
        """Tell another listener from now on."""
        self.on_event = on_event
        self.connection.trace = tracing(on_event, self.remote, self.id)

    def failed_by(self, error: NetworkError) -> None:
        """Tell what broke the association."""
        self.emit("association failed", level="warning", category="association", error=str(error), cause=error.category)

    def write_buffers(self, buffers: list[Buffer]) -> Generator[Step, Any, None]:
        """Write PDUs that are ready; where the wire breaks, say why the peer broke it, if it did."""
        try:
            yield Write(self.wire, buffers, self.timeouts.write)
        except NetworkError:
            yield from self._last_words()
            raise

    def next_indication(self) -> Generator[Step, Any, Indication]:
        """Wait for whatever the peer says next."""
        if not self._indications:
            yield from self._fill(self.timeouts.read)
        return self._indications.popleft()

    def _fill(self, seconds: float | None, *, wait: bool = True) -> Generator[Step, Any, None]:
        """Read bytes until they mean something, for so many seconds; or those only that are there."""
        deadline = deadline_after(seconds)
        if self.deadline is not None:
            deadline = min(self.deadline, deadline or self.deadline)
        while not self._indications:
            try:
                data = yield Read(self.wire, seconds_until(deadline) if wait else 0)
            except PeerTimeoutError:
                yield from self.abort()
                raise
            if data is None:
                return
            self._indications += self.connection.receive(data) if data else self.connection.closed() or [Closed()]
            if output := self.connection.take_output():
                yield Write(self.wire, [output], self.timeouts.write)

    def ended(self, indication: Indication) -> Generator[Step, Any, NetworkError]:
        """Close the wire and return how the association came to its end, as an error."""
        if isinstance(indication, ReleaseRQ):
            self.connection.send(ReleaseRP())
            yield Write(self.wire, [self.connection.take_output()], self.timeouts.write)
        self.emit("association ended", level="warning", category="association", how=type(indication).__name__)
        yield Close(self.wire, LINGER if isinstance(indication, Aborted) and not indication.by_peer else 0)
        return ending_error(indication, self.remote)

    def _last_words(self) -> Generator[Step, Any, None]:
        """Read what the peer may have said before it broke the wire, which tells why."""
        try:
            while not any(isinstance(entry, (Aborted, Closed)) for entry in self._indications):
                data = yield Read(self.wire, 0)
                if not data:
                    return
                self._indications += self.connection.receive(data)
        except NetworkError:
            return
        for entry in self._indications:
            if isinstance(entry, Aborted):
                raise (yield from self.ended(entry))

    def failed(self, error: NetworkError) -> Generator[Step, Any, NetworkError]:
        """Abort because of an error, and return it."""
        yield from self.abort()
        return error

    def abort(self) -> Generator[Step, Any, None]:
        """End the association at once."""
        output = self.abort_bytes()
        if output:
            self.emit("association aborted", level="warning", category="association")
            try:
                yield Write(self.wire, [output], LINGER)
            except NetworkError:
                yield Close(self.wire)
                return
        yield Close(self.wire, LINGER if output else 0)

    def abort_bytes(self) -> bytes:
        """Return what to write when the association is to end at once; nothing where it has ended."""
        if not 2 < self.connection.state < 13:
            return b""
        self.connection.take_output()
        self.connection.send(Abort())
        return self.connection.take_output()

    def release(self) -> Generator[Step, Any, None]:
        """End the association in good order, and close the wire."""
        if not self.is_open:
            return
        self.connection.send(ReleaseRQ())
        yield from self.write_buffers([self.connection.take_output()])
        while True:
            if not self._indications:
                yield from self._fill(self.timeouts.artim)
            indication = self._indications.popleft()
            if isinstance(indication, ReleaseRP):
                break
            if isinstance(indication, ReleaseRQ):  # both sides asked at once: the requestor answers first (PS3.8 9.2.3)
                self.connection.send(ReleaseRP())
                yield from self.write_buffers([self.connection.take_output()])
            elif not isinstance(indication, Fragment):
                raise (yield from self.ended(indication))
        self.emit("association released", level="info", category="association", direction="sent")
        yield Close(self.wire)

    def accept_release(self) -> Generator[Step, Any, None]:
        """Answer the peer's request for release, and let it close the wire."""
        self.connection.send(ReleaseRP())
        yield from self.write_buffers([self.connection.take_output()])
        self.emit("association released", level="info", category="association", direction="received")
        yield Close(self.wire, LINGER)


def deadline_after(seconds: float | None) -> float | None:
    """Return when a time-out that begins now runs out, on the monotonic clock; None for never."""
    return None if seconds is None else time.monotonic() + seconds


def seconds_until(deadline: float | None) -> float | None:
    """Return how long it is until then, never quite nothing."""
    return None if deadline is None else max(deadline - time.monotonic(), 0.001)


def without_secrets(request: AssociateRQ) -> AssociateRQ:
    """Return a request whose user identity holds neither passcode nor token, for events and logs."""
    identity = request.user.identity
    if identity is None:
        return request
    shown = replace(identity, primary=identity.primary if identity.name else b"", secondary=b"")
    return replace(request, user=replace(request.user, identity=shown))


def ending_error(indication: Indication, remote: str) -> NetworkError:
    """Turn what ended an association into an error."""
    if isinstance(indication, Aborted):
        return indication.error or AssociationAbortedError(indication.source, indication.reason, remote)
    what = "asked for release" if isinstance(indication, ReleaseRQ) else "closed the connection"
    return AssociationAbortedError(None, None, remote, f"{remote} {what} in the middle of an exchange")
