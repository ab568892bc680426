"""From stored values to what the modality measures: rescale slope and intercept, or a table (PS3.3 C.11.1)."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dicomkit.dataset.functional_groups import frame_group
from dicomkit.pixels.lookup import LookupTable, parse_table

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_TRANSFORMATION = "PixelValueTransformationSequence"


@dataclass(frozen=True, slots=True)
class Rescale:
    """A linear modality transformation: ``value = stored * slope + intercept``.

    Parameters
    ----------
    slope, intercept : float
    type : str
        Rescale Type, the unit: ``"HU"``, ``"US"`` (unspecified), ..., or ``""``.

    Examples
    --------
    >>> Rescale(2.0, -10.0, "HU")(np.array([0, 5], np.int16)).tolist()
    [-10, 0]
    """

    slope: float = 1.0
    intercept: float = 0.0
    type: str = ""

    @property
    def is_identity(self) -> bool:
        """Whether values stay as they are."""
        return self.slope == 1 and self.intercept == 0

    @property
    def is_integral(self) -> bool:
        """Whether integers stay integers."""
        return float(self.slope).is_integer() and float(self.intercept).is_integer()

    def __call__(self, array: NDArray[Any]) -> NDArray[Any]:
        """Rescale values, to the type that `rescale` chooses."""
        return rescale(array, self.slope, self.intercept)


Modality: TypeAlias = Rescale | LookupTable


def rescale(
    array: NDArray[Any],
    slope: float,
    intercept: float,
    *,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Apply a linear modality transformation (PS3.3 C.11.1.1.2).

    Parameters
    ----------
    array : ndarray
        Stored values.
    slope, intercept : float
    dtype : dtype, optional
        Type of the result. By default integers stay integers of a type that holds every result where slope and
        intercept are whole numbers; else float32 for values of up to 16 bits and float64 beyond.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> rescale(np.array([0, 4095], np.uint16), 1, -1024).tolist()
    [-1024, 3071]
    >>> rescale(np.array([1, 2], np.uint16), 0.5, 0).dtype
    dtype('float32')
    """
    array = np.asarray(array)
    kind = (
        out.dtype
        if out is not None
        else np.dtype(dtype)
        if dtype is not None
        else _result_type(array, slope, intercept)
    )
    whole = kind.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer()
    by: Any = (int(slope), int(intercept)) if whole else (slope, intercept)
    if out is None and slope == 1 and intercept == 0:
        return array.astype(kind)
    result: NDArray[Any]
    if kind.kind in "iu" and not whole:
        exact = np.rint(np.multiply(array, slope, dtype=np.float64) + intercept)
        result = np.empty(array.shape, kind) if out is None else out
        result[...] = exact.astype(kind)
        return result
    result = np.multiply(array, kind.type(by[0]), dtype=kind, casting="unsafe", out=out)
    if by[1]:
        np.add(result, kind.type(by[1]), out=result)
    return result


def _result_type(array: NDArray[Any], slope: float, intercept: float) -> np.dtype[Any]:
    """The type that holds all that values of this type can become."""
    if array.dtype.kind not in "ui" or not (float(slope).is_integer() and float(intercept).is_integer()):
        small = array.dtype.itemsize <= 2 or array.dtype == np.float32
        return np.dtype(np.float32 if small else np.float64)
    if slope == 1 and intercept == 0:
        return array.dtype
    limits = np.iinfo(array.dtype)
    ends = [int(end) * int(slope) + int(intercept) for end in (limits.min, limits.max)]
    for candidate in (np.int16, np.int32, np.int64):
        fits = np.iinfo(candidate)
        if fits.min <= min(ends) and max(ends) <= fits.max:
            return np.dtype(candidate)
    return np.dtype(np.float64)


def modality_of(ds: DataSet, frame: int = 0) -> Modality:
    """Find the modality transformation of a frame.

    The frame's functional group wins over the shared one, and that over the top level; a Modality LUT Sequence over
    rescale attributes. For RT Dose it is Dose Grid Scaling.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.

    Returns
    -------
    Rescale or LookupTable
        The identity where there is none.

    Raises
    ------
    PixelError
        If a modality table makes no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> modality_of(dk.DataSet({"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}))
    Rescale(slope=1.0, intercept=-1024.0, type='HU')
    """
    tables = ds.all("ModalityLUTSequence")
    if tables:
        return parse_table(tables[0], signed_input=ds.get("PixelRepresentation") == 1)
    group = frame_group(ds, frame, _TRANSFORMATION)
    slope, intercept, kind = (
        (group if group is not None and keyword in group else ds).get(keyword)
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType")
    )
    if slope is None and intercept is None:
        scaling = ds.get("DoseGridScaling")
        if isinstance(scaling, (int, float)):
            return Rescale(float(scaling), 0.0, str(ds.get("DoseUnits") or ""))
    return Rescale(_number(slope, 1.0), _number(intercept, 0.0), str(kind or ""))


def _number(value: object, default: float) -> float:
    """A finite number, or the default."""
    return float(value) if isinstance(value, (int, float)) and isfinite(value) else default
