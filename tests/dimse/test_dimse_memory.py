"""A large instance passes through either side without being held."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_part10

MEGABYTE = 1 << 20
SIZE = int(os.environ.get("DICOMKIT_LARGE_INSTANCE_MB", "640")) * MEGABYTE
MOST = 64 * MEGABYTE
SEND = """
import resource, sys
from dicomkit.dimse.blocking_driver import run
from dicomkit.dimse.store import store
from dicomkit.dimse.echo import echo
from dicomkit.dimse.peer import Peer
peer = Peer("127.0.0.1", int(sys.argv[1]))
run(echo(peer))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = run(store(peer, [sys.argv[2]]))
assert len(report.stored) == 1, report
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
RECEIVE = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from dimse_drivers import DRIVERS, serving
driver = next(driver for driver in DRIVERS if driver.name == sys.argv[3])
with serving(driver, sys.argv[1]) as peer:
    driver.run(__import__("dicomkit.dimse.echo").dimse.echo.echo(peer))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peer.port, flush=True)
    sys.stdin.read()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def large_instance(path: Path) -> Path:
    """Write an instance whose pixels are a hole in the file."""
    ds = DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="2.25.9", Rows=1, Columns=1)
    header = to_part10(ds) + b"\xe0\x7f\x10\x00OW\x00\x00" + SIZE.to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, len(header) + SIZE)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="resident memory is measured by getrusage")
@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_memory_is_bounded_whatever_the_size(driver, tmp_path):
    path = large_instance(tmp_path / "large.dcm")
    here = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", RECEIVE, str(tmp_path / "out"), here, driver]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as receiver:
        try:
            port = receiver.stdout.readline().strip()
            sent = subprocess.run(
                [sys.executable, "-c", SEND, port, str(path)], capture_output=True, text=True, timeout=120
            )
            received, _ = receiver.communicate(timeout=60)
        finally:
            receiver.kill()
    assert sent.returncode == 0, sent.stderr
    assert int(sent.stdout) * 1024 < MOST
    assert int(received) * 1024 < MOST
    (stored,) = (tmp_path / "out").glob("*.dcm")
    assert stored.stat().st_size > SIZE
    stored.unlink()
