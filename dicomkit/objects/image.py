"""Images from arrays: secondary capture of anything, and derived images of a series (PS3.3 A.8, C.7.6.1.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.errors import ValueFormatError
from dicomkit.objects.derived_image import derived_attributes, image_reference, what_stays, with_derivation
from dicomkit.objects.secondary_capture import capture_attributes
from dicomkit.pixels.description import describe
from dicomkit.pixels.history import known_loss
from dicomkit.values.uid import new_uid

# What belongs to the patient and the study, and goes with an image that is in no other way like its source.
_OF_STUDY = (
    *("SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("DeidentificationMethodCodeSequence", "StudyInstanceUID", "StudyID"),
)
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def make_image(
    array: NDArray[Any],
    *,
    like: DataSet | None = None,
    modality: str | None = None,
    derivation: str = "",
    sources: Iterable[DataSet] = (),
    window: tuple[float, float] | None = None,
    frame_seconds: float | None = None,
    pixel_spacing: tuple[float, float] | None = None,
    burned_in_annotation: bool = False,
    capture: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> DataSet:
    """Make an image from an array.

    With ``like`` and an array of its shape, the result is a derived image of the same kind: patient, study, geometry
    and acquisition stay, identity, Image Type and Image Pixel attributes are new, and the source is referenced. All
    images made with one ``derivation`` from one series make one new series. With ``like`` and an array of another shape
    (or colour from grey), it is a secondary capture in the study of ``like``. Without, it is a secondary capture whose
    patient and study are empty until ``attributes`` fills them.

    Parameters
    ----------
    array : ndarray
        ``(rows, columns)``, ``(rows, columns, 3)`` of uint8 for RGB, or either with frames before. Numbers are modality
        values (e.g. HU): integers are stored as they are where they fit, with the source's rescale where it has one;
        floating point and wider integers are scaled to 16 bits with a Rescale Slope and Intercept. bool makes
        single-bit images.
    like : DataSet, optional
        The image that it was made from, or belongs to.
    modality : str, optional
        Modality of a secondary capture; ``"OT"`` by default.
    derivation : str
        Derivation Description: what was done.
    sources : iterable of DataSet
        Images that it was made from; by default that which a derived image is like.
    window : tuple of float, optional
        Center and width to show it with.
    frame_seconds : float, optional
        How long frames are shown, for several frames in time.
    pixel_spacing : tuple of float, optional
        Between rows and between columns, in mm, of a secondary capture.
    burned_in_annotation : bool
        Whether texts that identify the patient are in the pixels.
    capture : bool
        Make a secondary capture in the study of ``like`` even of an array that has its shape.
    attributes : mapping, optional
        Elements to set at the end, by keyword.

    Returns
    -------
    DataSet
        To be written with Explicit VR Little Endian, or transcoded.

    Raises
    ------
    ValueFormatError
        If the array can't be an image.

    Examples
    --------
    >>> import dicomkit as dk
    >>> source = dk.samples.ct_series(slices=1, size=16)[0]
    >>> hu = np.full((16, 16), -50.0)
    >>> smooth = make_image(hu, like=source, derivation="smoothed")
    >>> smooth.ImageType[:2], smooth.SOPClassUID == source.SOPClassUID, len(smooth.SourceImageSequence)
    (('DERIVED', 'SECONDARY'), True, 1)
    >>> make_image(np.zeros((2, 8, 8), bool)).SOPClassUID.name
    'Multi-frame Single Bit Secondary Capture Image Storage'
    """
    values = np.asarray(array)
    colour = _is_colour(values, like)
    frames = values.shape[0] if values.ndim == 3 + colour else 1
    _check(values, colour)
    source = like if like is not None and not capture and _fits(values, like, colour, frames) else None
    given = tuple(sources) or ((source,) if source is not None else ())
    if source is not None:
        made = derived_attributes(values, source, derivation, colour)
    else:
        made = capture_attributes(values, like, modality or "OT", colour, frames, frame_seconds, pixel_spacing)
    made |= _made_now() | _lossy_history(given)
    made["BurnedInAnnotation"] = "YES" if burned_in_annotation else "NO"
    if derivation:
        made["DerivationDescription"] = derivation
    if given:
        made["SourceImageSequence"] = [image_reference(ds) for ds in given]
    grouped = source is not None and (SHARED in source or PER_FRAME in source)
    if window is not None and not grouped:
        made |= {"WindowCenter": float(window[0]), "WindowWidth": float(window[1])}
    image = _base(like, source).assign(made)
    if source is not None and grouped:
        image = with_derivation(image, source, given, derivation, window)
    return image.assign(dict(attributes or {}))


def _made_now() -> dict[str, Any]:
    """A new identity, and the time."""
    now = datetime.now()
    date, time = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    return {
        "SOPInstanceUID": new_uid(),
        "InstanceCreationDate": date,
        "InstanceCreationTime": time,
        "ContentDate": date,
        "ContentTime": time,
    }


def _is_colour(values: NDArray[Any], like: DataSet | None) -> bool:
    """Whether the last axis holds samples: three uint8, unless that is the shape of a grey source."""
    if values.ndim not in (3, 4) or values.shape[-1] != 3 or values.dtype != np.uint8:
        return False
    if values.ndim == 4 or like is None:
        return True
    return bool(like.get("Columns") != 3 or like.get("SamplesPerPixel") == 3)


def _check(values: NDArray[Any], colour: bool) -> None:
    """Refuse what can't be an image."""
    rows, columns = (values.shape[-3:-1] if colour else values.shape[-2:]) if values.ndim >= 2 else (0, 0)
    if values.ndim not in ((3, 4) if colour else (2, 3)) or not values.size or max(rows, columns) > 0xFFFF:
        raise ValueFormatError(
            f"an array of shape {values.shape} and type {values.dtype} is no image",
            hint="give ([frames,] rows, columns), or ([frames,] rows, columns, 3) of uint8",
        )
    if values.dtype.kind not in "biuf":
        raise ValueFormatError(f"an array of {values.dtype} is no image", hint="give bool, integers or floating point")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueFormatError("an image can't hold NaN or infinity", hint="replace them first: numpy.nan_to_num")


def _fits(values: NDArray[Any], like: DataSet, colour: bool, frames: int) -> bool:
    """Whether an array has the shape of an image, so that its geometry and kind hold for it."""
    count = like.get("NumberOfFrames")
    rows, columns = values.shape[-3:-1] if colour else values.shape[-2:]
    same = (like.get("Rows"), like.get("Columns"), like.get("SamplesPerPixel", 1), count or 1)
    return same == (rows, columns, 3 if colour else 1, frames)


def _base(like: DataSet | None, source: DataSet | None) -> DataSet:
    """What an image takes over: all but what described the old pixels, or patient and study, or nothing."""
    if source is not None:
        return what_stays(source)
    if like is not None:
        return DataSet([like.element(keyword) for keyword in _OF_STUDY if keyword in like])
    return DataSet()


def _lossy_history(sources: Iterable[DataSet]) -> dict[str, Any]:
    """The lossy compression that one of the sources has been through: its loss is in what was made of it."""
    for ds in sources:
        known = known_loss(ds, ds, describe(ds)) if "PixelData" in ds else ds
        if known.get("LossyImageCompression") == "01":
            return {keyword: known.get(keyword) for keyword in _LOSSY if keyword in known}
    return {}
