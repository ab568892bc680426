"""A transport connection of an asyncio event loop, as a wire."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, cast

from dicomkit.dimse.steps import Buffer, Operation
from dicomkit.net.errors import ConnectionFailedError, NetworkError, PeerTimeoutError, connection_failed

_MOST_WAITING = 1 << 20
"""How many bytes may wait to be read before the peer is held back."""
_LOST = "lost the connection to"
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class RunsBeside(Protocol):
    """The server that a connection came to."""

    def beside(self, operation: Operation) -> None:
        """Run an operation until it or the server ends."""


class StreamWire(asyncio.Protocol):
    """A transport connection of an event loop, with the bytes that came and weren't read yet."""

    def __init__(self) -> None:
        self.remote = ""
        self.server: RunsBeside | None = None
        self.transport: asyncio.Transport
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._fresh = False
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the connection is there."""
        self.take(cast("asyncio.Transport", transport))

    def take(self, transport: asyncio.Transport) -> None:
        """Go on over a transport."""
        self.transport = transport
        address = transport.get_extra_info("peername") or ("", 0)
        self.remote = f"{address[0]}:{address[1]}"
        self._sock = transport.get_extra_info("socket")
        self._fresh = transport.get_extra_info("sslcontext") is not None

    def data_received(self, data: bytes) -> None:
        """Keep bytes until they are read; hold the peer back where too many wait."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _MOST_WAITING:
            self.transport.pause_reading()
        self._more.set()

    def eof_received(self) -> bool:
        """Note that the peer writes no more; we may still."""
        self._ended = True
        self._more.set()
        return not self.transport.get_extra_info("sslcontext")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended, and how."""
        self._ended, self._error = True, exc
        for event in (self._more, self._writable, self._closed):
            event.set()

    def pause_writing(self) -> None:
        """Let who writes wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let who writes go on."""
        self._writable.set()

    async def read(self, timeout: float | None) -> bytes | None:
        """Wait for bytes; none at the end."""
        if not self._waiting and not self._ended:
            if timeout == 0:
                await asyncio.sleep(0)
                if not self._waiting and not self._ended:
                    return None
            else:
                self._acknowledge_at_once()
                self._more.clear()
                try:
                    async with asyncio.timeout(timeout):
                        await self._more.wait()
                except TimeoutError:
                    raise PeerTimeoutError(f"{self.remote} sent nothing for {timeout:g} s", waited=timeout) from None
        if self._waiting:
            data = self._waiting.popleft()
            self._fresh = False
            if self._size > _MOST_WAITING >= self._size - len(data):
                self.transport.resume_reading()
            self._size -= len(data)
            return data
        if self._fresh or isinstance(self._error, OSError):
            error = self._error if isinstance(self._error, OSError) else ConnectionResetError("it was closed")
            raise connection_failed(error, self.remote, doing=_LOST, fresh=self._fresh) from self._error
        return b""

    def _acknowledge_at_once(self) -> None:
        if _QUICKACK is not None and self._sock is not None:
            with suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    async def write(self, buffers: Sequence[Buffer], timeout: float | None) -> None:
        """Write all of some buffers, and wait while too much of it is on its way."""
        if self._ended and self.transport.is_closing():
            raise ConnectionFailedError(f"{_LOST} {self.remote}")
        self.transport.write(b"".join(buffers))
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self._writable.wait()
            except TimeoutError:
                raise PeerTimeoutError(f"{self.remote} took nothing for {timeout:g} s", waited=timeout) from None
        if self._closed.is_set():
            raise ConnectionFailedError(f"{_LOST} {self.remote}")

    async def close(self, linger: float) -> None:
        """Close the connection; what was written arrives where the peer reads it within ``linger`` seconds."""
        if linger and not self._ended and not self.transport.is_closing():
            with suppress(OSError, TimeoutError, NotImplementedError, NetworkError):
                if self.transport.can_write_eof():
                    self.transport.write_eof()
                async with asyncio.timeout(linger):
                    while await self.read(linger):
                        pass
        self.transport.close()

    def abandon(self, last_words: bytes) -> None:
        """Close the connection at once, after a few bytes if they can be written without waiting."""
        if last_words and not self.transport.is_closing():
            self.transport.write(last_words)
        self.transport.close()
