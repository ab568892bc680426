"""JPEG XL frames, and JPEG frames recompressed as JPEG XL (PS3.5 8.2.15 and A.4.12)."""

from __future__ import annotations

import struct
from typing import Any

from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs import jpeg
from dicomkit.pixels.codecs.coded import Coded, check, encoded, no_parameter, room, run, samples_of, store
from dicomkit.pixels.codecs.jpeg_markers import read_markers
from dicomkit.pixels.description import Decoded, PixelDescription

_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS = (9, 13, 18, 30)
_DEPTHS = (8, 10, 12)
_RECOMPRESSION, _EITHER = "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"

DEFAULT_QUALITY = 90

_HEADER = 16
"""Bytes at the beginning of a codestream that tell its size and precision."""


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one JPEG XL frame.

    A recompressed JPEG is first restored bit for bit, so that its components are what PhotometricInterpretation says.

    Parameters
    ----------
    data : bytes
        A codestream, or the boxes that hold one.
    description : PixelDescription
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError
        If the data is cut short, broken, or of another size than the data set says.

    Examples
    --------
    >>> decode(b"\\0\\0", PixelDescription(rows=1, columns=1))
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: no JPEG XL data: it begins with 0000 [offset 0]
    """
    import imagecodecs

    boxes = _boxes(data)
    parts = (body[4 * (kind == b"jxlp") :][:_HEADER] for kind, body in boxes if kind in (b"jxlc", b"jxlp"))
    rows, columns, precision = read_size(b"".join(parts))
    if any(kind == b"jbrd" for kind, _ in boxes):
        return jpeg.decode(restore(data), description, out=out)
    samples = description.samples_per_pixel
    check(Coded("JPEG XL", rows, columns, samples, precision), description)
    room_for = room(Coded("JPEG XL", rows, columns, samples, precision), description, out)
    array = run(lambda: imagecodecs.jpegxl_decode(data, out=room_for), "JPEG XL")
    components = array.shape[2] if array.ndim == 3 else 1
    coded = Coded("JPEG XL", rows, columns, components, precision)
    notes = check(coded, description)
    photometric = description.photometric_interpretation
    if components == 3:  # XYB and the reversible transform are undone by the decoder
        photometric = "RGB"
    return Decoded(store(array, coded, description, out), photometric, notes)


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame as a JPEG XL codestream.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, unsigned or signed integers, grey or RGB.
    description : PixelDescription
        Signed values go in as unsigned of the same bits. XYB without quality is lossy too.
    quality : float, optional
        1 to 100 as cjxl counts (90 is about what eyes don't see) of a lossy codestream; lossless when not given.
    near : None
        JPEG XL has none.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If there are more than 16 bits, colour other than RGB, signed values that are to lose something; or for
        1.2.840.10008.1.2.4.111, which holds only recompressed JPEG: see `recompress`.

    Examples
    --------
    >>> import numpy as np
    >>> two = PixelDescription(rows=1, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.4.110")
    >>> decode(encode(np.array([[1, 2]], np.uint8), two), two).array.tolist()
    [[1, 2]]
    """
    import imagecodecs

    no_parameter("JPEG XL", near=near)
    uid, bits, photometric = (
        description.transfer_syntax_uid,
        description.bits_stored,
        description.photometric_interpretation,
    )
    if uid == _RECOMPRESSION:
        raise PixelError(f"{uid} holds recompressed JPEG, not pixels", hint="transcode from JPEG baseline")
    if bits > 16:
        raise PixelError(f"JPEG XL is written with up to 16 bits, not {bits}")
    if description.samples_per_pixel == 3 and photometric not in ("RGB", "XYB"):
        raise PixelError(f"JPEG XL takes RGB, not {photometric}")
    if description.samples_per_pixel not in (1, 3):
        raise PixelError(f"JPEG XL of {description.samples_per_pixel} samples per pixel")
    if photometric == "XYB" and quality is None:
        quality = DEFAULT_QUALITY
    samples = samples_of(frame, description)
    if quality is None:
        return encoded(lambda: bytes(imagecodecs.jpegxl_encode(samples, lossless=True, bitspersample=bits)), "JPEG XL")
    if uid != _EITHER:
        raise PixelError(f"{uid} is lossless and has no quality", hint="name a transfer syntax that can be lossy")
    if not 1 <= quality <= 100:
        raise PixelError(f"a JPEG XL quality is from 1 to 100, not {quality}")
    if description.signed:
        raise PixelError("signed values can't be stored with loss in JPEG XL: those near zero would change sign")
    distance = 0.1 + (100 - quality) * 0.09 if quality >= 30 else 53 / 3000 * quality**2 - 23 / 20 * quality + 25
    return encoded(lambda: bytes(imagecodecs.jpegxl_encode(samples, distance=distance, bitspersample=bits)), "JPEG XL")


def recompress(data: bytes) -> bytes:
    """Recompress a JPEG stream as JPEG XL, from which `restore` gives the very same bytes (PS3.5 A.4.12).

    Parameters
    ----------
    data : bytes
        An 8-bit Huffman-coded JPEG stream, baseline or progressive; padding after its end marker is left out.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If the stream lacks its end, or can't be recompressed.

    Examples
    --------
    >>> import numpy as np
    >>> plain = PixelDescription(rows=8, columns=8, transfer_syntax_uid="1.2.840.10008.1.2.4.50")
    >>> stream = jpeg.encode(np.zeros((8, 8), np.uint8), plain)
    >>> restore(recompress(stream)) == stream
    True
    """
    import imagecodecs

    stream = read_markers(data)
    if stream.end is None:
        raise PixelError("cut short: the JPEG stream has no end marker")
    exact = data[stream.start : stream.end]
    pack: Any = imagecodecs.jpegxl_encode_jpeg
    packed = encoded(lambda: bytes(pack(exact, usecontainer=True)), "JPEG XL")
    if restore(packed) != exact:
        raise PixelError("the JPEG stream does not come back from JPEG XL as it was")
    return packed


def restore(data: bytes) -> bytes:
    """Give back the JPEG stream that was recompressed as JPEG XL.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If the data is broken, or is no recompressed JPEG.

    Examples
    --------
    >>> restore(b"\\xff\\x0a")
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: this JPEG XL data is no recompressed JPEG
    """
    import imagecodecs

    if not any(kind == b"jbrd" for kind, _ in _boxes(data)):
        raise PixelError("this JPEG XL data is no recompressed JPEG")
    unpack: Any = imagecodecs.jpegxl_decode_jpeg  # its stub wants an argument that it does not take
    return run(lambda: bytes(unpack(data)), "JPEG XL")


def read_size(codestream: bytes) -> tuple[int, int, int]:
    """Read the size and precision at the beginning of a codestream (ISO/IEC 18181-1 Annex D).

    Parameters
    ----------
    codestream : bytes

    Returns
    -------
    tuple of (int, int, int)
        Rows, columns and bits of a sample; 16 bits where the precision stands behind fields that are rarely there.

    Raises
    ------
    PixelError
        If it is no codestream, or cut short.

    Examples
    --------
    >>> read_size(bytes.fromhex("ff0a0001206020286e04"))
    (33, 17, 1)
    """
    if not codestream.startswith(b"\xff\x0a"):
        raise PixelError(f"no JPEG XL data: it begins with {codestream[:4].hex()}", offset=0)
    bits = int.from_bytes(codestream[2:_HEADER].ljust(_HEADER - 2, b"\0"), "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    small = take(1)

    def length() -> int:
        return 8 * (take(5) + 1) if small else 1 + take(_SIZE_BITS[take(2)])

    rows = length()
    upper, lower = _RATIOS[take(3)]
    columns = rows * upper // lower if upper else length()
    if take(1):  # all metadata has its default
        return rows, columns, 8
    if take(1) or take(1):  # extra fields, or floating point samples
        return rows, columns, 16
    selector = take(2)
    return rows, columns, _DEPTHS[selector] if selector < 3 else 1 + take(6)


def _boxes(data: bytes) -> list[tuple[bytes, memoryview]]:
    """The boxes of a container as (type, content); a bare codestream counts as one."""
    if not data.startswith(b"\x00\x00\x00\x0cJXL "):
        return [(b"jxlc", memoryview(data))]
    boxes, position = [], 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        stop = position + length if length else len(data)
        if length and length < header:
            break
        boxes.append((kind, memoryview(data)[position + header : stop]))
        position = stop
    return boxes
