"""How far encoded frames are from what they were: largest error, PSNR, SSIM, error map."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomkit.pixels.description import PixelDescription

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_WINDOW = 8
_AT_ONCE = 1 << 13
"""Samples that are compared at once."""


class Fidelity(NamedTuple):
    """A data set that was transcoded, and how far its pixels are from those before.

    Parameters
    ----------
    dataset : DataSet
    ratio : float or None
        Bytes of the native frames by those of the encoded ones.
    max_error : int or None
        Largest difference of a sample; None where nothing was compared.
    psnr : float or None
        Decibels over all frames, against the largest value of BitsStored; infinite without a difference.
    ssim : float or None
        Mean structural similarity over windows of 8 x 8 samples, where it was asked for.
    error_map : ndarray or None
        ``(rows, columns)`` of unsigned integers: largest difference of each pixel over all frames and samples.
    """

    dataset: DataSet
    ratio: float | None = None
    max_error: int | None = None
    psnr: float | None = None
    ssim: float | None = None
    error_map: NDArray[Any] | None = None

    def __repr__(self) -> str:
        figures = {"ratio": self.ratio, "max_error": self.max_error, "psnr": self.psnr, "ssim": self.ssim}
        told = ", ".join(f"{name}={value:.6g}" for name, value in figures.items() if value is not None)
        return f"<Fidelity {self.dataset.transfer_syntax.name}{': ' if told else ''}{told}>"


class Differences:
    """Gathers the differences of frames, from any thread.

    Parameters
    ----------
    description : PixelDescription
        Of what was encoded.
    number_of_frames : int
    ssim : bool
        Whether to compute the structural similarity too.
    """

    def __init__(self, description: PixelDescription, number_of_frames: int, *, ssim: bool = False) -> None:
        self._peak = float((1 << description.bits_stored) - 1)
        self._samples = number_of_frames * description.rows * description.columns * description.samples_per_pixel
        smallest = np.min_scalar_type((1 << description.bits_stored) - 1)
        self._map = np.zeros((description.rows, description.columns), smallest)
        self._squares = 0.0
        self._ssim: list[float] | None = [] if ssim else None
        self._lock = Lock()

    def add(self, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Add a frame."""
        squares = 0.0
        step = max(1, _AT_ONCE * len(before) // before.size)
        for start in range(0, len(before), step):  # by strips, so that no temporary array has the size of a frame
            rows = slice(start, start + step)
            difference = np.abs(before[rows].astype(np.int64) - after[rows])
            squares += float(np.square(difference, dtype=np.float64).sum())
            worst = difference.max(axis=2) if difference.ndim == 3 else difference
            with self._lock:
                np.maximum(self._map[rows], worst, out=self._map[rows], casting="unsafe")
        similarity = ssim(before, after, self._peak) if self._ssim is not None else 0.0
        with self._lock:
            self._squares += squares
            if self._ssim is not None:
                self._ssim.append(similarity)

    def fidelity(self, ds: DataSet, ratio: float) -> Fidelity:
        """Sum up."""
        mean = self._squares / self._samples
        psnr = float("inf") if mean == 0 else float(10 * np.log10(self._peak**2 / mean))
        similarity = float(np.mean(self._ssim)) if self._ssim else None
        return Fidelity(ds, ratio, int(self._map.max()), psnr, similarity, self._map)


def ssim(one: NDArray[Any], other: NDArray[Any], peak: float) -> float:
    """Structural similarity, averaged over windows of 8 x 8 samples (Wang 2004, uniform weights, no overlap).

    Parameters
    ----------
    one, other : ndarray
        ``(rows, columns)`` or ``(rows, columns, samples)``.
    peak : float
        Largest value that a sample can have.

    Returns
    -------
    float
        1 for equal images.

    Examples
    --------
    >>> image = np.arange(64).reshape(8, 8)
    >>> ssim(image, image, 255.0)
    1.0
    """
    x, y = _windows(one), _windows(other)
    mean_x, mean_y = x.mean(axis=(1, 3)), y.mean(axis=(1, 3))
    variance_x, variance_y = x.var(axis=(1, 3)), y.var(axis=(1, 3))
    covariance = (x * y).mean(axis=(1, 3)) - mean_x * mean_y
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((numerator / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))).mean())


def _windows(image: NDArray[Any]) -> NDArray[np.float64]:
    """Cut an image into windows, (down, 8, across, 8, samples); smaller ones at the edge are left out."""
    rows, columns = image.shape[:2]
    down, across = min(_WINDOW, rows), min(_WINDOW, columns)
    whole = image[: rows // down * down, : columns // across * across].astype(np.float64)
    return whole.reshape(rows // down, down, columns // across, across, -1)
