"""Real files, the tables of the standard and peer programs: where they are, and what tests do where they are not.

The reasons for skipping start with "data:" or "peer:": with DICOMKIT_REQUIRE_PEERS=1 such a skip fails (conftest.py).
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

_SHARED = Path(__file__).parent.parent.parent / "shared"

#: The folder of real DICOM files; manifest.csv in it says what each exercises.
DATA = Path(os.environ.get("DICOMKIT_DATA", _SHARED / "data"))
#: The folder of tables extracted from the standard, from which those in dicomkit/standard/data are made.
STANDARD = Path(os.environ.get("DICOMKIT_STANDARD", _SHARED / "standard"))

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"data: no folder {DATA} (set DICOMKIT_DATA)")
needs_standard = pytest.mark.skipif(not STANDARD.is_dir(), reason=f"data: no folder {STANDARD} (set DICOMKIT_STANDARD)")


def real_file(relative_path: str) -> Path:
    """Give the path of a real file, or skip the test where it is missing."""
    path = DATA / relative_path
    if not path.exists():
        pytest.skip(f"data: no file {path}")
    return path


@cache
def manifest() -> tuple[dict[str, str], ...]:
    """Give the rows of manifest.csv; none where there is no data."""
    path = DATA / "manifest.csv"
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def all_dicom_files() -> list[Path]:
    """Give the paths of all files that the manifest calls DICOM, in its order; none where there is no data."""
    return [DATA / row["path"] for row in manifest() if row["role"] == "dicom"]


def peer(command: str) -> str:
    """Give the path of a peer program, or skip the test where it is not installed."""
    found = shutil.which(command) or shutil.which(command, path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip(f"peer: {command} is not installed")
    return found
