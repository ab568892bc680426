"""A `Geometry` says where the voxels of a volume lie in the patient: an origin and three step vectors in millimetres.

The coordinate system is DICOM's patient system, LPS: x grows to the patient's left, y to the back (posterior), z to
the head (superior) (PS3.3 C.7.6.2.1.1). An affine maps the array index (slice, row, column) to LPS, in this order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dicomkit.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Vector = tuple[float, float, float]

AXES = ("slice", "row", "column")
"""The three spatial dimensions of a volume, in array order."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""What turns an affine in LPS (DICOM, ITK) into one in RAS (NIfTI), and back."""

PLANES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}
"""Directions in LPS of growing column and row index, as ImageOrientationPatient has them, seen as is the custom."""

ORIGIN_DECIMALS = 5
STEP_DECIMALS = 9
COORDINATE_DECIMALS = 4
FARTHEST = 1e8
SAME = 2 * 10.0**-COORDINATE_DECIMALS
"""Positions in mm that are no further apart are one: two roundings of a coordinate."""


def rounded(values: ArrayLike, decimals: int) -> NDArray[np.float64]:
    """Round so that numbers which differ by floating point noise come out equal.

    A tie such as 0.00005 would fall to either side of the fourth decimal with a noise of 1e-13, so that noise is
    rounded away first. There is no negative zero in the result.

    Examples
    --------
    >>> rounded([0.00005 - 1e-13, 0.00005 + 1e-13, -1e-9], 4).tolist()
    [0.0, 0.0, 0.0]
    """
    return np.asarray(np.round(np.round(np.asarray(values, float), decimals + 5), decimals) + 0.0, np.float64)


def unit(vector: ArrayLike) -> NDArray[np.float64]:
    """Scale vectors (the last axis) to length 1."""
    v = np.asarray(vector, float)
    length = np.sqrt((v * v).sum(-1, keepdims=True))
    if not np.all(length > 0):
        raise GeometryError("a direction has no length or is not a number")
    return np.asarray(v / length)


def plane_normal(orientation: ArrayLike) -> NDArray[np.float64]:
    """Give the unit normals of planes from their six direction cosines, shape (..., 6) to (..., 3).

    Parameters
    ----------
    orientation
        ImageOrientationPatient (PS3.3 C.7.6.2.1.1), or an array of several.

    Examples
    --------
    >>> plane_normal([1, 0, 0, 0, 1, 0]).tolist()
    [0.0, 0.0, 1.0]
    """
    o = np.asarray(orientation, float)
    return unit(np.cross(o[..., :3], o[..., 3:]))


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the voxels of a volume lie: the centre of voxel (0, 0, 0) and a step along each axis, in LPS mm.

    Values are rounded when it is made (origin to 1e-5 mm, steps to 1e-9 mm), so that equal grids are equal, and
    have the same string. Two gantry-tilted slices differ by a step that is not along the normal: it is kept as is.

    Parameters
    ----------
    origin
        Centre of the first voxel, (x, y, z).
    slice_step, row_step, column_step
        What is added to a position when the index of slice, row or column grows by one, (x, y, z).
    frame_of_reference
        FrameOfReferenceUID, or "" when not known.

    Examples
    --------
    >>> g = Geometry((-100, -90, 30), (0, 0, 2.5), (0, 0.5, 0), (0.5, 0, 0))
    >>> g.spacing
    (2.5, 0.5, 0.5)
    >>> g.points([2, 0, 10]).tolist()
    [-95.0, -90.0, 35.0]
    >>> Geometry.from_string(g.to_string()) == g
    True
    """

    origin: Vector
    slice_step: Vector
    row_step: Vector
    column_step: Vector
    frame_of_reference: str = field(default="")

    def __post_init__(self) -> None:
        for name, decimals in (
            ("origin", ORIGIN_DECIMALS),
            ("slice_step", STEP_DECIMALS),
            ("row_step", STEP_DECIMALS),
            ("column_step", STEP_DECIMALS),
        ):
            value = np.asarray(getattr(self, name), float)
            if value.shape != (3,) or not (np.abs(value) <= FARTHEST).all():
                raise GeometryError(f"{name} must be three finite numbers of mm, not {getattr(self, name)}")
            object.__setattr__(self, name, tuple(rounded(value, decimals).tolist()))
        r, c = np.asarray(self.row_step), np.asarray(self.column_step)
        if not abs(np.dot(np.cross(c, r), self.slice_step)) > 1e-9 * math.hypot(*r) * math.hypot(*c):
            raise GeometryError("the step vectors of slice, row and column lie in one plane", hint="check the spacing")

    @classmethod
    def from_plane(
        cls,
        position: ArrayLike,
        orientation: ArrayLike,
        spacing: ArrayLike,
        slice_step: float | ArrayLike,
        frame_of_reference: str = "",
    ) -> Self:
        """Make a geometry from the Image Plane attributes of the first slice.

        Parameters
        ----------
        position
            ImagePositionPatient, mm.
        orientation
            ImageOrientationPatient: direction of a row (growing column index), then of a column.
        spacing
            PixelSpacing: mm between rows, then mm between columns.
        slice_step
            mm to the next slice: along the normal when it is one number, else the vector (which may be tilted).
        frame_of_reference
            FrameOfReferenceUID.

        Examples
        --------
        >>> Geometry.from_plane((0, 0, 0), (1, 0, 0, 0, 1, 0), (0.5, 0.25), 3).affine[:3, :3].tolist()
        [[0.0, 0.0, 0.25], [0.0, 0.5, 0.0], [3.0, 0.0, 0.0]]
        """
        o = np.asarray(orientation, float)
        between_rows, between_columns = np.asarray(spacing, float)
        step = np.asarray(slice_step, float)
        if step.ndim == 0:
            step = plane_normal(o) * step
        return cls(
            _vector(position),
            _vector(step),
            _vector(unit(o[3:]) * between_rows),
            _vector(unit(o[:3]) * between_columns),
            frame_of_reference,
        )

    @classmethod
    def from_affine(cls, affine: ArrayLike, frame_of_reference: str = "") -> Self:
        """Make a geometry from a 4x4 matrix that maps (slice, row, column, 1) to LPS mm."""
        a = np.asarray(affine, float)
        return cls(_vector(a[:3, 3]), _vector(a[:3, 0]), _vector(a[:3, 1]), _vector(a[:3, 2]), frame_of_reference)

    @property
    def steps(self) -> NDArray[np.float64]:
        """The step vectors of slice, row and column as the rows of a 3x3 array."""
        return np.array([self.slice_step, self.row_step, self.column_step])

    @property
    def affine(self) -> NDArray[np.float64]:
        """The 4x4 matrix that maps (slice, row, column, 1) to LPS mm."""
        a = np.eye(4)
        a[:3, :3] = self.steps.T
        a[:3, 3] = self.origin
        return a

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """The 4x4 matrix that maps (slice, row, column, 1) to RAS mm, as NIfTI counts."""
        return np.asarray(LPS_TO_RAS @ self.affine)

    @property
    def spacing(self) -> Vector:
        """Lengths of the steps along slice, row and column, mm."""
        return _vector(rounded(np.sqrt((self.steps**2).sum(1)), STEP_DECIMALS - 1))

    @property
    def axes(self) -> NDArray[np.float64]:
        """Unit vectors that the coordinates count along: the normal of the slices, then along a column and a row.

        The normal points to the next slice, so that each coordinate grows with its index.
        """
        return _axes(self)

    @property
    def pitch(self) -> NDArray[np.float64]:
        """By how much the coordinate along each axis grows with its index, mm (always positive)."""
        return np.asarray((self.steps * self.axes).sum(1))

    @property
    def tilt(self) -> float:
        """Angle in degrees between the step to the next slice and the normal of the slices."""
        return math.degrees(math.acos(min(1.0, float(self.pitch[0]) / math.hypot(*self.slice_step))))

    @property
    def codes(self) -> tuple[str, str, str]:
        """The side of the patient that slice, row and column grow to: one of L R P A S I each.

        Examples
        --------
        >>> Geometry((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)).codes
        ('S', 'P', 'L')
        """
        s, r, c = (
            ("LPS" if step[axis] > 0 else "RAI")[axis]
            for step in self.steps
            for axis in [int(np.argmax(np.round(np.abs(step), 6)))]
        )
        return s, r, c

    def points(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Turn indices (..., 3) of (slice, row, column) into LPS mm (..., 3)."""
        return np.asarray(np.asarray(indices, float) @ self.steps + self.origin)

    def indices(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn points (..., 3) in LPS mm into fractional indices (..., 3) of (slice, row, column)."""
        return np.asarray((np.asarray(points, float) - self.origin) @ np.linalg.inv(self.steps))

    def coordinate(self, axis: str, indices: ArrayLike) -> NDArray[np.float64]:
        """Give the mm coordinate of indices along an axis: the position projected on it, rounded to 1e-4 mm."""
        k = AXES.index(axis)
        start, pitch = float(np.dot(self.origin, self.axes[k])), float(self.pitch[k])
        return rounded(start + np.asarray(indices, float) * pitch, COORDINATE_DECIMALS)

    def coordinates(self, shape: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """Give the mm coordinates of all three axes for a shape (slices, rows, columns)."""
        return {axis: self.coordinate(axis, np.arange(n)) for axis, n in zip(AXES, shape, strict=True)}

    def shifted(self, start: ArrayLike = (0, 0, 0), stride: ArrayLike = (1, 1, 1)) -> Geometry:
        """Give the geometry of ``volume[start::stride]``; start may be a fraction, stride negative.

        Examples
        --------
        >>> Geometry((0, 0, 9), (0, 0, 3), (0, 1, 0), (1, 0, 0)).shifted((4, 0, 0), (-2, 1, 1)).affine[2].tolist()
        [-6.0, 0.0, 0.0, 21.0]
        """
        steps = self.steps * np.asarray(stride, float)[:, None]
        s, r, c = (_vector(step) for step in steps)
        return Geometry(_vector(self.points(start)), s, r, c, self.frame_of_reference)

    def located(self, coordinates: dict[str, ArrayLike]) -> Geometry:
        """Give the geometry of the part of this volume that has the given mm coordinates.

        Parameters
        ----------
        coordinates
            By axis name: the coordinates that are left after slicing, or one number where one slice, row or
            column was taken. An axis left out counts from its first index.

        Raises
        ------
        GeometryError
            If the coordinates along an axis are not evenly spaced.
        """
        start, stride = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
        for k, axis in enumerate(AXES):
            c = np.atleast_1d(np.asarray(coordinates.get(axis, ()), float))
            if not c.size:
                continue
            zero, pitch = float(np.dot(self.origin, self.axes[k])), float(self.pitch[k])
            start[k] = _snapped((c[0] - zero) / pitch, SAME / pitch)
            if c.size > 1:
                even = np.linspace(c[0], c[-1], c.size)
                if not np.abs(c - even).max() <= SAME or c[0] == c[-1]:
                    raise GeometryError(
                        f"the coordinates of {axis!r} are not evenly spaced, so no affine describes them",
                        hint=f"take a regular part, or read the coordinate position({axis})",
                    )
                stride[k] = _snapped((c[-1] - c[0]) / (c.size - 1) / pitch, SAME / pitch / (c.size - 1))
        return self.shifted(start, stride)

    def close_to(self, other: Geometry, shape: Sequence[int], tolerance: float = 1e-3) -> bool:
        """Tell whether the voxels of a volume of this shape lie within a tolerance in mm of those of another."""
        known = self.frame_of_reference and other.frame_of_reference
        if known and self.frame_of_reference != other.frame_of_reference:
            return False
        corners = np.array(np.meshgrid(*([0, n - 1] for n in shape))).reshape(3, -1).T
        return bool(np.abs(self.points(corners) - other.points(corners)).max() <= tolerance)

    def to_string(self) -> str:
        """Write the canonical string: one line of JSON, the same for equal geometries."""
        return json.dumps(
            {
                "space": "LPS",
                "origin": self.origin,
                "slice": self.slice_step,
                "row": self.row_step,
                "column": self.column_step,
                "frame": self.frame_of_reference,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read what `to_string` wrote.

        Raises
        ------
        GeometryError
            If the text is not such a string.
        """
        try:
            v: dict[str, Any] = json.loads(text)
            if v["space"] != "LPS":
                raise ValueError("the space is not LPS")
            origin, slice_step, row_step, column_step = (_vector(v[k]) for k in ("origin", *AXES))
            return cls(origin, slice_step, row_step, column_step, str(v["frame"]))
        except (ValueError, KeyError, TypeError) as error:
            raise GeometryError(f"not a geometry string: {str(text)[:80]!r} ({error})") from None

    def __repr__(self) -> str:
        spacing = " x ".join(f"{s:g}" for s in self.spacing)
        tilt = f", tilt {self.tilt:.2f} deg" if self.tilt > 0.01 else ""
        return f"<Geometry {'/'.join(self.codes)} {spacing} mm at {self.origin}{tilt}>"

    def _repr_html_(self) -> str:
        from dicomkit.display.html import table

        return table(
            ["", "x (L)", "y (P)", "z (S)", "length mm"],
            [
                ["origin", *self.origin, ""],
                *(
                    [f"{axis} step", *step, length]
                    for axis, step, length in zip(AXES, self.steps.tolist(), self.spacing, strict=True)
                ),
            ],
            caption=repr(self)[1:-1],
        )


def _vector(values: ArrayLike) -> Vector:
    x, y, z = np.asarray(values, float).tolist()
    return x, y, z


def _snapped(value: float, tolerance: float) -> float:
    """Round to the next half when it is near: indices are whole, or halves where voxels were merged."""
    half = round(2 * value) / 2
    return half if abs(value - half) <= tolerance else value


@lru_cache(64)
def _axes(geometry: Geometry) -> NDArray[np.float64]:
    s, r, c = geometry.steps
    n = unit(np.cross(c, r))
    axes = np.stack([n if np.dot(n, s) > 0 else -n, unit(r), unit(c)])
    axes.flags.writeable = False
    return axes
