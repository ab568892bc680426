"""Whether an element agrees with the elements beside it: look-up tables, windows, directions, dimension indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.sources import Bulk
from dicomkit.validation.findings import Finding, Path

_TOLERANCE = 1e-3


def check_agreement(element: Element, ds: DataSet, top: DataSet, place: Path) -> Iterator[Finding]:
    """Check one element against its neighbours in a data set or item, and against the whole object."""
    check = _CHECKS.get(element.tag)
    if check is not None:
        for message in check(element.value, ds, top, place):
            yield Finding(place, "agreement", "error", message, element.tag)


def _lookup_table(value: Any, ds: DataSet, top: DataSet, place: Path) -> Iterator[str]:
    """A LUT Descriptor and its LUT Data (PS3.3 C.11.1.1, C.11.2.1, C.11.6.1.1)."""
    data = ds.get("LUTData")
    if not isinstance(value, tuple) or len(value) != 3 or not all(isinstance(number, int) for number in value):
        return
    entries, bits = value[0] or 65536, value[2]
    if not 8 <= bits <= 16:
        yield f"{bits} bits for each entry: 8 to 16 are allowed"
    length = len(data) if isinstance(data, (bytes, Bulk)) else 2 * len(data) if isinstance(data, tuple) else None
    # Entries of 8 bits take a byte, but for those of a presentation LUT.
    narrow = bits == 8 and "PresentationLUTSequence" not in place
    expected = entries + entries % 2 if narrow else 2 * entries
    if length is not None and length != expected:
        yield f"{entries:,} entries of {bits} bits, but {length:,} bytes of LUT Data"


def _orientation(value: Any, ds: DataSet, top: DataSet, place: Path) -> Iterator[str]:
    """The directions of rows and columns are unit vectors at a right angle (PS3.3 C.7.6.2.1.1)."""
    if not isinstance(value, tuple) or len(value) != 6 or not all(isinstance(number, float) for number in value):
        return
    row, column = value[:3], value[3:]
    for name, vector in (("row", row), ("column", column)):
        length = sum(number * number for number in vector) ** 0.5
        if not abs(length - 1) <= _TOLERANCE:
            yield f"the {name} direction is no unit vector: its length is {length:.6g}"
    product = sum(one * other for one, other in zip(row, column, strict=True))
    if not abs(product) <= _TOLERANCE:
        yield f"the directions are not at a right angle: their product is {product:.6g}"


def _windows(value: Any, ds: DataSet, top: DataSet, place: Path) -> Iterator[str]:
    """As many widths, and explanations if any, as centers; a width is at least 1 (PS3.3 C.11.2.1.2)."""
    centers = len(ds.all("WindowCenter"))
    for keyword in ("WindowWidth", "WindowCenterWidthExplanation"):
        values = ds.all(keyword)
        if values and len(values) != centers:
            yield f"{centers} centers of windows, but {len(values)} values of {keyword}"
    linear = ds.get("VOILUTFunction", "LINEAR") in (None, "LINEAR")
    for width in ds.all("WindowWidth"):
        if isinstance(width, (int, float)) and (width < 1 if linear else width <= 0):
            yield f"a width of {width:g}: it is {'1 or more' if linear else 'more than 0'}"


def _dimension_indices(value: Any, ds: DataSet, top: DataSet, place: Path) -> Iterator[str]:
    """One index, from 1, for each item of Dimension Index Sequence (PS3.3 C.7.6.17)."""
    indices = value if isinstance(value, tuple) else () if value is None else (value,)
    dimensions = top.all("DimensionIndexSequence")
    if len(indices) != len(dimensions):
        yield f"{len(indices)} indices, for {len(dimensions)} items of DimensionIndexSequence"
    if 0 in indices:
        yield "an index is 0: they count from 1"


_CHECKS: Mapping[int, Callable[[Any, DataSet, DataSet, Path], Iterator[str]]] = MappingProxyType(
    {0x00283002: _lookup_table, 0x00200037: _orientation, 0x00209157: _dimension_indices, 0x00281050: _windows}
)
