"""Reading a file, changing one attribute and writing it, new or over another one; and in another transfer syntax."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from typing import Any

from peers import dk, pydicom
from timing import Case, Goal

_IMPLICIT = "1.2.840.10008.1.2"
_NOTE = (
    "pydicom writes the file in place; dicomkit writes a temporary file and renames it, so that no half file is seen."
    " The target {}, for all. The bare calls of the system read the file, write its bytes to a temporary one and rename"
    " that: what no program can do without, if it keeps the same promise. TMPDIR=/dev/shm takes the disk out"
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

    def theirs_renamed(path: Path, to: Path) -> object:
        ds: Any = pydicom.dcmread(path)
        ds.PatientID = "changed"
        ds.save_as(partial := f"{to}.partial")
        return os.replace(partial, to)

    def bare(path: Path, to: Path) -> object:
        source = os.open(path, os.O_RDONLY)
        data = os.read(source, os.fstat(source).st_size)
        os.close(source)
        target = os.open(partial := f"{to}.partial", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        os.write(target, data)
        os.close(target)
        return os.replace(partial, to)

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

    changing = {
        "pydicom": theirs_changed,
        "dicomkit": ours_changed,
        "pydicom, renamed as well": theirs_renamed,
        "bare calls of the system": bare,
    }
    title = f"Read, change one attribute, write ({size}x{size})"
    return [
        Case(
            f"{title}: a new file",
            {name: new(work) for name, work in changing.items()},
            (Goal("pydicom", 5),),
            note=_NOTE.format("does not exist"),
        ),
        Case(
            f"{title}: over an existing file",
            {name: there(work, f"of-{number}") for number, (name, work) in enumerate(changing.items())},
            (Goal("pydicom", 5),),
            note=_NOTE.format("exists"),
        ),
        Case(
            f"Read, write in implicit VR ({size}x{size})",
            {"pydicom": over(theirs_implicit), "dicomkit": over(ours_implicit)},
            (Goal("pydicom", 1),),
        ),
    ]
