"""Volumes for other libraries: NIfTI through nibabel, and SimpleITK images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError, MissingFeatureError
from dicomkit.volumes.geometry import AXES, unit
from dicomkit.volumes.grid import geometry_of

if TYPE_CHECKING:
    import xarray as xr

COLOUR = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
"""How NIfTI holds 8-bit colour."""


def to_nifti(volume: xr.DataArray, path: str | os.PathLike[str] | None = None) -> Any:
    """Make a NIfTI image of a volume, and write it if a path is given.

    The first axis of the image counts columns, the second rows, the third slices, and a fourth further
    dimensions. Its affine is in RAS mm, and maps to the same points of the patient as that of the volume.

    Parameters
    ----------
    volume
        With dimensions slice, row and column.
    path
        ``.nii`` or ``.nii.gz``.

    Returns
    -------
    nibabel.Nifti1Image

    Raises
    ------
    GeometryError
        If the volume has no even geometry.
    MissingFeatureError
        If nibabel is not installed.

    Examples
    --------
    >>> import dicomkit as dk
    >>> to_nifti(dk.to_volume(dk.samples.ct_series(slices=4, size=8))).shape
    (8, 8, 4)
    """
    try:
        import nibabel
    except ImportError:
        raise MissingFeatureError("to_nifti", "nifti") from None
    nibabel_any: Any = nibabel
    geometry = geometry_of(volume)
    extra = [d for d in volume.dims if d not in (*AXES, "sample")]
    volume = volume.expand_dims([axis for axis in AXES if axis not in volume.dims])
    tail = ["sample"] if "sample" in volume.dims else []
    data = np.asarray(volume.transpose("column", "row", "slice", *reversed(extra), *tail).data)
    if tail:
        if data.shape[-1] != 3 or data.dtype != np.uint8:
            raise GeometryError("NIfTI holds colour of three 8-bit samples only")
        data = np.ascontiguousarray(data).view(COLOUR)[..., 0]
    elif len(extra) > 1:
        data = data.reshape(*data.shape[:3], -1, order="F")
    if data.dtype.kind == "b":
        data = data.astype(np.uint8)
    elif data.dtype in (np.dtype(np.int64), np.dtype(np.uint64)):
        raise GeometryError("most readers of NIfTI know no 64-bit integers", hint="convert with .astype('int32')")
    affine = geometry.affine_ras[:, [2, 1, 0, 3]]
    image: Any = nibabel_any.Nifti1Image(np.asfortranarray(data), affine)
    image.header.set_xyzt_units("mm", "msec" if _milliseconds(volume, extra) else "unknown")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    if path is not None:
        nibabel.save(image, os.fspath(path))
    return image


def _milliseconds(volume: xr.DataArray, extra: list[Any]) -> bool:
    return bool(extra) and extra[0] in volume.coords and volume.coords[extra[0]].attrs.get("units") == "ms"


def to_sitk(volume: xr.DataArray) -> Any:
    """Make a SimpleITK image of a volume, in the same place of the patient (ITK counts in LPS mm too).

    Parameters
    ----------
    volume
        With dimensions slice, row and column, and sample for colour; further ones must be indexed away.

    Returns
    -------
    SimpleITK.Image

    Raises
    ------
    GeometryError
        If the axes of the volume are not at right angles, as ITK wants them, or there are further dimensions.
    MissingFeatureError
        If SimpleITK is not installed.

    Examples
    --------
    >>> import dicomkit as dk
    >>> to_sitk(dk.to_volume(dk.samples.ct_series(slices=4, size=8))).GetSize()
    (8, 8, 4)
    """
    try:
        import SimpleITK
    except ImportError:
        raise MissingFeatureError("to_sitk", "sitk") from None
    extra = [d for d in volume.dims if d not in (*AXES, "sample")]
    if extra:
        raise GeometryError(
            f"an image for ITK has no dimension {extra[0]!r}", hint=f"take one with .isel({extra[0]}=...)"
        )
    geometry = geometry_of(volume)
    directions = unit(geometry.steps)
    if np.abs(directions @ directions.T - np.eye(3)).max() > 1e-3:
        raise GeometryError(
            "the axes of the volume are not at right angles, as ITK wants them", hint="load it with tilt='deskew'"
        )
    volume = volume.expand_dims([axis for axis in AXES if axis not in volume.dims])
    tail = ["sample"] if "sample" in volume.dims else []
    data = np.asarray(volume.transpose(*AXES, *tail).data)
    image: Any = SimpleITK.GetImageFromArray(
        data.astype(np.uint8) if data.dtype.kind == "b" else data, isVector=bool(tail)
    )
    image.SetOrigin(geometry.origin)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetDirection(directions[::-1].T.ravel().tolist())
    return image
