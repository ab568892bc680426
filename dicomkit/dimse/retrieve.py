"""C-GET and C-MOVE: instances from a peer, over the same association or over one that it opens (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from dicomkit.dimse.serving import while_serving
from dicomkit.dimse.steps import Emit, Operation, Serve
from dicomkit.dimse.storage_classes import COMPRESSED, storage_sop_classes
from dicomkit.dimse.store_provider import storing
from dicomkit.dimse.user_information import RoleSelection
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.net.errors import StatusError
from dicomkit.net.events import OnEvent
from dicomkit.query import Query, model_for, query, to_identifier
from dicomkit.standard.statuses import Status, status


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How a retrieval stands, or ended.

    Attributes
    ----------
    status
        Pending, until the last response.
    remaining, completed, failed, warnings
        Counts of sub-operations, as the peer tells them.
    failed_uids
        The SOP Instance UIDs that could not be sent, as the last response lists them.
    """

    status: Status
    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warnings: int = 0
    failed_uids: tuple[str, ...] = ()

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{getattr(self, name)} {name}"
            for name in ("completed", "warnings", "failed", "remaining")
            if getattr(self, name)
        )
        return f"<Retrieval: {self.status}{'; ' + counts if counts else ''}>"


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
        Asked after each instance; once it says True the peer is asked to cancel.
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
    classes = list(sop_classes) if sop_classes is not None else storage_sop_classes(MOST_CONTEXTS - 2)
    arrived: deque[DataSet] = deque()
    performer = _taking(peer, arrived.append if into is None else into)

    def body(association: Association) -> Operation:
        return _retrieval(
            association,
            model,
            "C-GET",
            to_identifier(asked, returning=False),
            performer,
            arrived,
            on_progress,
            cancelled,
            priority,
        )

    proposal = Proposal.of(
        (model, NATIVE),
        *((uid, tuple(transfer_syntaxes)) for uid in classes),
        roles=[RoleSelection(uid, user=True, provider=True) for uid in classes],
    )
    result: Retrieval = yield from using(peer, proposal, body, on_event, cancelled=cancelled)
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
    on_progress: Callable[[Retrieval], object] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
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

    Other parameters, results and errors are those of `get`.
    """
    asked = level if isinstance(level, Query) else query(level, **keys)
    model = model_for(asked, "MOVE", root=root)
    arrived: deque[DataSet] = deque()
    serve = None
    if destination is None:
        performer = _taking(peer, arrived.append if into is None else into)
        serve = Serve(partial(provide, _receiving(performer, on_event)), host, port)
    title = destination if destination is not None else peer_of(peer).calling_aet

    def body(association: Association) -> Operation:
        return _retrieval(
            association,
            model,
            "C-MOVE",
            to_identifier(asked, returning=False),
            None,
            arrived,
            on_progress,
            cancelled,
            priority,
            title,
        )

    moving = using(peer, Proposal.of((model, NATIVE)), body, on_event, cancelled=cancelled)
    result: Retrieval = yield from while_serving(serve, moving)
    yield from _emit_all(arrived)
    return result


def _taking(peer: Target, into: Into) -> Performer:
    """Make what takes instances; where there may be several attempts, each instance once."""
    take = receiver(into)
    return storing(take if peer_of(peer).retry is None else once(take))


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
            if not asked_to_cancel and cancelled():
                yield from association.write(context, command("C-CANCEL-RQ", MessageIDBeingRespondedTo=number))
                asked_to_cancel = True
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
