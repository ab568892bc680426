"""A multipart message as a stream (RFC 2046, PS3.18 8.6.1.2): a parser of bytes into events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from dicomkit.errors import ReadError, TruncatedError

Headers: TypeAlias = "tuple[tuple[str, str], ...]"


class PartStarted(NamedTuple):
    """The headers of a part have come: pairs of name and value, as they were written."""

    headers: Headers


class PartData(NamedTuple):
    """Some of a part's body has come; a view of the bytes that were fed."""

    data: memoryview


class PartEnded(NamedTuple):
    """The part is complete."""


class MessageEnded(NamedTuple):
    """The closing boundary has come; what follows means nothing."""


Event: TypeAlias = PartStarted | PartData | PartEnded | MessageEnded


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may have at most: parts, headers of a part, bytes of these, of a body, and of the preamble."""

    parts: int = 100_000
    headers: int = 64
    header_bytes: int = 1 << 14
    part_bytes: int = 1 << 36
    preamble_bytes: int = 1 << 16


DEFAULT_LIMITS = Limits()
_PREAMBLE, _HEADERS, _BODY, _EPILOGUE = range(4)
_LINE = re.compile(rb"[ \t]{0,256}+\r?\n")
_CUT_LINE = re.compile(rb"(?:[ \t]{0,256}+\r?|-)\Z")
_FIRST_BOUNDARY = re.compile(rb"\n--([^\r\n]{1,200}?)[ \t]*\r?\n")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")
_LINE_END = re.compile(r"\r?\n")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)")


class MultipartParser:
    """Turns the bytes of a multipart message, in chunks of any size, into events.

    A preamble and an epilogue are passed over, lines may end without CR, and where no boundary is given the first line
    that looks like one is taken.

    Parameters
    ----------
    boundary
        Without the two hyphens before it.

    Examples
    --------
    >>> parser = MultipartParser("b")
    >>> started, data = parser.feed(b"--b\\r\\nContent-Type: text/plain\\r\\n\\r\\nhel")
    >>> started.headers, bytes(data.data)
    ((('Content-Type', 'text/plain'),), b'hel')
    >>> [type(event).__name__ for event in parser.feed(b"lo\\r\\n--b--\\r\\n")]
    ['PartData', 'PartEnded', 'MessageEnded']
    """

    def __init__(self, boundary: str | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._state = _PREAMBLE
        self._pending = b"\n"  # as if the message began after a line end
        self._before = 1
        self._offset = -1
        self._parts = 0
        self._size = 0
        self._delimiter = b"\n--" + boundary.encode("latin-1", "replace") if boundary else b""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, and return what they complete.

        Raises
        ------
        ReadError
            When they are no multipart message, or go beyond a limit; names the offset.
        """
        events: list[Event] = []
        data = self._pending + data if self._pending else bytes(data)
        at = self._before
        while at >= 0:
            if self._state == _BODY:
                at = self._body(data, at, events)
            elif self._state == _HEADERS:
                at = self._headers(data, at, events)
            elif self._state == _PREAMBLE:
                at = self._preamble(data, at, events)
            else:
                at = self._keep(data, len(data))
        return events

    def close(self) -> None:
        """Take the end of the message.

        Raises
        ------
        TruncatedError
            When it comes before the closing boundary.
        """
        if self._state != _EPILOGUE:
            where = f"within part {self._parts}" if self._parts else "before the first boundary"
            raise TruncatedError(f"the multipart message ends {where}", offset=self._offset + len(self._pending))

    def _keep(self, data: bytes, start: int, before: int = 0) -> int:
        """Keep the rest for when more has come; of it, ``before`` bytes are there only to be looked at."""
        self._pending = data[start:]
        self._before = before
        self._offset += start
        return -1

    def _error(self, message: str, at: int) -> ReadError:
        return ReadError(
            message, offset=max(self._offset + at, 0), hint="see Limits" if "more than" in message else None
        )

    def _find(self, data: bytes, start: int) -> tuple[int, int, bool]:
        """Find the next boundary: where its line begins and ends, and whether it closes the message.

        The begin is -1 where there is none, the end -1 where the line is not complete.
        """
        while (begin := data.find(self._delimiter, start)) >= 0:
            after = begin + len(self._delimiter)
            if data.startswith(b"--", after):
                return begin, after + 2, True
            if line := _LINE.match(data, after):
                return begin, line.end(), False
            if _CUT_LINE.match(data, after):
                return begin, -1, False
            start = begin + 1
        return -1, -1, False

    def _line_end(self, data: bytes, start: int) -> int:
        """Find the line end that may begin a boundary, of which the rest is still to come; else the end of the data."""
        while (at := data.find(b"\n", start)) >= 0:
            if self._delimiter.startswith(data[at:]):
                return at
            start = at + 1
        return len(data)

    def _preamble(self, data: bytes, at: int, events: list[Event]) -> int:
        if not self._delimiter:
            if first := _FIRST_BOUNDARY.search(data, at - self._before):
                self._delimiter = b"\n--" + first[1]
            elif len(data) > self._limits.preamble_bytes:
                raise self._error(f"no boundary within {len(data)} bytes", at)
            else:
                return self._keep(data, 0, self._before)
        begin, end, closing = self._find(data, at - self._before)
        if end >= 0:
            return self._boundary(end, closing, events)
        start = begin if begin >= 0 else max(len(data) - len(self._delimiter), 0)
        self._size += start
        if self._size > self._limits.preamble_bytes:
            raise self._error(f"a preamble of more than {self._limits.preamble_bytes} bytes", at)
        return self._keep(data, start)

    def _boundary(self, end: int, closing: bool, events: list[Event]) -> int:
        self._state = _EPILOGUE if closing else _HEADERS
        if closing:
            events.append(MessageEnded())
        return end

    def _headers(self, data: bytes, at: int, events: list[Event]) -> int:
        limits = self._limits
        if data.startswith((b"\r\n", b"\n"), at):
            headers: Headers = ()
            body = at + (2 if data[at] == 0x0D else 1)
        elif end := _END_OF_HEADERS.search(data, at, at + limits.header_bytes):
            headers = self._parsed(data[at : end.start()], at)
            body = end.end()
        elif len(data) - at >= limits.header_bytes:
            raise self._error(f"headers of more than {limits.header_bytes} bytes", at)
        else:
            return self._keep(data, at)
        self._parts += 1
        if self._parts > limits.parts:
            raise self._error(f"more than {limits.parts} parts", at)
        self._state, self._size, self._before = _BODY, 0, 1
        events.append(PartStarted(headers))
        return body

    def _parsed(self, block: bytes, at: int) -> Headers:
        text = _FOLD.sub(" ", block.decode("utf-8", "replace"))
        headers = []
        for line in _LINE_END.split(text):
            header = _HEADER.fullmatch(line)
            if header is None:
                raise self._error(f"this is no header of a part: {line[:80]!r}", at)
            headers.append((header[1], header[2].strip(" \t")))
        if len(headers) > self._limits.headers:
            raise self._error(f"more than {self._limits.headers} headers", at)
        return tuple(headers)

    def _body(self, data: bytes, at: int, events: list[Event]) -> int:
        """Take a body; the line end before a boundary is part of it, also the one that ends the headers."""
        begin, end, closing = self._find(data, at - self._before)
        if begin >= 0:
            stop = begin - 1 if begin > at and data[begin - 1] == 0x0D else begin
        else:
            stop = self._line_end(data, max(len(data) - len(self._delimiter), at - self._before))
            if stop > at and data[stop - 1] == 0x0D:
                stop -= 1
        if stop > at:
            self._size += stop - at
            if self._size > self._limits.part_bytes:
                raise self._error(f"a part of more than {self._limits.part_bytes} bytes", at)
            events.append(PartData(memoryview(data)[at:stop]))
            self._before = 0
        if end < 0:
            return self._keep(data, stop, max(at - stop, 0))
        events.append(PartEnded())
        return self._boundary(end, closing, events)
