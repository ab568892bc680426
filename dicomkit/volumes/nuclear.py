"""The slices of reconstructed nuclear medicine images, whose place stands with the detector (PS3.3 C.8.4.11, C.8.4.15).

The detector tells the place of the first slice; the others follow along the normal, by SpacingBetweenSlices: its sign
says to which side. SliceVector numbers the slice of each frame, EnergyWindowVector its energy window, RRIntervalVector
and TimeSlotVector its time in the cardiac cycle. Images of other types are projections, which have no place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicomkit.dataset.path import items_in
from dicomkit.errors import GeometryError
from dicomkit.volumes.geometry import plane_normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomkit.volumes.header import Image

RECONSTRUCTED = ("RECON TOMO", "RECON GATED TOMO")
"""Values of ImageType that say that frames are slices (C.8.4.9.1.1)."""

_IMAGE_TYPE, _POSITION, _ORIENTATION = 0x00080008, 0x00200032, 0x00200037
_DETECTORS, _WINDOWS, _WINDOW_NAME = 0x00540022, 0x00540012, 0x00540018
_WINDOW_VECTOR, _DETECTOR_VECTOR, _SLICE_VECTOR = 0x00540010, 0x00540020, 0x00540080
_RR_VECTOR, _TIME_SLOT_VECTOR, _TIME_SLICE_VECTOR = 0x00540060, 0x00540070, 0x00540100

_VECTORS = {
    _WINDOW_VECTOR: "energy windows",
    _DETECTOR_VECTOR: "detectors",
    0x00540030: "phases",
    0x00540050: "rotations",
    _RR_VECTOR: "R-R intervals",
    _TIME_SLOT_VECTOR: "time slots",
    _SLICE_VECTOR: "slices",
    0x00540090: "angular views",
    _TIME_SLICE_VECTOR: "time slices",
}
"""What tells apart the frames of a nuclear medicine image (C.8.4.8.1), and what each counts."""

NUCLEAR_TAGS = (_DETECTORS, _WINDOWS, *_VECTORS)
"""What is read for them, beside what every volume needs."""


class Tomogram(NamedTuple):
    """The facts of each frame that differ from those of other multi-frame images, and what was assumed."""

    values: dict[str, list[Any]]
    order: dict[str, list[Any]]
    notes: tuple[str, ...]


def tomogram(ds: Image, values: dict[str, list[Any]]) -> Tomogram | None:
    """Place the frames of a reconstructed tomogram, or return None where the image isn't one.

    Parameters
    ----------
    ds
        An image with the elements of `NUCLEAR_TAGS`.
    values
        The facts of its frames.

    Examples
    --------
    >>> import dicomkit as dk
    >>> place = {"ImagePositionPatient": [0, 0, 9], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    >>> ds = dk.DataSet(ImageType=["DERIVED", "PRIMARY", "RECON TOMO"], DetectorInformationSequence=[place])
    >>> nothing = {"position": [None] * 3, "orientation": [None] * 3, "between": [-2.0] * 3, "thickness": [2.0] * 3}
    >>> tomogram(ds, nothing).values["position"]
    [(0.0, 0.0, 9.0), (0.0, 0.0, 7.0), (0.0, 0.0, 5.0)]
    """
    kinds = ds.get(_IMAGE_TYPE)
    if not isinstance(kinds, tuple) or len(kinds) < 3 or kinds[2] not in RECONSTRUCTED:
        return None
    count = len(values["position"])
    detectors = items_in(ds.get(_DETECTORS))
    which = _vector(ds, _DETECTOR_VECTOR, count, len(detectors))
    slices = _vector(ds, _SLICE_VECTOR, count) or range(1, count + 1)
    notes: list[str] = []
    distance = values["between"][0]
    if distance is None:
        distance = values["thickness"][0]
        notes.append("no SpacingBetweenSlices: the slices are placed by SliceThickness")
    if not detectors or not isinstance(distance, (int, float)) or not math.isfinite(distance):
        return None
    positions, orientations = [], []
    for frame, number in enumerate(slices):
        detector = detectors[which[frame] - 1 if which else 0]
        position = detector.get(_POSITION) or values["position"][frame]
        orientation = detector.get(_ORIENTATION) or values["orientation"][frame]
        if not (_numbers(position, 3) and _numbers(orientation, 6)):
            return None
        try:
            normal = plane_normal(orientation)
        except GeometryError:
            return None
        positions.append(tuple((np.asarray(position) + (number - 1) * distance * normal).tolist()))
        orientations.append(orientation)
    order: dict[str, list[Any]] = {}
    if slots := _vector(ds, _TIME_SLOT_VECTOR, count) or _vector(ds, _TIME_SLICE_VECTOR, count):
        order["TemporalPositionIndex"] = list(slots)
    if intervals := _vector(ds, _RR_VECTOR, count):
        order["RRIntervalVector"] = list(intervals)
    if windows := _vector(ds, _WINDOW_VECTOR, count):
        order["EnergyWindowVector"] = _named(ds, windows)
    return Tomogram({"position": positions, "orientation": orientations}, order, tuple(notes))


def projections(ds: Image) -> str:
    """Say what the frames of a nuclear medicine image are, if they have no place; nothing of other images.

    Examples
    --------
    >>> import dicomkit as dk
    >>> projections(dk.DataSet(Modality="NM", ImageType=["ORIGINAL", "PRIMARY", "TOMO"], AngularViewVector=[1, 2, 3]))
    'a nuclear medicine image of type TOMO has projections, here of 3 angular views, and no slices'
    """
    kinds = ds.get(_IMAGE_TYPE)
    kind = kinds[2] if isinstance(kinds, tuple) and len(kinds) > 2 else None
    if ds.get("Modality") != "NM" or kind is None or kind in RECONSTRUCTED:
        return ""
    levels = {name: len(set(value)) for tag, name in _VECTORS.items() if isinstance(value := ds.get(tag), tuple)}
    told = ", ".join(f"{n} {name}" for name, n in levels.items() if n > 1)
    of = f", here of {told}," if told else ""
    return f"a nuclear medicine image of type {kind} has projections{of} and no slices"


def _named(ds: Image, windows: Sequence[int]) -> list[str]:
    """Give the energy window of each frame: its name where all have different ones, else its number."""
    names = [str(window.get(_WINDOW_NAME) or "") for window in items_in(ds.get(_WINDOWS))]
    if max(windows) > len(names) or not all(names) or len(set(names)) < len(names):
        return [str(number) for number in windows]
    return [names[number - 1] for number in windows]


def _vector(ds: Image, tag: int, count: int, most: int = 1_000_000) -> Sequence[int]:
    """Give a number for each frame, from 1 on; nothing where the attribute has other values."""
    value = ds.get(tag)
    numbers = value if isinstance(value, tuple) else (value,)
    right = len(numbers) == count and all(isinstance(number, int) and 1 <= number <= most for number in numbers)
    return numbers if right else ()


def _numbers(value: object, count: int) -> bool:
    return isinstance(value, tuple) and len(value) == count and all(isinstance(x, (int, float)) for x in value)
