"""Worker processes: fresh interpreters that read batches of work from a pipe and write results back.

They are started as programs of their own, so that it is the same on every platform, and neither the caller's threads
nor its ``__main__`` matter. Run as a program, this module is such a worker.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, TypeVar

from dicomkit.errors import DicomError
from dicomkit.tables.scan_rows import Row, scan_rows

Item = TypeVar("Item")
Result = TypeVar("Result")


def scan_in_processes(
    paths: Sequence[str], keys: Sequence[Any], workers: int, batch: int
) -> Iterator[tuple[int, list[Row]]]:
    """Yield (number of its first path, rows) for each batch as it comes; abandoning the iteration ends the workers."""
    return in_processes(scan_rows, tuple(keys), paths, workers, batch)


def in_processes(
    function: Callable[[Sequence[Item], Any], Result], common: Any, items: Sequence[Item], workers: int, batch: int
) -> Iterator[tuple[int, Result]]:
    """Yield (number of its first item, result) for each batch as it comes; abandoning the iteration ends the workers.

    Parameters
    ----------
    function
        Takes a batch and ``common``; of a module that a fresh interpreter can import.
    common
        What all batches need; sent once to each worker.

    Raises
    ------
    DicomError
        When a worker ends before its work does.
    """
    tasks: SimpleQueue[tuple[int, Sequence[Item]]] = SimpleQueue()
    results: SimpleQueue[tuple[int, Result | BaseException]] = SimpleQueue()
    batches = range(0, len(items), batch)
    for first in batches:
        tasks.put((first, items[first : first + batch]))
    processes = [_start() for _ in range(min(workers, len(batches)))]
    for process in processes:
        Thread(target=_feed, args=(process, (function, common), tasks, results), daemon=True).start()
    try:
        for _ in batches:
            first, result = results.get()
            if isinstance(result, BaseException):
                raise DicomError(f"a worker process ended: {result}") from result
            yield first, result
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _start() -> subprocess.Popen[bytes]:
    places = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-m", "dicomkit.tables.workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": places},
        start_new_session=True,
    )


def _feed(
    process: subprocess.Popen[bytes],
    setup: tuple[Any, Any],
    tasks: SimpleQueue[tuple[int, Any]],
    results: SimpleQueue[tuple[int, Any]],
) -> None:
    """Keep one worker busy until there is no task left."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump(setup, process.stdin)
        while True:
            try:
                first, items = tasks.get_nowait()
            except Empty:
                process.stdin.close()
                return
            pickle.dump(items, process.stdin)
            process.stdin.flush()
            results.put((first, pickle.load(process.stdout)))
    except Exception as error:  # whatever it is, the one who waits for results has to hear of it
        results.put((0, error))


def _work(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer batches with results until the pipe closes."""
    function, common = pickle.load(requests)
    while True:
        try:
            items = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(function(items, common), replies, pickle.HIGHEST_PROTOCOL)
        replies.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(1)
