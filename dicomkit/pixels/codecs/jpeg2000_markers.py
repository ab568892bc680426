"""The markers of JPEG 2000 codestreams: size, coding, and whether every tile is there (T.800 Annex A, T.814)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from dicomkit.errors import PixelError

END_OF_CODESTREAM = b"\xff\xd9"

_SOC_SIZ = b"\xff\x4f\xff\x51"
_JP2 = b"\x00\x00\x00\x0cjP  "
_SOT, _COD, _SIZ = 0xFF90, 0xFF52, 0xFF51
_MOST_COMPONENTS = 16


class Codestream(NamedTuple):
    """What the main header says: the image, its components as (precision, signed), and the colour transformation."""

    rows: int
    columns: int
    components: tuple[tuple[int, bool], ...]
    subsampled: bool
    colour_transform: bool
    reversible: bool
    high_throughput: bool
    tiles: int
    first_tile: int


def find_codestream(data: bytes) -> tuple[bytes, bool]:
    """Cut the codestream out of a JP2 file, where it is in one (trap of real files: PS3.5 A.4.4 forbids it).

    Parameters
    ----------
    data : bytes

    Returns
    -------
    tuple of (bytes, bool)
        The codestream, and whether it was boxed.

    Raises
    ------
    PixelError
        If there is none.

    Examples
    --------
    >>> find_codestream(bytes.fromhex("ff4fff51 0000"))[1]
    False
    """
    if data.startswith(_SOC_SIZ):
        return data, False
    position = 0
    while data.startswith(_JP2) and position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        if kind == b"jp2c":
            stop = position + length if length else len(data)
            return data[position + header : stop], True
        if length < header:
            break
        position += length
    raise PixelError(f"no JPEG 2000 codestream: it begins with {data[:8].hex()}", offset=0)


def read_header(data: bytes) -> Codestream:
    """Read the main header of a codestream.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    Codestream

    Raises
    ------
    PixelError
        If the header is cut short or nonsense.

    Examples
    --------
    >>> read_header(bytes.fromhex("ff4fff51 00290000"))
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: cut short: the JPEG 2000 header runs past the end [offset 2]
    """
    position = 2
    size: tuple[int, ...] | None = None
    components: tuple[tuple[int, bool], ...] = ()
    subsampled = transform = reversible = throughput = False
    while True:
        marker, length = _marker(data, position)
        if marker == _SOT:
            break
        body = data[position + 4 : position + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise PixelError("cut short: the JPEG 2000 header runs past the end", offset=position)
        if marker == _SIZ:
            size, components, subsampled = _size(body, position)
        elif marker == _COD:
            if len(body) < 10:
                raise PixelError("the JPEG 2000 coding style is cut short", offset=position)
            transform, throughput, reversible = body[4] == 1, bool(body[8] & 0x40), body[9] == 1
        position += 2 + length
    if size is None:
        raise PixelError("the JPEG 2000 header says no image size", offset=position)
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0 = size
    across = -(-(x1 - tile_x0) // tile_x)
    down = -(-(y1 - tile_y0) // tile_y)
    return Codestream(
        y1 - y0, x1 - x0, components, subsampled, transform, reversible, throughput, across * down, position
    )


def check_tiles(data: bytes, stream: Codestream) -> bool:
    """Check that every tile is there and that the codestream ends where it says.

    Parameters
    ----------
    data : bytes
    stream : Codestream
        Its main header.

    Returns
    -------
    bool
        False where all is there but the EOC marker.

    Raises
    ------
    PixelError
        If a tile is missing or runs past the end.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomkit.pixels.codecs.registry import encoder
    >>> from dicomkit.pixels.description import PixelDescription
    >>> uid = "1.2.840.10008.1.2.4.90"
    >>> data = encoder(uid)(np.zeros((4, 4), np.uint8), PixelDescription(4, 4, transfer_syntax_uid=uid))
    >>> check_tiles(data, read_header(data)), check_tiles(data[:-2], read_header(data))
    (True, False)
    """
    position, seen = stream.first_tile, set()
    while data[position : position + 2] == b"\xff\x90":
        if position + 12 > len(data):
            raise PixelError("cut short: a JPEG 2000 tile header runs past the end", offset=position)
        tile, length = struct.unpack_from(">HI", data, position + 4)
        seen.add(tile)
        if length == 0:  # the last tile-part: up to the EOC marker, which therefore must be there
            if len(seen) < stream.tiles or not data.rstrip(b"\0\xff").endswith(END_OF_CODESTREAM):
                raise PixelError("cut short: the JPEG 2000 codestream has no end marker", offset=len(data))
            return True
        if length < 14:
            raise PixelError(f"a JPEG 2000 tile-part of {length} bytes", offset=position)
        if position + length > len(data):
            raise PixelError("cut short: a JPEG 2000 tile runs past the end", offset=position)
        position += length
    if len(seen) < stream.tiles:
        raise PixelError(f"cut short: {len(seen)} of {stream.tiles} JPEG 2000 tiles are there", offset=position)
    if data[position : position + 2] == END_OF_CODESTREAM:
        return True
    if data[position:].strip(b"\0\xff"):
        raise PixelError("no JPEG 2000 marker where the codestream must end", offset=position)
    return False


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """A marker and the length of its segment."""
    if position + 4 > len(data):
        raise PixelError("cut short: the JPEG 2000 codestream ends in its header", offset=len(data))
    marker, length = struct.unpack_from(">HH", data, position)
    if marker < 0xFF4F:
        raise PixelError(f"no JPEG 2000 marker where one must be: {marker:04x}", offset=position)
    return marker, length


def _size(body: bytes, position: int) -> tuple[tuple[int, ...], tuple[tuple[int, bool], ...], bool]:
    """The image and tile grid, and the components, of a SIZ segment."""
    if len(body) < 36:
        raise PixelError("the JPEG 2000 image size is cut short", offset=position)
    *size, count = struct.unpack_from(">8IH", body, 2)
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0 = size
    if not (x0 < x1 and y0 < y1 and tile_x and tile_y and tile_x0 <= x0 and tile_y0 <= y0):
        raise PixelError("the JPEG 2000 image size makes no sense", offset=position)
    if not 1 <= count <= _MOST_COMPONENTS or len(body) < 36 + 3 * count:
        raise PixelError(f"a JPEG 2000 image of {count} components", offset=position)
    parts = [body[36 + 3 * i : 39 + 3 * i] for i in range(count)]
    components = tuple(((part[0] & 0x7F) + 1, bool(part[0] & 0x80)) for part in parts)
    return tuple(size), components, any(part[1] != 1 or part[2] != 1 for part in parts)
