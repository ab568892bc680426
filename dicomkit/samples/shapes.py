"""Soft-edged solids painted on a grid of points in millimetres: what the phantoms are made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Point = tuple[float, float, float]


class Grid(NamedTuple):
    """Coordinates of points in mm (x to the left, y to the back, z to the head), as arrays that broadcast together."""

    x: Array
    y: Array
    z: Array
    soft: float

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one value per point: (slice, row, column)."""
        return np.broadcast_shapes(self.x.shape, self.y.shape, self.z.shape)


def aligned_grid(x: NDArray[Any], y: NDArray[Any], z: NDArray[Any], soft: float | None = None) -> Grid:
    """Make the grid of three 1-D coordinate arrays; edges are as soft as the finest spacing unless told otherwise."""
    if soft is None:
        soft = min(float(abs(axis[1] - axis[0])) for axis in (x, y, z) if len(axis) > 1)
    xs, ys, zs = (np.asarray(axis, dtype=np.float32) for axis in (x, y, z))
    return Grid(xs[None, None, :], ys[None, :, None], zs[:, None, None], soft)


def oblique_grid(origin: NDArray[Any], steps: NDArray[Any], shape: tuple[int, int, int], soft: float) -> Grid:
    """Make the grid of a first point and three step vectors (rows of `steps`: next slice, next row, next column)."""
    index = np.ogrid[tuple(slice(0, n) for n in shape)]
    axes = [(origin[k] + sum(steps[n][k] * index[n] for n in range(3))).astype(np.float32) for k in range(3)]
    return Grid(axes[0], axes[1], axes[2], soft)


def ramp(distance: NDArray[Any], soft: float) -> Array:
    """Turn a signed distance in mm (positive inside) into a share of 0 to 1."""
    return np.clip(distance / np.float32(soft) + np.float32(0.5), 0, 1).astype(np.float32)


def ellipsoid(grid: Grid, centre: Point, radii: Point, power: float = 2.0, turn: float = 0.0) -> Array:
    """Share of each point in a (super-)ellipsoid, turned about z by so many degrees; an infinite radius: a cylinder."""
    x, y = grid.x - np.float32(centre[0]), grid.y - np.float32(centre[1])
    if turn:
        cos, sin = (np.float32(f(np.radians(turn))) for f in (np.cos, np.sin))
        x, y = cos * x + sin * y, cos * y - sin * x
    total = np.abs(x / np.float32(radii[0])) ** np.float32(power) + np.abs(y / np.float32(radii[1])) ** np.float32(
        power
    )
    if np.isfinite(radii[2]):
        total = total + np.abs((grid.z - np.float32(centre[2])) / np.float32(radii[2])) ** np.float32(power)
    radius = total ** np.float32(1 / power)
    return ramp((1 - radius) * min(radii), grid.soft)


def capsule(grid: Grid, start: Point, end: Point, radius: float) -> Array:
    """Share of each point that lies within a radius of the line between two points."""
    a, b = (np.asarray(p, dtype=np.float32) for p in (start, end))
    along = b - a
    length2 = np.float32(max(float(along @ along), 1e-6))
    dx, dy, dz = grid.x - a[0], grid.y - a[1], grid.z - a[2]
    t = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / length2, 0, 1)
    distance = np.sqrt((dx - t * along[0]) ** 2 + (dy - t * along[1]) ** 2 + (dz - t * along[2]) ** 2)
    # A tube thinner than a voxel keeps its share of it instead of vanishing.
    return ramp(radius - distance, grid.soft) * np.float32(min(1.0, 2 * radius / grid.soft))


def paint(values: Array, share: Array, value: float | Array) -> None:
    """Mix a value into a volume in place, by the share of each point."""
    values += share * (value - values)


def paint_tube(values: Array, grid: Grid, start: Point, end: Point, radius: float, value: float) -> None:
    """Paint a capsule into the part of an aligned grid that it touches."""
    reach = radius + grid.soft
    parts = []
    for axis, (a, b) in zip((grid.z, grid.y, grid.x), ((start[k], end[k]) for k in (2, 1, 0)), strict=True):
        inside = np.flatnonzero((axis.ravel() >= min(a, b) - reach) & (axis.ravel() <= max(a, b) + reach))
        if not inside.size:
            return
        parts.append(slice(int(inside[0]), int(inside[-1]) + 1))
    z, y, x = parts
    part = Grid(grid.x[:, :, x], grid.y[:, y], grid.z[z], grid.soft)
    paint(values[z, y, x], capsule(part, start, end, radius), value)


def blur(values: Array, passes: int = 1, axes: tuple[int, ...] = (-2, -1)) -> Array:
    """Average neighbours (1 2 1) along axes, so many times."""
    for _ in range(passes):
        for axis in axes:
            padded = np.concatenate(
                [values.take([0], axis), values, values.take([-1], axis)], axis=axis, dtype=np.float32
            )
            n = padded.shape[axis]
            left, middle, right = (padded.take(range(k, n - 2 + k), axis) for k in range(3))
            values = (left + 2 * middle + right) / np.float32(4)
    return values


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], passes: int) -> Array:
    """Random values of zero mean and unit spread whose neighbours are alike, in the last two dimensions."""
    noise = blur(rng.standard_normal(shape, dtype=np.float32), passes)
    even: Array = (noise - noise.mean()) / np.float32(max(float(noise.std()), 1e-6))
    return even
