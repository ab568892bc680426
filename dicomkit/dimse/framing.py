"""Cuts a stream of bytes into PDUs, and P-DATA into fragments as they come (PS3.8 9.3.1, 9.3.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from dicomkit.dimse.pdu_bytes import ABORT, ASSOCIATE_AC, ASSOCIATE_RQ, MAX_ASSOCIATE_LENGTH, P_DATA_TF
from dicomkit.net.errors import ProtocolError

_HEADER = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_SHORT_PDU = 4


class Frame(NamedTuple):
    """A PDU other than P-DATA-TF: its type, and what follows its header."""

    kind: int
    body: bytes


Piece: TypeAlias = "Frame | tuple[int, bool, bool, memoryview] | None"
"""A PDU; a part of a presentation data value (context, is a command, ends it, bytes); None where a P-DATA-TF begins."""


class Framer:
    """What is left over between two reads, and how much of the current PDU is still to come.

    Attributes
    ----------
    pdu_length
        Of the PDU that began last.
    """

    def __init__(self, max_pdu: int) -> None:
        self.max_pdu = max_pdu
        self._kind = 0  # of the PDU that is being read, 0 between two
        self.pdu_length = self._pdu_left = 0
        self._pdv_left = 0
        self._context_id = self._control = 0
        self._partial = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Piece]:
        """Take the next bytes of the stream and give the pieces that they complete.

        Raises
        ------
        ProtocolError
            When a type is unknown, a PDU is longer than allowed, or a presentation data value isn't within its PDU.
        """
        view = memoryview(data)
        position, size = 0, len(view)
        while position < size:
            if self._pdv_left:
                end = position + self._pdv_left
                if end > size:
                    end = size
                self._pdv_left -= end - position
                self._pdu_left -= end - position
                done = not self._pdv_left
                yield self._context_id, bool(self._control & 1), bool(done and self._control & 2), view[position:end]
                position = end
                if done and not self._pdu_left:
                    self._kind = 0
            elif self._kind == P_DATA_TF:
                header, position = self._take(_PDV.size, view, position)
                if header is not None:
                    yield from self._begin_value(header)
            elif self._kind:
                body, position = self._take(self._pdu_left, view, position)
                if body is not None:
                    kind, self._kind, self._pdu_left = self._kind, 0, 0
                    yield Frame(kind, bytes(body))
            else:
                header, position = self._take(_HEADER.size, view, position)
                if header is not None:
                    self._begin_pdu(header)
                    if self._kind == P_DATA_TF:
                        yield None

    def _take(self, count: int, view: memoryview, position: int) -> tuple[memoryview | bytes | None, int]:
        """Give exactly ``count`` bytes, or None and keep what there is."""
        partial = self._partial
        if not partial and len(view) - position >= count:
            return view[position : position + count], position + count
        end = position + count - len(partial)
        partial += view[position:end]
        if len(partial) < count:
            return None, len(view)
        whole = bytes(partial)
        partial.clear()
        return whole, end

    def _begin_pdu(self, header: memoryview | bytes) -> None:
        kind, length = _HEADER.unpack(header)
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise ProtocolError(f"the peer sent a PDU of type 0x{kind:02X}, which does not exist")
        if kind == P_DATA_TF:
            longest, shortest = self.max_pdu, _PDV.size
        elif kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            longest, shortest = MAX_ASSOCIATE_LENGTH, 68
        else:
            longest = shortest = _SHORT_PDU
        if not shortest <= length <= longest:
            raise ProtocolError(
                f"the peer announced a PDU of type {kind} with {length} bytes, where {shortest} to {longest} may come"
            )
        self._kind, self.pdu_length, self._pdu_left = kind, length, length

    def _begin_value(self, header: memoryview | bytes) -> Iterator[Piece]:
        """Begin a presentation data value; one without data ends at once."""
        length, self._context_id, self._control = _PDV.unpack(header)
        self._pdu_left -= _PDV.size
        if length < 2 or length - 2 > self._pdu_left or 0 < self._pdu_left - (length - 2) < _PDV.size:
            raise ProtocolError(f"the peer sent a presentation data value of {length} bytes, which its PDU can't hold")
        self._pdv_left = length - 2
        if not self._pdv_left:
            if not self._pdu_left:
                self._kind = 0
            yield self._context_id, bool(self._control & 1), bool(self._control & 2), memoryview(b"")
