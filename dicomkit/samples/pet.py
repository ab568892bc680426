"""PET of the same chest with FDG, each slice with its own scale (PS3.3 A.21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dicomkit.samples import chest
from dicomkit.samples.attributes import (
    Attributes,
    code,
    data_set,
    decimals,
    instance,
    later,
    moments,
    patient_and_study,
    pixels,
    plane,
    series,
    uid,
)
from dicomkit.samples.ct import FIELD_OF_VIEW, LENGTH, across, positions
from dicomkit.samples.shapes import Array, Grid, aligned_grid, blur, capsule, ellipsoid, paint, smooth_noise

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

TIME = "110500"
INJECTION = "100500.000000"
DOSE = 2.95e8
HALF_LIFE = 6586.2
POSITRON_FRACTION = 0.967


def pet_series(slices: int = 40, size: int = 96, *, seed: int = 0, noise: float = 0.1) -> tuple[DataSet, ...]:
    """Make an FDG PET of the chest in the frame of reference of `ct_series` with the same seed.

    The heart, the liver and one nodule in the right lung take up the tracer; values are Bq/ml, corrected for decay to
    the start of the series.

    Parameters
    ----------
    slices : int
        Number of slices; they are 200 mm / slices apart.
    size : int
        Rows and columns of a slice; pixels are 384 mm / size wide.
    seed : int
        Chooses the patient, the noise and all UIDs.
    noise : float
        Standard deviation of the noise, relative to the activity.

    Returns
    -------
    tuple of DataSet
        Positron Emission Tomography Image Storage; Units is BQML, and each slice has its own Rescale Slope.

    Examples
    --------
    >>> series = pet_series(slices=3, size=16)
    >>> series[0].Units, series[0].RescaleSlope == series[2].RescaleSlope
    ('BQML', False)
    """
    z = positions(slices)
    activity = _activity(slices, size, seed, noise)
    made = []
    for n in range(slices):
        slope = float(f"{max(float(activity[n].max()), 1.0) / 32767:.9g}")
        stored = np.rint(activity[n] / slope).astype(np.int16)
        place = _place(z[n], slices, size)
        made.append(data_set({**_common(seed, n, slices), **pixels(stored, 16), **place, "RescaleSlope": slope}))
    return tuple(made)


def _activity(slices: int, size: int, seed: int, noise: float) -> NDArray[np.float32]:
    """Compute Bq/ml: uptake of tissues as multiples of the mean concentration, blurred like a scanner does."""
    x, z = across(size), positions(slices)
    grid = aligned_grid(x, x, z, soft=max(FIELD_OF_VIEW / size, 4.0))
    hu = chest.hounsfield(grid, seed, table=False)
    units, multiples = (-1000, -900, -600, -100, 30, 60, 200, 500), (0, 0.25, 0.4, 0.35, 0.7, 1.0, 1.5, 0.9)
    uptake: Array = np.interp(hu, units, multiples).astype(np.float32)
    _paint_uptake(uptake, grid)
    uptake = blur(blur(uptake, 1 + size // 96), 1, axes=(0,))
    rng = np.random.default_rng([seed, 3])
    grain = smooth_noise(rng, uptake.shape, 2)
    weight = float(patient_and_study(seed, "chest", "", TIME)["PatientWeight"])
    per_gram = DOSE * 0.5 ** (3600 / HALF_LIFE) / (weight * 1000)
    activity = np.clip(uptake * (1 + noise * grain) + 0.02 * np.abs(grain), 0, None) * per_gram
    return np.asarray(activity, dtype=np.float32)


def _paint_uptake(uptake: Array, grid: Grid) -> None:
    """Paint what takes up more than its density tells: liver, wall of the left ventricle, nodule, a lymph node."""
    inside = np.clip(uptake * 4, 0, 1)
    paint(uptake, ellipsoid(grid, (-42, -4, -105), (84, 74, 66), 2.3) * (uptake > 0.9), 2.3)
    wall = ellipsoid(grid, (44, -28, -36), (34, 27, 43), turn=28.0)
    cavity = ellipsoid(grid, (44, -28, -36), (24, 17, 33), turn=28.0)
    paint(uptake, np.clip(wall - cavity, 0, 1) * inside, 5.5)
    centre, radius = chest.NODULE
    paint(uptake, capsule(grid, centre, centre, radius), 11.0)
    paint(uptake, capsule(grid, (-14, 16, 30), (-16, 14, 38), 6.0), 7.0)


def _place(z: float, slices: int, size: int) -> Attributes:
    corner = across(size)[0]
    return {
        **plane(np.array([corner, corner, z]), np.array([1, 0, 0]), np.array([0, 1, 0])),
        "SliceLocation": decimals([z])[0],
        "SliceThickness": decimals([LENGTH / slices])[0],
        "PixelSpacing": decimals([FIELD_OF_VIEW / size] * 2),
    }


def _common(seed: int, index: int, slices: int) -> Attributes:
    time = later(TIME, 0)
    return {
        **patient_and_study(seed, "chest", "CT and PET of the chest", "100800"),
        **series(seed, "PT", 4, "Chest FDG, attenuation corrected", time, "CHEST"),
        **instance(seed, "PositronEmissionTomographyImageStorage", 4, index + 1, ("ORIGINAL", "PRIMARY")),
        **moments("Content", "Acquisition", time=time),
        "FrameOfReferenceUID": uid(seed, "chest", "frame of reference"),
        "PositionReferenceIndicator": "SN",
        "PatientOrientationCodeSequence": [
            {
                **code("102538003", "SCT", "recumbent")[0],
                "PatientOrientationModifierCodeSequence": code("40199007", "SCT", "supine"),
            }
        ],
        "PatientGantryRelationshipCodeSequence": code("102540008", "SCT", "headfirst"),
        "ImageIndex": index + 1,
        "NumberOfSlices": slices,
        "SeriesType": ("WHOLE BODY", "IMAGE"),
        "Units": "BQML",
        "CountsSource": "EMISSION",
        "CorrectedImage": ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"),
        "DecayCorrection": "START",
        "CollimatorType": "NONE",
        "RandomsCorrectionMethod": "DLYD",
        "AttenuationCorrectionMethod": "CT based",
        "ScatterCorrectionMethod": "model based",
        "ReconstructionMethod": "OSEM",
        "ConvolutionKernel": "GAUSS5",
        "EnergyWindowRangeSequence": [{"EnergyWindowLowerLimit": 435.0, "EnergyWindowUpperLimit": 650.0}],
        "RadiopharmaceuticalInformationSequence": [
            {
                "Radiopharmaceutical": "Fluorodeoxyglucose F^18^",
                "RadiopharmaceuticalRoute": "Intravenous route",
                "RadiopharmaceuticalStartTime": INJECTION,
                "RadiopharmaceuticalStartDateTime": f"20240517{INJECTION}",
                "RadionuclideTotalDose": DOSE,
                "RadionuclideHalfLife": HALF_LIFE,
                "RadionuclidePositronFraction": POSITRON_FRACTION,
                "RadionuclideCodeSequence": code("77004003", "SCT", "^18^Fluorine"),
                "RadiopharmaceuticalCodeSequence": code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
            }
        ],
        "AcquisitionStartCondition": "MANU",
        "AcquisitionTerminationCondition": "TIME",
        "FieldOfViewShape": "CYLINDRICAL RING",
        "FieldOfViewDimensions": (600, 200),
        "ReconstructionDiameter": FIELD_OF_VIEW,
        "ActualFrameDuration": 180000,
        "FrameReferenceTime": 88292.7,
        "DecayFactor": 1.0093,
        "DoseCalibrationFactor": 1.0,
        "ScatterFractionFactor": 0.34,
        "RescaleIntercept": 0.0,
        "WindowCenter": 8000.0,
        "WindowWidth": 16000.0,
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
    }
