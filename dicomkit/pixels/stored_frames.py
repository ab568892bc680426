"""Frames as they are stored: encoded bytes, places of native frames, and whole pixel cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frame_source import decode_from, encoded_of, source_of
from dicomkit.values.fragments import Fragments

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet
    from dicomkit.sources import Bulk


def encoded_frame(ds: DataSet, index: int = 0) -> bytes:
    """Read the encoded bytes of one frame of encapsulated pixel data, its fragments joined.

    Parameters
    ----------
    ds : DataSet
        An image whose pixel data is encapsulated.
    index : int
        Frame, from 0.

    Returns
    -------
    bytes
        With the padding of the last fragment, unless an Extended Offset Table tells the length.

    Raises
    ------
    PixelError
        If the pixel data is native, or the frame is not there.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "BitsAllocated": 8, "PixelData": b"\\x01\\x00"})
    >>> encoded_frame(ds)
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: frame 0: the pixel data is native, not encapsulated
    """
    source = source_of(ds)
    if not isinstance(source.value, Fragments):
        raise PixelError("the pixel data is native, not encapsulated", frame=index)
    return encoded_of(source, source.value, index)[0]


def native_slices(ds: DataSet) -> tuple[bytes | Bulk, int] | None:
    """Tell where native frames lie that are arrays as they stand: whole little-endian cells, interleaved.

    Frame ``i`` occupies ``frame_bytes`` bytes from ``i * frame_bytes``. Where BitsStored is less than BitsAllocated
    the cells still want `dicomkit.pixels.bits.clear_unused`.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    tuple of (bytes or Bulk, int), or None
        The value and the bytes of a frame; None where frames need decoding, or where bytes are missing.

    Raises
    ------
    PixelError
        If the pixels can't be described.

    Examples
    --------
    >>> import dicomkit as dk
    >>> native_slices(dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"}))
    (b'\\x01\\x02', 2)
    """
    description = describe(ds)
    value = ds.get(description.attribute)
    if value is None or isinstance(value, Fragments):
        return None
    if description.bits_allocated not in (8, 16, 32, 64) or description.subsampled or description.planar_configuration:
        return None
    if description.big_endian or description.frame_bytes * description.number_of_frames > len(value):
        return None
    return value, description.frame_bytes


def frame_cells(ds: DataSet, index: int = 0) -> tuple[NDArray[Any], PixelDescription]:
    """Decode whole pixel cells of a frame, with the bits that don't belong to the stored value.

    Parameters
    ----------
    ds : DataSet
    index : int
        Frame, from 0.

    Returns
    -------
    tuple of (ndarray, PixelDescription)
        Unsigned cells as `frame` arranges them, and the data set's description.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "BitsAllocated": 16, "BitsStored": 12, "PixelData": b"\\x01\\x80"})
    >>> hex(frame_cells(ds)[0][0, 0]), hex(dk.frame(ds)[0, 0])
    ('0x8001', '0x1')
    """
    source = source_of(ds)
    allocated = source.description.bits_allocated
    whole = replace(source.description, bits_stored=allocated, high_bit=allocated - 1, pixel_representation=0)
    return decode_from(source._replace(description=whole), index).array, source.description
