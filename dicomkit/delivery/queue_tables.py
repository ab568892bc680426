"""The database of a queue: its tables, how it is opened, and transactions whose errors are ours.

An entry is in one partial index beside that of all instances: of what waits, in the order in which it goes, or of all
else, by states and times. So what is done costs as much with a million entries as with a thousand.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from zlib import crc32

from dicomkit.errors import DicomError

VERSION = 1
"""Of the tables; a database that a later one made is refused."""
APPLICATION = 0x646B5155
"""What tells a queue from other databases of SQLite."""
STATES = ("waiting", "deferred", "sending", "dead", "delivered")
"""By their numbers in the tables; deferred means: to be tried again, but not before a time."""
WAITING, DEFERRED, SENDING, DEAD, DELIVERED = range(5)
EARLIEST = 0.001
"""The least ``due`` of what isn't waiting, for clocks that begin at 0."""
CONDITIONS = (
    "state = 0",
    "state = 1 AND due > 0",
    "state = 2 AND due > 0",
    "state = 3 AND due > 0",
    "state = 4 AND due > 0",
)
"""What is true of the entries of each state, said so that SQLite sees which index to use."""
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""
_LARGEST_KEY = (1 << 63) - 1
_CACHE = 64 << 10
_CHECKPOINT = 16384
_TABLES = """
CREATE TABLE settings (
    paused INTEGER NOT NULL,
    next_id INTEGER NOT NULL,
    next_turn INTEGER NOT NULL,
    spools INTEGER NOT NULL,
    keep_days REAL NOT NULL,
    keep_count INTEGER NOT NULL
);
INSERT INTO settings VALUES (0, 1, 1, 0, 30, 100000);
CREATE TABLE destinations (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, paused INTEGER NOT NULL DEFAULT 0);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    key INTEGER,
    destination INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    sop_class TEXT NOT NULL,
    sop_instance TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    path TEXT NOT NULL,
    spooled INTEGER NOT NULL,
    size INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL,
    due REAL NOT NULL,
    enqueued REAL NOT NULL,
    updated REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    turn INTEGER NOT NULL DEFAULT 0,
    again INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    error TEXT,
    category TEXT
);
CREATE UNIQUE INDEX instances ON entries (key, destination, done);
CREATE INDEX waiting ON entries (destination, priority DESC, id) WHERE state = 0;
CREATE INDEX later ON entries (state, destination, due) WHERE due > 0;
"""
"""``done`` is 0, or the id of an entry that is delivered: an instance isn't delivered once, but may be so many times.

``due`` is when to try again, until when it is claimed, or when it was given up or delivered; 0 for what waits.
``spools`` tells whether there ever was a file of the queue's own.
"""


_FAULTS = (sqlite3.Error, UnicodeError, OverflowError)
"""What a damaged database may raise, beside what is wrong with a good one."""


class QueueError(DicomError):
    """A queue that can't be opened, read or written; names its path."""


class Database:
    """A connection to the database of a queue, for all threads of a process; a process that forks gets its own.

    Parameters
    ----------
    path
        Of the file, which is made where there is none.

    Raises
    ------
    QueueError
        When it can't be opened, is damaged, or is none that this version knows.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._inherited: list[sqlite3.Connection] = []
        self._closed = False
        self._connect()

    def _connect(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._durable: bool | None = None
        self._connection = self._opened()

    def _opened(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except sqlite3.Error as error:
            raise self.failed(error) from error
        try:
            _set_up(connection)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION:
                self._check(connection)
        except DicomError:
            connection.close()
            raise
        except _FAULTS as error:
            connection.close()
            raise self.failed(error) from error
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Make the tables where there are none; refuse what is no queue, or one of a later version."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if application == APPLICATION and version > VERSION:
                text = f"a queue of version {version}; {VERSION} is the last one known"
                raise QueueError(text, path=self.path, hint="open it with the dicomkit that made it, or a newer one")
            if application != APPLICATION and (tables or version or application):
                raise QueueError("this database is no queue", path=self.path, hint="choose a file of its own for it")
            if version < VERSION:
                for statement in _statements(_TABLES):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def failed(self, error: BaseException) -> QueueError:
        """Say what an error of SQLite means, and what to do."""
        text = str(error)[:200]
        if isinstance(error, sqlite3.OperationalError) and "locked" in text:
            return QueueError(f"another process has kept the queue locked for {PATIENCE:g} s", path=self.path)
        if isinstance(error, sqlite3.OperationalError) and ("unable to open" in text or "readonly" in text):
            hint = "check that its folder exists and may be written"
            return QueueError(f"the queue can't be opened to be written: {text}", path=self.path, hint=hint)
        if isinstance(error, sqlite3.OperationalError) and "full" in text:
            return QueueError(f"there is no room for the queue: {text}", path=self.path)
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in text:
            return QueueError("the queue is closed", path=self.path)
        hint = "move it away and begin a new one: files are where they were, copies in the folder beside it"
        return QueueError(f"the queue is damaged: {text}", path=self.path, hint=hint)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to ask it."""
        self._own()
        with self._lock:
            try:
                yield self._connection
            except _FAULTS as error:
                raise self.failed(error) from error

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Give the connection to change what is there, all or nothing.

        Parameters
        ----------
        durable
            Whether to wait until it is on the disk, so that it survives a loss of power. What is written otherwise
            survives the end of the process, whatever ends it, and is durable with the next one that is.
        """
        with self.reading() as connection:
            if durable is not self._durable:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _own(self) -> None:
        """Make sure that the connection is this process's: one that comes by a fork may be neither used nor closed."""
        if self._closed:
            raise QueueError("the queue is closed", path=self.path)
        if os.getpid() != self._process:
            self._inherited.append(self._connection)
            self._connect()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked, in this process."""
        return not self._closed and os.getpid() == self._process

    def close(self) -> None:
        """Let go of the file, once no other thread uses it."""
        if os.getpid() == self._process:
            with self._lock:
                self._connection.close()
        self._closed = True


class Settings(NamedTuple):
    """What is known of the queue as a whole."""

    paused: int
    next_id: int
    next_turn: int
    spools: int
    keep_days: float
    keep_count: int


def settings_of(connection: sqlite3.Connection) -> Settings:
    """Look up the settings, within `Database.reading` or `Database.writing`."""
    row = connection.execute(f"SELECT {', '.join(Settings._fields)} FROM settings").fetchone()
    if row is None or not all(isinstance(value, (int, float)) for value in row):
        raise sqlite3.DatabaseError("its settings are gone")
    return Settings(*row)


def _set_up(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once, and much fit into memory."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:  # two that do it at once don't wait for each other
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    for pragma in (f"cache_size = -{_CACHE}", f"wal_autocheckpoint = {_CHECKPOINT}", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _statements(script: str) -> list[str]:
    return [statement for statement in script.strip().split(";\n") if statement]


def key_of(sop_instance_uid: str) -> int:
    """Return the number by which an instance is looked up: near to each other where UIDs are counted up.

    It isn't unique: what is found by it is compared. Where UIDs of a series follow each other so do their numbers, and
    an index of them grows at its end, and not all over.

    Examples
    --------
    >>> key_of("1.2.3.9") - key_of("1.2.3.8")
    1
    """
    prefix, _, last = sop_instance_uid.rpartition(".")
    try:
        number, rest = int(last), prefix.encode()
    except ValueError:
        number, rest = 0, sop_instance_uid.encode("utf-8", "replace")
    return (crc32(rest) << 31 ^ number) & _LARGEST_KEY
