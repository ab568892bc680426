"""Who is subscribed to which step, and what each is told at once (PS3.4 Table CC.2.3-2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dicomkit.archive.workitem_rules import WorkitemError
from dicomkit.archive.workitem_states import Workitem, state_report
from dicomkit.archive.workitem_tables import RESOURCE_LIMITATION, Subscription, WorkitemTables
from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Keys, Query, matcher
from dicomkit.standard.procedure_steps import FILTERED, GLOBAL, WITH_LOCK, WITHOUT_LOCK, subscription_after


def to_subscribers(tables: WorkitemTables, uid: str, events: Iterable[StepEvent]) -> list[StepEvent]:
    """Address events to who is subscribed to a step; none where nobody is."""
    receivers = tuple(one.ae for one in tables.subscriptions(uid))
    return [replace(event, receivers=receivers) for event in events] if receivers else []


def subscribed_to_all(tables: WorkitemTables, ds: DataSet) -> dict[str, str]:
    """Say who is subscribed to a step that is created, and whether with a lock."""
    found: dict[str, str] = {}
    for one in tables.subscriptions_to_all():
        if matcher(Query(None, one.keys))(ds):
            found[one.ae] = WITH_LOCK if one.lock or found.get(one.ae) == WITH_LOCK else WITHOUT_LOCK
    return found


def move(
    tables: WorkitemTables, event: str, ae: str, uid: str, before: str, step: Workitem | None = None
) -> list[StepEvent]:
    """Let an event have its effect on a subscription, and give the initial report where there is one."""
    after, initial = subscription_after(event, before)
    if after != before:
        tables.subscribe(ae, uid, after)
    known = (step or tables.get(uid)) if initial else None
    return [] if known is None else [replace(state_report(known), receivers=(ae,))]


def move_all(tables: WorkitemTables, event: str, ae: str, keys: Keys) -> list[StepEvent]:
    """Let an event of a global subscription have its effect on every step that there is, or that matches."""
    events = []
    test = matcher(Query(None, keys))
    for uid, before in tables.states_of(ae):
        step = tables.get(uid) if keys else None
        if step is None or test(step.dataset):
            events += move(tables, event, ae, uid, before, step)
    return events


def subscribe(tables: WorkitemTables, asked: Subscription, most: int, most_bytes: int) -> list[StepEvent]:
    """Subscribe somebody to a step or to all, and give the initial reports.

    Parameters
    ----------
    most, most_bytes
        How many may be subscribed, and how large a filter may be.

    Raises
    ------
    WorkitemError
        When the step isn't there, or there are too many subscribers.
    """
    known = tables.subscribers()
    if asked.ae not in known and len(known) >= most:
        raise WorkitemError(f"there are {most} subscribers", status=RESOURCE_LIMITATION)
    how = WITH_LOCK if asked.lock else WITHOUT_LOCK
    if asked.uid in (GLOBAL, FILTERED):
        tables.subscribe_to_all(asked, most_bytes)
        return move_all(tables, f"subscribe global {how}", asked.ae, asked.keys)
    step = tables.known(asked.uid, "N-ACTION")
    return move(tables, f"subscribe specific {how}", asked.ae, asked.uid, tables.state_of(asked.ae, asked.uid), step)


def unsubscribe(tables: WorkitemTables, uid: str, ae: str) -> None:
    """Tell somebody no more of a step, or of all that there are and will be.

    Raises
    ------
    WorkitemError
        When the step isn't there.
    """
    if uid not in (GLOBAL, FILTERED):
        step = tables.known(uid, "N-ACTION")
        move(tables, "unsubscribe specific", ae, uid, tables.state_of(ae, uid), step)
        return
    there = [one for one in tables.subscriptions_to_all() if one.ae == ae]
    for one in there:
        if uid in (GLOBAL, one.uid):
            tables.unsubscribe_from_all(ae, one.uid)
    filters = [one.keys for one in there if one.uid == uid == FILTERED]
    if uid == GLOBAL or filters:
        move_all(tables, "unsubscribe global", ae, filters[0] if filters else Keys())
