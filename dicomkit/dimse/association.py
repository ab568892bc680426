"""An association in use: messages go out and come in over one wire, as generators of steps (PS3.7)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dicomkit.dimse.commands import MAX_COMMAND_LENGTH, Command, decode_command, encode_command
from dicomkit.dimse.connection import Fragment, Indication
from dicomkit.dimse.established import Established
from dicomkit.dimse.messages import Sendable, Stream, message_buffers
from dicomkit.dimse.negotiation import Context
from dicomkit.dimse.pdu import ReleaseRQ
from dicomkit.dimse.steps import Buffer, Operation, Sleep, Step
from dicomkit.dimse.tracing import tell_data_sent
from dicomkit.net.bandwidth import Bandwidth, pieces
from dicomkit.net.errors import NetworkError, PeerTimeoutError, ProtocolError

MAX_MESSAGE = 64 << 20
"""The longest data set that is held in memory: an identifier, an attribute list; what is stored is streamed."""
SLOWEST, PATIENCE = 1024, 30.0
"""The bytes a second that a peer has to send on average, after so many seconds."""

Sink = Callable[[list[Buffer]], Any]


class Message(NamedTuple):
    """What came: a command set, under a presentation context."""

    context: Context
    command: Command


@dataclass(slots=True)
class Association(Established):
    """One association, over which messages go.

    Attributes
    ----------
    perform
        What performs a request that comes while we wait for an answer; None where none may come.
    afterwards
        What is to follow answers that went out, in their order.
    """

    perform: Callable[[Association, Message], Operation] | None = None
    afterwards: deque[Callable[[Association], Operation]] = field(default_factory=deque)
    _last_message_id: int = 0

    def next_message_id(self) -> int:
        """Return a number for a request that no request under way has."""
        self._last_message_id = self._last_message_id % 0xFFFF + 1
        return self._last_message_id

    def write(
        self, context: Context, command: Command, data: Sendable | None = None, limit: Bandwidth | None = None
    ) -> Generator[Step, Any, None]:
        """Write a message, evenly where its bandwidth is limited."""
        yield from self._check_open()
        encoded = encode_command(command)
        for buffers in message_buffers(context.context_id, encoded, data, self.maximum_length):
            yield from self.write_data(buffers, limit)
        if self.on_event is not None:
            size = 0 if data is None else data.size if isinstance(data, Stream) else len(data)
            self.emit("message sent", command=command, context_id=context.context_id, bytes=size)

    def write_data(self, buffers: list[Buffer], limit: Bandwidth | None = None) -> Generator[Step, Any, None]:
        """Write P-DATA-TF that `message_buffers` made."""
        if self.on_event is not None:
            tell_data_sent(self.on_event, self.remote, self.id, buffers)
        for piece in (buffers,) if limit is None else pieces(buffers, limit.piece):
            if limit is not None and (wait := limit.take(sum(map(len, piece)))):
                yield Sleep(wait)
            yield from self.write_buffers(piece)

    def _check_open(self) -> Generator[Step, Any, None]:
        """Check that messages may be sent; where the peer has ended the association already, say how."""
        try:
            self.connection.may_send_data()
        except ProtocolError:
            ending = next((entry for entry in self._indications if not isinstance(entry, Fragment)), None)
            if ending is None:
                raise
            raise (yield from self.ended(ending)) from None

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
