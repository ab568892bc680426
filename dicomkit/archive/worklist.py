"""Worklists: items that are kept in memory or in a folder, and which of them match a query (PS3.4 K.4.1.3)."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError, SourceError
from dicomkit.files.read import read
from dicomkit.files.write import write_file
from dicomkit.objects.worklist_item import worklist_items_of
from dicomkit.query import Query, matcher, response
from dicomkit.standard.worklist_keys import STEP_SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".wl", ".dcm")
_FORM = "1.2.276.0.7230010.3.1.0.1"  # what DCMTK calls such files: the worklist has no storage class


@runtime_checkable
class Worklist(Protocol):
    """What a provider asks of a worklist; `MemoryWorklist` and `FolderWorklist` are two."""

    def search(self, query: Query, *, fuzzy: bool = False) -> Iterator[DataSet]:
        """Give an answer for each item that matches, with what the query asks for."""


def search_items(items: Iterable[DataSet], query: Query, *, fuzzy: bool = False) -> Iterator[DataSet]:
    """Give an answer for each item that matches, with what the query asks for, and no more (PS3.4 K.4.1.1.3.2).

    A range of dates and one of times are together one range of moments (Table K.6-1).

    Parameters
    ----------
    fuzzy
        Whether names match without regard to accents, order and punctuation of their parts.

    Examples
    --------
    >>> from dicomkit.query import query
    >>> item = DataSet(PatientID="A", ScheduledProcedureStepSequence=[{"Modality": "CT"}])
    >>> asked = query(None, PatientID="", ScheduledProcedureStepSequence={"Modality": "CT"})
    >>> [found.PatientID for found in search_items([item], asked)]
    ['A']
    """
    test = matcher(query, fuzzy=fuzzy, combined=True)
    return (response(query, item) for item in items if test(item))


class MemoryWorklist:
    """A worklist in memory.

    Parameters
    ----------
    items
        As `make_worklist_item` makes them; or a table of them (see `worklist_items_of`).

    Examples
    --------
    >>> from datetime import datetime
    >>> from dicomkit.objects.worklist_item import make_worklist_item
    >>> who = {"patient_name": "DOE^JANE", "patient_id": "A"}
    >>> items = MemoryWorklist([make_worklist_item(**who, modality="CT", station="CT1", start=datetime(2024, 2, 29))])
    >>> len(items)
    1
    """

    def __init__(self, items: Iterable[DataSet] | pd.DataFrame = ()) -> None:
        self._items = tuple(worklist_items_of(items) if hasattr(items, "columns") else items)  # type: ignore[arg-type]
        self._lock = threading.Lock()

    def search(self, query: Query, *, fuzzy: bool = False) -> Iterator[DataSet]:
        """Give an answer for each item that matches, with what the query asks for."""
        return search_items(self._items, query, fuzzy=fuzzy)

    def add(self, item: DataSet) -> None:
        """Put an item on the list."""
        with self._lock:
            self._items = (*self._items, item)

    def remove(self, query: Query) -> int:
        """Take the items that match off the list, and return how many there were."""
        test = matcher(query, combined=True)
        with self._lock:
            before = len(self._items)
            self._items = tuple(item for item in self._items if not test(item))
            return before - len(self._items)

    def replace(self, items: Iterable[DataSet]) -> None:
        """Put these items in the place of all that are on the list."""
        with self._lock:
            self._items = tuple(items)

    def __iter__(self) -> Iterator[DataSet]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<MemoryWorklist: {len(self)} items>"


class _Known(NamedTuple):
    """What a file held when it was last looked at: an item, or why there is none."""

    state: tuple[int, int, int]
    item: DataSet | None
    reason: str


class FolderWorklist:
    """A worklist in a folder with a file for each item, as wlmscpfs and the worklist plugin of Orthanc have it.

    Files are read when somebody asks, and again when they have changed; one that is no item is told of.

    Parameters
    ----------
    folder
        Where the files are.
    suffixes
        How their names end.
    on_problem
        What is told of a file that is no item, once until it changes: its path, and why.
    most_files, most_bytes
        How many files are looked at, and how large one may be.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import datetime
    >>> from dicomkit.objects.worklist_item import make_worklist_item
    >>> who = {"patient_name": "DOE^JANE", "patient_id": "A"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     items = FolderWorklist(folder)
    ...     _ = items.add(make_worklist_item(**who, modality="CT", station="CT1", start=datetime(2024, 2, 29)))
    ...     [item.PatientName for item in items]
    [PersonName('DOE^JANE')]
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        suffixes: Iterable[str] = SUFFIXES,
        on_problem: Callable[[str, str], object] | None = None,
        most_files: int = 100_000,
        most_bytes: int = 1 << 22,
    ) -> None:
        self.folder = os.fspath(folder)
        self.most_files, self.most_bytes = most_files, most_bytes
        self._suffixes = tuple(suffix.lower() for suffix in suffixes)
        self._on_problem = on_problem
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    @property
    def problems(self) -> Mapping[str, str]:
        """The files that are no items, and why, as of now."""
        return {path: known.reason for path, known in self._refreshed().items() if known.item is None}

    def search(self, query: Query, *, fuzzy: bool = False) -> Iterator[DataSet]:
        """Give an answer for each item that matches, with what the query asks for.

        Raises
        ------
        SourceError
            When the folder can't be read.
        """
        return search_items(self, query, fuzzy=fuzzy)

    def add(self, item: DataSet, name: str | None = None) -> str:
        """Write an item into the folder, whole or not at all, and return its path.

        Parameters
        ----------
        name
            Of the file; by default a new one.

        Raises
        ------
        SourceError
            When it can't be written.
        """
        path = os.path.join(self.folder, name or f"{uuid.uuid4().hex}{self._suffixes[0]}")
        meta = {"MediaStorageSOPClassUID": _FORM, "MediaStorageSOPInstanceUID": f"2.25.{uuid.uuid4().int}"}
        write_file(item.with_meta(meta), path, anonymous=True)
        return path

    def remove(self, query: Query) -> int:
        """Delete the files of the items that match, and return how many there were.

        Raises
        ------
        SourceError
            When one can't be deleted.
        """
        test = matcher(query, combined=True)
        count = 0
        for path, known in self._refreshed().items():
            if known.item is not None and test(known.item):
                try:
                    os.remove(path)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise SourceError(f"can't delete an item: {error.strerror or error}", path=path) from error
                count += 1
        return count

    def __iter__(self) -> Iterator[DataSet]:
        return (known.item for known in self._refreshed().values() if known.item is not None)

    def __len__(self) -> int:
        return sum(known.item is not None for known in self._refreshed().values())

    def __repr__(self) -> str:
        return f"<FolderWorklist: {self.folder}>"

    def _refreshed(self) -> dict[str, _Known]:
        """Look at the folder, and read what is new or has changed."""
        told = []
        with self._lock:
            found: dict[str, _Known] = {}
            for path, state in self._files():
                known = self._known.get(path)
                if known is None or known.state != state:
                    known = self._look(path, state)
                    if known.item is None:
                        told.append((path, known.reason))
                found[path] = known
            self._known = found
        if self._on_problem is not None:
            for path, reason in told:
                self._on_problem(path, reason)
        return found

    def _files(self) -> list[tuple[str, tuple[int, int, int]]]:
        files = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if not entry.name.lower().endswith(self._suffixes) or entry.name.startswith("."):
                        continue
                    try:
                        if entry.is_file():
                            state = entry.stat()
                            files.append((entry.path, (state.st_mtime_ns, state.st_size, state.st_ino)))
                    except FileNotFoundError:
                        continue
                    if len(files) > self.most_files:
                        message = f"the folder has more than the {self.most_files} files that a worklist may have"
                        raise SourceError(message, path=self.folder)
        except OSError as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"can't read the folder: {error.strerror or error}", path=self.folder) from error
        return sorted(files)

    def _look(self, path: str, state: tuple[int, int, int]) -> _Known:
        if state[1] > self.most_bytes:
            return _Known(
                state, None, f"it has {state[1]} bytes, more than the {self.most_bytes} that an item may have"
            )
        try:
            item = read(path).detach()
            steps = item.get(STEP_SEQUENCE)
        except DicomError as error:
            return _Known(state, None, str(error))
        if not isinstance(steps, tuple) or not steps:
            return _Known(state, None, "it has no Scheduled Procedure Step Sequence")
        return _Known(state, item, "")
