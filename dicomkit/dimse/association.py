"""An association in use: messages go out and come in over one wire, as generators of steps (PS3.7, PS3.8 7)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from dicomkit.dimse.commands import MAX_COMMAND_LENGTH, Command, decode_command, encode_command
from dicomkit.dimse.connection import DATA_TRANSFER, Aborted, Closed, Connection, Fragment, Indication
from dicomkit.dimse.messages import Sendable, Stream, message_buffers
from dicomkit.dimse.negotiation import Context
from dicomkit.dimse.pdu import Abort, AssociateAC, AssociateRQ, ReleaseRP, ReleaseRQ
from dicomkit.dimse.steps import Buffer, Close, Operation, Read, Sleep, Step, Wire, Write
from dicomkit.dimse.user_information import AsynchronousOperations
from dicomkit.net.bandwidth import Bandwidth, pieces
from dicomkit.net.errors import (
    AssociationAbortedError,
    ContextNotAcceptedError,
    NetworkError,
    PeerTimeoutError,
    ProtocolError,
)
from dicomkit.net.events import Event, OnEvent
from dicomkit.net.timeouts import Timeouts

MAX_MESSAGE = 64 << 20
"""The longest data set that is held in memory: an identifier, an attribute list; what is stored is streamed."""
_RELEASE_INDICATED = 8
SLOWEST, PATIENCE = 1024, 30.0
"""The bytes a second that a peer has to send on average, after so many seconds."""
LINGER = 1.0
"""Seconds at most in which what was written last may arrive, before the connection is closed."""
_CONTEXT_HINT = "see explain_association(peer) for what it takes"

Sink = Callable[[list[Buffer]], Any]


class Message(NamedTuple):
    """What came: a command set, under a presentation context."""

    context: Context
    command: Command


@dataclass(slots=True)
class Association:
    """One association, from its establishment to its end; the only value here that changes.

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
    perform
        What performs a request that comes while we wait for an answer; None where none may come.
    afterwards
        What is to follow answers that went out, in their order.
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
    perform: Callable[[Association, Message], Operation] | None = None
    afterwards: deque[Callable[[Association], Operation]] = field(default_factory=deque)
    _indications: deque[Indication] = field(default_factory=deque)
    _last_message_id: int = 0

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

    def next_message_id(self) -> int:
        """Return a number for a request that no request under way has."""
        self._last_message_id = self._last_message_id % 0xFFFF + 1
        return self._last_message_id

    def emit(self, name: str, *, level: str = "debug", category: str = "message", **data: Any) -> None:
        """Tell whoever listens."""
        if self.on_event is not None:
            self.on_event(Event(name, level=level, category=category, peer=self.remote, association=self.id, data=data))

    def failed_by(self, error: NetworkError) -> None:
        """Tell what broke the association."""
        self.emit("association failed", level="warning", category="association", error=str(error), cause=error.category)

    def write(
        self, context: Context, command: Command, data: Sendable | None = None, limit: Bandwidth | None = None
    ) -> Generator[Step, Any, None]:
        """Write a message, evenly where its bandwidth is limited."""
        yield from self._check_open()
        encoded = encode_command(command)
        for buffers in message_buffers(context.context_id, encoded, data, self.maximum_length):
            for piece in (buffers,) if limit is None else pieces(buffers, limit.piece):
                if limit is not None and (wait := limit.take(sum(map(len, piece)))):
                    yield Sleep(wait)
                yield from self.write_buffers(piece)
        if self.on_event is not None:
            size = 0 if data is None else data.size if isinstance(data, Stream) else len(data)
            self.emit("message sent", command=command, context_id=context.context_id, bytes=size)

    def _check_open(self) -> Generator[Step, Any, None]:
        """Check that messages may be sent; where the peer has ended the association already, say how."""
        try:
            self.connection.may_send_data()
        except ProtocolError:
            ending = next((entry for entry in self._indications if not isinstance(entry, Fragment)), None)
            if ending is None:
                raise
            raise (yield from self.ended(ending)) from None

    def write_buffers(self, buffers: list[Buffer]) -> Generator[Step, Any, None]:
        """Write PDUs that are ready; where the wire breaks, say why the peer broke it, if it did."""
        try:
            yield Write(self.wire, buffers, self.timeouts.write)
        except NetworkError:
            yield from self._last_words()
            raise

    def read(self) -> Generator[Step, Any, Message | None]:
        """Wait for a command, as long as the read time-out says; None where the peer asks for release.

        Raises
        ------
        AssociationAbortedError, PeerTimeoutError, ProtocolError
            When the association ended.
        """
        return (yield from self.read_within(self.timeouts.read))

    def read_within(self, seconds: float | None) -> Generator[Step, Any, Message | None]:
        """Wait for a command to begin within so many seconds, None for ever; else as `read`."""
        return (yield from self._command(seconds))

    def read_arrived(self) -> Generator[Step, Any, Message | None]:
        """Return a command that has come already, without waiting; None where none has; else as `read`."""
        return (yield from self._command(0, wait=False))

    def _command(self, seconds: float | None, *, wait: bool = True) -> Generator[Step, Any, Message | None]:
        parts: list[bytes] = []
        size = 0
        context_id = -1
        while True:
            if not self._indications:
                if parts:
                    yield from self._fill(self.timeouts.read)
                else:
                    yield from self._fill(seconds, wait=wait)
                if not self._indications:
                    return None
            indication = self._indications.popleft()
            if isinstance(indication, ReleaseRQ) and not parts:
                return None
            fragment = yield from self._fragment(indication, is_command=True)
            if context_id not in (-1, fragment.context_id):
                raise (yield from self.failed(ProtocolError("the fragments of a command have different contexts")))
            context_id = fragment.context_id
            parts.append(bytes(fragment.data))
            size += len(fragment.data)
            if size > MAX_COMMAND_LENGTH:
                raise (yield from self.failed(ProtocolError(f"a command set has more than {MAX_COMMAND_LENGTH} bytes")))
            if fragment.is_last:
                break
        command = yield from self._decoded(b"".join(parts))
        if self.on_event is not None:
            self.emit("message received", command=command, context_id=context_id)
        return Message(self.contexts[context_id], command)

    def _decoded(self, data: bytes) -> Generator[Step, Any, Command]:
        try:
            return decode_command(data)
        except ProtocolError:
            yield from self.abort()
            raise

    def response(self, message_id: int) -> Generator[Step, Any, Message]:
        """Wait for a response to a request of ours.

        Raises
        ------
        ProtocolError
            When something else comes.
        """
        message = yield from self.read()
        if message is None or message.command.get("MessageIDBeingRespondedTo") != message_id:
            raise (yield from self.unexpected(message))
        return message

    def unexpected(self, message: Message | None) -> Generator[Step, Any, NetworkError]:
        """End the association because of a message, or a request for release, that may not come now."""
        if message is None:
            return (yield from self.ended(ReleaseRQ()))
        text = f"{self.remote} sent {message.command.name}, which answers no request of ours"
        return (yield from self.failed(ProtocolError(text)))

    def read_data(self, context: Context, limit: int = MAX_MESSAGE) -> Generator[Step, Any, bytes]:
        """Read the data set of the command just read, into memory.

        Raises
        ------
        ProtocolError
            When it is longer than the limit.
        """
        parts: list[bytes] = []
        yield from self.data_buffers(context, lambda buffers: parts.extend(map(bytes, buffers)), limit)
        return b"".join(parts)

    def data_buffers(self, context: Context, sink: Sink, limit: int | None = None) -> Generator[Step, Any, int]:
        """Read the data set of the command just read, and hand its bytes to a sink as they come; return how many.

        The bytes are valid until the sink returns; where it returns steps, until they are done.
        """
        size = 0
        done = False
        began = time.monotonic()
        while not done:
            if not self._indications:
                yield from self._fill(self.timeouts.read)
                if size < SLOWEST * (time.monotonic() - began - PATIENCE):
                    error = PeerTimeoutError(f"{self.remote} sends less than {SLOWEST} bytes a second")
                    raise (yield from self.failed(error))
            buffers: list[Buffer] = []
            while self._indications and not done:
                fragment = yield from self._fragment(self._indications.popleft(), is_command=False)
                if fragment.context_id != context.context_id:
                    raise (
                        yield from self.failed(
                            ProtocolError("the data set of a message has another context than its command")
                        )
                    )
                size += len(fragment.data)
                buffers.append(fragment.data)
                done = fragment.is_last
            if limit is not None and size > limit:
                raise (
                    yield from self.failed(
                        ProtocolError(f"a data set has more than the {limit} bytes that are allowed")
                    )
                )
            outcome = sink(buffers)
            if outcome is not None:
                yield from outcome
        if self.on_event is not None:
            self.emit("data received", context_id=context.context_id, bytes=size)
        return size

    def next_indication(self) -> Generator[Step, Any, Indication]:
        """Wait for whatever the peer says next."""
        if not self._indications:
            yield from self._fill(self.timeouts.read)
        return self._indications.popleft()

    def _fragment(self, indication: Indication, *, is_command: bool) -> Generator[Step, Any, Fragment]:
        """Return an indication that is a fragment of the right kind; anything else is the end."""
        if not isinstance(indication, Fragment):
            raise (yield from self.ended(indication))
        if indication.is_command != is_command or indication.context_id not in self.contexts:
            expected = "command" if is_command else "data set"
            raise (
                yield from self.failed(ProtocolError(f"the peer sent something else where a {expected} was to come"))
            )
        return indication

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
