"""The attribute lists with which a performed procedure step begins and ends (PS3.4 F.7.2.1, F.7.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError
from dicomkit.objects.coded_entry import code_items
from dicomkit.objects.performed_step import IN_PROGRESS
from dicomkit.standard.worklist_keys import STEP_SEQUENCE
from dicomkit.values.dates import Date
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import new_uid

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "110500": "Doctor canceled procedure",
        "110501": "Equipment failure",
        "110502": "Incorrect procedure ordered",
        "110503": "Patient allergic to media/contrast",
        "110504": "Patient died",
        "110505": "Patient refused to continue procedure",
        "110506": "Patient taken for treatment or surgery",
        "110507": "Patient did not arrive",
        "110508": "Patient pregnant",
        "110509": "Change of procedure for correct charging",
        "110510": "Duplicate order",
        "110511": "Nursing unit cancel",
        "110512": "Incorrect side ordered",
        "110513": "Discontinued for unspecified reason",
        "110514": "Incorrect worklist entry selected",
        "110515": "Patient condition prevented continuing",
        "110516": "Equipment change",
    }
)
"""Why a step is discontinued: those codes of CID 9301 of PS3.16 whose scheme is DCM."""
_OF_SCHEDULED_STEP = (
    *("StudyInstanceUID", "ReferencedStudySequence", "AccessionNumber", "RequestedProcedureID"),
    *("RequestedProcedureDescription", "RequestedProcedureCodeSequence", "ScheduledProcedureStepID"),
    *("ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence", "IssuerOfAccessionNumberSequence"),
    *("PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest"),
    *("OrderPlacerIdentifierSequence", "OrderFillerIdentifierSequence"),
)
_OF_PATIENT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "ReferencedPatientSequence"),
    *("AdmissionID", "IssuerOfAdmissionIDSequence", "ServiceEpisodeID", "ServiceEpisodeDescription"),
)
_EMPTY_SEQUENCES = ("ReferencedStudySequence", "ScheduledProtocolCodeSequence", "ReferencedPatientSequence")
_TYPE_2_OF_STEP = (
    *("AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription", "ScheduledProcedureStepID"),
    "ScheduledProcedureStepDescription",
)
_TYPE_2_OF_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")


def mpps_from_item(
    item: DataSet | Sequence[DataSet],
    *,
    station: str | None = None,
    start: datetime | None = None,
    step_id: str | None = None,
    **attributes: Any,
) -> DataSet:
    """Make the attribute list with which a step begins from the item of a worklist that it performs.

    Parameters
    ----------
    item
        As a worklist gives it, or as `make_worklist_item` makes it; or those of several procedures that are performed
        in one step, of which the first tells the rest.
    station
        AE title of the station that performs it; by default the one that it is scheduled for.
    start
        When it began; by default now.
    step_id
        PerformedProcedureStepID; by default the ID of the scheduled step.
    attributes
        Others by keyword, which win.

    Returns
    -------
    DataSet
        All of types 1 and 2 of Table F.7.2-1, and empty what only the end of the step will tell.

    Raises
    ------
    ValueFormatError
        When there is no item, AE title or modality.

    Examples
    --------
    >>> from dicomkit.objects.worklist_item import make_worklist_item
    >>> who = {"patient_name": "DOE^JANE", "patient_id": "A"}
    >>> item = make_worklist_item(**who, modality="CT", station="CT1", start=datetime(2024, 2, 29), step_id="S1")
    >>> step = mpps_from_item(item, start=datetime(2024, 2, 29, 9, 31))
    >>> step.PerformedProcedureStepID, step["ScheduledStepAttributesSequence", 0, "ScheduledProcedureStepID"]
    ('S1', 'S1')
    """
    every = [_flat(one) for one in ([item] if isinstance(item, DataSet) else item)]
    if not every:
        raise ValueFormatError("there is no item of a worklist", hint="give one, or several")
    scheduled = every[0]
    began = start or datetime.now()
    performed_by = station or scheduled.get("ScheduledStationAETitle")
    performed_by = performed_by[0] if isinstance(performed_by, tuple) else performed_by
    made: dict[str, Any] = {
        "ScheduledStepAttributesSequence": [_scheduled_step(one) for one in every],
        **dict.fromkeys(_TYPE_2_OF_PATIENT),
        "ReferencedPatientSequence": (),
        **{word: scheduled[word] for word in _OF_PATIENT if scheduled.get(word) is not None},
        "PerformedProcedureStepID": step_id or scheduled.get("ScheduledProcedureStepID") or new_uid()[-16:],
        "PerformedStationAETitle": performed_by,
        "PerformedStationName": _first(scheduled.get("ScheduledStationName")),
        "PerformedLocation": scheduled.get("ScheduledProcedureStepLocation"),
        "PerformedProcedureStepStartDate": Date.of(began.date()),
        "PerformedProcedureStepStartTime": Time.of(began.time().replace(microsecond=0)),
        "PerformedProcedureStepStatus": IN_PROGRESS,
        "PerformedProcedureStepDescription": scheduled.get("ScheduledProcedureStepDescription"),
        "PerformedProcedureTypeDescription": None,
        "ProcedureCodeSequence": scheduled.get("RequestedProcedureCodeSequence") or (),
        "PerformedProcedureStepEndDate": None,
        "PerformedProcedureStepEndTime": None,
        "CommentsOnThePerformedProcedureStep": None,
        "PerformedProcedureStepDiscontinuationReasonCodeSequence": (),
        "Modality": scheduled.get("Modality"),
        "StudyID": scheduled.get("StudyID") or scheduled.get("RequestedProcedureID"),
        "PerformedProtocolCodeSequence": scheduled.get("ScheduledProtocolCodeSequence") or (),
        "PerformedSeriesSequence": (),
    }
    if scheduled.get("SpecificCharacterSet"):
        made["SpecificCharacterSet"] = scheduled.SpecificCharacterSet
    made |= attributes
    for keyword in ("PerformedStationAETitle", "Modality"):
        if not made[keyword]:
            raise ValueFormatError(f"the step has no {keyword}", tag=Tag.of(keyword), hint=f"give it, as {keyword}=...")
    return DataSet(made)


def ending(
    state: str,
    series: Iterable[DataSet] = (),
    *,
    end: datetime | None = None,
    reason: Any = None,
    **attributes: Any,
) -> DataSet:
    """Make the modification list with which a step ends.

    Parameters
    ----------
    state
        How it ended: COMPLETED or DISCONTINUED.
    series
        Items of the Performed Series Sequence, at least one.
    end
        When; by default now.
    reason
        Of a discontinuation: the value of a code of `REASONS`, such as ``"110513"``; or any code as
        ``(value, scheme, meaning)``.
    attributes
        Others by keyword, which win.

    Raises
    ------
    ValueFormatError
        When there is no series, which every step has (note 2 of Table F.7.2-1), or no such reason.

    Examples
    --------
    >>> one = DataSet(SeriesInstanceUID="1.2.3", ProtocolName="Thorax")
    >>> ending("COMPLETED", [one], end=datetime(2024, 2, 29, 9, 45)).PerformedProcedureStepEndTime
    Time('094500')
    """
    ended = end or datetime.now()
    made: dict[str, Any] = {
        "PerformedProcedureStepStatus": state,
        "PerformedProcedureStepEndDate": Date.of(ended.date()),
        "PerformedProcedureStepEndTime": Time.of(ended.time().replace(microsecond=0)),
        "PerformedSeriesSequence": tuple(series),
    }
    if reason is not None:
        made["PerformedProcedureStepDiscontinuationReasonCodeSequence"] = code_items(_reason(reason))
    made |= attributes
    if not made["PerformedSeriesSequence"]:
        hint = "every step has a series, even one that made no instance: give its item"
        raise ValueFormatError("a step can't end without a series", tag=Tag.of("PerformedSeriesSequence"), hint=hint)
    return DataSet(made)


def _reason(reason: Any) -> Any:
    if not isinstance(reason, str):
        return reason
    if reason not in REASONS:
        hint = "; ".join(f"{code}: {meaning}" for code, meaning in REASONS.items())
        raise ValueFormatError(f"{reason!r} is no reason of CID 9301", hint=hint)
    return (reason, "DCM", REASONS[reason])


def _flat(item: DataSet) -> DataSet:
    steps = item.all(STEP_SEQUENCE)
    return item.merge(steps[0]) if steps else item


def _scheduled_step(scheduled: DataSet) -> DataSet:
    found = {word: scheduled[word] for word in _OF_SCHEDULED_STEP if scheduled.get(word) not in (None, ())}
    empty: dict[str, Any] = dict.fromkeys(_TYPE_2_OF_STEP) | dict.fromkeys(_EMPTY_SEQUENCES[:2], ())
    return DataSet({"StudyInstanceUID": new_uid(), **empty, **found})


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value
