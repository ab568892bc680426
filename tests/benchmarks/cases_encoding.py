"""The same image in other transfer syntaxes: header, 20 attributes and pixels, against little-endian explicit VR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases_header import ATTRIBUTES
from generate import Encoded
from peers import dk, pydicom
from timing import Case, Goal

_LITTLE = "dicomkit, explicit little-endian"


def _ours(path: Path) -> Callable[[], object]:
    def work() -> object:
        ds = dk.read(path)
        return [getattr(ds, keyword) for keyword in ATTRIBUTES], dk.frame(ds, 0)

    return work


def _theirs(path: Path) -> Callable[[], object]:
    def work() -> object:
        ds: Any = pydicom.dcmread(path)
        return [getattr(ds, keyword) for keyword in ATTRIBUTES], ds.pixel_array

    return work


def cases(files: Encoded) -> list[Case]:
    """Make a case for each transfer syntax; the goal is not to be slower than pydicom."""
    made = []
    for title, path in (
        ("Explicit VR little-endian", files.explicit),
        ("Implicit VR little-endian", files.implicit),
        ("Explicit VR big-endian", files.big_endian),
        ("Deflated", files.deflated),
    ):
        peers = {"pydicom": _theirs(path), "dicomkit": _ours(path)}
        if path != files.explicit:
            peers[_LITTLE] = _ours(files.explicit)
        made.append(Case(f"{title}: header, 20 attributes, pixels", peers, (Goal("pydicom", 1),)))
    return made
