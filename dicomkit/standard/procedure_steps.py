"""The Unified Procedure Step as tables: its states, its subscriptions, its attributes and its events (PS3.4 CC)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.attributes import attribute
from dicomkit.standard.tables import table_columns

PUSH, WATCH, PULL, EVENT, QUERY = (f"1.2.840.10008.5.1.4.34.6.{number}" for number in range(1, 6))
"""The SOP classes; every step is an instance of the first."""
GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
"""The well-known instances that stand for all steps, and for those that match a filter, in a subscription."""
SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"
FINAL_STATES = (COMPLETED, CANCELED)
NOT_SUBSCRIBED, WITH_LOCK, WITHOUT_LOCK = "not subscribed", "with lock", "without lock"
STATE_REPORT, CANCEL_REQUESTED, PROGRESS_REPORT, STATUS_CHANGE, ASSIGNED = range(1, 6)


class Transition(NamedTuple):
    """What comes of an event in a state (PS3.4 Table CC.1.1-2).

    Attributes
    ----------
    status
        What is answered.
    then
        The states that follow, one after the other; none where the state stays.
    otherwise
        What is answered where the requirements of a final state aren't met; None where there are none.
    """

    status: int
    then: tuple[str, ...] = ()
    otherwise: int | None = None


class StepAttribute(NamedTuple):
    """An attribute of a step, and what is asked of it (PS3.4 Table CC.2.5-3).

    Attributes
    ----------
    path
        Its tag, after those of the sequences that it is in.
    create, set
        Its type for the user of N-CREATE and of N-SET; ``"N"`` where it isn't allowed, ``"E"`` where it has to be
        there and be empty, ``"-"`` where it makes no difference.
    final
        ``"R"``, ``"RC"``, ``"P"``, ``"X"`` or ``"O"``: in which final states it needs a value (Table CC.2.5-1).
    match, returned
        Its type as a matching key, and as a return key; ``"-"`` where it is none.
    """

    path: tuple[int, ...]
    create: str
    set: str
    final: str
    match: str
    returned: str


def transition(event: str, state: str, *, right: bool = True) -> Transition:
    """Look up what comes of an event.

    Parameters
    ----------
    event
        ``"create"``, ``"cancel request"``, or the state that is asked for.
    state
        The state of the step; ``"null"`` where there is no such step.
    right
        Whether the correct Transaction UID came with it.

    Examples
    --------
    >>> transition("IN PROGRESS", "SCHEDULED")
    Transition(status=0, then=('IN PROGRESS',), otherwise=None)
    >>> f"{transition('COMPLETED', 'IN PROGRESS', right=False).status:04X}"
    'C301'
    """
    return _transitions()[event, state, right]


def subscription_after(event: str, state: str) -> tuple[str, bool]:
    """Look up how an application entity is subscribed to a step after an event, and whether it gets an initial report.

    Parameters
    ----------
    event
        ``"create"``, ``"create, global with lock"``, ``"subscribe specific without lock"``, ``"unsubscribe global"``
        and so on (PS3.4 Table CC.2.3-2).
    state
        ``"not subscribed"``, ``"with lock"``, ``"without lock"``, or ``"null"`` before the step is there.

    Examples
    --------
    >>> subscription_after("subscribe specific without lock", "with lock")
    ('without lock', True)
    """
    return _subscriptions()[event, state]


@cache
def step_attributes() -> tuple[StepAttribute, ...]:
    """List the attributes of a step, those in items after their sequence.

    Examples
    --------
    >>> [one.final for one in step_attributes() if one.path == (0x00741216,)]
    ['P']
    """
    return tuple(
        StepAttribute(_path(path), *kinds) for path, *kinds in zip(*table_columns("ups_attributes.tsv", 6), strict=True)
    )


@cache
def return_keywords() -> tuple[str, ...]:
    """List what is told of each match of a search where nobody says: the return keys of types 1 and 2 (PS3.18 11.9.2).

    Examples
    --------
    >>> return_keywords()[:3]
    ('SOPClassUID', 'SOPInstanceUID', 'ScheduledProcedureStepPriority')
    """
    tags = (one.path[0] for one in step_attributes() if len(one.path) == 1 and one.returned in ("1", "2"))
    return tuple(found.keyword for tag in tags if (found := attribute(tag)) is not None)


@cache
def event_name(number: int) -> str:
    """Return what the standard calls a type of event; empty where it knows none.

    Examples
    --------
    >>> event_name(3)
    'UPS Progress Report'
    """
    numbers, titles, _, _ = table_columns("ups_events.tsv", 4)
    names = dict(zip(numbers, titles, strict=True))
    return names.get(str(number), "")


@cache
def event_attributes(number: int) -> tuple[tuple[tuple[int, ...], str], ...]:
    """List the attributes of the information of an event: path and type.

    Examples
    --------
    >>> [kind for path, kind in event_attributes(4)]
    ['1', '1', '1']
    """
    rows = zip(*table_columns("ups_events.tsv", 4), strict=True)
    return tuple((_path(path), kind) for of, _, path, kind in rows if of == str(number))


def _path(text: str) -> tuple[int, ...]:
    return tuple(int(tag, 16) for tag in text.split("."))


@cache
def _transitions() -> Mapping[tuple[str, str, bool], Transition]:
    found = {}
    for event, right, state, status, then, otherwise in zip(*table_columns("ups_states.tsv", 6), strict=True):
        made = Transition(
            int(status, 16), tuple(then.split("|")) if then else (), int(otherwise, 16) if otherwise else None
        )
        for flag in (True, False) if not right else (right == "Y",):
            found[event, state, flag] = made
    return MappingProxyType(found)


@cache
def _subscriptions() -> Mapping[tuple[str, str], tuple[str, bool]]:
    rows = zip(*table_columns("ups_subscriptions.tsv", 4), strict=True)
    return MappingProxyType({(event, state): (then, initial == "Y") for event, state, then, initial in rows})
