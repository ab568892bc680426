"""An archive behind DIMSE: echo, store, find, get and move for whoever may (PS3.4 Annexes A, B and C)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from dicomkit.archive.folder import FolderArchive
from dicomkit.archive.protocol import Archive, StoredInstance
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import asyncio_driver, blocking_driver
from dicomkit.dimse.find_provider import FindRequest, finding
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized_provider import Service, with_services
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import Policy, all_of, called, limited
from dicomkit.dimse.pool import VERIFICATION
from dicomkit.dimse.provider import Performer, Provider, accept_all, telling_refusals, verification
from dicomkit.dimse.retrieve_provider import RetrieveRequest, getting, moving
from dicomkit.dimse.steps import Buffer, Operation, Serve
from dicomkit.dimse.storage_classes import COMPRESSED, is_storage
from dicomkit.dimse.store_provider import Incoming, Receipt, storing
from dicomkit.dimse.user_information import DEFAULT_MAXIMUM_LENGTH
from dicomkit.errors import QueryError
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import OnEvent
from dicomkit.net.timeouts import Timeouts
from dicomkit.net.tls import Secure
from dicomkit.query import MODELS, Query, from_identifier, model_of
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is asked and told when an instance comes.

    Parameters
    ----------
    before
        Called before it is read; raises `Refused` where it isn't wanted.
    check
        Called with its data set before it is stored; raises an error where it isn't good enough.
    on_stored, on_failure
        Called with what was stored, and with why something was not.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.archive import MemoryArchive
    >>> from dicomkit.dimse.provider import Refused
    >>> def only_magnetic_resonance(ds):
    ...     if ds.Modality != "MR":
    ...         raise Refused("no MR")
    >>> refused = []
    >>> hooks = Hooks(check=only_magnetic_resonance, on_failure=lambda error, incoming: refused.append(error.message))
    >>> with dk.serve_dimse(MemoryArchive(), port=0, hooks=hooks) as server:
    ...     report = dk.store(server.peer(), dk.samples.ct_series(1, 8))
    >>> len(report.failed), refused
    (1, ['no MR'])
    """

    before: Callable[[Incoming], object] | None = None
    check: Callable[[DataSet], object] | None = None
    on_stored: Callable[[StoredInstance, Incoming], object] | None = None
    on_failure: Callable[[Exception, Incoming], object] | None = None


def archive_provider(
    archive: Archive | None,
    *,
    ae: str = "DICOMKIT",
    services: Sequence[Service] = (),
    accept: Policy = accept_all,
    sop_classes: Collection[str] | None = None,
    transfer_syntaxes: Sequence[str] = (*NATIVE, *COMPRESSED),
    destinations: Mapping[str, Peer] | Callable[[str], Peer | None] | None = None,
    hooks: Hooks | None = None,
    maximum_length: int = DEFAULT_MAXIMUM_LENGTH,
    window: int = 16,
    timeouts: Timeouts | None = None,
    on_event: OnEvent | None = None,
) -> Provider:
    """Make the provider of an archive.

    Parameters
    ----------
    archive
        Where instances go and come from; None where there are only services.
    ae
        Its AE title, which answers to find tell; whether requests must call it is for the policy to say (`called`).
    services
        What is done beside storage, queries and retrieval: `commitment`, `worklist`, `mpps`, `printing` and the others
        of `dicomkit.serve`.
    accept
        Who may associate; see `dicomkit.dimse.policies`.
    sop_classes
        UIDs of what may be stored; by default every storage class of PS3.6, retired ones too, and those that PS3.6
        doesn't know.
    transfer_syntaxes
        In which instances are taken, the best first.
    destinations
        Who is meant by the AE title of a C-MOVE: a mapping, or a function.
    hooks
        What is asked and told when an instance comes.
    maximum_length, window, timeouts, on_event
        As for `Provider`.
    """
    where_to = _destination(destinations)
    performers: dict[tuple[str, str], Performer] = {(VERIFICATION, "C-ECHO-RQ"): verification}
    if archive is not None:
        performers |= _archive_performers(archive, ae, hooks or Hooks(), where_to)

    def supports(abstract_syntax: str) -> Sequence[str]:
        if abstract_syntax == VERIFICATION or (archive is not None and model_of(abstract_syntax)):
            return NATIVE
        if archive is None:
            return ()
        stored = is_storage(abstract_syntax) if sop_classes is None else abstract_syntax in sop_classes
        return transfer_syntaxes if stored else ()

    provider = Provider(
        performers,
        supports,
        accept,
        provided_by_requestor=lambda uid: bool(supports(uid)) and not model_of(uid),
        maximum_length=maximum_length,
        window=window,
        timeouts=timeouts or Timeouts(),
        on_event=on_event,
    )
    return with_services(provider, services)


def _archive_performers(
    archive: Archive, ae: str, hooks: Hooks, where_to: Callable[[str], Peer | None]
) -> Mapping[tuple[str, str], Performer]:
    """Give what performs storage, queries and retrieval."""
    performers: dict[tuple[str, str], Performer] = {("", "C-STORE-RQ"): storing(_receiving(archive, hooks))}
    for (_, operation), uid in MODELS.items():
        if operation == "FIND":
            performers[uid, "C-FIND-RQ"] = finding(_searching(archive, ae))
        elif operation == "GET":
            performers[uid, "C-GET-RQ"] = getting(_fetching(archive))
        else:
            performers[uid, "C-MOVE-RQ"] = moving(_fetching(archive), where_to)
    return performers


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
    policy = all_of(called(ae), accept) if only_called else accept
    provider = archive_provider(archive, ae=ae, accept=policy, services=services, **options)
    serve = limited(provider, most_associations, most_per_host)
    refused = telling_refusals(provider.on_event)
    server = blocking_driver.SocketServer(Serve(serve, host, port, _secure(tls), refused=refused))
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
    policy = all_of(called(ae), accept) if only_called else accept
    provider = archive_provider(archive, ae=ae, accept=policy, services=services, **options)
    serve = limited(provider, most_associations, most_per_host)
    refused = telling_refusals(provider.on_event)
    server = asyncio_driver.StreamServer(Serve(serve, host, port, _secure(tls), refused=refused))
    await server.start()
    for operation in _beside(services):
        server.beside(operation)
    try:
        yield Peer("127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host, server.port, ae)
    finally:
        await asyncio.shield(server.stop())


def _beside(services: Sequence[Service]) -> list[Operation]:
    return [begin() for service in services for begin in service.beside]


def _secure(tls: Secure | ssl.SSLContext | None) -> Secure | None:
    return Secure(tls) if isinstance(tls, ssl.SSLContext) else tls


def _destination(
    destinations: Mapping[str, Peer] | Callable[[str], Peer | None] | None,
) -> Callable[[str], Peer | None]:
    if destinations is None:
        return lambda _: None
    return destinations.get if isinstance(destinations, Mapping) else destinations


def _searching(archive: Archive, ae: str) -> Callable[[DataSet, FindRequest], Iterator[DataSet | bytes]]:
    def search(identifier: DataSet, request: FindRequest) -> Iterator[DataSet | bytes]:
        query = _checked(from_identifier(identifier), request.sop_class_uid)
        if request.transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN and isinstance(archive, FolderArchive):
            encoded = archive.search_encoded(query, {"RetrieveAETitle": ae})
            if encoded is not None:
                return encoded
        return (match.assign(RetrieveAETitle=ae) for match in archive.search(query))

    return search


def _fetching(archive: Archive) -> Callable[[DataSet, RetrieveRequest], Iterable[StoredInstance]]:
    def fetch(identifier: DataSet, request: RetrieveRequest) -> Iterable[StoredInstance]:
        query = _checked(from_identifier(identifier), request.sop_class_uid)
        unique = {UNIQUE_KEYS[level] for level in LEVELS}
        keys = tuple(pair for pair in query.keys if pair[0] in unique)
        if not keys:
            raise IdentifierError("a retrieval needs a unique key")
        return archive.fetch(Query(query.level, type(query.keys)(keys)))

    return fetch


def _checked(query: Query, sop_class_uid: str) -> Query:
    """Refuse a query without level, and one on a level that the model doesn't have (PS3.4 C.4.1.1.4)."""
    model = model_of(sop_class_uid)
    root = model[0] if model else ""
    if query.level is None:
        raise IdentifierError("the identifier has no QueryRetrieveLevel")
    if (root == "STUDY" and query.level == "PATIENT") or (root.endswith("ONLY") and query.level in LEVELS[2:]):
        raise IdentifierError(f"the model has no level {query.level}")
    return query


class IdentifierError(QueryError):
    """An identifier that the information model doesn't have; ``status`` is the answer (PS3.4 C.4.1.1.4)."""

    status = 0xA900


class _Watched:
    """A receipt whose end is told to the hooks."""

    def __init__(self, receipt: Receipt, incoming: Incoming, hooks: Hooks) -> None:
        self._receipt, self._incoming, self._hooks = receipt, incoming, hooks
        self._told = False

    def write(self, buffers: Sequence[Buffer]) -> None:
        with self._telling():
            self._receipt.write(buffers)

    def commit(self) -> Any:
        with self._telling():
            stored = self._receipt.commit()
        self._told = True
        if self._hooks.on_stored is not None:
            self._hooks.on_stored(stored, self._incoming)
        return stored

    def discard(self) -> None:
        self._receipt.discard()
        if not self._told and self._hooks.on_failure is not None:
            self._hooks.on_failure(NetworkError("the instance did not come to its end"), self._incoming)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._told = True
            if self._hooks.on_failure is not None:
                self._hooks.on_failure(error, self._incoming)
            raise


def _receiving(archive: Archive, hooks: Hooks) -> Callable[[Incoming], Receipt]:
    def receive(incoming: Incoming) -> Receipt:
        try:
            if hooks.before is not None:
                hooks.before(incoming)
            receipt = archive.receive(
                incoming.sop_class_uid,
                incoming.sop_instance_uid,
                incoming.transfer_syntax_uid,
                calling_ae=incoming.caller.calling_aet,
                check=hooks.check,
            )
        except Exception as error:
            if hooks.on_failure is not None:
                hooks.on_failure(error, incoming)
            raise
        return _Watched(receipt, incoming, hooks) if hooks.on_stored or hooks.on_failure else receipt

    return receive
