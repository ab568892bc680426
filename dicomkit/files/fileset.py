"""A file-set (PS3.10 8) as a value: the directory of a DICOMDIR, and the files it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.display.html import Markup, TreeRow, tree
from dicomkit.encoding.dicomdir import DirectoryRecord, read_directory
from dicomkit.errors import SourceError, ValueFormatError
from dicomkit.files.read import read

if TYPE_CHECKING:
    import pandas as pd

_ABOVE = ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "StudyDescription", "SeriesInstanceUID")
_TEXTS = (*_ABOVE[:3], "StudyDescription", "SeriesInstanceUID", "Modality")


@dataclass(frozen=True, slots=True)
class FileSet:
    """The directory of a file-set.

    Attributes
    ----------
    path
        Of the DICOMDIR; Referenced File IDs count from its folder.
    id
        File-set ID (0004,1130), or ``""``.
    records
        The records of the root directory entity; each has those below it as ``children``.
    notes
        What was wrong with the directory, or what was left out or made up when it was written.
    dataset
        The DICOMDIR as a DataSet.
    """

    path: str
    id: str
    records: tuple[DirectoryRecord, ...]
    notes: tuple[str, ...] = ()
    dataset: DataSet = field(default_factory=DataSet, compare=False)

    @property
    def folder(self) -> str:
        """The folder in which the file-set lies."""
        return os.path.dirname(self.path)

    def walk(self) -> Iterator[tuple[DirectoryRecord, ...]]:
        """Yield every record as the path of records that leads to it, in the order of the tree."""
        for record in self.records:
            yield from record.walk()

    def instances(self) -> Iterator[tuple[DirectoryRecord, ...]]:
        """Yield the paths of those records that are in use and refer to a file."""
        for path in self.walk():
            if path[-1].file_id and all(record.in_use for record in path):
                yield path

    def files(self, *, missing: str = "error") -> tuple[str, ...]:
        """Give the path on disk of each instance, whatever case and extension the disk has it in.

        Parameters
        ----------
        missing
            What to do about files that are not there: ``"error"``, ``"skip"`` them, or ``"keep"`` their paths.

        Raises
        ------
        SourceError
            When files are missing; the message counts and names them.
        """
        if missing not in ("error", "skip", "keep"):
            raise ValueFormatError(f"missing={missing!r} is not known", hint="use 'error', 'skip' or 'keep'")
        found = [self._located(path[-1]) for path in self.instances()]
        lost = [path for path, there in found if not there]
        if lost and missing == "error":
            names = ", ".join(os.path.relpath(path, self.folder or ".") for path in lost[:5])
            hint = "pass missing='skip' or 'keep', or look at to_table()"
            raise SourceError(f"{len(lost)} of {len(found)} files are missing: {names}", path=self.path, hint=hint)
        return tuple(dict.fromkeys(path for path, there in found if path and (there or missing == "keep")))

    def to_table(self) -> pd.DataFrame:
        """Make a table with one row per instance and the keys of its patient, study and series.

        Returns
        -------
        DataFrame
            ``path``, ``exists``, ``record_type``, keys of patient, study and series, ``SOPClassUID``,
            ``SOPInstanceUID``, ``TransferSyntaxUID``, ``InstanceNumber``. Texts as strings, numbers as Int64, the date
            as datetime64[s].
        """
        import pandas as pd

        rows = [self._row(path) for path in self.instances()]
        table: dict[str, Any] = {}
        for column in _COLUMNS:
            cells = [row[column] for row in rows]
            if column == "exists":
                table[column] = pd.array(cells, dtype="bool")
            elif column in ("SeriesNumber", "InstanceNumber"):
                numbers = [cell if isinstance(cell, int) and abs(cell) < 2**62 else None for cell in cells]
                table[column] = pd.array(numbers, dtype="Int64")
            elif column == "StudyDate":
                table[column] = pd.Series(cells, dtype="object").astype("datetime64[s]")
            else:
                table[column] = pd.array([None if cell is None else str(cell) for cell in cells], dtype="string")
        return pd.DataFrame(table)

    def _row(self, path: tuple[DirectoryRecord, ...]) -> dict[str, Any]:
        def key(keyword: str) -> Any:
            found = (record.keys.get(keyword) for record in reversed(path))
            return next((value for value in found if value is not None), None)

        record = path[-1]
        where, there = self._located(record)
        date = key("StudyDate")
        row = {keyword: key(keyword) for keyword in (*_TEXTS, "SeriesNumber", "InstanceNumber")}
        row |= {
            "path": where or None,
            "exists": there,
            "record_type": record.type,
            "StudyDate": date.to_date().isoformat() if getattr(date, "is_valid", False) else None,
            "SOPClassUID": record.keys.get("ReferencedSOPClassUIDInFile"),
            "SOPInstanceUID": record.keys.get("ReferencedSOPInstanceUIDInFile"),
            "TransferSyntaxUID": record.keys.get("ReferencedTransferSyntaxUIDInFile"),
        }
        return row

    def _located(self, record: DirectoryRecord) -> tuple[str, bool]:
        """The path of a record's file and whether it is there; an empty path for an ID that leads elsewhere."""
        parts = record.file_id
        if not all(is_component(part) for part in parts):
            return "", False
        path = on_disk(self.folder, parts)
        return path, os.path.isfile(path)

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for path in self.walk():
            counts[path[-1].type] = counts.get(path[-1].type, 0) + 1
        what = ", ".join(f"{count} {type}" for type, count in counts.items())
        notes = f", {len(self.notes)} notes" if self.notes else ""
        return f"FileSet({self.id!r}, {what or 'empty'}{notes})"

    def _repr_html_(self) -> Markup:
        return tree(map(_tree_row, self.records), columns=("Record", "Key", "File"), caption=repr(self))


_COLUMNS = (
    "path",
    "exists",
    "record_type",
    *_ABOVE,
    "Modality",
    "SeriesNumber",
    "SOPClassUID",
    "SOPInstanceUID",
    "TransferSyntaxUID",
    "InstanceNumber",
)
_SHOWN = ("PatientName", "StudyDescription", "StudyDate", "Modality", "InstanceNumber", "ContentLabel")


def _tree_row(record: DirectoryRecord) -> TreeRow:
    shown = next((str(record.keys[k]) for k in _SHOWN if record.keys.get(k) is not None), "")
    cells = (record.type, shown, "/".join(record.file_id))
    return TreeRow(cells, children=[_tree_row(child) for child in record.children], open=len(record.children) < 5)


def read_fileset(where: str | os.PathLike[str]) -> FileSet:
    """Read the directory of a file-set.

    Parameters
    ----------
    where
        A DICOMDIR, or a folder with one.

    Returns
    -------
    FileSet
        Offsets that lie are worked around and told in ``notes``.

    Raises
    ------
    SourceError
        When there is no such file.
    ReadError
        When it is no DICOMDIR.
    """
    path = os.fspath(where)
    if os.path.isdir(path):
        path = on_disk(path, ("DICOMDIR",))
        if not os.path.isfile(path):
            raise SourceError("the folder has no DICOMDIR", path=path, hint="make_fileset makes one")
    ds = read(path)
    records, problems = read_directory(ds)
    notes = [*problems]
    fileset = FileSet(path, str(ds.get("FileSetID") or ""), records, (), ds)
    for chain in fileset.instances():
        if not all(map(is_component, chain[-1].file_id)):
            notes.append(f"the file ID {chain[-1].file_id!r:.100} leads out of the folder: no path is given")
    return FileSet(path, fileset.id, records, tuple(notes), ds)


def is_component(part: str) -> bool:
    """Whether part of a File ID names a file or folder, and nothing outside."""
    return part.strip() not in ("", ".", "..") and not set(part) & set("/\\:\0")


def on_disk(folder: str, parts: tuple[str, ...]) -> str:
    """Give the path of a File ID, whatever case, extension-less or versioned form the disk has it in."""
    exact = os.path.join(folder, *parts)
    if os.path.exists(exact):
        return exact
    path = folder
    for part in parts:
        here = os.path.join(path, part)
        if not os.path.exists(here):
            try:
                names = sorted(os.listdir(path or "."))
            except OSError:
                names = []
            same = [name for name in names if name.upper().split(";")[0].rstrip(".") == part.upper()]
            here = os.path.join(path, same[0]) if same else here
        path = here
    return path
