"""The tables of a worklist in SQLite: steps, and subscriptions to them; in memory or in a file, by the same code."""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dicomkit.archive.workitem_rules import WorkitemError
from dicomkit.archive.workitem_states import UNKNOWN_STEP, Workitem, failure
from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.query import Key, Keys
from dicomkit.standard.procedure_steps import FINAL_STATES, NOT_SUBSCRIBED, WITH_LOCK, WITHOUT_LOCK
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

RESOURCE_LIMITATION = 0x0213
_BATCH = 200
_NO_KEYS = Keys()
_SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    transaction_uid TEXT NOT NULL,
    ended REAL,
    data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS steps_by_state ON steps (state, number);
CREATE INDEX IF NOT EXISTS steps_by_end ON steps (ended) WHERE ended IS NOT NULL;
CREATE TABLE IF NOT EXISTS subscriptions (
    ae TEXT NOT NULL,
    uid TEXT NOT NULL,
    locked INTEGER NOT NULL,
    PRIMARY KEY (uid, ae)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions_to_all (
    ae TEXT NOT NULL,
    scope TEXT NOT NULL,
    locked INTEGER NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (ae, scope)
) WITHOUT ROWID;
"""
_UNLOCKED = "NOT EXISTS (SELECT 1 FROM subscriptions WHERE subscriptions.uid = steps.uid AND locked)"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told of a step, or of all that will be created.

    Attributes
    ----------
    ae
        The AE title that events go to.
    uid
        Of the step; a well-known UID for all, or for those that match ``keys``.
    lock
        Whether steps stay there after their end until this subscription has gone.
    keys
        What a filter asks for.
    """

    ae: str
    uid: str
    lock: bool = False
    keys: Keys = _NO_KEYS


class WorkitemTables:
    """The tables, on one connection, which its owner keeps to one thread at a time.

    Parameters
    ----------
    path
        Of the file; None for memory.

    Raises
    ------
    WorkitemError
        When the file is no such database, or can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        where = ":memory:" if path is None else os.fspath(path)
        with _telling():
            self._db = sqlite3.connect(where, timeout=30, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._db.close)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of what is in the block, or nothing; a block within another is part of it."""
        if self._db.in_transaction:
            yield
            return
        with _telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    # ---- steps -----------------------------------------------------------------------------------------------------

    def get(self, uid: str) -> Workitem | None:
        """Return a step; None where it isn't there."""
        found = self._rows("SELECT uid, data, transaction_uid FROM steps WHERE uid = ?", uid)
        return _step(*found[0]) if found else None

    def known(self, uid: str, operation: str) -> Workitem:
        """Return a step.

        Raises
        ------
        WorkitemError
            When it isn't there, with the status of the operation that asks for it.
        """
        step = self.get(uid)
        if step is None:
            raise failure(UNKNOWN_STEP, operation)
        return step

    def put(self, step: Workitem, now: float, most_bytes: int) -> None:
        """Write a step, new or not.

        Raises
        ------
        WorkitemError
            When it is larger than a step may be.
        """
        data = to_bytes(step.dataset, EXPLICIT_VR_LITTLE_ENDIAN)
        if len(data) > most_bytes:
            raise WorkitemError(f"a step of more than {most_bytes} bytes", status=RESOURCE_LIMITATION)
        self._do(
            "INSERT INTO steps (uid, state, transaction_uid, ended, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT (uid) "
            "DO UPDATE SET state = excluded.state, transaction_uid = excluded.transaction_uid, "
            "ended = excluded.ended, data = excluded.data",
            *(step.uid, step.state, step.transaction_uid, now if step.state in FINAL_STATES else None, data),
        )

    def make_room(self, before: float, most: int) -> None:
        """Remove steps that ended before a moment, and where there are still too many those that ended first.

        Raises
        ------
        WorkitemError
            When there is no room for another step nevertheless.
        """
        self.delete(self.expired(before))
        over = self.count() + 1 - most
        if over > 0 and self.delete(self.ended_first(over)) < over:
            raise WorkitemError(f"there are {most} steps, and no more", status=RESOURCE_LIMITATION)

    def delete(self, uids: Iterable[str]) -> int:
        """Remove steps and the subscriptions to them, and return how many there were."""
        count = 0
        for uid in uids:
            self._do("DELETE FROM subscriptions WHERE uid = ?", uid)
            count += self._do("DELETE FROM steps WHERE uid = ?", uid)
        return count

    def expired(self, before: float) -> list[str]:
        """List the steps that ended before a moment, and that nobody has a lock on."""
        rows = self._rows(f"SELECT uid FROM steps WHERE ended < ? AND {_UNLOCKED}", before)
        return [uid for (uid,) in rows]

    def ended_first(self, count: int) -> list[str]:
        """List so many steps that ended first, and that nobody has a lock on."""
        sql = f"SELECT uid FROM steps WHERE ended IS NOT NULL AND {_UNLOCKED} ORDER BY ended LIMIT ?"
        return [uid for (uid,) in self._rows(sql, count)]

    def counts(self) -> dict[str, int]:
        """Count the steps in each state."""
        return dict(self._rows("SELECT state, count(*) FROM steps GROUP BY state ORDER BY min(number)"))

    def count(self) -> int:
        """Count the steps."""
        return int(self._rows("SELECT count(*) FROM steps")[0][0])

    def batch(
        self, after: int = 0, *, uids: Sequence[str] | None = None, state: str | None = None
    ) -> list[tuple[int, Workitem]]:
        """Give some steps in the order of creation, with their numbers, from after a number on."""
        sql = "SELECT number, uid, data, transaction_uid FROM steps WHERE number > ?"
        conditions: list[object] = [after]
        if uids is not None:
            sql += f" AND uid IN ({', '.join('?' * len(uids))})"
            conditions += uids
        if state is not None:
            sql += " AND state = ?"
            conditions.append(state)
        rows = self._rows(f"{sql} ORDER BY number LIMIT {_BATCH}", *conditions)
        return [(number, _step(*row)) for number, *row in rows]

    # ---- subscriptions ---------------------------------------------------------------------------------------------

    def subscriptions(self, uid: str) -> tuple[Subscription, ...]:
        """List who is subscribed to a step."""
        rows = self._rows("SELECT ae, locked FROM subscriptions WHERE uid = ? ORDER BY ae", uid)
        return tuple(Subscription(ae, uid, bool(locked)) for ae, locked in rows)

    def state_of(self, ae: str, uid: str) -> str:
        """Say how an application entity is subscribed to a step."""
        found = self._rows("SELECT locked FROM subscriptions WHERE uid = ? AND ae = ?", uid, ae)
        return _name(found[0][0] if found else None)

    def states_of(self, ae: str) -> list[tuple[str, str]]:
        """Say how an application entity is subscribed to each step, in the order of creation."""
        sql = "SELECT steps.uid, locked FROM steps LEFT JOIN subscriptions ON subscriptions.uid = steps.uid AND ae = ?"
        return [(uid, _name(locked)) for uid, locked in self._rows(f"{sql} ORDER BY number", ae)]

    def subscribe(self, ae: str, uid: str, state: str) -> None:
        """Note how an application entity is subscribed to a step from now on."""
        if state == NOT_SUBSCRIBED:
            self._do("DELETE FROM subscriptions WHERE uid = ? AND ae = ?", uid, ae)
        else:
            self._do("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?)", ae, uid, state == WITH_LOCK)

    def subscriptions_to_all(self) -> tuple[Subscription, ...]:
        """List who is subscribed to what will be created."""
        rows = self._rows("SELECT ae, scope, locked, keys FROM subscriptions_to_all ORDER BY ae, scope")
        return tuple(Subscription(ae, scope, bool(locked), _keys(json.loads(keys))) for ae, scope, locked, keys in rows)

    def subscribe_to_all(self, subscription: Subscription, most_bytes: int) -> None:
        """Note who is subscribed to what will be created, with a filter that isn't too large."""
        keys = json.dumps(_plain(subscription.keys))
        if len(keys) > most_bytes:
            raise WorkitemError(f"a filter of more than {most_bytes} bytes", status=RESOURCE_LIMITATION)
        row = (subscription.ae, subscription.uid, subscription.lock, keys)
        self._do("INSERT OR REPLACE INTO subscriptions_to_all VALUES (?, ?, ?, ?)", *row)

    def unsubscribe_from_all(self, ae: str, scope: str) -> None:
        """Forget who was subscribed to what will be created."""
        self._do("DELETE FROM subscriptions_to_all WHERE ae = ? AND scope = ?", ae, scope)

    def subscribers(self) -> tuple[str, ...]:
        """List all who are subscribed to anything."""
        rows = self._rows("SELECT ae FROM subscriptions UNION SELECT ae FROM subscriptions_to_all ORDER BY ae")
        return tuple(ae for (ae,) in rows)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with _telling():
            return self._db.execute(sql, values).fetchall()

    def _do(self, sql: str, *values: object) -> int:
        with _telling():
            return self._db.execute(sql, values).rowcount


def _step(uid: str, data: bytes, transaction_uid: str) -> Workitem:
    return Workitem(uid, _read(data), transaction_uid)


def _read(data: bytes) -> DataSet:
    return read(data, transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN) if data else DataSet()


def _plain(key: Key) -> Any:
    """Return a key as JSON has it: a mapping, a text, or a list of texts."""
    if isinstance(key, Keys):
        return {keyword: _plain(inner) for keyword, inner in key}
    return list(key) if isinstance(key, tuple) else key


def _keys(plain: dict[str, Any]) -> Keys:
    return Keys((keyword, _key(value)) for keyword, value in plain.items())


def _key(plain: Any) -> Key:
    if isinstance(plain, dict):
        return _keys(plain)
    return tuple(plain) if isinstance(plain, list) else str(plain)


def _name(locked: int | None) -> str:
    return NOT_SUBSCRIBED if locked is None else WITH_LOCK if locked else WITHOUT_LOCK


@contextmanager
def _telling() -> Iterator[None]:
    """Turn what SQLite raises into an error of ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise WorkitemError(f"the worklist can't be read or written: {error}") from error
