"""Several processes share a queue, and some are killed at any moment: nothing is lost, and nothing is there twice."""

import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import dicomkit as dk
from dicomkit.delivery.queue import Queue
from dicomkit.dimse.outgoing import Outgoing

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
CT = "1.2.840.10008.5.1.4.1.1.2"
START = """
import sys
import dicomkit as dk
from dicomkit.delivery.queue import Queue
from dicomkit.dimse.outgoing import Outgoing
CT = "1.2.840.10008.5.1.4.1.1.2"
def instance(number):
    return Outgoing(CT, f"1.2.3.{number}", "1.2.840.10008.1.2.1", bytes, f"/in/{number}.dcm", 100)
def say(*words):
    print(*words, flush=True)
queue = Queue(sys.argv[1])
first = int(sys.argv[2])
say("ready")
"""
PUTTING = """
for number in range(first, first + 100_000, 3):
    queue.put([instance(number), instance(number + 1)], "PACS")
    queue.put(dk.DataSet(SOPClassUID=CT, SOPInstanceUID=f"1.2.3.{number + 2}"), "PACS")
    say(number, number + 1, number + 2)
"""
DELIVERING = """
while claimed := queue.claim(5):
    say("claimed", *[entry.id for entry in claimed])
    queue.delivered(claimed)
    say("delivered", *[entry.id for entry in claimed])
say("done")
"""
ONCE = """
queue.put([instance(number) for number in range(first, first + 50)], "PACS")
sys.stdin.readline()
while claimed := queue.claim(3):
    queue.delivered(claimed)
    say("delivered", *[entry.id for entry in claimed])
"""


def instance(number: int) -> Outgoing:
    return Outgoing(CT, f"1.2.3.{number}", "1.2.840.10008.1.2.1", bytes, f"/in/{number}.dcm", 100)


@contextmanager
def running(script: str, path: Path, first: int = 0):
    """A process that runs a script; it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", START + script, path, str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def killed_at_random(script: str, path: Path, chance: random.Random, first: int = 0) -> list[list[str]]:
    """Run a script, kill it at a random moment of its work, and give the words of the lines that it said whole."""
    with running(script, path, first) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        said, _ = process.communicate()
    return [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]


def test_several_processes_make_one_queue_and_never_claim_the_same(tmp_path):
    path = tmp_path / "q"
    with running(ONCE, path, 0) as one, running(ONCE, path, 50) as two, running(ONCE, path, 100) as three:
        processes = (one, two, three)
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        with Queue(path) as queue:
            deadline = time.monotonic() + 30
            while queue.counts()["waiting"] < 150 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert queue.counts()["waiting"] == 150
            for process in processes:
                process.stdin.write("go\n")
                process.stdin.flush()
            said = [process.communicate(timeout=60)[0] for process in processes]
            ids = [int(word) for text in said for line in text.splitlines() for word in line.split()[1:]]
            assert len(ids) == len(set(ids)) == 150
            assert queue.counts()["delivered"] == 150


def test_what_was_put_survives_a_kill_of_who_puts(tmp_path):
    path, chance = tmp_path / "q", random.Random(20)
    put: set[int] = set()
    for number in range(5):
        said = killed_at_random(PUTTING, path, chance, first=number * 100_000)
        put |= {int(word) for line in said for word in line}
        with Queue(path) as queue:
            entries = queue.entries("waiting")
            numbers = [int(entry.sop_instance_uid.rpartition(".")[2]) for entry in entries]
            assert len(numbers) == len(set(numbers))
            assert put <= set(numbers)
            assert len(set(numbers) - put) <= 3 * (number + 1)  # what it was about when it was killed
            spooled = {entry.path: entry for entry in entries if entry.is_spooled}
            assert {str(file) for file in Path(queue.spool).rglob("*") if file.is_file()} == set(spooled)
            for file, entry in list(spooled.items())[-3:]:
                assert dk.read(file).SOPInstanceUID == entry.sop_instance_uid
    assert put


def test_what_was_claimed_survives_a_kill_of_who_delivers(tmp_path):
    path, chance = tmp_path / "q", random.Random(21)
    with Queue(path) as queue:
        queue.put([instance(number) for number in range(3000)], "PACS")
    told: list[int] = []
    for _ in range(5):
        said = killed_at_random(DELIVERING, path, chance)
        claimed = [int(word) for line in said if line[0] == "claimed" for word in line[1:]]
        delivered = [int(word) for line in said if line[0] == "delivered" for word in line[1:]]
        assert not set(claimed) & set(told)  # what is known to be delivered is not sent again
        told += delivered
        with Queue(path) as queue:
            counts = queue.counts()
            assert counts["sending"] == counts["dead"] == counts["deferred"] == 0
            assert counts["waiting"] + counts["delivered"] == 3000
            assert set(told) <= {entry.id for entry in queue.entries("delivered")}
    with running(DELIVERING, path) as process:
        assert process.communicate(timeout=120)[0].endswith("done\n")
    with Queue(path) as queue:
        assert queue.counts()["delivered"] == 3000


def test_claims_of_the_killed_come_back_to_those_who_stay_after_the_lease(tmp_path):
    now = time.time()
    with Queue(tmp_path / "q", clock=lambda: now) as queue:
        queue.put([instance(1), instance(2)], "PACS")
        with running(
            "claimed = queue.claim(2, lease=500)\nsay('claimed')\nsys.stdin.readline()", tmp_path / "q"
        ) as process:
            assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "claimed\n"]
            with Queue(tmp_path / "q") as other:  # opening takes nothing away from a process that lives
                assert other.counts()["sending"] == 2
        assert queue.claim(2) == []
        now += 600
        assert [entry.attempts for entry in queue.claim(2)] == [2, 2]


def test_claims_of_the_killed_come_back_at_once_when_the_queue_is_opened(tmp_path):
    path = tmp_path / "q"
    with Queue(path) as queue:
        queue.put([instance(1), instance(2)], "PACS")
    with running("queue.claim(2)\nsay('claimed')\nsys.stdin.readline()", path) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "claimed\n"]
    with Queue(path) as queue:
        assert [(entry.state, entry.attempts) for entry in queue.entries()] == [("waiting", 1)] * 2
