"""Unified procedure steps as their user: create, find, claim, change and end them (PS3.4 CC).

A step may be named by its UID, by what was found of it (a DataSet or a ProcedureStep), or by a `Claim` on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.find import find_identifier
from dicomkit.dimse.normalized import Reply
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.procedure_step_requests import (
    CHANGE_STATE,
    REQUEST_CANCEL,
    Claim,
    Step,
    act,
    ask,
    ask_on,
    proposed,
    uid_of,
)
from dicomkit.dimse.steps import Operation
from dicomkit.errors import QueryError
from dicomkit.net.errors import ContextNotAcceptedError
from dicomkit.net.events import OnEvent
from dicomkit.objects.coded_entry import CodeLike, code_items
from dicomkit.objects.procedure_step import PROGRESS, discontinued, in_utf8
from dicomkit.query import Query, query, to_identifier
from dicomkit.standard.procedure_steps import (
    CANCELED,
    COMPLETED,
    IN_PROGRESS,
    PULL,
    PUSH,
    QUERY,
    WATCH,
    return_keywords,
)
from dicomkit.standard.statuses import Status
from dicomkit.values.uid import new_uid

_REASON = "ProcedureStepDiscontinuationReasonCodeSequence"


def create(peer: Target, step: DataSet, *, uid: str | None = None, on_event: OnEvent | None = None) -> Operation:
    """Put a step on the worklist of a peer (UPS Push, N-CREATE).

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    step
        What `make_procedure_step` makes.
    uid
        The SOP Instance UID that it gets; that of ``step``, or a new one, where nobody says.

    Returns
    -------
    Reply
        With ``sop_instance_uid``; a warning where the peer changed something.

    Raises
    ------
    StatusError
        When the peer refuses it.
    NetworkError
        When there is no association, or it ended early.
    """
    name = uid or str(step.get("SOPInstanceUID") or new_uid())
    sent = in_utf8(step).drop("SOPInstanceUID", "SOPClassUID")
    return ask(peer, (PUSH,), "N-CREATE", name, sent, repeatable=False, on_event=on_event)


def find(
    peer: Target,
    asked: Query | None = None,
    *,
    limit: int | None = None,
    sop_classes: Sequence[str] = (PULL, WATCH, QUERY),
    on_event: OnEvent | None = None,
    **keys: Any,
) -> Operation:
    """Ask a peer which steps it has (C-FIND).

    Parameters
    ----------
    asked
        A query without a level; None where the keys are given.
    limit
        After so many matches the peer is asked to cancel.
    sop_classes
        In which information models to ask: the first that the peer accepts.
    keys
        As for `dicomkit.query.query`: ``ProcedureStepState="SCHEDULED"``, ``PatientID="A-17"``, ``return_keys=[...]``;
        where these aren't named, all return keys of types 1 and 2 are asked for.

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
    keys.setdefault("return_keys", return_keywords())
    wanted = asked if asked is not None else query(None, **keys)
    if wanted.level is not None:
        raise QueryError("a query for steps has no level", hint="make it with query(None, ...)")
    identifier = to_identifier(wanted)
    for number, sop_class in enumerate(sop_classes, 1):
        try:
            result: Status = yield from find_identifier(peer, identifier, sop_class, limit=limit, on_event=on_event)
            return result
        except ContextNotAcceptedError:
            if number == len(sop_classes):
                raise
    raise QueryError("a search needs an information model", hint="leave sop_classes out")


def get(peer: Target, step: Step, attributes: Sequence[Any] = (), *, on_event: OnEvent | None = None) -> Operation:
    """Get a step as it stands (N-GET).

    Parameters
    ----------
    attributes
        Keywords or tags; none for all.

    Returns
    -------
    DataSet

    Raises
    ------
    StatusError
        When there is none.
    """
    name = uid_of(step)
    reply: Reply = yield from ask(peer, (PULL, WATCH, PUSH), "N-GET", name, attributes=attributes, on_event=on_event)
    got = reply.data if reply.data is not None else DataSet()
    return got if attributes else got.merge(DataSet(SOPClassUID=PUSH, SOPInstanceUID=name))


def update(
    peer: Target,
    step: Step,
    changes: Mapping[str, Any] | DataSet,
    *,
    on_event: OnEvent | None = None,
) -> Operation:
    """Change a step: one that nobody has claimed, or one that the claim is for (UPS Pull, N-SET).

    Parameters
    ----------
    step
        The claim, where the step is in progress.
    changes
        Sequences whole, with all of their items.

    Returns
    -------
    Reply

    Raises
    ------
    StatusError
        When the peer refuses it: C301 where somebody else performs the step, C300 where it has ended.
    """
    return ask(peer, (PULL,), "N-SET", uid_of(step), _with_transaction(changes, step), on_event=on_event)


def claim(
    peer: Target, step: Step, *, transaction_uid: str | None = None, on_event: OnEvent | None = None
) -> Operation:
    """Begin to perform a step: it is in progress then, and nobody else can change it (UPS Pull, N-ACTION 1).

    Parameters
    ----------
    transaction_uid
        What it is claimed with; a new UID where nobody says.

    Returns
    -------
    Claim
        To change, complete or cancel the step with.

    Raises
    ------
    StatusError
        When somebody else was quicker (C301, C302), or the step has ended (C300, C301).
    """
    made = Claim(uid_of(step), transaction_uid or new_uid())
    yield from act(peer, (PULL,), CHANGE_STATE, made, _state(made, IN_PROGRESS), on_event)
    return made


def complete(
    peer: Target,
    claimed: Claim,
    changes: Mapping[str, Any] | DataSet | None = None,
    *,
    on_event: OnEvent | None = None,
) -> Operation:
    """Say that a step is done (UPS Pull, N-SET and N-ACTION 1).

    Parameters
    ----------
    claimed
        The claim on the step.
    changes
        What is set before: what `performed` makes, since a step is completed only with what was done, where and when.

    Returns
    -------
    Reply

    Raises
    ------
    StatusError
        C304 where something is missing, C301 where the claim isn't that of the step.
    """
    return _end(peer, claimed, COMPLETED, lambda _: changes, on_event)


def cancel(
    peer: Target, claimed: Claim, reason: CodeLike | str | None = None, *, on_event: OnEvent | None = None
) -> Operation:
    """Give a step up that one performs oneself (UPS Pull, N-SET and N-ACTION 1); `request_cancel` is for others.

    Parameters
    ----------
    claimed
        The claim on the step.
    reason
        A code, or a text.

    Returns
    -------
    Reply

    Raises
    ------
    StatusError
        C301 where the claim isn't that of the step, C300 where it is completed.
    """
    return _end(peer, claimed, CANCELED, lambda step: _given_up(step, reason), on_event)


def request_cancel(
    peer: Target,
    step: Step,
    reason: CodeLike | str | None = None,
    *,
    contact: str | None = None,
    contact_uri: str | None = None,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask that somebody else's step be cancelled (UPS Push or Watch, N-ACTION 2).

    Success means that the request was taken: a step that nobody has claimed is cancelled, else its performer is told.

    Parameters
    ----------
    reason
        A code, or a text.
    contact, contact_uri
        The name of whom to ask, and where to reach them.

    Returns
    -------
    Reply

    Raises
    ------
    StatusError
        C311 where it is completed, C312 where its performer can't be reached, C313 where it doesn't want to.
    """
    told: dict[str, Any] = {"ContactDisplayName": contact, "ContactURI": contact_uri}
    if isinstance(reason, str):
        told["ReasonForCancellation"] = reason
    elif reason is not None:
        told[_REASON] = code_items(reason)
    information = in_utf8(DataSet({keyword: value for keyword, value in told.items() if value is not None}))
    return act(peer, (PUSH, WATCH), REQUEST_CANCEL, step, information if len(information) else None, on_event)


def _end(
    peer: Target,
    claimed: Claim,
    state: str,
    changes: Callable[[DataSet], Mapping[str, Any] | DataSet | None],
    on_event: OnEvent | None,
) -> Operation:
    """Set what a final state needs, and ask for that state, over one association."""

    def body(association: Association) -> Operation:
        before = DataSet()
        if state == CANCELED:
            reply: Reply = yield from ask_on(association, (PULL,), "N-GET", claimed.uid, attributes=[PROGRESS])
            before = reply.data if reply.data is not None else before
        told = changes(before)
        if told is not None:
            yield from ask_on(association, (PULL,), "N-SET", claimed.uid, _with_transaction(told, claimed))
        reply = yield from ask_on(
            association, (PULL,), "N-ACTION", claimed.uid, _state(claimed, state), number=CHANGE_STATE
        )
        return reply

    return using(peer, proposed((PULL,)), body, on_event, repeatable=False)


def _given_up(step: DataSet, reason: CodeLike | str | None) -> DataSet:
    """Add to the progress of a step why it is given up; what it said before stays."""
    told = discontinued(reason)
    items = step.all(PROGRESS)
    return told if not items else DataSet({PROGRESS: [items[0].merge(told[PROGRESS][0])]})


def _state(claimed: Claim, state: str) -> DataSet:
    return DataSet(ProcedureStepState=state, TransactionUID=claimed.transaction_uid)


def _with_transaction(changes: Mapping[str, Any] | DataSet, step: Step) -> DataSet:
    told = in_utf8(changes if isinstance(changes, DataSet) else DataSet(changes))
    return told.assign(TransactionUID=step.transaction_uid) if isinstance(step, Claim) else told
