"""Chest radiograph, the same chest seen through: Digital X-Ray Image Storage - For Presentation (PS3.3 A.26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dicomkit.samples import chest
from dicomkit.samples.attributes import code, data_set, instance, moments, patient_and_study, pixels, series
from dicomkit.samples.shapes import aligned_grid, blur

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

FIELD_OF_VIEW = 384.0
TIME = "091240"
_SLAB = 16
_STEP = 4.0


def xray(size: int = 384, *, seed: int = 0, noise: float = 6.0) -> DataSet:
    """Make a postero-anterior chest radiograph by projecting the chest phantom along parallel rays.

    Parameters
    ----------
    size : int
        Rows and columns; pixels are 400 mm / size wide.
    seed : int
        Chooses the patient, the vessels of the lungs, the noise and all UIDs.
    noise : float
        Standard deviation of the noise in stored values.

    Returns
    -------
    DataSet
        Digital X-Ray Image Storage - For Presentation, MONOCHROME1 (the highest value is black), 12 bits stored.

    Examples
    --------
    >>> ds = xray(size=32)
    >>> ds.PhotometricInterpretation, ds.BitsStored
    ('MONOCHROME1', 12)
    """
    attenuation = _projection(size, seed)
    # MONOCHROME1: much light on the detector (little attenuation) gives a high value, shown black.
    stored = 3900 - 3700 * (attenuation / 5.2) ** 0.85
    stored += noise * np.random.default_rng([seed, 4]).standard_normal(stored.shape)
    spacing = round(FIELD_OF_VIEW / size, 6)
    return data_set(
        {
            **patient_and_study(seed, "radiograph", "Chest radiograph", "090500"),
            **series(seed, "DX", 1, "Chest PA", TIME, "CHEST"),
            **instance(seed, "DigitalXRayImageStorageForPresentation", 1, 1, ("DERIVED", "PRIMARY", "")),
            **moments("Content", "Acquisition", time=TIME),
            **pixels(np.clip(np.rint(stored), 0, 4095).astype(np.uint16), 12, "MONOCHROME1"),
            "PresentationIntentType": "FOR PRESENTATION",
            "PatientOrientation": ("L", "F"),
            "ImageLaterality": "U",
            "AnatomicRegionSequence": code("43799004", "SCT", "Chest"),
            "ViewPosition": "PA",
            "ViewCodeSequence": [{**code("399348003", "SCT", "postero-anterior")[0], "ViewModifierCodeSequence": []}],
            "PatientPosition": "",
            "AcquisitionNumber": 1,
            "AcquisitionContextSequence": [],
            "KVP": 120.0,
            "ExposureTime": 8,
            "XRayTubeCurrent": 320,
            "Exposure": 3,
            "ExposureInuAs": 2560,
            "DistanceSourceToDetector": 1800.0,
            "DistanceSourceToPatient": 1550.0,
            "FocalSpots": 1.2,
            "PositionerType": "COLUMN",
            "Grid": ("FIXED", "FOCUSED"),
            "DetectorType": "SCINTILLATOR",
            "DetectorConfiguration": "AREA",
            "DetectorID": "DX-DET-1",
            "FieldOfViewShape": "RECTANGLE",
            "FieldOfViewDimensions": (round(FIELD_OF_VIEW), round(FIELD_OF_VIEW)),
            "FieldOfViewOrigin": (0.0, 0.0),
            "FieldOfViewRotation": 0.0,
            "FieldOfViewHorizontalFlip": "NO",
            "ImagerPixelSpacing": (spacing, spacing),
            "PixelSpacing": (spacing, spacing),
            "PixelSpacingCalibrationType": "GEOMETRY",
            "PixelSpacingCalibrationDescription": "at the detector",
            "ExposureIndex": 410.0,
            "TargetExposureIndex": 400.0,
            "DeviationIndex": 0.1,
            "RelativeXRayExposure": 410,
            "PixelIntensityRelationship": "LOG",
            "PixelIntensityRelationshipSign": 1,
            "RescaleIntercept": 0.0,
            "RescaleSlope": 1.0,
            "RescaleType": "US",
            "PresentationLUTShape": "INVERSE",
            "WindowCenter": 1900.0,
            "WindowWidth": 3400.0,
            "LossyImageCompression": "00",
            "BurnedInAnnotation": "NO",
        }
    )


def _projection(size: int, seed: int) -> NDArray[np.float32]:
    """Integrate attenuation from back to front; row 0 is at the head, column 0 at the right arm."""
    spacing = FIELD_OF_VIEW / size
    x = (np.arange(size) - (size - 1) / 2) * spacing
    z = ((size - 1) / 2 - np.arange(size)) * spacing + 42
    y = np.arange(-114, 116, _STEP)
    image = np.empty((size, size), dtype=np.float32)
    for start in range(0, size, _SLAB):
        grid = aligned_grid(x, y, z[start : start + _SLAB], soft=max(spacing, 2.0))
        hu = chest.hounsfield(grid, seed, table=False)
        # At the energies of a radiograph bone stands out more than its Hounsfield units say.
        hu += np.float32(1.4) * np.clip(hu - 150, 0, None)
        image[start : start + _SLAB] = ((hu + 1000) * np.float32(0.001)).sum(axis=1) * np.float32(0.019 * _STEP)
    return blur(image)
