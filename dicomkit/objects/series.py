"""A volume goes back into a series of DICOM images, slice by slice, with its geometry (PS3.3 C.7.6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import GeometryError, ValueFormatError
from dicomkit.objects.image import make_image
from dicomkit.standard.uids import uid_of
from dicomkit.values.uid import new_uid
from dicomkit.volumes.geometry import AXES, ORIGIN_DECIMALS, Geometry
from dicomkit.volumes.grid import geometry_of

if TYPE_CHECKING:
    import xarray as xr

_OF_THE_SLICE = ("SliceLocation", "InstanceNumber", "NumberOfFrames", "GantryDetectorTilt")
_LARGEST = 32767


def make_series(
    volume: xr.DataArray,
    like: DataSet | Iterable[DataSet],
    *,
    derivation: str = "derived volume",
    attributes: Mapping[str, Any] | None = None,
) -> tuple[DataSet, ...]:
    """Make a series of derived images of a volume, one for each slice.

    Positions, orientation and spacings are those of the volume, wherever its slices lie; patient, study and
    acquisition are those of ``like``, whose nearest image each slice refers to. Integers that fit 16 bits are exact;
    floating point is stored in 16 bits with one Rescale Slope and Intercept for the whole volume.

    Parameters
    ----------
    volume : xarray.DataArray
        With dimensions slice, row and column (row and column may be those of a resliced volume).
    like : DataSet or iterable of DataSet
        Single-frame images that the volume was made from, or belongs to.
    derivation : str
        Derivation Description: what was done. One derivation of one series makes one new series.
    attributes : mapping, optional
        Elements to set in all images at the end, by keyword.

    Returns
    -------
    tuple of DataSet
        In the order of the slices.

    Raises
    ------
    GeometryError
        If the volume has further dimensions, or no even geometry.
    ValueFormatError
        If its values can't be stored, or ``like`` holds no image.

    Examples
    --------
    >>> import dicomkit as dk
    >>> source = dk.samples.ct_series(slices=4, size=16)
    >>> volume = dk.to_volume(source)
    >>> made = make_series(volume + 10, source, derivation="brighter")
    >>> back = dk.to_volume(made)
    >>> len(made), bool((back.values == volume.values + 10).all()), back.dicom.geometry == volume.dicom.geometry
    (4, True, True)
    """
    sources = (like,) if isinstance(like, DataSet) else tuple(like)
    if not sources or any("Rows" not in ds for ds in sources):
        raise ValueFormatError("a series is made like images, and there are none", hint="pass like=[DataSet, ...]")
    extra = [str(dim) for dim in volume.dims if dim not in AXES]
    if extra:
        raise GeometryError(f"a series has slices, rows and columns, not {', '.join(extra)}", hint="select one of each")
    geometry = geometry_of(volume)
    volume = volume.expand_dims([axis for axis in AXES if axis not in volume.dims]).transpose(*AXES)
    stored, rescale = _stored(np.asarray(volume.data), sources[0])
    series = new_uid(seed=["derived", str(sources[0].get("SeriesInstanceUID") or new_uid()), derivation])
    places = _positions(sources)
    made = []
    for number, plane in enumerate(stored):
        origin = geometry.points([[number, 0, 0]])[0]
        source = sources[0]
        if len(places):
            nearest = int(np.argmin(np.abs(places - origin).sum(1)))
            source = sources[nearest]
            if np.abs(places[nearest] - origin).max() <= 10.0**-ORIGIN_DECIMALS:
                origin = places[nearest]  # with all its digits
        template = source.drop(*_OF_THE_SLICE).assign(Rows=plane.shape[0], Columns=plane.shape[1], **rescale)
        image = make_image(plane, like=template, derivation=derivation, sources=(source,))
        changes = _geometry_of_slice(geometry, origin) | rescale
        changes |= {"InstanceNumber": number + 1, "SeriesInstanceUID": series, "PatientOrientation": None}
        made.append(image.assign(changes).assign(dict(attributes or {})))
    return tuple(made)


def _positions(sources: tuple[DataSet, ...]) -> NDArray[np.float64]:
    """Where the sources lie; none unless all of them tell."""
    positions = [ds.all("ImagePositionPatient") for ds in sources]
    return np.array(positions if all(len(place) == 3 for place in positions) else [], float).reshape(-1, 3)


def _geometry_of_slice(geometry: Geometry, origin: NDArray[np.float64]) -> dict[str, Any]:
    """The Image Plane attributes of a slice."""
    _, down, across = geometry.spacing
    _, rows, columns = geometry.axes
    if abs(float(np.dot(rows, columns))) > 1e-4:
        raise GeometryError("rows and columns are not at right angles, which an image plane can't express")
    step = abs(float(np.dot(geometry.steps[0], np.cross(columns, rows))))
    changes: dict[str, Any] = {
        "ImagePositionPatient": tuple(map(_decimal, origin)),
        "ImageOrientationPatient": tuple(map(_decimal, (*columns, *rows))),
        "PixelSpacing": (_decimal(down), _decimal(across)),
        "SliceThickness": _decimal(step),
        "SpacingBetweenSlices": _decimal(step),
    }
    if geometry.frame_of_reference:
        changes["FrameOfReferenceUID"] = geometry.frame_of_reference
    return changes


def _decimal(number: float) -> float:
    """A number that the 16 characters of a DS hold."""
    return float(f"{round(float(number), 9) + 0.0:.9g}")


def _stored(values: NDArray[Any], like: DataSet) -> tuple[NDArray[Any], dict[str, Any]]:
    """Planes as make_image takes them, and the rescale to give them afterwards; none where they are exact."""
    if values.dtype.kind not in "biuf":
        raise ValueFormatError(f"values of {values.dtype} are no image", hint="give integers or floating point")
    if values.dtype.kind == "b":
        return values.astype(np.uint8), {}
    if values.dtype.kind != "f" and _fits(values):
        return values, {}
    if not np.isfinite(values).all():
        raise ValueFormatError("an image can't hold NaN or infinity", hint="replace them first: volume.fillna(...)")
    if (values == np.rint(values)).all() and _fits(values):
        return values.astype(np.int32), {}
    low, high = float(values.min()), float(values.max())
    if like.get("SOPClassUID") == uid_of("PositronEmissionTomographyImageStorage"):
        low, high = -max(-low, high), max(-low, high)  # its intercept is 0 (PS3.3 C.8.9.4)
    intercept = _decimal((low + high) / 2)
    largest = max(high - intercept, intercept - low)
    slope = float(f"{largest / _LARGEST * (1 + 1e-8):.9g}") or 1.0
    stored = np.rint((values.astype(np.float64) - intercept) / slope).astype(np.int16)
    return stored, {"RescaleSlope": slope, "RescaleIntercept": intercept}


def _fits(values: NDArray[Any]) -> bool:
    """Whether integers fit 16 bits."""
    if not values.size:
        raise ValueFormatError("the volume is empty")
    return bool(values.min() >= -32768 and values.max() <= 32767)
