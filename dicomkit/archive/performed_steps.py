"""Performed procedure steps as a provider keeps them: in memory, or in a file of SQLite (PS3.4 F.7)."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.objects.performed_step import PerformedStepError, state_of
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    import pandas as pd

DUPLICATE, UNKNOWN, NO_ROOM = 0x0111, 0x0112, 0x0213
Change: TypeAlias = "Callable[[DataSet], DataSet]"


class KeptStep(NamedTuple):
    """A step, and its SOP Instance UID."""

    sop_instance_uid: str
    step: DataSet


class StepsFailedError(DicomError):
    """The file of the steps can't be read or written; ``status`` is what a provider answers."""

    status = NO_ROOM


@runtime_checkable
class PerformedSteps(Protocol):
    """What a provider asks of what keeps its steps; `MemorySteps` and `SqliteSteps` are two."""

    def create(self, uid: str, step: DataSet) -> None:
        """Keep a new step.

        Raises
        ------
        PerformedStepError
            When there is one of this UID (0111), or no room (0213).
        """

    def change(self, uid: str, change: Change) -> tuple[DataSet, DataSet]:
        """Change a step by a function, while nobody else does; return it as it was, and as it is.

        Raises
        ------
        PerformedStepError
            When there is no step of this UID (0112), or what the function raises, which changes nothing.
        """

    def get(self, uid: str) -> DataSet:
        """Return a step.

        Raises
        ------
        PerformedStepError
            When there is none of this UID (0112).
        """

    def delete(self, uid: str) -> DataSet:
        """Forget a step, and return it.

        Raises
        ------
        PerformedStepError
            When there is none of this UID (0112).
        """

    def __iter__(self) -> Iterator[KeptStep]:
        """Give all steps."""


class MemorySteps:
    """Steps in memory.

    Parameters
    ----------
    most
        How many there may be.
    most_bytes
        How many bytes they may have in all.

    Examples
    --------
    >>> steps = MemorySteps()
    >>> steps.create("2.25.7", DataSet(PerformedProcedureStepStatus="IN PROGRESS", PatientID="A"))
    >>> steps.get("2.25.7").PatientID, len(steps)
    ('A', 1)
    """

    def __init__(self, *, most: int = 100_000, most_bytes: int = 1 << 28) -> None:
        self.most, self.most_bytes = most, most_bytes
        self._steps: dict[str, bytes] = {}
        self._size = 0
        self._lock = threading.Lock()

    def create(self, uid: str, step: DataSet) -> None:
        """Keep a new step."""
        with self._lock:
            if uid in self._steps:
                raise _error("there is a step of this UID", DUPLICATE)
            if len(self._steps) >= self.most:
                raise _error(f"there are {self.most} steps, and no room for more", NO_ROOM)
            self._put(uid, step)

    def change(self, uid: str, change: Change) -> tuple[DataSet, DataSet]:
        """Change a step by a function, while nobody else does; return it as it was, and as it is."""
        with self._lock:
            before = self._known(uid)
            after = change(before)
            self._put(uid, after)
            return before, after

    def get(self, uid: str) -> DataSet:
        """Return a step."""
        with self._lock:
            return self._known(uid)

    def delete(self, uid: str) -> DataSet:
        """Forget a step, and return it."""
        with self._lock:
            step = self._known(uid)
            self._size -= len(self._steps.pop(uid))
            return step

    def to_table(self) -> pd.DataFrame:
        """Return one row for each step."""
        return steps_table(self)

    def _known(self, uid: str) -> DataSet:
        if uid not in self._steps:
            raise _error("there is no step of this UID", UNKNOWN)
        return _decoded(self._steps[uid])

    def _put(self, uid: str, step: DataSet) -> None:
        data = to_bytes(step, EXPLICIT_VR_LITTLE_ENDIAN)
        size = self._size + len(data) - len(self._steps.get(uid, b""))
        if size > self.most_bytes:
            raise _error(f"the steps have more than {self.most_bytes} bytes", NO_ROOM)
        self._steps[uid], self._size = data, size

    def __iter__(self) -> Iterator[KeptStep]:
        with self._lock:
            steps = list(self._steps.items())
        return (KeptStep(uid, _decoded(data)) for uid, data in steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        return f"<MemorySteps: {_counted(self)}>"


class SqliteSteps:
    """Steps in a file of SQLite: what was answered with success is there after a crash.

    Parameters
    ----------
    path
        The file; it is made where it doesn't exist.
    most
        How many steps there may be.
    most_bytes
        How large one may be.

    Raises
    ------
    StepsFailedError
        When the file can't be used, here or in any method.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "steps.sqlite")
    ...     with SqliteSteps(path) as steps:
    ...         steps.create("2.25.7", DataSet(PerformedProcedureStepStatus="IN PROGRESS", PatientID="A"))
    ...     with SqliteSteps(path) as steps:
    ...         steps.get("2.25.7").PatientID
    'A'
    """

    def __init__(self, path: str | os.PathLike[str], *, most: int = 1_000_000, most_bytes: int = 1 << 24) -> None:
        self.path = os.fspath(path)
        self.most, self.most_bytes = most, most_bytes
        self._lock = threading.Lock()
        with _failing(self.path):
            self._connection = sqlite3.connect(
                self.path, timeout=30, isolation_level=None, check_same_thread=False, cached_statements=16
            )
            try:
                for statement in _SCHEMA:
                    self._connection.execute(statement)
            except sqlite3.Error:
                self._connection.close()
                raise

    def create(self, uid: str, step: DataSet) -> None:
        """Keep a new step."""
        data = self._encoded(step)
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM steps WHERE uid = ?", (uid,)).fetchone():
                raise _error("there is a step of this UID", DUPLICATE)
            if self._is_full(connection):
                raise _error(f"there are {self.most} steps, and no room for more", NO_ROOM)
            connection.execute("INSERT INTO steps VALUES (?, ?, ?)", (uid, state_of(step), data))

    def change(self, uid: str, change: Change) -> tuple[DataSet, DataSet]:
        """Change a step by a function, while nobody else does; return it as it was, and as it is."""
        with self._transaction() as connection:
            before = _found(connection, uid)
            after = change(before)
            values = (state_of(after), self._encoded(after), uid)
            connection.execute("UPDATE steps SET state = ?, data = ? WHERE uid = ?", values)
        return before, after

    def get(self, uid: str) -> DataSet:
        """Return a step."""
        with self._lock, _failing(self.path):
            return _found(self._connection, uid)

    def delete(self, uid: str) -> DataSet:
        """Forget a step, and return it."""
        with self._transaction() as connection:
            step = _found(connection, uid)
            connection.execute("DELETE FROM steps WHERE uid = ?", (uid,))
        return step

    def to_table(self) -> pd.DataFrame:
        """Return one row for each step."""
        return steps_table(self)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, _failing(self.path):
            self._connection.close()

    def __iter__(self) -> Iterator[KeptStep]:
        with self._lock, _failing(self.path):
            rows = self._connection.execute("SELECT uid, data FROM steps ORDER BY rowid").fetchall()
        return (KeptStep(uid, _decoded(data)) for uid, data in rows)

    def __len__(self) -> int:
        with self._lock, _failing(self.path):
            return int(self._connection.execute("SELECT count(*) FROM steps").fetchone()[0])

    def __enter__(self) -> SqliteSteps:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SqliteSteps: {self.path}>"

    def _is_full(self, connection: sqlite3.Connection) -> bool:
        """Count only where there may be so many: that looks at every row."""
        last = connection.execute("SELECT max(rowid) FROM steps").fetchone()[0] or 0
        return last >= self.most and connection.execute("SELECT count(*) FROM steps").fetchone()[0] >= self.most

    def _encoded(self, step: DataSet) -> bytes:
        data = to_bytes(step, EXPLICIT_VR_LITTLE_ENDIAN)
        if len(data) > self.most_bytes:
            raise _error(f"a step of {len(data)} bytes, more than {self.most_bytes}", NO_ROOM)
        return data

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _failing(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


_SCHEMA = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "CREATE TABLE IF NOT EXISTS steps (uid TEXT PRIMARY KEY, state TEXT NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS steps_state ON steps (state)",
)


@contextmanager
def _failing(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StepsFailedError(f"the file of the steps can't be used: {error}", path=path) from error


def _found(connection: sqlite3.Connection, uid: str) -> DataSet:
    row = connection.execute("SELECT data FROM steps WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        raise _error("there is no step of this UID", UNKNOWN)
    return _decoded(row[0])


def _decoded(data: bytes) -> DataSet:
    return read(data, transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN)


def _error(message: str, status: int) -> PerformedStepError:
    return PerformedStepError(message, status=status)


_COLUMNS = (
    *("PerformedProcedureStepStatus", "PatientID", "PatientName", "Modality", "PerformedStationAETitle"),
    *("PerformedProcedureStepID", "PerformedProcedureStepDescription", "PerformedProcedureStepStartDate"),
    *("PerformedProcedureStepStartTime", "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"),
)


def steps_table(steps: Iterable[KeptStep]) -> pd.DataFrame:
    """Make a table of steps.

    Returns
    -------
    DataFrame
        One row for each: its UID, state, patient, station, beginning and end, and how many series and instances it
        made.

    Examples
    --------
    >>> kept = KeptStep("2.25.7", DataSet(PerformedProcedureStepStatus="IN PROGRESS", PatientID="A"))
    >>> steps_table([kept])[["SOPInstanceUID", "PatientID", "series"]].values.tolist()
    [['2.25.7', 'A', 0]]
    """
    import pandas as pd

    from dicomkit.tables.to_table import to_table

    kept = list(steps)
    table = to_table([step for _, step in kept], _COLUMNS)
    table.insert(0, "SOPInstanceUID", pd.Series([uid for uid, _ in kept], dtype="string"))
    series: list[tuple[Any, ...]] = [step.all("PerformedSeriesSequence") for _, step in kept]
    table["series"] = pd.array([len(items) for items in series], dtype="Int64")
    table["instances"] = pd.array([sum(map(_instances, items)) for items in series], dtype="Int64")
    return table


def _instances(series: Any) -> int:
    words = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
    return sum(len(series.all(word)) for word in words) if isinstance(series, DataSet) else 0


def _counted(steps: Iterable[KeptStep]) -> str:
    states = [state_of(step) for _, step in steps]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))) or "none"
