"""A message to P-DATA-TF PDUs of the size that the peer takes (PS3.7 6.3, PS3.8 9.3.5, Annex E)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from dicomkit.dimse.steps import Buffer
from dicomkit.net.errors import ProtocolError

_HEADER = struct.Struct(">BxIIBB")
_OVERHEAD = 6
"""The bytes of a presentation data value beside its data."""
LARGEST_PAYLOAD = 1 << 18
"""What we put into a PDU where the peer sets no limit, or a larger one."""
CHUNK = 1 << 20
"""How much of a data set is in memory at a time."""


class Stored(Protocol):
    """Bytes that stay where they are until they are read, as a slice of a file."""

    def __len__(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes of a range."""


@dataclass(slots=True)
class Stream:
    """Bytes that come piece by piece, and whose number nobody knows before the end; ``size`` is what came so far."""

    pieces: Iterator[bytes] = field(repr=False)
    size: int = 0


Sendable: TypeAlias = "Buffer | Stored | Stream"


def payload_size(maximum_length: int) -> int:
    """Return how many bytes of data go into a PDU for a peer that takes PDUs of a maximum length, 0 for any.

    Raises
    ------
    ProtocolError
        When nothing goes into it.

    Examples
    --------
    >>> payload_size(16384), payload_size(0)
    (16378, 262144)
    """
    if not maximum_length:
        return LARGEST_PAYLOAD
    payload = min(maximum_length - _OVERHEAD, LARGEST_PAYLOAD) & ~1
    if payload < 2:
        raise ProtocolError(f"the peer takes PDUs of at most {maximum_length} bytes, into which no data fit")
    return payload


def message_buffers(
    context_id: int, command: bytes, data: Sendable | None, maximum_length: int
) -> Iterator[list[Buffer]]:
    """Cut a message into PDUs, as lists of buffers each of which is to be written at once.

    A message that is shorter than `CHUNK` comes in one list, so that it goes out in one write.

    Parameters
    ----------
    context_id
        Of the presentation context that was accepted.
    command
        The encoded command set.
    data
        The encoded data set: bytes, or what stays in a file until it is read.
    maximum_length
        What the peer said it takes, 0 for any.

    Raises
    ------
    ProtocolError
        When the maximum length is too small for any data.

    Examples
    --------
    >>> [list] = message_buffers(1, b"CCCC", b"DDDDDD", 10)
    >>> b"".join(list).hex(" ", 2)
    '0400 0000 000a 0000 0006 0103 4343 4343 0400 0000 000a 0000 0006 0100 4444 4444 0400 0000 0008 0000 0004 0102 4444'
    """
    payload = payload_size(maximum_length)
    pending = _fragments(context_id, command, payload, 1, ends=True)
    if data is None:
        yield pending
        return
    for chunk, ends in _chunks(data, max(CHUNK // payload, 1) * payload):
        yield pending + _fragments(context_id, chunk, payload, 0, ends=ends)
        pending = []


def _chunks(data: Sendable, step: int) -> Iterator[tuple[Buffer, bool]]:
    """Cut data into chunks of ``step`` bytes, the last of which may be shorter, and say which is the last."""
    if isinstance(data, Stream):
        waiting = bytearray()
        for piece in data.pieces:
            waiting += piece
            data.size += len(piece)
            while len(waiting) > step:
                yield bytes(waiting[:step]), False
                del waiting[:step]
        yield bytes(waiting), True
        return
    size = len(data)
    for start in range(0, size or 1, step):
        length = min(step, size - start)
        if isinstance(data, (bytes, bytearray, memoryview)):
            chunk: Buffer = memoryview(data)[start : start + length]
        else:
            chunk = data.read(start, length)
        if len(chunk) != length:
            raise ProtocolError(f"a data set of {size} bytes ended after {start + len(chunk)}")
        yield chunk, start + length >= size


def _fragments(context_id: int, data: Buffer, payload: int, control: int, *, ends: bool) -> list[Buffer]:
    """Put one header before each fragment; all but the last have the same."""
    view = memoryview(data)
    size = len(view)
    full = _HEADER.pack(4, payload + _OVERHEAD, payload + 2, context_id, control)
    last_start = (size - 1) // payload * payload if size else 0
    buffers: list[Buffer] = []
    for start in range(0, last_start, payload):
        buffers += (full, view[start : start + payload])
    rest = size - last_start
    header = _HEADER.pack(4, rest + _OVERHEAD, rest + 2, context_id, control | (2 if ends else 0))
    buffers += (header, view[last_start:])
    return buffers
