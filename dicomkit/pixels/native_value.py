"""Native pixel data, filled frame by frame without a second copy (PS3.5 8.1.1)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.pixels.bits import pack
from dicomkit.pixels.description import PixelDescription
from dicomkit.sources import Bulk, MemorySource

_LARGE = 1 << 16


def native_value(
    decode: Callable[[int, NDArray[Any] | None], NDArray[Any]],
    description: PixelDescription,
    number_of_frames: int,
    workers: int = 1,
) -> bytes | Bulk:
    """Collect frames as the value of a pixel attribute, little-endian and colour by pixel.

    Parameters
    ----------
    decode : callable
        From a frame's index, and an array to put it in or None, to the frame; it may ignore the array.
    description : PixelDescription
        Of the native frames.
    number_of_frames : int
    workers : int
        Threads that decode.

    Returns
    -------
    bytes or Bulk

    Examples
    --------
    >>> one = PixelDescription(rows=1, columns=3, bits_allocated=1)
    >>> native_value(lambda index, out: np.array([[1, 0, 1]], np.uint8), one, 2)
    b'-'
    """
    if description.bits_allocated not in (8, 16, 32, 64):
        return _value(_packed(decode, description, number_of_frames))
    frame_bytes = description.decoded_bytes
    store = io.BytesIO()
    store.seek(max(0, frame_bytes * number_of_frames - 1))
    store.write(b"\0")
    buffer = store.getbuffer()
    _fill(buffer, decode, description, number_of_frames, workers)
    buffer.release()
    return _value(store.getvalue())  # no copy, as the buffer is just as long as what was written


def _fill(
    buffer: memoryview,
    decode: Callable[[int, NDArray[Any] | None], NDArray[Any]],
    description: PixelDescription,
    number_of_frames: int,
    workers: int,
) -> None:
    """Decode all frames into a buffer."""
    stack = np.frombuffer(buffer, description.dtype).reshape(number_of_frames, *description.frame_shape)

    def put(index: int) -> None:
        place = stack[index]
        got = decode(index, place)
        if not np.may_share_memory(got, place):
            place[...] = got
        if sys.byteorder == "big":
            place.byteswap(inplace=True)

    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(put, range(number_of_frames)):
                pass
    else:
        for index in range(number_of_frames):
            put(index)


def _value(data: bytes) -> bytes | Bulk:
    """Bytes, or bulk data where a reader would make it such."""
    return Bulk(MemorySource(data), 0, len(data)) if len(data) > _LARGE else data


def _packed(
    decode: Callable[[int, NDArray[Any] | None], NDArray[Any]], description: PixelDescription, number_of_frames: int
) -> bytes:
    """Cells that follow each other bit by bit, also from one frame to the next."""
    bits = description.bits_allocated
    output, rest = bytearray(), np.empty(0, description.dtype)
    for index in range(number_of_frames):
        cells = np.concatenate([rest, decode(index, None).reshape(-1)])
        whole = len(cells) - len(cells) % 8
        output += pack(cells[:whole], bits).tobytes()
        rest = cells[whole:].copy()
    return bytes(output + pack(rest, bits).tobytes())
