"""A linear window on integers by arithmetic, where that is proved to give what the table of the window gives.

A look-up takes twice the time of a multiplication, an addition and a clip. Each value that is neither black nor white
is tried once; beyond, the line only goes on as it did. So no picture changes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.pixels.lookup import blocks

LEAST_PIXELS, PIXELS_FOR_ONE_TRIED = 1 << 12, 8
"""A ramp is tried for so many pixels at least, and on at most one value for so many."""
_FLATTEST, _STEEPEST = 1e-6, 1e6
_NUDGE = 2.0**-14
"""Added before what is behind the point is cut off, so that a whole number stays one."""


@dataclass(frozen=True, slots=True)
class Line:
    """Grey as a linear function of integers, from 0 to 255: ``floor(value * scale + offset)``, held within these.

    Parameters
    ----------
    scale, offset : float

    Examples
    --------
    >>> Line.of_window(center=40, width=400).span(np.dtype(np.int16))
    (-161, 240)
    """

    scale: float
    offset: float

    @classmethod
    def of_window(
        cls,
        center: float,
        width: float,
        function: str = "LINEAR",
        *,
        slope: float = 1.0,
        intercept: float = 0.0,
        inverted: bool = False,
    ) -> Line | None:
        """Give the line of a window on rescaled values; None where it is none."""
        if function == "LINEAR":
            center, width = center - 0.5, width - 1
        if function == "SIGMOID" or not width or not slope:
            return None
        scale = slope * 255 / width
        offset = (intercept - center) * 255 / width + 128
        return cls(-scale, 256 - _NUDGE - offset) if inverted else cls(scale, offset + _NUDGE)

    def span(self, dtype: np.dtype[Any]) -> tuple[int, int] | None:
        """Give the integers of a type between which grey changes, and one more on each side; None if there are none."""
        if not (_FLATTEST < abs(self.scale) < _STEEPEST and isfinite(self.offset)):
            return None
        limits = np.iinfo(dtype)
        ends = (1 - self.offset) / self.scale, (255 - self.offset) / self.scale
        low, high = max(floor(min(ends)) - 1, int(limits.min)), min(ceil(max(ends)) + 1, int(limits.max))
        return (low, high) if low < high else None


@dataclass(frozen=True, slots=True)
class Ramp:
    """A line in the numbers that a processor is quick with, tried on all values where it is not flat.

    Parameters
    ----------
    shift, scale : float32
        What is added, and by what the sum is multiplied: in this order less is lost by rounding.

    Examples
    --------
    >>> ramp = Ramp.proved(np.array([0, 0, 127, 255, 255], np.uint8), -2, Line(127.5, 127.6))
    >>> ramp(np.array([-30000, -1, 0, 1, 9], np.int16)).tolist()
    [0, 0, 127, 255, 255]
    """

    shift: np.float32
    scale: np.float32

    @classmethod
    def proved(cls, entries: NDArray[np.uint8], first: int, line: Line) -> Ramp | None:
        """Give the ramp of a line if it is equal to a table of the values from ``first`` on, else None."""
        found = cls(np.float32(line.offset / line.scale), np.float32(line.scale))
        return found if np.array_equal(found(np.arange(first, first + len(entries))), entries) else None

    def __call__(self, array: NDArray[Any], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Apply the ramp to integers.

        Parameters
        ----------
        array : ndarray
        out : ndarray of uint8, optional
            Where to put the result.
        """
        result = np.empty(array.shape, np.uint8) if out is None else out
        for part, into in blocks(array, result):
            grey = part.astype(np.float32)
            grey += self.shift
            grey *= self.scale
            np.clip(grey, 0, 255, out=grey)
            np.copyto(into, grey, casting="unsafe")
        return result
