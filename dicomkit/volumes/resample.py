"""Volumes on other grids: reformatted to a plane, or brought to the grid of another volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError
from dicomkit.volumes.geometry import AXES, PLANES, Geometry, unit
from dicomkit.volumes.grid import geometry_of
from dicomkit.volumes.interpolate import Method, interpolate
from dicomkit.volumes.labelled import SPATIAL, XYZ, text

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

WHOLE = 1e-4
"""By how much of a voxel the points of a grid may lie off those of another and still be the same points."""


def resample(
    volume: xr.DataArray,
    geometry: Geometry,
    shape: Sequence[int],
    *,
    method: Method = "linear",
    fill_value: float | None = None,
) -> xr.DataArray:
    """Bring a volume to a grid.

    Where the points of the grid are voxels of the volume, values are copied, whatever the method says, and keep
    their type.

    Parameters
    ----------
    volume
        With dimensions slice, row and column; further ones are kept.
    geometry
        Of the result.
    shape
        Slices, rows and columns of the result.
    method
        "linear" or "nearest".
    fill_value
        For points outside the volume: NaN by default, which makes integers floating point.

    Returns
    -------
    xarray.DataArray
        Facts of single slices, such as SOPInstanceUID, are left out, because the slices are others.

    Raises
    ------
    GeometryError
        If the volume has no geometry, or lies in another frame of reference.
    """
    import xarray as xr

    source = geometry_of(volume)
    known = source.frame_of_reference and geometry.frame_of_reference
    if known and source.frame_of_reference != geometry.frame_of_reference:
        raise GeometryError(
            "the volume and the grid have different frames of reference, so nothing says how they lie to each other",
            hint="register them first",
        )
    missing = [axis for axis in AXES if axis not in volume.dims]
    volume = volume.expand_dims(missing)
    extra = [d for d in volume.dims if d not in (*AXES, "sample")]
    tail = ["sample"] if "sample" in volume.dims else []
    volume = volume.transpose(*extra, *AXES, *tail)
    inverse = np.linalg.inv(source.steps)
    matrix = (geometry.steps @ inverse).T
    offset = source.indices(geometry.origin)
    copied = _copied(volume, matrix, offset, shape)
    if copied is None:
        array = np.asarray(volume.data)
        lead = array.shape[: len(extra)]
        parts = [
            interpolate(part, matrix, offset, shape, method, fill_value)
            for part in array.reshape(-1, *array.shape[len(extra) :])
        ]
        copied = np.stack(parts).reshape(*lead, *parts[0].shape)
    coords = {name: c for name, c in volume.coords.items() if not {*c.dims} & {*AXES} and name not in AXES}
    coords |= spatial_coordinates(geometry, shape)
    return xr.DataArray(copied, coords, (*extra, *AXES, *tail), volume.name, volume.attrs)


def spatial_coordinates(geometry: Geometry, shape: Sequence[int]) -> dict[Any, Any]:
    """Give the coordinates of the three axes and the geometry."""
    along = geometry.coordinates(shape)
    found: dict[Any, Any] = {axis: (axis, along[axis], {"units": "mm", "long_name": SPATIAL[axis]}) for axis in AXES}
    found["geometry"] = ((), text(geometry.to_string()))
    positions = geometry.points(np.arange(shape[0])[:, None] * [1, 0, 0])
    for k, axis in enumerate(XYZ):
        attrs = {"units": "mm", "long_name": f"{axis} (LPS) of the first pixel"}
        found[f"position_{axis}"] = ("slice", np.round(positions[:, k], 6), attrs)
    return found


def reslice(
    volume: xr.DataArray,
    plane: str | ArrayLike,
    *,
    spacing: float | Sequence[float] | None = None,
    through: ArrayLike | None = None,
    method: Method = "linear",
    fill_value: float | None = None,
) -> xr.DataArray:
    """Reformat a volume to axial, coronal, sagittal or oblique slices.

    Parameters
    ----------
    volume
        With dimensions slice, row and column.
    plane
        "axial", "coronal" or "sagittal" (of the patient), or six direction cosines as in ImageOrientationPatient.
    spacing
        mm between slices, rows and columns, or one number for all; by default that of the nearest axis of the volume.
    through
        A point in LPS mm: only the slice through it.
    method, fill_value
        As for `resample`.

    Returns
    -------
    xarray.DataArray
        Covering the whole volume. An axis-aligned volume is only turned: every value is kept.

    Raises
    ------
    GeometryError
        If the plane is not understood, or the volume has no geometry.
    """
    source = geometry_of(volume)
    shape = [volume.sizes.get(axis, 1) for axis in AXES]
    axes = plane_axes(plane)
    steps = _spacings(source, axes, spacing)
    corners = np.array(np.meshgrid(*([0, n - 1] for n in shape))).reshape(3, -1).T
    along = source.points(corners) @ axes.T
    low, high = along.min(0), along.max(0)
    counts = np.floor((high - low) / steps + 1e-3).astype(int) + 1
    start = low + (high - low - (counts - 1) * steps) / 2
    if through is not None:
        start[0], counts[0] = float(axes[0] @ np.asarray(through, float)), 1
    slice_step, row_step, column_step = (tuple(v) for v in (axes * steps[:, None]).tolist())
    target = Geometry(tuple((start @ axes).tolist()), slice_step, row_step, column_step, source.frame_of_reference)
    return resample(volume, target, counts.tolist(), method=method, fill_value=fill_value)


def plane_axes(plane: str | ArrayLike) -> NDArray[np.float64]:
    """Give the unit vectors (rows) of slice, row and column of a plane.

    Examples
    --------
    >>> plane_axes("coronal").tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]
    """
    if isinstance(plane, str):
        if plane not in PLANES:
            raise GeometryError(f"{plane!r} is none of {', '.join(PLANES)}, nor six direction cosines")
        across, down = (np.array(v) for v in PLANES[plane])
    else:
        cosines = np.asarray(plane, float).reshape(-1)
        if cosines.shape != (6,):
            raise GeometryError("an oblique plane is given by six direction cosines")
        across, down = unit(cosines[:3]), unit(cosines[3:])
        if abs(across @ down) > 1e-3:
            raise GeometryError("the two directions of the plane are not at right angles")
        down = unit(down - (down @ across) * across)
    return np.stack([np.cross(across, down), down, across]) + 0.0


def deskewed(volume: xr.DataArray, fill_value: float | None = None) -> xr.DataArray:
    """Resample a volume of tilted slices to a grid with right angles; along the normal they stay where they are."""
    source = geometry_of(volume)
    axes = source.axes
    result = reslice(
        volume,
        np.concatenate([axes[2], axes[1]]),
        spacing=[float(source.pitch[0]), *source.spacing[1:]],
        fill_value=fill_value,
    )
    kept = {
        name: c
        for name, c in volume.coords.items()
        if "slice" in c.dims and name not in result.coords and result.sizes["slice"] == volume.sizes["slice"]
    }
    return result.assign_coords({name: (c.dims, c.values, c.attrs) for name, c in kept.items()})


def _spacings(
    source: Geometry, axes: NDArray[np.float64], spacing: float | Sequence[float] | None
) -> NDArray[np.float64]:
    if spacing is None:
        nearest = np.abs(axes @ source.axes.T).argmax(1)
        return np.array([source.pitch[k] for k in nearest])
    steps = np.broadcast_to(np.asarray(spacing, float), 3).copy()
    if not (steps > 0).all():
        raise GeometryError(f"spacing must be positive, not {spacing}")
    return steps


def _copied(
    volume: xr.DataArray, matrix: NDArray[np.float64], offset: NDArray[np.float64], shape: Sequence[int]
) -> Any | None:
    """Turn and cut the volume, if every point of the grid is one of its voxels; else None."""
    turn = np.round(matrix)
    reach = max(max(shape), 1)
    if np.abs(matrix - turn).max() * reach > WHOLE or np.abs(offset - np.round(offset)).max() > WHOLE:
        return None
    if ((turn != 0).sum(0) > 1).any() or ((turn != 0).sum(1) > 1).any():
        return None
    start = np.round(offset).astype(int)
    selection: dict[str, Any] = {}
    sources: dict[int, int] = {}
    for s, axis in enumerate(AXES):
        targets = np.flatnonzero(turn[s])
        if not len(targets):
            return None
        (t,) = targets.tolist()
        step, count = int(turn[s, t]), shape[t]
        last = start[s] + step * (count - 1)
        if min(start[s], last) < 0 or max(start[s], last) >= volume.sizes[axis]:
            return None
        stop: int | None = int(last + (1 if step > 0 else -1))
        selection[axis] = slice(int(start[s]), None if stop is not None and stop < 0 else stop, step)
        sources[t] = s
    part = volume.variable.isel(selection)
    order = [AXES[sources[t]] for t in range(3)]
    lead = [d for d in volume.dims if d not in (*AXES, "sample")]
    tail = ["sample"] if "sample" in volume.dims else []
    return part.transpose(*lead, *order, *tail).data
