"""Derived images: what they keep of their source, what is new, also in functional groups (PS3.3 C.7.6.1.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.objects.image_pixels import pixel_attributes
from dicomkit.pixels.history import frames_derived, source_evidence
from dicomkit.pixels.modality import Rescale, modality_of
from dicomkit.standard.uids import uid_of
from dicomkit.values.uid import new_uid

_SOURCE_IMAGE = {
    "CodeValue": "121322",
    "CodingSchemeDesignator": "DCM",
    "CodeMeaning": "Source image for image processing operation",
}
_PROCESSING = {"CodeValue": "110001", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Image Processing"}
_TRANSFORMATION = "PixelValueTransformationSequence"
# What was true of the source's stored values, or of the source alone.
_NOT_DERIVED = (
    *("SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "VOILUTSequence", "ICCProfile"),
    *("RealWorldValueMappingSequence", "IconImageSequence", "DigitalSignaturesSequence", "MACParametersSequence"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PresentationLUTSequence", "PlanarConfiguration", "InstanceCreatorUID", "FrameOfInterestDescription"),
    *("DataSetTrailingPadding", "AcquisitionUID"),
)
_NOT_DERIVED_GROUPS = (_TRANSFORMATION, "RealWorldValueMappingSequence", "DerivationImageSequence")


def what_stays(like: DataSet) -> DataSet:
    """Take over from a source all but what described its pixels.

    Parameters
    ----------
    like : DataSet

    Returns
    -------
    DataSet
        Without the source's transfer syntax.

    Examples
    --------
    >>> what_stays(DataSet(PatientID="1", PixelPaddingValue=0, BitsAllocated=16, PixelRepresentation=0)).PatientID
    '1'
    """
    overlays = [tag for tag in like if 0x6000 <= tag >> 16 <= 0x60FF]
    kept = like.drop(*(keyword for keyword in _NOT_DERIVED if keyword in like), *overlays)
    return DataSet(list(kept.elements()))


def derived_attributes(values: NDArray[Any], like: DataSet, derivation: str, colour: bool) -> dict[str, Any]:
    """Make what is new in an image derived from another: pixels, rescale, Image Type and series.

    Parameters
    ----------
    values : ndarray
        Modality values, of the shape of the source's frames.
    like : DataSet
    derivation : str
    colour : bool
        Whether the last axis holds RGB.

    Returns
    -------
    dict
        By keyword.

    Raises
    ------
    MissingElementError
        If the source lacks what a derived image refers to.
    ValueFormatError
        If images of this kind can't hold such values.

    Examples
    --------
    >>> import numpy as np
    >>> import dicomkit as dk
    >>> source = dk.samples.ct_series(slices=1, size=16)[0]
    >>> made = derived_attributes(np.full((16, 16), 0.5), source, "halved", False)
    >>> made["ImageType"][:2], made["RescaleIntercept"]
    (('DERIVED', 'SECONDARY'), 0.5)
    """
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        if not like.get(keyword):
            raise MissingElementError(f"the source has no {keyword}", hint="a derived image refers to it")
    old = modality_of(like)
    usual = old if isinstance(old, Rescale) else Rescale()
    word = like.get("BitsAllocated", 16) != 8  # CT, MR and others allow 16 bits only
    made = pixel_attributes(values, colour, word=word, rescale=usual, no_intercept=_is_pet(like))
    if not colour:  # the same values mean the same brightness
        made["PhotometricInterpretation"] = (
            "MONOCHROME1" if like.get("PhotometricInterpretation") == "MONOCHROME1" else "MONOCHROME2"
        )
    made |= _rescale_attributes(made, like, usual, colour)
    number = like.get("SeriesNumber")
    kind = [str(part or "") for part in like.all("ImageType")]
    description = derivation or "derived"
    return {keyword: value for keyword, value in made.items() if value is not ...} | {
        "ImageType": ("DERIVED", _second(like), *kind[2:]),
        "SeriesInstanceUID": new_uid(seed=["derived", str(like.SeriesInstanceUID), description]),
        "SeriesNumber": number + 1000 if isinstance(number, int) else None,
        "SeriesDescription": f"{like.get('SeriesDescription') or ''} {description}".strip()[:64],
    }


def _second(like: DataSet) -> str:
    """Value 2 of Image Type: PRIMARY where the IOD wants it (PET; enhanced ones, PS3.3 C.8.16.1.2)."""
    return "PRIMARY" if _is_pet(like) or SHARED in like or PER_FRAME in like else "SECONDARY"


def _is_pet(like: DataSet) -> bool:
    """Whether an image is one of PET that is not enhanced."""
    return bool(like["SOPClassUID"] == uid_of("PositronEmissionTomographyImageStorage"))


def _rescale_attributes(made: dict[str, Any], like: DataSet, usual: Rescale, colour: bool) -> dict[str, Any]:
    """What becomes of slope and intercept: at the top level, in functional groups, or neither (``...``)."""
    neither = {"RescaleSlope": ..., "RescaleIntercept": ...}
    plain = made["RescaleSlope"] == 1 and made["RescaleIntercept"] == 0
    if colour:
        return neither
    if "PresentationIntentType" in like and not plain:  # PS3.3 C.8.11.3: no rescale but the identity
        raise ValueFormatError(
            "values of such an image are integers of up to 16 bits, without a rescale",
            hint="round them, numpy.rint(array).astype(int), or make a secondary capture of them: capture=True",
        )
    groups = (*like.all(SHARED), *like.all(PER_FRAME))
    transformed = any(_TRANSFORMATION in group for group in groups)
    if groups and (transformed or not plain):
        transformation = {
            "RescaleSlope": made["RescaleSlope"],
            "RescaleIntercept": made["RescaleIntercept"],
            "RescaleType": usual.type or "US",
        }
        return neither | _with_transformation(like, transformation)
    if plain and usual == Rescale() and "RescaleSlope" not in like:
        return neither
    return {} if "RescaleType" in like else {"RescaleType": "US"}


def _with_transformation(like: DataSet, transformation: Mapping[str, Any]) -> dict[str, Any]:
    """Functional groups with one transformation of pixel values for all frames."""
    shared = [group.drop(*_present(group, (_TRANSFORMATION,))) for group in like.all(SHARED)] or [DataSet()]
    shared[0] = shared[0].assign({_TRANSFORMATION: [DataSet(transformation)]})
    made: dict[str, Any] = {SHARED: shared}
    if PER_FRAME in like:
        made[PER_FRAME] = [group.drop(*_present(group, (_TRANSFORMATION,))) for group in like.all(PER_FRAME)]
    return made


def _present(group: DataSet, keywords: Iterable[str]) -> list[str]:
    return [keyword for keyword in keywords if keyword in group]


def with_derivation(
    ds: DataSet, like: DataSet, sources: tuple[DataSet, ...], description: str, window: tuple[float, float] | None
) -> DataSet:
    """Say in the functional groups of a derived multi-frame image what its frames were made of.

    Parameters
    ----------
    ds : DataSet
        The derived image, with functional groups.
    like : DataSet
        Its source.
    sources : tuple of DataSet
        What it refers to; where that is ``like``, each frame refers to the same frame of it.
    description : str
    window : tuple of float or None
        Center and width for all frames.

    Returns
    -------
    DataSet
        The same one if it has no functional groups.

    Examples
    --------
    >>> import dicomkit as dk
    >>> source = dk.samples.enhanced_ct(frames=2, size=16)
    >>> ds = with_derivation(source, source, (source,), "copied", None)
    >>> path = ("DerivationImageSequence", 0, "SourceImageSequence", 0, "ReferencedFrameNumber")
    >>> [ds["PerFrameFunctionalGroupsSequence", frame][path] for frame in range(2)]
    [1, 2]
    """
    shared, per_frame = list(ds.all(SHARED)), list(ds.all(PER_FRAME))
    if not shared and not per_frame:
        return ds
    before = [frame_derivations(like, frame) for frame in range(len(per_frame))]
    dropped = _NOT_DERIVED_GROUPS[1:] + (("FrameVOILUTSequence",) if window else ())
    shared = [group.drop(*_present(group, dropped)) for group in shared] or [DataSet()]
    per_frame = [group.drop(*_present(group, dropped)) for group in per_frame]
    if window is not None:
        voi = DataSet(WindowCenter=float(window[0]), WindowWidth=float(window[1]))
        shared[0] = shared[0].assign(FrameVOILUTSequence=[voi])
    if sources:
        for index, group in enumerate(per_frame):
            own = _derivation(sources, like, description, index + 1)
            per_frame[index] = group.assign(DerivationImageSequence=[*before[index], own])
        if not per_frame:
            shared[0] = shared[0].assign(DerivationImageSequence=[_derivation(sources, like, description, None)])
    changes: dict[str, Any] = {SHARED: shared}
    if per_frame:
        changes[PER_FRAME] = per_frame
    if sources:
        changes["SourceImageEvidenceSequence"] = source_evidence(ds, sources)
    return frames_derived(ds.assign(changes))


def frame_derivations(like: DataSet, frame: int) -> tuple[DataSet, ...]:
    """Find the derivations that a frame has been through, its own or the shared ones.

    Parameters
    ----------
    like : DataSet
    frame : int
        From 0.

    Returns
    -------
    tuple of DataSet
        Items of Derivation Image Sequence.

    Examples
    --------
    >>> frame_derivations(DataSet(), 0)
    ()
    """
    per_frame, shared = like.all(PER_FRAME), like.all(SHARED)
    own = per_frame[frame].all("DerivationImageSequence") if frame < len(per_frame) else ()
    return own or (shared[0].all("DerivationImageSequence") if shared else ())


def _derivation(sources: tuple[DataSet, ...], like: DataSet, description: str, frame: int | None) -> DataSet:
    """An item of Derivation Image Sequence (PS3.3 C.7.6.16.2.6)."""
    references = []
    for source in sources:
        reference = image_reference(source)
        if frame is not None and source.get("SOPInstanceUID") == like.get("SOPInstanceUID"):
            reference = reference.assign(ReferencedFrameNumber=frame)
        references.append(reference)
    return DataSet(
        DerivationDescription=description or "derived",
        DerivationCodeSequence=[DataSet(_PROCESSING)],
        SourceImageSequence=references,
    )


def image_reference(ds: DataSet) -> DataSet:
    """Make a reference to a source image.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    DataSet
        An item of Source Image Sequence.

    Raises
    ------
    MissingElementError
        If the source has no SOP Class or Instance UID.

    Examples
    --------
    >>> image_reference(DataSet(SOPClassUID="1.2.3", SOPInstanceUID="2.25.1")).ReferencedSOPInstanceUID
    UID('2.25.1')
    """
    return DataSet(
        ReferencedSOPClassUID=ds["SOPClassUID"],
        ReferencedSOPInstanceUID=ds["SOPInstanceUID"],
        PurposeOfReferenceCodeSequence=[DataSet(_SOURCE_IMAGE)],
    )
