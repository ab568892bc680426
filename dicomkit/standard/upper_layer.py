"""The tables of PS3.8: what happens in a state at an event, and what the numbers of a refusal mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from dicomkit.standard.tables import table_columns


def transition(state: int, event: int) -> tuple[str, tuple[int, ...]] | None:
    """Look up a cell of the state transition table (PS3.8 Table 9-10).

    Parameters
    ----------
    state
        1 to 13, as Sta1 to Sta13.
    event
        1 to 19, in the order of the rows.

    Returns
    -------
    tuple of (str, tuple of int), or None
        The action and the next state. AE-6 and AR-8 have two: the first where the service-provider takes the request,
        or where we are the requestor of the association; the second otherwise. None where the event can't happen.

    Examples
    --------
    >>> transition(1, 1), transition(2, 6), transition(1, 9)
    (('AE-1', (4,)), ('AE-6', (3, 13)), None)
    """
    return _transitions().get((state, event))


def actions() -> Mapping[str, str]:
    """Give the text of each action by its name (PS3.8 Tables 9-6 to 9-9).

    Examples
    --------
    >>> len(actions()), actions()["AA-6"]
    (28, 'Ignore PDU. Next state is Sta13')
    """
    return _texts("action")


def states() -> Mapping[int, str]:
    """Give the text of each state by its number (PS3.8 Tables 9-1 to 9-5).

    Examples
    --------
    >>> len(states()), states()[6]
    (13, 'Association established and ready for data transfer')
    """
    return _numbered("state")


def events() -> Mapping[int, str]:
    """Give the text of each event by its number, the row of PS3.8 Table 9-10.

    Examples
    --------
    >>> len(events()), events()[18]
    (19, 'ARTIM timer expired (Association reject/release timer)')
    """
    return _numbered("event")


def reason_text(field: str, source: int, number: int) -> str:
    """Say what a number of an A-ASSOCIATE-RJ, A-ABORT or A-ASSOCIATE-AC PDU means (PS3.8 Tables 9-18, 9-21, 9-26).

    Parameters
    ----------
    field
        ``"reject result"``, ``"reject source"``, ``"reject reason"``, ``"abort source"``, ``"abort reason"`` or
        ``"context result"``.
    source
        The source of a rejection or abort, on which the meaning of its reason depends; 0 for all other fields.
    number
        The value of the field.

    Returns
    -------
    str
        The text of the table; ``"unknown (9)"`` where it has none.

    Examples
    --------
    >>> reason_text("reject reason", 1, 3), reason_text("reject reason", 1, 99)
    ('calling-AE-title-not-recognized', 'unknown (99)')
    """
    return reasons().get((field, source, number)) or f"unknown ({number})"


@cache
def reasons() -> Mapping[tuple[str, int, int], str]:
    """Give all texts by field, source and number; see `reason_text`.

    Examples
    --------
    >>> reasons()["context result", 0, 4]
    'transfer-syntaxes-not-supported (provider rejection)'
    """
    rows = zip(*table_columns("upper_layer_reasons.tsv", 4), strict=True)
    return MappingProxyType({(field, int(source), int(number)): text for field, source, number, text in rows})


@cache
def _transitions() -> Mapping[tuple[int, int], tuple[str, tuple[int, ...]]]:
    rows = zip(*table_columns("upper_layer_states.tsv", 4), strict=True)
    return MappingProxyType(
        {
            (int(state), int(event)): (action, tuple(map(int, next_states.split())))
            for state, event, action, next_states in rows
        }
    )


@cache
def _texts(kind: str) -> Mapping[str, str]:
    rows = zip(*table_columns("upper_layer_actions.tsv", 3), strict=True)
    return MappingProxyType({name: text for row_kind, name, text in rows if row_kind == kind})


@cache
def _numbered(kind: str) -> Mapping[int, str]:
    """Give texts by the number in the name, as 6 of Sta6."""
    return MappingProxyType({int(name[3:]): text for name, text in _texts(kind).items()})
