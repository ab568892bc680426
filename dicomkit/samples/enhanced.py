"""The CT of the chest as one Enhanced CT Image Storage instance, a frame per slice (PS3.3 A.38)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.samples.attributes import (
    STUDY_DATE,
    Attributes,
    code,
    data_set,
    decimals,
    instance,
    later,
    patient_and_study,
    pixels,
    series,
    uid,
)
from dicomkit.samples.ct import FIELD_OF_VIEW, LENGTH, TIME, across, hounsfield_slices, positions

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_STACK_ID = 0x00209056
_IN_STACK_POSITION_NUMBER = 0x00209057
_FRAME_CONTENT_SEQUENCE = 0x00209111


def enhanced_ct(frames: int = 40, size: int = 128, *, seed: int = 0, noise: float = 14.0) -> DataSet:
    """Make the chest of `ct_series` as one enhanced multi-frame image, with shared and per-frame functional groups.

    Parameters
    ----------
    frames : int
        Number of frames; they are 200 mm / frames apart, from head to foot.
    size : int
        Rows and columns of a frame; pixels are 384 mm / size wide.
    seed : int
        Chooses the patient, the vessels of the lungs, the noise and all UIDs.
    noise : float
        Standard deviation of the noise in HU.

    Returns
    -------
    DataSet
        Enhanced CT Image Storage; stored values are int16, HU = stored value - 1024.

    Examples
    --------
    >>> ds = enhanced_ct(frames=3, size=16)
    >>> ds.NumberOfFrames, len(ds.PerFrameFunctionalGroupsSequence)
    (3, 3)
    """
    stored = np.empty((frames, size, size), dtype=np.int16)
    for n, image in enumerate(hounsfield_slices(frames, size, seed, noise)):
        stored[n] = np.rint(image).astype(np.int16) + np.int16(1024)
    z = positions(frames)
    organization = uid(seed, "enhanced", "dimensions")
    pointers = (_STACK_ID, _IN_STACK_POSITION_NUMBER)
    return data_set(
        {
            **patient_and_study(seed, "chest", "CT and PET of the chest", "100800"),
            **series(seed, "CT", 5, "Chest with contrast, enhanced", TIME, "CHEST"),
            **instance(seed, "EnhancedCTImageStorage", 5, 1, ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")),
            **pixels(stored, 16),
            "ContentDate": STUDY_DATE,
            "ContentTime": later(TIME, 30),
            "AcquisitionDateTime": f"{STUDY_DATE}{TIME}",
            "AcquisitionDuration": 12.0,
            "NumberOfFrames": frames,
            "FrameOfReferenceUID": uid(seed, "chest", "frame of reference"),
            "PositionReferenceIndicator": "",
            "PatientPosition": "HFS",
            "ContentQualification": "RESEARCH",
            "AcquisitionNumber": 1,
            "PixelPresentation": "MONOCHROME",
            "VolumetricProperties": "VOLUME",
            "VolumeBasedCalculationTechnique": "NONE",
            "PresentationLUTShape": "IDENTITY",
            "LossyImageCompression": "00",
            "BurnedInAnnotation": "NO",
            "ImageComments": "Phantom",
            "AcquisitionContextSequence": [],
            "MultienergyCTAcquisition": "NO",
            "ContrastBolusAgentSequence": [_contrast()],
            "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
            "DimensionOrganizationType": "3D",
            "DimensionIndexSequence": [
                {
                    "DimensionOrganizationUID": organization,
                    "DimensionIndexPointer": pointer,
                    "FunctionalGroupPointer": _FRAME_CONTENT_SEQUENCE,
                    "DimensionDescriptionLabel": label,
                }
                for pointer, label in zip(pointers, ("Stack ID", "In-Stack Position Number"), strict=True)
            ],
            "SharedFunctionalGroupsSequence": [_shared(seed, frames, size)],
            "PerFrameFunctionalGroupsSequence": [_per_frame(n, z, across(size)[0]) for n in range(frames)],
        }
    )


def _contrast() -> Attributes:
    return {
        **code("109219002", "SCT", "Iohexol")[0],
        "ContrastBolusAgentNumber": 1,
        "ContrastBolusAdministrationRouteSequence": code("47625008", "SCT", "Intravenous route"),
        "ContrastBolusIngredientCodeSequence": code("44588005", "SCT", "Iodine"),
        "ContrastBolusVolume": 80.0,
        "ContrastBolusIngredientConcentration": 300.0,
    }


def _shared(seed: int, frames: int, size: int) -> Attributes:
    """Give the functional groups that are the same for all frames."""
    frame_type = {
        "FrameType": ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"),
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
    }
    windows = {
        "WindowCenter": (40.0, -550.0),
        "WindowWidth": (400.0, 1500.0),
        "WindowCenterWidthExplanation": ("SOFT_TISSUE", "LUNG"),
    }
    return {
        "PixelMeasuresSequence": [
            {
                "PixelSpacing": decimals([FIELD_OF_VIEW / size] * 2),
                "SliceThickness": decimals([LENGTH / frames])[0],
                "SpacingBetweenSlices": decimals([LENGTH / frames])[0],
            }
        ],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)}],
        "FrameAnatomySequence": [
            {"FrameLaterality": "U", "AnatomicRegionSequence": code("43799004", "SCT", "Chest")}
        ],
        "PixelValueTransformationSequence": [
            {"RescaleIntercept": -1024.0, "RescaleSlope": 1.0, "RescaleType": "HU"}
        ],
        "FrameVOILUTSequence": [windows],
        "CTImageFrameTypeSequence": [frame_type],
        "CTAcquisitionTypeSequence": [
            {"AcquisitionType": "SPIRAL", "ConstantVolumeFlag": "NO", "FluoroscopyFlag": "NO"}
        ],
        "CTAcquisitionDetailsSequence": [
            {
                "RotationDirection": "CW",
                "RevolutionTime": 0.5,
                "SingleCollimationWidth": 0.625,
                "TotalCollimationWidth": 40.0,
                "TableHeight": 152.0,
                "GantryDetectorTilt": 0.0,
                "DataCollectionDiameter": 500.0,
            }
        ],
        "CTTableDynamicsSequence": [
            {"TableSpeed": 110.0, "TableFeedPerRotation": 55.0, "SpiralPitchFactor": 1.375}
        ],
        "CTGeometrySequence": [
            {"DistanceSourceToDetector": 1085.6, "DistanceSourceToDataCollectionCenter": 595.0}
        ],
        "CTReconstructionSequence": [
            {
                "ReconstructionAlgorithm": "FILTER_BACK_PROJ",
                "ConvolutionKernel": "STANDARD",
                "ConvolutionKernelGroup": "GENERAL",
                "ReconstructionDiameter": FIELD_OF_VIEW,
                "ReconstructionPixelSpacing": decimals([FIELD_OF_VIEW / size] * 2),
                "ReconstructionAngle": 360.0,
                "ImageFilter": "STANDARD",
            }
        ],
        "CTExposureSequence": [
            {
                "ExposureTimeInms": 500.0,
                "XRayTubeCurrentInmA": 260.0,
                "ExposureInmAs": 130.0,
                "ExposureModulationType": "NONE",
                "CTDIvol": 8.4,
                "CTDIPhantomTypeCodeSequence": code("113691", "DCM", "IEC Body Dosimetry Phantom"),
            }
        ],
        "CTXRayDetailsSequence": [
            {"KVP": 120.0, "FocalSpots": 1.2, "FilterType": "WEDGE", "FilterMaterial": "ALUMINUM",
             "CalciumScoringMassFactorPatient": 0.8}
        ],
        "ContrastBolusUsageSequence": [
            {
                "ContrastBolusAgentNumber": 1,
                "ContrastBolusAgentAdministered": "YES",
                "ContrastBolusAgentDetected": "YES",
                "ContrastBolusAgentPhase": "POST_CONTRAST",
            }
        ],
        "IrradiationEventIdentificationSequence": [{"IrradiationEventUID": uid(seed, "enhanced", "irradiation")}],
    }  # fmt: skip


def _per_frame(index: int, z: NDArray[Any], corner: float) -> Attributes:
    """Give the functional groups of one frame."""
    moment = f"{STUDY_DATE}{later(TIME, 0.35 * index)}"
    return {
        "FrameContentSequence": [
            {
                "FrameAcquisitionNumber": 1,
                "FrameReferenceDateTime": moment,
                "FrameAcquisitionDateTime": moment,
                "FrameAcquisitionDuration": 500.0,
                "StackID": "1",
                "InStackPositionNumber": index + 1,
                "DimensionIndexValues": (1, index + 1),
            }
        ],
        "PlanePositionSequence": [{"ImagePositionPatient": decimals([corner, corner, z[index]])}],
        "CTPositionSequence": [
            {
                "TablePosition": decimals([z[index]])[0],
                "DataCollectionCenterPatient": decimals([0, 0, z[index]]),
                "ReconstructionTargetCenterPatient": decimals([0, 0, z[index]]),
            }
        ],
    }
