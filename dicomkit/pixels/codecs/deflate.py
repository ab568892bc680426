"""Deflated frames: native cells of one frame, compressed (PS3.5 8.2.16 and A.4.13)."""

from __future__ import annotations

import zlib
from typing import Any

from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs import native
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
    >>> import numpy as np
    >>> plain = PixelDescription(rows=1, columns=2)
    >>> decode(encode(np.array([[1, 2]], np.uint8), plain), plain).array.tolist()
    [[1, 2]]
    """
    import imagecodecs

    cells = native.encode(frame, description, quality=quality, near=near)
    return bytes(imagecodecs.deflate_encode(cells, raw=True))
