"""A CT slice as an 8-bit picture, by the window that its file proposes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import dk, pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from timing import Case, Goal


def _pydicom(ds: Any) -> NDArray[np.uint8]:
    """Rescale, window, and scale to 8 bits, as pydicom's documentation has it."""
    values = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds)
    return (255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def cases(path: Path) -> list[Case]:
    """Make the case of DataSets that are open."""
    window = {"WindowCenter": 40.0, "WindowWidth": 400.0}
    ours, theirs = dk.read(path).assign(window), pydicom.dcmread(path)
    for keyword, value in window.items():
        setattr(theirs, keyword, value)
    work: dict[str, Callable[[], object]] = {
        "pydicom": lambda: _pydicom(theirs),
        "dicomkit": lambda: dk.render(ours),
    }
    note = "pydicom holds the decoded pixels; dicomkit reads them from the disk each time"
    return [Case("A CT slice as a picture", work, (Goal("pydicom", 3),), note=note)]
