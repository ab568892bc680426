"""Senders and receivers that are killed at any moment: every instance is at the far end, whole, stored once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peers
import pytest

import dicomkit as dk
from dicomkit.delivery import Queue

COUNT = int(os.environ.get("DICOMKIT_KILL_INSTANCES", "500"))
ROUNDS = int(os.environ.get("DICOMKIT_KILL_ROUNDS", "20"))
SECONDS = 60

RECEIVER = """
import sys, time
import dicomkit as dk
with dk.FolderArchive(sys.argv[1]) as archive, dk.serve_dimse(archive, port=int(sys.argv[2])):
    print("up", flush=True)
    time.sleep(600)
"""
SENDER = """
import sys
import dicomkit as dk
from dicomkit.delivery import Queue, forward, route
from dicomkit.net.retry import Retry
peer = dk.Peer("127.0.0.1", int(sys.argv[2]), timeouts=dk.net.Timeouts(connect=5, read=5, write=5))
how = route(peer, batch=50, retry=Retry("fixed", attempts=50, first=0.1, jitter=0.1))
with Queue(sys.argv[1]) as queue:
    print("up", flush=True)
    forward(queue, {"FAR": how}, forever=True, cancelled=lambda: not sum(
        count for state, count in queue.counts().items() if state in ("waiting", "deferred", "sending")))
"""


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said that it is up, killed at the end."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("instances")
    series = dk.samples.ct_series(10, 16)
    for number in range(COUNT):
        dk.write(dk.new_instance(series[number % 10]), folder / f"{number:04}.dcm")
    return folder


@pytest.mark.parametrize("number", range(ROUNDS))
def test_nothing_is_lost_and_nothing_is_there_twice(number: int, instances: Path, tmp_path: Path) -> None:
    chance = random.Random(number)
    port = peers.free_port()
    queue_path, archive_path = tmp_path / "out.queue", tmp_path / "archive"
    with Queue(queue_path) as queue:
        assert queue.put(instances, "FAR").added == COUNT
    deadline = time.monotonic() + SECONDS
    with running(RECEIVER, archive_path, port) as receiver, running(SENDER, queue_path, port) as sender:
        ends = {"receiver": receiver, "sender": sender}
        for victim in ("sender", "receiver") if number % 2 else ("receiver", "sender"):
            time.sleep(chance.uniform(0.0, 0.4))
            assert ends["sender"].poll() in (None, 0)  # on a quiet machine it may be done by now
            ends[victim].kill()
            ends[victim].wait(10)
            if victim == "receiver":
                ends[victim] = _again(RECEIVER, archive_path, port)
            else:
                ends[victim] = _again(SENDER, queue_path, port)
        try:
            code = ends["sender"].wait(max(deadline - time.monotonic(), 1))
        finally:
            for process in ends.values():
                process.kill()
                process.wait(10)
    assert code == 0
    with Queue(queue_path) as queue:
        assert queue.counts()["delivered"] == COUNT, queue
    _check(archive_path, instances)


def _again(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that starts again after it was killed; it is up some time later."""
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.DEVNULL, text=True)


def _check(archive_path: Path, instances: Path) -> None:
    """Each instance is in the archive, in its index and as a file, once, and equal to what was sent."""
    sent = {str(ds.SOPInstanceUID): ds for ds in map(dk.read, sorted(instances.iterdir()))}
    with dk.FolderArchive(archive_path) as archive:
        stored = list(archive.fetch(dk.query.query("image")))
        assert len(stored) == len({one.sop_instance_uid for one in stored}) == COUNT
        for one in stored:
            assert one.read() == sent[one.sop_instance_uid]
    files = [path for path in archive_path.rglob("*") if path.is_file() and path.suffix == ".dcm"]
    assert len(files) == COUNT
