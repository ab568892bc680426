"""A chest: fat, muscle, ribs, spine, lungs with their vessels, heart, liver and one nodule, as Hounsfield units."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from dicomkit.samples.shapes import Array, Grid, Point, capsule, ellipsoid, paint, paint_tube, ramp

INF = float("inf")
NODULE: tuple[Point, float] = ((-78.0, 8.0, 22.0), 9.0)
RIB_PITCH = 25.0
VERTEBRA_PITCH = 25.0

# Tubes of the mediastinum: Hounsfield units, radius, points in mm. Later ones lie on earlier ones.
_TUBES: tuple[tuple[float, float, tuple[Point, ...]], ...] = (
    (35, 10.5, ((0, 2, 260), (0, 12, 42))),
    (35, 8.0, ((0, 12, 42), (-40, 14, 16))),
    (35, 7.5, ((0, 12, 42), (40, 16, 18))),
    (40, 7.0, ((4, 24, 260), (6, 30, -130))),
    (195, 12.5, ((20, 37, 66), (12, 40, -130))),
    (195, 15.0, ((8, -22, 5), (-8, -24, 60))),
    (195, 13.0, ((-8, -24, 60), (4, -6, 76), (20, 30, 66))),
    (210, 13.5, ((22, -44, 8), (26, -14, 32))),
    (210, 9.0, ((26, -14, 32), (-18, -4, 28), (-46, 4, 24))),
    (210, 9.0, ((26, -14, 32), (46, 10, 32), (58, 14, 26))),
    (280, 8.5, ((-28, -20, 110), (-26, -20, 0))),
    (-990, 8.5, ((0, 2, 260), (0, 12, 42))),
    (-990, 6.0, ((0, 12, 42), (-40, 14, 16))),
    (-990, 5.5, ((0, 12, 42), (40, 16, 18))),
)


@cache
def lung_vessels(seed: int) -> tuple[tuple[Point, Point, float], ...]:
    """Grow the vessel trees of both lungs: start, end and radius of each piece, deterministic in the seed."""
    rng = np.random.default_rng([seed, 7])
    pieces: list[tuple[Point, Point, float]] = []

    def grow(start: Point, direction: np.ndarray[tuple[int], np.dtype[np.float64]], radius: float, depth: int) -> None:
        length = (30 if depth == 5 else 23) * rng.uniform(0.7, 1.15) * 0.9 ** (5 - depth)
        stop = np.asarray(start) + direction * length
        end = (float(stop[0]), float(stop[1]), float(stop[2]))
        pieces.append((start, end, radius))
        if depth:
            for _ in range(2 if depth < 4 or rng.random() < 0.5 else 3):
                turned = direction + rng.normal(0, 0.55, 3)
                turned[0] += 0.25 * np.sign(start[0])
                grow(end, turned / np.linalg.norm(turned), radius * rng.uniform(0.66, 0.8), depth - 1)

    for side, hilum in ((-1.0, (-42.0, 8.0, 20.0)), (1.0, (46.0, 12.0, 24.0))):
        for y, z in ((-0.75, 0.55), (-0.6, -0.5), (0.7, 0.7), (0.75, -0.4), (0.2, -1.1), (0.1, 0.1), (0.0, 1.2)):
            aim = np.array([0.7 * side, y, z])
            grow(hilum, aim / np.linalg.norm(aim), 4.2, 5)
    return tuple(pieces)


def hounsfield(grid: Grid, seed: int = 0, *, table: bool = True) -> Array:
    """Fill an aligned grid with the Hounsfield units of the chest, without noise.

    Parameters
    ----------
    grid : Grid
        Points in mm; the chest stands around the origin, 340 mm wide, 225 mm deep.
    seed : int
        Chooses the vessels of the lungs.
    table : bool
        Whether the patient lies on a table.

    Returns
    -------
    numpy.ndarray
        float32, (slice, row, column), in HU.
    """
    values = np.full(grid.shape, -1000, dtype=np.float32)
    if table:
        distance = np.sqrt(grid.x**2 + (grid.y + 580) ** 2) - np.float32(712)
        under = ramp(210 - np.abs(grid.x), grid.soft)
        paint(values, ramp(7 - np.abs(distance), grid.soft) * under, -930)
        paint(values, ramp(1.2 - np.abs(np.abs(distance) - 7), grid.soft) * under * min(1.0, 2.4 / grid.soft), -100)
    paint(values, _trunk(grid, 0.0), -100)
    paint(values, _trunk(grid, 14.0), 50)
    _paint_wall(values, grid)
    _paint_inside(values, grid, seed)
    _paint_spine(values, grid)
    return values


def _trunk(grid: Grid, inset: float) -> Array:
    """Share of each point inside the skin, or so many mm below it: an oval that narrows at the shoulders."""
    above = np.clip((grid.z - 130) / np.float32(95), 0, 1)
    width = 170 - inset - 105 * above**2 * (3 - 2 * above)
    depth = 112 - 0.95 * inset - 45 * above
    total = np.abs(grid.x / width) ** np.float32(2.4) + np.abs((grid.y - 0.1 * inset) / depth) ** np.float32(2.4)
    return ramp((1 - total ** np.float32(1 / 2.4)) * 100, grid.soft)


def _paint_wall(values: Array, grid: Grid) -> None:
    """Paint shoulder blades, collar bones, ribs and breastbone."""
    for side in (-1, 1):
        points = ((side * 16, -84, 112), (side * 62, -72, 128), (side * 120, -18, 146))
        for start, end in pairwise(points):
            paint_tube(values, grid, start, end, 6.0, 480)
            paint_tube(values, grid, start, end, 3.2, 200)
        blade = ellipsoid(grid, (side * 108, 68, 70), (36, 5.5, 62), turn=-side * 38.0)
        paint(values, blade, 420)
        paint(values, ellipsoid(grid, (side * 108, 68, 70), (34, 2.6, 60), turn=-side * 38.0), 190)
    shell = (1 - _cage(grid)) * np.float32(88)
    phase = (grid.z - 0.5 * grid.y + 0.04 * np.abs(grid.x)) / np.float32(RIB_PITCH)
    along = np.abs((phase - np.floor(phase)) - np.float32(0.5)) * np.float32(RIB_PITCH)
    distance = np.sqrt(shell**2 + (along * np.float32(0.75)) ** 2)
    bony = ramp(grid.y + 62, 20)
    paint(values, ramp(5.5 - distance, grid.soft), 110 + 420 * bony)
    paint(values, ramp(2.8 - distance, grid.soft) * bony, 220)
    for radii, value in (((23, 7.5, 85), 380), ((20, 5.0, 82), 160)):
        paint(values, ellipsoid(grid, (0, -91, 20), radii, 3.0), value)


def _cage(grid: Grid) -> Array:
    """Normalized radius of the rib cage: below 1 inside."""
    narrow = np.sqrt(1 - np.clip((grid.z - 20) / np.float32(170), 0, 0.93) ** 2)
    x, y = np.abs(grid.x / (137 * narrow)), np.abs((grid.y + 5) / (90 * (0.25 + 0.75 * narrow)))
    radius: Array = (x ** np.float32(2.3) + y ** np.float32(2.3)) ** np.float32(1 / 2.3)
    return radius


def _paint_inside(values: Array, grid: Grid, seed: int) -> None:
    """Paint lungs, vessels, nodule, heart, great vessels, air ways, liver, stomach and spleen."""
    inside = ramp((0.93 - _cage(grid)) * 88, grid.soft)
    paint(values, inside, -85)
    belly = _below_diaphragm(grid)
    lungs = np.zeros(grid.shape, dtype=np.float32)
    for centre in ((-70.0, 2.0, 5.0), (71.0, 2.0, 5.0)):
        np.maximum(lungs, ellipsoid(grid, centre, (57, 86, 165), 2.4), out=lungs)
    lungs *= inside * (1 - belly)
    texture = -868 + 0.35 * grid.y + 9 * np.sin(grid.x / 9 + grid.z / 13) * np.sin(grid.y / 8 - grid.z / 11)
    paint(values, lungs, texture)
    before = values.copy()
    for start, end, radius in lung_vessels(seed):
        paint_tube(values, grid, start, end, radius, 60.0)
    paint_tube(values, grid, NODULE[0], NODULE[0], NODULE[1], 45.0)
    values[:] = before + (values - before) * lungs
    liver = ellipsoid(grid, (-42, -4, -105), (92, 82, 75), 2.3) * inside * belly
    for share, value in (
        (liver, 105.0),
        (ellipsoid(grid, (72, 38, -110), (42, 36, 62)) * inside * belly, 120.0),
        (ellipsoid(grid, (48, -38, -100), (46, 38, 50)) * inside * belly, 30.0),
        (ellipsoid(grid, (48, -58, -96), (32, 16, 38)) * inside * belly, -980.0),
        (ellipsoid(grid, (22, -32, -30), (66, 49, 56), turn=28.0), -90.0),
        (ellipsoid(grid, (22, -32, -30), (61, 45, 52), turn=28.0), 95.0),
        (ellipsoid(grid, (44, -28, -36), (25, 19, 34), turn=28.0), 205.0),
        (ellipsoid(grid, (2, -52, -30), (24, 15, 34), turn=28.0), 190.0),
        (ellipsoid(grid, (14, 2, -14), (29, 16, 26)), 200.0),
        (ellipsoid(grid, (-28, -30, -22), (17, 24, 30)), 185.0),
    ):
        paint(values, share, value)
    for value, radius, points in _TUBES:
        for start, end in pairwise(points):
            paint_tube(values, grid, start, end, radius, value)


def _below_diaphragm(grid: Grid) -> Array:
    """Share of each point below the two domes of the diaphragm."""
    dome = np.full(grid.shape, -118, dtype=np.float32)
    for centre, height in ((-64, 68), (68, 56)):
        near = np.exp(-(((grid.x - centre) / 62) ** 2) - ((grid.y + 12) / 66) ** 2)
        np.maximum(dome, -118 + height * near, out=dome)
    return ramp(dome - grid.z, max(grid.soft, 3.0))


def _paint_spine(values: Array, grid: Grid) -> None:
    """Paint muscles of the back, vertebrae with discs between, the canal with the cord, and the processes."""
    for side in (-1, 1):
        paint(values, ellipsoid(grid, (side * 27, 84, 0), (25, 15, INF)), 55)
    phase = grid.z / np.float32(VERTEBRA_PITCH)
    along = np.abs((phase - np.floor(phase)) - np.float32(0.5)) * np.float32(VERTEBRA_PITCH)
    bone = ramp(10 - along, max(grid.soft, 1.5))
    body = ellipsoid(grid, (0, 58, 0), (19.5, 16.5, INF), 2.4)
    paint(values, body, 90)
    paint(values, body * bone, 430)
    marrow = ellipsoid(grid, (0, 58, 0), (17, 14, INF), 2.4) * ramp(8.2 - along, max(grid.soft, 1.5))
    paint(values, marrow, 190)
    arch = ellipsoid(grid, (0, 82, 0), (15.5, 13.5, INF))
    paint(values, arch * (0.3 + 0.7 * bone), 480)
    level = Grid(grid.x, grid.y, np.zeros_like(grid.z), grid.soft)
    spinous = capsule(level, (0, 92, 0), (0, 108, 0), 4.0)
    sides = sum(capsule(level, (side * 12, 80, 0), (side * 38, 84, 0), 4.5) for side in (-1, 1))
    paint(values, np.clip(spinous + sides, 0, 1) * ramp(6.5 - along, max(grid.soft, 1.5)), 420)
    paint(values, ellipsoid(grid, (0, 81, 0), (9.5, 8, INF)), -15)
    paint(values, ellipsoid(grid, (0, 81, 0), (6, 5, INF)), 40)
