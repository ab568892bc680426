"""MR of the head, tilted like a planned scan: one MR Image Storage instance per slice and echo (PS3.3 A.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.samples import head
from dicomkit.samples.attributes import (
    Attributes,
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
from dicomkit.samples.shapes import blur, oblique_grid

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

FIELD_OF_VIEW = 240.0
LENGTH = 132.0
CENTRE = (2.0, 3.0, 6.0)
TIME = "142210"


def mr_series(
    slices: int = 24,
    size: int = 160,
    *,
    repetition_time: float = 550.0,
    echo_times: Sequence[float] = (12.0,),
    tilt: tuple[float, float] = (14.0, 6.0),
    seed: int = 0,
    noise: float = 16.0,
) -> tuple[DataSet, ...]:
    """Make a spin-echo MR of a head with oblique slices, 240 mm wide and 132 mm high, from foot to head.

    Parameters
    ----------
    slices : int
        Number of slices; they are 132 mm / slices apart and a tenth of that is a gap.
    size : int
        Rows and columns of a slice; pixels are 240 mm / size wide.
    repetition_time : float
        In ms: 550 with an echo time of 12 makes a T1-weighted image, 4500 with 100 a T2-weighted one.
    echo_times : sequence of float
        In ms; each gives one more image of every slice.
    tilt : tuple of float
        Degrees by which the slices are turned about the x axis (nodding) and then about z.
    seed : int
        Chooses the patient, the folds of the brain, the noise and all UIDs.
    noise : float
        Standard deviation of the noise; the brightest tissue is near 1000.

    Returns
    -------
    tuple of DataSet
        MR Image Storage, 12 bits stored; all echoes of a slice follow each other.

    Examples
    --------
    >>> series = mr_series(slices=2, size=16, echo_times=(20.0, 80.0))
    >>> [(ds.InstanceNumber, ds.EchoTime) for ds in series]
    [(1, 20.0), (2, 80.0), (3, 20.0), (4, 80.0)]
    """
    turn = _rotation(tilt)
    row, column, normal = turn[:, 0], turn[:, 1], turn[:, 2]
    spacing, gap = FIELD_OF_VIEW / size, LENGTH / slices
    steps = np.stack([normal * gap, column * spacing, row * spacing])
    first = np.asarray(CENTRE) - steps.T @ (np.array([slices - 1, size - 1, size - 1]) / 2)
    tissue = head.relaxation(oblique_grid(first, steps, (slices, size, size), spacing), seed)
    rng = np.random.default_rng([seed, 2])
    shading = _shading(slices, size)
    images = [_image(head.spin_echo(*tissue, repetition_time, te), shading, noise, rng) for te in echo_times]
    made = []
    for n in range(slices):
        for echo, echo_time in enumerate(echo_times):
            made.append(
                data_set(
                    {
                        **_common(seed, n * len(echo_times) + echo, repetition_time, echo_time, len(echo_times)),
                        **plane(first + n * steps[0], row, column),
                        **pixels(images[echo][n], 12),
                        "EchoNumbers": echo + 1,
                        "SliceLocation": decimals([(first + n * steps[0]) @ normal])[0],
                        "SliceThickness": decimals([gap * 0.9])[0],
                        "SpacingBetweenSlices": decimals([gap])[0],
                        "PixelSpacing": decimals([spacing, spacing]),
                        "AcquisitionMatrix": (0, size, size, 0),
                    }
                )
            )
    return tuple(made)


def _rotation(tilt: tuple[float, float]) -> NDArray[Any]:
    """Directions of row, column and normal as the columns of a matrix."""
    (ca, cb), (sa, sb) = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    nod = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    turn = np.array([[cb, -sb, 0], [sb, cb, 0], [0, 0, 1]])
    product: NDArray[Any] = turn @ nod
    return product


def _shading(slices: int, size: int) -> NDArray[Any]:
    """Sensitivity of the coil: brighter in front and to one side."""
    z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1 : 1 : size * 1j, -1 : 1 : size * 1j]
    field: NDArray[Any] = 1 + 0.12 * np.cos(1.4 * (x - 0.3)) - 0.1 * y - 0.06 * z**2
    return field


def _image(signal: NDArray[Any], shading: NDArray[Any], noise: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Scale the signal to about 1000, add the noise of both channels, and take the magnitude."""
    real = signal * shading
    real *= 1000 / max(float(np.percentile(real, 99.7)), 1e-6)
    real = blur(real.astype(np.float32))
    real += noise * rng.standard_normal(signal.shape)
    imaginary = noise * rng.standard_normal(signal.shape)
    return np.clip(np.rint(np.hypot(real, imaginary)), 0, 4095).astype(np.uint16)


def _common(seed: int, index: int, repetition_time: float, echo_time: float, echoes: int) -> Attributes:
    weighting = "T1" if repetition_time < 1500 else "T2"
    number = 2 if weighting == "T1" else 3
    time = later(TIME, 1.2 * index)
    return {
        **patient_and_study(seed, "head", "MR of the head", "141500"),
        **series(seed, "MR", number, f"{weighting} spin echo axial", TIME, "HEAD"),
        **instance(seed, "MRImageStorage", (number, echoes), index + 1, ("ORIGINAL", "PRIMARY", "OTHER")),
        **moments("Content", "Acquisition", time=time),
        "FrameOfReferenceUID": uid(seed, "head", "frame of reference"),
        "PositionReferenceIndicator": "",
        "PatientPosition": "HFS",
        "AcquisitionNumber": 1,
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "SequenceName": "se2d",
        "AngioFlag": "N",
        "RepetitionTime": repetition_time,
        "EchoTime": echo_time,
        "EchoTrainLength": 1,
        "NumberOfAverages": 1.0,
        "ImagingFrequency": 63.87,
        "ImagedNucleus": "1H",
        "MagneticFieldStrength": 1.5,
        "NumberOfPhaseEncodingSteps": 160,
        "PercentSampling": 100.0,
        "PercentPhaseFieldOfView": 100.0,
        "PixelBandwidth": 130.0,
        "ReceiveCoilName": "HEAD 12",
        "InPlanePhaseEncodingDirection": "ROW",
        "FlipAngle": 90.0,
        "VariableFlipAngleFlag": "N",
        "SAR": 0.42,
        "WindowCenter": 480.0,
        "WindowWidth": 960.0,
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
    }
