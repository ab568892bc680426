"""C-GET and C-MOVE: instances from a peer, over the same association or over one that it opens (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.commands import MEDIUM, Command, command
from dicomkit.dimse.instance_events import instance_header, tell_retrieval
from dicomkit.dimse.negotiation import MOST_CONTEXTS, NATIVE, Proposal
from dicomkit.dimse.pool import VERIFICATION, Target, peer_of, using
from dicomkit.dimse.provider import Performer, Provider, provide, verification
from dicomkit.dimse.receipts import Into, once, receiver
from dicomkit.dimse.retrieval import Retrieval as Retrieval
from dicomkit.dimse.retrieval import asking_again
from dicomkit.dimse.serving import while_serving
from dicomkit.dimse.steps import Emit, Operation, Serve
from dicomkit.dimse.storage_classes import COMPRESSED, storage_sop_classes
from dicomkit.dimse.store_provider import storing
from dicomkit.dimse.user_information import RoleSelection
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.net.errors import StatusError
from dicomkit.net.events import OnEvent
from dicomkit.net.retry import Retry
from dicomkit.net.tls import Secure
from dicomkit.query import Query, model_for, query, to_retrieval
from dicomkit.standard.statuses import status


def get(
    peer: Target,
    level: str | Query,
    *,
    root: str = "STUDY",
    into: Into | None = None,
    sop_classes: Sequence[str] | None = None,
    transfer_syntaxes: Sequence[str] = (*NATIVE, *COMPRESSED),
    on_progress: Callable[[Retrieval], object] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    retry_failed: Retry | None = None,
    priority: int = MEDIUM,
    on_event: OnEvent | None = None,
    **keys: Any,
) -> Operation:
    """Retrieve instances over the association that asks for them (PS3.4 C.4.3).

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    level
        ``"patient"``, ``"study"``, ``"series"`` or ``"image"``; or a Query, which has its keys already.
    root
        The information model: ``"PATIENT"``, ``"STUDY"`` or ``"PATIENT/STUDY ONLY"``.
    into
        Where the instances go: an archive, a folder, or a function of a DataSet; all have come then when this returns.
        None: they are given one at a time.
    sop_classes
        Which SOP classes to be ready for, at most 127 less one; by default the storage classes of PS3.6, the usual ones
        first.
    transfer_syntaxes
        In which instances may come, the best first.
    on_progress
        Told of each response.
    cancelled
        Asked after the request and each instance; once it says True the peer is asked to cancel.
    retry_failed
        When to ask again for instances that the peer could not send, as it tells after the others; None: never. Where
        they are asked for by their UIDs only those that failed are asked for again; a study or series is asked for
        whole, and what came before is left out. For other failures there is the policy of the peer.
    keys
        The unique keys of the level and those above it: ``StudyInstanceUID=...``, lists of UIDs too.

    Yields
    ------
    DataSet
        For each instance, where ``into`` is None.

    Returns
    -------
    Retrieval
        The counts, and the UIDs of what failed.

    Raises
    ------
    QueryError
        When the keys are none that can be retrieved by.
    StatusError
        When the peer answers with a failure; ``data_set`` lists the UIDs of what failed.
    NetworkError
        When there is no association, or it ended early.
    """
    asked = level if isinstance(level, Query) else query(level, **keys)
    model = model_for(asked, "GET", root=root)
    to_retrieval(asked)
    classes = list(sop_classes) if sop_classes is not None else storage_sop_classes(MOST_CONTEXTS - 2)
    arrived: deque[DataSet] = deque()
    several = retry_failed is not None or peer_of(peer).retry is not None
    performer = _taking(arrived.append if into is None else into, several)
    proposal = Proposal.of(
        (model, NATIVE),
        *((uid, tuple(transfer_syntaxes)) for uid in classes),
        roles=[RoleSelection(uid, user=True, provider=True) for uid in classes],
    )

    def retrieve(wanted: Query) -> Operation:
        def body(association: Association) -> Operation:
            return _retrieval(
                association,
                model,
                "C-GET",
                to_retrieval(wanted),
                performer,
                arrived,
                on_progress,
                cancelled,
                priority,
            )

        return using(peer, proposal, body, on_event, cancelled=cancelled)

    where = str(peer_of(peer))
    retrieving = asking_again(retrieve, asked, retry_failed, cancelled=cancelled, on_event=on_event, peer=where)
    result: Retrieval = yield from retrieving
    return result


def move(
    peer: Target,
    level: str | Query,
    destination: str | None = None,
    *,
    root: str = "STUDY",
    into: Into | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Secure | ssl.SSLContext | None = None,
    on_progress: Callable[[Retrieval], object] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    retry_failed: Retry | None = None,
    priority: int = MEDIUM,
    on_event: OnEvent | None = None,
    **keys: Any,
) -> Operation:
    """Let a peer send instances to a third party, or to a receiver that runs as long as this (PS3.4 C.4.2).

    Parameters
    ----------
    destination
        The AE title, known to the peer, that the instances go to. None: they come here, to a receiver that starts and
        stops by itself; the peer has to know our calling AE title, and that it is on ``host`` and ``port``.
    into
        Where the receiver puts them, as for `get`; None: they are given as DataSets.
    host, port
        Where the receiver listens.
    tls
        How connections to the receiver are secured (`dicomkit.net.tls.server`); None for plain ones.

    Other parameters, results and errors are those of `get`.
    """
    asked = level if isinstance(level, Query) else query(level, **keys)
    model = model_for(asked, "MOVE", root=root)
    to_retrieval(asked)
    arrived: deque[DataSet] = deque()
    serve = None
    if destination is None:
        several = retry_failed is not None or peer_of(peer).retry is not None
        performer = _taking(arrived.append if into is None else into, several)
        secure = Secure(tls) if isinstance(tls, ssl.SSLContext) else tls
        serve = Serve(partial(provide, _receiving(performer, on_event)), host, port, secure)
    title = destination if destination is not None else peer_of(peer).calling_aet

    def retrieve(wanted: Query) -> Operation:
        def body(association: Association) -> Operation:
            return _retrieval(
                association,
                model,
                "C-MOVE",
                to_retrieval(wanted),
                None,
                arrived,
                on_progress,
                cancelled,
                priority,
                title,
            )

        return using(peer, Proposal.of((model, NATIVE)), body, on_event, cancelled=cancelled)

    where = str(peer_of(peer))
    moving = asking_again(retrieve, asked, retry_failed, cancelled=cancelled, on_event=on_event, peer=where)
    result: Retrieval = yield from while_serving(serve, moving)
    yield from _emit_all(arrived)
    return result


def _taking(into: Into, several: bool) -> Performer:
    """Make what takes instances; where there may be several attempts, each instance once."""
    take = receiver(into)
    return storing(once(take) if several else take)


def _receiving(performer: Performer, on_event: OnEvent | None) -> Provider:
    """Make the provider of the receiver: storage of every class, and echo."""
    syntaxes = (*NATIVE, *COMPRESSED)
    performers: Mapping[tuple[str, str], Performer] = {
        (VERIFICATION, "C-ECHO-RQ"): verification,
        ("", "C-STORE-RQ"): performer,
    }
    return Provider(performers, lambda _: syntaxes, on_event=on_event)


def _retrieval(
    association: Association,
    model: str,
    service: str,
    identifier: DataSet,
    performer: Performer | None,
    arrived: deque[DataSet],
    on_progress: Callable[[Retrieval], object],
    cancelled: Callable[[], bool],
    priority: int,
    destination: str | None = None,
) -> Operation:
    """Send the request, perform the sub-operations that come, and follow the responses to the last."""
    context = association.context_for(model)
    number = association.next_message_id()
    request = command(
        f"{service}-RQ",
        has_data_set=True,
        AffectedSOPClassUID=model,
        MessageID=number,
        Priority=priority,
        MoveDestination=destination,
    )
    encoded = to_bytes(identifier, context.transfer_syntax)
    yield from association.write(context, request, encoded)
    asked_to_cancel, taken, state = False, 0, None
    try:
        while True:
            if not asked_to_cancel and cancelled():
                yield from association.write(context, command("C-CANCEL-RQ", MessageIDBeingRespondedTo=number))
                asked_to_cancel = True
            message = yield from association.read()
            if message is not None and message.command.name == "C-STORE-RQ" and performer is not None:
                taken += 1
                yield from performer(association, message)
            elif message is None or message.command.get("MessageIDBeingRespondedTo") != number:
                raise (yield from association.unexpected(message))
            else:
                state = yield from _state(association, message, service)
                on_progress(state)
                if state.status.category != "Pending":
                    break
            yield from _emit_all(arrived)
    finally:
        _tell(association, service, encoded, context.transfer_syntax, state, taken, destination)
    yield from _emit_all(arrived)
    if state.status.category == "Failure":
        failed = DataSet(FailedSOPInstanceUIDList=list(state.failed_uids)) if state.failed_uids else None
        raise StatusError(state.status, failed, comment=str(message.command.get("ErrorComment", "")))
    return state


def _tell(
    association: Association,
    service: str,
    identifier: bytes,
    syntax: str,
    state: Retrieval | None,
    taken: int,
    destination: str | None,
) -> None:
    """Tell how a retrieval ended; of what came here other events have told."""
    if association.on_event is None:
        return
    if state is not None and destination == association.request.calling_ae:
        taken = state.completed + state.warnings
    names = ("completed", "warnings", "failed")
    counts = {name: getattr(state, name) for name in names if state is not None}
    header, status = instance_header(identifier, syntax), None if state is None else state.status
    tell_retrieval(association, service, header, taken, status, destination=destination or "", **counts)


def _emit_all(arrived: deque[DataSet]) -> Operation:
    while arrived:
        yield Emit(arrived.popleft())


def _state(association: Association, message: Message, service: str) -> Operation:
    """Read what a response says."""
    answer: Command = message.command
    failed: Iterable[str] = ()
    if answer.has_data_set:
        data = yield from association.read_data(message.context)
        failed = read(data, transfer_syntax=message.context.transfer_syntax).all("FailedSOPInstanceUIDList")
    remaining, completed, unsent, warnings = (
        answer.get(f"NumberOf{name}Suboperations", 0) for name in ("Remaining", "Completed", "Failed", "Warning")
    )
    return Retrieval(status(answer.Status, service), remaining, completed, unsent, warnings, tuple(map(str, failed)))
