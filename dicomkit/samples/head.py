"""A head: scalp, skull, folded cortex, white matter, ventricles, deep grey matter, as proton density, T1 and T2."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dicomkit.samples.shapes import Array, Grid, capsule, ellipsoid, paint, ramp


class Tissue(NamedTuple):
    """Proton density (of 1) and relaxation times at 1.5 T in ms."""

    density: float
    t1: float
    t2: float


AIR = Tissue(0.0, 1000, 50)
BONE = Tissue(0.08, 500, 20)
FAT = Tissue(0.62, 290, 70)
MUSCLE = Tissue(0.75, 900, 45)
FLUID = Tissue(1.0, 4000, 1600)
GREY = Tissue(0.82, 1050, 98)
WHITE = Tissue(0.7, 560, 76)
LESION = Tissue(0.85, 1350, 150)


def relaxation(grid: Grid, seed: int = 0) -> tuple[Array, Array, Array]:
    """Fill a grid with proton density, longitudinal and transverse relaxation rates (1/ms) of the head.

    Parameters
    ----------
    grid : Grid
        Points in mm; the brain stands around the origin, 136 mm wide, 170 mm long.
    seed : int
        Chooses the folds of the cortex and where the lesions are.

    Returns
    -------
    tuple of numpy.ndarray
        Three float32 arrays (slice, row, column).
    """
    layers = _layers(grid, np.random.default_rng([seed, 11]))
    shares = [np.full(grid.shape, value, dtype=np.float32) for value in (0.0, 1 / AIR.t1, 1 / AIR.t2)]
    for share, tissue in layers:
        for values, value in zip(shares, (tissue.density, 1 / tissue.t1, 1 / tissue.t2), strict=True):
            paint(values, share, value)
    return shares[0], shares[1], shares[2]


def spin_echo(density: Array, r1: Array, r2: Array, repetition_time: float, echo_time: float) -> Array:
    """Signal of a spin echo (of 1) for its two times in ms."""
    signal: Array = density * (1 - np.exp(-repetition_time * r1)) * np.exp(-echo_time * r2)
    return signal


def _layers(grid: Grid, rng: np.random.Generator) -> list[tuple[Array, Tissue]]:
    """List shares and tissues from the skin inwards; later ones lie on earlier ones."""
    inner = ellipsoid(grid, (0, 0, 2), (69, 87, 70), 2.15)
    layers = [
        (ellipsoid(grid, (0, 2, -2), (84, 103, 88), 2.2), FAT),
        (ellipsoid(grid, (0, 2, -2), (79, 98, 83), 2.2), MUSCLE),
        (ellipsoid(grid, (0, 0, 2), (76, 94, 78), 2.15), BONE),
        (ellipsoid(grid, (0, 0, 2), (73.5, 91.5, 75), 2.15), FAT._replace(density=0.45)),
        (ellipsoid(grid, (0, 0, 2), (71.5, 89.5, 72.5), 2.15), BONE),
        (inner, FLUID),
        *_face(grid),
        *_cortex(grid, rng),
        *_depths(grid),
    ]
    for _ in range(5):
        side = rng.choice([-1, 1])
        centre = (side * rng.uniform(20, 34), rng.uniform(-35, 40), rng.uniform(14, 30))
        layers.append((ellipsoid(grid, centre, (rng.uniform(2, 4), rng.uniform(3, 7), 3.0)) * np.float32(0.9), LESION))
    return layers


def _face(grid: Grid) -> list[tuple[Array, Tissue]]:
    """The base of the skull, orbits with eyes, and the sinus between them."""
    base = ramp(-48 - grid.z + 0.25 * np.minimum(grid.y, 0), 5.0) * ramp(8 - grid.y, 8.0)
    layers = [(base * ellipsoid(grid, (0, 0, 2), (71, 89, 90), 2.15), MUSCLE)]
    layers.append((base * ellipsoid(grid, (0, -2, -60), (24, 14, 18)), BONE))
    for side in (-1, 1):
        layers += [
            (ellipsoid(grid, (side * 31, -64, -42), (18, 24, 17)), FAT),
            (capsule(grid, (side * 30, -70, -42), (side * 13, -36, -42), 2.2), WHITE),
            (ellipsoid(grid, (side * 31, -74, -42), (12.5, 12.5, 12.5)), MUSCLE),
            (ellipsoid(grid, (side * 31, -74, -42), (11.5, 11.5, 11.5)), FLUID),
            (ellipsoid(grid, (side * 31, -83, -42), (5, 2.5, 5)), MUSCLE),
        ]
    layers.append((ellipsoid(grid, (0, -66, -52), (10, 22, 22)), AIR))
    return layers


def _cortex(grid: Grid, rng: np.random.Generator) -> list[tuple[Array, Tissue]]:
    """Hemispheres with folds, and the cerebellum with its finer ones."""
    x, y, z = np.abs(grid.x), grid.y, grid.z
    a, b, c = rng.uniform(0, 6.3, 3)
    fold = (
        np.sin(x / 3.9 + 1.9 * np.sin(y / 12 + a) + 1.4 * np.sin(z / 10 + b))
        + np.sin(y / 4.3 + 2.1 * np.sin(z / 12 + c) + 1.5 * np.sin(x / 11 + a))
        + np.sin(z / 4.1 + 1.8 * np.sin(x / 12 + b) + 1.6 * np.sin(y / 13 + c + 0.2 * np.sign(grid.x)))
    )
    to_fold = np.abs(fold) * np.float32(3.1)
    squares = (x / 66.0) ** 2.15 + (np.abs(y) / 84.0) ** 2.15 + (np.abs(z - 1) / 65.0) ** 2.15
    depth = (1 - squares ** (1 / 2.15)) * np.float32(66)
    # The fissures: between the hemispheres (down to the callosum), and of Sylvius on each side.
    ring = np.sqrt((y / 52.0) ** 2 + ((z - 6) / 22.0) ** 2)
    to_fissure = np.where(ring > 1, x - 0.6, 99).astype(np.float32)
    sylvius = np.maximum(np.abs(z + 6 - 0.6 * y) - 0.6, np.maximum(38 - x, np.abs(y + 6) - 24))
    to_fissure = np.minimum(to_fissure, np.where(depth < 30, sylvius, 99))
    above = ramp(z + 44 - 7 * ramp(9 - x, 8) - 0.25 * np.minimum(y, 0), 4.0)
    surface = np.minimum(depth, to_fissure)
    tissue = ramp(np.minimum(surface, np.where(depth < 17, to_fold - 0.45, 99)), grid.soft) * above
    white = ramp(np.minimum(surface - 3.0, np.where(depth < 21, to_fold - 2.9, 99)), grid.soft) * above
    stripes = np.sin((z + 0.25 * (y - 44)) / 1.35 + 0.6 * np.sin(grid.x / 9))
    cerebellum = ellipsoid(grid, (0, 46, -44), (50, 34, 25), 2.3)
    core = ellipsoid(grid, (0, 40, -44), (30, 17, 11), 2.0)
    return [
        (tissue, GREY),
        (white, WHITE),
        (cerebellum, GREY),
        (cerebellum * ramp(stripes - 0.55, 1.0), WHITE),
        (cerebellum * ramp(-stripes - 0.8, 1.0) * np.float32(0.6), FLUID),
        (core, WHITE),
    ]


def _depths(grid: Grid) -> list[tuple[Array, Tissue]]:
    """Brain stem, callosum, basal ganglia and thalamus, ventricles."""
    layers = [
        (capsule(grid, (0, 12, -14), (0, 20, -44), 13.0), WHITE),
        (capsule(grid, (0, 20, -44), (0, 24, -90), 8.5), WHITE),
        (ellipsoid(grid, (0, 31, -40), (7, 5, 11)), FLUID),
        (ellipsoid(grid, (0, 4, 10), (34, 52, 18), 2.2), WHITE),
    ]
    for side in (-1, 1):
        layers += [
            (ellipsoid(grid, (side * 11, 8, 4), (9, 15, 9.5)), GREY._replace(density=0.77)),
            (ellipsoid(grid, (side * 26, -4, 3), (6, 18, 10), turn=-side * 12), GREY._replace(density=0.8)),
            (ellipsoid(grid, (side * 19.5, -1, 2), (4.5, 12, 7), turn=-side * 12), GREY._replace(density=0.7)),
            (capsule(grid, (side * 15, -27, 12), (side * 19, 14, 22), 5.0), GREY),
        ]
        points = ((10, -36, 8), (7, -14, 15), (10, 14, 20), (19, 34, 14), (23, 48, 9))
        radii = (5.0, 5.2, 5.6, 6.2)
        for (x1, y1, z1), (x2, y2, z2), radius in zip(points, points[1:], radii, strict=False):
            layers.append((capsule(grid, (side * x1, y1, z1), (side * x2, y2, z2), radius), FLUID))
    layers.append((ellipsoid(grid, (0, 2, 1), (2.4, 17, 11)), FLUID))
    layers.append((ellipsoid(grid, (0, -4, 17), (1.6, 34, 7)), WHITE))
    return layers
