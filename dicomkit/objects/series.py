"""A volume goes back into a series of DICOM images, slice by slice, with its geometry (PS3.3 C.7.6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.functional_groups import PER_FRAME
from dicomkit.errors import GeometryError, ValueFormatError
from dicomkit.objects.classic import classic_frames, is_enhanced
from dicomkit.objects.image import make_image
from dicomkit.standard.uids import uid_of
from dicomkit.values.uid import new_uid
from dicomkit.volumes.geometry import AXES, ORIGIN_DECIMALS, Geometry
from dicomkit.volumes.grid import geometry_of

if TYPE_CHECKING:
    import xarray as xr

# Which attribute tells the place along a further dimension of a volume; its number in time where none does.
_TELLS: Mapping[str, str] = MappingProxyType(
    {
        "b_value": "DiffusionBValue",
        "echo": "EchoTime",
        "trigger_time": "TriggerTime",
        "inversion_time": "InversionTime",
        "flip_angle": "FlipAngle",
        "kvp": "KVP",
        "channel": "ReceiveCoilName",
        "component": "ComplexImageComponent",
        "diffusion": "DiffusionBValue",
    }
)
_IN_TIME = "TemporalPositionIdentifier"
_GRADIENT = ("gradient_x", "gradient_y", "gradient_z")
_OF_THE_SLICE = (
    *("SliceLocation", "InstanceNumber", "NumberOfFrames", "GantryDetectorTilt"),
    *("FrameIncrementPointer", "GridFrameOffsetVector"),
)
_DOSE = "DoseGridScaling"
_RESCALE = ("RescaleSlope", "RescaleIntercept", "RescaleType")
_LARGEST = 32767


def make_series(
    volume: xr.DataArray,
    like: DataSet | Iterable[DataSet],
    *,
    derivation: str = "derived volume",
    attributes: Mapping[str, Any] | None = None,
) -> tuple[DataSet, ...]:
    """Make a series of derived images of a volume, one for each slice and each place along further dimensions.

    Positions, orientation and spacings are those of the volume, wherever its slices lie; patient, study and
    acquisition are those of ``like``, whose nearest image (or frame of an enhanced one) each slice refers to. Integers
    that fit 16 bits are exact; floating point is stored in 16 bits with one Rescale Slope and Intercept for the whole
    volume, doses with one Dose Grid Scaling. Colours make RGB images; where ``like`` is grey, secondary captures.

    Parameters
    ----------
    volume : xarray.DataArray
        With dimensions slice, row and column (row and column may be those of a resliced volume), and maybe more before
        them: b-value, echo, trigger time ... are written as their attributes, time and what has no attribute as
        Temporal Position Identifier. A dimension ``sample`` of length 3 holds red, green and blue, of uint8.
    like : DataSet or iterable of DataSet
        Images that the volume was made from, or belongs to. Of enhanced CT and MR images, CT and MR images are made;
        of other enhanced ones, secondary captures.
    derivation : str
        Derivation Description: what was done. One derivation of one series makes one new series.
    attributes : mapping, optional
        Elements to set in all images at the end, by keyword.

    Returns
    -------
    tuple of DataSet
        In the order of the slices, those of the first place along the further dimensions before the others.

    Raises
    ------
    GeometryError
        If the volume has no even geometry.
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
    originals = tuple(ds for ds in sources for _ in range(len(ds.all(PER_FRAME)) if is_enhanced(ds) else 1))
    numbers = tuple(n for ds in sources for n in (range(1, len(ds.all(PER_FRAME)) + 1) if is_enhanced(ds) else (0,)))
    sources = tuple(header for ds in sources for header in (classic_frames(ds) if is_enhanced(ds) else (ds,)))
    samples = [dim for dim in volume.dims if dim == "sample"]
    extra = [str(dim) for dim in volume.dims if dim not in (*AXES, *samples)]
    geometry = geometry_of(volume)
    volume = volume.expand_dims([axis for axis in AXES if axis not in volume.dims]).transpose(*extra, *AXES, *samples)
    if samples and (volume.sizes["sample"] != 3 or volume.dtype != np.uint8):
        kind = f"{volume.sizes['sample']} samples of {volume.dtype}"
        raise ValueFormatError(f"{kind} are no colour of an image", hint="give red, green and blue, of uint8")
    stored, rescale = _stored(np.asarray(volume.data), sources[0])
    series = new_uid(seed=["derived", str(sources[0].get("SeriesInstanceUID") or new_uid()), derivation])
    places = _positions(sources)
    made: list[DataSet] = []
    for place in np.ndindex(stored.shape[: len(extra)]):
        facts = _facts(volume, dict(zip(extra, place, strict=True)))
        suited = _suited(sources, facts)
        for number, plane in enumerate(stored[place]):
            origin = geometry.points([[number, 0, 0]])[0]
            nearest = suited[0]
            if len(places):
                nearest = suited[int(np.argmin(np.abs(places[suited] - origin).sum(1)))]
                if np.abs(places[nearest] - origin).max() <= 10.0**-ORIGIN_DECIMALS:
                    origin = places[nearest]  # with all its digits
            source, original = sources[nearest], originals[nearest]
            template = source.drop(*_OF_THE_SLICE).assign(Rows=plane.shape[0], Columns=plane.shape[1], **rescale)
            if "PhotometricInterpretation" not in template and not samples:
                template = template.assign(PhotometricInterpretation="MONOCHROME2")
            image = make_image(plane, like=template, derivation=derivation, sources=(original,))
            changes = _geometry_of_slice(geometry, origin) | rescale | facts
            changes |= {"InstanceNumber": len(made) + 1, "SeriesInstanceUID": series, "PatientOrientation": None}
            if numbers[nearest]:
                changes["SourceImageSequence", 0, "ReferencedFrameNumber"] = numbers[nearest]
            if "FrameOfReferenceUID" in changes and "PositionReferenceIndicator" not in image:
                changes["PositionReferenceIndicator"] = None
            if _DOSE in rescale:  # the one thing that says what stored values of a dose mean
                image = image.drop(*_RESCALE)
            made.append(image.assign(changes).assign(dict(attributes or {})))
    return tuple(made)


def _facts(volume: xr.DataArray, place: Mapping[str, int]) -> dict[Any, Any]:
    """The attributes that tell where an image lies along the further dimensions."""
    facts: dict[Any, Any] = {}
    here = volume.isel(place)
    for name, number in place.items():
        keyword, value = _TELLS.get(name), here.coords.get(name)
        if name == "diffusion":
            value = here.coords.get("DiffusionBValue")
            if all(axis in here.coords for axis in _GRADIENT):
                direction = tuple(float(here.coords[axis]) for axis in _GRADIENT)
                if any(direction) and np.isfinite(direction).all():
                    facts["DiffusionGradientOrientation"] = direction
        if keyword is None or value is None:
            facts |= {_IN_TIME: number + 1, "NumberOfTemporalPositions": volume.sizes[name]}
        else:
            facts[keyword] = value.item()
    return facts


def _suited(sources: tuple[DataSet, ...], facts: Mapping[Any, Any]) -> NDArray[np.int64]:
    """Which sources lie where an image does along the further dimensions; all, if none does."""
    wanted = {keyword: value for keyword, value in facts.items() if keyword in (_IN_TIME, *_TELLS.values())}
    found = [number for number, ds in enumerate(sources) if all(ds.get(k) == value for k, value in wanted.items())]
    return np.array(found or range(len(sources)), np.int64)


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
    if _DOSE in like:
        return _doses(values)
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


def _doses(values: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Any]]:
    """Unsigned words and the Dose Grid Scaling that makes doses of them (PS3.3 C.8.8.3)."""
    if not values.size or not np.isfinite(values).all() or values.min() < 0:
        raise ValueFormatError("doses are numbers from 0 on", hint="clip them first: volume.clip(min=0)")
    scaling = float(f"{float(values.max()) / 65535 * (1 + 1e-8):.9g}") or 1.0
    return np.rint(values.astype(np.float64) / scaling).astype(np.uint16), {_DOSE: scaling}


def _fits(values: NDArray[Any]) -> bool:
    """Whether integers fit 16 bits."""
    if not values.size:
        raise ValueFormatError("the volume is empty")
    return bool(values.min() >= -32768 and values.max() <= 32767)
