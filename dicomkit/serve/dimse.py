"""Servers of an archive behind DIMSE, in threads or in an event loop, until they are closed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from dicomkit.archive.protocol import Archive
from dicomkit.dimse import asyncio_driver, blocking_driver
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import Policy, all_of, called, limited
from dicomkit.dimse.provider import Provider, accept_all, telling_refusals
from dicomkit.dimse.steps import Operation, Serve
from dicomkit.net.tls import Secure
from dicomkit.serve.query_retrieve import archive_provider


class DimseServer:
    """A server that runs in threads of its own until it is closed.

    Attributes
    ----------
    host, port
        Where it listens.
    ae
        Its AE title.
    """

    def __init__(self, server: blocking_driver.SocketServer, ae: str) -> None:
        self._server = server
        self.host, self.port, self.ae = server.host, server.port, ae

    def peer(self, **options: Any) -> Peer:
        """Return the server as a Peer, for operations from this machine."""
        return Peer("127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host, self.port, self.ae, **options)

    def close(self) -> None:
        """Listen no more, and end what is under way."""
        self._server.stop()

    def __enter__(self) -> DimseServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<DimseServer {self.ae}@{self.host}:{self.port}>"


def serve_dimse(
    archive: Archive | None = None,
    *,
    ae: str = "DICOMKIT",
    host: str = "127.0.0.1",
    port: int = 11112,
    tls: Secure | ssl.SSLContext | None = None,
    most_associations: int | None = 64,
    most_per_host: int | None = None,
    only_called: bool = False,
    accept: Policy = accept_all,
    services: Sequence[Service] = (),
    **options: Any,
) -> DimseServer:
    """Serve an archive to DICOM peers, in threads, until the server is closed.

    Parameters
    ----------
    archive
        Where instances go and come from; None where there are only ``services``.
    ae, host, port
        Who it is and where it listens: only to this machine by default; ``"0.0.0.0"`` is everywhere, and port 0 any
        that is free.
    tls
        How connections are secured (`dicomkit.net.tls.server`); None for plain ones.
    most_associations, most_per_host
        How many there may be at once.
    only_called
        Whether requests must call our AE title.
    accept
        Who may associate; see `dicomkit.dimse.policies`.
    services
        What is done beside storage, queries and retrieval: `commitment`, `worklist`, `mpps`, `printing` and the others
        of `dicomkit.serve`.
    options
        The others of `archive_provider`.

    Returns
    -------
    DimseServer
        A context manager, which closes it.

    Raises
    ------
    ConnectionFailedError
        When it can't listen there.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.archive import MemoryArchive
    >>> archive = MemoryArchive()
    >>> with dk.serve_dimse(archive, port=0) as server:
    ...     report = dk.store(server.peer(), dk.samples.ct_series(2, 8))
    ...     [hit.NumberOfSeriesRelatedInstances for hit in dk.find(server.peer(), "series")]
    [2]
    """
    accepting = all_of(called(ae), accept) if only_called else accept
    provider = archive_provider(archive, ae=ae, accept=accepting, services=services, **options)
    server = blocking_driver.SocketServer(_serve(provider, host, port, tls, most_associations, most_per_host))
    for operation in _beside(services):
        server.beside(operation)
    return DimseServer(server, ae)


@asynccontextmanager
async def serve_dimse_async(
    archive: Archive | None = None,
    *,
    ae: str = "DICOMKIT",
    host: str = "127.0.0.1",
    port: int = 11112,
    tls: Secure | ssl.SSLContext | None = None,
    most_associations: int | None = 64,
    most_per_host: int | None = None,
    only_called: bool = False,
    accept: Policy = accept_all,
    services: Sequence[Service] = (),
    **options: Any,
) -> AsyncIterator[Peer]:
    """Serve an archive to DICOM peers in the running event loop, as long as the ``async with`` block lasts.

    The parameters are those of `serve_dimse`.

    Yields
    ------
    Peer
        The server, for operations from this machine.

    Raises
    ------
    ConnectionFailedError
        When it can't listen there.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.archive import MemoryArchive
    >>> async def main():
    ...     async with serve_dimse_async(MemoryArchive(), port=0) as peer:
    ...         await dk.dimse.aio.store(peer, dk.samples.ct_series(2, 8))
    ...         return [hit.Modality async for hit in dk.dimse.aio.find(peer, "series", return_keys=["Modality"])]
    >>> asyncio.run(main())
    ['CT']
    """
    accepting = all_of(called(ae), accept) if only_called else accept
    provider = archive_provider(archive, ae=ae, accept=accepting, services=services, **options)
    server = asyncio_driver.StreamServer(_serve(provider, host, port, tls, most_associations, most_per_host))
    await server.start()
    for operation in _beside(services):
        server.beside(operation)
    try:
        yield Peer("127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host, server.port, ae)
    finally:
        await asyncio.shield(server.stop())


def _beside(services: Sequence[Service]) -> list[Operation]:
    return [begin() for service in services for begin in service.beside]


def _serve(
    provider: Provider,
    host: str,
    port: int,
    tls: Secure | ssl.SSLContext | None,
    most: int | None,
    per_host: int | None,
) -> Serve:
    secure = Secure(tls) if isinstance(tls, ssl.SSLContext) else tls
    return Serve(limited(provider, most, per_host), host, port, secure, refused=telling_refusals(provider.on_event))
