"""Optical densities as greys of a picture, by the Grayscale Standard Display Function (PS3.14, PS3.4 H.4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.serve.film_hierarchy import PresentationLut

_COEFFICIENTS = (
    71.498068,
    94.593053,
    41.912053,
    9.8247004,
    0.28175407,
    -1.1878455,
    -0.18014349,
    0.14710899,
    -0.017046845,
)
"""Of the powers of log10(L), from 0 on (PS3.14 7.1)."""


def jnd_index(luminance: NDArray[Any] | float) -> NDArray[Any]:
    """Return the JND index of a luminance in cd/m2.

    Examples
    --------
    >>> round(float(jnd_index(0.05)), 2), round(float(jnd_index(3993.4)))
    (1.03, 1023)
    """
    return np.polynomial.polynomial.polyval(np.log10(np.asarray(luminance, np.float64)), _COEFFICIENTS)


@dataclass(frozen=True, slots=True)
class Response:
    """What densities look like: black and white of the picture are those of the paper, equal steps look equal.

    Parameters
    ----------
    min_density, max_density
        Of the paper, in hundredths of OD.
    illumination, reflected
        Of the light box, and of the room, in cd/m2.

    Examples
    --------
    >>> film = Response(20, 310)
    >>> film.grey(310), film.grey(20), round(film.grey(150))
    (0.0, 255.0, 85)
    """

    min_density: float
    max_density: float
    illumination: float = 2000.0
    reflected: float = 10.0

    def grey(self, density: float) -> float:
        """Return what a density is in a picture: 0 for the darkest, 255 for the brightest."""
        return float(self.greys(np.array([density], np.float64))[0])

    def greys(self, densities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what densities are in a picture."""
        inside = np.clip(densities, self.min_density, self.max_density)
        low, high = self._index(np.array([self.max_density, self.min_density], np.float64))
        greys: NDArray[np.float64] = (self._index(inside) - low) * (255 / (high - low))
        return greys

    def _index(self, densities: NDArray[np.float64]) -> NDArray[np.float64]:
        return jnd_index(self.reflected + self.illumination * 10.0 ** (-densities / 100))

    def table(self, bits: int, lut: PresentationLut, lightest: float, darkest: float) -> NDArray[np.uint8]:
        """Return the grey of each value of an image.

        Parameters
        ----------
        bits
            Of a value.
        lut
            What becomes of values; a table has its entries spread over all of them.
        lightest, darkest
            The densities of the largest and the smallest P-value.
        """
        values = np.linspace(0.0, 1.0, 1 << bits)
        if lut.shape == "LIN OD":
            greys = self.greys(darkest + values * (lightest - darkest))
        else:
            if lut.table is not None:
                at = np.rint(values * (len(lut.table.entries) - 1)).astype(np.intp)
                values = lut.table.entries[at] / ((1 << lut.table.bits) - 1)
            white, black = self.grey(lightest), self.grey(darkest)
            greys = black + values * (white - black)
        return np.rint(np.clip(greys, 0, 255)).astype(np.uint8)
