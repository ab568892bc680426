"""The slices of a Siemens mosaic: many small images tiled into one frame, placed by private attributes.

The position of such a frame is that of a corner of the whole mosaic, as if it were one large image around the same
centre; the slices follow each other along the normal that the CSA header names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicomkit.dataset.siemens_csa import parse_csa
from dicomkit.errors import DicomError
from dicomkit.volumes.geometry import plane_normal, unit

if TYPE_CHECKING:
    from dicomkit.volumes.header import Image

_IMAGE_TYPE = 0x00080008
_MR_HEADER, _NUMBER_OF_IMAGES = 0x00190010, 0x0019100A
_CSA_HEADER, _IMAGE_INFO = 0x00290010, 0x00291010

MOSAIC_TAGS = (_MR_HEADER, _NUMBER_OF_IMAGES, _CSA_HEADER, _IMAGE_INFO)
"""The private elements that are read, and those that reserve their blocks."""


class Tiles(NamedTuple):
    """Where each tile begins in the frame, and the facts that differ from those of the frame."""

    top: list[int]
    left: list[int]
    values: dict[str, list[Any]]
    notes: tuple[str, ...]


def mosaic_tiles(ds: Image, values: dict[str, list[Any]]) -> Tiles | None:
    """Split a mosaic into its slices, or return None where the image isn't one.

    Parameters
    ----------
    ds
        An image with the elements of `MOSAIC_TAGS`.
    values
        The facts of its one frame.
    """
    kinds = ds.get(_IMAGE_TYPE)
    if not isinstance(kinds, tuple) or "MOSAIC" not in kinds:
        return None
    info = ds.get(_IMAGE_INFO) if str(ds.get(_CSA_HEADER)).startswith("SIEMENS CSA") else None
    csa = csa_numbers(bytes(info)) if info is not None else {}
    n = csa.get("NumberOfImagesInMosaic", (0,))[0]
    if not n and str(ds.get(_MR_HEADER)).startswith("SIEMENS MR HEADER"):
        stored = ds.get(_NUMBER_OF_IMAGES)
        n = int.from_bytes(stored[:2], "little") if isinstance(stored, bytes) else stored
    between = values["between"][0] or values["thickness"][0]
    numbers = [values[k][0] for k in ("position", "orientation", "spacing")]
    if not (isinstance(n, (int, float)) and n >= 1 and isinstance(between, (int, float))):
        return None
    if not all(isinstance(v, tuple) and all(isinstance(x, (int, float)) for x in v) for v in numbers):
        return None
    count, side = int(n), math.ceil(math.sqrt(n))
    rows, columns = int(values["rows"][0] or 0), int(values["columns"][0] or 0)
    if not rows or not columns or rows % side or columns % side or count > side * side:
        return None
    height, width = rows // side, columns // side
    position, orientation, (between_rows, between_columns) = numbers
    across, down = unit(orientation[:3]), unit(orientation[3:])
    corner = (
        np.asarray(position)
        + across * between_columns * (columns - width) / 2
        + down * between_rows * (rows - height) / 2
    )
    named = csa.get("SliceNormalVector", ())
    normal = unit(named) if len(named) == 3 and any(named) else plane_normal(orientation)
    places = corner + np.arange(count)[:, None] * between * normal
    notes = [f"the mosaic's {count} slices are placed by the private attributes of Siemens, {between:g} mm apart"]
    if len(named) != 3:
        notes.append("the mosaic doesn't name its slice normal: taken as that of the image plane")
    return Tiles(
        [k // side * height for k in range(count)],
        [k % side * width for k in range(count)],
        {
            "position": list(map(tuple, places.tolist())),
            "rows": [height] * count,
            "columns": [width] * count,
        },
        tuple(notes),
    )


def csa_numbers(data: bytes) -> dict[str, tuple[float, ...]]:
    """Read the numeric entries of a Siemens CSA header.

    Parameters
    ----------
    data
        The value of (0029,xx10).

    Returns
    -------
    dict
        Numbers by name; entries that hold something else, or nothing, are left out. Empty for another kind of header.

    Examples
    --------
    >>> csa_numbers(b"something else")
    {}
    """
    try:
        header = parse_csa(data)
    except DicomError:
        return {}
    found = {}
    for name, value in header.items():
        values = value if isinstance(value, tuple) else (value,)
        if numbers := tuple(float(number) for number in values if isinstance(number, (int, float))):
            found[name] = numbers
    return found
