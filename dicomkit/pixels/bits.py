"""Bits of pixel cells: packed cells, unused bits, sign extension (PS3.5 8.1.1, 8.2 and Annex D)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.pixels.description import PixelDescription


def unpack(data: NDArray[np.uint8], bits: int, count: int, *, skip: int = 0) -> NDArray[Any]:
    """Unpack cells that are concatenated bit by bit, least significant bit first (PS3.5 8.2).

    Parameters
    ----------
    data : ndarray of uint8
    bits : int
        Bits of a cell, 1 to 64.
    count : int
        Cells to unpack; ``data`` must hold them.
    skip : int
        Bits before the first cell.

    Returns
    -------
    ndarray
        ``count`` unsigned integers: uint8, uint16, uint32 or uint64, whichever holds a cell.

    Examples
    --------
    >>> unpack(np.array([0b00000101], np.uint8), 1, 4).tolist()
    [1, 0, 1, 0]
    >>> unpack(np.array([0x21, 0x43, 0x65], np.uint8), 12, 2).tolist() == [0x321, 0x654]
    True
    """
    flat = np.unpackbits(data, count=skip + bits * count, bitorder="little")[skip:]
    if bits == 1:
        return flat
    size = next(size for size in (1, 2, 4, 8) if size * 8 >= bits)
    packed = np.packbits(flat.reshape(count, bits), axis=1, bitorder="little")
    cells = np.zeros((count, size), np.uint8)
    cells[:, : packed.shape[1]] = packed
    return cells.view(f"<u{size}").reshape(count).astype(f"=u{size}", copy=False)


def pack(cells: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Concatenate cells bit by bit, least significant bit first: what `unpack` undoes.

    Parameters
    ----------
    cells : ndarray of unsigned integers
    bits : int
        Bits of a cell; higher bits of the values are dropped.

    Returns
    -------
    ndarray of uint8
        The last byte is filled up with zero bits.

    Examples
    --------
    >>> pack(np.array([1, 0, 1, 0], np.uint8), 1).tolist()
    [5]
    """
    flat = cells.reshape(-1)
    octets = flat.astype(flat.dtype.newbyteorder("<"), copy=False).view(np.uint8).reshape(flat.size, flat.itemsize)
    return np.packbits(np.unpackbits(octets, axis=1, count=bits, bitorder="little"), bitorder="little")


def clear_unused(array: NDArray[Any], description: PixelDescription) -> NDArray[Any]:
    """Reduce cells to their stored bits, in place: nothing may be assumed of the others (PS3.5 8.1.1).

    Parameters
    ----------
    array : ndarray of integers
        Whole cells, writable; values are changed in place.
    description : PixelDescription
        Says BitsStored, HighBit and PixelRepresentation.

    Returns
    -------
    ndarray
        The same array: stored bits moved down to bit 0, and sign-extended where signed.

    Examples
    --------
    >>> twelve = PixelDescription(rows=1, columns=2, bits_allocated=16, bits_stored=12, pixel_representation=1)
    >>> clear_unused(np.array([0x1FFF, 0x7001], np.int16), twelve).tolist()
    [-1, 1]
    """
    width = array.dtype.itemsize * 8
    stored, top = description.bits_stored, description.high_bit + 1
    if array.dtype.kind not in "ui" or stored >= width or description.bits_allocated == 1:
        return array
    if array.dtype.kind == "i":
        np.left_shift(array, width - top, out=array)
        np.right_shift(array, width - stored, out=array)
        return array
    if top > stored:
        np.right_shift(array, top - stored, out=array)
    np.bitwise_and(array, array.dtype.type((1 << stored) - 1), out=array)
    return array
