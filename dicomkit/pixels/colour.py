"""Colour samples to RGB, by photometric interpretation (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError, UnsupportedError
from dicomkit.pixels.lookup import blocks

RGB_ALREADY = ("RGB", "YBR_RCT", "YBR_ICT", "XYB")
"""What a decoder returns as RGB: the colour transformation of JPEG 2000 and JPEG XL is part of the encoding."""

GREY = ("MONOCHROME1", "MONOCHROME2")
_FULL = ("YBR_FULL", "YBR_FULL_422")
_PARTIAL = ("YBR_PARTIAL_420", "YBR_PARTIAL_422")
_RETIRED = ("HSV", "ARGB", "CMYK")
# Inverse of the equations of CCIR 601: how much of (Cb, Cr) red, green and blue get.
_CHROMINANCE = np.array([[0, 1.402], [-0.344136, -0.714136], [1.772, 0]])
_PARTIAL_LUMINANCE, _PARTIAL_CHROMINANCE = 255 / 219, 255 / 224
_TO_YBR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


def to_rgb(array: NDArray[Any], photometric_interpretation: str, *, bits: int = 8) -> NDArray[Any]:
    """Convert colour samples to RGB.

    Parameters
    ----------
    array : ndarray
        ``(..., 3)`` unsigned integers.
    photometric_interpretation : str
        RGB, YBR_FULL, YBR_FULL_422 (brought to full size), YBR_PARTIAL_420, YBR_ICT or YBR_RCT (already undone).
    bits : int
        Bits of a sample (BitsStored).

    Returns
    -------
    ndarray
        ``(..., 3)`` of the same type.

    Raises
    ------
    PixelError
        If the samples are not three.
    UnsupportedError
        For retired photometric interpretations (HSV, ARGB, CMYK) and unknown ones.

    Examples
    --------
    >>> to_rgb(np.array([[76, 85, 255]], np.uint8), "YBR_FULL").tolist()
    [[254, 0, 0]]
    """
    if photometric_interpretation in _RETIRED:
        raise UnsupportedError(f"the retired photometric interpretation {photometric_interpretation}")
    if array.shape[-1] != 3:
        raise PixelError(f"{photometric_interpretation} of {array.shape[-1]} samples per pixel")
    if photometric_interpretation in RGB_ALREADY:
        return array
    if photometric_interpretation not in (*_FULL, *_PARTIAL):
        raise UnsupportedError(f"the photometric interpretation {photometric_interpretation!r}")
    if photometric_interpretation in _FULL and array.dtype == np.uint8 and bits == 8:
        return _full_8_bits(array)
    scale = (1 << bits) / 256
    out = np.empty_like(array)
    for part, into in blocks(array, out):
        luminance = part[..., 0].astype(np.float32)
        chrominance = part[..., 1:].astype(np.float32) - np.float32(128 * scale)
        if photometric_interpretation in _PARTIAL:
            luminance = (luminance - np.float32(16 * scale)) * np.float32(_PARTIAL_LUMINANCE)
            chrominance *= np.float32(_PARTIAL_CHROMINANCE)
        rgb = chrominance @ _CHROMINANCE.T.astype(np.float32)
        rgb += luminance[..., None]
        np.rint(rgb, out=rgb)
        into[...] = np.clip(rgb, 0, (1 << bits) - 1, out=rgb)
    return out


@cache
def _tables() -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
    """What Cr adds to red, Cb and Cr (as one number) to green, and Cb to blue: rounded, as luminance is whole."""
    offsets = np.arange(256.0) - 128
    red, blue = offsets * _CHROMINANCE[0, 1], offsets * _CHROMINANCE[2, 0]
    green = offsets[:, None] * _CHROMINANCE[1, 0] + offsets * _CHROMINANCE[1, 1]
    first, second, third = (np.floor(part + 0.5).astype(np.int16).reshape(-1) for part in (red, green, blue))
    return first, second, third


def _full_8_bits(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert YBR_FULL of 8 bits, exactly and by tables."""
    red, green, blue = _tables()
    out = np.empty_like(array)
    for part, into in blocks(array, out, size=1 << 17):
        luminance, cb, cr = (part[..., sample] for sample in range(3))
        luminance = luminance.astype(np.int16)
        both = cb.astype(np.uint16)
        both <<= 8
        both |= cr
        for sample, (table, index) in enumerate(((red, cr), (green, both), (blue, cb))):
            value = table.take(index)
            value += luminance
            into[..., sample] = np.clip(value, 0, 255, out=value)
    return out


def to_ybr(rgb: NDArray[Any], *, bits: int = 8) -> NDArray[Any]:
    """Convert RGB samples to YBR_FULL (PS3.3 C.7.6.3.1.2).

    Parameters
    ----------
    rgb : ndarray
        ``(..., 3)`` unsigned integers.
    bits : int
        Bits of a sample.

    Returns
    -------
    ndarray
        ``(..., 3)`` of the same type.

    Examples
    --------
    >>> to_ybr(np.array([[255, 0, 0]], np.uint8)).tolist()
    [[76, 85, 255]]
    """
    out = np.empty_like(rgb)
    for part, into in blocks(rgb, out):
        ybr = part.astype(np.float32) @ _TO_YBR.T
        ybr[..., 1:] += 1 << (bits - 1)
        np.rint(ybr, out=ybr)
        into[...] = np.clip(ybr, 0, (1 << bits) - 1, out=ybr)
    return out


def to_8_bits(array: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Scale unsigned samples of some bits to 8.

    Parameters
    ----------
    array : ndarray of unsigned integers
    bits : int
        Bits of a sample; the range 0 to 2**bits - 1 becomes 0 to 255.

    Returns
    -------
    ndarray of uint8

    Examples
    --------
    >>> to_8_bits(np.array([0, 2048, 4095], np.uint16), 12).tolist()
    [0, 128, 255]
    """
    if bits == 8:
        return array.astype(np.uint8, copy=False)
    scaled = array.astype(np.float64) * (255 / ((1 << bits) - 1))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
