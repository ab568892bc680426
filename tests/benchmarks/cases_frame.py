"""One frame of a large multi-frame image."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
from peers import dicomsdl, dk, pydicom
from pydicom.pixels.utils import pixel_array
from timing import Case, Goal

_NOTE = (
    "dicomkit has the DataSet open and its pixels on disk; pydicom is `pixel_array(path, index=...)`, its way to read "
    "one frame without the others; in memory, its DataSet holds all frames"
)


def cases(path: Path, frames: int, size: int) -> list[Case]:
    """Make the case of a DataSet that is open, and of a file that has to be opened for the frame."""
    ours, theirs = dk.read(path), pydicom.dcmread(path)
    indices = cycle(range(0, frames, 7))
    opened: dict[str, Callable[[], object]] = {
        "pydicom": lambda: pixel_array(path, index=next(indices)),
        "pydicom, in memory": lambda: pixel_array(theirs, index=next(indices)),
        "dicomkit": lambda: dk.frame(ours, next(indices)),
    }
    from_path: dict[str, Callable[[], object]] = {
        "pydicom": lambda: pixel_array(path, index=next(indices)),
        "pydicom, whole file": lambda: pixel_array(pydicom.dcmread(path), index=next(indices)),
        "dicomkit": lambda: dk.frame(dk.read(path), next(indices)),
    }
    if dicomsdl:
        sdl = dicomsdl.open_file(str(path))
        out = np.empty((size, size), dtype=np.int16)
        opened["dicomsdl, in memory"] = lambda: sdl.copyFrameData(next(indices), out)
    title = f"One frame of an enhanced CT of {frames} frames"
    return [
        Case(title, opened, (Goal("pydicom", 8),), note=_NOTE),
        Case(f"{title}, opened for it", from_path, (Goal("pydicom", 1),), rounds=5),
    ]
