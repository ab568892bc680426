"""Frames that lie in their files as the array of a volume wants them: read in as few steps as Python can.

While several threads read, each step of Python in one makes the others wait. So whatever can be known before is known
before: what is left is to read a slice and to scale it, while it is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicomkit.errors import PixelError
from dicomkit.pixels.bits import clear_unused
from dicomkit.volumes.quantity import stored_range
from dicomkit.volumes.rescaling import Rescaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomkit.pixels.description import PixelDescription


class Way(NamedTuple):
    """How frames of one description and scale become slices of an array, where they can be read to their place.

    Parameters
    ----------
    dtype
        Type of stored values, None where it is that of the array.
    shift
        What is added to whole numbers, where that is all.
    check
        Sees whether that gives values that fit, where they may not.
    rescaling
        All that makes values of the volume of them, None where they are the same.
    unused
        Of cells that have bits which are not their own.
    """

    dtype: np.dtype[Any] | None
    shift: Any
    check: Callable[[NDArray[Any], int, str | None], None] | None
    rescaling: Rescaling | None
    unused: PixelDescription | None

    @classmethod
    def of(
        cls, description: PixelDescription, target: NDArray[Any], narrow: bool, slope: float, intercept: float
    ) -> Way | None:
        """Find the way of frames into a slice; None where they have another shape or size."""
        stored, dtype = description.dtype, target.dtype
        if description.frame_shape != target.shape or not (
            stored == dtype or (stored.itemsize == dtype.itemsize and dtype.kind != "f")
        ):
            return None
        rescaling = Rescaling(description, dtype, narrow, slope, intercept)
        return cls(
            None if stored == dtype else stored,
            rescaling.shift or None,
            None if rescaling.least is None and rescaling.greatest is None else rescaling.check,
            None if rescaling.is_idle else rescaling,
            description if has_unused_bits(description) else None,
        )


class Straight(NamedTuple):
    """A slice that is read straight to its place.

    Parameters
    ----------
    way
        What is done to it.
    readinto
        Fills a buffer from an offset in the file, and tells how many bytes there were.
    offset
        Of the frame in the file.
    room, stored, out
        The slice in the array: its bytes, as stored values, as values of the volume.
    frame, path
        For errors.
    """

    way: Way
    readinto: Callable[[int, memoryview], int]
    offset: int
    room: memoryview
    stored: NDArray[Any]
    out: NDArray[Any]
    frame: int
    path: str | None


def read_straight(slices: Iterable[Straight]) -> None:
    """Read slices; several threads may share an iterator of them.

    Raises
    ------
    SourceError
        If a file can't be read, or changed since it was looked at.
    PixelError
        If bytes are missing, or a value doesn't fit.
    """
    add = np.add
    for (_, shift, check, rescaling, unused), readinto, offset, room, stored, out, frame, path in slices:
        count = readinto(offset, room)
        if count != len(room):
            raise missing(count, len(room), frame, path)
        if unused is not None:
            clear_where_used(stored, unused)
        if shift is not None:
            if check is not None:
                check(stored, frame, path)
            add(out, shift, out=out)
        elif rescaling is not None:
            rescaling(stored, out, frame, path)


def missing(count: int, size: int, frame: int, path: str | None) -> PixelError:
    """Make the error of a frame that is cut short."""
    return PixelError(f"{count} of {size} bytes are there", frame=frame, path=path)


def has_unused_bits(description: PixelDescription) -> bool:
    """Tell whether cells have bits that don't belong to the stored value (PS3.5 8.1.1)."""
    return description.bits_stored < description.bits_allocated or description.high_bit != description.bits_stored - 1


def clear_where_used(stored: NDArray[Any], description: PixelDescription) -> None:
    """Clear the unused bits of a frame, in place, if any is set."""
    low, high = stored_range(description)
    shifted = description.high_bit != description.bits_stored - 1
    if shifted or np.maximum.reduce(stored, axis=None) > high or (low and np.minimum.reduce(stored, axis=None) < low):
        clear_unused(stored, description)
