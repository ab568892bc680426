"""Series of images made for tests: any place, order and encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import dicomkit as dk


def made_series(
    pixels: NDArray[Any],
    positions: ArrayLike,
    *,
    orientation: ArrayLike = (1, 0, 0, 0, 1, 0),
    spacing: Sequence[float] = (1.0, 1.0),
    per_slice: Sequence[dict[str, Any]] | None = None,
    **attributes: Any,
) -> list[dk.DataSet]:
    """Make one image per slice of (slices, rows, columns), at a position each; ``per_slice`` adds attributes."""
    bits = 8 * pixels.dtype.itemsize
    common: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "Modality": "CT",
        "SeriesInstanceUID": "1.2.3",
        "FrameOfReferenceUID": "1.2.3.4",
        "ImageOrientationPatient": [float(x) for x in np.asarray(orientation)],
        "PixelSpacing": list(spacing),
        "Rows": pixels.shape[1],
        "Columns": pixels.shape[2],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    } | attributes
    made = []
    for k, (plane, position) in enumerate(zip(pixels, np.asarray(positions, float), strict=True)):
        own = {
            "SOPInstanceUID": f"1.2.3.{k + 1}",
            "InstanceNumber": k + 1,
            "ImagePositionPatient": [round(float(x), 9) for x in position],
            "PixelData": np.ascontiguousarray(plane).astype(plane.dtype.newbyteorder("<")).tobytes(),
        }
        made.append(dk.DataSet(common | own | (per_slice[k] if per_slice else {})))
    return made


def ramp(*shape: int, dtype: Any = np.int16) -> NDArray[Any]:
    """Give an array in which every voxel is different."""
    return np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)


def along_z(zs: Sequence[float]) -> NDArray[np.float64]:
    """Give positions on the z axis."""
    return np.array([(0.0, 0.0, z) for z in zs])
