"""What can be had of an encoded frame that is cut short or broken, for those who ask for it."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs import native
from dicomkit.pixels.codecs.coded import Coded, check, run, store
from dicomkit.pixels.codecs.jpeg2000_markers import END_OF_CODESTREAM, find_codestream, read_header
from dicomkit.pixels.codecs.jpeg_markers import END_OF_IMAGE, JPEG_LS, read_markers
from dicomkit.pixels.codecs.rle import literal_unpack
from dicomkit.pixels.description import Decoded, PixelDescription

_RLE, _DEFLATE, _UNCOMPRESSED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98"
_CHUNK = 1 << 12
_MOST_FILLING = 64


def decode_partial(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode what there is of a frame; the rest is 0, or whatever the codec makes of missing data.

    Parameters
    ----------
    data : bytes
    description : PixelDescription
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError
        If nothing can be decoded, as with most broken JPEG-LS and JPEG XL data.

    Examples
    --------
    >>> plain = PixelDescription(rows=2, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.1.98")
    >>> decode_partial(b"\\1\\2", plain).array.tolist()
    [[1, 2], [0, 0]]
    """
    uid = description.transfer_syntax_uid
    if uid in (_RLE, _DEFLATE, _UNCOMPRESSED):
        cells = _rle(data, description) if uid == _RLE else _inflated(data) if uid == _DEFLATE else data
        if not cells:
            raise PixelError("nothing of the frame could be decoded")
        head = cells[: description.frame_bytes]
        return native.decode(head + bytes(description.frame_bytes - len(head)), description, out=out)
    if data.lstrip(b"\xff").startswith(b"\xd8"):
        return _jpeg(data, description, out)
    if data.startswith((b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")):
        return _jpeg2000(data, description, out)
    raise PixelError("nothing of the frame could be decoded")


def _rle(data: bytes, description: PixelDescription) -> bytes:
    """The byte planes that are there, put together as native cells."""
    if len(data) < 64:
        return b""
    cell, samples = (description.bits_allocated + 7) // 8, description.samples_per_pixel
    count, *offsets = struct.unpack_from("<16I", data)
    if count != cell * samples or count > 15 or description.bits_allocated < 8:
        return b""
    pixels = description.rows * description.columns
    cells = np.zeros((pixels, samples, cell), np.uint8)
    bounds = [*offsets[:count], len(data)]
    for number in range(count):
        start, stop = bounds[number], max(bounds[number], min(bounds[number + 1], len(data)))
        plane = np.frombuffer(literal_unpack(data[start:stop], pixels), np.uint8)
        cells[: len(plane), number // cell, cell - 1 - number % cell] = plane
    if description.planar_configuration:
        cells = cells.transpose(1, 0, 2)
    return cells.tobytes()


def _inflated(data: bytes) -> bytes:
    """What inflates before the stream breaks."""
    machine, cells = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    try:
        for start in range(0, len(data), _CHUNK):
            cells += machine.decompress(data[start : start + _CHUNK])
    except zlib.error:
        pass
    return bytes(cells)


def _jpeg(data: bytes, description: PixelDescription, out: NDArray[Any] | None) -> Decoded:
    """JPEG and JPEG-LS, with an end marker put where the data ends."""
    import imagecodecs

    stream = read_markers(data)
    name = "JPEG-LS" if stream.process == JPEG_LS else "JPEG"
    coded = Coded(name, stream.rows, stream.columns, stream.components, stream.precision)
    notes = check(coded, description)
    body = data[stream.start :].rstrip(b"\xff") + END_OF_IMAGE
    colour = "RGB" if stream.components == 3 else None
    decode = (
        imagecodecs.jpegls_decode
        if name == "JPEG-LS"
        else partial(imagecodecs.jpeg8_decode, colorspace=colour, outcolorspace=colour)
    )
    array = run(lambda: decode(body), name)
    photometric = "YBR_FULL" if description.subsampled else description.photometric_interpretation
    return Decoded(store(array, coded, description, out), photometric, notes)


def _jpeg2000(data: bytes, description: PixelDescription, out: NDArray[Any] | None) -> Decoded:
    """JPEG 2000 and HTJ2K, with an end marker put where the data ends."""
    import imagecodecs

    body, _ = find_codestream(data)
    stream = read_header(body)
    if len(set(stream.components)) > 1 or stream.subsampled:
        raise PixelError("JPEG 2000 components of different precision, sign or size")
    precision, signed = stream.components[0]
    coded = Coded("JPEG 2000", stream.rows, stream.columns, len(stream.components), precision, signed)
    notes = check(coded, description)
    if stream.high_throughput:
        array = run(lambda: imagecodecs.htj2k_decode(body, resilient=True), "JPEG 2000")
        if array.ndim == 3 and array.shape != description.frame_shape:  # OpenJPH gives planes
            array = array.transpose(1, 2, 0)
    else:
        mended = _filled(body, stream.first_tile) + END_OF_CODESTREAM
        array = run(lambda: imagecodecs.jpeg2k_decode(mended), "JPEG 2000")
    photometric = "RGB" if stream.colour_transform else description.photometric_interpretation
    return Decoded(store(array, coded, description, out), photometric, notes)


def _filled(body: bytes, position: int) -> bytes:
    """Fill up the last tile-part with zeros, which are empty packets (T.800 B.10.3)."""
    while position + 12 <= len(body) and body[position : position + 2] == b"\xff\x90":
        length = int.from_bytes(body[position + 6 : position + 10], "big")
        missing = position + length - len(body)
        if length == 0 or missing > 0:
            return body + bytes(min(max(missing, 0), _MOST_FILLING * len(body)))
        position += max(length, 12)
    return body[:position]
