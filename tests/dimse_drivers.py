"""The two drivers behind one face, so that one test runs with both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dicomkit.dimse import asyncio_driver, blocking_driver
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import VERIFICATION
from dicomkit.dimse.provider import Provider, provide, verification
from dicomkit.dimse.receipts import receiver
from dicomkit.dimse.steps import Operation, Serve
from dicomkit.dimse.storage_classes import COMPRESSED
from dicomkit.dimse.store_provider import storing
from dicomkit.net.timeouts import Timeouts

LOCALHOST = "127.0.0.1"


class Driver(NamedTuple):
    """How to run an operation to its end, collecting what it emits; and how to serve."""

    name: str
    run: Callable[[Operation], Any]
    collect: Callable[[Operation], list[Any]]
    serve: Callable[..., Any]


def _collect_blocking(operation: Operation) -> list[Any]:
    results: list[Any] = []
    blocking_driver.run(operation, results.append)
    return results


def _collect_asyncio(operation: Operation) -> list[Any]:
    async def collect() -> list[Any]:
        return [result async for result in asyncio_driver.results_of(operation)]

    return asyncio.run(collect())


@contextmanager
def _serve_blocking(provider: Any, secure: Any = None) -> Iterator[int]:
    server = blocking_driver.SocketServer(Serve(provider, LOCALHOST, 0, secure))
    try:
        yield server.port
    finally:
        server.stop()


@contextmanager
def _serve_asyncio(provider: Any, secure: Any = None) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio_driver.StreamServer(Serve(provider, LOCALHOST, 0, secure))
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


BLOCKING = Driver("blocking", blocking_driver.run, _collect_blocking, _serve_blocking)
ASYNCIO = Driver(
    "asyncio", lambda operation: asyncio.run(asyncio_driver.run(operation)), _collect_asyncio, _serve_asyncio
)
DRIVERS = [BLOCKING, ASYNCIO]


def storage(into: Any, **options: Any) -> Provider:
    """A provider of echo and storage."""
    performers = {(VERIFICATION, "C-ECHO-RQ"): verification, ("", "C-STORE-RQ"): storing(receiver(into))}
    options.setdefault("supports", lambda _: (*NATIVE, *COMPRESSED))
    return Provider(performers, **options)


@contextmanager
def serving(driver: Driver, into: Any, secure: Any = None, **options: Any) -> Iterator[Peer]:
    """A server of ours that stores, as a peer."""
    with driver.serve(partial(provide, storage(into, **options)), secure) as port:
        yield Peer(LOCALHOST, port, "OURS", timeouts=Timeouts(connect=10, read=10, write=10, artim=10))


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that are whole."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
