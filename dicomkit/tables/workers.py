"""Worker processes for a scan: fresh interpreters that read lists of paths from a pipe and write rows back.

They are started as programs of their own, so that it is the same on every platform, and neither the caller's threads
nor its ``__main__`` matter. Run as a program, this module is such a worker.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from dicomkit.errors import DicomError
from dicomkit.tables.scan_rows import Row, scan_rows


def scan_in_processes(
    paths: Sequence[str], keys: Sequence[Any], workers: int, batch: int
) -> Iterator[tuple[int, list[Row]]]:
    """Yield (number of its first path, rows) for each batch as it comes; abandoning the iteration ends the workers."""
    tasks: SimpleQueue[tuple[int, Sequence[str]]] = SimpleQueue()
    results: SimpleQueue[tuple[int, list[Row] | BaseException]] = SimpleQueue()
    batches = range(0, len(paths), batch)
    for first in batches:
        tasks.put((first, paths[first : first + batch]))
    processes = [_start() for _ in range(min(workers, len(batches)))]
    for process in processes:
        Thread(target=_feed, args=(process, keys, tasks, results), daemon=True).start()
    try:
        for _ in batches:
            first, rows = results.get()
            if isinstance(rows, BaseException):
                raise DicomError(f"a worker process of the scan ended: {rows}") from rows
            yield first, rows
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
    keys: Sequence[Any],
    tasks: SimpleQueue[tuple[int, Sequence[str]]],
    results: SimpleQueue[tuple[int, list[Row] | BaseException]],
) -> None:
    """Keep one worker busy until there is no task left."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump(tuple(keys), process.stdin)
        while True:
            try:
                first, paths = tasks.get_nowait()
            except Empty:
                process.stdin.close()
                return
            pickle.dump(paths, process.stdin)
            process.stdin.flush()
            results.put((first, pickle.load(process.stdout)))
    except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        results.put((0, error))


def _work(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer batches of paths with rows until the pipe closes."""
    keys = pickle.load(requests)
    while True:
        try:
            paths = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(scan_rows(paths, keys), replies, pickle.HIGHEST_PROTOCOL)
        replies.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(1)
