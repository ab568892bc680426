"""Putting instances into a queue: many in one transaction, each once for a destination while it waits."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.delivery.queue_spool import keep
from dicomkit.delivery.queue_tables import DEFERRED, EARLIEST, WAITING, key_of, settings_of
from dicomkit.dimse.outgoing import Outgoing, Source, outgoing
from dicomkit.errors import DicomError, ValueFormatError

BATCH = 50_000
"""The most instances of one transaction: where UIDs are random, each touches a page of an index of its own."""
BATCH_SECONDS = 0.5
"""The longest time that instances wait for others to be written with."""
_MOST = 1 << 31


Facts: TypeAlias = "tuple[int, int | None, str, str, str, str, int, int]"
"""What is written of an instance: its number in the batch, key, SOP class and instance, transfer syntax, path below the
folder of the queue or elsewhere, whether it is below it, and size."""


class Keeping(NamedTuple):
    """How files of the queue are written: where, by whom, and whether of instances that have one, too."""

    spool: str
    owner: str
    copy: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of instances that were put into a queue.

    Attributes
    ----------
    ids
        The numbers of their entries, in their order, those that were refused left out; the same number twice where an
        instance came twice.
    added, merged, skipped
        How many are new, were there already, or had been delivered before and don't go again.
    refused
        The names of those that can't be read, and why.
    """

    ids: tuple[int, ...] = ()
    added: int = 0
    merged: int = 0
    skipped: int = 0
    refused: tuple[tuple[str, DicomError], ...] = ()

    def raise_for_refused(self) -> None:
        """Raise the error of the first that was refused; nothing happens where none was.

        Raises
        ------
        DicomError
            Which says how many there are.
        """
        if self.refused:
            name, error = self.refused[0]
            raise DicomError(
                f"{len(self.refused)} instances can't be queued: {error.message}", path=error.path or name or None
            ) from error


@dataclass(frozen=True, slots=True)
class Order:
    """How instances are put: for whom, how urgently, and what if they are there already."""

    destination: int
    priority: int
    due: float | None
    now: float
    replace: bool
    again: bool

    def __post_init__(self) -> None:
        if not -_MOST <= self.priority < _MOST:
            raise ValueFormatError(f"a priority of {self.priority} is out of bounds", hint="write a small number")
        if self.due is not None and not math.isfinite(self.due):
            raise ValueFormatError(f"{self.due} is no time", hint="write seconds since 1970")

    def statement(self, first: int) -> str:
        """The insertion of `Facts`, whose ids begin with the first; what is the same for all is written into it."""
        later = self.due is not None and self.due > self.now
        state, due = (DEFERRED, max(self.due or 0.0, EARLIEST)) if later else (WAITING, 0.0)
        return (
            "INSERT INTO entries (id, key, sop_class, sop_instance, transfer_syntax, path, spooled, size, destination,"
            f" priority, state, due, enqueued, updated) VALUES ({first:d} + ?, ?, ?, ?, ?, ?, ?, ?,"
            f" {self.destination:d}, {self.priority:d}, {state}, {due!r}, {self.now!r}, {self.now!r})"
        ) + (_REPLACING if self.replace else _KEEPING)


_UNCHANGED = "(path = excluded.path AND size = excluded.size AND transfer_syntax = excluded.transfer_syntax)"
_REPLACING = f"""
 ON CONFLICT (key, destination, done) DO UPDATE SET
    again = (state = 2),
    attempts = CASE WHEN state = 2 OR (state < 2 AND {_UNCHANGED}) THEN attempts ELSE 0 END,
    due = CASE WHEN state = 2 OR (state < 2 AND {_UNCHANGED}) THEN due ELSE excluded.due END,
    state = CASE WHEN state = 2 OR (state < 2 AND {_UNCHANGED}) THEN state ELSE excluded.state END,
    priority = max(priority, excluded.priority),
    sop_class = excluded.sop_class, transfer_syntax = excluded.transfer_syntax,
    path = excluded.path, spooled = excluded.spooled, size = excluded.size, updated = excluded.updated
 WHERE sop_instance = excluded.sop_instance"""
"""What comes anew takes the place of what waits, and keeps its place in the row.

The same file changes nothing for one that is to be tried again later; what is being sent goes once more afterwards.
"""
_KEEPING = " ON CONFLICT (key, destination, done) DO NOTHING"
_FIND = "SELECT id, path FROM entries WHERE key = ? AND destination = ? AND sop_instance = ? AND"
IS_OF = "SELECT 1 FROM entries WHERE id = ? AND path = ? AND done = 0"
"""Whether a file is that of an entry that isn't delivered."""
_UNDELIVERED, _DELIVERED = f"{_FIND} done = 0", f"{_FIND} done > 0"


def facts_of(source: Source, number: int, keeping: Keeping) -> Facts:
    """Find out who an instance is; what has no file, or is to be copied, is written into the spool.

    Raises
    ------
    DicomError
        When it can't be read or written, or has no identity.
    """
    if isinstance(source, Outgoing):
        instance, named = source, source.source
    else:
        instance, named = outgoing(source), source
    uid = instance.sop_instance_uid
    if keeping.copy or not isinstance(named, (str, os.PathLike)):
        (path, size), spooled = keep(instance, keeping.spool, keeping.owner), 1
    else:
        path, spooled, size = os.fspath(named), 0, instance.size or 0
        if path[:1] != "/" and "://" not in path:
            path = os.path.abspath(path)
        if not path.isascii() and not is_text(path):
            hint = "put it with copy=True, or rename it"
            raise ValueFormatError("the name of the file isn't text that can be kept", path=ascii(path), hint=hint)
    return number, key_of(uid), instance.sop_class_uid, uid, instance.transfer_syntax_uid, path, spooled, size


def is_text(text: str) -> bool:
    """Whether a database can keep a text: names of files may have bytes in them that stand for no character.

    Examples
    --------
    >>> is_text("Müller"), is_text("M\\udcfcller")
    (True, False)
    """
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def spooled_of(batch: Iterable[Facts]) -> list[str]:
    """List the files that were written for a batch."""
    return [facts[5] for facts in batch if facts[6]]


def name_of(source: Any) -> str:
    """Name a source, for a message."""
    named = source.source if isinstance(source, Outgoing) else source
    named = named.path if isinstance(named, DataSet) else named
    return os.fspath(named) if isinstance(named, (str, os.PathLike)) else ""


def insert(connection: sqlite3.Connection, batch: Sequence[Facts], order: Order) -> tuple[Receipt, list[str]]:
    """Write a batch; also gives the files of the queue that nobody needs then."""
    settings = settings_of(connection)
    first, spools = settings.next_id, settings.spools
    written = spooled_of(batch)
    connection.execute("UPDATE settings SET next_id = ?, spools = ?", (first + 2 * len(batch), bool(spools or written)))
    known: dict[int, int] = {} if order.again else _delivered(connection, batch, order)
    new = [facts for facts in batch if facts[0] not in known] if known else batch
    before = _spooled_before(connection, new, order) if spools and order.replace else []
    connection.executemany(order.statement(first), new)
    (added,) = connection.execute("SELECT count(*) FROM entries WHERE id >= ?", (first,)).fetchone()
    if added == len(batch):
        return Receipt(tuple(range(first, first + added)), added), []
    ids = {**known, **_settled(connection, new, order, first + len(batch))}
    added = len({id for id in ids.values() if id >= first})
    unneeded = before
    if written:
        pairs = [(ids[facts[0]], facts[5]) for facts in batch if facts[6]]
        unneeded += [path for id, path in pairs if connection.execute(IS_OF, (id, path)).fetchone() is None]
    return Receipt(tuple(ids[facts[0]] for facts in batch), added, len(new) - added, len(known)), unneeded


def _spooled_before(connection: sqlite3.Connection, batch: Sequence[Facts], order: Order) -> list[str]:
    """List the files of the queue whose place others take; one that is being sent goes when that is over."""
    found = []
    for _, key, _, uid, *_ in batch:
        row = connection.execute(f"{_UNDELIVERED} AND spooled AND state <> 2", (key, order.destination, uid)).fetchone()
        found += [] if row is None else [str(row[1])]
    return found


def _delivered(connection: sqlite3.Connection, batch: Sequence[Facts], order: Order) -> dict[int, int]:
    """Find those that were delivered before."""
    known = {}
    for number, key, _, uid, *_ in batch:
        found = connection.execute(_DELIVERED, (key, order.destination, uid)).fetchone()
        if found is not None:
            known[number] = int(found[0])
    return known


def _settled(connection: sqlite3.Connection, batch: Sequence[Facts], order: Order, first: int) -> dict[int, int]:
    """Find the entries of a batch of which some were there already, or were kept out by another one of the same key."""
    ids: dict[int, int] = {}
    for number, key, *rest in batch:
        found = connection.execute(_UNDELIVERED, (key, order.destination, rest[1])).fetchone()
        if found is None:  # another instance has its key: it is written without one
            connection.execute(order.statement(first), (number, None, *rest))
            found = (first + number,)
        ids[number] = int(found[0])
    return ids
