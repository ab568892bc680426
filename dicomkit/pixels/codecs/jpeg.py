"""JPEG frames of every kind in use: baseline, extended, progressive, lossless; 2 to 16 bits (PS3.5 8.2.1, T.81)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.coded import Coded, check, room, run, store
from dicomkit.pixels.codecs.jpeg_markers import END_OF_IMAGE, JPEG_LS, JpegStream, read_markers
from dicomkit.pixels.description import Decoded, PixelDescription

_FILLERS = (bytes(range(7, 250, 9)) * 2, bytes(range(250, 7, -9)) * 2, b"\x5a\xe7\x3c" * 20)
"""What to put after the coded data to see whether the decoder takes any of it: it must not."""


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one JPEG frame.

    Colour is not converted: PhotometricInterpretation says what the components are, whatever the stream's own markers
    say. Subsampled chrominance is brought to full size.

    Parameters
    ----------
    data : bytes
    description : PixelDescription
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
    >>> decode(b"\\xff\\xd8\\xff", PixelDescription(rows=1, columns=1))
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: cut short: the JPEG stream ends before its image data [offset 3]
    """
    import imagecodecs

    stream = read_markers(data)
    if stream.process == JPEG_LS:
        raise PixelError("JPEG-LS data in a JPEG transfer syntax")
    coded = Coded("JPEG", stream.rows, stream.columns, stream.components, stream.precision)
    notes = check(coded, description)
    if stream.jfif and description.photometric_interpretation == "RGB":
        notes = (*notes, "the stream is JFIF, which is YCbCr, but PhotometricInterpretation is RGB: taken as RGB")
    colour = "RGB" if stream.components == 3 else None
    target = room(coded, description, out)

    def decoded(stream_bytes: bytes, into: NDArray[Any] | None) -> NDArray[Any]:
        return run(
            lambda: imagecodecs.jpeg8_decode(stream_bytes, colorspace=colour, outcolorspace=colour, out=into), "JPEG"
        )

    if stream.end is None:
        data, array = _without_end(data, stream, decoded)
        notes = (*notes, "the JPEG stream has no end marker")
    else:
        array = decoded(data[stream.start : stream.end] if stream.start else data, target)
    photometric = description.photometric_interpretation
    if description.subsampled:
        photometric = "YBR_FULL"
    return Decoded(store(array, coded, description, out), photometric, notes)


def _without_end(data: bytes, stream: JpegStream, decoded: Any) -> tuple[bytes, NDArray[Any]]:
    """Decode a stream without EOI, if nothing but that is missing: then bytes added at the end change nothing."""
    if not stream.complete:
        raise PixelError("cut short: the JPEG stream ends before its last scan", offset=len(data))
    body = data[stream.start :].rstrip(b"\xff")
    array = decoded(body + END_OF_IMAGE, None)
    if any(not np.array_equal(array, decoded(body + filler + END_OF_IMAGE, None)) for filler in _FILLERS):
        raise PixelError("cut short: the JPEG stream ends within its image data", offset=len(data))
    return body, array
