"""JPEG frames of every kind in use: baseline, extended, progressive, lossless; 2 to 16 bits (PS3.5 8.2.1, T.81)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.coded import Coded, check, encoded, no_parameter, room, run, samples_of, store
from dicomkit.pixels.codecs.jpeg_markers import END_OF_IMAGE, JPEG_LS, LOSSLESS_PROCESS, JpegStream, read_markers
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
    stream = read_markers(data)
    if stream.process == JPEG_LS:
        raise PixelError("JPEG-LS data in a JPEG transfer syntax")
    coded = Coded("JPEG", stream.rows, stream.columns, stream.components, stream.precision)
    notes = check(coded, description)
    if stream.jfif and description.photometric_interpretation == "RGB":
        notes = (*notes, "the stream is JFIF, which is YCbCr, but PhotometricInterpretation is RGB: taken as RGB")
    if stream.process != LOSSLESS_PROCESS and description.transfer_syntax_uid in _LOSSLESS:
        notes = (*notes, "the JPEG stream is of a lossy process, in a lossless transfer syntax")
    if stream.end is None:
        array = _without_end(data, stream)
        notes = (*notes, "the JPEG stream has no end marker")
    else:
        whole = data[stream.start : stream.end] if stream.start else data
        array = _decoded(whole, stream, room(coded, description, out))
    photometric = "YBR_FULL" if description.subsampled else description.photometric_interpretation
    return Decoded(store(array, coded, description, out), photometric, notes)


def _decoded(data: bytes, stream: JpegStream, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """What the codec makes of a whole stream, its components as they are."""
    import imagecodecs

    colour = "RGB" if len(stream.sampling) == 3 else None
    return run(lambda: imagecodecs.jpeg8_decode(data, colorspace=colour, outcolorspace=colour, out=out), "JPEG")


_PREFIX = "1.2.840.10008.1.2.4."
_LOSSLESS = (f"{_PREFIX}57", f"{_PREFIX}70")
_LOSSY = {f"{_PREFIX}50": (8,), f"{_PREFIX}51": (8, 12)}
"""Transfer syntaxes that can be written, and the precisions of the lossy ones."""

DEFAULT_QUALITY = 90


def encode(
    frame: NDArray[Any],
    description: PixelDescription,
    *,
    quality: float | None = None,
    near: int | None = None,
    predictor: int = 1,
) -> bytes:
    """Encode one frame as JPEG: baseline, extended with 12 bits, or lossless, by the transfer syntax.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, integers; what `decode` gives: colour as PhotometricInterpretation says.
    description : PixelDescription
        YBR_FULL_422 halves the chrominance across; other colour stays whole.
    quality : float, optional
        1 to 100, of a lossy process; 90 by default.
    near : None
        JPEG has none.
    predictor : int
        Selection value 1 to 7 of the lossless process (T.81 H.1.2); 1 for 1.2.840.10008.1.2.4.70.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If the process can't hold the frame: more bits, or signed values in a lossy process.

    Examples
    --------
    >>> two = PixelDescription(rows=1, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.4.70")
    >>> decode(encode(np.array([[1, 2]], np.uint8), two), two).array.tolist()
    [[1, 2]]
    """
    import imagecodecs

    no_parameter("JPEG", near=near)
    uid, bits = description.transfer_syntax_uid, description.bits_stored
    colour: dict[str, Any] = {}
    if description.samples_per_pixel == 3:
        colour = {"colorspace": "RGB", "outcolorspace": "RGB"}
    elif description.samples_per_pixel != 1:
        raise PixelError(f"JPEG of {description.samples_per_pixel} samples per pixel")
    if uid in _LOSSLESS:
        no_parameter("lossless JPEG", quality=quality)
        if not 2 <= bits <= 16:
            raise PixelError(f"lossless JPEG holds 2 to 16 bits, BitsStored is {bits}")
        if predictor not in (range(1, 8) if uid == _LOSSLESS[0] else (1,)):
            raise PixelError(f"{uid} has no predictor {predictor}")
        samples = samples_of(frame, description)
        return encoded(
            lambda: bytes(
                imagecodecs.jpeg8_encode(samples, lossless=True, predictor=predictor, bitspersample=bits, **colour)
            ),
            "JPEG",
        )
    precisions = _LOSSY.get(uid)
    if precisions is None:
        raise PixelError(f"JPEG of transfer syntax {uid} is retired and is not written")
    if bits not in precisions or description.signed:
        kind = "signed" if description.signed else "unsigned"
        allowed = " or ".join(map(str, precisions))
        raise PixelError(f"JPEG in {uid} holds unsigned values of {allowed} bits, these are {kind} of {bits}")
    level = DEFAULT_QUALITY if quality is None else quality
    if not 1 <= level <= 100:
        raise PixelError(f"a JPEG quality is from 1 to 100, not {level}")
    if colour and description.photometric_interpretation.startswith("YBR"):
        half = description.photometric_interpretation == "YBR_FULL_422"
        colour = {"colorspace": "YCBCR", "outcolorspace": "YCBCR", "subsampling": "422" if half else "444"}
    elif colour:
        colour["subsampling"] = "444"
    samples = samples_of(frame, description)
    return encoded(lambda: bytes(imagecodecs.jpeg8_encode(samples, round(level), bitspersample=bits, **colour)), "JPEG")


def _without_end(data: bytes, stream: JpegStream) -> NDArray[Any]:
    """Decode a stream without EOI, if nothing but that is missing: then bytes added at the end change nothing."""
    if not stream.complete:
        raise PixelError("cut short: the JPEG stream ends before its last scan", offset=len(data))
    body = data[stream.start :].rstrip(b"\xff")
    array = _decoded(body + END_OF_IMAGE, stream)
    if any(not np.array_equal(array, _decoded(body + filler + END_OF_IMAGE, stream)) for filler in _FILLERS):
        raise PixelError("cut short: the JPEG stream ends within its image data", offset=len(data))
    return array
