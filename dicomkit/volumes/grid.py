"""From the coordinates of a DataArray to the geometry of its voxels, after any slicing, and whether two agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError
from dicomkit.volumes.geometry import AXES, Geometry

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_LOST = (
    "xarray drops it where arrays of different geometry are combined: bring one to the grid of the other first, "
    "with .dicom.resample_like"
)


def geometry_of(array: xr.DataArray) -> Geometry:
    """Give the geometry of the voxels of an array: of the part that is left after slicing.

    Raises
    ------
    GeometryError
        If the array has no geometry, or its coordinates aren't evenly spaced.
    """
    original = original_geometry(array)
    left: dict[str, Any] = {}
    for axis in AXES:
        if axis not in array.coords:
            what = "has no coordinates" if axis in array.dims else "was reduced away"
            raise GeometryError(f"the axis {axis!r} {what}, so nothing says where the voxels are")
        left[axis] = np.asarray(array.coords[axis].values, float)
    return original.located(left)


def original_geometry(array: xr.DataArray) -> Geometry:
    """Give the geometry that the coordinates of an array refer to, whatever was sliced."""
    if "geometry" not in array.coords:
        raise GeometryError("the array has no coordinate 'geometry'", hint=_LOST)
    texts = {str(text) for text in np.ravel(array.coords["geometry"].values).tolist()}
    if len(texts) != 1:
        raise GeometryError(f"the array is made of {len(texts)} volumes of different geometry", hint=_LOST)
    return Geometry.from_string(texts.pop())


def differences(arrays: dict[str, xr.DataArray], tolerance: float = 1e-3) -> pd.DataFrame:
    """Compare the grids of arrays with that of the first, one row each.

    Returns
    -------
    pandas.DataFrame
        Columns ``volume``, ``same`` and ``why`` (empty where the grids are the same).
    """
    import pandas as pd

    rows = []
    first: tuple[xr.DataArray, Geometry] | None = None
    for name, array in arrays.items():
        try:
            geometry = geometry_of(array)
        except GeometryError as error:
            rows.append((name, False, error.message))
            continue
        if first is None:
            first = array, geometry
        rows.append((name, not (why := _why(*first, array, geometry, tolerance)), why))
    return pd.DataFrame(rows, columns=["volume", "same", "why"])


def _why(a: xr.DataArray, ga: Geometry, b: xr.DataArray, gb: Geometry, tolerance: float) -> str:
    """Say how two grids differ; "" if they don't."""
    shapes = [[array.sizes.get(axis, 1) for axis in AXES] for array in (a, b)]
    if ga.frame_of_reference != gb.frame_of_reference and ga.frame_of_reference and gb.frame_of_reference:
        return "another frame of reference"
    if shapes[0] != shapes[1]:
        return f"{' x '.join(map(str, shapes[1]))} voxels instead of {' x '.join(map(str, shapes[0]))}"
    if not ga.close_to(gb, shapes[0], tolerance):
        corners = np.array(np.meshgrid(*([0, n - 1] for n in shapes[0]))).reshape(3, -1).T
        off = np.abs(ga.points(corners) - gb.points(corners)).max()
        return f"voxels are up to {off:.4g} mm apart"
    for axis in AXES:
        if not np.array_equal(a.coords[axis].values, b.coords[axis].values):
            return f"the coordinates of {axis!r} are not exactly equal, so xarray would not align them"
    return ""
