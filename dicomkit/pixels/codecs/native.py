"""Native frames: pixel cells as they are, from a value that need not be read whole (PS3.5 8.2, Annex D)."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.bits import clear_unused, pack, unpack
from dicomkit.pixels.codecs.coded import no_parameter
from dicomkit.pixels.description import Decoded, PixelDescription

if TYPE_CHECKING:
    from dicomkit.sources import Bulk

NativeValue: TypeAlias = "bytes | Bulk"


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one frame that stands alone, as in Encapsulated Uncompressed (PS3.5 A.4.11) or after inflating.

    Parameters
    ----------
    data : bytes
        The cells of the frame, and perhaps a byte of padding.
    description : PixelDescription
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError
        If there are too few bytes.

    Examples
    --------
    >>> decode(b"\\x01\\x00\\x02\\x00", PixelDescription(rows=1, columns=2, bits_allocated=16)).array.tolist()
    [[1, 2]]
    """
    return read_frame(data, replace(description, number_of_frames=1), 0, out=out)


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame as little-endian cells, colour by pixel: what `decode` undoes (PS3.5 8.2, A.4.11).

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
        ``frame_bytes`` of them; cells of fewer than 8 bits are filled up at the end of the frame.

    Raises
    ------
    PixelError
        If the frame has another shape.

    Examples
    --------
    >>> encode(np.array([[1, 2]], np.uint16), PixelDescription(rows=1, columns=2, bits_allocated=16))
    b'\\x01\\x00\\x02\\x00'
    """
    no_parameter("native pixel data", quality=quality, near=near)
    if frame.shape != description.frame_shape:
        raise PixelError(f"a frame of {frame.shape}, the description says {description.frame_shape}")
    allocated = description.bits_allocated
    if allocated not in (8, 16, 32, 64):
        return pack(frame.view(f"u{frame.dtype.itemsize}"), allocated).tobytes()
    return frame.astype(f"<{description.dtype.str[1:]}", copy=False).tobytes()


def settle(description: PixelDescription, length: int) -> PixelDescription:
    """Correct a description by the length of a native value: "YBR_FULL_422" that is not subsampled.

    Examples
    --------
    >>> halved = PixelDescription(2, 2, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422")
    >>> settle(halved, 8).photometric_interpretation, settle(halved, 12).photometric_interpretation
    ('YBR_FULL_422', 'YBR_FULL')
    """
    if description.subsampled:
        full = replace(description, photometric_interpretation="YBR_FULL")
        if length * 8 >= full.frame_bits * full.number_of_frames:
            note = "YBR_FULL_422 with as many bytes as YBR_FULL: taken as YBR_FULL"
            return replace(full, notes=(*full.notes, note))
    return description


def read_frame(
    value: NativeValue, description: PixelDescription, index: int, *, out: NDArray[Any] | None = None
) -> Decoded:
    """Read one frame of a native value without touching the others.

    Parameters
    ----------
    value : bytes or Bulk
        The value of the pixel attribute.
    description : PixelDescription
    index : int
        Frame, from 0.
    out : ndarray, optional
        Where to put the frame: ``frame_shape``, C-contiguous, of the description's dtype.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError
        If the value ends before the frame does.

    Examples
    --------
    >>> read_frame(b"\\1\\2\\3\\4", PixelDescription(1, 2, number_of_frames=2), 1).array.tolist()
    [[3, 4]]
    """
    description = settle(description, len(value))
    bits = description.frame_bits
    start, stop = bits * index, bits * (index + 1)
    if stop > len(value) * 8:
        raise PixelError(
            f"cut short: it needs bytes {start // 8} to {(stop + 7) // 8}, the value has {len(value)}", frame=index
        )
    array = out if out is not None else np.empty(description.frame_shape, description.dtype)
    swap_words = description.big_endian and description.bits_allocated <= 8 and description.vr == "OW"
    if are_array(description) and not swap_words:
        _fill(value, start // 8, array.reshape(-1).view(np.uint8).data, index)
        return from_cells(array, description)
    cells = _cells(value, description, start, stop, index, swap_words=swap_words)
    array[...] = _arrange(cells, description)
    clear_unused(array, description)
    photometric = "YBR_FULL" if description.subsampled else description.photometric_interpretation
    return Decoded(array, photometric, description.notes)


def are_array(description: PixelDescription) -> bool:
    """Whether native cells are an array as they stand: whole bytes, colour by pixel, each with all its samples.

    Examples
    --------
    >>> are_array(PixelDescription(1, 2)), are_array(PixelDescription(1, 8, bits_allocated=1))
    (True, False)
    """
    whole = description.bits_allocated in (8, 16, 32, 64)
    return whole and not description.subsampled and not description.planar_configuration


def from_cells(array: NDArray[Any], description: PixelDescription) -> Decoded:
    """Turn cells that were put into an array into stored values, in place.

    Examples
    --------
    >>> twelve = PixelDescription(1, 1, bits_allocated=16, bits_stored=12)
    >>> hex(from_cells(np.array([[0x8001]], np.uint16), twelve).array[0, 0])
    '0x1'
    """
    if description.big_endian is (sys.byteorder == "little"):
        array.byteswap(inplace=True)
    clear_unused(array, description)
    return Decoded(array, description.photometric_interpretation, description.notes)


def _fill(value: NativeValue, offset: int, buffer: Any, index: int) -> None:
    """Fill a buffer with bytes of the value."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        buffer[:] = memoryview(value)[offset : offset + len(buffer)]
        return
    got = value.readinto(buffer, offset)
    if got != len(buffer):
        raise PixelError(f"cut short: {got} of {len(buffer)} bytes could be read", frame=index)


def _cells(
    value: NativeValue, description: PixelDescription, start: int, stop: int, index: int, *, swap_words: bool
) -> NDArray[Any]:
    """The cells between two bit positions of the value, in native byte order."""
    first, last = start // 8, (stop + 7) // 8
    if swap_words:
        first, last = first & ~1, min((last + 1) & ~1, len(value))
    octets = np.empty(last - first, np.uint8)
    _fill(value, first, octets.data, index)
    if swap_words:
        even = len(octets) & ~1
        octets[:even].view(np.uint16).byteswap(inplace=True)
    allocated = description.bits_allocated
    if allocated in (8, 16, 32, 64):
        order = ">" if description.big_endian else "<"
        cells = octets[start // 8 - first : stop // 8 - first].view(f"{order}u{allocated // 8}")
        cells = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    else:
        cells = unpack(octets, allocated, (stop - start) // allocated, skip=start - first * 8)
    return cells.view(description.dtype)


def _arrange(cells: NDArray[Any], description: PixelDescription) -> NDArray[Any]:
    """Bring cells into the order (rows, columns[, samples])."""
    rows, columns, samples = description.rows, description.columns, description.samples_per_pixel
    if description.subsampled:
        pairs = cells.reshape(rows, (columns + 1) // 2, 4)  # Y1 Y2 CB CR, chrominance sited at Y1
        luminance = pairs[:, :, :2].reshape(rows, -1, 1)
        return np.concatenate([luminance, np.repeat(pairs[:, :, 2:], 2, axis=1)], axis=2)[:, :columns]
    if description.planar_configuration:
        return cells.reshape(samples, rows, columns).transpose(1, 2, 0)
    return cells.reshape(description.frame_shape)
