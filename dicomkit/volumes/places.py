"""Which attributes a volume is made of, and where each may stand."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from dicomkit.values.tag import Tag
from dicomkit.volumes.mosaic import MOSAIC_TAGS
from dicomkit.volumes.nuclear import NUCLEAR_TAGS


class Fact(NamedTuple):
    """A fact of a frame: how many numbers (0 for a text) and the paths where it may stand, best first."""

    width: int
    places: tuple[tuple[str, ...], ...]


PLACE = {
    "position": Fact(3, (("PlanePositionSequence", "ImagePositionPatient"), ("ImagePositionPatient",))),
    "orientation": Fact(6, (("PlaneOrientationSequence", "ImageOrientationPatient"), ("ImageOrientationPatient",))),
    "spacing": Fact(2, (("PixelMeasuresSequence", "PixelSpacing"), ("PixelSpacing",))),
    "thickness": Fact(1, (("PixelMeasuresSequence", "SliceThickness"), ("SliceThickness",))),
    "between": Fact(1, (("PixelMeasuresSequence", "SpacingBetweenSlices"), ("SpacingBetweenSlices",))),
    "slope": Fact(1, (("PixelValueTransformationSequence", "RescaleSlope"), ("RescaleSlope",), ("DoseGridScaling",))),
    "intercept": Fact(1, (("PixelValueTransformationSequence", "RescaleIntercept"), ("RescaleIntercept",))),
    "rescale_type": Fact(0, (("PixelValueTransformationSequence", "RescaleType"), ("RescaleType",), ("DoseUnits",))),
    "stack": Fact(0, (("FrameContentSequence", "StackID"), ("StackID",))),
    "rows": Fact(1, (("Rows",),)),
    "columns": Fact(1, (("Columns",),)),
    "number": Fact(1, (("InstanceNumber",),)),
    "uid": Fact(0, (("SOPInstanceUID",),)),
    "series": Fact(0, (("SeriesInstanceUID",),)),
    "frame_of_reference": Fact(0, (("FrameOfReferenceUID",),)),
}
"""The facts that every volume needs."""

OWN = ("position", "number", "uid")
"""Those that differ from slice to slice; the others are decoded once for all headers in which their bytes are equal."""

SHARED_BY_SERIES = (
    *(place[0] for name, fact in PLACE.items() if name not in OWN for place in fact.places if len(place) == 1),
    "SpecificCharacterSet",
    "ImageType",
    "NumberOfFrames",
    "GridFrameOffsetVector",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
"""Attributes that, where they are the same in two images without functional groups, make all but the own ones the same,
and the description of the pixels too."""

ORDER = {
    "DiffusionBValue": Fact(1, (("MRDiffusionSequence", "DiffusionBValue"), ("DiffusionBValue",))),
    "DiffusionGradientOrientation": Fact(
        3,
        (
            ("MRDiffusionSequence", "DiffusionGradientDirectionSequence", "DiffusionGradientOrientation"),
            ("DiffusionGradientDirectionSequence", "DiffusionGradientOrientation"),
            ("DiffusionGradientOrientation",),
        ),
    ),
    "ComplexImageComponent": Fact(
        0,
        (
            ("MRImageFrameTypeSequence", "ComplexImageComponent"),
            ("CTImageFrameTypeSequence", "FrameType"),
            ("PETFrameTypeSequence", "FrameType"),
            ("ComplexImageComponent",),
            ("ImageType",),
        ),
    ),
    "EchoTime": Fact(1, (("MREchoSequence", "EffectiveEchoTime"), ("EchoTime",))),
    "InversionTime": Fact(1, (("MRModifierSequence", "InversionTimes"), ("InversionTime",))),
    "FlipAngle": Fact(1, (("MRTimingAndRelatedParametersSequence", "FlipAngle"), ("FlipAngle",))),
    "ReceiveCoilName": Fact(0, (("MRReceiveCoilSequence", "ReceiveCoilName"), ("ReceiveCoilName",))),
    "KVP": Fact(1, (("CTXRayDetailsSequence", "KVP"), ("KVP",))),
    "TemporalPositionIndex": Fact(
        1, (("FrameContentSequence", "TemporalPositionIndex"), ("TemporalPositionIdentifier",))
    ),
    "TriggerTime": Fact(1, (("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"), ("TriggerTime",))),
    "FrameReferenceTime": Fact(1, (("FrameReferenceTime",),)),
    "AcquisitionNumber": Fact(1, (("FrameContentSequence", "FrameAcquisitionNumber"), ("AcquisitionNumber",))),
    "AcquisitionTime": Fact(
        0,
        (
            ("FrameContentSequence", "FrameReferenceDateTime"),
            ("FrameContentSequence", "FrameAcquisitionDateTime"),
            ("AcquisitionDateTime",),
            ("AcquisitionTime",),
        ),
    ),
    "ContentTime": Fact(0, (("ContentTime",),)),
    "EnergyWindowVector": Fact(0, (("EnergyWindowVector",),)),
    "RRIntervalVector": Fact(1, (("RRIntervalVector",),)),
    "NumberOfTemporalPositions": Fact(1, (("NumberOfTemporalPositions",),)),
}
"""The facts by which frames at one place may differ; read only when there are such frames."""

DESCRIPTION = (
    "Modality",
    "SeriesDescription",
    "SeriesNumber",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "Manufacturer",
    "WindowCenter",
    "WindowWidth",
    "PhotometricInterpretation",
    "Units",
    "PixelPaddingValue",
)
"""What is said once for a series, and goes into the attrs of its volume."""

_PIXEL = (
    "SOPClassUID",
    "ImageType",
    "NumberOfFrames",
    "GridFrameOffsetVector",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "SpecificCharacterSet",
    "SamplesPerPixel",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ModalityLUTSequence",
    "RedPaletteColorLookupTableDescriptor",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
)


@cache
def wanted_tags() -> frozenset[Tag]:
    """List the top-level attributes that a volume may need, so that no others are read."""
    top: set[str] = {place[0] for facts in (PLACE, ORDER) for fact in facts.values() for place in fact.places}
    return frozenset(map(Tag, (*MOSAIC_TAGS, *NUCLEAR_TAGS))) | {
        Tag.of(keyword) for keyword in (*top, *DESCRIPTION, *_PIXEL)
    }
