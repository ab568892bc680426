"""Control of a queue: pause and resume, retry, requeue, clear; and what keeps it in order."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

from dicomkit.delivery.queue_contents import QueueContents, state_numbers
from dicomkit.delivery.queue_owner import is_gone, new_owner
from dicomkit.delivery.queue_put import is_text
from dicomkit.delivery.queue_spool import orphans, remove
from dicomkit.delivery.queue_tables import CONDITIONS, DEAD, DEFERRED, EARLIEST, settings_of
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import Category

GIVE_BACK = "UPDATE entries SET state = 0, due = 0, again = 0, owner = NULL"
"""What makes a claimed entry one that waits."""
DUE = "due > 0 AND due"
"""A comparison of a time, from which SQLite sees which index to use."""
_A_DAY = 86400.0
_MOST_KEPT = 1 << 31
_FORGET_OLD = f"DELETE FROM entries WHERE state = 4 AND destination = ? AND {DUE} < ?"
_FORGET_MORE = """DELETE FROM entries WHERE id IN (SELECT id FROM entries
    WHERE state = 4 AND destination = ? AND due > 0 ORDER BY due DESC, id DESC LIMIT -1 OFFSET ?)"""
_SET_BACK = 60.0
"""Seconds by which clocks of several hosts may differ; by more they were set."""
_WAIT_NO_LONGER = """UPDATE entries SET due = max(due - updated + ?1, ?2), updated = ?1
    WHERE state = 1 AND due > 0 AND attempts > 0 AND updated > ?1 + ?3"""
"""What failed under a clock that was set back since is due as many seconds from now as it was to wait."""
_KEEP = "UPDATE settings SET keep_days = coalesce(?, keep_days), keep_count = coalesce(?, keep_count)"


class QueueControl(QueueContents):
    """A queue and its control; `dicomkit.delivery.queue.Queue` adds putting and delivering.

    Attributes
    ----------
    owner
        Who claims: a name that only this object has.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Callable[[], float],
        keep_days: float | None,
        keep_count: int | None,
    ) -> None:
        for kept in (keep_days, keep_count):
            if kept is not None and not 0 <= kept < _MOST_KEPT:
                raise ValueFormatError(f"entries can't be kept for {keep_days} days, {keep_count} of them")
        super().__init__(path)
        self.owner = new_owner()
        self._clock, self._latest = clock, -math.inf
        if keep_days is not None or keep_count is not None:
            with self._database.writing(durable=True) as connection:
                connection.execute(_KEEP, (keep_days, keep_count))
        self._unpruned = 0
        self._recover()
        self._heed_clock()
        self._sweep()
        self.prune()

    def pause(self, destination: str | None = None) -> None:
        """Let nothing more be claimed of a destination, or of all; what is claimed already is sent to its end."""
        self._pause(destination, 1)

    def resume(self, destination: str | None = None) -> None:
        """Go on with a destination, or with the whole queue, where one that was paused by itself stays so."""
        self._pause(destination, 0)

    def _pause(self, destination: str | None, paused: int) -> None:
        if destination is None:
            with self._database.writing(durable=True) as connection:
                connection.execute("UPDATE settings SET paused = ?", (paused,))
            return
        number = self._destination(destination)
        with self._database.writing(durable=True) as connection:
            connection.execute("UPDATE destinations SET paused = ? WHERE id = ?", (paused, number))

    def is_paused(self, destination: str | None = None) -> bool:
        """Whether the whole queue is paused; or whether nothing of a destination can be claimed."""
        with self._database.reading() as connection:
            if settings_of(connection).paused:
                return True
            found = connection.execute("SELECT paused FROM destinations WHERE name = ?", (destination,)).fetchone()
        return bool(found and found[0])

    def retry(self, destination: str | None = None, *, ids: Iterable[int] | None = None) -> int:
        """Let what is to be tried again later be tried now, as when a peer is back; returns how many."""
        return self._change("UPDATE entries SET state = 0, due = 0", CONDITIONS[DEFERRED], destination, ids)

    def requeue(
        self, destination: str | None = None, *, ids: Iterable[int] | None = None, category: Category | None = None
    ) -> int:
        """Let dead letters be tried again, as if for the first time: of a destination, some, or those of a category."""
        if category is not None and category not in get_args(Category):
            hint = f"choose of {', '.join(get_args(Category))}"
            raise ValueFormatError(f"{category!r} is no category of errors", hint=hint)
        condition = CONDITIONS[DEAD] + ("" if category is None else f" AND category = '{category}'")
        verb = f"UPDATE entries SET state = 0, due = 0, attempts = 0, updated = {self._clock()!r}"
        return self._change(verb, condition, destination, ids)

    def clear(
        self,
        states: str | Sequence[str] = ("waiting", "deferred", "dead"),
        *,
        destination: str | None = None,
        ids: Iterable[int] | None = None,
    ) -> int:
        """Forget entries, and remove the files that belong to the queue.

        Parameters
        ----------
        states
            Of which states. One that is being sent and is cleared may arrive nevertheless.
        destination, ids
            Of which destination, or which ones; otherwise all.

        Returns
        -------
        int
            How many there were.
        """
        return sum(
            self._change("DELETE FROM entries", CONDITIONS[number], destination, ids)
            for number in state_numbers(states)
        )

    def _change(self, verb: str, condition: str, destination: str | None, ids: Iterable[int] | None) -> int:
        """Change entries of a destination or of all, or those of some numbers; the files of those that go, go too."""
        values: list[Any] = []
        if destination is not None:
            condition += " AND destination = (SELECT id FROM destinations WHERE name = ?)"
            values.append(destination)
        rows = [values]
        if ids is not None:
            condition += " AND id = ?"
            rows = [[*values, int(id)] for id in ids]
        files: list[str] = []
        with self._database.writing(durable=True) as connection:
            if settings_of(connection).spools and verb.startswith("DELETE"):
                for row in rows:
                    found = connection.execute(
                        f"SELECT path FROM entries WHERE {condition} AND spooled AND done = 0", row
                    )
                    files += [path for (path,) in found]
            count = connection.executemany(f"{verb} WHERE {condition}", rows).rowcount
        remove(self.spool, files)
        return max(count, 0)

    def _destination(self, name: str) -> int:
        """Return the number of a destination, which is made where it is new."""
        if not isinstance(name, str) or not name or not is_text(name):
            raise ValueFormatError(f"{name!r} is no name of a destination", hint="write the name of a peer")
        with self._database.reading() as connection:
            found = connection.execute("SELECT id FROM destinations WHERE name = ?", (name,)).fetchone()
        if found is None:
            with self._database.writing() as connection:
                connection.execute("INSERT OR IGNORE INTO destinations (name) VALUES (?)", (name,))
                found = connection.execute("SELECT id FROM destinations WHERE name = ?", (name,)).fetchone()
        return int(found[0])

    def prune(self) -> int:
        """Forget what was delivered long ago, as the queue was told how long to keep it; returns how many."""
        self._unpruned = 0
        with self._database.writing() as connection:
            settings = settings_of(connection)
            before = self._clock() - settings.keep_days * _A_DAY
            old = more = 0
            for (number,) in connection.execute("SELECT id FROM destinations").fetchall():
                old += connection.execute(_FORGET_OLD, (number, before)).rowcount
                more += connection.execute(_FORGET_MORE, (number, settings.keep_count)).rowcount
        return int(old + more)

    def _recover(self) -> None:
        """Give back what was claimed by processes that have ended."""
        with self._database.reading() as connection:
            owners = [
                owner
                for (owner,) in connection.execute("SELECT DISTINCT owner FROM entries WHERE state = 2 AND due > 0")
            ]
        for owner in owners:
            if owner is None or is_gone(str(owner)):
                self._give_back(owner)

    def _heed_clock(self) -> float:
        """Tell the time; where the clock was set back, see to it that nothing waits for the time that it showed."""
        now = self._clock()
        if self._latest == -math.inf or now < self._latest - _SET_BACK:
            with self._database.writing() as connection:
                connection.execute(_WAIT_NO_LONGER, (now, EARLIEST, _SET_BACK))
        self._latest = now
        return now

    def _give_back(self, owner: str | None) -> None:
        with self._database.writing() as connection:
            connection.execute(f"{GIVE_BACK} WHERE state = 2 AND due > 0 AND owner IS ?", (owner,))

    def _sweep(self) -> None:
        """Remove files that processes left which ended before their rows were written, or after."""
        left = orphans(self.spool)
        if left:
            with self._database.reading() as connection:
                needed = set(connection.execute("SELECT path FROM entries WHERE spooled AND done = 0"))
            remove(self.spool, [name for name in left if (name,) not in needed])
