"""An enhanced multi-frame image as the headers of single-frame ones, for what is made of it slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.standard.attributes import attribute
from dicomkit.standard.modules import iod_of, module
from dicomkit.standard.uids import uid_of

_CLASSIC: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("EnhancedCTImageStorage", "LegacyConvertedEnhancedCTImageStorage"), "CTImageStorage"),
        **dict.fromkeys(("EnhancedMRImageStorage", "LegacyConvertedEnhancedMRImageStorage"), "MRImageStorage"),
    }
)
# Attributes of functional groups, and those that say the same of a single-frame image.
_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "EffectiveEchoTime": "EchoTime",
        "ExposureInmAs": "Exposure",
        "ExposureTimeInms": "ExposureTime",
        "FrameAcquisitionNumber": "AcquisitionNumber",
        "FrameType": "ImageType",
        "TemporalPositionIndex": "TemporalPositionIdentifier",
        "XRayTubeCurrentInmA": "XRayTubeCurrent",
    }
)
# Of both kinds of image, but not what describes the one in hand.
_NOT_TAKEN = frozenset(("NumberOfFrames", "PixelData", "SOPInstanceUID", "FrameType"))
# Outside of the IODs of single-frame images (Standard Extended SOP Class), and worth keeping.
_EXTRA = frozenset(("DiffusionBValue", "DiffusionGradientOrientation", "ComplexImageComponent", "RescaleSlope"))
_MODALITY = frozenset(("RescaleSlope", "RescaleIntercept", "RescaleType"))


def is_enhanced(ds: DataSet) -> bool:
    """Tell whether an image keeps what differs from frame to frame in functional groups.

    Examples
    --------
    >>> is_enhanced(DataSet(Rows=2))
    False
    """
    return PER_FRAME in ds


def classic_frames(ds: DataSet) -> tuple[DataSet, ...]:
    """Give the header of each frame of an enhanced image as that of a single-frame image, without pixels.

    What a frame's functional groups say, or the shared ones, stands at the top level; what the single-frame IOD has no
    place for is left out. Enhanced CT and MR become CT and MR images, all others secondary captures.

    Returns
    -------
    tuple of DataSet
        In the order of the frames. Their SOP Instance UID is that of the enhanced image.

    Examples
    --------
    >>> import dicomkit as dk
    >>> first = classic_frames(dk.samples.enhanced_ct(frames=2, size=8))[0]
    >>> first.SOPClassUID.name, first.RescaleIntercept, len(first.ImagePositionPatient)
    ('CT Image Storage', -1024.0, 3)
    """
    target = _target(str(ds.get("SOPClassUID") or ""))
    allowed = _attributes(target)
    top = {element.tag: element for element in ds.elements() if element.tag in allowed}
    shared = dict(_flat(ds.all(SHARED)[:1], allowed))
    return tuple(
        _finished(DataSet(top | shared | dict(_flat((groups,), allowed))), ds, target) for groups in ds.all(PER_FRAME)
    )


def _target(sop_class: str) -> str:
    for enhanced, classic in _CLASSIC.items():
        if sop_class == uid_of(enhanced):
            return uid_of(classic) or ""
    return uid_of("SecondaryCaptureImageStorage") or ""


@cache
def _attributes(sop_class: str) -> frozenset[int]:
    """The attributes of an image's IOD."""
    iod = iod_of(sop_class)
    modules = [module(use.module) for use in iod.modules] if iod is not None else []
    tags = {use.tag for found in modules if found is not None for use in found.attributes}
    known = {tag: attribute(tag) for tag in tags}
    return frozenset(tag for tag, one in known.items() if one is not None and one.keyword not in _NOT_TAKEN)


def _flat(groups: tuple[DataSet, ...], allowed: frozenset[int]) -> Iterator[tuple[int, Element]]:
    """Yield the elements of the items of functional groups, under the names that they have in single-frame images."""
    for group in groups:
        for sequence in group.elements():
            items = sequence.value if sequence.vr == "SQ" and isinstance(sequence.value, tuple) else ()
            for item in items[:1]:
                yield from _of_item(item, allowed)


def _of_item(item: DataSet, allowed: frozenset[int]) -> Iterator[tuple[int, Element]]:
    for element in item.elements():
        keyword = element.keyword
        if renamed := _RENAMED.get(keyword):
            made = _renamed(element, renamed)
            if made is not None:
                yield made.tag, made
        elif keyword in _EXTRA or keyword in _MODALITY or element.tag in allowed:
            yield element.tag, element
        elif element.vr == "SQ" and keyword == "DiffusionGradientDirectionSequence":
            for inner in element.value or ():
                yield from _of_item(inner, allowed)


def _renamed(element: Element, keyword: str) -> Element | None:
    value = element.value
    if keyword in ("Exposure", "ExposureTime", "XRayTubeCurrent"):  # IS, where the other is FD
        value = round(value) if isinstance(value, float) else None
    return Element.of(keyword, value) if value is not None else None


def _finished(made: DataSet, ds: DataSet, target: str) -> DataSet:
    """Add what the single-frame IOD asks for and enhanced images tell in other words."""
    kind = [str(part) for part in made.all("ImageType")]
    changes: dict[str, Any] = {"SOPClassUID": target, "SOPInstanceUID": ds.get("SOPInstanceUID"), "InstanceNumber": 1}
    if target == uid_of("CTImageStorage"):
        changes["ImageType"] = (*kind[:2], "LOCALIZER" if "LOCALIZER" in kind else "AXIAL")
    elif target == uid_of("MRImageStorage"):
        changes |= {"ImageType": (*kind[:2], "OTHER"), **_mr_sequence(ds, inverted=bool(made.get("InversionTime")))}
        if made.get("InPlanePhaseEncodingDirection") == "COLUMN":
            changes["InPlanePhaseEncodingDirection"] = "COL"
        made = made if made.get("InversionTime") else made.drop("InversionTime")
    else:
        changes["ConversionType"] = "WSD"
    agents = made.all("ContrastBolusAgentSequence")
    if agents and "ContrastBolusAgent" not in made:
        changes["ContrastBolusAgent"] = str(agents[0].get("CodeMeaning") or "")[:64] or None
    return made.assign(changes)


def _mr_sequence(ds: DataSet, *, inverted: bool) -> dict[str, Any]:
    """Scanning Sequence and Sequence Variant of an MR image, from the pulse sequence of an enhanced one."""
    pulse = {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}.get(str(ds.get("EchoPulseSequence")), ())
    echo = ("EP",) if ds.get("EchoPlanarPulseSequence") == "YES" else ()
    steady = ("SS",) if str(ds.get("SteadyStatePulseSequence") or "NONE") != "NONE" else ()
    spoiled = ("SP",) if str(ds.get("Spoiling") or "NONE") != "NONE" else ()
    inversion = ("IR",) if inverted else ()
    return {
        "ScanningSequence": (pulse + inversion + echo) or "RM",
        "SequenceVariant": (steady + spoiled) or "NONE",
        "ScanOptions": ds.get("ScanOptions"),
        "MRAcquisitionType": ds.get("MRAcquisitionType"),
        "EchoTrainLength": ds.get("EchoTrainLength"),
    }
