"""Who is subscribed to which step, and what each is told at once (PS3.4 Table CC.2.3-2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dicomkit.archive.workitem_states import Workitem, state_report
from dicomkit.archive.workitem_tables import WorkitemTables
from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Keys, Query, matcher
from dicomkit.standard.procedure_steps import WITH_LOCK, WITHOUT_LOCK, subscription_after


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
