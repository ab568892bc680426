"""Windows: from modality values to 8-bit grey, by centre and width (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import ValueFormatError
from dicomkit.pixels.lookup import blocks, look_up
from dicomkit.pixels.ramp import LEAST_PIXELS, PIXELS_FOR_ONE_TRIED, Line, Ramp

if TYPE_CHECKING:
    import xarray as xr

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
"""Values of VOI LUT Function."""

_WIDEST_TABLE = 1 << 17


@dataclass(frozen=True, slots=True)
class Window:
    """One window of an image.

    Parameters
    ----------
    center, width : float
        In modality units.
    function : str
        ``"LINEAR"``, ``"LINEAR_EXACT"`` or ``"SIGMOID"``.
    explanation : str
        What the window is for, e.g. ``"LUNG"``.

    Examples
    --------
    >>> Window(40, 400)(np.array([-160, 239], np.int16)).tolist()
    [0, 255]
    """

    center: float
    width: float
    function: str = "LINEAR"
    explanation: str = ""

    def __call__(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Window values to uint8."""
        return window(array, self.center, self.width, self.function)


def continuous(
    values: NDArray[Any], center: float, width: float, function: str = "LINEAR", *, top: float = 255.0
) -> NDArray[Any]:
    """The window function itself, before it is rounded: 0 to ``top``.

    Parameters
    ----------
    values : ndarray
        Floating point; NaN gives 0.
    center, width : float
    function : str
        ``"LINEAR"``, ``"LINEAR_EXACT"`` or ``"SIGMOID"``.
    top : float
        The largest output.

    Returns
    -------
    ndarray
        Of the floating type of ``values``.

    Raises
    ------
    ValueFormatError
        If the width is too small for the function (less than 1 for LINEAR, not above 0 for the others), or the
        function unknown.

    Examples
    --------
    >>> continuous(np.array([-50.0, 0, 49]), 0, 100).round(1).tolist()
    [0.0, 128.8, 255.0]
    """
    check(center, width, function)
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            sigmoid: NDArray[Any] = np.fmax(top / (1 + np.exp(-4 * (values - center) / width)), 0)
        return sigmoid
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:  # a threshold
        return np.multiply(values > center, top, dtype=values.dtype)
    scaled: NDArray[Any] = values * (top / width)
    scaled += top * (0.5 - center / width)
    np.clip(scaled, 0, top, out=scaled)
    if scaled.size and np.isnan(scaled.min()):
        scaled[np.isnan(scaled)] = 0
    return scaled


@overload
def window(
    array: NDArray[Any],
    center: float,
    width: float,
    function: str = ...,
    *,
    out: NDArray[np.uint8] | None = ...,
) -> NDArray[np.uint8]: ...
@overload
def window(array: xr.DataArray, center: float, width: float, function: str = ...) -> xr.DataArray: ...
def window(array: Any, center: float, width: float, function: str = "LINEAR", *, out: Any = None) -> Any:
    """Window values to 8-bit grey, 0 to 255.

    Integers go through a table, or through arithmetic that was compared with one, so that each result is the exact
    function, rounded.

    Parameters
    ----------
    array : ndarray or xarray.DataArray
        Modality values of any shape; a DataArray may be backed by dask.
    center, width : float
        In the units of the values.
    function : str
        ``"LINEAR"`` (PS3.3 C.11.2.1.2), ``"LINEAR_EXACT"`` or ``"SIGMOID"`` (C.11.2.1.3).
    out : ndarray of uint8, optional
        Where to put the result.

    Returns
    -------
    ndarray of uint8, or DataArray of uint8
        A DataArray keeps its coordinates; ``window`` in its attributes says what was done, and ``units`` are gone.

    Raises
    ------
    ValueFormatError
        If the width is too small, or the function unknown.

    Examples
    --------
    >>> window(np.array([-200, 40, 300], np.int16), center=40, width=400).tolist()
    [0, 128, 255]
    """
    check(center, width, function)
    if hasattr(array, "dims") and hasattr(array, "copy"):
        return _window_labelled(array, center, width, function)
    if hasattr(array, "map_blocks"):  # a dask array
        return array.map_blocks(window, center, width, function, dtype=np.uint8)
    array = np.asarray(array)
    result: NDArray[np.uint8] = np.empty(array.shape, np.uint8) if out is None else out
    if not array.size:
        return result
    if (ramp := _ramp(array, center, width, function)) is not None:
        return ramp(array, result)
    if array.dtype.kind in "iub":
        low, high = int(array.min()), int(array.max())
        if high - low < min(_WIDEST_TABLE, max(array.size // 2, 1)):  # else the table is the longer one
            return look_up(table(low, high, center, width, function), low, array, result)
    for part, into in blocks(array, result):
        values = part if part.dtype in (np.float32, np.float64) else part.astype(np.float64)
        into[...] = _rounded(continuous(values, center, width, function))
    return result


def _ramp(array: NDArray[Any], center: float, width: float, function: str) -> Ramp | None:
    """Find the ramp of a linear window, where trying it out costs little beside the array."""
    if array.dtype.kind not in "iu" or array.size < LEAST_PIXELS:
        return None
    line = Line.of_window(center, width, function)
    span = line.span(array.dtype) if line else None
    if line is None or span is None or span[1] - span[0] > array.size // PIXELS_FOR_ONE_TRIED:
        return None
    return _proved(line, center, width, function, *span)


@lru_cache(64)
def _proved(line: Line, center: float, width: float, function: str, low: int, high: int) -> Ramp | None:
    return Ramp.proved(table(low, high, center, width, function), low, line)


def table(low: int, high: int, center: float, width: float, function: str = "LINEAR") -> NDArray[np.uint8]:
    """The windowed values of the integers from ``low`` to ``high``.

    Parameters
    ----------
    low, high : int
    center, width : float
    function : str

    Returns
    -------
    ndarray of uint8
        ``high - low + 1`` entries.

    Examples
    --------
    >>> table(0, 4, 2, 1).tolist()
    [0, 0, 255, 255, 255]
    """
    return _rounded(continuous(np.arange(low, high + 1, dtype=np.float64), center, width, function))


def _rounded(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Round half up to uint8."""
    values += 0.5
    return values.astype(np.uint8)


def check(center: float, width: float, function: str) -> None:
    """Refuse what the function is not defined for.

    Raises
    ------
    ValueFormatError

    Examples
    --------
    >>> check(40, 0.5, "LINEAR")
    Traceback (most recent call last):
    ...
    dicomkit.errors.ValueFormatError: a window width of 0.5: LINEAR needs at least 1
    """
    if function not in FUNCTIONS:
        raise ValueFormatError(f"VOI LUT Function {function!r}", hint=f"choose one of {', '.join(FUNCTIONS)}")
    if not (isfinite(center) and isfinite(width)):
        raise ValueFormatError(f"a window of center {center} and width {width}")
    if width < 1 if function == "LINEAR" else width <= 0:
        least = "at least 1" if function == "LINEAR" else "more than 0"
        raise ValueFormatError(f"a window width of {width}: {function} needs {least}")


def _window_labelled(array: Any, center: float, width: float, function: str) -> Any:
    """Window a DataArray."""
    result = array.copy(data=window(array.data, center, width, function))
    result.attrs = {key: value for key, value in array.attrs.items() if key != "units"}
    result.attrs["window"] = f"{function} center {center:g} width {width:g}"
    return result
