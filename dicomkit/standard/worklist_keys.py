"""Which attributes are keys of the modality worklist, and where they stand (PS3.4 K.6.1.2.2)."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from dicomkit.standard.tables import table_columns

STEP_SEQUENCE = "ScheduledProcedureStepSequence"
"""Its one item says what is scheduled; all else is about the procedure, the request, the visit and the patient."""


class WorklistKey(NamedTuple):
    """A key: where it stands, and its types: as one to match (R, O or -), and as one to return (1, 1C, 2, 2C or 3)."""

    path: tuple[str, ...]
    matching: str
    type: str


@cache
def worklist_keys() -> tuple[WorklistKey, ...]:
    """List the keys, in the order of PS3.4.

    Examples
    --------
    >>> worklist_keys()[1]
    WorklistKey(path=('ScheduledProcedureStepSequence', 'ScheduledStationAETitle'), matching='R', type='1')
    """
    rows = zip(*table_columns("worklist_keys.tsv", 3), strict=True)
    return tuple(WorklistKey(tuple(path.split(".")), matching, type) for path, matching, type in rows)


def is_of_step(keyword: str) -> bool:
    """Whether an attribute stands in the item of the Scheduled Procedure Step Sequence.

    Examples
    --------
    >>> is_of_step("Modality"), is_of_step("PatientID")
    (True, False)
    """
    return keyword in _step_keywords()


@cache
def usual_worklist_keys() -> tuple[str, ...]:
    """List the paths of what every provider of worklists knows: the keys of types 1 and 2, sequences as a whole.

    Examples
    --------
    >>> "ScheduledProcedureStepSequence.Modality" in usual_worklist_keys(), "PatientSize" in usual_worklist_keys()
    (True, False)
    """
    return tuple(
        ".".join(key.path)
        for key in worklist_keys()
        if key.type != "3"
        and key.path != (STEP_SEQUENCE,)
        and (len(key.path) == 1 or key.path[:-1] == (STEP_SEQUENCE,))
    )


@cache
def _step_keywords() -> frozenset[str]:
    return frozenset(key.path[1] for key in worklist_keys() if key.path[0] == STEP_SEQUENCE and len(key.path) > 1)
