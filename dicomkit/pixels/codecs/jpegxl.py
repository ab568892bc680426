"""JPEG XL frames, and JPEG frames recompressed as JPEG XL (PS3.5 8.2.15 and A.4.12)."""

from __future__ import annotations

import struct
from typing import Any

from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs import jpeg
from dicomkit.pixels.codecs.coded import Coded, check, room, run, store
from dicomkit.pixels.description import Decoded, PixelDescription

_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS = (9, 13, 18, 30)
_DEPTHS = (8, 10, 12)


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
    codestream = b"".join(body[4 * (kind == b"jxlp") :] for kind, body in boxes if kind in (b"jxlc", b"jxlp"))
    rows, columns, precision = read_size(codestream)
    if any(kind == b"jbrd" for kind, _ in boxes):
        restore: Any = imagecodecs.jpegxl_decode_jpeg  # its stub wants an argument that it does not take
        restored = run(lambda: restore(data), "JPEG XL")
        return jpeg.decode(bytes(restored), description, out=out)
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
    if len(codestream) < 16:
        codestream = codestream.ljust(16, b"\0")
    bits = int.from_bytes(codestream[2:16], "little")

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


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes of a container as (type, content); a bare codestream counts as one."""
    if not data.startswith(b"\x00\x00\x00\x0cJXL "):
        return [(b"jxlc", data)]
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
        boxes.append((kind, data[position + header : stop]))
        position = stop
    return boxes
