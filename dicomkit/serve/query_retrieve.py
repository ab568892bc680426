"""The provider of an archive: echo, store, find, get and move (PS3.4 Annexes A, B and C)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from dicomkit.archive.folder import FolderArchive
from dicomkit.archive.protocol import Archive, StoredInstance
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.find_provider import FindRequest, finding
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized_provider import Service, with_services
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import Policy
from dicomkit.dimse.pool import VERIFICATION
from dicomkit.dimse.provider import Performer, Provider, accept_all, verification
from dicomkit.dimse.retrieve_provider import RetrieveRequest, getting, moving
from dicomkit.dimse.storage_classes import COMPRESSED, is_storage
from dicomkit.dimse.store_provider import storing
from dicomkit.dimse.user_information import DEFAULT_MAXIMUM_LENGTH
from dicomkit.errors import QueryError
from dicomkit.net.events import OnEvent
from dicomkit.net.timeouts import Timeouts
from dicomkit.query import MODELS, Query, from_identifier, model_of
from dicomkit.serve.hooks import Hooks, receiving
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN


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
    performers: dict[tuple[str, str], Performer] = {("", "C-STORE-RQ"): storing(receiving(archive, hooks))}
    for (_, operation), uid in MODELS.items():
        if operation == "FIND":
            performers[uid, "C-FIND-RQ"] = finding(_searching(archive, ae))
        elif operation == "GET":
            performers[uid, "C-GET-RQ"] = getting(_fetching(archive))
        else:
            performers[uid, "C-MOVE-RQ"] = moving(_fetching(archive), where_to)
    return performers


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
