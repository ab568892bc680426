"""A TCP proxy on loopback that spoils connections: cut, stalled, swallowed, delayed or split at a given byte."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

TO_SERVER, TO_CLIENT = "to server", "to client"
MOST_CONNECTIONS = 64
_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """What goes wrong in one direction; by default nothing.

    Parameters
    ----------
    direction
        `TO_SERVER` or `TO_CLIENT`.
    cut_after
        Close both sides when so many bytes have passed.
    reset
        Cut with a TCP reset instead of an end of stream.
    stall_after
        Pass no more when so many bytes have passed, and keep both sides open.
    swallow_after
        Take what comes after so many bytes, and throw it away.
    delay
        Seconds before each chunk is passed on.
    split
        The most bytes that are passed on at once.
    """

    direction: str = TO_SERVER
    cut_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    swallow_after: int | None = None
    delay: float = 0.0
    split: int = 0

    @property
    def after(self) -> int | None:
        """The byte at which something happens."""
        return next((at for at in (self.cut_after, self.stall_after, self.swallow_after) if at is not None), None)


@dataclass
class Proxy:
    """A running proxy: where it listens, how many bytes went each way and what they were, how many came."""

    port: int
    passed: dict[str, int] = field(default_factory=lambda: {TO_SERVER: 0, TO_CLIENT: 0})
    recorded: dict[str, bytearray] = field(default_factory=lambda: {TO_SERVER: bytearray(), TO_CLIENT: bytearray()})
    connections: int = 0
    open_sides: int = 0


@contextmanager
def faulty_proxy(target: int, *faults: Fault, refuse: bool = False, record: bool = False) -> Iterator[Proxy]:
    """Pass connections on to a port of this machine, with faults; ``refuse`` closes each connection as it comes.

    ``record`` keeps all bytes that were passed on.
    """
    by_direction = {TO_SERVER: Fault(TO_SERVER), TO_CLIENT: Fault(TO_CLIENT)}
    by_direction |= {fault.direction: fault for fault in faults}
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener.getsockname()[1])
    lock, stopping = threading.Lock(), threading.Event()
    sockets: set[socket.socket] = set()
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not stopping.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with lock:
                proxy.connections += 1
            if refuse or proxy.connections > MOST_CONNECTIONS:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", target), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with lock:
                sockets.update((client, server))
            cut = threading.Event()
            for source, sink, direction in ((client, server, TO_SERVER), (server, client, TO_CLIENT)):
                thread = threading.Thread(target=pump, args=(source, sink, by_direction[direction], cut), daemon=True)
                thread.start()
                threads.append(thread)

    def pump(source: socket.socket, sink: socket.socket, fault: Fault, cut: threading.Event) -> None:
        passed = 0
        with lock:
            proxy.open_sides += 1
        try:
            while fault.cut_after is None or passed < fault.cut_after:
                data = source.recv(_CHUNK)
                if not data:
                    break
                if fault.delay and stopping.wait(fault.delay):
                    return
                going = data if fault.after is None else data[: max(fault.after - passed, 0)]
                for start in range(0, len(going), fault.split or _CHUNK):
                    sink.sendall(going[start : start + (fault.split or _CHUNK)])
                passed += len(going)
                with lock:
                    proxy.passed[fault.direction] += len(going)
                    if record:
                        proxy.recorded[fault.direction] += going
                if fault.stall_after is not None and passed >= fault.stall_after:
                    stopping.wait()
                    return
            if fault.cut_after is not None and passed >= fault.cut_after:
                cut.set()
                for side in (source, sink):
                    if fault.reset:
                        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                        side.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it, which would hold it open
                        side.close()
                    else:
                        side.shutdown(socket.SHUT_RDWR)
            elif not cut.is_set():
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            with suppress(OSError):
                if not cut.is_set():
                    sink.shutdown(socket.SHUT_RDWR)
        finally:
            with lock:
                proxy.open_sides -= 1

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield proxy
    finally:
        stopping.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        with lock:
            left = list(sockets)
        for side in left:
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()
        for thread in threads:
            thread.join(5)
