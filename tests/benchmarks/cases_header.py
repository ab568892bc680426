"""Reading a header from disk, bare and with 20 attributes decoded."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

from peers import SimpleITK, dicomsdl, dk, fastdicom, gdcm, pydicom
from timing import Case, Goal

ATTRIBUTES = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality PatientName PatientID StudyDate"
    " AcquisitionTime SeriesDescription SeriesNumber InstanceNumber ImagePositionPatient ImageOrientationPatient"
    " PixelSpacing SliceThickness Rows Columns RescaleIntercept WindowCenter"
).split()
_PIXEL_DATA = 0x7FE00010


def _over(paths: list[Path], read: Callable[[str], object]) -> Callable[[], object]:
    """Read one file after the other, a new one at each call."""
    names = cycle([str(path) for path in paths])
    return lambda: read(next(names))


def _gdcm(path: str) -> Any:
    reader = gdcm.Reader()
    reader.SetFileName(path)
    if not reader.ReadUpToTag(gdcm.Tag(0x7FE0, 0x0010)):
        raise OSError(path)
    return reader


def _simpleitk(path: str) -> Any:
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    reader.LoadPrivateTagsOn()
    reader.ReadImageInformation()
    return reader


def _tags() -> list[tuple[int, int]]:
    tags = [pydicom.datadict.tag_for_keyword(keyword) for keyword in ATTRIBUTES]
    return [(tag >> 16, tag & 0xFFFF) for tag in tags]


def cases(paths: list[Path]) -> list[Case]:
    """Make the two cases over the files of a series."""
    tags = _tags()

    def attributes_by_name(ds: Any) -> object:
        return [getattr(ds, keyword) for keyword in ATTRIBUTES]

    def gdcm_attributes(path: str) -> object:
        # The reader owns the file: it has to outlive the filter.
        reader, texts = _gdcm(path), gdcm.StringFilter()
        texts.SetFile(reader.GetFile())
        return [texts.ToString(gdcm.Tag(*tag)) for tag in tags]

    def simpleitk_attributes(path: str) -> object:
        reader = _simpleitk(path)
        return [reader.GetMetaData(f"{group:04x}|{element:04x}") for group, element in tags]

    bare: dict[str, Callable[[str], object]] = {
        "pydicom": lambda path: pydicom.dcmread(path, stop_before_pixels=True),
        "dicomkit": lambda path: dk.read(path, stop_before="PixelData"),
    }
    decoded: dict[str, Callable[[str], object]] = {
        "pydicom": lambda path: attributes_by_name(pydicom.dcmread(path, stop_before_pixels=True)),
        "dicomkit": lambda path: attributes_by_name(dk.read(path, stop_before="PixelData")),
    }
    if fastdicom:
        bare["fastdicom"] = lambda path: fastdicom.dcmread(path, stop_before_pixels=True)
        decoded["fastdicom"] = lambda path: attributes_by_name(fastdicom.dcmread(path, stop_before_pixels=True))
    if dicomsdl:
        bare["dicomsdl"] = lambda path: dicomsdl.open_file(path, load_until=_PIXEL_DATA - 1)
        decoded["dicomsdl"] = lambda path: attributes_by_name(dicomsdl.open_file(path, load_until=_PIXEL_DATA - 1))
    if gdcm:
        bare["gdcm"] = _gdcm
        decoded["gdcm"] = gdcm_attributes
    if SimpleITK:
        bare["SimpleITK"] = _simpleitk
        decoded["SimpleITK"] = simpleitk_attributes
    return [
        Case("Header from disk", {name: _over(paths, read) for name, read in bare.items()}, (Goal("pydicom", 8),)),
        Case(
            "Header from disk, 20 attributes decoded",
            {name: _over(paths, read) for name, read in decoded.items()},
            (Goal("pydicom", 6),),
        ),
    ]
