"""What is scheduled: the items of a modality worklist that match (PS3.4 Annex K)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date as Day
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.commands import MEDIUM
from dicomkit.dimse.find import find_identifier
from dicomkit.dimse.pool import Target
from dicomkit.dimse.results import Matches
from dicomkit.dimse.steps import Operation
from dicomkit.net.events import OnEvent
from dicomkit.query import Query, query, to_identifier
from dicomkit.standard.statuses import Status
from dicomkit.standard.worklist_keys import STEP_SEQUENCE, is_of_step, usual_worklist_keys

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
_FUZZY = b"\1\1\1"  # the first two are always 1 (Table K.5.1-1)


def worklist_query(
    *,
    station: str | None = None,
    modality: str | None = None,
    date: str | Day | tuple[Any, Any] | None = None,
    patient_name: str | None = None,
    return_keys: Iterable[str] | None = None,
    **keys: Any,
) -> Query:
    """Make the query of a worklist.

    Parameters
    ----------
    station
        ScheduledStationAETitle.
    modality
        Modality, such as ``"CT"``.
    date
        ScheduledProcedureStepStartDate: a day, or a range as ``"20240101-20240107"`` or as a pair. A range of
        ScheduledProcedureStepStartTime with it makes one range of moments.
    patient_name
        With ``*`` and ``?``, as ``"DOE*"``.
    return_keys
        Keywords of what is to be returned beside the keys; by default all of types 1 and 2 of PS3.4 Table K.6-1.
    keys
        As for `dicomkit.query.query`. Attributes of the scheduled step, such as Modality, needn't say in which sequence
        they stand.

    Raises
    ------
    QueryError
        When a key can't be asked for so.

    Examples
    --------
    >>> worklist_query(modality="CT", PatientID="A-17", return_keys=["AccessionNumber"])
    query(None, PatientID='A-17', ScheduledProcedureStepSequence={'Modality': 'CT'}, return_keys=['AccessionNumber'])
    """
    given = {
        "ScheduledStationAETitle": station,
        "Modality": modality,
        "ScheduledProcedureStepStartDate": date,
        "PatientName": patient_name,
    }
    asked = {keyword: value for keyword, value in given.items() if value is not None} | keys
    wanted = usual_worklist_keys() if return_keys is None else map(_placed, return_keys)
    whole = asked.pop(STEP_SEQUENCE, None)
    placed = {_placed(keyword): value for keyword, value in asked.items()}
    return query(None, return_keys=wanted, **({} if whole is None else {STEP_SEQUENCE: whole}), **placed)


def _placed(keyword: str) -> str:
    return f"{STEP_SEQUENCE}.{keyword}" if is_of_step(keyword.partition(".")[0]) else keyword


def find_worklist(
    peer: Target,
    asked: Query | None = None,
    *,
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    fuzzy: bool = False,
    priority: int = MEDIUM,
    on_event: OnEvent | None = None,
    **keys: Any,
) -> Operation:
    """Ask a peer what is scheduled.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    asked
        A query of `worklist_query`, in place of keys.
    limit
        After so many matches the peer is asked to cancel.
    cancelled
        Asked after each match; once it says True the peer is asked to cancel.
    fuzzy
        Whether to negotiate fuzzy matching of names (PS3.4 K.5.1).
    priority
        LOW, MEDIUM or HIGH of `dicomkit.dimse.commands`.
    on_event
        What is told of every event.
    keys
        As for `worklist_query`: ``station="CT1"``, ``modality="CT"``, ``date="20240101-"``, ``patient_name="DOE*"``,
        and any keyword.

    Yields
    ------
    DataSet
        For each scheduled procedure step.

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
    found: Status = yield from find_identifier(
        peer,
        to_identifier(worklist_query(**keys) if asked is None else asked),
        MODALITY_WORKLIST,
        limit=limit,
        cancelled=cancelled,
        options=_FUZZY if fuzzy else b"",
        priority=priority,
        on_event=on_event,
    )
    return found


class WorklistMatches(Matches):
    """The items of a worklist; in the table the attributes of the scheduled step are columns like others.

    Examples
    --------
    >>> step = {"Modality": "CT", "ScheduledProtocolCodeSequence": [{"CodeValue": "1", "CodeMeaning": "Thorax"}]}
    >>> found = WorklistMatches(iter([DataSet(PatientID="A", ScheduledProcedureStepSequence=[step])]))
    >>> found.to_table().loc[0].to_dict()
    {'Modality': 'CT', 'PatientID': 'A', 'ScheduledProtocolCodeSequence': 'Thorax'}
    """

    _first = (
        *("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality", "ScheduledStationAETitle"),
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ScheduledProcedureStepDescription"),
        "AccessionNumber",
    )

    def _rows(self) -> list[DataSet]:
        return [_flat(match) for match in self._all()]


def _flat(match: DataSet) -> DataSet:
    steps = match.all(STEP_SEQUENCE)
    return match.drop(STEP_SEQUENCE).merge(steps[0]) if steps else match
