"""A study as a FHIR ImagingStudy, in releases 4 and 5."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from realdata import all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.errors import DicomError, MissingElementError, ValueFormatError
from dicomkit.neighbours.fhir import to_imaging_study

CT = "1.2.840.10008.5.1.4.1.1.2"
CODE = {"CodeValue": "P5-09051", "CodingSchemeDesignator": "SCT", "CodeMeaning": "CT of chest"}
OWN_CODE = {"CodeValue": "C1", "CodingSchemeDesignator": "99X", "CodingSchemeUID": "1.2.3", "CodeMeaning": "Chest"}


def instance(number: int, series: str = "1.2.3", **more: object) -> dk.DataSet:
    return dk.DataSet(
        {
            "SOPClassUID": CT,
            "SOPInstanceUID": f"{series}.{number}",
            "StudyInstanceUID": "1.2",
            "SeriesInstanceUID": series,
            "InstanceNumber": number,
            "Modality": "CT",
            **more,
        }
    )


FULL = {
    "AccessionNumber": "ACC-1",
    "IssuerOfAccessionNumberSequence": [{"UniversalEntityID": "1.2.99", "UniversalEntityIDType": "ISO"}],
    "StudyDate": "20240131",
    "StudyTime": "101500.25",
    "TimezoneOffsetFromUTC": "+0130",
    "ReferringPhysicianName": "Doe^Ann^^Dr.",
    "PatientName": "Adams^John",
    "PatientID": "A-17",
    "StudyDescription": "Chest",
    "SeriesDescription": "Axial",
    "SeriesNumber": 2,
    "Laterality": "R",
    "BodyPartExamined": "CHEST",
    "PerformingPhysicianName": "Roe^Jane",
    "ProcedureCodeSequence": [CODE, OWN_CODE],
    "DocumentTitle": "Scout",
}


def test_release_4() -> None:
    study = to_imaging_study([instance(2, **FULL), instance(1, **FULL)], release="R4")
    assert study == {
        "resourceType": "ImagingStudy",
        "identifier": [
            {"system": "urn:dicom:uid", "value": "urn:oid:1.2"},
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]},
                "system": "urn:oid:1.2.99",
                "value": "ACC-1",
            },
        ],
        "status": "available",
        "modality": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}],
        "subject": {"type": "Patient", "identifier": {"value": "A-17"}, "display": "John Adams"},
        "started": "2024-01-31T10:15:00.250000+01:30",
        "referrer": {"display": "Dr. Ann Doe"},
        "numberOfSeries": 1,
        "numberOfInstances": 2,
        "procedureCode": [
            {"coding": [{"system": "http://snomed.info/sct", "code": "P5-09051", "display": "CT of chest"}]},
            {"coding": [{"system": "urn:oid:1.2.3", "code": "C1", "display": "Chest"}]},
        ],
        "description": "Chest",
        "series": [
            {
                "uid": "1.2.3",
                "number": 2,
                "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
                "description": "Axial",
                "numberOfInstances": 2,
                "bodySite": {"display": "CHEST"},
                "laterality": {"system": "http://snomed.info/sct", "code": "24028007", "display": "Right"},
                "performer": [{"actor": {"display": "Jane Roe"}}],
                "instance": [
                    {
                        "uid": f"1.2.3.{number}",
                        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{CT}"},
                        "number": number,
                        "title": "Scout",
                    }
                    for number in (1, 2)
                ],
            }
        ],
    }


def test_release_5_has_concepts_where_4_has_codings() -> None:
    region = {"CodeValue": "51185008", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Chest"}
    study = to_imaging_study([instance(1, **FULL, AnatomicRegionSequence=[region])])
    (series,) = study["series"]
    assert study["modality"] == [{"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]}]
    assert series["modality"] == study["modality"][0]
    assert study["procedure"][0]["concept"]["coding"][0]["code"] == "P5-09051"
    assert series["bodySite"]["concept"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "51185008", "display": "Chest"}
    ]
    assert "procedureCode" not in study


def test_several_series_in_order_each_instance_once() -> None:
    datasets = [
        instance(1, "1.2.5", SeriesNumber=7, Modality="SR"),
        instance(2, "1.2.4", SeriesNumber=3),
        instance(1, "1.2.4", SeriesNumber=3),
        instance(1, "1.2.4", SeriesNumber=3),
    ]
    study = to_imaging_study(iter(datasets))
    assert [(each["uid"], each["numberOfInstances"]) for each in study["series"]] == [("1.2.4", 2), ("1.2.5", 1)]
    assert [each["number"] for each in study["series"][0]["instance"]] == [1, 2]
    assert [each["coding"][0]["code"] for each in study["modality"]] == ["SR", "CT"]
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 3)


@pytest.mark.parametrize(
    ("more", "started"),
    [
        ({}, None),
        ({"StudyDate": "20240131", "StudyTime": "1015"}, "2024-01-31"),
        ({"StudyDate": "20240131", "TimezoneOffsetFromUTC": "-0500"}, "2024-01-31"),
        ({"StudyDate": "20240131", "StudyTime": "1015", "TimezoneOffsetFromUTC": "-0500"}, "2024-01-31T10:15:00-05:00"),
    ],
)
def test_a_time_needs_a_time_zone(more: dict[str, str], started: str | None) -> None:
    assert to_imaging_study([instance(1, **more)]).get("started") == started


def test_what_is_missing_is_left_out() -> None:
    study = to_imaging_study([instance(1)])
    assert study["subject"] == {"type": "Patient", "display": "unknown"}
    assert not {"started", "description", "referrer", "procedure"} & set(study)


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_a_body_part_without_a_code_is_told_in_words(release: str) -> None:
    (series,) = to_imaging_study([instance(1, BodyPartExamined="CHEST")], release=release)["series"]  # type: ignore[arg-type]
    site = {"display": "CHEST"}
    assert series["bodySite"] == (site if release == "R4" else {"concept": {"coding": [site]}})


def test_errors() -> None:
    with pytest.raises(ValueFormatError, match="no instance"):
        to_imaging_study([])
    with pytest.raises(ValueFormatError, match=r"2 studies: 1\.2, 1\.9"):
        to_imaging_study([instance(1), instance(2, StudyInstanceUID="1.9")])
    with pytest.raises(MissingElementError, match="SeriesInstanceUID"):
        to_imaging_study([instance(1).drop("SeriesInstanceUID")])
    with pytest.raises(ValueFormatError, match="release"):
        to_imaging_study([instance(1)], release="R3")  # type: ignore[arg-type]


@needs_data
def test_real_studies_are_described() -> None:
    studies = defaultdict(list)
    for path in all_dicom_files():
        try:
            ds = dk.read(path, stop_before="PixelData")
            studies[ds.StudyInstanceUID].append(ds)
        except DicomError:
            continue
    assert len(studies) > 30
    described = 0
    for datasets in studies.values():
        try:
            study = to_imaging_study(datasets)
        except MissingElementError:
            continue
        assert json.loads(json.dumps(study)) == study
        assert study["numberOfInstances"] == sum(len(series["instance"]) for series in study["series"])
        described += 1
    assert described > 30
