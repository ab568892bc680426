"""RLE frames: byte planes, each packed by runs (PS3.5 8.2.2 and Annex G)."""

from __future__ import annotations

import struct
import sys
from itertools import pairwise
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
        planes = iter([pack(frame, 1)[None]])
    else:
        cell, samples = (description.bits_allocated + 7) // 8, description.samples_per_pixel
        values = contiguous(frame.astype(description.dtype, copy=False))
        octets = values.reshape(description.rows, description.columns, samples, 1).view(np.uint8)
        if cell * samples > _MOST_SEGMENTS:
            raise PixelError(f"RLE has at most {_MOST_SEGMENTS} byte planes, {cell * samples} would be needed")
        planes = (
            contiguous(octets[:, :, sample, place if sys.byteorder == "little" else ~place])
            for sample in range(samples)
            for place in reversed(range(cell))
        )
    offsets, segments, position = [0] * _MOST_SEGMENTS, [b""], _HEADER.size
    for number, plane in enumerate(planes):
        packed = bytes(imagecodecs.packbits_encode(plane, axis=-1))
        segments += [packed, bytes(len(packed) % 2)]
        offsets[number] = position
        position += len(packed) + len(packed) % 2
    segments[0] = _HEADER.pack(sum(offset > 0 for offset in offsets), *offsets)
    return b"".join(segments)


def _segments(data: bytes, expected: int) -> tuple[list[bytes], list[str]]:
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
    return [data[start:stop] for start, stop in pairwise(bounds)], notes


def _unpacked(segment: bytes, length: int, notes: list[str], *, exact: bool = True) -> bytes:
    """Undo the runs of a segment: ``length`` bytes, or fewer where not ``exact``."""
    import imagecodecs

    if length > (len(segment) // 2 + 1) * _LONGEST_RUN:
        if not exact:
            return b""
        raise PixelError(f"cut short: an RLE segment of {len(segment)} bytes can't give {length}")
    try:
        unpacked = bytes(imagecodecs.packbits_decode(segment, out=length))
    except (RuntimeError, ValueError):  # more than is needed, or broken: up to the length that is needed, as G.3.2 says
        unpacked = literal_unpack(segment, length)
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
