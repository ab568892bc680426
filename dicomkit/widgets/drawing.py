"""A drawing is an 8-bit picture that knows how high its pixels are, and becomes a PNG with true proportions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import ValueFormatError
from dicomkit.pixels.resize import resize
from dicomkit.replacement import replace_file

Picture8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture for a screen.

    Parameters
    ----------
    pixels : ndarray of uint8
        ``(rows, columns)`` for grey, ``(rows, columns, 3)`` for colour.
    aspect : float
        How much higher than wide a pixel is.

    Examples
    --------
    >>> drawing = Drawing(np.zeros((10, 40), np.uint8), aspect=2.0)
    >>> drawing.proportions
    (20.0, 40.0)
    >>> drawing.fitted(20).pixels.shape
    (10, 20)
    """

    pixels: Picture8 = field(repr=False, compare=False)
    aspect: float = 1.0

    @property
    def proportions(self) -> tuple[float, float]:
        """Height and width in units of the smaller side of a pixel, so that no row or column is lost."""
        rows, columns = self.pixels.shape[:2]
        return (rows * self.aspect, float(columns)) if self.aspect >= 1 else (float(rows), columns / self.aspect)

    def shown_size(self, least: int, most: int) -> tuple[int, int]:
        """Height and width on a screen, the longer side within limits."""
        height, width = self.proportions
        longest = max(height, width, 1e-6)
        scale = min(max(longest, least), most) / longest
        return max(1, round(height * scale)), max(1, round(width * scale))

    def fitted(self, most: int) -> Drawing:
        """Give the drawing with square pixels and no side longer than ``most``."""
        return Drawing(resize(self.pixels, *self.shown_size(1, most)))

    def squared(self, side: int) -> Drawing:
        """Give the drawing in the middle of a black square."""
        pixels = resize(self.pixels, *self.shown_size(side, side))
        square = np.zeros((side, side, *pixels.shape[2:]), np.uint8)
        top, left = ((side - n) // 2 for n in pixels.shape[:2])
        square[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return Drawing(square)

    def encoded(self) -> bytes:
        """Write the pixels as they are as PNG, for a page that stretches them itself."""
        return encode_png(self.pixels)

    def to_png(self, most: int | None = None) -> bytes:
        """Write the picture with square pixels as PNG.

        Parameters
        ----------
        most : int, optional
            The longest side; without it, no row or column is lost.
        """
        return encode_png(resize(self.pixels, *self.shown_size(1, most or 1 << 20)))


def save_png(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a PNG file.

    Raises
    ------
    ValueFormatError
        If the name says that it should be something else.
    SourceError
        If it can't be written.
    """
    name = os.fspath(path)
    if not name.lower().endswith(".png"):
        raise ValueFormatError(
            f"pictures are written as PNG, not as {name!r}", hint="choose a name that ends with .png"
        )
    replace_file(name, [data])


def encode_png(pixels: Picture8) -> bytes:
    """Write pixels as PNG, quickly rather than as small as can be.

    Examples
    --------
    >>> encode_png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    import imagecodecs

    # Matches within a row only: on medical images smaller than the default, and quicker.
    strategy = imagecodecs.PNG.STRATEGY.RLE
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=1, strategy=strategy))
