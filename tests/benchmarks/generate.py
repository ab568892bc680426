"""Makes the files that are measured, with pydicom: a CT series, a folder to scan, an enhanced CT, other encodings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

TOP_LEVEL, WITH_NESTED = 117, 149
_ROOT = "1.2.826.0.1.3680043.10.999"
_NUMBER = "00000"
_UID_END = ".999.10000"
_POSITION = ("-170.6667", "-170.6667", "00000.00")

# What a CT of today writes, by keyword; the values are as long as real ones.
_ATTRIBUTES: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "InstanceCreationDate": "20240517",
    "InstanceCreationTime": "101530.250000",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "SOPInstanceUID": f"{_ROOT}.1.2.3{_UID_END}",
    "StudyDate": "20240517",
    "SeriesDate": "20240517",
    "AcquisitionDate": "20240517",
    "ContentDate": "20240517",
    "StudyTime": "100800",
    "SeriesTime": "101502",
    "AcquisitionTime": "101530.250000",
    "ContentTime": "101530.250000",
    "AccessionNumber": "A0001234",
    "Modality": "CT",
    "Manufacturer": "GE MEDICAL SYSTEMS",
    "InstitutionName": "Example Hospital",
    "InstitutionAddress": "Example Street 1",
    "ReferringPhysicianName": "Haddad^Samir",
    "StationName": "CT01",
    "StudyDescription": "CT of the chest",
    "SeriesDescription": "Chest with contrast 1.25 mm",
    "InstitutionalDepartmentName": "Radiology",
    "PerformingPhysicianName": "Lind^Karin",
    "NameOfPhysiciansReadingStudy": "Moreau^Claire",
    "OperatorsName": "Berg^Nils",
    "ManufacturerModelName": "Revolution CT",
    "IrradiationEventUID": f"{_ROOT}.7.1",
    "PatientName": "Doe^Jane^Alice",
    "PatientID": "PID-0012345",
    "IssuerOfPatientID": "EXAMPLE",
    "PatientBirthDate": "19620314",
    "PatientSex": "F",
    "PatientAge": "062Y",
    "PatientSize": "1.68",
    "PatientWeight": "64",
    "EthnicGroup": "unknown",
    "AdditionalPatientHistory": "cough for three weeks",
    "PregnancyStatus": 4,
    "PatientIdentityRemoved": "NO",
    "ContrastBolusAgent": "Iohexol",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL MODE",
    "SliceThickness": "1.25",
    "KVP": "120",
    "SpacingBetweenSlices": "0.625",
    "DataCollectionDiameter": "500",
    "DeviceSerialNumber": "CT-00001",
    "SoftwareVersions": "sles_hde.149",
    "ProtocolName": "5.1 Chest routine",
    "ContrastBolusRoute": "INTRAVENOUS",
    "ContrastBolusVolume": "80",
    "ReconstructionDiameter": "350",
    "DistanceSourceToDetector": "1085.6",
    "DistanceSourceToPatient": "595",
    "GantryDetectorTilt": "0",
    "TableHeight": "152",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "260",
    "Exposure": "130",
    "FilterType": "BODY FILTER",
    "GeneratorPower": "31200",
    "FocalSpots": "1.2",
    "ConvolutionKernel": "STANDARD",
    "PatientPosition": "FFS",
    "RevolutionTime": 0.5,
    "SingleCollimationWidth": 0.625,
    "TotalCollimationWidth": 40.0,
    "TableSpeed": 110.0,
    "TableFeedPerRotation": 55.0,
    "SpiralPitchFactor": 1.375,
    "ExposureModulationType": "XYZ_EC",
    "CTDIvol": 8.4,
    "StudyInstanceUID": f"{_ROOT}.1.2",
    "SeriesInstanceUID": f"{_ROOT}.1.2.3",
    "StudyID": "1234",
    "SeriesNumber": "3",
    "AcquisitionNumber": "1",
    "InstanceNumber": _NUMBER,
    "ImagePositionPatient": list(_POSITION),
    "ImageOrientationPatient": ["1.000000", "0.000000", "0.000000", "0.000000", "1.000000", "0.000000"],
    "FrameOfReferenceUID": f"{_ROOT}.1.2.9",
    "PositionReferenceIndicator": "SN",
    "SliceLocation": _POSITION[2],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.683594", "0.683594"],
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "BurnedInAnnotation": "NO",
    "WindowCenter": ["40", "-550"],
    "WindowWidth": ["400", "1500"],
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
    "RescaleType": "HU",
    "LossyImageCompression": "00",
    "PerformedProcedureStepStartDate": "20240517",
    "PerformedProcedureStepStartTime": "100800",
    "PerformedProcedureStepID": "PPS1234",
    "PerformedProcedureStepDescription": "CT of the chest",
}


class Encoded(NamedTuple):
    """Where the same image stands in different transfer syntaxes."""

    explicit: Path
    implicit: Path
    big_endian: Path
    deflated: Path


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _nested(ds: Dataset) -> None:
    """Add sequences: 32 elements in their items."""
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.3", f"{_ROOT}.8"
    ds.ReferencedPerformedProcedureStepSequence = [reference]
    request = Dataset()
    request.RequestedProcedureDescription = "CT of the chest"
    request.ScheduledProcedureStepDescription = "Chest with contrast"
    request.ScheduledProcedureStepID = "SPS1234"
    request.RequestedProcedureID = "RP1234"
    request.ScheduledProtocolCodeSequence = [_code("CHEST", "Chest"), _code("CONTR", "With contrast")]
    ds.RequestAttributesSequence = [request]
    ds.ProcedureCodeSequence = [_code("P1", "CT of the chest")]
    ds.CTDIPhantomTypeCodeSequence = [_code("113691", "IEC Body Dosimetry Phantom")]
    ds.AnatomicRegionSequence = [_code("43799004", "Chest")]
    images = []
    for number in range(5):
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = _ATTRIBUTES["SOPClassUID"], f"{_ROOT}.5.{number}"
        images.append(image)
    ds.ReferencedImageSequence = images


def ct_slice(size: int) -> Dataset:
    """Make one CT slice of size x size pixels with 117 top-level elements, 149 with nested ones."""
    ds = Dataset()
    for keyword, value in _ATTRIBUTES.items():
        setattr(ds, keyword, value)
    ds.Rows = ds.Columns = size
    _nested(ds)
    block = ds.private_block(0x0045, "GEMS_HELIOS_01", create=True)
    missing = TOP_LEVEL - 1 - len(ds)
    for number in range(missing):
        block.add_new(number + 1, *(("DS", "1.500000") if number % 2 else ("SS", number)))
    pixels = np.arange(size * size, dtype=np.uint32).reshape(size, size) * 7 % 3000
    ds.add_new("PixelData", "OW", pixels.astype("<i2").tobytes())
    nested = sum(1 for _ in ds.iterall())
    if (len(ds), nested) != (TOP_LEVEL, WITH_NESTED):
        raise AssertionError(f"{len(ds)} elements, {nested} with nested ones")
    return ds


def encode(ds: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a data set as a Part 10 file in memory."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(transfer_syntax)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def numbered(template: bytes, count: int) -> Iterator[bytes]:
    """Give copies of a file that differ in UID, instance number and position, without encoding each again."""
    uid_end, position = _UID_END.encode(), "\\".join(_POSITION).encode()
    number = (len(_NUMBER) + len(_NUMBER) % 2).to_bytes(2, "little") + _NUMBER.encode()
    for n in range(count):
        data = template.replace(uid_end, f".999.{n + 10000:05d}".encode())
        data = data.replace(b"IS" + number, b"IS" + number[:2] + f"{n + 1:05d}".encode())
        z = f"{n * 0.625:08.2f}"
        yield data.replace(position, "\\".join((*_POSITION[:2], z)).encode())


def ct_series(folder: Path, slices: int, size: int = 512) -> list[Path]:
    """Write a series and return its paths in order of position; the files are in the page cache afterwards."""
    folder.mkdir(parents=True)
    template = encode(ct_slice(size))
    paths = []
    for n, data in enumerate(numbered(template, slices)):
        paths.append(folder / f"IM{n:05d}.dcm")
        paths[-1].write_bytes(data)
    return paths


def links(paths: list[Path], folder: Path, copies: int) -> None:
    """Make a larger folder of the same files by hard links."""
    for copy in range(copies):
        (folder / f"{copy:02d}").mkdir(parents=True)
        for path in paths:
            os.link(path, folder / f"{copy:02d}" / path.name)


def enhanced_ct(path: Path, frames: int, size: int = 512) -> Path:
    """Write an enhanced CT whose frames have the per-frame functional groups of a real one."""
    ds = ct_slice(size)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "PixelSpacing"):
        delattr(ds, keyword)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    ds.NumberOfFrames = frames
    measures, orientation, transformation, shared = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.683594", "0.683594"], "1.25"
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    transformation.RescaleIntercept, transformation.RescaleSlope, transformation.RescaleType = -1024, 1, "HU"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence = [transformation]
    ds.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for n in range(frames):
        content, position, group = Dataset(), Dataset(), Dataset()
        content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", n + 1, [1, n + 1]
        content.FrameAcquisitionDateTime = "20240517101530.250000"
        position.ImagePositionPatient = [-170.6667, -170.6667, n * 0.625]
        group.FrameContentSequence, group.PlanePositionSequence = [content], [position]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    one = ds.PixelData
    ds.PixelData = b"".join(one[2 * n :] + one[: 2 * n] for n in range(frames))
    path.write_bytes(encode(ds))
    return path


def encodings(folder: Path, size: int = 512) -> Encoded:
    """Write one slice in the four native transfer syntaxes."""
    folder.mkdir(parents=True)
    paths = []
    for syntax in (
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ):
        ds = ct_slice(size)
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
        paths.append(folder / f"{syntax}.dcm")
        paths[-1].write_bytes(encode(ds, syntax))
    return Encoded(*paths)
