"""Resize pictures: the average of what a new pixel covers when they shrink, linear or nearest when they grow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import frame_attribute
from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

Method: TypeAlias = Literal["linear", "nearest"]
Size: TypeAlias = "int | tuple[int, int] | Literal['square'] | None"

LARGEST_SIDE = 1 << 16
_SPACINGS = ("ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")


def resize(picture: NDArray[Any], rows: int, columns: int, method: Method = "linear") -> NDArray[Any]:
    """Bring a picture to a size.

    Each axis is treated by itself: where it shrinks, a new pixel is the exact average of the area that it covers, so
    nothing aliases; where it grows, values are interpolated between pixel centres, or repeated.

    Parameters
    ----------
    picture : ndarray
        ``(rows, columns)`` or ``(rows, columns, samples)``, of uint8, uint16 or floating point.
    rows, columns : int
        The new size.
    method : str
        How to enlarge: ``"linear"`` or ``"nearest"``.

    Returns
    -------
    ndarray
        Of the same type; integers are rounded.

    Raises
    ------
    ValueFormatError
        If the size or the method make no sense.

    Examples
    --------
    >>> resize(np.array([[0, 0, 100, 100, 200, 200]], np.uint8), 1, 2).tolist()
    [[33, 167]]
    >>> resize(np.array([[0, 100]], np.uint8), 1, 4).tolist()
    [[0, 25, 75, 100]]
    >>> resize(np.array([[0, 100]], np.uint8), 1, 4, "nearest").tolist()
    [[0, 0, 100, 100]]
    """
    if not 0 < rows <= LARGEST_SIDE or not 0 < columns <= LARGEST_SIDE:
        raise ValueFormatError(f"a picture of {rows} rows and {columns} columns")
    if method not in ("linear", "nearest"):
        raise ValueFormatError(f"method={method!r}", hint="choose linear or nearest")
    if picture.shape[:2] == (rows, columns) or not picture.size:
        return picture
    if not {rows % picture.shape[0], columns % picture.shape[1]} - {0} and method == "nearest":
        return picture.repeat(rows // picture.shape[0], 0).repeat(columns // picture.shape[1], 1)
    kind = np.float64 if picture.dtype.itemsize > 2 else np.float32
    values: NDArray[Any] = picture
    for axis in sorted((0, 1), key=lambda axis: (rows, columns)[axis] / picture.shape[axis]):  # what shrinks first
        values = _along(values, (rows, columns)[axis], axis, method, kind)
    if picture.dtype.kind == "f":
        return values.astype(picture.dtype, copy=False)
    values += 0.5
    return values.astype(picture.dtype)


def fitted_size(rows: int, columns: int, aspect: float, size: Size) -> tuple[int, int]:
    """Choose the rows and columns of a picture with square pixels.

    Parameters
    ----------
    rows, columns : int
        Of the image.
    aspect : float
        How much higher than wide its pixels are.
    size : int, tuple of int, "square" or None
        The longest side, a box of rows and columns to fit in, square pixels without losing a row or column, or the
        image's own size and pixels.

    Returns
    -------
    tuple of int
        Rows and columns.

    Raises
    ------
    ValueFormatError
        If the size makes no sense.

    Examples
    --------
    >>> fitted_size(256, 512, 1.0, 128), fitted_size(256, 512, 1.0, (100, 100)), fitted_size(240, 320, 0.5, "square")
    ((64, 128), (50, 100), (240, 640))
    """
    if size is None:
        return rows, columns
    height, width = (rows * aspect, float(columns)) if aspect >= 1 else (float(rows), columns / aspect)
    if isinstance(size, str):
        if size != "square":
            raise ValueFormatError(f"size={size!r}", hint='give the longest side, (rows, columns), or "square"')
        scale = 1.0
    else:
        box = (size, size) if isinstance(size, int) else tuple(size)
        if len(box) != 2 or not all(0 < side <= LARGEST_SIDE for side in box):
            raise ValueFormatError(f"size={size!r}", hint="give a side of 1 to 65536 pixels, or two")
        scale = min(box[0] / height, box[1] / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def pixel_aspect(ds: DataSet, frame: int = 0) -> float:
    """Tell how much higher than wide a pixel is, by its spacing or else its aspect ratio (PS3.3 C.7.6.3.1.7).

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.

    Returns
    -------
    float
        1.0 where nothing sensible tells.

    Examples
    --------
    >>> import dicomkit as dk
    >>> pixel_aspect(dk.DataSet(PixelSpacing=[2.0, 0.5])), pixel_aspect(dk.DataSet(PixelAspectRatio=[1, 2]))
    (4.0, 0.5)
    """
    spacing = frame_attribute(ds, frame, "PixelMeasuresSequence", "PixelSpacing")
    for pair in (spacing, *(ds.get(keyword) for keyword in _SPACINGS)):
        if (
            isinstance(pair, tuple)
            and len(pair) == 2
            and all(isinstance(n, (int, float)) and 0 < n < math.inf for n in pair)
        ):
            return min(max(float(pair[0] / pair[1]), 0.02), 50.0)
    return 1.0


def _along(values: NDArray[Any], after: int, axis: int, method: Method, kind: type) -> NDArray[Any]:
    """Resize one axis: a weighted sum of the pixels that each new one takes from."""
    before = values.shape[axis]
    if before == after:
        return values.astype(kind)
    places, weights = _shrinking(before, after) if after < before else _growing(before, after, method)
    shape = [1] * values.ndim
    shape[axis] = after
    total: NDArray[Any] | None = None
    for place, weight in zip(places, weights, strict=True):
        part = values.take(place, axis=axis) * weight.astype(kind).reshape(shape)
        total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return total


def _shrinking(before: int, after: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each new pixel the old ones that it covers, and which part of it each of them fills."""
    edges = np.arange(after + 1) * (before / after)
    first = np.floor(edges[:-1]).astype(np.intp)
    steps = np.arange(math.ceil(before / after) + 1)[:, None]
    places = first + steps
    covered = np.minimum(places + 1, edges[1:]) - np.maximum(places, edges[:-1])
    weights = np.clip(covered, 0, None)
    kept = weights.max(axis=1) > 1e-9
    weights /= weights.sum(axis=0)
    return np.minimum(places, before - 1)[kept], weights[kept]


def _growing(before: int, after: int, method: Method) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each new pixel the old ones next to its centre, and how near they are."""
    centres = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1)
    if method == "nearest":
        middle = ((np.arange(after) + 0.5) * (before / after)).astype(np.intp)
        return np.minimum(middle, before - 1)[None], np.ones((1, after))
    left = np.minimum(np.floor(centres).astype(np.intp), max(before - 2, 0))
    share = centres - left
    return np.stack([left, np.minimum(left + 1, before - 1)]), np.stack([1 - share, share])
