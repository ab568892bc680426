"""De-identifying a folder of files by the basic profile, in one process and as it comes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from peers import dicomanonymizer, dk
from timing import Case, Goal

_KEY = "a secret for the measurement"


def cases(files: list[Path], folder: Path) -> list[Case]:
    """Make the cases; every run writes to a folder of its own."""
    numbers = count()

    def target() -> Path:
        where = folder / str(next(numbers))
        where.mkdir(parents=True)
        return where

    def ours(workers: int | None) -> Callable[[], object]:
        source = files[0].parent
        return lambda: dk.deidentify_folder(source, target(), key=_KEY, workers=workers, progress=False)

    def theirs() -> object:
        where = target()
        for path in files:
            dicomanonymizer.anonymize_dicom_file(str(path), str(where / path.name))
        return where

    peers: dict[str, Callable[[], object]] = {"dicomkit": ours(None), "dicomkit, one process": ours(1)}
    if dicomanonymizer:
        peers["dicom-anonymizer"] = theirs
    title = f"De-identify {len(files):,} files, basic profile"
    return [Case(title, peers, (Goal("dicom-anonymizer", 5),), reference="dicom-anonymizer", rounds=3)]
