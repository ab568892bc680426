"""Which steps of a worklist match a query: the database leaves out what it can, and the matcher decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from dicomkit.archive.workitem_states import Workitem
from dicomkit.archive.workitem_tables import WorkitemTables
from dicomkit.query import Keys, Query, matcher
from dicomkit.standard.procedure_steps import return_keywords

_MOST_UIDS = 500
_NEVER = "TransactionUID"


def only_allowed(asked: Query) -> Query:
    """Leave out what can't be asked for, and say what to return where nobody does.

    Examples
    --------
    >>> from dicomkit.query import query
    >>> only_allowed(query(None, TransactionUID="2.25.1", ProcedureStepLabel="Report"))
    query(None, ProcedureStepLabel='Report')
    """
    keys = Keys(pair for pair in asked.keys if pair[0] != _NEVER)
    wanted = asked.return_keys if asked.return_keys is not None else return_keywords()
    named = {_NEVER, *(keyword for keyword, _ in keys)}
    return Query(None, keys, tuple(keyword for keyword in wanted if keyword not in named))


def matching(tables: WorkitemTables, lock: AbstractContextManager[Any], asked: Query) -> Iterator[Workitem]:
    """Give the steps that match, a batch at a time, so that others may change them meanwhile."""
    test = matcher(asked)
    uids, state = asked.get("SOPInstanceUID"), asked.get("ProcedureStepState")
    known = (uids,) if isinstance(uids, str) else uids if isinstance(uids, tuple) and len(uids) < _MOST_UIDS else ()
    exact = state if isinstance(state, str) and not set(state) & set('*?"') else None
    after = 0
    while True:
        with lock:
            batch = tables.batch(after, uids=[str(uid) for uid in known] or None, state=exact)
        if not batch:
            return
        after = batch[-1][0]
        yield from (step for _, step in batch if test(step.dataset))
