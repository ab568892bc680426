"""A persistent queue: instances that are to be delivered, in a file of SQLite which several processes may share.

What was put in is there until it is delivered, given up or cleared. It survives the end of any process at any moment
(kill -9 too); and a loss of power once `Queue.put` has returned. After a loss of power what was delivered in the last
moments may be delivered again: at least once, never not at all.
"""

from __future__ import annotations

import heapq
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from dicomkit.delivery.queue_control import DUE, GIVE_BACK, QueueControl
from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.queue_put import (
    BATCH,
    BATCH_SECONDS,
    IS_OF,
    Facts,
    Keeping,
    Order,
    Receipt,
    facts_of,
    insert,
    name_of,
    spooled_of,
)
from dicomkit.delivery.queue_spool import name_in, remove, sync
from dicomkit.delivery.queue_tables import DEAD, DEFERRED, EARLIEST, settings_of
from dicomkit.dimse.instances import instances_of
from dicomkit.dimse.outgoing import Source
from dicomkit.errors import DicomError, ValueFormatError


class Queue(QueueControl):
    """A queue in a file; all of its methods may be called from any thread.

    Parameters
    ----------
    path
        Of the database, which is made where there is none. Two more files of SQLite stand beside it while it is in
        use, and the folder ``path + ".files"`` with what has no file of its own. It has to be on a local disk.
    clock
        Gives the seconds since 1970.
    keep_days, keep_count
        How long, and how many at most of a destination, entries are remembered that were delivered. The queue remembers
        these, too; at first they are 30 days and 100,000.

    Raises
    ------
    QueueError
        When it can't be opened, is damaged, or was made by a later version.

    Examples
    --------
    >>> import tempfile
    >>> from dicomkit.dataset.dataset import DataSet
    >>> ds = DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="1.2.3.4")
    >>> with tempfile.TemporaryDirectory() as folder, Queue(folder + "/out.queue") as queue:
    ...     queue.put(ds, "PACS").added
    ...     [entry] = queue.claim()
    ...     entry.state, entry.sop_instance_uid, entry.attempts
    ...     queue.delivered(entry)
    ...     queue.counts()["delivered"]
    1
    ('sending', '1.2.3.4', 1)
    1
    1
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], float] = time.time,
        keep_days: float | None = None,
        keep_count: int | None = None,
    ) -> None:
        super().__init__(path, clock, keep_days, keep_count)

    def put(
        self,
        instances: Source | Iterable[Source],
        destination: str,
        *,
        priority: int = 0,
        copy: bool = False,
        same: Literal["replace", "keep"] = "replace",
        again: bool = True,
        not_before: float | None = None,
        durable: bool = True,
    ) -> Receipt:
        """Put instances into the queue.

        An instance (by its SOP Instance UID) is there once for each destination while it isn't delivered. One that
        comes again keeps its place, gets the higher of both priorities, and what is sent is what came last; if it is
        being sent at this moment, it goes once more. One that was given up is tried again.

        Parameters
        ----------
        instances
            A path, folder, DataSet, bytes of a file, `Outgoing`, or table of files; or many of them, also from a
            generator. Files stay where they are; what has none is written into the folder of the queue.
        destination
            The name of the peer or group of peers.
        priority
            The higher, the sooner; first in, first out among equals.
        copy
            Whether files are copied into the folder of the queue, so that they may go.
        same
            Whether an instance takes the place of one that waits (``"replace"``), or that stays as it is (``"keep"``).
        again
            Whether what was delivered before, as far as that is remembered, goes again.
        not_before
            When to try first, in seconds since 1970.
        durable
            Whether to wait for the disk, so that a loss of power loses nothing.

        Returns
        -------
        Receipt
            The numbers of the entries, and what can't be read and is in the queue not.

        Raises
        ------
        QueueError
            When the queue can't be written. What a generator gave before may be in it, and put again it is there once.
        """
        if same not in ("replace", "keep"):
            raise ValueFormatError(f"same={same!r} says nothing", hint='"replace" or "keep"')
        number = self._destination(destination)
        sources, _ = instances_of(instances)
        ids: list[int] = []
        added = merged = skipped = 0
        refused: list[tuple[str, DicomError]] = []
        for batch in self._batches(sources, refused, Keeping(self.spool, self.owner, copy)):
            order = Order(number, priority, not_before, self._clock(), same == "replace", again)
            try:
                if durable:
                    sync(self.spool, spooled_of(batch))
                with self._database.writing(durable=durable) as connection:
                    receipt, unneeded = insert(connection, batch, order)
            except DicomError:  # after any other interruption the row may be there: then they are swept up later
                remove(self.spool, spooled_of(batch))
                raise
            remove(self.spool, unneeded)
            ids += receipt.ids
            added, merged, skipped = added + receipt.added, merged + receipt.merged, skipped + receipt.skipped
        return Receipt(tuple(ids), added, merged, skipped, tuple(refused))

    def _batches(
        self, sources: Iterator[Source], refused: list[tuple[str, DicomError]], keeping: Keeping
    ) -> Iterator[list[Facts]]:
        """Find out who instances are, and give as many as fit into a transaction."""
        batch: list[Facts] = []
        deadline = time.monotonic() + BATCH_SECONDS
        try:
            for source in sources:
                try:
                    batch.append(facts_of(source, len(batch), keeping))
                except DicomError as error:
                    refused.append((name_of(source), error))
                if len(batch) >= BATCH or (time.monotonic() > deadline and batch):
                    ready, batch = batch, []
                    yield ready
                    deadline = time.monotonic() + BATCH_SECONDS
        except BaseException:
            remove(self.spool, spooled_of(batch))
            raise
        if batch:
            yield batch

    def claim(
        self, most: int = 1, *, destinations: str | Sequence[str] | None = None, lease: float = 300.0
    ) -> list[Entry]:
        """Take entries whose time has come, so that nobody else gets them.

        Parameters
        ----------
        most
            How many.
        destinations
            Of which; of all that aren't paused where it isn't given.
        lease
            Seconds after which others may have what wasn't reported on until then (`renew` makes it longer). Where
            their process is gone, they come back as soon as somebody opens the queue.

        Returns
        -------
        list of Entry
            Those of the highest priority first, and first in, first out. Their attempts are counted already.
        """
        if most < 1:
            raise ValueFormatError(f"{most} entries can't be claimed", hint="1 or more")
        _check_lease(lease)
        now = self._heed_clock()
        with self._database.writing() as connection:
            found: list[tuple[int, int]] = []
            for number in self._open(connection, destinations):
                connection.execute(f"{GIVE_BACK} WHERE state = 2 AND destination = ? AND {DUE} <= ?", (number, now))
                connection.execute(_PROMOTE, (number, now))
                found += connection.execute(_FIRST, (number, most)).fetchall()
            ids = [id for _, id in heapq.nsmallest(most, found)]
            if not ids:
                return []
            turn = settings_of(connection).next_turn
            connection.execute("UPDATE settings SET next_turn = next_turn + 1")
            connection.executemany(
                "UPDATE entries SET state = 2, owner = ?, due = ?, turn = ?, attempts = attempts + 1, again = 0,"
                " updated = ? WHERE id = ?",
                [(self.owner, now + lease, turn, now, id) for id in ids],
            )
            entries = {entry.id: entry for entry in self._by_ids(connection, ids)}
            if len(entries) < len(ids):
                raise sqlite3.DatabaseError("an index knows entries that there aren't")
        return [entries[id] for id in ids]

    def _open(self, connection: sqlite3.Connection, names: str | Sequence[str] | None) -> list[int]:
        """The numbers of destinations that aren't paused: of some, or of all."""
        wanted = None if names is None else {names} if isinstance(names, str) else set(names)
        rows = connection.execute(
            "SELECT id, name FROM destinations WHERE NOT paused AND NOT (SELECT paused FROM settings) ORDER BY id"
        ).fetchall()
        return [number for number, name in rows if wanted is None or name in wanted]

    def delivered(self, entries: Entry | Iterable[Entry]) -> int:
        """Tell that claimed entries are at the far end; what came anew meanwhile waits for its turn.

        Returns
        -------
        int
            How many were still claimed in that turn; what others claimed meanwhile is theirs.
        """
        now = self._clock()
        count = self._report(_DELIVERED, (max(now, EARLIEST), now), entries)
        self._unpruned += count
        if self._unpruned > _PRUNE_AFTER:
            self.prune()
        return count

    def failed(
        self,
        entries: Entry | Iterable[Entry],
        error: Exception | str,
        *,
        category: str | None = None,
        retry_at: float | None = None,
    ) -> int:
        """Tell that claimed entries were not delivered: they are tried again at a time, or given up.

        Parameters
        ----------
        entries
            What was claimed.
        error
            Why.
        category
            ``"transient"``, ``"permanent"``, ``"configuration"`` or ``"security"``; that of the error where it has one.
        retry_at
            When to try again, in seconds since 1970. None gives them up: they are dead letters then.

        Returns
        -------
        int
            How many were still claimed in that turn.
        """
        if retry_at is not None and not math.isfinite(retry_at):
            raise ValueFormatError(f"{retry_at} is no time", hint="write seconds since 1970")
        what = category or str(getattr(error, "category", "permanent"))
        state = DEAD if retry_at is None else DEFERRED
        now, text = self._clock(), str(error)[:2000].encode(errors="backslashreplace").decode()
        return self._report(
            _FAILED, (state, max(now if retry_at is None else retry_at, EARLIEST), now, text, what), entries
        )

    def release(self, entries: Entry | Iterable[Entry]) -> int:
        """Give claimed entries back that were not tried; the attempt isn't counted."""
        return self._report(f"{GIVE_BACK}, attempts = max(attempts - 1, 0)", (), entries)

    def renew(self, entries: Entry | Iterable[Entry], lease: float = 300.0) -> int:
        """Keep claimed entries for so many seconds from now; returns how many are still claimed in that turn."""
        _check_lease(lease)
        return self._report("UPDATE entries SET due = ?", (self._clock() + lease,), entries)

    def _report(self, verb: str, values: tuple[Any, ...], entries: Entry | Iterable[Entry]) -> int:
        """Change entries that are still claimed as they were; their files go where nobody needs them any more."""
        claimed = [entries] if isinstance(entries, Entry) else list(entries)
        own = [(entry.id, name_in(self.spool, entry.path)) for entry in claimed if entry.is_spooled]
        # No loss of power may bring back an entry whose file is gone.
        with self._database.writing(durable=bool(own)) as connection:
            rows = [(*values, entry.id, entry.turn) for entry in claimed]
            count = connection.executemany(f"{verb} WHERE id = ? AND turn = ? AND state = 2", rows).rowcount
            unneeded = [name for id, name in own if connection.execute(IS_OF, (id, name)).fetchone() is None]
        remove(self.spool, unneeded)
        return max(count, 0)

    def next_time(self, *, destinations: str | Sequence[str] | None = None) -> float | None:
        """Return when there is something to claim: at once (a time that is past), later, or never (None).

        Whoever waits for it looks again now and then, since others may put something in.
        """
        self._heed_clock()
        with self._database.reading() as connection:
            times = []
            for number in self._open(connection, destinations):
                if connection.execute(_FIRST, (number, 1)).fetchone() is not None:
                    return 0.0
                times += connection.execute(_NEXT_TIMES, {"destination": number}).fetchone()
        return min((time for time in times if time is not None), default=None)

    def close(self) -> None:
        """Let go of the file; what this queue has claimed and not reported on can be claimed by others."""
        if self._database.is_open:
            self._give_back(self.owner)
            self._database.close()

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.path, self._clock)


_PRUNE_AFTER = 1000
_DELIVERED = """UPDATE entries SET state = CASE WHEN again THEN 0 ELSE 4 END, done = CASE WHEN again THEN 0 ELSE id END,
    due = CASE WHEN again THEN 0 ELSE ? END, attempts = CASE WHEN again THEN 0 ELSE attempts END,
    updated = ?, owner = NULL, error = NULL, category = NULL"""
_FAILED = """UPDATE entries SET state = CASE WHEN again THEN 0 ELSE ? END, due = CASE WHEN again THEN 0 ELSE ? END,
    attempts = CASE WHEN again THEN 0 ELSE attempts END, updated = ?, owner = NULL, error = ?, category = ?"""
_PROMOTE = f"UPDATE entries SET state = 0, due = 0 WHERE state = 1 AND destination = ? AND {DUE} <= ?"
_NEXT_TIMES = """SELECT (SELECT min(due) FROM entries WHERE state = 1 AND destination = :destination AND due > 0),
    (SELECT min(due) FROM entries WHERE state = 2 AND destination = :destination AND due > 0)"""
_FIRST = """SELECT -priority, id FROM entries WHERE state = 0 AND destination = ?
    ORDER BY priority DESC, id LIMIT ?"""


def _reopened(path: str, clock: Callable[[], float]) -> Queue:
    return Queue(path, clock=clock)


def _check_lease(lease: float) -> None:
    if not 0 < lease < math.inf:
        raise ValueFormatError(f"nothing can be claimed for {lease} s", hint="write some seconds")
