"""C-FIND: what a peer has that matches (PS3.4 C.4.1, PS3.7 9.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.commands import MEDIUM, command
from dicomkit.dimse.instance_events import tell_query
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.retrying import Given
from dicomkit.dimse.steps import Emit, Operation
from dicomkit.dimse.user_information import ExtendedNegotiation
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import QueryError
from dicomkit.files.read import read
from dicomkit.net.errors import StatusError
from dicomkit.net.events import OnEvent
from dicomkit.query import Query, model_for, query, to_identifier
from dicomkit.standard.statuses import Status, status


def find(
    peer: Target,
    level: str | Query,
    *,
    root: str = "STUDY",
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    relational: bool = False,
    fuzzy: bool = False,
    priority: int = MEDIUM,
    on_event: OnEvent | None = None,
    **keys: Any,
) -> Operation:
    """Ask a peer what it has.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    level
        ``"patient"``, ``"study"``, ``"series"`` or ``"image"``; or a Query, which has its keys already.
    root
        The information model: ``"PATIENT"``, ``"STUDY"`` or ``"PATIENT/STUDY ONLY"``.
    limit
        After so many matches the peer is asked to cancel.
    cancelled
        Asked after the request and each match; once it says True the peer is asked to cancel.
    relational, fuzzy
        Whether to negotiate relational queries, and fuzzy matching of names (PS3.4 C.5.1.1).
    priority
        LOW, MEDIUM or HIGH of `dicomkit.dimse.commands`.
    on_event
        What is told of every event.
    keys
        As for `dicomkit.query.query`: ``PatientName="DOE*"``, ``StudyDate="20240101-"``, ``return_keys=[...]``.

    Yields
    ------
    DataSet
        For each match, as it comes.

    Returns
    -------
    Status
        Success, or Cancel.

    Raises
    ------
    QueryError
        When a key can't be asked for so.
    StatusError
        When the peer answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """
    asked = level if isinstance(level, Query) else query(level, **keys)
    model = model_for(asked, "FIND", root=root)
    options = bytes((relational, 0, fuzzy)) if relational or fuzzy else b""
    result: Status = yield from find_identifier(
        peer,
        to_identifier(asked),
        model,
        limit=limit,
        cancelled=cancelled,
        options=options,
        priority=priority,
        on_event=on_event,
    )
    return result


def find_identifier(
    peer: Target,
    identifier: DataSet,
    sop_class_uid: str,
    *,
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    options: bytes = b"",
    priority: int = MEDIUM,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask a peer for what matches an identifier, in any information model that C-FIND serves.

    Parameters
    ----------
    identifier
        The keys, empty where a value is asked for.
    sop_class_uid
        Of the information model.
    options
        Of the extended negotiation of the SOP class.

    Other parameters, results and errors are those of `find`.
    """
    if limit is not None and limit < 1:
        raise QueryError(f"a limit of {limit} matches", hint="it is 1 or more, or None")

    def body(association: Association) -> Operation:
        context = association.context_for(sop_class_uid)
        number = association.next_message_id()
        request = command(
            "C-FIND-RQ", has_data_set=True, AffectedSOPClassUID=sop_class_uid, MessageID=number, Priority=priority
        )
        encoded = to_bytes(identifier, context.transfer_syntax)
        yield from association.write(context, request, encoded)
        tell_query(association, "query issued", sop_class_uid, context.transfer_syntax, encoded)
        count, asked_to_cancel = 0, False
        while True:
            if not asked_to_cancel and (count == limit or cancelled()):
                yield from association.write(context, command("C-CANCEL-RQ", MessageIDBeingRespondedTo=number))
                asked_to_cancel = True
            message = yield from association.response(number)
            answer = status(message.command.Status, "C-FIND")
            data = b""
            if message.command.has_data_set:
                data = yield from association.read_data(message.context)
            if answer.category != "Pending":
                break
            if asked_to_cancel:
                continue
            yield Emit(read(data, transfer_syntax=context.transfer_syntax))
            count += 1
        if answer.category == "Failure":
            raise StatusError(answer, comment=str(message.command.get("ErrorComment", "")))
        return answer

    extended = (ExtendedNegotiation(sop_class_uid, options),) if options else ()
    proposal, given = Proposal.of((sop_class_uid, NATIVE), extended=extended), Given(most=limit)
    result: Status = yield from using(peer, proposal, body, on_event, given=given, cancelled=cancelled)
    return result
