"""b-values of diffusion images that stand in private elements of their makers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.volumes.header import Header, Image
from dicomkit.volumes.mosaic import csa_numbers


class _Place(NamedTuple):
    """Where a maker writes the b-value: its name as a private creator, group and last byte of the tag."""

    creator: str
    group: int
    element: int


_PLACES = (
    _Place("GEMS_PARM_01", 0x0043, 0x39),
    _Place("SIEMENS MR HEADER", 0x0019, 0x0C),
    _Place("Philips Imaging DD 001", 0x2001, 0x03),
)
_CSA_CREATORS, _CSA_GROUP, _CSA_IMAGE = ("SIEMENS CSA HEADER", "SIEMENS CSA NON-IMAGE"), 0x0029, 0x10
_LAST = 0x20020000
_LOOKED_AT = 64
_GE_OFFSET = 1_000_000_000
"""GE adds this to the b-value where one value stands for several directions."""
_LARGEST = 1e5
"""s/mm2 that a b-value may plausibly have."""


def private_b_values(images: Sequence[Image]) -> list[float | None]:
    """Give the b-value of each image, from the private elements of GE, Siemens or Philips; None where there is none.

    Siemens also writes it into the CSA header of the image. A series is looked at further if one of some images that
    are spread over it has a b-value: the first may be one without diffusion weighting, of which nothing is said. The
    names of private creators are read, so that nothing of another maker at the same tag is taken for a b-value.

    Parameters
    ----------
    images
        Of one frame each.

    Returns
    -------
    list of float or None
        In s/mm2.

    Examples
    --------
    >>> from dicomkit.dataset.private import with_private
    >>> ds = with_private(DataSet(), "SIEMENS MR HEADER", {0x0C: 1000}, group=0x0019)
    >>> private_b_values([ds, DataSet()])
    [1000.0, None]
    """
    step = max(1, len(images) // _LOOKED_AT)
    if all(_b_value(image) is None for image in images[::step]):
        return [None] * len(images)
    return [_b_value(image) for image in images]


def _b_value(image: Image) -> float | None:
    """Read the b-value of one image, if exactly one maker states one."""
    ds = image
    if isinstance(image, Header):
        if image.path is None or image.get("Modality") not in (None, "MR"):
            return None
        try:
            ds = read(image.path, stop_before=_LAST)
        except DicomError:
            return None
    assert isinstance(ds, DataSet)
    found = {value for place in _PLACES if (value := _stated(ds, place)) is not None}
    if not found and (value := _in_csa_header(ds)) is not None:
        return value
    return found.pop() if len(found) == 1 else None


def _in_csa_header(ds: DataSet) -> float | None:
    """The b-value in the header that Siemens hides in one element."""
    for creator in _CSA_CREATORS:
        element = ds.private(creator, _CSA_GROUP).get(_CSA_IMAGE)
        if element is not None and (raw := element.raw or element.value):
            return next((b for b in csa_numbers(bytes(raw)).get("B_value", ()) if 0 <= b <= _LARGEST), None)
    return None


def _stated(ds: DataSet, place: _Place) -> float | None:
    element = ds.private(place.creator, place.group).get(place.element)
    if element is None:
        return None
    value = element.value
    first = value[0] if isinstance(value, tuple) and value else value
    if isinstance(first, bool) or not isinstance(first, (int, float)):
        return None
    if place.creator == "GEMS_PARM_01" and first >= _GE_OFFSET:
        first -= _GE_OFFSET
    return float(first) if 0 <= first <= _LARGEST else None
