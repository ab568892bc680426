"""Storage commitments that are under way, in a SQLite database: what was asked for, what came of it, who is to know."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomkit.archive.errors import ArchiveError
from dicomkit.dimse.commitment_provider import Due
from dicomkit.dimse.commitments import SERVICE, Commitment, Reference
from dicomkit.display.html import table
from dicomkit.display.text import table_text
from dicomkit.standard.statuses import status

if TYPE_CHECKING:
    import pandas as pd

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS transactions (
    uid TEXT NOT NULL, role TEXT NOT NULL, peer TEXT NOT NULL, state TEXT NOT NULL, begun REAL NOT NULL,
    ended REAL, requested TEXT NOT NULL, result TEXT, called TEXT NOT NULL,
    instances INTEGER NOT NULL, committed INTEGER NOT NULL, failed INTEGER NOT NULL, PRIMARY KEY (uid, role)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_state ON transactions (role, state, begun);
"""
_USER, _PROVIDER = "user", "provider"
_COLUMNS = ("role", "peer", "TransactionUID", "state", "instances", "committed", "failed", "begun", "ended")
_SHOWN, _SHOWN_AS_TEXT = 100, 20
_BUSY = 30.0
"""Seconds to wait for another program that writes."""
_LOOK_AGAIN = 0.05
MOST_WAITING = 64 << 20
"""How many characters the reports that haven't arrived may have, which a peer that asks and asks would fill."""
_REMEMBERED = 1000
"""How many reports that have arrived are remembered, so that none of their transactions comes again."""


class Waiting(NamedTuple):
    """A request that no report came for: whom it was sent to, when (seconds since 1970), and what it asks for."""

    transaction_uid: str
    peer: str
    begun: float
    requested: tuple[Reference, ...]


class TransactionsFullError(ArchiveError):
    """Too many reports wait; ``status`` is what who asks for another one is answered (Resource limitation)."""

    status = 0x0213


class Transactions:
    """The storage commitments of a user, a provider or both; several programs may share the file.

    A request is written down before it goes out, and a report before the peer's request is answered, so that neither a
    program that is killed nor one that starts again loses any.

    Parameters
    ----------
    path
        Of the database, which is made where there is none; None keeps all in memory.
    clock
        Gives the seconds since 1970.

    Raises
    ------
    ArchiveError
        When the file is no such database.

    Examples
    --------
    >>> ct = Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3")
    >>> transactions = Transactions()
    >>> transactions.asked("PACS@pacs.local:104", "2.25.1", [ct])
    >>> [waiting.transaction_uid for waiting in transactions.pending()]
    ['2.25.1']
    >>> transactions.settled(Commitment("2.25.1", (ct,), (ct,), received=0.0))
    >>> transactions.result("2.25.1").state, transactions.pending()
    ('committed', ())
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.path = None if path is None else os.fspath(path)
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(
                self.path or ":memory:", isolation_level=None, check_same_thread=False, timeout=_BUSY
            )
        except sqlite3.Error as error:
            raise ArchiveError(f"the transactions can't be opened: {error}", path=self.path) from error
        try:
            self._set_up()
        except sqlite3.Error as error:
            self._database.close()
            raise ArchiveError(f"the transactions can't be opened: {error}", path=self.path) from error
        except ArchiveError:
            self._database.close()
            raise

    def _set_up(self) -> None:
        """Make the table where there is none."""
        deadline = time.monotonic() + _BUSY
        while self.path and self._database.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self._database.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:  # two that do it at once don't wait for each other
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self._database.execute("PRAGMA synchronous=FULL")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ArchiveError(f"made by a newer dicomkit (version {version})", path=self.path)
        self._database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.strip().split(";\n"):
            self._database.execute(statement)
        self._database.execute(f"PRAGMA user_version={_VERSION}")
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Transactions:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- as the user ------------------------------------------------------------------------------------------------

    def asked(self, peer: str, transaction_uid: str, instances: Sequence[Reference]) -> None:
        """Remember a request that is about to be sent."""
        self._do(
            "INSERT INTO transactions VALUES (?, ?, ?, 'pending', ?, NULL, ?, NULL, '', ?, 0, 0)",
            (transaction_uid, _USER, peer, self._clock(), json.dumps(instances), len(instances)),
        )

    def refused(self, transaction_uid: str) -> None:
        """Remember that the peer didn't take a request."""
        self._do(
            "UPDATE transactions SET state='refused', ended=? WHERE uid=? AND role=?",
            (self._clock(), transaction_uid, _USER),
        )

    def settled(self, commitment: Commitment) -> None:
        """Remember what a report told."""
        self._do(
            "UPDATE transactions SET state=?, ended=?, result=?, committed=?, failed=? WHERE uid=? AND role=?",
            (
                commitment.state,
                None if commitment.pending else self._clock(),
                _written(commitment),
                len(commitment.committed),
                len(commitment.failed),
                commitment.transaction_uid,
                _USER,
            ),
        )

    def waiting(self, transaction_uid: str) -> Sequence[Reference] | None:
        """Return what was asked for; None where no such request is waiting."""
        rows = self._do(
            "SELECT requested FROM transactions WHERE uid=? AND role=? AND state='pending'", (transaction_uid, _USER)
        )
        return _references(rows[0][0]) if rows else None

    def called(self, transaction_uid: str) -> str | None:
        """Return who was asked; None where there is no such request."""
        rows = self._do("SELECT peer FROM transactions WHERE uid=? AND role=?", (transaction_uid, _USER))
        return str(rows[0][0]) if rows else None

    def result(self, transaction_uid: str) -> Commitment | None:
        """Return what a report told; None while none came."""
        rows = self._do(
            "SELECT requested, result FROM transactions WHERE uid=? AND role=? AND result IS NOT NULL",
            (transaction_uid, _USER),
        )
        return _read(transaction_uid, *rows[0]) if rows else None

    def wait_for(self, transaction_uid: str, timeout: float = 30.0) -> Commitment | None:
        """Wait for a report, which something takes that listens with the same ledger; None where none comes in time.

        Parameters
        ----------
        transaction_uid
            Of what `dicomkit.commit` returned.
        timeout
            Seconds.
        """
        deadline = time.monotonic() + timeout
        while (result := self.result(transaction_uid)) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
        return result

    def pending(self, *, older_than: float = 0.0) -> tuple[Waiting, ...]:
        """Return the requests for which no report came, those that wait longest first.

        Parameters
        ----------
        older_than
            Only those that have waited for so many seconds.
        """
        rows = self._do(
            "SELECT uid, peer, begun, requested FROM transactions"
            " WHERE role=? AND state='pending' AND begun<=? ORDER BY begun",
            (_USER, self._clock() - older_than),
        )
        return tuple(Waiting(uid, peer, begun, _references(requested)) for uid, peer, begun, requested in rows)

    def give_up(self, transaction_uid: str) -> None:
        """Wait no more for the report of a request; one that comes all the same is refused."""
        self._do(
            "UPDATE transactions SET state='given up', ended=? WHERE uid=? AND role=? AND state='pending'",
            (self._clock(), transaction_uid, _USER),
        )

    # ---- as the provider --------------------------------------------------------------------------------------------

    def due(self, due: Due) -> bool:
        """Remember a report that is to go to a caller; False where there was one for the same transaction.

        Raises
        ------
        TransactionsFullError
            When too many wait.
        """
        commitment = due.commitment
        requested, result = json.dumps(commitment.requested), _written(commitment)
        [(waiting,)] = self._do(_WAITING, (_PROVIDER,))
        if waiting + len(requested) + len(result) > MOST_WAITING:
            raise TransactionsFullError("too many reports wait for those who are to have them", path=self.path)
        self._do(_PRUNE, (_PROVIDER, _PROVIDER))
        rows = self._do(
            "INSERT OR IGNORE INTO transactions VALUES (?, ?, ?, 'to report', ?, NULL, ?, ?, ?, ?, ?, ?) RETURNING uid",
            (
                commitment.transaction_uid,
                _PROVIDER,
                due.caller,
                self._clock(),
                requested,
                result,
                due.called,
                *map(len, (commitment.requested, commitment.committed, commitment.failed)),
            ),
        )
        return bool(rows)

    def reported(self, transaction_uid: str) -> None:
        """Remember that a report has arrived."""
        self._ended(transaction_uid, "reported")

    def unwanted(self, transaction_uid: str) -> None:
        """Remember that nobody takes a report."""
        self._ended(transaction_uid, "unwanted")

    def _ended(self, transaction_uid: str, state: str) -> None:
        """Keep no more than the numbers of a report that is over."""
        self._do(
            "UPDATE transactions SET state=?, ended=?, requested='[]', result=NULL WHERE uid=? AND role=?",
            (state, self._clock(), transaction_uid, _PROVIDER),
        )

    def undelivered(self) -> Sequence[Due]:
        """Return the reports that haven't arrived, those that wait longest first."""
        rows = self._do(
            "SELECT peer, called, uid, requested, result FROM transactions"
            " WHERE role=? AND state='to report' ORDER BY begun",
            (_PROVIDER,),
        )
        return [Due(peer, called, _read(uid, requested, result)) for peer, called, uid, requested, result in rows]

    # ---- both -------------------------------------------------------------------------------------------------------

    def forget(self, *, older_than: float) -> int:
        """Remove what ended more than so many seconds ago, and return how many that were."""
        return len(self._do("DELETE FROM transactions WHERE ended<? RETURNING uid", (self._clock() - older_than,)))

    def to_table(self) -> pd.DataFrame:
        """Return one row for each transaction."""
        import pandas as pd

        frame = pd.DataFrame(self._rows(), columns=list(_COLUMNS))
        for column in ("begun", "ended"):
            frame[column] = pd.to_datetime(frame[column], unit="s", utc=True).dt.as_unit("s")
        return frame.astype({"committed": "Int64", "failed": "Int64", "instances": "Int64"})

    def _rows(self) -> list[tuple[Any, ...]]:
        return self._do(
            "SELECT role, peer, uid, state, instances, committed, failed, begun, ended FROM transactions"
            " ORDER BY begun, uid"
        )

    def _cells(self) -> tuple[list[str], list[list[Any]]]:
        return list(_COLUMNS), [[*row[:-2], *map(_moment, row[-2:])] for row in self._rows()]

    @property
    def _summary(self) -> str:
        (count,), *_ = self._do("SELECT count(*) FROM transactions WHERE state IN ('pending', 'to report')")
        return f"Transactions{f' in {self.path}' if self.path else ''}: {count} under way"

    def __repr__(self) -> str:
        return f"<{self._summary}>\n" + table_text(*self._cells(), max_rows=_SHOWN_AS_TEXT)

    def _repr_html_(self) -> str:
        return table(*self._cells(), caption=self._summary, max_rows=_SHOWN)

    def _do(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise ArchiveError(f"the transactions can't be used: {error}", path=self.path) from error


_WAITING = """SELECT coalesce(sum(length(requested) + length(result)), 0) FROM transactions
    WHERE role=? AND state='to report'"""
_PRUNE = f"""DELETE FROM transactions WHERE role=? AND ended < (SELECT ended FROM transactions
    WHERE role=? AND ended IS NOT NULL ORDER BY ended DESC LIMIT 1 OFFSET {_REMEMBERED})"""


def _written(commitment: Commitment) -> str:
    failed = [(*reference, reason.code) for reference, reason in commitment.failed]
    return json.dumps([commitment.committed, failed, commitment.retrieve_aet, commitment.received])


def _read(uid: str, requested: str, result: str | None) -> Commitment:
    if result is None:
        return Commitment(uid, _references(requested))
    committed, failed, aet, received = json.loads(result)
    reasons = tuple((Reference(sop_class, instance), status(code, SERVICE)) for sop_class, instance, code in failed)
    return Commitment(uid, _references(requested), _pairs(committed), reasons, retrieve_aet=aet, received=received)


def _references(text: str) -> tuple[Reference, ...]:
    return _pairs(json.loads(text))


def _pairs(pairs: Iterable[Sequence[str]]) -> tuple[Reference, ...]:
    return tuple(Reference(*pair) for pair in pairs)


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
