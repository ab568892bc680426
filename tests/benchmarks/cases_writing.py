"""Reading a file, changing one attribute and writing it, and writing it unchanged in another transfer syntax."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from typing import Any

from peers import dk, pydicom
from timing import Case, Goal

_IMPLICIT = "1.2.840.10008.1.2"
_NOTE = (
    "pydicom writes the file in place; dicomkit writes a temporary file and renames it, so that no half file is seen"
)


def cases(paths: list[Path], folder: Path) -> list[Case]:
    """Make the cases over the files of a series; what is written goes to a folder."""
    folder.mkdir(exist_ok=True)
    numbers = count()

    def out() -> Path:
        return folder / f"{next(numbers)}.dcm"

    def ours_changed(path: Path) -> object:
        return dk.write(dk.read(path).assign(PatientID="changed"), out())

    def theirs_changed(path: Path) -> object:
        ds: Any = pydicom.dcmread(path)
        ds.PatientID = "changed"
        return ds.save_as(out())

    def ours_implicit(path: Path) -> object:
        return dk.write(dk.read(path), out(), transfer_syntax=_IMPLICIT)

    def theirs_implicit(path: Path) -> object:
        ds: Any = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = _IMPLICIT
        return ds.save_as(out(), implicit_vr=True, little_endian=True)

    def over(work: Callable[[Path], object]) -> Callable[[], object]:
        names = cycle(paths)
        return lambda: work(next(names))

    return [
        Case(
            "Read, change one attribute, write",
            {"pydicom": over(theirs_changed), "dicomkit": over(ours_changed)},
            (Goal("pydicom", 5),),
            note=_NOTE,
        ),
        Case(
            "Read, write in implicit VR",
            {"pydicom": over(theirs_implicit), "dicomkit": over(ours_implicit)},
            (Goal("pydicom", 1),),
        ),
    ]
