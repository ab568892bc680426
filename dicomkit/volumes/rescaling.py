"""Stored values become those of a volume: one slice at a time, in place where they were read in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import PixelError
from dicomkit.volumes.quantity import stored_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomkit.pixels.description import PixelDescription


class DoesNotFit(Exception):
    """A value that int16, which was chosen on the condition that all fit, can't hold."""


class Rescaling:
    """How stored values of one description and scale get into an array; what depends on these is found once.

    Parameters
    ----------
    description
        Of the stored values.
    dtype
        Of the array.
    narrow
        Whether a value that doesn't fit is no error, but asks for a wider type.
    slope, intercept
        The scale.

    Attributes
    ----------
    shift
        What is added to integers, where that is all; else None.
    least, greatest
        Stored values below and above which the sum doesn't fit; None where none can be.
    """

    __slots__ = ("_dtype", "_limits", "_narrow", "_same", "greatest", "least", "scale", "shift")

    def __init__(
        self, description: PixelDescription, dtype: np.dtype[Any], narrow: bool, slope: float, intercept: float
    ) -> None:
        self.scale = slope, intercept
        self.shift: Any = None
        self.least: int | None = None
        self.greatest: int | None = None
        self._dtype = dtype
        self._narrow = narrow
        self._same = description.dtype.itemsize == dtype.itemsize  # then two's complement makes the sign immaterial
        if dtype.kind == "f":
            return
        limits = np.iinfo(dtype)
        self._limits = int(limits.min), int(limits.max)
        if slope == 1 and self._limits[0] <= intercept <= self._limits[1]:
            self.shift = dtype.type(intercept)
            low, high = stored_range(description)
            least, greatest = (limit - int(intercept) for limit in self._limits)
            self.least = least if low < least else None
            self.greatest = greatest if high > greatest else None

    @property
    def is_idle(self) -> bool:
        """Whether values that were read in place stay as they are."""
        if self._dtype.kind == "f":
            return self.scale == (1, 0) and self._same
        return self.shift == 0 and self.least is None and self.greatest is None

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], frame: int, path: str | None) -> None:
        """Scale one slice into ``out``, which may be where the stored values are; frame and path are for errors.

        Raises
        ------
        PixelError
            If a value doesn't fit.
        DoesNotFit
            The same where the type was a guess.
        """
        if self._dtype.kind == "f":
            _to_floats(stored, out, *self.scale)
        elif self.shift is not None:
            self.check(stored, frame, path)
            if self.shift:
                values = stored.view(self._dtype) if self._same else stored
                np.add(values, self.shift, out=out, casting="unsafe")
            elif not (self._same and np.shares_memory(stored, out)):
                out[...] = stored
        else:
            slope, intercept = self.scale
            wide = stored.astype(np.int64) * int(slope) + int(intercept)
            low, high = float(wide.min()), float(wide.max())
            if low < self._limits[0] or high > self._limits[1]:
                self._refuse(low, high, frame, path)
            out[...] = wide

    def check(self, stored: NDArray[Any], frame: int, path: str | None) -> None:
        """See whether all sums fit, looking only for the extreme that may not.

        Raises
        ------
        PixelError, DoesNotFit
            As the call.
        """
        least, greatest = self.least, self.greatest
        if (least is not None and np.minimum.reduce(stored, axis=None) < least) or (
            greatest is not None and np.maximum.reduce(stored, axis=None) > greatest
        ):
            self._refuse(int(stored.min()) + self.scale[1], int(stored.max()) + self.scale[1], frame, path)

    def _refuse(self, low: float, high: float, frame: int, path: str | None) -> None:
        if self._narrow:
            raise DoesNotFit
        raise PixelError(
            f"values from {low:g} to {high:g} don't fit {self._dtype}",
            frame=frame,
            path=path,
            hint="use dtype='float32'",
        )


def _to_floats(stored: NDArray[Any], out: NDArray[Any], slope: float, intercept: float) -> None:
    """Scale to floating point numbers; absurd factors give infinities."""
    kind = out.dtype.type
    with np.errstate(over="ignore", invalid="ignore"):
        if stored.dtype.itemsize > 2 and slope != 1:  # more digits than float32 has: round once, at the end
            np.multiply(stored, slope, out=out, casting="unsafe")
        else:
            if not np.shares_memory(stored, out):
                out[...] = stored
            if slope != 1:
                out *= kind(slope)
        if intercept:
            out += kind(intercept)
