"""Images from arrays: secondary capture of anything, and derived images of a series (PS3.3 A.8, C.7.6.1.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.pixels.bits import pack
from dicomkit.pixels.description import describe
from dicomkit.pixels.history import known_loss
from dicomkit.pixels.modality import Rescale, modality_of
from dicomkit.standard.uids import uid_of
from dicomkit.values.uid import new_uid

_SOURCE_IMAGE = {
    "CodeValue": "121322",
    "CodingSchemeDesignator": "DCM",
    "CodeMeaning": "Source image for image processing operation",
}
# What belongs to the patient and the study, and goes with an image that is in no other way like its source.
_OF_STUDY = (
    *("SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("DeidentificationMethodCodeSequence", "StudyInstanceUID", "StudyID"),
)
# What was true of the source's stored values, or of the source alone.
_NOT_DERIVED = (
    *("SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "VOILUTSequence", "ICCProfile"),
    *("RealWorldValueMappingSequence", "IconImageSequence", "DigitalSignaturesSequence", "MACParametersSequence"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PresentationLUTSequence", "PlanarConfiguration", "InstanceCreatorUID", "FrameOfInterestDescription"),
    *("DataSetTrailingPadding", "AcquisitionUID"),
)
_EMPTY_STUDY = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientName", "PatientID"),
    *("PatientBirthDate", "PatientSex", "StudyID"),
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
    now = datetime.now()
    derived = like is not None and _fits(values, like, colour, frames)
    given = tuple(sources) or ((like,) if derived and like is not None else ())
    if derived and like is not None:
        made = _derived(values, like, derivation, colour)
    else:
        made = _capture(values, like, modality or "OT", colour, frames, frame_seconds, pixel_spacing)
    made |= {
        "SOPInstanceUID": new_uid(),
        "InstanceCreationDate": f"{now:%Y%m%d}",
        "InstanceCreationTime": f"{now:%H%M%S}",
        "ContentDate": f"{now:%Y%m%d}",
        "ContentTime": f"{now:%H%M%S}",
        "BurnedInAnnotation": "YES" if burned_in_annotation else "NO",
    }
    if derivation:
        made["DerivationDescription"] = derivation
    if given:
        made["SourceImageSequence"] = [_reference(ds) for ds in given]
    made |= _lossy_history(given)
    if window is not None:
        made |= {"WindowCenter": float(window[0]), "WindowWidth": float(window[1])}
    base = _base(like, derived)
    return base.assign(made).assign(dict(attributes or {}))


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


def _base(like: DataSet | None, derived: bool) -> DataSet:
    """What an image takes over: all but what described the old pixels, or patient and study, or nothing."""
    if like is None:
        return DataSet()
    if not derived:
        return DataSet([like.element(keyword) for keyword in _OF_STUDY if keyword in like])
    groups = [tag for tag in like if 0x6000 <= tag >> 16 <= 0x60FF]  # overlays
    kept = like.drop(*(keyword for keyword in _NOT_DERIVED if keyword in like), *groups)
    return DataSet(list(kept.elements()))  # without the source's transfer syntax


def _derived(values: NDArray[Any], like: DataSet, derivation: str, colour: bool) -> dict[str, Any]:
    """What is new in a derived image."""
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        if not like.get(keyword):
            raise MissingElementError(f"the source has no {keyword}", hint="a derived image refers to it")
    kind = [str(part or "") for part in like.all("ImageType")]
    number = like.get("SeriesNumber")
    old = modality_of(like)
    usual = old if isinstance(old, Rescale) else Rescale()
    has_rescale = usual != Rescale() or "RescaleSlope" in like
    word = like.get("BitsAllocated", 16) != 8  # CT, MR and others allow 16 bits only
    made = _pixels(values, colour, word=word, rescale=usual)
    plain = made["RescaleSlope"] == 1 and made["RescaleIntercept"] == 0
    if _modality_per_frame(like):
        raise ValueFormatError(
            "the source has a modality transformation in its functional groups",
            hint="make a secondary capture (without like), or use a single-frame source",
        )
    if "PresentationIntentType" in like and not plain:  # PS3.3 C.8.11.3: no rescale but the identity
        raise ValueFormatError(
            "values of such an image are integers of up to 16 bits", hint="round them: numpy.rint(array).astype(int)"
        )
    if colour or (plain and not has_rescale):
        del made["RescaleSlope"], made["RescaleIntercept"]
    elif "RescaleType" not in like:
        made["RescaleType"] = "US"
    if not colour:  # the same values mean the same brightness
        made["PhotometricInterpretation"] = (
            "MONOCHROME1" if like.get("PhotometricInterpretation") == "MONOCHROME1" else "MONOCHROME2"
        )
    second = "PRIMARY" if like["SOPClassUID"] == uid_of("PositronEmissionTomographyImageStorage") else "SECONDARY"
    description = derivation or "derived"
    return made | {
        "ImageType": ("DERIVED", second, *kind[2:]),
        "SeriesInstanceUID": new_uid(seed=["derived", str(like.SeriesInstanceUID), description]),
        "SeriesNumber": number + 1000 if isinstance(number, int) else None,
        "SeriesDescription": f"{like.get('SeriesDescription') or ''} {description}".strip()[:64],
    }


def _modality_per_frame(like: DataSet) -> bool:
    """Whether functional groups say what stored values mean."""
    groups = (*like.all("SharedFunctionalGroupsSequence"), *like.all("PerFrameFunctionalGroupsSequence"))
    return any("PixelValueTransformationSequence" in group for group in groups)


def _capture(
    values: NDArray[Any],
    like: DataSet | None,
    modality: str,
    colour: bool,
    frames: int,
    frame_seconds: float | None,
    pixel_spacing: tuple[float, float] | None,
) -> dict[str, Any]:
    """All of a secondary capture but what says who made it when."""
    several = values.ndim == 3 + colour or values.dtype.kind == "b"
    made = _pixels(values, colour, word=values.dtype.itemsize > 1, rescale=Rescale())
    single_bit = values.dtype.kind == "b"
    if single_bit:
        bits = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
        made |= {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": _even(pack(bits, 1).tobytes())}
    if not several:
        keyword = "SecondaryCaptureImageStorage"
    elif single_bit:
        keyword = "MultiFrameSingleBitSecondaryCaptureImageStorage"
    elif colour:
        keyword = "MultiFrameTrueColorSecondaryCaptureImageStorage"
    elif made["BitsAllocated"] == 8:
        keyword = "MultiFrameGrayscaleByteSecondaryCaptureImageStorage"
    else:
        keyword = "MultiFrameGrayscaleWordSecondaryCaptureImageStorage"
        if made["PixelRepresentation"]:
            made |= _unsigned(made)
    slope, intercept = made["RescaleSlope"], made["RescaleIntercept"]
    plain = (slope, intercept) == (1, 0)
    if colour or single_bit or (plain and not several):
        del made["RescaleSlope"], made["RescaleIntercept"]
    else:
        made["RescaleType"] = "US"
    made |= {
        "SOPClassUID": uid_of(keyword),
        "SeriesInstanceUID": new_uid(),
        "SeriesNumber": None,
        "InstanceNumber": 1,
        "Modality": modality,
        "ConversionType": "WSD",
        "ImageType": ("DERIVED", "SECONDARY"),
        "PatientOrientation": None,
        "Laterality": None,
    }
    if like is None:
        made |= {"StudyInstanceUID": new_uid(), "SpecificCharacterSet": "ISO_IR 192"} | dict.fromkeys(_EMPTY_STUDY)
    if several:
        made["NumberOfFrames"] = frames
        if not colour and not single_bit:
            made["PresentationLUTShape"] = "IDENTITY"
        if frame_seconds is not None:
            made |= {"FrameIncrementPointer": 0x00181063, "FrameTime": round(frame_seconds * 1000, 6)}
        elif frames > 1:
            made |= {"FrameIncrementPointer": 0x00182001, "PageNumberVector": tuple(range(1, frames + 1))}
    if pixel_spacing is not None:
        made |= {"PixelSpacing": tuple(float(step) for step in pixel_spacing)}
    return made


def _pixels(values: NDArray[Any], colour: bool, *, word: bool, rescale: Rescale) -> dict[str, Any]:
    """The Image Pixel attributes of an array, its bytes, and the rescale that gives its values back."""
    rows, columns = values.shape[-3:-1] if colour else values.shape[-2:]
    stored, slope, intercept = (values, 1.0, 0.0) if colour else _stored(values, word=word, rescale=rescale)
    bits = stored.dtype.itemsize * 8
    made: dict[str, Any] = {
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
        "PixelData": _even(np.ascontiguousarray(stored.astype(stored.dtype.newbyteorder("<"), copy=False)).tobytes()),
    }
    if colour:
        made["PlanarConfiguration"] = 0
    return made


def _stored(values: NDArray[Any], *, word: bool, rescale: Rescale) -> tuple[NDArray[Any], float, float]:
    """Stored values of 8 or 16 bits, and the slope and intercept that bring them back."""
    kinds = (np.uint16, np.int16) if word else (np.uint8,)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "biu":
        exact = values.astype(np.int64)
        for candidate in (rescale, Rescale()):  # integers stay exact where they can
            if not candidate.is_integral or not candidate.slope:
                continue
            shifted = exact - int(candidate.intercept)
            if candidate.slope != 1 and (shifted % int(candidate.slope)).any():
                continue
            shifted = shifted // int(candidate.slope)
            for kind in kinds:
                limits = np.iinfo(kind)
                if limits.min <= shifted.min() and shifted.max() <= limits.max:
                    return shifted.astype(kind), candidate.slope, candidate.intercept
    top = 65535
    slope = _decimal((high - low) / top, up=True) or 1.0
    intercept = _decimal(low)
    places = np.rint((values.astype(np.float64) - intercept) / slope)
    return np.clip(places, 0, top).astype(np.uint16), slope, intercept


def _decimal(number: float, *, up: bool = False) -> float:
    """A number that the 16 characters of a DS hold, no smaller than it where asked."""
    rounded = float(f"{number:.8e}")
    return rounded if not up or rounded >= number else float(f"{number * (1 + 1e-8):.8e}")


def _unsigned(made: dict[str, Any]) -> dict[str, Any]:
    """Signed words as unsigned ones, with the intercept that brings them back (PS3.3 A.8.4.4)."""
    words = np.frombuffer(made["PixelData"], "<i2").astype(np.int32) + 32768
    intercept = made["RescaleIntercept"] - 32768 * made["RescaleSlope"]
    return {"PixelData": words.astype("<u2").tobytes(), "PixelRepresentation": 0, "RescaleIntercept": intercept}


def _even(data: bytes) -> bytes:
    """Pad to an even length."""
    return data + b"\0" * (len(data) % 2)


def _reference(ds: DataSet) -> DataSet:
    """A reference to a source image."""
    return DataSet(
        ReferencedSOPClassUID=ds["SOPClassUID"],
        ReferencedSOPInstanceUID=ds["SOPInstanceUID"],
        PurposeOfReferenceCodeSequence=[DataSet(_SOURCE_IMAGE)],
    )


def _lossy_history(sources: Iterable[DataSet]) -> dict[str, Any]:
    """The lossy compression that one of the sources has been through: its loss is in what was made of it."""
    for ds in sources:
        known = known_loss(ds, ds, describe(ds)) if "PixelData" in ds else ds
        if known.get("LossyImageCompression") == "01":
            return {keyword: known.get(keyword) for keyword in _LOSSY if keyword in known}
    return {}
