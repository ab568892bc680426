"""A disk that is full while an instance comes: the answer is A700, no half of it stays, and the server goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SERVE = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from dimse_drivers import DRIVERS
from served_archive import served
import dicomkit as dk
driver = next(driver for driver in DRIVERS if driver.name == sys.argv[3])
large, small = dk.samples.ct_series(3, 512), dk.samples.ct_series(5, 8)[3:]
with dk.FolderArchive(sys.argv[1]) as archive, served(driver, archive) as peer:
    dk.store(peer, small[:1]).raise_for_failures()
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # no file may be longer: what a full disk does
    report = dk.store(peer, [*large, small[1]])
    print(*(f"{outcome.status.code:04X}" for outcome in report))
    print(len(archive), dk.echo(peer).category)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files can't be limited")
@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_a_disk_that_is_full_in_the_middle_of_an_instance(driver: str, tmp_path: Path) -> None:
    here = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", SERVE, str(tmp_path / "archive"), here, driver]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["A700", "A700", "A700", "0000", "2", "Success"]
    files = [path for path in (tmp_path / "archive").rglob("*") if path.is_file() and "index" not in path.name]
    assert [path.suffix for path in files] == [".dcm", ".dcm"]
