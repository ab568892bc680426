"""JPEG-LS frames, lossless and near-lossless (PS3.5 8.2.3, T.87)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.coded import Coded, check, room, run, store
from dicomkit.pixels.codecs.jpeg_markers import END_OF_IMAGE, JPEG_LS, read_markers
from dicomkit.pixels.description import Decoded, PixelDescription

_FILLERS = tuple(bytes([1 << bit]) for bit in range(8))
"""Bytes to put before the end marker: a decoder that wants none of their bits refuses them, as they aren't zero."""


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one JPEG-LS frame, of any interleave mode.

    Parameters
    ----------
    data : bytes
    description : PixelDescription
        Signed values are stored as unsigned in the stream, and signed by PixelRepresentation.
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded
        A stream that lacks only its end marker is decoded, and noted.

    Raises
    ------
    PixelError
        If the stream is cut short, broken, or of another size than the data set says.

    Examples
    --------
    >>> decode(b"\\0\\0", PixelDescription(rows=1, columns=1))
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: no JPEG stream: it begins with 0000 [offset 0]
    """
    import imagecodecs

    stream = read_markers(data)
    if stream.process != JPEG_LS:
        raise PixelError("JPEG data in a JPEG-LS transfer syntax")
    coded = Coded("JPEG-LS", stream.rows, stream.columns, stream.components, stream.precision)
    notes = check(coded, description)
    if stream.end is None:
        data = data.rstrip(b"\xff") + END_OF_IMAGE
        _check_whole(data)
        notes = (*notes, "the JPEG-LS stream has no end marker")
    if stream.start:
        data = data[stream.start :]
    interleaved = stream.components == 1 or stream.scans == (stream.components,)
    target = room(coded, description, out) if interleaved else None
    array = run(lambda: imagecodecs.jpegls_decode(data, out=target), "JPEG-LS")
    return Decoded(store(array, coded, description, out), description.photometric_interpretation, notes)


def _check_whole(data: bytes) -> None:
    """Refuse a stream that got an EOI, if its decoder takes bits of bytes put before that: then more is missing."""
    import imagecodecs

    array = run(lambda: imagecodecs.jpegls_decode(data), "JPEG-LS")
    for filler in _FILLERS:
        try:
            other = run(partial(imagecodecs.jpegls_decode, data[:-2] + filler + END_OF_IMAGE), "JPEG-LS")
        except PixelError:  # too many bytes: none of them was wanted
            continue
        if not np.array_equal(array, other):
            raise PixelError("cut short: the JPEG-LS stream ends within its image data", offset=len(data) - 2)
