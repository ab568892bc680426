"""An item of a modality worklist: one scheduled procedure step, and what it is a part of (PS3.4 K.6.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError
from dicomkit.objects.coded_entry import CodeLike, code_items
from dicomkit.standard.attributes import vr_of
from dicomkit.standard.worklist_keys import STEP_SEQUENCE, is_of_step, usual_worklist_keys
from dicomkit.values.dates import Date
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import new_uid

if TYPE_CHECKING:
    import pandas as pd

_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "PatientName": "patient_name",
        "PatientID": "patient_id",
        "PatientBirthDate": "birth_date",
        "PatientSex": "sex",
        "Modality": "modality",
        "ScheduledStationAETitle": "station",
        "ScheduledProcedureStepID": "step_id",
        "ScheduledProcedureStepDescription": "description",
        "RequestedProcedureID": "procedure_id",
        "RequestedProcedureDescription": "procedure_description",
        "StudyInstanceUID": "study_instance_uid",
        "AccessionNumber": "accession_number",
    }
)
"""Which parameter has the value of an attribute."""
_NEEDED = (
    *("PatientName", "PatientID", "StudyInstanceUID", "RequestedProcedureID"),
    *(f"{STEP_SEQUENCE}.ScheduledProcedureStep{what}" for what in ("StartDate", "StartTime", "ID")),
    *(f"{STEP_SEQUENCE}.{keyword}" for keyword in ("Modality", "ScheduledStationAETitle")),
)
"""What has a value in every item."""


def make_worklist_item(
    *,
    patient_name: str | None = None,
    patient_id: str | None = None,
    modality: str | None = None,
    station: str | None = None,
    start: datetime | None = None,
    birth_date: Any = None,
    sex: str | None = None,
    description: str | None = None,
    protocol_codes: CodeLike | Iterable[CodeLike] | None = None,
    step_id: str | None = None,
    procedure_id: str | None = None,
    procedure_description: str | None = None,
    procedure_code: CodeLike | None = None,
    study_instance_uid: str | None = None,
    accession_number: str | None = None,
    **attributes: Any,
) -> DataSet:
    """Make an item of a worklist with all that PS3.4 Table K.6-1 asks of a provider.

    Parameters
    ----------
    patient_name, patient_id, birth_date, sex
        Who is examined; name and ID are needed.
    modality, station
        Modality, and AE title of the station that performs the step.
    start
        When it begins; or ScheduledProcedureStepStartDate and -Time among the attributes.
    description, protocol_codes
        What is done: a text, and codes as ``(value, scheme, meaning)``; by default the text is that of the procedure.
    step_id, procedure_id
        By default new ones, of 16 characters.
    procedure_description, procedure_code
        What was requested; by default the description of the step.
    study_instance_uid
        By default a new one.
    accession_number
        Of the request.
    attributes
        Others by keyword; those of the scheduled step are put where they belong.

    Returns
    -------
    DataSet
        With empty values for what is unknown, in UTF-8 where ASCII isn't enough.

    Raises
    ------
    ValueFormatError
        When something that an item needs is missing, or a value breaks the rules of its VR.

    Examples
    --------
    >>> item = make_worklist_item(
    ...     patient_name="DOE^JANE", patient_id="A-17", modality="CT", station="CT1",
    ...     start=datetime(2024, 2, 29, 9, 30), description="CT of the thorax",
    ... )
    >>> item["ScheduledProcedureStepSequence", 0, "ScheduledProcedureStepStartTime"], item.AccessionNumber
    (Time('093000'), None)
    """
    text = description or procedure_description
    placed: dict[str, Any] = dict.fromkeys(usual_worklist_keys())
    for keyword, value in {
        "PatientName": patient_name,
        "PatientID": patient_id,
        "PatientBirthDate": birth_date,
        "PatientSex": sex,
        "AccessionNumber": accession_number,
        "StudyInstanceUID": study_instance_uid or new_uid(),
        "RequestedProcedureID": procedure_id or _new_id(),
        "RequestedProcedureDescription": procedure_description or description,
        "RequestedProcedureCodeSequence": code_items(procedure_code),
        "ReferencedStudySequence": (),
        "ReferencedPatientSequence": (),
        "Modality": modality,
        "ScheduledStationAETitle": station,
        "ScheduledProcedureStepStartDate": None if start is None else Date.of(start.date()),
        "ScheduledProcedureStepStartTime": None if start is None else Time.of(start.time()),
        "ScheduledProcedureStepDescription": text,
        "ScheduledProtocolCodeSequence": code_items(protocol_codes),
        "ScheduledProcedureStepID": step_id or _new_id(),
        **attributes,
    }.items():
        placed[f"{STEP_SEQUENCE}.{keyword}" if is_of_step(keyword) else keyword] = value
    missing = [path.rpartition(".")[2] for path in _NEEDED if placed.get(path) in (None, "")]
    if missing:
        raise ValueFormatError(f"an item of a worklist needs {', '.join(missing)}", tag=Tag.of(missing[0]))
    step = {path.partition(".")[2]: value for path, value in placed.items() if "." in path}
    others = {path: value for path, value in placed.items() if "." not in path}
    item = DataSet(others | {STEP_SEQUENCE: [DataSet(step)]})
    is_ascii = all(element.vr == "SQ" or element.text.isascii() for _, element in item.walk())
    return item if is_ascii or "SpecificCharacterSet" in item else item.assign(SpecificCharacterSet="ISO_IR 192")


def worklist_items_of(table: pd.DataFrame) -> Iterator[DataSet]:
    """Make an item of each row of a table.

    Parameters
    ----------
    table : DataFrame
        Its columns are called like the parameters of `make_worklist_item`, or by keyword; ``start`` is a moment. A
        missing value is as if the column weren't there.

    Yields
    ------
    DataSet

    Raises
    ------
    ValueFormatError
        When a row lacks what an item needs, or has a value that breaks the rules of its VR.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"PatientID": ["A", "B"], "PatientName": ["DOE^JANE", "ROE^RICK"], "Modality": "CT"})
    >>> table["station"], table["start"] = "CT1", pd.to_datetime(["2024-02-29 09:30", "2024-02-29 10:00"])
    >>> [item.PatientName for item in worklist_items_of(table)]
    [PersonName('DOE^JANE'), PersonName('ROE^RICK')]
    """
    import pandas as pd

    names = [str(name) for name in table.columns]
    columns = [table[name].astype(object).tolist() for name in table.columns]
    for number, row in enumerate(zip(*columns, strict=True)):
        given = {
            _PARAMETERS.get(name, name): _plain(name, cell)
            for name, cell in zip(names, row, strict=True)
            if isinstance(cell, (list, tuple, dict, DataSet)) or not pd.isna(cell)
        }
        try:
            yield make_worklist_item(**given)
        except ValueFormatError as error:
            raise ValueFormatError(f"row {number}: {error.message}", tag=error.tag, hint=error.hint) from error


def _plain(name: str, cell: Any) -> Any:
    """Take a cell for what it is in DICOM: a moment may be a date, a duration the time of a day."""
    if hasattr(cell, "to_pydatetime"):
        cell = cell.to_pydatetime()
    elif hasattr(cell, "to_pytimedelta"):
        cell = Time.of(cell.to_pytimedelta())
    if isinstance(cell, datetime) and (name == "birth_date" or _is_date(name)):
        return cell.date()
    if hasattr(cell, "item") and hasattr(cell, "dtype"):
        return cell.item()
    return cell


def _is_date(keyword: str) -> bool:
    try:
        return vr_of(Tag.of(keyword)) == "DA"
    except ValueFormatError:
        return False


def _new_id() -> str:
    return uuid.uuid4().hex[:16].upper()
