"""Deflated frames: native cells of one frame, compressed (PS3.5 8.2.16 and A.4.13)."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs import native
from dicomkit.pixels.codecs.coded import contiguous, encoded, encoded_into, no_parameter
from dicomkit.pixels.description import Decoded, PixelDescription


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one deflated frame.

    Parameters
    ----------
    data : bytes
        A raw deflate stream, perhaps with a byte of padding.
    description : PixelDescription
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError
        If the stream is broken or ends early.

    Examples
    --------
    >>> packer = zlib.compressobj(wbits=-15)
    >>> decode(packer.compress(b"\\1\\2\\3\\4") + packer.flush(), PixelDescription(rows=2, columns=2)).array.tolist()
    [[1, 2], [3, 4]]
    """
    import imagecodecs

    if native.are_array(description):
        array = np.empty(description.frame_shape, description.dtype) if out is None else out
        octets: Any = array.reshape(-1).view(np.uint8)
        with suppress(RuntimeError):  # what is wrong is told below
            if len(imagecodecs.deflate_decode(data, raw=True, out=octets)) == description.frame_bytes:
                return native.from_cells(array, description)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    most = description.frame_bytes + 2
    try:
        cells = inflater.decompress(data, most)
    except zlib.error as error:
        raise PixelError(f"the deflated data is broken: {error}") from error
    if len(cells) >= most:
        raise PixelError(f"the deflated data gives more than the {description.frame_bytes} bytes of a frame")
    if not inflater.eof:
        raise PixelError(f"cut short: the deflated data ends after {len(cells)} of {description.frame_bytes} bytes")
    return native.decode(cells, description, out=out)


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame as a raw deflate stream.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, integers.
    description : PixelDescription
    quality, near : None
        There is no loss.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If the frame has another shape.

    Examples
    --------
    >>> plain = PixelDescription(rows=1, columns=2)
    >>> decode(encode(np.array([[1, 2]], np.uint8), plain), plain).array.tolist()
    [[1, 2]]
    """
    import imagecodecs

    no_parameter("deflate", quality=quality, near=near)
    if frame.shape != description.frame_shape:
        raise PixelError(f"a frame of {frame.shape}, the description says {description.frame_shape}")
    cells: Any
    if description.bits_allocated in (8, 16, 32, 64):
        cells = contiguous(frame.astype(f"<{description.dtype.str[1:]}", copy=False)).reshape(-1).view(np.uint8)
    else:
        cells = np.frombuffer(native.encode(frame, description), np.uint8)
    pack: Any = imagecodecs.deflate_encode
    room = len(cells) * 17 // 16 + 64  # more than blocks that are stored as they are
    return encoded(lambda: encoded_into(room, lambda memory: pack(cells, raw=True, out=memory)), "deflate")
