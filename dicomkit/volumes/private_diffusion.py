"""b-values and gradient directions of diffusion images that stand in private elements of their makers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError, GeometryError
from dicomkit.files.read import read
from dicomkit.values.decode import decode_value
from dicomkit.volumes.geometry import plane_normal
from dicomkit.volumes.header import Header, Image
from dicomkit.volumes.mosaic import csa_numbers

Direction: TypeAlias = "tuple[float, float, float]"


class Diffusion(NamedTuple):
    """How an image is weighted by diffusion: b-value in s/mm2, and the gradient's direction in the patient (LPS)."""

    b_value: float | None = None
    direction: Direction | None = None


class _Maker(NamedTuple):
    """Where a maker writes them: group, private creator, last bytes of the tags, VR where no dictionary tells it."""

    b_value: tuple[str, int, int]
    direction: tuple[str, int, tuple[int, ...]]
    axes: str = "patient"
    """Of the direction: those of the patient, of the image (row, column, normal), or GE's."""


_MAKERS = {
    "GE": _Maker(("GEMS_PARM_01", 0x0043, 0x39), ("GEMS_ACQU_01", 0x0019, (0xBB, 0xBC, 0xBD)), "encoding"),
    "Siemens": _Maker(("SIEMENS MR HEADER", 0x0019, 0x0C), ("SIEMENS MR HEADER", 0x0019, (0x0E,))),
    "Philips": _Maker(
        ("Philips Imaging DD 001", 0x2001, 0x03), ("Philips MR Imaging DD 001", 0x2005, (0xB0, 0xB1, 0xB2))
    ),
    "UIH": _Maker(("Image Private Header", 0x0065, 0x09), ("Image Private Header", 0x0065, (0x37,)), "image"),
}
_CSA_CREATORS, _CSA_GROUP, _CSA_IMAGE = ("SIEMENS CSA HEADER", "SIEMENS CSA NON-IMAGE"), 0x0029, 0x10
_LAST = 0x20060000
_LOOKED_AT = 64
_GE_OFFSET = 1_000_000_000
"""GE adds this to the b-value where one value stands for several directions."""
_LARGEST = 1e5
"""s/mm2 that a b-value may plausibly have."""


def private_diffusion(images: Sequence[Image]) -> list[Diffusion]:
    """Give the diffusion weighting of each image, from the private elements of GE, Siemens, Philips or UIH.

    Siemens also writes it into the CSA header of the image. A series is looked at further if one of some images that
    are spread over it has a b-value: the first may be one without diffusion weighting, of which nothing is said. The
    names of private creators are read, so that nothing of another maker at the same tag is taken for a b-value.

    Siemens and Philips state directions in the patient. Those of UIH are along rows, columns and normal of the image.
    Those of GE are along its frequency, phase and slice encoding, which InPlanePhaseEncodingDirection relates to the
    image: they are given for axial planes only, for which this is well known.

    Parameters
    ----------
    images
        Of one frame each.

    Returns
    -------
    list of Diffusion
        Nothing in those of other images. Where some have a direction, that of a b-value of 0 is (0, 0, 0).

    Examples
    --------
    >>> from dicomkit.dataset.private import with_private
    >>> ds = with_private(DataSet(), "SIEMENS MR HEADER", {0x0C: 1000, 0x0E: [0.6, 0.8, 0]}, group=0x0019)
    >>> private_diffusion([ds, DataSet()])[0]
    Diffusion(b_value=1000.0, direction=(0.6, 0.8, 0.0))
    """
    step = max(1, len(images) // _LOOKED_AT)
    if all(_diffusion(image).b_value is None for image in images[::step]):
        return [Diffusion()] * len(images)
    found = [_diffusion(image) for image in images]
    if not any(one.direction is not None and any(one.direction) for one in found):
        return [one._replace(direction=None) for one in found]
    return [one._replace(direction=(0.0, 0.0, 0.0)) if one.b_value == 0 else one for one in found]


def _diffusion(image: Image) -> Diffusion:
    """Read the diffusion weighting of one image, if exactly one maker states one."""
    ds = image
    if isinstance(image, Header):
        if image.path is None or image.get("Modality") not in (None, "MR"):
            return Diffusion()
        try:
            ds = read(image.path, stop_before=_LAST)
        except DicomError:
            return Diffusion()
    assert isinstance(ds, DataSet)
    stated = {name: b for name, maker in _MAKERS.items() if (b := _b_value(ds, maker)) is not None}
    if not stated:
        return _in_csa_header(ds)
    if len(set(stated.values())) > 1:
        return Diffusion()
    name, b_value = next(iter(stated.items()))
    direction = _direction(ds, _MAKERS[name])
    if direction is None and name == "Siemens":
        direction = _in_csa_header(ds).direction
    return Diffusion(b_value, direction)


def _in_csa_header(ds: DataSet) -> Diffusion:
    """The weighting in the header that Siemens hides in one element."""
    for creator in _CSA_CREATORS:
        element = ds.private(creator, _CSA_GROUP).get(_CSA_IMAGE)
        if element is not None and (raw := element.raw or element.value):
            csa = csa_numbers(bytes(raw))
            b_value = next((b for b in csa.get("B_value", ()) if 0 <= b <= _LARGEST), None)
            return Diffusion(b_value, _unit(csa.get("DiffusionGradientDirection", ())))
    return Diffusion()


def _b_value(ds: DataSet, maker: _Maker) -> float | None:
    creator, group, last = maker.b_value
    numbers = _numbers(ds, creator, group, last)
    if not numbers:
        return None
    first = numbers[0]
    if creator == "GEMS_PARM_01" and first >= _GE_OFFSET:
        first -= _GE_OFFSET
    return first if 0 <= first <= _LARGEST else None


def _direction(ds: DataSet, maker: _Maker) -> Direction | None:
    """The direction of the gradient in the patient; zero where there is none."""
    creator, group, lasts = maker.direction
    stated = _unit([number for last in lasts for number in _numbers(ds, creator, group, last)])
    if stated is None or maker.axes == "patient" or not any(stated):
        return stated
    orientation = ds.get("ImageOrientationPatient")
    try:
        normal = plane_normal(orientation)
    except (GeometryError, TypeError, ValueError):
        return None
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    x, y, z = stated
    if maker.axes == "encoding":
        phase = ds.get("InPlanePhaseEncodingDirection")
        if phase not in ("COL", "ROW") or np.abs(normal).argmax() != 2:
            return None
        x, y = (-x, -y) if phase == "COL" else (-y, x)
    return _unit((x * row + y * column + z * normal).tolist())


def _numbers(ds: DataSet, creator: str, group: int, last: int) -> tuple[float, ...]:
    """The numbers of a private element; nothing where it is missing or holds anything else."""
    element = ds.private(creator, group).get(last)
    value: Any = None if element is None else element.value
    if isinstance(value, bytes) and len(value) in (8, 24):  # UIH's, of which no dictionary tells the VR: it is FD
        value = decode_value("FD", value)
    values = value if isinstance(value, tuple) else (value,)
    right = all(isinstance(number, (int, float)) and math.isfinite(number) for number in values)
    return tuple(map(float, values)) if right else ()


def _unit(numbers: Sequence[float]) -> Direction | None:
    """Three numbers as a direction, if they are one: of length 1, or 0 where no gradient is applied."""
    if len(numbers) != 3:
        return None
    length = math.hypot(*numbers)
    if length > 1e-6 and not abs(length - 1) <= 0.05:
        return None
    return (numbers[0], numbers[1], numbers[2])
