"""Pixel padding: stored values that are no image, given as one value or as a range (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_FLOATING = ("FloatPixelPadding", "DoubleFloatPixelPadding")


@dataclass(frozen=True, slots=True)
class Padding:
    """The stored values that pad an image, both ends included.

    Parameters
    ----------
    low, high : float
        Equal where there is only one.

    Examples
    --------
    >>> Padding(-2000, -2000).mask(np.array([-2000, 0], np.int16)).tolist()
    [True, False]
    """

    low: float
    high: float

    def mask(self, array: NDArray[Any]) -> NDArray[np.bool_]:
        """Where stored values are padding."""
        if self.low == self.high:
            return np.asarray(array == self.low)
        return np.asarray((array >= self.low) & (array <= self.high))


def padding_of(ds: DataSet) -> Padding | None:
    """Read Pixel Padding Value and Pixel Padding Range Limit, or those of floating point pixels.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    Padding or None
        In the sign of the stored values, whatever the VR says.

    Examples
    --------
    >>> import dicomkit as dk
    >>> padding_of(dk.DataSet(PixelPaddingValue=63536, PixelRepresentation=1, BitsAllocated=16))
    Padding(low=-2000, high=-2000)
    """
    for name in _FLOATING:
        value, limit = ds.get(f"{name}Value"), ds.get(f"{name}RangeLimit")
        if isinstance(value, float):
            ends = [value, limit] if isinstance(limit, float) else [value]
            return Padding(min(ends), max(ends))
    value, limit = ds.get("PixelPaddingValue"), ds.get("PixelPaddingRangeLimit")
    bits = ds.get("BitsAllocated")
    if not isinstance(value, int) or not isinstance(bits, int) or not 1 <= bits <= 64:
        return None
    signed = ds.get("PixelRepresentation") == 1
    whole = [_as_stored(end, bits, signed) for end in (value, limit) if isinstance(end, int)]
    return Padding(min(whole), max(whole))


def padding_mask(ds: DataSet, array: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where a frame of stored values is padding.

    Parameters
    ----------
    ds : DataSet
        The image.
    array : ndarray
        Stored values of one of its frames, or of several.

    Returns
    -------
    ndarray of bool
        Of the shape of ``array``; all False where the image has no padding.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(PixelPaddingValue=0, PixelPaddingRangeLimit=9, PixelRepresentation=0, BitsAllocated=8)
    >>> padding_mask(ds, np.array([[3, 10]], np.uint8)).tolist()
    [[True, False]]
    """
    padding = padding_of(ds)
    return np.zeros(array.shape, np.bool_) if padding is None else padding.mask(array)


def _as_stored(value: int, bits: int, signed: bool) -> int:
    """A padding value in the sign of the stored values."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value
