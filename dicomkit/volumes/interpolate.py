"""Interpolation of an array at the points of another grid: linear or nearest, with NumPy alone, one slab at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dicomkit.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Method = Literal["linear", "nearest"]

SLAB = 1 << 20
"""Points that are computed at once along axes."""

BLOCK = 1 << 16
"""Points in general position that are computed at once: what is between stays in cache."""


def result_type(dtype: np.dtype[Any], method: Method, fill_value: float | None) -> tuple[np.dtype[Any], float]:
    """Choose the type of an interpolated array and what stands outside the source.

    Linear results are float32 (float64 from float64 and integers beyond 16 bits). Nearest keeps the type if it can
    hold the fill value; without one that is NaN, so that integers become float32; False for bool.

    Examples
    --------
    >>> result_type(np.dtype("i2"), "nearest", -1024)
    (dtype('int16'), -1024)
    """
    if method not in ("linear", "nearest"):
        raise GeometryError(f"method {method!r} is neither 'linear' nor 'nearest'")
    if method == "nearest" and dtype.kind == "b":
        return dtype, fill_value or 0
    floating = np.dtype(np.float64 if dtype.itemsize > 2 and dtype != np.float32 else np.float32)
    if method == "nearest" and (dtype.kind == "f" or fill_value is not None):
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= float(fill_value or 0) <= np.iinfo(dtype).max:
            raise GeometryError(f"fill_value {fill_value} doesn't fit {dtype}")
        return dtype, float("nan") if fill_value is None else fill_value
    return floating, float("nan") if fill_value is None else fill_value


def interpolate(
    array: NDArray[Any],
    matrix: Floats,
    offset: Floats,
    shape: Sequence[int],
    method: Method = "linear",
    fill_value: float | None = None,
) -> NDArray[Any]:
    """Sample an array on another grid.

    Parameters
    ----------
    array
        (slices, rows, columns), or with further axes behind them, which are kept.
    matrix, offset
        Index in ``array`` of an output index: ``matrix @ index + offset``.
    shape
        Of the output, three numbers.
    method
        "linear" or "nearest".
    fill_value
        Where the output lies more than half a voxel outside the centres of the outermost voxels; see `result_type`.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> line = np.array([0, 10, 20], np.int16).reshape(1, 1, 3)
    >>> interpolate(line, np.diag([1, 1, 0.5]), np.zeros(3), (1, 1, 5)).ravel().tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    matrix, offset = np.round(np.asarray(matrix, float), 9) + 0.0, np.round(np.asarray(offset, float), 7) + 0.0
    dtype, fill = result_type(array.dtype, method, fill_value)
    out = np.empty((*shape, *array.shape[3:]), dtype)
    nonzero = matrix != 0
    separable = bool((nonzero.sum(0) == 1).all() and (nonzero.sum(1) == 1).all())
    plane = max(1, int(np.prod(shape[1:])) * int(np.prod(array.shape[3:])))
    slices = max(1, (SLAB if separable else BLOCK) // plane)
    for first in range(0, shape[0], slices):
        ranges = [np.arange(first, min(first + slices, shape[0])), np.arange(shape[1]), np.arange(shape[2])]
        target = out[first : first + slices]
        if separable:
            _along_axes(array, matrix, offset, ranges, method, fill, target)
            continue
        rows = max(1, BLOCK // max(1, shape[2] * len(ranges[0])))
        for row in range(0, shape[1], rows):
            some = [ranges[0], ranges[1][row : row + rows], ranges[2]]
            _at_points(array, matrix, offset, some, method, fill, target[:, row : row + rows])
    return out


def _along_axes(
    array: NDArray[Any],
    matrix: Floats,
    offset: Floats,
    ranges: Sequence[NDArray[np.int64]],
    method: Method,
    fill: float,
    out: NDArray[Any],
) -> None:
    """Interpolate along one axis after the other: for grids whose axes are parallel to those of the source."""
    result = array
    targets = (matrix != 0).argmax(1).tolist()
    outside: list[tuple[int, NDArray[np.bool_]]] = []
    for source in sorted(range(3), key=lambda s: targets[s]):  # the slab's few slices first: the rest is then small
        target = targets[source]
        index = offset[source] + matrix[source, target] * ranges[target]
        low, high, weight, out_of = _neighbours(index, array.shape[source], method)
        outside.append((target, out_of))
        if weight is None:
            result = result.take(low, source)
            continue
        shape = [1] * array.ndim
        shape[source] = len(index)
        lower = result.take(low, source).astype(out.dtype)
        lower += (result.take(high, source).astype(out.dtype) - lower) * weight.astype(out.dtype).reshape(shape)
        result = lower
    order = [targets.index(target) for target in range(3)]
    out[...] = result.transpose(*order, *range(3, array.ndim))
    for target, mask in outside:
        if mask.any():
            out[(slice(None),) * target + (mask,)] = fill


def _at_points(
    array: NDArray[Any],
    matrix: Floats,
    offset: Floats,
    ranges: Sequence[NDArray[np.int64]],
    method: Method,
    fill: float,
    out: NDArray[Any],
) -> None:
    """Interpolate at points in general position, from the eight voxels around each."""
    k, i, j = np.ix_(*ranges)
    neighbours = [
        _neighbours(matrix[s, 0] * k + matrix[s, 1] * i + matrix[s, 2] * j + offset[s], array.shape[s], method)
        for s in range(3)
    ]
    flat = array.reshape(-1, *array.shape[3:])
    strides = (array.shape[1] * array.shape[2], array.shape[2], 1)
    lows = [n[0] * s for n, s in zip(neighbours, strides, strict=True)]
    tail = (...,) + (None,) * (array.ndim - 3)
    if method == "nearest":
        out[...] = flat.take(lows[0] + lows[1] + lows[2], axis=0)
    else:
        highs = [n[1] * s for n, s in zip(neighbours, strides, strict=True)]
        z, y, x = (np.asarray(n[2], out.dtype)[tail] for n in neighbours)

        def row(at: NDArray[np.int64]) -> NDArray[Any]:
            low = flat.take(at + lows[2], axis=0).astype(out.dtype)
            return np.asarray(low + (flat.take(at + highs[2], axis=0) - low) * x)

        def plane(at: NDArray[np.int64]) -> NDArray[Any]:
            low = row(at + lows[1])
            return np.asarray(low + (row(at + highs[1]) - low) * y)

        first = plane(lows[0])
        first += (plane(highs[0]) - first) * z
        out[...] = first
    out_of = neighbours[0][3] | neighbours[1][3] | neighbours[2][3]
    out[out_of] = fill


def _neighbours(
    index: Floats, size: int, method: Method
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats | None, NDArray[np.bool_]]:
    """Give the voxels below and above an index, the weight of the upper (None if all are 0), and what lies outside."""
    outside = (index < -0.5 - 1e-6) | (index > size - 0.5 + 1e-6)
    inside = np.clip(index, 0, size - 1)
    if method == "nearest":
        low = np.floor(inside + 0.5).astype(np.int64)
        np.minimum(low, size - 1, out=low)
        return low, low, None, outside
    low = np.minimum(inside.astype(np.int64), max(size - 2, 0))
    weight = inside - low
    if index.ndim == 1 and np.isin(weight, (0.0, 1.0)).all():
        low = low + weight.astype(np.int64)
        return low, low, None, outside
    return low, np.minimum(low + 1, size - 1), weight, outside
