"""The pixels of an image box: a picture as an item of an image sequence, and back (PS3.3 C.13.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import MissingElementError, PixelError, ValueFormatError
from dicomkit.values.tag import Tag

GREY_SEQUENCE, COLOUR_SEQUENCE = "BasicGrayscaleImageSequence", "BasicColorImageSequence"
_BITS = {(8, 8, 7), (16, 12, 11)}
_GREY: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {"SamplesPerPixel": (1,), "PhotometricInterpretation": ("MONOCHROME1", "MONOCHROME2"), "PixelRepresentation": (0,)}
)
_COLOUR: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "SamplesPerPixel": (3,),
        "PhotometricInterpretation": ("RGB",),
        "PixelRepresentation": (0,),
        "PlanarConfiguration": (0, 1),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class FilmPicture:
    """A picture that is or was printed.

    Parameters
    ----------
    pixels
        ``(rows, columns)`` of uint8, or of uint16 with 12 bits, the lowest value black; or ``(rows, columns, 3)`` of
        uint8, RGB.
    aspect
        How much higher than wide a pixel is.
    """

    pixels: NDArray[Any]
    aspect: float = 1.0

    def __post_init__(self) -> None:
        shape, kind = self.pixels.shape, self.pixels.dtype
        grey = len(shape) == 2 and kind in (np.uint8, np.uint16)
        if not self.pixels.size or not (grey or (len(shape) == 3 and shape[2] == 3 and kind == np.uint8)):
            raise ValueFormatError(f"a picture of shape {shape} and type {kind} can't be printed")
        if max(shape[:2]) > 0xFFFF or not 1e-3 <= self.aspect <= 1e3:
            raise ValueFormatError(f"a picture of shape {shape} with pixels {self.aspect:g} times as high as wide")

    @property
    def is_colour(self) -> bool:
        """Whether it is RGB."""
        return self.pixels.ndim == 3

    @property
    def bits(self) -> int:
        """Bits of a sample: 8 or 12."""
        return 12 if self.pixels.dtype == np.uint16 else 8


def make_image_item(picture: FilmPicture) -> DataSet:
    """Make the item of Basic Grayscale or Basic Color Image Sequence that has a picture.

    Examples
    --------
    >>> item = make_image_item(FilmPicture(np.zeros((2, 3), np.uint8), aspect=1.5))
    >>> item.PhotometricInterpretation, item.PixelAspectRatio, item.Columns
    ('MONOCHROME2', (3, 2), 3)
    """
    pixels = picture.pixels
    colour = picture.is_colour
    planes = pixels.transpose(2, 0, 1) if colour else pixels
    data = planes.astype("<u2" if picture.bits == 12 else np.uint8).tobytes()
    elements: dict[str, Any] = {
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        **({"PlanarConfiguration": 1} if colour else {}),
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16 if picture.bits == 12 else 8,
        "BitsStored": picture.bits,
        "HighBit": picture.bits - 1,
        "PixelRepresentation": 0,
        "PixelData": data + b"\0" * (len(data) % 2),
    }
    ratio = Fraction(picture.aspect).limit_denominator(1000)
    if ratio != 1:
        elements["PixelAspectRatio"] = (ratio.numerator, ratio.denominator)
    return DataSet(elements)


def image_size(item: DataSet, *, colour: bool) -> tuple[int, int, float]:
    """Check that an item of an image sequence has what may be printed, and return rows, columns and pixel aspect.

    Raises
    ------
    MissingElementError
        When it lacks an attribute.
    PixelError
        When one has a value that may not be printed, or there are more or fewer pixels than it says.
    """
    for keyword, allowed in (_COLOUR if colour else _GREY).items():
        if _needed(item, keyword) not in allowed:
            raise PixelError(
                f"{keyword} is {item[keyword]!r}, not {' or '.join(map(str, allowed))}", tag=Tag.of(keyword)
            )
    bits = tuple(_needed(item, keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    if bits not in (_BITS - {(16, 12, 11)} if colour else _BITS):
        raise PixelError(f"bits allocated, stored and high bit are {bits}", tag=Tag.of("BitsStored"))
    rows, columns = (_needed(item, keyword) for keyword in ("Rows", "Columns"))
    if not rows or not columns or not isinstance(rows, int) or not isinstance(columns, int):
        raise PixelError(f"an image of {rows} rows and {columns} columns", tag=Tag.of("Rows"))
    size = rows * columns * item.SamplesPerPixel * (bits[0] // 8)
    stored = _needed(item, "PixelData")
    try:
        there = len(stored)
    except TypeError:
        there = -1
    if there not in (size, size + size % 2):
        raise PixelError(f"there are {there} bytes of pixels, and should be {size}", tag=Tag.of("PixelData"))
    return rows, columns, _aspect(item)


def _needed(item: DataSet, keyword: str) -> Any:
    value = item.get(keyword)
    if value is None:
        raise MissingElementError(f"the image has no {keyword}", tag=Tag.of(keyword))
    return value


def _aspect(item: DataSet) -> float:
    ratio = item.get("PixelAspectRatio")
    if ratio is None:
        return 1.0
    good = isinstance(ratio, tuple) and len(ratio) == 2 and all(isinstance(side, int) and side > 0 for side in ratio)
    if not good or not 1e-3 <= ratio[0] / ratio[1] <= 1e3:
        raise PixelError(f"the pixel aspect ratio {ratio!r}", tag=Tag.of("PixelAspectRatio"))
    return float(ratio[0] / ratio[1])


def read_image_item(item: DataSet, *, colour: bool) -> FilmPicture:
    """Return the picture of an item of an image sequence, the lowest value black.

    Raises
    ------
    MissingElementError, PixelError
        As `image_size`.

    Examples
    --------
    >>> item = make_image_item(FilmPicture(np.array([[0, 4095]], np.uint16)))
    >>> read_image_item(item.assign(PhotometricInterpretation="MONOCHROME1"), colour=False).pixels.tolist()
    [[4095, 0]]
    """
    rows, columns, aspect = image_size(item, colour=colour)
    samples = 3 if colour else 1
    kind = np.dtype("<u2" if item.BitsAllocated == 16 else np.uint8)
    flat = np.frombuffer(bytes(item.PixelData), kind, rows * columns * samples)
    pixels: NDArray[Any] = flat.astype(kind.newbyteorder("=")).reshape(rows, columns) if not colour else flat
    if colour:
        planes = item.PlanarConfiguration == 1
        pixels = flat.reshape(3, rows, columns).transpose(1, 2, 0) if planes else flat.reshape(rows, columns, 3)
    highest = (1 << item.BitsStored) - 1
    if kind.itemsize == 2:
        pixels = pixels & np.uint16(highest)
    if item.PhotometricInterpretation == "MONOCHROME1":
        pixels = highest - pixels
    return FilmPicture(pixels, aspect)
