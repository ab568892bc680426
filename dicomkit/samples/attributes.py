"""The attributes that all sample images share: patient, study, series, equipment, position, pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError
from dicomkit.standard.uids import uid_of
from dicomkit.values.uid import new_uid

Attributes = dict[str, Any]

# Invented people: name, sex, date of birth, height in m, weight in kg.
_PEOPLE = (
    ("Martin^Alice", "F", "19620314", 1.68, 64.0),
    ("Okafor^Daniel", "M", "19551102", 1.81, 86.0),
    ("Nowak^Ewa^Maria", "F", "19780629", 1.64, 58.5),
    ("Garcia^Luis^Angel", "M", "19490917", 1.73, 79.0),
)
STUDY_DATE = "20240517"


def uid(seed: int, *names: object) -> str:
    """Make the UID of something named, the same for the same seed."""
    return str(new_uid(seed="/".join(["dicomkit.samples", str(seed), *map(str, names)])))


def sop_class(keyword: str) -> str:
    """Look up the UID of a storage class by its keyword."""
    found = uid_of(keyword)
    if found is None:
        raise DicomError(f"no storage class is called {keyword}")
    return found


def data_set(attributes: Mapping[str, Any]) -> DataSet:
    """Build a DataSet from keywords and values, in which lists of mappings are sequences."""
    return DataSet({keyword: _value(value) for keyword, value in attributes.items()})


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return data_set(value)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [data_set(item) for item in value]
    return value


def code(value: str, scheme: str, meaning: str) -> list[Attributes]:
    """Make a code sequence of one item."""
    return [{"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}]


def patient_and_study(seed: int, study: str, description: str, time: str) -> Attributes:
    """Describe the person and the visit that a seed stands for; `study` names one of the visit's studies."""
    name, sex, birth, size, weight = _PEOPLE[seed % len(_PEOPLE)]
    age = int(STUDY_DATE[:4]) - int(birth[:4]) - (STUDY_DATE[4:] < birth[4:])
    return {
        "PatientName": name,
        "PatientID": f"SAMPLE-{seed:04d}",
        "IssuerOfPatientID": "DICOMKIT",
        "PatientBirthDate": birth,
        "PatientSex": sex,
        "PatientAge": f"{age:03d}Y",
        "PatientSize": size,
        "PatientWeight": weight,
        "PatientIdentityRemoved": "NO",
        "StudyInstanceUID": uid(seed, study),
        "StudyID": f"{seed:04d}",
        "StudyDate": STUDY_DATE,
        "StudyTime": time,
        "StudyDescription": description,
        "AccessionNumber": f"A{seed:07d}",
        "ReferringPhysicianName": "Haddad^Samir^^Dr.",
    }


def series(seed: int, modality: str, number: int, description: str, time: str, body_part: str) -> Attributes:
    """Describe a series and the machine that made it."""
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "Modality": modality,
        "SeriesInstanceUID": uid(seed, modality, number),
        "SeriesNumber": number,
        "SeriesDescription": description,
        "SeriesDate": STUDY_DATE,
        "SeriesTime": time,
        "ProtocolName": description,
        "BodyPartExamined": body_part,
        "OperatorsName": "Lind^Karin",
        "Manufacturer": "Dicomkit Phantoms",
        "ManufacturerModelName": f"Phantom {modality}",
        "DeviceSerialNumber": f"{modality}-0001",
        "SoftwareVersions": "1.0",
        "InstitutionName": "Example Hospital",
        "StationName": f"{modality}01",
    }


def instance(seed: int, storage: str, series_name: object, number: int, image_type: tuple[str, ...]) -> Attributes:
    """Identify one instance of a series."""
    return {
        "SOPClassUID": sop_class(storage),
        "SOPInstanceUID": uid(seed, storage, series_name, number),
        "InstanceNumber": number,
        "ImageType": image_type,
    }


def moments(*kinds: str, time: str) -> Attributes:
    """Date and time of content, acquisition, ... ."""
    return {f"{kind}{part}": value for kind in kinds for part, value in (("Date", STUDY_DATE), ("Time", time))}


def later(time: str, seconds: float) -> str:
    """Add seconds to a time of day written as HHMMSS; the result has microseconds.

    Examples
    --------
    >>> later("101530", 45.5)
    '101615.500000'
    """
    total = int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:]) + seconds
    return f"{int(total // 3600):02d}{int(total // 60 % 60):02d}{total % 60:09.6f}"


def decimals(values: Iterable[float], digits: int = 6) -> tuple[float, ...]:
    """Round numbers to what fits the 16 characters of a DS, and make -0 a plain 0."""
    return tuple(round(float(value), digits) + 0.0 for value in values)


def plane(position: NDArray[Any], row: NDArray[Any], column: NDArray[Any]) -> Attributes:
    """Position and orientation of an image: its first pixel, and the directions along a row and along a column."""
    return {
        "ImagePositionPatient": decimals(position),
        "ImageOrientationPatient": decimals([*row, *column]),
    }


def pixels(stored: NDArray[Any], bits_stored: int, photometric: str = "MONOCHROME2") -> Attributes:
    """Describe stored values of shape ([frame,] row, column[, sample]) and write them as little-endian bytes."""
    colour = photometric == "RGB"
    rows, columns = stored.shape[-3:-1] if colour else stored.shape[-2:]
    allocated = stored.dtype.itemsize * 8
    signed = int(stored.dtype.kind == "i")
    attributes: Attributes = {
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": photometric,
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": allocated,
        "BitsStored": bits_stored,
        "HighBit": bits_stored - 1,
        "PixelRepresentation": signed,
    }
    if colour:
        attributes["PlanarConfiguration"] = 0
    data = np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    attributes["PixelData"] = data + b"\0" * (len(data) % 2)
    return attributes
