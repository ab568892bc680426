"""What is in a queue: its entries, counts of them, and how it looks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dicomkit.delivery.queue_entry import COLUMNS, Entry, entry_of
from dicomkit.delivery.queue_spool import spool_folder
from dicomkit.delivery.queue_tables import CONDITIONS, STATES, Database, key_of, settings_of
from dicomkit.delivery.queue_view import entries_table, overview_html, overview_text
from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    import pandas as pd

_FROM = "FROM entries JOIN destinations ON destinations.id = entries.destination"
_AT_ONCE = 500


class QueueContents:
    """The contents of a queue; `dicomkit.delivery.queue.Queue` adds what changes them.

    Attributes
    ----------
    path
        Of the database.
    spool
        The folder of the files that belong to the queue.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self.spool = spool_folder(self.path)
        self._database = Database(self.path)

    def entries(
        self,
        states: str | Sequence[str] = STATES,
        *,
        destination: str | None = None,
        ids: Iterable[int] | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """Look at entries, in the order in which they came.

        Parameters
        ----------
        states, destination, ids
            Which.
        limit
            How many at most.
        """
        numbers = state_numbers(states)
        if ids is not None:
            with self._database.reading() as connection:
                found = sorted(self._by_ids(connection, ids))
            kept = [
                entry
                for entry in found
                if STATES.index(entry.state) in numbers and destination in (None, entry.destination)
            ]
            return kept[:limit]
        places = ", ".join("?" * len(numbers))
        statement = f"SELECT {COLUMNS} {_FROM} WHERE state IN ({places})"
        values: list[int | str] = [*numbers]
        if destination is not None:
            statement += " AND destinations.name = ?"
            values.append(destination)
        statement += " ORDER BY entries.id LIMIT ?"
        with self._database.reading() as connection:
            rows = connection.execute(statement, (*values, -1 if limit is None else limit)).fetchall()
        return [entry_of(row, self.spool, self.path) for row in rows]

    def _by_ids(self, connection: sqlite3.Connection, ids: Iterable[int]) -> list[Entry]:
        """The entries of some numbers, in any order."""
        wanted, found = list(ids), []
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            places = ", ".join("?" * len(some))
            found += connection.execute(f"SELECT {COLUMNS} {_FROM} WHERE entries.id IN ({places})", some).fetchall()
        return [entry_of(row, self.spool, self.path) for row in found]

    def find(self, destination: str, sop_instance_uid: str) -> Entry | None:
        """Return the entry of an instance: the one that isn't delivered, else the last that was; None where none is."""
        with self._database.reading() as connection:
            for condition in ("done = 0", "done > 0"):
                row = connection.execute(
                    f"SELECT {COLUMNS} {_FROM} WHERE key = ? AND {condition} AND sop_instance = ?"
                    " AND destinations.name = ? ORDER BY entries.id DESC LIMIT 1",
                    (key_of(sop_instance_uid), sop_instance_uid, destination),
                ).fetchone()
                if row is not None:
                    return entry_of(row, self.spool, self.path)
        return None

    def counts(self, destination: str | None = None) -> dict[str, int]:
        """Count the entries of each state, of a destination or of all.

        Examples
        --------
        >>> import tempfile
        >>> from dicomkit.delivery.queue import Queue
        >>> with tempfile.TemporaryDirectory() as folder, Queue(folder + "/out.queue") as queue:
        ...     queue.counts()
        {'waiting': 0, 'deferred': 0, 'sending': 0, 'dead': 0, 'delivered': 0}
        """
        totals = dict.fromkeys(STATES, 0)
        for name, counts in self.counts_by_destination().items():
            if destination in (None, name):
                totals = {state: totals[state] + counts[state] for state in STATES}
        return totals

    def counts_by_destination(self) -> Mapping[str, Mapping[str, int]]:
        """Count the entries of each state, for each destination that the queue has known."""
        with self._database.reading() as connection:
            names = dict(connection.execute("SELECT id, name FROM destinations ORDER BY name").fetchall())
            counts: dict[str, dict[str, int]] = {name: dict.fromkeys(STATES, 0) for name in names.values()}
            for number, state in enumerate(STATES):  # each by an index of its own
                for place, count in connection.execute(
                    f"SELECT destination, count(*) FROM entries WHERE {CONDITIONS[number]} GROUP BY destination"
                ):
                    if place not in names:
                        raise sqlite3.DatabaseError("entries have no destination")
                    counts[names[place]][state] = count
        return counts

    @property
    def destinations(self) -> tuple[str, ...]:
        """The names of all destinations that the queue has known."""
        with self._database.reading() as connection:
            return tuple(name for (name,) in connection.execute("SELECT name FROM destinations ORDER BY name"))

    def to_table(
        self,
        states: str | Sequence[str] = STATES,
        *,
        destination: str | None = None,
        ids: Iterable[int] | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return one row for each entry; see `entries` for which.

        Returns
        -------
        DataFrame
            Times as datetime64[ms], in UTC.
        """
        return entries_table(self.entries(states, destination=destination, ids=ids, limit=limit))

    def __repr__(self) -> str:
        return overview_text(self.path, self._paused(), self.counts_by_destination())

    def _repr_html_(self) -> str:
        last = self.entries("dead", limit=20)
        return overview_html(self.path, self._paused(), self.counts_by_destination(), last)

    def _paused(self) -> tuple[bool, tuple[str, ...]]:
        """Whether the whole queue is paused, and which destinations are."""
        with self._database.reading() as connection:
            whole = bool(settings_of(connection).paused)
            rows = connection.execute("SELECT name FROM destinations WHERE paused ORDER BY name").fetchall()
        return whole, tuple(name for (name,) in rows)


def state_numbers(states: str | Sequence[str]) -> list[int]:
    """Return the numbers of states.

    Raises
    ------
    ValueFormatError
        When there is no such state.

    Examples
    --------
    >>> state_numbers(("waiting", "dead"))
    [0, 3]
    """
    names = [states] if isinstance(states, str) else states
    unknown = [name for name in names if name not in STATES]
    if unknown:
        raise ValueFormatError(f"{unknown[0]!r} is no state of an entry", hint=f"choose of {', '.join(STATES)}")
    return [STATES.index(name) for name in names]
