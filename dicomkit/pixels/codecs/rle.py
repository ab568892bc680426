"""RLE frames: byte planes, each packed by runs (PS3.5 8.2.2 and Annex G)."""

from __future__ import annotations

import struct
import sys
from io import BytesIO
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.bits import clear_unused, pack, unpack
from dicomkit.pixels.codecs.coded import contiguous, no_parameter
from dicomkit.pixels.description import Decoded, PixelDescription

_HEADER = struct.Struct("<16I")
_LONGEST_RUN = 128
_MOST_SEGMENTS = 15
_AT_ONCE = 1 << 16
"""Bytes of a plane that are packed together: few, so that no second plane is held."""


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one RLE frame.

    Parameters
    ----------
    data : bytes
        RLE header and segments.
    description : PixelDescription
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError
        If the header is wrong, or a segment holds fewer bytes than the frame needs.

    Examples
    --------
    >>> from struct import pack
    >>> decode(pack("<16I", 1, 64, *[0] * 14) + b"\\xfe\\x07", PixelDescription(rows=1, columns=3)).array.tolist()
    [[7, 7, 7]]
    """
    cell = (description.bits_allocated + 7) // 8
    samples = description.samples_per_pixel
    pixels = description.rows * description.columns
    segments, notes = _segments(data, samples * cell)
    array = out
    if description.bits_allocated == 1:  # packed as native cells are, or one byte a pixel: both are written
        plane = np.frombuffer(_unpacked(segments[0], pixels, notes, exact=False), np.uint8)
        if len(plane) < pixels:
            packed = _unpacked(segments[0], (pixels + 7) // 8, notes)
            plane = unpack(np.frombuffer(packed, np.uint8), 1, pixels)
        array = np.empty(description.frame_shape, np.uint8) if array is None else array
        array[...] = plane.reshape(description.frame_shape)
        return Decoded(array, description.photometric_interpretation, tuple(notes))
    array = np.empty(description.frame_shape, description.dtype) if array is None else array
    octets_of = array.reshape(pixels, samples, 1).view(np.uint8)
    if octets_of.shape[2] > cell:
        octets_of[...] = 0
    for number, segment in enumerate(segments):
        sample, significance = number // cell, cell - 1 - number % cell
        place = significance if sys.byteorder == "little" else octets_of.shape[2] - 1 - significance
        octets_of[:, sample, place] = np.frombuffer(_unpacked(segment, pixels, notes), np.uint8)
    clear_unused(array, description)
    return Decoded(array, description.photometric_interpretation, tuple(notes))


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame by runs, row by row.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, integers.
    description : PixelDescription
        BitsAllocated tells how many bytes a cell has; the most significant comes first.
    quality, near : None
        There is no loss.

    Returns
    -------
    bytes
        RLE header and segments, each of even length.

    Raises
    ------
    PixelError
        If the frame has another shape, or more than 15 byte planes.

    Examples
    --------
    >>> encode(np.full((1, 3), 7, np.uint8), PixelDescription(rows=1, columns=3))[64:]
    b'\\xfe\\x07'
    """
    import imagecodecs

    no_parameter("RLE", quality=quality, near=near)
    if frame.shape != description.frame_shape:
        raise PixelError(f"a frame of {frame.shape}, the description says {description.frame_shape}")
    if description.bits_allocated == 1:  # cells packed as native ones are (PS3.5 8.2.2): rows need not end on a byte
        planes = [pack(frame, 1)[None]]
    else:
        cell, samples = (description.bits_allocated + 7) // 8, description.samples_per_pixel
        values = contiguous(frame.astype(description.dtype, copy=False))
        octets = values.reshape(description.rows, description.columns, samples, 1).view(np.uint8)
        if cell * samples > _MOST_SEGMENTS:
            raise PixelError(f"RLE has at most {_MOST_SEGMENTS} byte planes, {cell * samples} would be needed")
        places = range(cell) if sys.byteorder == "big" else reversed(range(cell))
        planes = [octets[:, :, sample, place] for sample, place in product(range(samples), places)]
    offsets: list[int] = []
    output = BytesIO()
    output.write(bytes(_HEADER.size))
    step = max(1, _AT_ONCE // planes[0].shape[1])  # rows are coded one by one anyway (PS3.5 G.3.1)
    for plane in planes:
        start = output.tell()
        offsets.append(start)
        for row in range(0, len(plane), step):
            output.write(imagecodecs.packbits_encode(contiguous(plane[row : row + step]), axis=-1))
        output.write(bytes((output.tell() - start) % 2))
    output.seek(0)
    output.write(_HEADER.pack(len(offsets), *offsets, *[0] * (_MOST_SEGMENTS - len(offsets))))
    return output.getvalue()


def _segments(data: bytes, expected: int) -> tuple[list[memoryview], list[str]]:
    """Cut a frame into its segments (PS3.5 G.5)."""
    if len(data) < _HEADER.size:
        raise PixelError(f"cut short: an RLE header has {_HEADER.size} bytes, {len(data)} are there")
    count, *offsets = _HEADER.unpack_from(data)
    if count != expected:
        raise PixelError(f"{count} RLE segments, the data set needs {expected}", offset=0)
    bounds = [*offsets[:count], len(data)]
    notes: list[str] = []
    if bounds[0] != _HEADER.size:
        notes.append(f"the first RLE segment begins at {bounds[0]}, not at 64")
    for start, stop in pairwise(bounds):
        if not _HEADER.size <= start < stop:
            raise PixelError(f"cut short: an RLE segment from {start} to {stop} of {len(data)} bytes", offset=start)
    view = memoryview(data)
    return [view[start:stop] for start, stop in pairwise(bounds)], notes


def _unpacked(segment: memoryview, length: int, notes: list[str], *, exact: bool = True) -> bytes | bytearray:
    """Undo the runs of a segment: ``length`` bytes, or fewer where not ``exact``."""
    import imagecodecs

    if length > (len(segment) // 2 + 1) * _LONGEST_RUN:
        if not exact:
            return b""
        raise PixelError(f"cut short: an RLE segment of {len(segment)} bytes can't give {length}")
    view: Any = segment  # it takes any buffer, though it doesn't say so
    try:
        unpacked = imagecodecs.packbits_decode(view, out=length)
    except (RuntimeError, ValueError):  # more than is needed, or broken: up to the length that is needed, as G.3.2 says
        unpacked = literal_unpack(bytes(segment), length)
        if len(unpacked) == length:
            notes.append("an RLE segment goes on after its last pixel")
    if exact and len(unpacked) < length:
        raise PixelError(f"cut short: an RLE segment gives {len(unpacked)} of {length} bytes")
    return unpacked


def literal_unpack(segment: bytes, length: int) -> bytes:
    """Unpack as the pseudo-code of PS3.5 G.3.2 does: up to ``length`` bytes, fewer where the segment ends before.

    Parameters
    ----------
    segment : bytes
    length : int

    Returns
    -------
    bytes

    Examples
    --------
    >>> literal_unpack(b"\\x01ab\\xffc", 4)
    b'abcc'
    """
    output, position = bytearray(), 0
    while len(output) < length and position < len(segment):
        count = segment[position]
        if count < 128:
            output += segment[position + 1 : position + 2 + count]
            position += 2 + count
        elif count > 128:
            output += segment[position + 1 : position + 2] * (257 - count)
            position += 2
        else:
            position += 1
    return bytes(output[:length])
