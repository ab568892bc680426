"""Importing, over what the bare interpreter takes: new processes, in turn."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

from timing import Case, Goal, Outcome

_STATEMENTS = {
    "bare": "pass",
    "pydicom": "import pydicom",
    "dicomkit": "import dicomkit",
    "dicomkit, with read": "import dicomkit; dicomkit.read",
    "SimpleITK": "import SimpleITK",
    "dicomsdl": "import dicomsdl",
    "fastdicom": "import fastdicom",
    "gdcm": "import gdcm",
}


def _run(statement: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True)
    return perf_counter() - start


def outcome(rounds: int) -> Outcome:
    """Time each import in so many new processes; the time of the bare interpreter is taken off."""
    times: dict[str, list[float]] = {}
    failures = {}
    for name, statement in _STATEMENTS.items():
        try:
            _run(statement)
        except subprocess.CalledProcessError:
            failures[name] = "not installed"
        else:
            times[name] = []
    for _ in range(rounds):
        for name, values in times.items():
            values.append(_run(_STATEMENTS[name]))
    medians = {name: median(values) for name, values in times.items()}
    bare = medians.pop("bare")
    case = Case("Import, over bare Python", {}, (Goal("pydicom", 10),))
    return Outcome(case, {name: max(seconds - bare, 1e-4) for name, seconds in medians.items()}, failures)
