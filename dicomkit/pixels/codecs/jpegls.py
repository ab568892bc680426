"""JPEG-LS frames, lossless and near-lossless (PS3.5 8.2.3, T.87)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.coded import Coded, check, encoded, encoded_into, no_parameter, room, run, samples_of, store
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


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame as JPEG-LS.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, integers.
    description : PixelDescription
        Signed values go in as unsigned of the same bits.
    quality : None
        JPEG-LS has none: its loss is told by ``near``.
    near : int, optional
        The largest difference of a sample (T.87 NEAR), 0 for none, the default.

    Returns
    -------
    bytes
        Without a SPIFF header.

    Raises
    ------
    PixelError
        If there are fewer than 2 or more than 16 bits, or a value with ``near`` added could leave its range.

    Examples
    --------
    >>> two = PixelDescription(rows=1, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.4.80")
    >>> decode(encode(np.array([[1, 2]], np.uint8), two), two).array.tolist()
    [[1, 2]]
    """
    import imagecodecs

    no_parameter("JPEG-LS", quality=quality)
    bits, near = description.bits_stored, near or 0
    if not 2 <= bits <= 16:
        raise PixelError(f"JPEG-LS holds 2 to 16 bits, BitsStored is {bits}")
    if not 0 <= near <= min(255, ((1 << bits) - 1) // 2):
        raise PixelError(f"a near of {near} with {bits} bits")
    if near and description.transfer_syntax_uid == f"{_PREFIX}80":
        raise PixelError("lossless JPEG-LS has no near", hint=f"near-lossless is {_PREFIX}81")
    full = bits if precision_is_told() else 8 if bits <= 8 else 16
    if near:
        _check_near(frame, description, near, full)
    if description.signed and full > bits:  # sign-extended, as nothing tells a decoder how many bits count
        description = replace(description, bits_stored=full)
    samples = samples_of(frame, description)
    options: dict[str, Any] = {"bitspersample": full, "spiff": False} if precision_is_told() else {}
    pack: Any = imagecodecs.jpegls_encode

    def into(memory: memoryview) -> memoryview:
        filled: memoryview = pack(samples, level=near, out=memory, **options)
        return filled

    # Left to itself, imagecodecs takes more room than the frame has, and yet too little for noise.
    with suppress(RuntimeError):
        return encoded_into(samples.nbytes * 17 // 16 + _HEADERS, into, start=_SPIFF_END)
    return encoded(lambda: encoded_into(4 * samples.nbytes + _HEADERS, into, start=_SPIFF_END), "JPEG-LS")


_PREFIX = "1.2.840.10008.1.2.4."
_HEADERS = 4096
_SPIFF_END = b"\xff\xe8\x00\x08\x00\x00\x00\x01"
"""The end of a SPIFF directory; a second start of image follows it (T.84 F.2.1), and the stream itself."""


@cache
def precision_is_told() -> bool:
    """Whether this imagecodecs can be told the precision; older ones write 8 or 16 bits, and a SPIFF header.

    Examples
    --------
    >>> precision_is_told() in (True, False)
    True
    """
    import imagecodecs

    return "bitspersample" in signature(imagecodecs.jpegls_encode).parameters


def _check_near(frame: NDArray[Any], description: PixelDescription, near: int, precision: int) -> None:
    """Refuse values that a near-lossless codec may carry over the edge: signed ones wrap, others leave BitsStored."""
    bits = description.bits_stored
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if description.signed else (0, (1 << bits) - 1)
    least, most = int(frame.min()), int(frame.max())
    if description.signed and (least - near < low or most + near > high):
        raise PixelError(
            f"signed values from {least} to {most} with near {near} could wrap round at {low} or {high}",
            hint="a smaller near, or a lossless transfer syntax",
        )
    if not description.signed and precision > bits and most + near > high:
        raise PixelError(
            f"values up to {most} with near {near} could exceed {bits} bits, which this imagecodecs writes as 16",
            hint="a smaller near, a newer imagecodecs, or a lossless transfer syntax",
        )


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
