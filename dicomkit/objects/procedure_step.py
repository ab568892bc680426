"""A unified procedure step: what is to be done, as a data set for N-CREATE and as a value to look at (PS3.3 B.26.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.display.html import Markup, card
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.objects.coded_entry import CodeLike, code_items
from dicomkit.standard.procedure_steps import PUSH, SCHEDULED, step_attributes
from dicomkit.values.date_times import DateTime
from dicomkit.values.tag import Tag

Instances: TypeAlias = "Iterable[DataSet | Mapping[str, Any]]"
PRIORITIES = ("HIGH", "MEDIUM", "LOW")
PROGRESS = "ProcedureStepProgressInformationSequence"
PERFORMED = "UnifiedProcedureStepPerformedProcedureSequence"
UNSPECIFIED_REASON = ("110513", "DCM", "Discontinued for unspecified reason")
_PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")


@dataclass(frozen=True, slots=True)
class ProcedureStep:
    """A step at a glance.

    Attributes
    ----------
    uid
        Its SOP Instance UID; empty where nobody has given it one.
    label, worklist
        What it is, and the worklist it belongs to.
    state
        ``"SCHEDULED"``, ``"IN PROGRESS"``, ``"COMPLETED"`` or ``"CANCELED"``.
    priority
        ``"HIGH"``, ``"MEDIUM"`` or ``"LOW"``.
    start
        When it is scheduled for.
    readiness
        Whether its input is there.
    stations, workitems
        The meanings of the codes of where and what.
    patient_name, patient_id
        Whom it is about.
    progress, description
        How far it is: 0 to 100, and in words.
    inputs, outputs
        SOP Instance UIDs of what it works on, and of what it made.
    dataset
        All of it.
    """

    uid: str
    label: str = ""
    worklist: str = ""
    state: str = SCHEDULED
    priority: str = "MEDIUM"
    start: DateTime | None = None
    readiness: str = ""
    stations: tuple[str, ...] = ()
    workitems: tuple[str, ...] = ()
    patient_name: str = ""
    patient_id: str = ""
    progress: float | None = None
    description: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    dataset: DataSet = field(default_factory=DataSet, repr=False, compare=False)

    def _pairs(self) -> list[tuple[str, object]]:
        progress = " ".join(filter(None, ["" if self.progress is None else f"{self.progress:g} %", self.description]))
        pairs: list[tuple[str, object]] = [
            ("state", self.state),
            ("priority", self.priority),
            ("start", self.start),
            ("worklist", self.worklist),
            ("patient", " ".join(filter(None, [self.patient_name, self.patient_id]))),
            ("stations", ", ".join(self.stations)),
            ("workitems", ", ".join(self.workitems)),
            ("progress", progress),
            ("input", f"{len(self.inputs)} instances, {self.readiness}" if self.inputs else self.readiness),
            ("output", f"{len(self.outputs)} instances" if self.outputs else ""),
            ("uid", self.uid),
        ]
        return [(name, value) for name, value in pairs if value]

    def __repr__(self) -> str:
        return f"<ProcedureStep {self.label or self.uid!r}: {self.state}, {self.priority}>"

    def _repr_html_(self) -> Markup:
        return card(self.label or "Unified Procedure Step", self._pairs())


def make_procedure_step(
    label: str,
    *,
    start: datetime | str | None = None,
    priority: str = "MEDIUM",
    worklist: str | None = None,
    station: CodeLike | Iterable[CodeLike] | None = None,
    workitem: CodeLike | Iterable[CodeLike] | None = None,
    inputs: Instances = (),
    patient: DataSet | None = None,
    ready: bool = True,
    retrieve_from: str | None = None,
    **attributes: Any,
) -> DataSet:
    """Make a step that can be created: every attribute that PS3.4 CC.2.5 asks of the user of N-CREATE is there.

    Parameters
    ----------
    label
        What it is, in a few words.
    start
        When it is to be done; now, where nobody says.
    priority
        ``"HIGH"``, ``"MEDIUM"`` or ``"LOW"``.
    worklist
        Which worklist it goes to; the provider chooses where nobody says.
    station, workitem
        Where, and what is to be done: codes as ``("110005", "DCM", "Interpretation")``, one or several.
    inputs
        What it works on: headers or matches, with StudyInstanceUID, SeriesInstanceUID, SOPClassUID and SOPInstanceUID.
    patient
        A data set whose attributes of the patient are taken; by default the first of the inputs.
    ready
        Whether the inputs are all there.
    retrieve_from
        The AE title that has the inputs; by default what they say themselves (RetrieveAETitle).
    attributes
        Others, by keyword.

    Raises
    ------
    ValueFormatError
        When the priority is none, or a value breaks the rules of its VR.
    MissingElementError
        When an input lacks a UID, or nobody says where it is.

    Examples
    --------
    >>> step = make_procedure_step("Segment the liver", workitem=("110004", "DCM", "Computer Aided Detection"))
    >>> step.ProcedureStepState, step.ScheduledProcedureStepPriority, step.ScheduledStationNameCodeSequence
    ('SCHEDULED', 'MEDIUM', ())
    """
    if priority not in PRIORITIES:
        raise ValueFormatError(f"{priority!r} is no priority", hint=f"it is one of {', '.join(PRIORITIES)}")
    found = list(inputs)
    about = patient if patient is not None else DataSet(found[0]) if found else DataSet()
    moment = datetime.now() if start is None else start
    required = [one.path[0] for one in step_attributes() if len(one.path) == 1 and one.create in ("2", "E")]
    made = DataSet(dict.fromkeys(map(Tag, required))).assign(
        {keyword: about[keyword] for keyword in (*_PATIENT, "SpecificCharacterSet") if keyword in about},
        ProcedureStepState=SCHEDULED,
        ProcedureStepLabel=label,
        WorklistLabel=worklist,
        ScheduledProcedureStepPriority=priority,
        ScheduledProcedureStepStartDateTime=moment if isinstance(moment, str) else DateTime.of(moment),
        ScheduledStationNameCodeSequence=code_items(station),
        ScheduledWorkitemCodeSequence=code_items(workitem),
        InputReadinessState="READY" if ready else "INCOMPLETE",
        InputInformationSequence=reference_items(found, retrieve_from),
        **attributes,
    )
    return in_utf8(made)


def progress(percent: float | None = None, description: str | None = None, *, contact: str | None = None) -> DataSet:
    """Make the changes that say how far a step is.

    Parameters
    ----------
    percent
        From 0 to 100.
    description
        In words.
    contact
        A URI under which whoever performs it is reached.

    Examples
    --------
    >>> progress(50, "half way")["ProcedureStepProgressInformationSequence", 0, "ProcedureStepProgress"]
    50.0
    """
    item: dict[str, Any] = {}
    if percent is not None:
        item["ProcedureStepProgress"] = percent
    if description is not None:
        item["ProcedureStepProgressDescription"] = description
    if contact is not None:
        item["ProcedureStepCommunicationsURISequence"] = [{"ContactURI": contact}]
    return in_utf8(DataSet({PROGRESS: [item]}))


def performed(
    step: DataSet | None = None,
    *,
    station: CodeLike | Iterable[CodeLike] | None = None,
    workitem: CodeLike | Iterable[CodeLike] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    outputs: Instances = (),
    retrieve_from: str | None = None,
    description: str | None = None,
) -> DataSet:
    """Make the changes that a step needs before it can be completed (PS3.4 CC.2.5.1.1).

    Parameters
    ----------
    step
        The step as it was scheduled: where it was done, what was done and when it began is taken from there, where
        nobody says.
    station, workitem
        Where it was done, and what: codes.
    start, end
        From when to when; the end is now, where nobody says.
    outputs
        What came of it, as the inputs of `make_procedure_step`.
    retrieve_from
        The AE title that has the outputs.
    description
        Of what was done.

    Raises
    ------
    MissingElementError
        When nobody says where it was done, or what.

    Examples
    --------
    >>> changes = performed(station=("A", "99X", "Room A"), workitem=("110005", "DCM", "Interpretation"))
    >>> changes["UnifiedProcedureStepPerformedProcedureSequence", 0, "PerformedWorkitemCodeSequence", 0, "CodeMeaning"]
    'Interpretation'
    """
    known = step if step is not None else DataSet()
    stations = code_items(station) or known.all("ScheduledStationNameCodeSequence")
    workitems = code_items(workitem) or known.all("ScheduledWorkitemCodeSequence")
    for name, codes in (("station", stations), ("workitem", workitems)):
        if not codes:
            raise MissingElementError(f"a step is completed with the {name}, which nobody says", hint=f"give {name}=")
    until = end or datetime.now()
    begin = start or known.get("ScheduledProcedureStepStartDateTime") or until
    item: dict[str, Any] = {
        "PerformedStationNameCodeSequence": stations,
        "PerformedWorkitemCodeSequence": workitems,
        "PerformedProcedureStepStartDateTime": DateTime.of(begin) if isinstance(begin, datetime) else begin,
        "PerformedProcedureStepEndDateTime": DateTime.of(until),
        "OutputInformationSequence": reference_items(outputs, retrieve_from),
    }
    if description is not None:
        item["PerformedProcedureStepDescription"] = description
    return in_utf8(DataSet({PERFORMED: [item]}))


def discontinued(reason: CodeLike | str | None = None) -> DataSet:
    """Make the changes that a step in progress needs before its performer can cancel it.

    Parameters
    ----------
    reason
        A code; or a text, which goes with the code of an unspecified reason.

    Examples
    --------
    >>> discontinued("no time")["ProcedureStepProgressInformationSequence", 0, "ReasonForCancellation"]
    'no time'
    """
    code: CodeLike = UNSPECIFIED_REASON if reason is None or isinstance(reason, str) else reason
    item: dict[str, Any] = {
        "ProcedureStepCancellationDateTime": DateTime.of(datetime.now()),
        "ProcedureStepDiscontinuationReasonCodeSequence": code_items(code),
    }
    if isinstance(reason, str):
        item["ReasonForCancellation"] = reason
    return in_utf8(DataSet({PROGRESS: [item]}))


def reference_items(instances: Instances, retrieve_from: str | None = None) -> tuple[DataSet, ...]:
    """Refer to instances and say where they are: an item for each series (PS3.3 Table 10-3b).

    Raises
    ------
    MissingElementError
        When one lacks a UID, or nobody says where it is.

    Examples
    --------
    >>> uids = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.2", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}
    >>> [item] = reference_items([uids | {"SOPInstanceUID": f"2.25.{n}"} for n in (3, 4)], "ARCHIVE")
    >>> len(item.ReferencedSOPSequence), item["DICOMRetrievalSequence", 0, "RetrieveAETitle"]
    (2, 'ARCHIVE')
    """
    series: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for instance in instances:
        ds = DataSet(instance)
        place = retrieve_from or (ds.all("RetrieveAETitle") or (None,))[0]
        if not place:
            hint = "give the AE title of who has it: retrieve_from="
            raise MissingElementError("nobody says where an instance can be retrieved", hint=hint)
        key = (str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(place))
        uids = {"ReferencedSOPClassUID": ds.SOPClassUID, "ReferencedSOPInstanceUID": ds.SOPInstanceUID}
        series.setdefault(key, []).append(uids)
    return tuple(
        DataSet(
            TypeOfInstances="DICOM",
            StudyInstanceUID=study,
            SeriesInstanceUID=of_series,
            ReferencedSOPSequence=references,
            DICOMRetrievalSequence=[{"RetrieveAETitle": place}],
        )
        for (study, of_series, place), references in series.items()
    )


def in_utf8(ds: DataSet) -> DataSet:
    """Say that a data set is in UTF-8, where ASCII isn't enough and it doesn't say what it is in.

    Examples
    --------
    >>> in_utf8(DataSet(ProcedureStepLabel="Müller")).SpecificCharacterSet
    'ISO_IR 192'
    """
    is_plain = "SpecificCharacterSet" in ds or all(e.vr == "SQ" or e.text.isascii() for _, e in ds.walk())
    return ds if is_plain else ds.assign(SpecificCharacterSet="ISO_IR 192")


def parse_procedure_step(ds: DataSet) -> ProcedureStep:
    """Read a step, or a match of a search for steps.

    Examples
    --------
    >>> parse_procedure_step(make_procedure_step("Segment the liver", priority="HIGH"))
    <ProcedureStep 'Segment the liver': SCHEDULED, HIGH>
    """
    percent = ds.get((PROGRESS, 0, "ProcedureStepProgress"))
    return ProcedureStep(
        str(ds.get("SOPInstanceUID") or ""),
        _text(ds, "ProcedureStepLabel"),
        _text(ds, "WorklistLabel"),
        _text(ds, "ProcedureStepState"),
        _text(ds, "ScheduledProcedureStepPriority"),
        ds.get("ScheduledProcedureStepStartDateTime"),
        _text(ds, "InputReadinessState"),
        _meanings(ds.all("ScheduledStationNameCodeSequence")),
        _meanings(ds.all("ScheduledWorkitemCodeSequence")),
        _text(ds, "PatientName"),
        _text(ds, "PatientID"),
        float(percent) if isinstance(percent, (int, float)) else None,
        str(ds.get((PROGRESS, 0, "ProcedureStepProgressDescription")) or ""),
        _referenced(ds.all("InputInformationSequence")),
        _referenced(item for one in ds.all(PERFORMED) for item in one.all("OutputInformationSequence")),
        ds if ds.get("SOPClassUID") else ds.assign(SOPClassUID=PUSH),
    )


def _text(ds: DataSet, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value)


def _meanings(items: Iterable[DataSet]) -> tuple[str, ...]:
    return tuple(str(item.get("CodeMeaning") or item.get("CodeValue") or "") for item in items)


def _referenced(items: Iterable[DataSet]) -> tuple[str, ...]:
    return tuple(
        str(one.get("ReferencedSOPInstanceUID") or "") for item in items for one in item.all("ReferencedSOPSequence")
    )
