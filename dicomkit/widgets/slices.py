"""One slice of a volume in a plane of the patient, drawn as a viewer needs it: quickly, and with its sides named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dicomkit.errors import GeometryError
from dicomkit.volumes.geometry import AXES, PLANES
from dicomkit.volumes.grid import geometry_of
from dicomkit.volumes.resample import plane_axes, reslice
from dicomkit.widgets.drawing import Drawing
from dicomkit.widgets.reel import array_aspect, grey8

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

STORED = "as stored"
"""The plane in which the slices were acquired."""

_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_ASIDE = 0.25


def letters(direction: ArrayLike) -> str:
    """Name the side of the patient that a direction in LPS points to, as Patient Orientation does (PS3.3 C.7.6.1.1.1).

    Examples
    --------
    >>> letters([1, 0, 0]), letters([0, 0, -1]), letters([0.1, -0.8, 0.6])
    ('L', 'F', 'AH')
    """
    d = np.asarray(direction, float)
    d = d / max(float(np.sqrt(d @ d)), 1e-9)
    order = [int(k) for k in np.argsort(-np.abs(d), kind="stable") if abs(d[k]) > _ASIDE]
    return "".join(_LETTERS[k][0 if d[k] > 0 else 1] for k in order)


@dataclass(frozen=True, slots=True)
class Plane:
    """A row of parallel slices through a volume.

    Parameters
    ----------
    name : str
        ``"as stored"``, ``"axial"``, ``"coronal"`` or ``"sagittal"``.
    count : int
        How many slices there are.
    points : ndarray
        ``(count, 3)`` LPS mm: a point on each slice; None where the volume has no geometry.
    axes : ndarray
        ``(3, 3)`` unit vectors of slice, row and column; None where the volume has no geometry.
    """

    name: str
    count: int
    points: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    axes: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    @property
    def sides(self) -> tuple[str, str, str, str]:
        """What is at the left, right, top and bottom edge; empty texts where it is not known."""
        if self.axes is None:
            return "", "", "", ""
        _, down, right = self.axes
        return letters(-right), letters(right), letters(-down), letters(down)

    def place(self, index: int) -> str:
        """Where a slice is: mm from the origin of the patient's system, and to which side."""
        if self.axes is None or self.points is None:
            return ""
        along = round(float(self.points[index] @ self.axes[0]), 1)
        side = f" {letters(self.axes[0] if along > 0 else -self.axes[0])}" if along else ""
        return f"{abs(along):.1f} mm{side}"

    def taken(self, volume: xr.DataArray, index: int) -> xr.DataArray:
        """The slice of a volume of three dimensions (and sample, for colour): rows and columns."""
        if self.name == STORED or self.points is None:
            return volume.isel(slice=index)
        return reslice(volume, self.name, through=self.points[index]).isel(slice=0)

    def draw(self, volume: xr.DataArray, index: int, window: tuple[float, float] | None) -> Drawing:
        """Draw a slice."""
        part = self.taken(volume, index)
        return Drawing(grey8(np.asarray(part.data), window), array_aspect(part))


def planes_of(volume: xr.DataArray) -> dict[str, Plane]:
    """The planes in which a volume can be looked at, by name, the best first.

    A volume whose slices lie in a plane of the patient comes in the three planes of the patient; an oblique one also as
    it is stored; one without even geometry only so.

    Parameters
    ----------
    volume : DataArray
        With the dimensions slice, row and column.

    Examples
    --------
    >>> import dicomkit as dk
    >>> list(planes_of(dk.to_volume(dk.samples.ct_series(slices=3, size=8))))
    ['axial', 'coronal', 'sagittal']
    """
    try:
        geometry = geometry_of(volume)
    except GeometryError:
        return {STORED: Plane(STORED, volume.sizes["slice"])}
    shape = [volume.sizes[axis] for axis in AXES]
    corners = geometry.points(np.array(np.meshgrid(*([0, n - 1] for n in shape))).reshape(3, -1).T)
    centre = corners.mean(0)
    best, found = "", {}
    for name in PLANES:
        axes = plane_axes(name)
        nearest = np.abs(geometry.axes @ axes[0])
        if nearest[0] > 1 - 1e-6:
            best = name
        along = corners @ axes[0]
        step = float(geometry.pitch[int(nearest.argmax())])
        places = along.min() + step * np.arange(int(np.ptp(along) / step + 1e-3) + 1)
        points = centre + np.outer(places - centre @ axes[0], axes[0])
        found[name] = Plane(name, len(places), points, axes)
    if best:
        return {best: found[best], **found}
    points = geometry.points(np.arange(shape[0])[:, None] * [1, 0, 0] + [0, shape[1] / 2, shape[2] / 2])
    return {STORED: Plane(STORED, shape[0], points, geometry.axes), **found}


def at_levels(volume: xr.DataArray, levels: Mapping[str, int]) -> xr.DataArray:
    """Take one level of each further dimension, and put the others in order."""
    tail = ["sample"] if "sample" in volume.dims else []
    return volume.isel(levels).transpose(*AXES, *tail)
