"""Palettes: single samples to colour, plain, segmented or supplemental (PS3.3 C.7.6.3.1.5, C.7.9.2, C.7.6.19)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.lookup import look_up, parse_descriptor, parse_entries
from dicomkit.pixels.words import words
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_COLOURS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours for consecutive stored values; values outside take the nearest colour.

    Parameters
    ----------
    first : int
        The stored value that the first colour belongs to.
    colours : ndarray
        ``(n, 3)`` red, green and blue, uint8 or uint16 over the whole range of their bits.
    bits : int
        8 or 16.

    Examples
    --------
    >>> Palette(0, np.array([[0, 0, 0], [65535, 0, 0]], np.uint16), 16)(np.array([[1]], np.uint8)).tolist()
    [[[255, 0, 0]]]
    """

    first: int
    colours: NDArray[Any] = field(compare=False)
    bits: int

    def __call__(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Colour stored values: ``(..., 3)`` of uint8."""
        return look_up(self.colours8, self.first, array)

    @property
    def colours8(self) -> NDArray[np.uint8]:
        """The colours in 8 bits each."""
        return (self.colours >> (self.bits - 8)).astype(np.uint8)

    def converted(self, convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Palette:
        """The palette with each of its colours converted."""
        return Palette(self.first, convert(self.colours8), 8)


def palette_of(ds: DataSet) -> Palette | None:
    """Read the palette of an image.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    Palette or None
        None where the image has none.

    Raises
    ------
    PixelError
        If descriptors or data make no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> names = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
    >>> descriptors = {f"{name}Descriptor": (2, 0, 8) for name in names}
    >>> ds = dk.DataSet(descriptors | {f"{name}Data": b"\\0\\xff" for name in names})
    >>> palette_of(ds).colours.tolist()
    [[0, 0, 0], [255, 255, 255]]
    """
    if ds.get("RedPaletteColorLookupTableDescriptor") is None:
        return None
    signed = ds.get("PixelRepresentation") == 1
    columns, firsts, depths = [], [], []
    for colour in _COLOURS:
        name = f"{colour}PaletteColorLookupTable"
        count, first, bits = parse_descriptor(ds.get(f"{name}Descriptor"), signed=signed, name=f"{name}Descriptor")
        if bits not in (8, 16):
            raise PixelError(f"{name}Descriptor says {bits} bits", tag=Tag.of(f"{name}Descriptor"))
        if ds.get(f"{name}Data") is not None:
            entries = parse_entries(ds, f"{name}Data", count, bits)
        else:
            segmented = f"Segmented{name}Data"
            octets = words(ds, segmented) if segmented in ds else np.empty(0, np.uint8)
            entries = expand(octets if bits == 8 else octets[: len(octets) & ~1].view("<u2"), count, name=segmented)
        columns.append(entries)
        firsts.append(first)
        depths.append(bits)
    if len({len(column) for column in columns}) > 1 or len(set(firsts)) > 1:
        raise PixelError("the three palette descriptors differ", tag=Tag.of("RedPaletteColorLookupTableDescriptor"))
    colours = np.stack(columns, axis=1)
    # Eight bits padded to sixteen, against the rule that the whole range be used, are common: no entry is above 255.
    bits = 8 if depths[0] == 8 or colours.max(initial=0) < 256 else 16
    return Palette(firsts[0], colours, bits)


def expand(segments: NDArray[Any], count: int, *, name: str = "segmented palette") -> NDArray[Any]:
    """Expand segmented palette data (PS3.3 C.7.9.2).

    Parameters
    ----------
    segments : ndarray
        uint8 or uint16 words: opcodes, lengths and values.
    count : int
        Entries that the descriptor says.
    name : str
        Keyword for messages.

    Returns
    -------
    ndarray
        ``count`` entries, of the type of ``segments``.

    Raises
    ------
    PixelError
        If a segment runs past the end, or the segments don't make ``count`` entries.

    Examples
    --------
    >>> expand(np.array([0, 1, 0, 1, 4, 100], np.uint16), 5).tolist()
    [0, 25, 50, 75, 100]
    """
    output = np.empty(count, np.float64)
    words_list: list[int] = segments.tolist()
    unit = segments.itemsize
    # Each entry of the stack: where to read, and how many segments are left there (-1: until the end).
    filled, position, copies, back = 0, 0, -1, 0
    try:
        while filled < count:
            if copies == 0:
                position, copies = back, -1
            copies -= copies > 0
            opcode, length = words_list[position], words_list[position + 1]
            if opcode == _DISCRETE:
                values = words_list[position + 2 : position + 2 + length]
                take = min(length, count - filled)
                output[filled : filled + take] = values[:take]
                filled, position = filled + take, position + 2 + length
            elif opcode == _LINEAR and filled:
                ramp = np.linspace(output[filled - 1], words_list[position + 2], length + 1)[1:]
                take = min(length, count - filled)
                output[filled : filled + take] = ramp[:take]
                filled, position = filled + take, position + 3
            elif opcode == _INDIRECT and copies < 0 and length:
                low, high = _offset(words_list, position + 2, unit)
                back, copies, position = high, length, low
            else:
                raise PixelError(f"{name}: a segment with opcode {opcode} at word {position}")
    except (IndexError, ValueError) as error:
        raise PixelError(f"{name} ends after {filled} of {count} entries") from error
    return np.rint(output).astype(segments.dtype)


def _offset(words_list: list[int], position: int, unit: int) -> tuple[int, int]:
    """Where an indirect segment points to, in words, and the position behind it."""
    if unit == 2:
        offset = words_list[position] | words_list[position + 1] << 16
        return offset // 2, position + 2
    return int.from_bytes(bytes(words_list[position : position + 4]), "little"), position + 4
