"""An array as Image Pixel attributes and bytes, with the rescale that gives its values back (PS3.3 C.7.6.3, C.11.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.pixels.bits import pack
from dicomkit.pixels.modality import Rescale
from dicomkit.values.numbers import format_ds


def pixel_attributes(
    values: NDArray[Any], colour: bool, *, word: bool, rescale: Rescale, no_intercept: bool = False
) -> dict[str, Any]:
    """Make the Image Pixel attributes of an array, its bytes, and the rescale that gives its values back.

    Parameters
    ----------
    values : ndarray
        ``([frames,] rows, columns)``, with 3 samples at the end where ``colour``.
    colour : bool
        Whether the last axis holds RGB.
    word : bool
        Whether cells have 16 bits, or 8 where that is enough.
    rescale : Rescale
        What to use as long as integers stay exact with it.
    no_intercept : bool
        Whether Rescale Intercept has to be 0, as in PET (PS3.3 C.8.9.1).

    Returns
    -------
    dict
        By keyword, with RescaleSlope and RescaleIntercept always.

    Examples
    --------
    >>> made = pixel_attributes(np.array([[-5.0, 5.0]]), False, word=True, rescale=Rescale())
    >>> made["PixelData"].hex(), made["RescaleIntercept"]
    ('0000ffff', -5.0)
    """
    rows, columns = values.shape[-3:-1] if colour else values.shape[-2:]
    stored, slope, intercept = (values, 1.0, 0.0) if colour else _stored(values, word, rescale, no_intercept)
    bits = stored.dtype.itemsize * 8
    made: dict[str, Any] = {
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
        "PixelData": _even(np.ascontiguousarray(stored.astype(stored.dtype.newbyteorder("<"), copy=False)).tobytes()),
    }
    if colour:
        made["PlanarConfiguration"] = 0
    return made


def _stored(
    values: NDArray[Any], word: bool, rescale: Rescale, no_intercept: bool
) -> tuple[NDArray[Any], float, float]:
    """Stored values of 8 or 16 bits, and the slope and intercept that bring them back."""
    kinds = (np.uint16, np.int16) if word else (np.uint8,)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "biu" and high < 2.0**63:
        exact = values.astype(np.int64)
        for candidate in (rescale, Rescale(), Rescale(1.0, float(exact.min()))):  # integers stay exact where they can
            held = float(format_ds(candidate.intercept)) == candidate.intercept
            if not (held and candidate.is_integral and candidate.slope) or (no_intercept and candidate.intercept):
                continue
            shifted = exact - int(candidate.intercept)
            if candidate.slope != 1 and (shifted % int(candidate.slope)).any():
                continue
            shifted = shifted // int(candidate.slope)
            for kind in kinds:
                limits = np.iinfo(kind)
                if limits.min <= shifted.min() and shifted.max() <= limits.max:
                    return shifted.astype(kind), candidate.slope, candidate.intercept
    if no_intercept:
        kind, most = (np.uint16, high / 65535) if low >= 0 else (np.int16, max(-low, high) / 32767)
        slope = _decimal(most, up=True) or 1.0
        return np.rint(values.astype(np.float64) / slope).astype(kind), slope, 0.0
    top = 65535
    slope = _decimal((high - low) / top, up=True) or 1.0
    intercept = _decimal(low)
    places = np.rint((values.astype(np.float64) - intercept) / slope)
    return np.clip(places, 0, top).astype(np.uint16), slope, intercept


def _decimal(number: float, *, up: bool = False) -> float:
    """The number that the 16 characters of a DS hold and that is nearest, or no smaller than it where asked."""
    rounded, more = float(format_ds(number)), 1e-16
    while up and rounded < number:
        rounded, more = float(format_ds(number * (1 + more))), more * 10
    return rounded


def unsigned_words(made: dict[str, Any]) -> dict[str, Any]:
    """Turn signed words into unsigned ones, with the intercept that brings them back (PS3.3 A.8.4.4).

    Parameters
    ----------
    made : dict
        What `pixel_attributes` gave.

    Returns
    -------
    dict
        What changes.

    Examples
    --------
    >>> made = pixel_attributes(np.array([[-1, 1]]), False, word=True, rescale=Rescale())
    >>> unsigned_words(made)["PixelData"].hex(), unsigned_words(made)["RescaleIntercept"]
    ('ff7f0180', -32768.0)
    """
    words = np.frombuffer(made["PixelData"], "<i2").astype(np.int32) + 32768
    intercept = made["RescaleIntercept"] - 32768 * made["RescaleSlope"]
    return {"PixelData": words.astype("<u2").tobytes(), "PixelRepresentation": 0, "RescaleIntercept": intercept}


def _even(data: bytes) -> bytes:
    """Pad to an even length."""
    return data + b"\0" * (len(data) % 2)


def single_bits(values: NDArray[Any]) -> dict[str, Any]:
    """Make the Image Pixel attributes that differ where cells are single bits.

    Parameters
    ----------
    values : ndarray of bool

    Returns
    -------
    dict

    Examples
    --------
    >>> single_bits(np.array([[True, False, True]]))["PixelData"]
    b'\\x05\\x00'
    """
    bits = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    return {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": _even(pack(bits, 1).tobytes())}
