"""Runs operations over blocking sockets, in the thread of whoever asks."""

from __future__ import annotations

import _thread
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from queue import Queue
from typing import Any

from dicomkit.dimse.ending import Ending, Within
from dicomkit.dimse.steps import (
    Beside,
    Buffer,
    Close,
    Emit,
    Offload,
    Open,
    Operation,
    Read,
    Serve,
    Sleep,
    Stop,
    Together,
    Write,
)
from dicomkit.net.errors import NetworkError, PeerTimeoutError, connection_failed
from dicomkit.net.tls import secured

FIRST_BUFFER, RECEIVE_BUFFER = 1 << 13, 1 << 17
"""How much is read at once: little as long as little comes."""
_MOST_BUFFERS = 512  # IOV_MAX is 1024 on Linux, less elsewhere
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_QUEUED_RESULTS = 64
_LOST = "lost the connection to"
_GRACE = 0.2
"""Seconds in which associations may end by themselves when their server is stopped."""


class SocketWire:
    """A connected socket, with the buffer that it is read into."""

    __slots__ = ("__weakref__", "_buffer", "_fresh", "_full", "_timeout", "plain", "remote", "server", "sock")

    def __init__(self, sock: socket.socket, remote: str, server: SocketServer | None = None) -> None:
        self.sock = sock
        self.remote = remote
        self.server = server
        self.plain = not isinstance(sock, ssl.SSLSocket)
        self._fresh = not self.plain
        self._buffer = memoryview(bytearray(FIRST_BUFFER))
        self._full = False
        self._timeout: float | None = -1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def set_timeout(self, seconds: float | None) -> None:
        """Set how long to wait for what comes next; a system call, and so only where it changes."""
        if seconds != self._timeout:
            self.sock.settimeout(seconds)
            self._timeout = seconds

    def read(self, timeout: float | None) -> memoryview | None:
        """Wait for bytes, which stay valid until the next call."""
        if timeout == 0 and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            timeout = None
        self.set_timeout(timeout)
        try:
            if self.plain and _QUICKACK is not None:  # or stock servers answer 40 ms late
                self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if self._full and len(self._buffer) < RECEIVE_BUFFER:
                self._buffer = memoryview(bytearray(RECEIVE_BUFFER))
            count = self.sock.recv_into(self._buffer)
            self._full = count == len(self._buffer)
            if self._fresh and not count:
                raise ConnectionResetError("it was closed")
            self._fresh = False
            return self._buffer[:count]
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except TimeoutError:
            raise PeerTimeoutError(f"{self.remote} sent nothing for {timeout:g} s", waited=timeout) from None
        except OSError as error:
            raise connection_failed(error, self.remote, doing=_LOST, fresh=self._fresh) from error

    def write(self, buffers: Sequence[Buffer], timeout: float | None) -> None:
        """Write all of some buffers."""
        self.set_timeout(timeout)
        try:
            if self.plain:
                self._send(buffers)
            else:
                self.sock.sendall(b"".join(buffers))
        except TimeoutError:
            raise PeerTimeoutError(f"{self.remote} took nothing for {timeout:g} s", waited=timeout) from None
        except OSError as error:
            raise connection_failed(error, self.remote, doing=_LOST, fresh=self._fresh) from error

    def _send(self, buffers: Sequence[Buffer]) -> None:
        """Send as many buffers at once as the system takes, and go on where it stopped."""
        position, within = 0, 0
        while position < len(buffers):
            batch = list(buffers[position : position + _MOST_BUFFERS])
            batch[0] = memoryview(batch[0])[within:]
            sent = self.sock.sendmsg(batch)
            for buffer in batch:
                if sent < len(buffer):
                    break
                sent -= len(buffer)
                position += 1
                within = 0
            within += sent

    def close(self, linger: float) -> None:
        """Close the connection; what was written arrives where the peer reads it within ``linger`` seconds."""
        with suppress(OSError):
            if linger:
                self.sock.shutdown(socket.SHUT_WR)
                deadline = time.monotonic() + linger
                while (left := deadline - time.monotonic()) > 0:
                    self.sock.settimeout(left)
                    if not self.sock.recv_into(self._buffer):
                        break
        with suppress(OSError):
            self.sock.close()

    def interrupt(self) -> None:
        """End the connection while another thread uses it, which is then woken up, and closes it."""
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not that of TLS, which takes its state away

    def abandon(self, last_words: bytes) -> None:
        """Close the connection at once, after a few bytes if they can be written without waiting."""
        with suppress(OSError, ValueError):
            self.sock.settimeout(0)
            if last_words:
                self.sock.send(last_words)
            self.sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self.sock.close()


def results_of(operation: Operation) -> Generator[Any, None, Any]:
    """Run an operation, and give what it emits as it does; its result is the value of the StopIteration at the end.

    Abandoning the iterator closes the operation, which aborts its association.
    """
    try:
        step = next(operation)
        while True:
            if isinstance(step, Emit):
                yield step.result
                step = operation.send(None)
                continue
            try:
                if isinstance(step, Together):
                    value = yield from _together(step.operations, step.ending if isinstance(step, Within) else None)
                else:
                    value = _PERFORM[type(step)](step)
            except Exception as error:
                step = operation.throw(error)
            else:
                step = operation.send(value)
    except StopIteration as stop:
        return stop.value
    finally:
        operation.close()


def run(operation: Operation, emit: Callable[[Any], object] = lambda _: None) -> Any:
    """Run an operation to its end and return its result."""
    results = results_of(operation)
    while True:
        try:
            emit(next(results))
        except StopIteration as stop:
            return stop.value


def _open(step: Open) -> SocketWire:
    try:
        sock = socket.create_connection((step.host, step.port), step.timeout)
        if step.secure is not None:
            sock = secured(sock, step.secure, step.host)
    except OSError as error:
        raise connection_failed(error, step.host, step.port) from error
    return SocketWire(sock, f"{step.host}:{step.port}")


def _together(operations: Sequence[Operation], outer: Ending | None = None) -> Generator[Any, None, list[Any]]:
    """Run operations in threads of their own; the first error ends them all."""
    queue: Queue[tuple[int, str, Any]] = Queue(_QUEUED_RESULTS)
    ending = Ending()

    def work(number: int, operation: Operation) -> None:
        results = results_of(ending.of(operation))
        try:
            while not ending.has_come:
                queue.put((number, "result", next(results)))
        except StopIteration as stop:
            queue.put((number, "return", stop.value))
            return
        except BaseException as error:
            queue.put((number, "error", error))
            return
        finally:
            results.close()
        queue.put((number, "return", None))

    threads = [
        threading.Thread(target=work, args=pair, name="dicomkit operation", daemon=True)
        for pair in enumerate(operations)
    ]
    returned: list[Any] = [None] * len(threads)
    error: BaseException | None = None
    running = 0
    with ending.within(outer):
        try:
            for thread in threads:
                thread.start()
                running += 1
            while running:
                number, kind, value = queue.get()
                if kind == "result":
                    if not ending.has_come:
                        yield value
                    continue
                running -= 1
                returned[number] = value
                if kind == "error" and error is None:
                    error = value
                    ending.end()
        finally:
            ending.end()
            while running:
                running -= queue.get()[1] != "result"
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
    if error is not None:
        raise error
    return returned


class SocketServer:
    """Listens in one thread, and runs an operation in a thread of its own for each connection."""

    def __init__(self, step: Serve) -> None:
        self._step = step
        try:
            family = socket.AF_INET6 if ":" in step.host else socket.AF_INET
            self._listener = socket.create_server((step.host, step.port), family=family, backlog=128)
        except OSError as error:
            raise connection_failed(error, step.host, step.port, doing="can't listen on") from error
        self.host, self.port = self._listener.getsockname()[:2]
        self._wires: dict[int, SocketWire] = {}
        self._working = 0
        self._changed = threading.Condition()
        self._ending = Ending()
        self._thread = threading.Thread(target=self._accept, name=f"dicomkit server {self.port}", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            with self._changed:
                full = self._working >= self._step.most
                self._working += not full
            if full:
                sock.close()
            else:
                _thread.start_new_thread(self._work, (sock, address))  # a Thread would wait for its start

    def _work(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        this, step = threading.get_ident(), self._step
        try:
            if step.secure is not None:
                sock.settimeout(step.handshake)
                sock = secured(sock, step.secure, server_side=True)
            wire = SocketWire(sock, f"{address[0]}:{address[1]}", self)
            with self._changed:
                self._wires[this] = wire
            run(step.provider(wire, (address[0], address[1])))
        except (NetworkError, OSError) as error:
            if isinstance(error, NetworkError) and this not in self._wires:
                step.refused(f"{address[0]}:{address[1]}", error)  # of others their operation has told
        except Exception:
            logging.getLogger("dicomkit.dimse").exception("an association ended by a fault of its provider")
        finally:
            with suppress(OSError):
                sock.close()
            with self._changed:
                self._wires.pop(this, None)
                self._working -= 1
                self._changed.notify_all()

    def beside(self, operation: Operation) -> None:
        """Run an operation in a thread of its own, until it or the server ends."""
        with self._changed:
            self._working += 1
        _thread.start_new_thread(self._work_beside, (operation,))

    def _work_beside(self, operation: Operation) -> None:
        try:
            run(self._ending.of(operation))
        except Exception:
            logging.getLogger("dicomkit.dimse").exception("what a server did beside its associations failed")
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def abandon(self) -> None:
        """Listen no more, and end the associations that there are, without waiting."""
        self._close_listener()
        self._ending.end()
        with self._changed:
            working = list(self._wires.values())
        for wire in working:
            wire.abandon(b"")

    def stop(self, timeout: float = 5.0) -> None:
        """Listen no more, let the associations end that are about to, end the others, and wait for their threads."""
        self._close_listener()
        self._thread.join(timeout)
        with self._changed:
            self._changed.wait_for(lambda: not self._working, _GRACE)
        self.abandon()
        with self._changed:
            self._changed.wait_for(lambda: not self._working, timeout)

    def _close_listener(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


_PERFORM: Mapping[type, Callable[[Any], Any]] = {
    Open: _open,
    Read: lambda step: step.wire.read(step.timeout),
    Write: lambda step: step.wire.write(step.buffers, step.timeout),
    Close: lambda step: step.wire.close(step.linger),
    Sleep: lambda step: time.sleep(step.seconds),
    Offload: lambda step: step.function(),
    Beside: lambda step: step.wire.server.beside(step.operation),
    Serve: SocketServer,
    Stop: lambda step: step.server.stop(),
}
