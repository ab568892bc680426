"""Look-up tables: modality, VOI and palette tables are all stored in one way (PS3.3 C.11.1.1, C.11.2.1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.words import words
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table of output values for consecutive input values; inputs outside take the nearest entry.

    Parameters
    ----------
    first : int
        The input value that the first entry belongs to.
    entries : ndarray
        Output values, unsigned, one axis.
    bits : int
        Bits of an entry: the output range is 0 to 2**bits - 1.
    explanation : str
        LUT Explanation, or what the values are.

    Examples
    --------
    >>> LookupTable(-1, np.array([0, 10, 20], np.uint8), 8)(np.array([-5, -1, 0, 1, 7])).tolist()
    [0, 0, 10, 20, 20]
    """

    first: int
    entries: NDArray[Any] = field(compare=False)
    bits: int
    explanation: str = ""

    def __call__(self, array: NDArray[Any]) -> NDArray[Any]:
        """Look values up; fractions are rounded to the nearest input."""
        return look_up(self.entries, self.first, array)

    def to_8_bits(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Look values up in the entries, scaled from the whole range of their bits to 0 to 255."""
        scaled = self.entries * (255 / ((1 << self.bits) - 1))
        return look_up(np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), self.first, array)


def look_up(
    entries: NDArray[Any],
    first: int,
    array: NDArray[Any],
    out: NDArray[Any] | None = None,
    *,
    all_inside: bool = False,
) -> NDArray[Any]:
    """Replace values by the entries of a table.

    Parameters
    ----------
    entries : ndarray
        One entry (of any shape) for each input value from ``first`` on.
    first : int
    array : ndarray
        Integers, or floating point values to be rounded; NaN takes the first entry.
    out : ndarray, optional
        Where to put the result.
    all_inside : bool
        Whether it is known that every value has an entry.

    Returns
    -------
    ndarray
        Of the shape of ``array``, and that of an entry behind it.

    Examples
    --------
    >>> look_up(np.array([[0, 0, 0], [255, 0, 0]], np.uint8), 5, np.array([6])).tolist()
    [[255, 0, 0]]
    """
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    result = np.empty((*array.shape, *entries.shape[1:]), entries.dtype) if out is None else out
    for part, into in blocks(array, result):
        into[...] = entries.take(_positions(part, first, len(entries), all_inside), axis=0)
    return result


def blocks(
    array: NDArray[Any], result: NDArray[Any], size: int = _BLOCK
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Cut an array and its result into parts along the first axis, so that what is computed between stays small.

    Examples
    --------
    >>> [part.shape for part, _ in blocks(np.zeros((5, 4)), np.zeros((5, 4)), 8)]
    [(2, 4), (2, 4), (1, 4)]
    """
    if array.ndim < 2 or array.size <= size:
        yield array, result
        return
    step = max(1, size * len(array) // array.size)
    for start in range(0, len(array), step):
        yield array[start : start + step], result[start : start + step]


def _positions(array: NDArray[Any], first: int, count: int, all_inside: bool = False) -> NDArray[Any]:
    """Positions of values in a table of ``count`` entries that begins with ``first``."""
    last = count - 1
    if array.dtype.kind == "f":
        inside = np.fmin(np.fmax(np.rint(array), first), first + last)  # a number rather than NaN
        nearest: NDArray[np.intp] = np.subtract(inside, first).astype(np.intp)
        return nearest
    if not array.size:
        return array.astype(np.intp)
    least, most = _limits(array.dtype)
    if not all_inside and (int(array.min()) < first or int(array.max()) > first + last):
        array = np.clip(array, min(max(first, least), most), max(min(first + last, most), least))
    if array.dtype.itemsize <= 2 and least <= first <= most:  # differences modulo 2**16 are right, whatever the sign
        unsigned = array.view(f"u{array.dtype.itemsize}")
        positions: NDArray[Any] = np.subtract(unsigned, unsigned.dtype.type(first % (1 << 8 * array.dtype.itemsize)))
        return positions
    wide: NDArray[Any] = np.subtract(array, first, dtype=np.int64, casting="unsafe")
    np.clip(wide, 0, last, out=wide)
    return wide


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and the greatest integer of a type."""
    return (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def parse_table(item: DataSet, *, signed_input: bool) -> LookupTable:
    """Read an item of Modality LUT, VOI LUT or Presentation LUT Sequence.

    Parameters
    ----------
    item : DataSet
        Has LUT Descriptor and LUT Data.
    signed_input : bool
        Whether the table is looked up with values that may be negative.

    Returns
    -------
    LookupTable

    Raises
    ------
    PixelError
        If the descriptor or the data make no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> item = dk.DataSet({"LUTDescriptor": (2, 0, 8), "LUTData": (0, 255), "LUTExplanation": "BONE"})
    >>> parse_table(item, signed_input=False).explanation
    'BONE'
    """
    count, first, bits = parse_descriptor(item.get("LUTDescriptor"), signed=signed_input, name="LUTDescriptor")
    entries = parse_entries(item, "LUTData", count, bits)
    explanation = item.get("LUTExplanation") or item.get("ModalityLUTType") or ""
    bits = min(max(bits, 1), 16)
    if bits < 16 and entries.max(initial=0) >> bits:  # entries of more bits than the descriptor says
        bits = int(entries.max()).bit_length()
    return LookupTable(first, entries, bits, str(explanation))


def parse_descriptor(value: object, *, signed: bool, name: str) -> tuple[int, int, int]:
    """Read a LUT descriptor: number of entries (0 means 65536), first input value, bits of an entry.

    Parameters
    ----------
    value : object
        Three integers; the outer two are unsigned whatever the VR.
    signed : bool
        Whether the first input value is signed, whatever the VR.
    name : str
        Keyword for messages.

    Returns
    -------
    tuple of (int, int, int)

    Raises
    ------
    PixelError
        If it isn't three integers.

    Examples
    --------
    >>> parse_descriptor((0, 63488, 16), signed=True, name="LUTDescriptor")
    (65536, -2048, 16)
    """
    if not isinstance(value, tuple) or len(value) != 3 or not all(isinstance(number, int) for number in value):
        raise PixelError(f"{name} is {value!r}, not three integers", tag=Tag.of(name))
    count, first, bits = value
    first &= 0xFFFF
    if signed and first > 0x7FFF:
        first -= 0x10000
    return (count & 0xFFFF) or 0x10000, first, bits & 0xFFFF


def parse_entries(ds: DataSet, keyword: str, count: int, bits: int) -> NDArray[Any]:
    """Read the entries of a table, stored in bytes or in words (PS3.3 C.11.2.1.1 note).

    Parameters
    ----------
    ds : DataSet
        The data set or item that has them.
    keyword : str
        Of the element: bytes, integers, or one integer.
    count, bits : int
        From the descriptor.

    Returns
    -------
    ndarray
        ``count`` values, uint8 or uint16.

    Raises
    ------
    PixelError
        If there are too few.

    Examples
    --------
    >>> import dicomkit as dk
    >>> parse_entries(dk.DataSet(LUTData=(1, 2, 3)), "LUTData", 3, 8).tolist()
    [1, 2, 3]
    """
    value = ds.get(keyword)
    if isinstance(value, (int, tuple)):
        entries: NDArray[Any] = np.array(value, np.int64).reshape(-1).astype(np.uint16)
        if len(entries) < count and bits <= 8:  # two entries in each word
            entries = entries.astype("<u2").view(np.uint8)
    else:
        octets = words(ds, keyword) if value is not None else np.empty(0, np.uint8)
        packed = bits <= 8 and len(octets) < 2 * count
        entries = octets if packed else octets[: len(octets) & ~1].view("<u2").astype(np.uint16, copy=False)
    if len(entries) < count:
        raise PixelError(f"{keyword} has {len(entries)} entries, its descriptor says {count}", tag=Tag.of(keyword))
    return entries[:count]
