"""A small worklist that the tests of archives, servers and the command line share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.worklist_item import make_worklist_item


def item(number: int, name: str, patient: str, modality: str, station: str, start: str, **others: Any) -> DataSet:
    """An item whose IDs end with its number."""
    return make_worklist_item(
        patient_name=name,
        patient_id=patient,
        modality=modality,
        station=station,
        start=datetime.fromisoformat(start),
        step_id=f"S{number}",
        procedure_id=f"P{number}",
        study_instance_uid=f"1.2.3.{number}",
        accession_number=f"ACC{number}",
        **others,
    )


ITEMS = [
    item(
        *(1, "DOE^JANE", "A1", "CT", "CT1", "2024-02-29 09:30"),
        description="Thorax",
        sex="F",
        birth_date="19700101",
        protocol_codes=("T1", "99X", "Thorax low dose"),
        ScheduledPerformingPhysicianName="WHO^DR",
    ),
    item(2, "DOE^JOHN", "A2", "MR", "MR1", "2024-02-29 10:00", description="Head"),
    item(3, "Müller^Jörg", "B1", "CT", "CT2", "2024-03-01 08:00", procedure_code=("P1", "99X", "Pelvis")),
    item(4, "roe^rick", "B2", "US", "US1", "2024-03-01 23:15", description="Abdomen"),
    item(5, "DOE^JANE^M", "A1", "CT", "CT1", "2024-03-02 00:00", description="Thorax"),
]
QUERIES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "12345", ""),
    ({"modality": "CT"}, "135", ""),
    ({"station": "CT1"}, "15", ""),
    ({"date": "20240301"}, "34", ""),
    ({"date": "20240229-20240301"}, "1234", ""),
    ({"date": "20240301-"}, "345", ""),
    ({"date": "-20240229"}, "12", ""),
    ({"date": "20240229-20240301", "ScheduledProcedureStepStartTime": "1000-2300"}, "23", "orthanc: apart"),
    ({"ScheduledProcedureStepStartTime": "0900-1000"}, "12", "orthanc: as text"),
    ({"ScheduledProcedureStepStartTime": "1000"}, "2", "orthanc: as text"),
    ({"ScheduledProcedureStepStartTime": "100000"}, "2", ""),
    ({"ScheduledProcedureStepStartTime": "2300-"}, "4", ""),
    ({"modality": "CT", "date": "20240229", "station": "CT1"}, "1", ""),
    ({"patient_name": "DOE*"}, "125", ""),
    ({"patient_name": "DOE^JANE"}, "1", ""),
    ({"patient_name": "DOE^J?NE"}, "1", ""),
    ({"patient_name": "M*"}, "3", ""),
    ({"patient_name": "Müller*"}, "3", ""),
    ({"patient_name": "MULLER^JORG"}, "", ""),
    ({"patient_name": "doe*"}, "125", "dcmtk: case"),
    ({"PatientID": "A1"}, "15", ""),
    ({"PatientID": "NONE"}, "", ""),
    ({"PatientID": "A*"}, "125", "dcmtk: single value"),
    ({"PatientSex": "F"}, "1", ""),
    ({"AccessionNumber": "ACC2"}, "2", ""),
    ({"AccessionNumber": "ACC*"}, "12345", ""),
    ({"RequestedProcedureID": "P3"}, "3", ""),
    ({"ScheduledPerformingPhysicianName": "WHO*"}, "1", ""),
    ({"StudyInstanceUID": "1.2.3.4"}, "4", "dcmtk: optional"),
    ({"ScheduledProcedureStepID": "S2"}, "2", "dcmtk: optional"),
    ({"ScheduledProcedureStepDescription": "Th*"}, "15", "dcmtk: optional"),
    ({"ScheduledProtocolCodeSequence": {"CodeValue": "T1"}}, "1", "dcmtk: optional"),
    ({"RequestedProcedureCodeSequence": {"CodeValue": "P1"}}, "3", "dcmtk: optional"),
]
"""Keys, the numbers of the items that match, and who answers otherwise, and why."""
