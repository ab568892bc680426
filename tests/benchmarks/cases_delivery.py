"""The queue: taking files in against a bare loop of SQLite inserts, and claiming from few and from many entries."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from timing import Case, Goal

from dicomkit.delivery.queue import Queue
from dicomkit.dimse.outgoing import Outgoing

_CT, _EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
_TABLE = """CREATE TABLE files (id INTEGER PRIMARY KEY, destination TEXT, sop_class TEXT, sop_instance TEXT,
    transfer_syntax TEXT, path TEXT, size INTEGER, priority INTEGER, enqueued REAL)"""
_INSERT = """INSERT INTO files (destination, sop_class, sop_instance, transfer_syntax, path, size, priority, enqueued)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def instances(first: int, many: int, *, chance: random.Random | None = None) -> list[Outgoing]:
    """Files that were looked at already, and that nobody reads; with UIDs that are counted up, or random ones."""
    return [
        Outgoing(
            _CT,
            f"1.2.840.113619.2.55.3.604688119.971.1449133241.{number}"
            if chance is None
            else f"2.25.{chance.getrandbits(127)}",
            _EXPLICIT,
            bytes,
            f"/data/archive/2024/series{number // 500:06}/image{number:08}.dcm",
            528_000,
        )
        for number in range(first, first + many)
    ]


def _bare(folder: Path, numbers: Iterator[int], items: list[Outgoing]) -> Callable[[], object]:
    """Insert a row for each file into a table without any index, in one transaction of a new database."""

    def work() -> None:
        path = folder / f"bare{next(numbers)}.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_TABLE)
        now = time.time()
        connection.execute("BEGIN")
        for item in items:
            connection.execute(
                _INSERT,
                (
                    "PACS",
                    item.sop_class_uid,
                    item.sop_instance_uid,
                    item.transfer_syntax_uid,
                    item.source,
                    item.size,
                    0,
                    now,
                ),
            )
        connection.execute("COMMIT")
        connection.close()
        path.unlink()

    return work


def _put(folder: Path, numbers: Iterator[int], items: list[Outgoing]) -> Callable[[], object]:
    """Put files into a new queue, down to the disk."""

    def work() -> None:
        path = folder / f"queue{next(numbers)}"
        with Queue(path) as queue:
            if queue.put(items, "PACS").added != len(items):
                raise ValueError("not all are new")
        path.unlink()

    return work


def _filled(path: Path, many: int) -> Queue:
    queue = Queue(path)
    for start in range(0, many, 100_000):
        queue.put(instances(start, min(many - start, 100_000)), "PACS")
    return queue


def _claim(queue: Queue) -> Callable[[], object]:
    """Claim ten entries, and give them back."""
    return lambda: queue.release(queue.claim(10))


def _add(queue: Queue, numbers: Iterator[int]) -> Callable[[], object]:
    """Put 200 more."""
    return lambda: queue.put(instances(next(numbers) * 200, 200), "PACS")


def cases(folder: Path, files: int, many: int) -> Iterator[Case]:
    """Make the cases: so many files to take in, and so many entries where there are many."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = count(1_000_000)
    counted = instances(0, files)
    yield Case(
        f"Put {files:,} files into a queue",
        {
            "dicomkit": _put(folder, numbers, counted),
            "dicomkit, random UIDs": _put(folder, numbers, instances(0, files, chance=random.Random(1))),
            "a bare loop of inserts": _bare(folder, numbers, counted),
        },
        (Goal("a bare loop of inserts", 0.5),),
        reference="a bare loop of inserts",
        note="the bare loop fills a table without any index, in one transaction",
    )
    few, filled = _filled(folder / "few", 1_000), _filled(folder / "filled", many)
    yield Case(
        f"Claim 10 of {many:,} entries",
        {"dicomkit": _claim(filled), "1,000 entries": _claim(few)},
        (Goal("1,000 entries", 1 / 1.5),),
        reference="1,000 entries",
    )
    yield Case(
        f"Put 200 more into {many:,} entries",
        {"dicomkit": _add(filled, numbers), "1,000 entries": _add(_filled(folder / "second", 1_000), numbers)},
        (Goal("1,000 entries", 1 / 1.5),),
        reference="1,000 entries",
    )
