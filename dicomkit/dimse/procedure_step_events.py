"""Who is told of procedure steps: subscribe as a user, and report events as who manages the steps (PS3.4 CC)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.pool import Target, peer_of, using
from dicomkit.dimse.procedure_step_requests import SUBSCRIBE, SUSPEND, UNSUBSCRIBE, Step, act
from dicomkit.dimse.steps import Operation
from dicomkit.dimse.user_information import RoleSelection
from dicomkit.errors import QueryError
from dicomkit.net.errors import StatusError
from dicomkit.net.events import OnEvent
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Query, query, to_identifier
from dicomkit.standard.procedure_steps import EVENT, FILTERED, GLOBAL, PUSH, WATCH


def subscribe(
    peer: Target,
    step: Step | None = None,
    *,
    receiver: str | None = None,
    lock: bool = False,
    keys: Query | Mapping[str, Any] | None = None,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask to be told of a step, of all that there are and will be, or of those that match (UPS Watch, N-ACTION 3).

    Parameters
    ----------
    step
        None for all.
    receiver
        The AE title that is told, which the peer has to know; our own where nobody says.
    lock
        Whether steps are to stay after their end until we unsubscribe.
    keys
        What steps have to match, where there is no ``step``.

    Returns
    -------
    Reply
        A warning (B301) where the lock isn't granted.

    Raises
    ------
    StatusError
        C307 where there is no such step, or filters aren't supported; C308 where the peer doesn't know the receiver.
    """
    information = DataSet(ReceivingAE=_receiver(peer, receiver), DeletionLock="TRUE" if lock else "FALSE")
    if keys is not None:
        asked = keys if isinstance(keys, Query) else query(None, **keys)
        information = to_identifier(asked, returning=False).merge(information)
    return act(peer, (WATCH,), SUBSCRIBE, _scope(step, keys is not None), information, on_event)


def unsubscribe(
    peer: Target,
    step: Step | None = None,
    *,
    receiver: str | None = None,
    filtered: bool = False,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask to be told no more of a step, or of any (UPS Watch, N-ACTION 4).

    Parameters
    ----------
    step
        None for all, with which go the subscriptions to single ones.
    receiver
        The AE title that was told.
    filtered
        Whether it is about the subscription to those that match.

    Returns
    -------
    Reply
    """
    information = DataSet(ReceivingAE=_receiver(peer, receiver))
    return act(peer, (WATCH,), UNSUBSCRIBE, _scope(step, filtered), information, on_event)


def suspend(
    peer: Target, *, receiver: str | None = None, filtered: bool = False, on_event: OnEvent | None = None
) -> Operation:
    """Ask to be told of no steps that will be created, but still of those that there are (UPS Watch, N-ACTION 5).

    The parameters are those of `unsubscribe`.

    Returns
    -------
    Reply
    """
    information = DataSet(ReceivingAE=_receiver(peer, receiver))
    return act(peer, (WATCH,), SUSPEND, _scope(None, filtered), information, on_event)


def report(
    peer: Target,
    events: Sequence[StepEvent],
    *,
    delivered: Callable[[StepEvent], object] = lambda _: None,
    on_event: OnEvent | None = None,
) -> Operation:
    """Tell a peer of events, as who manages the steps (UPS Event, N-EVENT-REPORT).

    We open the association, and ask to be the provider on it (PS3.7 D.3.3.4).

    Parameters
    ----------
    events
        In this order.
    delivered
        Called with each when the peer has answered.

    Returns
    -------
    tuple of (StepEvent, StatusError)
        Those that the peer refused.

    Raises
    ------
    ContextNotAcceptedError
        When the peer doesn't take events, or not from us.
    NetworkError
        When there is no association, or it ended early.
    """
    proposal = Proposal.of((EVENT, NATIVE), roles=[RoleSelection(EVENT, user=False, provider=True)])
    refused: list[tuple[StepEvent, StatusError]] = []

    def body(association: Association) -> Operation:
        for event in events:
            try:
                yield from request(
                    association,
                    "N-EVENT-REPORT",
                    PUSH,
                    event.uid,
                    event.data if len(event.data) else None,
                    number=event.number,
                    under=EVENT,
                    provider=True,
                    service="UPS",
                )
            except StatusError as error:
                refused.append((event, error))
            delivered(event)
        return tuple(refused)

    return (yield from using(peer, proposal, body, on_event, repeatable=False))


def _receiver(peer: Target, receiver: str | None) -> str:
    return receiver or peer_of(peer).calling_aet


def _scope(step: Step | None, filtered: bool) -> Step:
    if step is not None and filtered:
        raise QueryError("a subscription is to a step, or to those that match", hint="give one of the two")
    return step if step is not None else FILTERED if filtered else GLOBAL
