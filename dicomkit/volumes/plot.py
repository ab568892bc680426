"""Pictures of volumes with true proportions: one slice, or a montage of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError
from dicomkit.volumes.grid import geometry_of, original_geometry

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dicomkit.volumes.figure import Picture

    Window = tuple[float, float]

LETTERS = {"L": ("L", "R"), "R": ("R", "L"), "P": ("P", "A"), "A": ("A", "P"), "S": ("H", "F"), "I": ("F", "H")}
"""By direction: its letter of Patient Orientation (PS3.3 C.7.6.1.1.1), which has H and F for head and foot, and the
opposite one."""
SAMPLE = 200_000
"""Values that a range is estimated from."""


def default_window(array: xr.DataArray) -> Window:
    """Choose a window (center, width): the first of the header if it meets the values, else from the values.

    Examples
    --------
    >>> import xarray as xr
    >>> default_window(xr.DataArray(np.arange(101.0), dims="row"))
    (50.0, 98.0)
    """
    if array.dtype.kind == "b":
        return 0.5, 1.0
    values = _sample(array)
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    center, width = (np.atleast_1d(array.attrs.get(f"Window{k}", np.nan))[0] for k in ("Center", "Width"))
    try:
        if low <= float(center) <= high and float(width) >= 1:
            return float(center), float(width)
    except (TypeError, ValueError):
        pass
    low, high = (float(v) for v in np.percentile(values, (1, 99)))
    return (low + high) / 2, max(high - low, 1e-6)


def _sample(array: xr.DataArray) -> NDArray[Any]:
    """Take some finite values of a volume, spread over it, without reading all of a lazy one."""
    stride = {d: max(1, n // 5) for d, n in array.sizes.items() if d not in ("row", "column", "sample")}
    part = array.isel({d: slice(s // 2, None, s) for d, s in stride.items()})
    values = np.asarray(part.data).ravel()
    values = values[:: max(1, values.size // SAMPLE)]
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def plot_slice(
    array: xr.DataArray,
    *,
    at: float | None = None,
    window: Window | None = None,
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw one slice in mm, with the sides of the patient at its edges.

    Parameters
    ----------
    array
        A slice, or a volume, of which one is taken; the first level of further dimensions.
    at
        Which slice, by its coordinate in mm (the nearest); the middle one by default.
    window
        Center and width; by default that of the header, or the range of the values.
    ax
        Where to draw; the current axes by default.
    options
        For `matplotlib.axes.Axes.imshow`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    if window is None and "sample" not in array.dims:
        window = default_window(array)
    image = _plane(array, at)
    rows, columns = np.asarray(image["row"].values), np.asarray(image["column"].values)
    ax = plt.gca() if ax is None else ax
    (top, bottom), (left, right) = _edges(rows, array, 1), _edges(columns, array, 2)
    if window is not None:
        low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
        options = {"cmap": "gray", "vmin": low, "vmax": high, **options}
    values = np.asarray(image.data)
    ax.imshow(values, extent=(left, right, bottom, top), origin="upper", aspect="equal", **options)
    ax.set_xlabel("column [mm]")
    ax.set_ylabel("row [mm]")
    ax.set_title(_title(image))
    _letters(ax, array)
    return ax


def montage(
    volume: xr.DataArray,
    *,
    count: int = 24,
    columns: int | None = None,
    window: Window | None = None,
    at: Sequence[float] | None = None,
    width: float = 9.0,
    **options: Any,
) -> Picture:
    """Draw many slices of a volume in one figure, each with true proportions.

    Parameters
    ----------
    volume
        With the dimension slice; of further dimensions the first level is drawn.
    count
        How many slices at most, evenly spread.
    columns
        Pictures side by side; chosen by default.
    window
        Center and width; by default that of the header, or the range of the values.
    at
        Which slices, by their coordinates in mm, instead of ``count``.
    width
        Of the figure, inches.
    options
        For `matplotlib.axes.Axes.imshow`.

    Returns
    -------
    Picture
        A matplotlib figure: shown by being the result of a notebook cell, written by ``savefig``.

    Raises
    ------
    GeometryError
        If there is no dimension slice.

    Examples
    --------
    >>> import dicomkit as dk
    >>> volume = dk.to_volume(dk.samples.ct_series(slices=8, size=16))
    >>> [montage(volume, count=4, window=(40, 400)).axes[0].images[0].get_array().ndim]
    [2]
    """
    from dicomkit.volumes.figure import Picture

    if "slice" not in volume.dims:
        raise GeometryError(
            "there is no dimension 'slice' to make a montage of", hint="draw one slice with .dicom.plot()"
        )
    if window is None and "sample" not in volume.dims:
        window = default_window(volume)
    volume = _first(volume)
    if at is not None:
        chosen = volume.sel(slice=list(at), method="nearest")
    else:
        n = volume.sizes["slice"]
        chosen = volume.isel(slice=np.unique(np.linspace(0, n - 1, min(count, n)).round().astype(int)))
    tiles = np.asarray(chosen.transpose("slice", "row", "column", ...).data)
    n, rows, cols = tiles.shape[:3]
    aspect = _aspect(volume)
    across = columns or max(1, min(n, round(math.sqrt(n * 1.5 * rows * aspect / cols))))
    down = math.ceil(n / across)
    sheet = np.full(
        (down * rows, across * cols, *tiles.shape[3:]), np.nan if window else 0, np.float32 if window else tiles.dtype
    )
    for k in range(n):
        i, j = divmod(k, across)
        sheet[i * rows : (i + 1) * rows, j * cols : (j + 1) * cols] = tiles[k]
    figure = Picture(figsize=(width, width * down * rows * aspect / (across * cols)), facecolor="black")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    if window:
        options = {"cmap": "gray", "vmin": window[0] - window[1] / 2, "vmax": window[0] + window[1] / 2, **options}
    ax.imshow(sheet, aspect=aspect, interpolation="antialiased", **options)
    size = max(5.0, min(10.0, width * 72 / across / 14))
    for k, mm in enumerate(np.asarray(chosen["slice"].values)):
        i, j = divmod(k, across)
        place = (j * cols + 0.03 * cols, (i + 1) * rows - 0.03 * rows)
        ax.text(*place, f"{mm:.1f}", color="#ffd75f", fontsize=size, va="bottom", ha="left")
    return figure


def _first(volume: xr.DataArray) -> xr.DataArray:
    """Take the first level of every further dimension."""
    return volume.isel({d: 0 for d in volume.dims if d not in ("slice", "row", "column", "sample")})


def _plane(array: xr.DataArray, at: float | None) -> xr.DataArray:
    """Take one slice: rows, columns, and samples if there are."""
    image = _first(array)
    if "slice" in image.dims:
        image = image.isel(slice=image.sizes["slice"] // 2) if at is None else image.sel(slice=at, method="nearest")
    if not {"row", "column"} <= {*image.dims}:
        raise GeometryError(
            "a slice has the dimensions row and column", hint="reslice(...) makes slices of other planes"
        )
    return image.transpose("row", "column", ...)


def _aspect(volume: xr.DataArray) -> float:
    """How much higher than wide a pixel is."""
    heights, widths = (_step(volume, axis) for axis in ("row", "column"))
    return heights / widths


def _step(array: xr.DataArray, axis: str) -> float:
    """Distance from pixel to pixel along rows or columns, mm."""
    values = np.asarray(array[axis].values, float)
    if values.size > 1:
        return abs(float(values[-1] - values[0])) / (values.size - 1)
    return float(original_geometry(array).pitch[("slice", "row", "column").index(axis)])


def _edges(values: NDArray[Any], array: xr.DataArray, axis: int) -> tuple[float, float]:
    """Where the outermost pixels begin and end."""
    step = _step(array, ("slice", "row", "column")[axis])
    half = step / 2 if values.size < 2 or values[-1] > values[0] else -step / 2
    return float(values[0]) - half, float(values[-1]) + half


def _title(image: xr.DataArray) -> str:
    parts = [str(image.attrs.get("SeriesDescription") or image.name or "")]
    if "slice" in image.coords:
        parts.append(f"slice {float(image['slice']):.1f} mm")
    return ", ".join(p for p in parts if p)


def _letters(ax: Axes, array: xr.DataArray) -> None:
    """Write the sides of the patient at the edges."""
    try:
        _, down, right = geometry_of(array).codes
    except GeometryError:
        return
    style: dict[str, Any] = {"color": "#ffd75f", "transform": ax.transAxes, "fontweight": "bold"}
    ax.text(0.01, 0.5, LETTERS[right][1], ha="left", va="center", **style)
    ax.text(0.99, 0.5, LETTERS[right][0], ha="right", va="center", **style)
    ax.text(0.5, 0.99, LETTERS[down][1], ha="center", va="top", **style)
    ax.text(0.5, 0.01, LETTERS[down][0], ha="center", va="bottom", **style)
