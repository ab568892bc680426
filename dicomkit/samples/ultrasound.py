"""Ultrasound of a beating heart as an RGB cine: Ultrasound Multi-frame Image Storage (PS3.3 A.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomkit.samples.attributes import Attributes, code, data_set, instance, moments, patient_and_study, pixels, series
from dicomkit.samples.shapes import Array, blur, ramp

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

TIME = "154405"
DEPTH = 160.0
_FRAME_TIME = 40.0
_ANGLE = 38.0
_FRAME_TIME_POINTER = 0x00181063
_CENTIMETRES = 3


class _Screen(NamedTuple):
    """Where the sector stands on the screen: mm below and beside the probe for each pixel, and mm per pixel."""

    across: Array
    below: Array
    spacing: float
    top: int


def ultrasound_cine(
    frames: int = 24, rows: int = 240, columns: int = 320, *, seed: int = 0, colour: bool = True
) -> DataSet:
    """Make an apical four-chamber cine of one heart beat, with colour Doppler of the inflow and an ECG.

    Parameters
    ----------
    frames : int
        Number of frames of one beat, 40 ms each.
    rows, columns : int
        Size of the screen.
    seed : int
        Chooses the patient, the speckle and all UIDs.
    colour : bool
        Whether the flow is overlaid in colour.

    Returns
    -------
    DataSet
        Ultrasound Multi-frame Image Storage, RGB, 8 bits, with a calibrated region.

    Examples
    --------
    >>> ds = ultrasound_cine(frames=2, rows=48, columns=64)
    >>> ds.NumberOfFrames, ds.PhotometricInterpretation, len(ds.PixelData)
    (2, 'RGB', 18432)
    """
    rng = np.random.default_rng([seed, 5])
    screen = _screen(rows, columns)
    speckle = _speckle(rng, screen)
    stored = np.zeros((frames, rows, columns, 3), dtype=np.uint8)
    for n in range(frames):
        phase = n / frames
        stored[n] = _picture(screen, speckle, rng, phase, colour)
        _draw_ecg(stored[n], phase)
    return data_set(_attributes(seed, frames, screen, stored))


def _screen(rows: int, columns: int) -> _Screen:
    top = max(2, rows // 24)
    spacing = DEPTH / (rows - top - rows // 8)
    y, x = np.ogrid[0:rows, 0:columns]
    across = ((x - (columns - 1) / 2) * spacing).astype(np.float32)
    return _Screen(across, ((y - top) * spacing).astype(np.float32), spacing, top)


def _speckle(rng: np.random.Generator, screen: _Screen) -> Array:
    """Make speckle that is fine along the beam and widens with depth: noise in beam coordinates."""
    shape = (420, 190)
    grains = [blur(rng.standard_normal(shape, dtype=np.float32), 1) for _ in range(2)]
    amplitude = np.hypot(blur(grains[0], 2, axes=(1,)), blur(grains[1], 2, axes=(1,)))
    amplitude /= amplitude.mean()
    radius = np.hypot(screen.across, screen.below)
    angle = np.degrees(np.arctan2(screen.across, screen.below))
    row = np.clip(radius / DEPTH * (shape[0] - 1), 0, shape[0] - 1).astype(int)
    column = np.clip((angle + _ANGLE) / (2 * _ANGLE) * (shape[1] - 1), 0, shape[1] - 1).astype(int)
    found: Array = amplitude[row, column]
    return found


def _picture(
    screen: _Screen, speckle: Array, rng: np.random.Generator, phase: float, colour: bool
) -> NDArray[np.uint8]:
    """Draw one frame; `phase` runs from 0 to 1 over a beat that begins with the contraction."""
    squeeze = float(np.sin(np.pi * min(phase / 0.38, 1.0)) ** 1.5)
    x, y = screen.across, screen.below
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(x, y))
    sector = ramp(_ANGLE - np.abs(angle), 0.8) * ramp(DEPTH - radius, 1.5) * ramp(radius - 6, 1.5)
    echo = np.full(np.broadcast_shapes(x.shape, y.shape), 0.2, dtype=np.float32)
    opened = max(0.0, float(np.sin(np.pi * (phase - 0.42) / 0.58))) if phase > 0.42 else 0.0
    walls, cavities = _heart(x, y, squeeze, opened)
    echo += walls * (0.5 - echo)
    echo += cavities * (0.012 - echo)
    for share, strength in _bright(x, y, squeeze, opened):
        echo += share * (strength - echo)
    fade = np.exp(-radius / 260) * (0.75 + 0.25 * np.sin(np.radians(angle * 2 + 80)))
    signal = echo * fade * speckle * (1 + 0.08 * rng.standard_normal(echo.shape))
    grey = 255 * np.clip(0.4 * np.log10(np.maximum(signal, 1e-4)) + 0.83, 0, 1) * sector
    picture = np.repeat(grey[..., None], 3, axis=2)
    if colour:
        _overlay_flow(picture, x, y, phase, cavities * sector, rng)
    drawn: NDArray[np.uint8] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return drawn


def _oval(x: Array, y: Array, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Array:
    """Share of each pixel in an oval, egg-shaped towards the probe."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    u, v = x - centre[0], y - centre[1]
    u, v = cos * u + sin * v, cos * v - sin * u
    width = radii[0] * (1 + 0.32 * np.clip(v / radii[1], -1, 1))
    return ramp((1 - np.hypot(u / width, v / radii[1])) * min(radii), 1.6)


def _heart(x: Array, y: Array, squeeze: float, opened: float) -> tuple[Array, Array]:
    """Walls and cavities of the four chambers; the probe looks from the apex."""
    walls = _oval(x, y, (3, 76), (46, 62), -4)
    walls = np.maximum(walls, _oval(x, y, (1, 122), (47, 30)))
    ventricles = (1 - 0.26 * squeeze, 1 - 0.12 * squeeze)
    cavities = _oval(x, y, (20, 68 - 3 * squeeze), (18 * ventricles[0], 42 * ventricles[1]), -7)
    cavities = np.maximum(cavities, _oval(x, y, (-21, 74 - 3 * squeeze), (14 * ventricles[0], 33 * ventricles[1]), 9))
    for centre, width in ((20.0, 18.0), (-22.0, 17.0)):
        atrium = _oval(x, y, (centre, 128 + 2 * squeeze), (width * (0.9 + 0.18 * squeeze), 17 * (0.9 + 0.2 * squeeze)))
        passage = _oval(x, y, (centre, 108), (0.1 + 11 * opened, 0.1 + 16 * opened**0.5))
        cavities = np.maximum(cavities, np.maximum(atrium, passage))
    return walls, cavities


def _bright(x: Array, y: Array, squeeze: float, opened: float) -> list[tuple[Array, float]]:
    """Valve leaflets and the pericardium: thin bright lines."""
    lines = []
    base = 110 - 3 * squeeze
    for hinge, length, side in ((37, 17, -1), (4, 14, 1), (-37, 15, 1), (-8, 12, -1)):
        lean = np.radians(8 + 62 * opened)
        dx, dy = side * np.cos(lean), -np.sin(lean)
        along = np.clip((x - hinge) * dx + (y - base) * dy, 0, length)
        distance = np.hypot(x - hinge - along * dx, y - base - along * dy)
        lines.append((ramp(1.5 - distance, 1.5), 1.5))
    edge = np.abs(np.hypot((x - 3) / 48, (y - 84) / 68) - 1) * 52
    lines.append((ramp(1.6 - edge, 1.8) * ramp(y - 60, 30), 1.4))
    return lines


def _overlay_flow(picture: Array, x: Array, y: Array, phase: float, where: Array, rng: np.random.Generator) -> None:
    """Colour the inflow (towards the probe, red) and the outflow of the left ventricle (away, blue)."""
    inflow = max(0.0, float(np.sin(np.pi * (phase - 0.45) / 0.5))) if phase > 0.45 else 0.0
    outflow = float(np.sin(np.pi * phase / 0.38)) if phase < 0.38 else 0.0
    jet = np.exp(-(((x - 20) / 9) ** 2) - ((y - 92) / 24) ** 2) * inflow
    jet = jet - np.exp(-(((x - 10) / 7) ** 2) - ((y - 88) / 26) ** 2) * outflow
    velocity = jet * where * (1 + 0.18 * rng.standard_normal(jet.shape))
    shown = ramp(np.abs(velocity) - 0.22, 0.08)[..., None]
    speed = np.clip(np.abs(velocity), 0, 1)
    towards = np.stack([120 + 135 * speed, 220 * speed**1.6, 20 * speed], axis=-1)
    away = np.stack([20 * speed, 190 * speed**1.6, 120 + 135 * speed], axis=-1)
    picture += shown * (np.where((velocity > 0)[..., None], towards, away) - picture)


def _draw_ecg(picture: NDArray[np.uint8], phase: float) -> None:
    """Draw the ECG along the lower edge, and a line where the beat now is."""
    rows, columns = picture.shape[:2]
    height = rows // 9
    beat = (np.arange(columns) / columns * 2) % 1
    waves = ((0.02, 0.012, 1.0), (0.0, 0.01, -0.18), (0.05, 0.012, -0.28), (0.33, 0.05, 0.26), (0.88, 0.028, 0.16))
    trace = sum(size * np.exp(-(((beat - at + 0.5) % 1 - 0.5) ** 2) / (2 * width**2)) for at, width, size in waves)
    line = np.clip(rows - 4 - height * 0.3 - trace * height * 0.62, 0, rows - 1).astype(int)
    for column in range(columns):
        before = line[column - 1] if column else line[column]
        low, high = sorted((int(before), int(line[column])))
        picture[low : high + 1, column] = (60, 220, 120)
    now = int((0.5 + phase / 2) * columns) % columns
    picture[rows - height - 4 :, now] = (230, 230, 90)


def _attributes(seed: int, frames: int, screen: _Screen, stored: NDArray[Any]) -> Attributes:
    rows, columns = stored.shape[1:3]
    per_pixel = round(screen.spacing / 10, 9)
    region = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 2,
        "RegionLocationMinX0": 0,
        "RegionLocationMinY0": screen.top,
        "RegionLocationMaxX1": columns - 1,
        "RegionLocationMaxY1": rows - rows // 8 - 1,
        "ReferencePixelX0": columns // 2,
        "ReferencePixelY0": 0,
        "PhysicalUnitsXDirection": _CENTIMETRES,
        "PhysicalUnitsYDirection": _CENTIMETRES,
        "ReferencePixelPhysicalValueX": 0.0,
        "ReferencePixelPhysicalValueY": 0.0,
        "PhysicalDeltaX": per_pixel,
        "PhysicalDeltaY": per_pixel,
        "TransducerFrequency": 2500,
    }
    return {
        **patient_and_study(seed, "echo", "Echocardiography", "153000"),
        **series(seed, "US", 1, "Four chambers", TIME, "HEART"),
        **instance(seed, "UltrasoundMultiFrameImageStorage", 1, 1, ("ORIGINAL", "PRIMARY", "TTE", "0011")),
        **moments("Content", "Acquisition", time=TIME),
        **pixels(stored, 8, "RGB"),
        "NumberOfFrames": frames,
        "FrameIncrementPointer": _FRAME_TIME_POINTER,
        "FrameTime": _FRAME_TIME,
        "CineRate": round(1000 / _FRAME_TIME),
        "RecommendedDisplayFrameRate": round(1000 / _FRAME_TIME),
        "EffectiveDuration": round(frames * _FRAME_TIME / 1000, 3),
        "StartTrim": 1,
        "StopTrim": frames,
        "HeartRate": round(60000 / (frames * _FRAME_TIME)),
        "PatientOrientation": "",
        "SequenceOfUltrasoundRegions": [region],
        "TransducerData": ("PHANTOM", "S4"),
        "TransducerType": "SECTOR_PHASED",
        "AnatomicRegionSequence": code("80891009", "SCT", "Heart"),
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
    }
