"""A study as the ImagingStudy resource of HL7 FHIR, release 4 or 5."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.values.dates import Date
from dicomkit.values.person_name import PersonName
from dicomkit.values.times import Time

Release: TypeAlias = Literal["R4", "R5"]
Json: TypeAlias = "dict[str, Any]"

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_SCT = "http://snomed.info/sct"
_SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "DCM": _DCM,
        "FMA": "urn:oid:2.16.840.1.113883.6.119",
        "I10": "http://hl7.org/fhir/sid/icd-10",
        "LN": "http://loinc.org",
        "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
        "RADLEX": "http://radlex.org",
        "SCT": _SCT,
        "UCUM": "http://unitsofmeasure.org",
        "UMLS": "http://www.nlm.nih.gov/research/umls",
    }
)
"""The URI that FHIR has for a coding scheme designator of PS3.16; others are told by their UID where it is given."""
_LATERALITY = MappingProxyType({"R": ("24028007", "Right"), "L": ("7771000", "Left")})
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})")
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"


def to_imaging_study(datasets: Iterable[DataSet], *, release: Release = "R5", status: str = "available") -> Json:
    """Describe the instances of one study as an ImagingStudy resource.

    The patient is referred to by Patient ID, as a logical reference; put your own in its place where you have one. A
    time of day is given only where the data sets say the time zone, without which FHIR has no time.

    Parameters
    ----------
    datasets
        The instances, with or without pixel data; what is told of the study comes from the first.
    release
        ``"R4"`` (also for R4B) or ``"R5"``.
    status
        A code of FHIR's ImagingStudyStatus.

    Returns
    -------
    dict
        What ``json.dumps`` takes; series by their number, instances by theirs.

    Raises
    ------
    ValueFormatError
        When there is no instance, or they belong to several studies.
    MissingElementError
        When an instance lacks one of its UIDs.

    Examples
    --------
    >>> study = to_imaging_study([DataSet(StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4",
    ...     SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT", PatientID="A-17", StudyDate="20240131")])
    >>> study["identifier"][0]["value"], study["started"], study["numberOfInstances"]
    ('urn:oid:1.2', '2024-01-31', 1)
    """
    if release not in ("R4", "R5"):
        raise ValueFormatError(f"{release!r} is no release of FHIR that is known here", hint="give 'R4' or 'R5'")
    series: dict[str, list[DataSet]] = {}
    instances: dict[str, DataSet] = {}
    for ds in datasets:
        uid = str(ds.SOPInstanceUID)
        if uid not in instances:
            series.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
            instances[uid] = ds
    if not instances:
        raise ValueFormatError("no instance, so there is no study")
    studies = {str(ds.StudyInstanceUID) for ds in instances.values()}
    if len(studies) > 1:
        raise ValueFormatError(f"{len(studies)} studies: {', '.join(sorted(studies))[:200]}", hint="group by study")
    first = next(iter(instances.values()))
    described = [_series(each, release) for each in series.values()]
    modalities = dict.fromkeys(_text(ds, "Modality") for ds in instances.values())
    return _without_empty(
        {
            "resourceType": "ImagingStudy",
            "identifier": _identifiers(first),
            "status": status,
            "modality": [_concept(_modality(each), release) for each in modalities if each],
            "subject": _subject(first),
            "started": _date_time(first, "StudyDate", "StudyTime"),
            "referrer": _person(first, "ReferringPhysicianName"),
            "numberOfSeries": len(series),
            "numberOfInstances": len(instances),
            **_codes(first, "ProcedureCodeSequence", "procedureCode", "procedure", release),
            **_codes(first, "ReasonForPerformedProcedureCodeSequence", "reasonCode", "reason", release),
            "description": _text(first, "StudyDescription"),
            "series": sorted(described, key=lambda each: (each.get("number", 1 << 32), each["uid"])),
        }
    )


def _series(datasets: list[DataSet], release: Release) -> Json:
    first = datasets[0]
    laterality = _LATERALITY.get(_text(first, "Laterality") or "")
    performers = [_person(first, keyword) for keyword in ("PerformingPhysicianName", "OperatorsName")]
    instances = [_instance(ds) for ds in datasets]
    return _without_empty(
        {
            "uid": str(first.SeriesInstanceUID),
            "number": _number(first, "SeriesNumber"),
            "modality": _concept(_modality(_text(first, "Modality") or "OT"), release),
            "description": _text(first, "SeriesDescription"),
            "numberOfInstances": len(datasets),
            "bodySite": _reference(_body_site(first), release),
            "laterality": _concept(_coding(_SCT, *laterality), release) if laterality else None,
            "started": _date_time(first, "SeriesDate", "SeriesTime"),
            "performer": [{"actor": person} for person in performers if person],
            "instance": sorted(instances, key=lambda each: (each.get("number", 1 << 32), each["uid"])),
        }
    )


def _instance(ds: DataSet) -> Json:
    titles = (("ContentLabel",), ("ConceptNameCodeSequence", 0, "CodeMeaning"), ("DocumentTitle",))
    title = next((found for path in titles if (found := _text(ds, path))), None)
    return _without_empty(
        {
            "uid": str(ds.SOPInstanceUID),
            "sopClass": _coding("urn:ietf:rfc:3986", f"urn:oid:{ds.SOPClassUID}"),
            "number": _number(ds, "InstanceNumber"),
            "title": title,
        }
    )


def _identifiers(ds: DataSet) -> list[Json]:
    identifiers: list[Json] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{ds.StudyInstanceUID}"}]
    if accession := _text(ds, "AccessionNumber"):
        kind = {"coding": [_coding(_TYPES, "ACSN")]}
        issuer = _text(ds, ("IssuerOfAccessionNumberSequence", 0, "UniversalEntityID"))
        of_type = _text(ds, ("IssuerOfAccessionNumberSequence", 0, "UniversalEntityIDType"))
        system = f"urn:oid:{issuer}" if issuer and of_type == "ISO" else issuer if of_type == "URI" else None
        identifiers.append(_without_empty({"type": kind, "system": system, "value": accession}))
    return identifiers


def _subject(ds: DataSet) -> Json:
    identifier = _without_empty({"value": _text(ds, "PatientID")})
    name = _text(ds, "PatientName")
    display = PersonName(name).formatted() if name else "" if identifier else "unknown"
    return _without_empty({"type": "Patient", "identifier": identifier, "display": display})


def _person(ds: DataSet, keyword: str) -> Json | None:
    name = next((PersonName(name).formatted() for name in ds.all(keyword) if isinstance(name, str)), "")
    return {"display": name} if name else None


def _modality(code: str) -> Json:
    return _coding(_DCM, code)


def _body_site(ds: DataSet) -> Json | None:
    if region := ds.get(("AnatomicRegionSequence", 0)):
        return _code(region)
    site = _text(ds, "BodyPartExamined")
    return {"display": site} if site else None


def _code(item: DataSet) -> Json:
    """One item of a code sequence (PS3.3 8.8) as a Coding."""
    value = next((found for tag in ("CodeValue", "LongCodeValue", "URNCodeValue") if (found := _text(item, tag))), None)
    designator = _text(item, "CodingSchemeDesignator") or ""
    scheme = _text(item, "CodingSchemeUID")
    system = _SYSTEMS.get(designator, f"urn:oid:{scheme}" if scheme else None)
    version = _text(item, "CodingSchemeVersion")
    return _without_empty({"system": system, "version": version, "code": value, "display": _text(item, "CodeMeaning")})


def _codes(ds: DataSet, keyword: str, in_r4: str, in_r5: str, release: Release) -> Json:
    """The codes of a sequence, under the name and in the form that each release has for them."""
    concepts = [{"coding": [_code(item)]} for item in ds.all(keyword)]
    return {in_r4: concepts} if release == "R4" else {in_r5: [{"concept": concept} for concept in concepts]}


def _coding(system: str, code: str, display: str | None = None) -> Json:
    return _without_empty({"system": system, "code": code, "display": display})


def _concept(coding: Json, release: Release) -> Json:
    """What is a Coding in release 4 is a CodeableConcept in release 5."""
    return coding if release == "R4" else {"coding": [coding]}


def _reference(coding: Json | None, release: Release) -> Json | None:
    """What is a Coding in release 4 is a CodeableReference in release 5."""
    return coding if release == "R4" or coding is None else {"concept": {"coding": [coding]}}


def _text(ds: DataSet, key: Any) -> str | None:
    values = ds.all(key)
    text = "\\".join(str(value) for value in values if value is not None and not isinstance(value, DataSet)).strip()
    return text or None


def _number(ds: DataSet, keyword: str) -> int | None:
    """A number that FHIR can hold: an unsigned integer of 31 bits."""
    value = ds.get(keyword)
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else None


def _date_time(ds: DataSet, date_keyword: str, time_keyword: str) -> str | None:
    """A FHIR dateTime, as precise as it may be."""
    date, time = ds.get(date_keyword), ds.get(time_keyword)
    try:
        day = date.to_date().isoformat() if isinstance(date, Date) else None
        offset = _OFFSET.fullmatch(_text(ds, "TimezoneOffsetFromUTC") or "")
        if day is None or offset is None or not isinstance(time, Time):
            return day
        return f"{day}T{time.to_time().isoformat()}{offset[1]}:{offset[2]}"
    except DicomError:
        return None


def _without_empty(members: Mapping[str, Any]) -> Json:
    """Leave out what is None or empty, which FHIR doesn't allow."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}
