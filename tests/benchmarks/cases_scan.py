"""Scanning a folder to a DataFrame of 25 typed columns, in one process and in two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from peers import dicomsdl, dk, fastdicom, pydicom
from timing import Case, Goal

COLUMNS = (
    "PatientID PatientName PatientSex PatientBirthDate StudyInstanceUID StudyDate StudyTime StudyDescription"
    " AccessionNumber SeriesInstanceUID SeriesNumber SeriesDescription Modality Manufacturer BodyPartExamined"
    " SOPClassUID SOPInstanceUID InstanceNumber Rows Columns SliceThickness KVP PatientWeight RescaleIntercept"
    " AcquisitionDate"
).split()
_DATES = ("PatientBirthDate", "StudyDate", "AcquisitionDate")
_INTEGERS = ("SeriesNumber", "InstanceNumber", "Rows", "Columns")
_FLOATS = ("SliceThickness", "KVP", "PatientWeight", "RescaleIntercept")


def _files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*.dcm"))


def _frame(rows: Iterable[list[Any]]) -> Any:
    """Make the typed table that everybody has to deliver."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=COLUMNS)
    for column in COLUMNS:
        if column in _DATES:
            table[column] = pd.to_datetime(table[column], format="%Y%m%d", errors="coerce").astype("datetime64[s]")
        elif column in _INTEGERS:
            table[column] = pd.to_numeric(table[column]).astype("Int64")
        elif column in _FLOATS:
            table[column] = table[column].astype("float64")
        else:
            table[column] = table[column].astype("str")
    return table


def _row_pydicom(path: str) -> list[Any]:
    ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(COLUMNS))
    return [str(value) if keyword == "PatientName" else value for keyword in COLUMNS for value in (ds.get(keyword),)]


def _row_fastdicom(path: str) -> list[Any]:
    ds = fastdicom.dcmread(path, stop_before_pixels=True)
    return [getattr(ds, keyword) for keyword in COLUMNS]


def _row_dicomsdl(path: str) -> list[Any]:
    ds = dicomsdl.open_file(path, load_until=0x7FE0000F)
    return [getattr(ds, keyword) for keyword in COLUMNS]


def _one_process(row: Callable[[str], list[Any]], folder: Path) -> Callable[[], object]:
    return lambda: _frame([row(path) for path in _files(folder)])


def _two_processes(row: Callable[[str], list[Any]], folder: Path) -> Callable[[], object]:
    def work() -> object:
        with ProcessPoolExecutor(2) as pool:
            return _frame(list(pool.map(row, _files(folder), chunksize=250)))

    return work


def cases(folder: Path, full_folder: Path | None) -> list[Case]:
    """Make the case of one process, and that of two where there is a large folder."""
    rows: dict[str, Callable[[str], list[Any]]] = {"pydicom": _row_pydicom}
    if fastdicom:
        rows["fastdicom"] = _row_fastdicom
    if dicomsdl:
        rows["dicomsdl"] = _row_dicomsdl
    one = {name: _one_process(row, folder) for name, row in rows.items()}
    one["dicomkit"] = lambda: dk.scan(folder, columns=COLUMNS, workers=1, progress=False)
    count = len(_files(folder))
    made = [Case(f"Scan of {count:,} files, one process", one, (Goal("pydicom", 11),), rounds=5)]
    if full_folder is not None:
        count = len(_files(full_folder))
        # The reference is pydicom in one process here as well.
        two = {f"{name}, 2 processes": _two_processes(row, full_folder) for name, row in rows.items()}
        two["pydicom"] = _one_process(_row_pydicom, full_folder)
        two["dicomkit"] = lambda: dk.scan(full_folder, columns=COLUMNS, workers=2, progress=False)
        made.append(Case(f"Scan of {count:,} files, 2 processes", two, (Goal("pydicom", 16),), rounds=3))
    return made
