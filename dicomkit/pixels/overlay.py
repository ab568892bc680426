"""Overlay planes, stored beside the pixels or in their unused bits (PS3.3 C.9.2, PS3.5 8.1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.bits import unpack
from dicomkit.pixels.stored_frames import frame_cells
from dicomkit.pixels.words import words

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_FIRST, _LAST = 0x6000, 0x601E
_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _FRAME_ORIGIN = 0x10, 0x11, 0x15, 0x40, 0x50, 0x51
_BIT_POSITION, _LABEL, _DESCRIPTION, _DATA = 0x102, 0x1500, 0x22, 0x3000


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay plane of a frame.

    Parameters
    ----------
    group : int
        0x6000 to 0x601E.
    mask : ndarray of bool
        ``(rows, columns)`` of the overlay.
    origin : tuple of int
        Row and column of the image, from 1, where its first bit lies.
    type : str
        ``"G"`` graphics or ``"R"`` region of interest.
    label, description : str
    """

    group: int
    mask: NDArray[np.bool_] = field(compare=False, repr=False)
    origin: tuple[int, int] = (1, 1)
    type: str = ""
    label: str = ""
    description: str = ""


def overlays(ds: DataSet, frame: int = 0) -> tuple[Overlay, ...]:
    """Read the overlay planes of a frame.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.

    Returns
    -------
    tuple of Overlay
        Planes that don't concern the frame are left out.

    Raises
    ------
    PixelError
        If an overlay has too little data.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({0x60000010: 2, 0x60000011: 4, 0x60000040: "G", 0x60000050: (1, 1), 0x60003000: b"\\x81\\x00"})
    >>> overlays(ds)[0].mask.astype(int).tolist()
    [[1, 0, 0, 0], [0, 0, 0, 1]]
    """
    found = []
    for group in range(_FIRST, _LAST + 2, 2):
        base = group << 16
        rows, columns = ds.get(base | _ROWS), ds.get(base | _COLUMNS)
        if isinstance(rows, int) and isinstance(columns, int) and rows > 0 and columns > 0:
            mask = (
                _separate(ds, base, rows, columns, frame)
                if ds.get(base | _DATA) is not None
                else _embedded(ds, base, frame)
            )
            if mask is not None:
                origin = ds.get(base | _ORIGIN)
                good = isinstance(origin, tuple) and len(origin) == 2
                texts = [str(ds.get(base | element) or "").strip() for element in (_TYPE, _LABEL, _DESCRIPTION)]
                found.append(Overlay(group, mask, origin if good else (1, 1), *texts))
    return tuple(found)


def _separate(ds: DataSet, base: int, rows: int, columns: int, frame: int) -> NDArray[np.bool_] | None:
    """The plane of a frame from Overlay Data, or None where the overlay has none for it."""
    number, first = ds.get(base | _FRAMES), ds.get(base | _FRAME_ORIGIN)
    number = number if isinstance(number, int) and number > 0 else 1
    index = frame - (first - 1 if isinstance(first, int) and first > 0 else 0)
    if number == 1 and not isinstance(first, int):
        index = 0  # a single plane concerns every frame
    if not 0 <= index < number:
        return None
    value = ds.get(base | _DATA)
    start = index * rows * columns
    stop = start + rows * columns
    if stop > len(value) * 8:
        raise PixelError(f"an overlay needs {stop} bits, {len(value) * 8} are there", frame=frame, tag=base | _DATA)
    bits = unpack(words(ds, base | _DATA)[start // 8 : (stop + 7) // 8], 1, stop - start, skip=start % 8)
    return bits.reshape(rows, columns).astype(np.bool_)


def _embedded(ds: DataSet, base: int, frame: int) -> NDArray[np.bool_] | None:
    """The plane in the unused bits of pixel cells (retired), or None where the position is no unused bit."""
    position = ds.get(base | _BIT_POSITION)
    if not isinstance(position, int) or not position:
        return None
    cells, description = frame_cells(ds, frame)
    used = range(description.high_bit + 1 - description.bits_stored, description.high_bit + 1)
    if cells.ndim != 2 or position in used or position >= description.bits_allocated:
        return None
    return (cells >> position & 1).astype(np.bool_)
