"""What a volume can do: ``volume.dicom.affine``, ``.window()``, ``.reslice("coronal")``, ``.montage()`` and so on.

It only delegates; registration.py gives it its name on xarray.DataArray, and loads it when it is first used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError
from dicomkit.volumes.geometry import AXES, Geometry
from dicomkit.volumes.grid import differences, geometry_of
from dicomkit.volumes.interpolate import Method
from dicomkit.volumes.resample import resample, reslice

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray


class DicomAccessor:
    """Geometry and views of a volume; works on any part of it, in any order of dimensions."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @property
    def geometry(self) -> Geometry:
        """Where the voxels are: origin and steps of the part that is left after slicing."""
        return geometry_of(self._array)

    @property
    def affine(self) -> NDArray[np.float64]:
        """The 4x4 matrix from (slice, row, column, 1) to LPS mm."""
        return self.geometry.affine

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """The 4x4 matrix from (slice, row, column, 1) to RAS mm."""
        return self.geometry.affine_ras

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distances from slice to slice, row to row and column to column, mm."""
        return self.geometry.spacing

    @property
    def units(self) -> str | None:
        """What the values are in, as far as can be known.

        Recent versions of xarray keep attributes in arithmetic, so that ``attrs["units"]`` of ``ct > 300`` still says
        HU. This doesn't; see `units_of`.
        """
        return units_of(self._array)

    def check(self, *others: xr.DataArray) -> xr.DataArray:
        """Return the array if all others lie on the same grid, else raise.

        Raises
        ------
        GeometryError
            With a table of what differs.
        """
        table = self.compare(*others)
        wrong = table[~table["same"]]
        if len(wrong):
            raise GeometryError(
                f"the volumes are not on one grid: {wrong['volume'].iloc[0]}: {wrong['why'].iloc[0]}",
                table=table,
                hint="use .dicom.resample_like",
            )
        return self._array

    def same_grid(self, other: xr.DataArray) -> bool:
        """Tell whether another array lies on the same grid."""
        return bool(differences({"this": self._array, "other": other})["same"].all())

    def resample_like(
        self, other: xr.DataArray, *, method: Method = "linear", fill_value: float | None = None
    ) -> xr.DataArray:
        """Bring this volume to the grid of another, so that both can be combined."""
        shape = [other.sizes.get(axis, 1) for axis in AXES]
        result = resample(self._array, geometry_of(other), shape, method=method, fill_value=fill_value)
        exact = {name: other.coords[name] for name in (*AXES, "geometry")}
        result = result.isel({axis: 0 for axis in AXES if axis not in other.dims})
        return result.assign_coords(exact)

    def reslice(
        self,
        plane: str | ArrayLike,
        *,
        spacing: float | Sequence[float] | None = None,
        through: ArrayLike | None = None,
        method: Method = "linear",
        fill_value: float | None = None,
    ) -> xr.DataArray:
        """Reformat to "axial", "coronal", "sagittal", or a plane of six direction cosines; see `resample.reslice`."""
        return reslice(self._array, plane, spacing=spacing, through=through, method=method, fill_value=fill_value)

    def window(self, center: float | None = None, width: float | None = None, function: str = "LINEAR") -> xr.DataArray:
        """Window to 8-bit grey: with the first window of the header, or else the range of the values, by default."""
        from dicomkit.pixels.window import window
        from dicomkit.volumes.plot import default_window

        if center is None or width is None:
            center, width = default_window(self._array)
        return window(self._array, center, width, function)

    def montage(self, **options: Any) -> Any:
        """Draw many slices in one figure; see `plot.montage`."""
        from dicomkit.volumes.plot import montage

        return montage(self._array, **options)

    def plot(self, **options: Any) -> Any:
        """Draw one slice with true proportions; see `plot.plot_slice`."""
        from dicomkit.volumes.plot import plot_slice

        return plot_slice(self._array, **options)

    def to_nifti(self, path: Any = None) -> Any:
        """Make, or write, a NIfTI image; see `export.to_nifti`."""
        from dicomkit.volumes.export import to_nifti

        return to_nifti(self._array, path)

    def to_sitk(self) -> Any:
        """Make a SimpleITK image; see `export.to_sitk`."""
        from dicomkit.volumes.export import to_sitk

        return to_sitk(self._array)

    def compare(self, *others: xr.DataArray) -> pd.DataFrame:
        """Compare the grids of other arrays with this one's, as a table."""
        return differences({"this": self._array} | {f"volume {k}": other for k, other in enumerate(others, 1)})

    def __repr__(self) -> str:
        try:
            return f"<dicom accessor: {self.geometry!r}>"
        except GeometryError as error:
            return f"<dicom accessor: {error.message}>"


def units_of(array: xr.DataArray) -> str | None:
    """Give the unit of an array, or None where its type shows that the values may no longer be in it.

    Volumes are integers of up to 32 bits, or float32. Truth values come of comparing, 64-bit integers of counting, and
    float64 of dividing.
    """
    units = array.attrs.get("units")
    known = array.dtype.kind in "iuf" and array.dtype.itemsize <= 4
    return units if isinstance(units, str) and known else None
