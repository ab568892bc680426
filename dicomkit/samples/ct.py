"""CT of the chest as a classic series: one CT Image Storage instance per slice (PS3.3 A.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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
from dicomkit.samples.shapes import Grid, aligned_grid, smooth_noise

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

FIELD_OF_VIEW = 384.0
LENGTH = 200.0
TIME = "101530"
_SLAB = 32


def ct_series(slices: int = 40, size: int = 128, *, seed: int = 0, noise: float = 14.0) -> tuple[DataSet, ...]:
    """Make a CT of a chest with contrast medium, 384 mm wide and 200 mm long, from head to foot.

    Parameters
    ----------
    slices : int
        Number of slices; they are 200 mm / slices apart.
    size : int
        Rows and columns of a slice; pixels are 384 mm / size wide.
    seed : int
        Chooses the patient, the vessels of the lungs, the noise and all UIDs.
    noise : float
        Standard deviation of the noise in HU.

    Returns
    -------
    tuple of DataSet
        CT Image Storage; stored values are int16, HU = stored value - 1024.

    Examples
    --------
    >>> series = ct_series(slices=3, size=16)
    >>> [ds.InstanceNumber for ds in series], series[0].RescaleIntercept
    ([1, 2, 3], -1024.0)
    """
    images = (np.rint(slab).astype(np.int16) + np.int16(1024) for slab in hounsfield_slices(slices, size, seed, noise))
    return tuple(data_set(_slice(image, n, slices, size, seed)) for n, image in enumerate(images))


def positions(slices: int, length: float = LENGTH) -> NDArray[Any]:
    """Give the z of each slice in mm, from head to foot."""
    return ((slices - 1) / 2 - np.arange(slices)) * (length / slices)


def across(size: int, field_of_view: float = FIELD_OF_VIEW) -> NDArray[Any]:
    """Give the x (and y) of the pixel centres in mm."""
    return (np.arange(size) - (size - 1) / 2) * (field_of_view / size)


def hounsfield_slices(slices: int, size: int, seed: int, noise: float) -> Iterator[NDArray[np.float32]]:
    """Compute slice after slice, so many at a time that a long series needs little memory."""
    rng = np.random.default_rng([seed, 1])
    x, z = across(size), positions(slices)
    for start in range(0, slices, _SLAB):
        # The chest is painted from foot to head (ascending axes), and handed out from head to foot.
        grid: Grid = aligned_grid(x, x, z[start : start + _SLAB], soft=FIELD_OF_VIEW / size)
        values = chest.hounsfield(grid, seed)
        values += np.float32(noise) * smooth_noise(rng, values.shape, 1)
        yield from np.clip(values, -1024, 3071)


def _slice(stored: NDArray[np.int16], index: int, slices: int, size: int, seed: int) -> Attributes:
    x, z = across(size), positions(slices)
    spacing, thickness = FIELD_OF_VIEW / size, LENGTH / slices
    time = later(TIME, 0.35 * index)
    return {
        **patient_and_study(seed, "chest", "CT and PET of the chest", "100800"),
        **series(seed, "CT", 3, "Chest with contrast", TIME, "CHEST"),
        **instance(seed, "CTImageStorage", 3, index + 1, ("ORIGINAL", "PRIMARY", "AXIAL")),
        **moments("Content", "Acquisition", time=time),
        **plane(np.array([x[0], x[0], z[index]]), np.array([1, 0, 0]), np.array([0, 1, 0])),
        **pixels(stored, 16),
        "InstanceCreationDate": "20240517",
        "InstanceCreationTime": time,
        "FrameOfReferenceUID": uid(seed, "chest", "frame of reference"),
        "PositionReferenceIndicator": "SN",
        "PatientPosition": "HFS",
        "AcquisitionNumber": 1,
        "SliceLocation": decimals([z[index]])[0],
        "SliceThickness": decimals([thickness])[0],
        "PixelSpacing": decimals([spacing, spacing]),
        "ContrastBolusAgent": "Iohexol",
        "ContrastBolusRoute": "INTRAVENOUS",
        "ContrastBolusVolume": 80.0,
        "ScanOptions": "HELICAL MODE",
        "KVP": 120.0,
        "DataCollectionDiameter": 500.0,
        "ReconstructionDiameter": FIELD_OF_VIEW,
        "DistanceSourceToDetector": 1085.6,
        "DistanceSourceToPatient": 595.0,
        "GantryDetectorTilt": 0.0,
        "TableHeight": 152.0,
        "RotationDirection": "CW",
        "ExposureTime": 500,
        "XRayTubeCurrent": 260,
        "Exposure": 130,
        "FilterType": "BODY FILTER",
        "GeneratorPower": 31200,
        "FocalSpots": 1.2,
        "ConvolutionKernel": "STANDARD",
        "RevolutionTime": 0.5,
        "SingleCollimationWidth": 0.625,
        "TotalCollimationWidth": 40.0,
        "TableSpeed": 110.0,
        "SpiralPitchFactor": 1.375,
        "CTDIvol": 8.4,
        "CTDIPhantomTypeCodeSequence": code("113691", "DCM", "IEC Body Dosimetry Phantom"),
        "RescaleIntercept": -1024.0,
        "RescaleSlope": 1.0,
        "RescaleType": "HU",
        "WindowCenter": (40.0, -550.0),
        "WindowWidth": (400.0, 1500.0),
        "WindowCenterWidthExplanation": ("SOFT_TISSUE", "LUNG"),
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
    }
