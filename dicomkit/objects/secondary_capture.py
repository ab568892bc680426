"""Secondary captures: any array as an image of its own, by one of the five storage classes (PS3.3 A.8)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.objects.image_pixels import pixel_attributes, single_bits, unsigned_words
from dicomkit.pixels.modality import Rescale
from dicomkit.standard.uids import uid_of
from dicomkit.values.uid import new_uid

_EMPTY_STUDY = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientName", "PatientID"),
    *("PatientBirthDate", "PatientSex", "StudyID"),
)


def capture_attributes(
    values: NDArray[Any],
    like: DataSet | None,
    modality: str,
    colour: bool,
    frames: int,
    frame_seconds: float | None,
    pixel_spacing: tuple[float, float] | None,
) -> dict[str, Any]:
    """Make all of a secondary capture but what says who made it when.

    Parameters
    ----------
    values : ndarray
    like : DataSet or None
        Whose study it is in; without, the study is new and its patient empty.
    modality : str
    colour : bool
        Whether the last axis holds RGB.
    frames : int
    frame_seconds : float or None
        How long frames are shown.
    pixel_spacing : tuple of float or None
        Between rows and between columns, in mm.

    Returns
    -------
    dict
        By keyword.

    Examples
    --------
    >>> import numpy as np
    >>> made = capture_attributes(np.zeros((2, 4, 4), bool), None, "OT", False, 2, None, None)
    >>> made["BitsAllocated"], hex(made["FrameIncrementPointer"])
    (1, '0x182001')
    """
    several = values.ndim == 3 + colour or values.dtype.kind == "b"
    made = pixel_attributes(values, colour, word=values.dtype.itemsize > 1, rescale=Rescale())
    single_bit = values.dtype.kind == "b"
    if single_bit:
        made |= single_bits(values)
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
            made |= unsigned_words(made)
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
