"""DICOM JSON: from a data set to text, and from text to a data set whose values are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cases_header import ATTRIBUTES
from peers import dk, pydicom
from timing import Case, Goal

_NOTE = "Without pixel data. Both read the file anew each time, or take 20 attributes of what they made of the text"


def cases(path: Path) -> list[Case]:
    """Make the cases over one file."""

    def ours_to() -> object:
        return dk.to_json(dk.read(path, stop_before="PixelData"))

    def theirs_to() -> object:
        return pydicom.dcmread(path, stop_before_pixels=True).to_json()

    text = pydicom.dcmread(path, stop_before_pixels=True).to_json()

    def ours_from() -> object:
        ds = dk.from_json(text)
        return [getattr(ds, keyword) for keyword in ATTRIBUTES]

    def theirs_from() -> object:
        ds: Any = pydicom.Dataset.from_json(text)
        return [getattr(ds, keyword) for keyword in ATTRIBUTES]

    goal = (Goal("pydicom", 5),)
    return [
        Case("File to DICOM JSON", {"pydicom": theirs_to, "dicomkit": ours_to}, goal, note=_NOTE),
        Case("DICOM JSON to a data set", {"pydicom": theirs_from, "dicomkit": ours_from}, goal, note=_NOTE),
    ]
