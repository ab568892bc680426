"""The array of a volume gets its names: dimensions, mm coordinates, geometry, facts of each slice, attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError
from dicomkit.volumes.dimensions import Dimension
from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.geometry import AXES
from dicomkit.volumes.places import DESCRIPTION, ORDER
from dicomkit.volumes.stack import Stack

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

SPATIAL = {
    "slice": "position along the normal of the slices",
    "row": "position along a column of pixels",
    "column": "position along a row of pixels",
}
XYZ = ("x", "y", "z")


def labelled(facts: FrameFacts, stack: Stack, data: Any, units: str) -> xr.DataArray:
    """Make the DataArray of a stack.

    Parameters
    ----------
    facts, stack
        What the array was read from.
    data
        An array, or an xarray Variable over a lazy one, of (further dimensions, slices, rows, columns[, samples]).
    units
        For attrs, "" for none.

    Returns
    -------
    xarray.DataArray
    """
    import xarray as xr

    geometry = stack.geometry
    if geometry is None:
        raise GeometryError("the distance of the slices is not known")
    extra = tuple(d.name for d in stack.dimensions)
    dims = (*extra, *AXES)
    sample = len(data.shape) > len(dims)
    coords: dict[str, Any] = {d.name: _level(d) for d in stack.dimensions}
    along = {"slice": stack.coordinates()} | {
        axis: geometry.coordinate(axis, np.arange(n)) for axis, n in zip(AXES[1:], stack.shape, strict=True)
    }
    for axis, values in along.items():
        coords[axis] = (axis, values, {"units": "mm", "long_name": SPATIAL[axis]})
    coords["geometry"] = ((), text(geometry.to_string()))
    for axis, values in zip(XYZ, np.round(stack.positions, 6).T, strict=True):
        coords[f"position_{axis}"] = ("slice", values, {"units": "mm", "long_name": f"{axis} (LPS) of the first pixel"})
    cells = (*extra, "slice")
    coords["SOPInstanceUID"] = (cells, _taken(facts["uid"], stack.frames, ""))
    coords["InstanceNumber"] = (cells, _whole(_taken(facts["number"], stack.frames, np.nan)))
    if facts.frame[stack.present].any():
        coords["FrameNumber"] = (cells, _whole(_taken(facts.frame + 1.0, stack.frames, np.nan)))
    coords |= _order_coordinates(facts, stack)
    attrs: dict[str, Any] = {"units": units} if units else {}
    attrs |= _description(facts, stack)
    if stack.notes:
        attrs["assumptions"] = list(dict.fromkeys(stack.notes))
    if sample:
        dims = (*dims, "sample")
        coords["sample"] = ("sample", text(["red", "green", "blue", "alpha"][: data.shape[-1]]))
    if isinstance(data, xr.Variable):
        data = xr.Variable(dims, data._data)
    return xr.DataArray(data, coords, dims, name=str(attrs.get("Modality") or "volume"), attrs=attrs)


def text(values: Any) -> NDArray[Any]:
    """Make an array of texts as objects: in Zarr they become the strings that every reader knows, in netCDF too."""
    return np.array(values, dtype=object)


def _level(dimension: Dimension) -> tuple[Any, ...]:
    """The coordinate of a further dimension."""
    values = dimension.values
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values % 1 == 0).all() and not dimension.units:
        values = values.astype(np.int64)
    attrs = {"attribute": dimension.attribute} | ({"units": dimension.units} if dimension.units else {})
    return dimension.name, values, attrs


def _order_coordinates(facts: FrameFacts, stack: Stack) -> dict[str, Any]:
    """What else is constant over each level of one further dimension, under its keyword."""
    coords: dict[str, Any] = {}
    for axis, dimension in enumerate(stack.dimensions):
        frames = np.moveaxis(stack.frames, axis, 0).reshape(len(dimension), -1)
        for keyword, fact in ORDER.items():
            if keyword == dimension.attribute and fact.width <= 1:
                continue
            column = facts[keyword]
            levels, even = [], True
            for row in frames:
                values = column[row[row >= 0]]
                same = values == values[0] if len(values) else np.array([False])
                even = even and bool(np.all(same | ((values != values) & (values[0] != values[0]))))
                levels.append(values[0] if len(values) else None)
            if not even:
                continue
            stacked = np.array(levels)
            if not (stacked[1:] != stacked[:1]).any() or (stacked != stacked).all():
                continue
            if fact.width > 1:
                for letter, along in zip(XYZ, stacked.T, strict=True):
                    coords[f"gradient_{letter}"] = (dimension.name, along)
            else:
                coords[keyword] = (dimension.name, text(stacked) if fact.width == 0 else stacked)
    return coords


def _taken(column: NDArray[Any], frames: NDArray[np.int64], nothing: Any) -> NDArray[Any]:
    return np.where(frames >= 0, column[frames], nothing)


def _whole(values: NDArray[np.float64]) -> NDArray[Any]:
    """Integers, where all are known."""
    return values.astype(np.int64) if np.isfinite(values).all() else values


def _description(facts: FrameFacts, stack: Stack) -> dict[str, Any]:
    """What the header says of the series, as values that any file format can hold."""
    ds = facts.sources[int(facts.source[stack.present[0]])]
    attrs: dict[str, Any] = {}
    for keyword in DESCRIPTION:
        value = ds.get(keyword)
        if value is None:
            continue
        if isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, str):
            value = str(value)
        attrs[keyword] = value
    return attrs
