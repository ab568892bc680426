"""Reading a file, changing one attribute and writing it, new or over another one; and in another transfer syntax."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from typing import Any

from peers import dk, pydicom
from timing import Case, Goal

_IMPLICIT = "1.2.840.10008.1.2"
_NOTE = (
    "pydicom writes the file in place; dicomkit writes a temporary file and renames it, so that no half file is seen."
    " The target {}, for both"
)


def cases(paths: list[Path], folder: Path, size: int) -> list[Case]:
    """Make the cases over the files of a series of some size; what is written goes to a folder."""
    folder.mkdir(exist_ok=True)
    numbers = count()

    def out() -> Path:
        return folder / f"{next(numbers)}.dcm"

    def ours_changed(path: Path, to: Path) -> object:
        return dk.write(dk.read(path).assign(PatientID="changed"), to)

    def theirs_changed(path: Path, to: Path) -> object:
        ds: Any = pydicom.dcmread(path)
        ds.PatientID = "changed"
        return ds.save_as(to)

    def ours_implicit(path: Path) -> object:
        return dk.write(dk.read(path), out(), transfer_syntax=_IMPLICIT)

    def theirs_implicit(path: Path) -> object:
        ds: Any = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = _IMPLICIT
        return ds.save_as(out(), implicit_vr=True, little_endian=True)

    def over(work: Callable[[Path], object]) -> Callable[[], object]:
        names = cycle(paths)
        return lambda: work(next(names))

    def there(work: Callable[[Path, Path], object], of: str) -> Callable[[], object]:
        return over(lambda path: work(path, folder / f"{of}-{path.name}"))

    def new(work: Callable[[Path, Path], object]) -> Callable[[], object]:
        return over(lambda path: work(path, out()))

    title = f"Read, change one attribute, write ({size}x{size})"
    return [
        Case(
            f"{title}: a new file",
            {"pydicom": new(theirs_changed), "dicomkit": new(ours_changed)},
            (Goal("pydicom", 5),),
            note=_NOTE.format("does not exist"),
        ),
        Case(
            f"{title}: over an existing file",
            {"pydicom": there(theirs_changed, "theirs"), "dicomkit": there(ours_changed, "ours")},
            (Goal("pydicom", 5),),
            note=_NOTE.format("exists"),
        ),
        Case(
            f"Read, write in implicit VR ({size}x{size})",
            {"pydicom": over(theirs_implicit), "dicomkit": over(ours_implicit)},
            (Goal("pydicom", 1),),
        ),
    ]
