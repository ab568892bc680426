"""Reconstructed nuclear medicine images: slices along the detector's normal, times of a gated one, as SimpleITK has it.

There is no such file among the real ones, so they are made; the place of each voxel is checked with a peer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicomkit as dk
from dicomkit.errors import GeometryError
from dicomkit.volumes.load import to_volume

ROWS, COLUMNS = 6, 7
PLANES = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0.8, 0.6, 0, 0, 0, -1])


def image(count: int = 5, **changes: Any) -> dk.DataSet:
    """Make a tomogram in which every voxel is different."""
    stored = np.arange(count * ROWS * COLUMNS, dtype=np.uint16)
    place = {"ImagePositionPatient": [-10, 20, 30], "ImageOrientationPatient": PLANES[0]}
    return dk.DataSet(
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.20",
            "SOPInstanceUID": "1.2.3.4",
            "StudyInstanceUID": "1.2",
            "SeriesInstanceUID": "1.2.3",
            "FrameOfReferenceUID": "1.2.9",
            "Modality": "NM",
            "ImageType": ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"],
            "InstanceNumber": 1,
            "NumberOfFrames": count,
            "Rows": ROWS,
            "Columns": COLUMNS,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 0,
            "PixelSpacing": [4.0, 4.5],
            "SliceThickness": 3.0,
            "SpacingBetweenSlices": 3.0,
            "FrameIncrementPointer": [0x00540080],
            "SliceVector": list(range(1, count + 1)),
            "NumberOfSlices": count,
            "DetectorInformationSequence": [place],
            "PixelData": stored.tobytes(),
        },
        **changes,
    )


@pytest.mark.parametrize("orientation", PLANES)
@pytest.mark.parametrize("between", [3.0, -3.0, 2.5])
def test_every_voxel_is_where_simpleitk_has_it(orientation: list[float], between: float, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    place = {"ImagePositionPatient": [-10, 20, 30], "ImageOrientationPatient": orientation}
    dk.write(image(SpacingBetweenSlices=between, DetectorInformationSequence=[place]), tmp_path / "nm.dcm")
    volume = to_volume(tmp_path / "nm.dcm")
    theirs = sitk.ReadImage(str(tmp_path / "nm.dcm"))
    assert volume.dims == ("slice", "row", "column")
    for index in np.ndindex(volume.shape):
        point = volume.dicom.affine @ [*index, 1]
        there = theirs.TransformPhysicalPointToIndex(point[:3])
        assert theirs.GetPixel(there) == volume.values[index]
        assert np.allclose(theirs.TransformIndexToPhysicalPoint(there), point[:3], atol=1e-4)


def test_frames_go_where_the_slice_vector_says() -> None:
    volume = to_volume(image(SliceVector=[3, 1, 2, 5, 4]))
    assert volume.slice.values.tolist() == [30, 33, 36, 39, 42]
    assert (volume.values[:, 0, 0] // (ROWS * COLUMNS)).tolist() == [1, 2, 0, 4, 3]


def test_a_gated_tomogram_has_a_time_for_each_slot() -> None:
    volume = to_volume(
        image(
            6,
            ImageType=["DERIVED", "PRIMARY", "RECON GATED TOMO", "EMISSION"],
            SliceVector=[1, 2, 3, 1, 2, 3],
            TimeSlotVector=[1, 1, 1, 2, 2, 2],
        )
    )
    assert volume.dims == ("time", "slice", "row", "column")
    assert volume.time.values.tolist() == [1, 2]
    assert (volume.values[:, :, 0, 0] // (ROWS * COLUMNS)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_thickness_stands_in_for_the_spacing_and_is_named() -> None:
    volume = to_volume(image().drop("SpacingBetweenSlices", "SliceVector"))
    assert volume.slice.values.tolist() == [30, 33, 36, 39, 42]
    assert "SliceThickness" in " ".join(volume.attrs["assumptions"])


def test_energy_windows_and_intervals_are_dimensions() -> None:
    ds = image(
        8,
        ImageType=["DERIVED", "PRIMARY", "RECON GATED TOMO", "EMISSION"],
        SliceVector=[1, 2] * 4,
        EnergyWindowVector=[1, 1, 1, 1, 2, 2, 2, 2],
        RRIntervalVector=[1, 1, 2, 2] * 2,
        EnergyWindowInformationSequence=[{"EnergyWindowName": "Tc99m"}, {"EnergyWindowName": "I123"}],
    )
    volume = to_volume(ds)
    assert volume.dims == ("energy_window", "rr_interval", "slice", "row", "column")
    assert volume.energy_window.values.tolist() == ["Tc99m", "I123"]
    assert volume.rr_interval.values.tolist() == [1, 2]
    stored = np.arange(8) * ROWS * COLUMNS
    assert volume.values[..., 0, 0].ravel().tolist() == stored.tolist()
    unnamed = to_volume(ds.drop("EnergyWindowInformationSequence"))
    assert unnamed.energy_window.values.tolist() == ["1", "2"]


def test_time_slices_are_a_time() -> None:
    volume = to_volume(image(4, SliceVector=[1, 2, 1, 2], TimeSliceVector=[1, 1, 2, 2]))
    assert volume.dims == ("time", "slice", "row", "column")


def test_projections_say_what_they_are() -> None:
    ds = image(
        4,
        ImageType=["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"],
        EnergyWindowVector=[1, 1, 2, 2],
        DetectorVector=[1, 1, 1, 1],
        AngularViewVector=[1, 2, 1, 2],
        SliceVector=None,
    )
    with pytest.raises(GeometryError, match="type TOMO has projections, here of 2 energy windows, 2 angular views"):
        to_volume(ds)


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]},  # projections
        {"ImageType": ["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"]},
        {"DetectorInformationSequence": []},
        {"DetectorInformationSequence": [{"ImagePositionPatient": [0, 0, 0]}]},
        {"DetectorInformationSequence": [{"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}]},
    ],
)
def test_what_has_no_place_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(
        GeometryError, match=r"place in the patient: .*no Image(Position|Orientation)Patient|that fit together"
    ):
        to_volume(image(**changes))
