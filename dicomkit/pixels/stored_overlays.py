"""Overlays in the unused bits of pixel cells as Overlay Data, because an encoding of stored values drops those bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.pixels.bits import pack
from dicomkit.pixels.description import describe
from dicomkit.pixels.stored_frames import frame_cells

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _ALLOCATED, _POSITION, _DATA = 0x10, 0x11, 0x15, 0x100, 0x102, 0x3000


def with_overlay_data(ds: DataSet) -> DataSet:
    """Copy overlay planes out of pixel cells (retired form, PS3.5 8.1.2) to Overlay Data.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    DataSet
        The one given where there are no such overlays.

    Raises
    ------
    PixelError
        If the pixels can't be read.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(Rows=1, Columns=2, BitsAllocated=16, BitsStored=12, PixelData=b"\\x01\\x80\\x02\\x00")
    >>> ds = ds.assign({0x60000010: 1, 0x60000011: 2, 0x60000100: 16, 0x60000102: 15})
    >>> with_overlay_data(ds)[0x6000, 0x3000]
    b'\\x01\\x00'
    """
    changes: dict[int, Any] = {}
    for group in _GROUPS:
        base = group << 16
        position = ds.get(base | _POSITION)
        if not isinstance(position, int) or not position or ds.get(base | _DATA) is not None:
            continue
        description = describe(ds)
        used = range(description.high_bit + 1 - description.bits_stored, description.high_bit + 1)
        if position in used or position >= description.bits_allocated or description.samples_per_pixel != 1:
            continue
        count = description.number_of_frames
        planes = [(frame_cells(ds, index)[0] >> position & 1).astype(np.uint8) for index in range(count)]
        data = pack(np.concatenate([plane.reshape(-1) for plane in planes]), 1).tobytes()
        changes[base | _ROWS], changes[base | _COLUMNS] = description.rows, description.columns
        if count > 1:
            changes[base | _FRAMES] = count
        changes[base | _ALLOCATED], changes[base | _POSITION] = 1, 0
        changes[base | _DATA] = data + bytes(len(data) % 2)
    return ds.assign(changes) if changes else ds
