"""Affine, slice order and values as dcm2niix, dicom2nifti's ground truth and SimpleITK have them.

Where they differ, the difference is pinned, with its reason.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import DATA, needs_data, peer, real_file

from dicomkit.volumes.export import to_nifti
from dicomkit.volumes.load import to_volume

nibabel = pytest.importorskip("nibabel")

pytestmark = needs_data

REGULAR = [
    "04_enhanced_multiframe/In/Siemens/XA10",
    "05_series_ct/philips_head",
    "06_series_mr/dicom2nifti/ge/anatomical/001",
    "06_series_mr/dicom2nifti/generic/anatomical/002_non_isotropic",
    "06_series_mr/dicom2nifti/generic/rgb/001",
    "06_series_mr/dicom2nifti/hitachi/anatomical/001",
    "06_series_mr/dicom2nifti/philips/anatomical/001",
    "06_series_mr/dicom2nifti/philips/dti/001",
    "06_series_mr/dicom2nifti/philips_enhanced/fmri/001",
    "06_series_mr/dicom2nifti/siemens/anatomical/001",
    "06_series_mr/dicom2nifti/siemens/fmri_classic/001",
    "06_series_mr/ge_nih/mr_0004",
    "06_series_mr/siemens_nih/mr_0003",
    "06_series_mr/siemens_nih/mr_0004",
    "06_series_mr/siemens_nih/mr_0005",
    "06_series_mr/siemens_nih/mr_0006",
    "07_series_irregular/slicecount/001",
]


@cache
def converted(folder: str, out: Path) -> dict[str, Any]:
    """Run dcm2niix on a folder.

    It scales images of Philips by private factors ("precise") unless told to take the standard's rescale attributes
    ("-p n"); with that option it has one scale for all slices of images of others.
    """
    out.mkdir()
    precise = "n" if "Philips" in folder or "philips_enhanced" in folder else "y"
    subprocess.run(
        [peer("dcm2niix"), "-z", "n", "-b", "n", "-p", precise, "-f", "%s_%e_%z", "-o", str(out), str(DATA / folder)],
        check=True,
        capture_output=True,
    )
    images = {path.name: nibabel.load(path) for path in sorted(out.glob("*.nii"))}
    if not images:
        pytest.fail("dcm2niix made no image")
    return images


def values(image: Any) -> np.ndarray:
    data = np.asanyarray(image.dataobj)
    return np.stack([data[c] for c in "RGB"], -1) if data.dtype.names else data


def aligned(ours: Any, theirs: Any, *, tolerance: float = 5e-4) -> np.ndarray:
    """Give our values in the order of theirs: the affines must agree up to turned and flipped axes."""
    matrix = np.linalg.inv(theirs.affine) @ ours.affine
    turn = np.round(matrix[:3, :3])
    assert (np.abs(turn).sum(0) == 1).all(), matrix
    data = values(ours)
    order = [int(np.flatnonzero(turn[axis])[0]) for axis in range(3)]
    data = data.transpose(*order, *range(3, data.ndim))
    for axis in range(3):
        if turn[axis, order[axis]] < 0:
            data = np.flip(data, axis)
    assert data.shape == values(theirs).shape
    # With the axes sorted, every corner must lie at the same point of the patient, to a fraction of a voxel.
    corners = np.array(np.meshgrid(*([0, n - 1] for n in ours.shape[:3]))).reshape(3, -1)
    there = (matrix @ np.vstack([corners, np.ones(corners.shape[1])]))[:3]
    assert np.abs(there - np.round(there)).max() < tolerance, np.abs(there - np.round(there)).max()
    assert there.min() > -0.5
    assert (there.max(1) < np.array(theirs.shape[:3]) - 0.5).all()
    return data


@pytest.mark.parametrize("folder", REGULAR)
def test_as_dcm2niix(folder: str, tmp_path: Path) -> None:
    (theirs,) = converted(folder, tmp_path / "out").values()
    # Two of them state distances that their positions don't quite have, and dcm2niix takes the distances:
    # 3.313 for 3.3125 mm (Philips), 1 for 1.00001 mm (GE). Over the stack that is less than 1/100 of a voxel.
    ours = aligned(to_nifti(to_volume(real_file(folder))), theirs, tolerance=0.01)
    assert np.allclose(ours, values(theirs), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    "folder",
    [f for f in REGULAR if "dicom2nifti" in f or "slicecount" in f],
)
def test_as_the_ground_truth_of_dicom2nifti(folder: str) -> None:
    theirs = nibabel.load(real_file(f"{folder}_ground_truth.nii.gz"))
    ours = aligned(to_nifti(to_volume(real_file(folder))), theirs)
    assert np.allclose(ours, values(theirs), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("name", ["3", "4", "5", "6"])
def test_as_the_reference_of_the_mosaics(name: str) -> None:
    phase = {"3": "AP", "4": "PA", "5": "RL", "6": "LR"}[name]
    theirs = nibabel.load(real_file(f"06_series_mr/nih_reference/EPI_PE={phase}_{name}.nii"))
    ours = aligned(to_nifti(to_volume(real_file(f"06_series_mr/siemens_nih/mr_000{name}"))), theirs)
    assert np.array_equal(ours, values(theirs))


def test_components_are_files_of_their_own_for_dcm2niix(tmp_path: Path) -> None:
    volume = to_volume(real_file("04_enhanced_multiframe/In/Philips"))
    images = list(converted("04_enhanced_multiframe/In/Philips", tmp_path / "out").values())
    assert len(images) == 2
    for k, theirs in enumerate(images):
        assert np.allclose(aligned(to_nifti(volume[k]), theirs), values(theirs), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("number", [0, 1])
def test_stacks_are_files_of_their_own_for_dcm2niix(number: int, tmp_path: Path) -> None:
    folder = "07_series_irregular/sliceorientation/001"
    volume = to_volume(real_file(folder), orientation=number)
    theirs = list(converted(folder, tmp_path / "out").values())[number]
    assert np.array_equal(aligned(to_nifti(volume), theirs), values(theirs))


def test_tilt_is_kept_where_dcm2niix_shortens_the_step(tmp_path: Path) -> None:
    folder = "07_series_irregular/gantrytilting/001"
    images = converted(folder, tmp_path / "out")
    (plain,) = (image for name, image in images.items() if "Tilt" not in name)
    (corrected,) = (image for name, image in images.items() if "Tilt" in name)
    volume = to_volume(real_file(folder), tilt="keep")
    ours = to_nifti(volume)
    # The positions are 5 mm apart, straight along z, and the planes 4.85 mm. dcm2niix's plain image has the direction
    # of the former with the length of the latter, so that its fourth slice is 0.45 mm off; else they agree.
    step, short = ours.affine[:3, 2], plain.affine[:3, 2]
    assert np.allclose(step, [0, 0, 5], atol=1e-4)
    assert np.allclose(short, [0, 0, volume.dicom.geometry.pitch[0]], atol=1e-4)
    mended = plain.affine.copy()
    mended[:3, 2] = step
    assert np.array_equal(aligned(ours, nibabel.Nifti1Image(values(plain), mended)), values(plain))
    # Corrected for the tilt, both have the same axes; dcm2niix has the corner of the image at that of the first slice,
    # and one row more.
    level = to_nifti(to_volume(real_file(folder), tilt="deskew"))
    assert np.allclose(np.abs(level.affine[:3, :3]), np.abs(corrected.affine[:3, :3]), atol=1e-4)
    assert abs(level.shape[1] - corrected.shape[1]) == 1


def test_gaps_are_filled_where_dcm2niix_ignores_or_interpolates_them(tmp_path: Path) -> None:
    folder = "07_series_irregular/sliceincrement/001"
    images = converted(folder, tmp_path / "out")
    plain, even = (images[name] for name in sorted(images, key=lambda name: "Eq" in name))
    # dcm2niix's plain image has the four slices 5 mm apart, which is wrong for the last; its other one is resampled.
    assert plain.shape == (512, 512, 4)
    assert even.shape[2] != 5
    volume = to_volume(real_file(folder), gaps="fill", fill_value=-2000)
    assert volume.sizes["slice"] == 5
    present = to_nifti(volume[[0, 1, 2]])
    assert np.array_equal(
        aligned(present, nibabel.Nifti1Image(values(plain)[:, :, :3], plain.affine)), values(plain)[:, :, :3]
    )
    assert np.array_equal(np.flip(to_nifti(volume[4:]).dataobj[:, :, 0], 1), values(plain)[:, :, 3])


@pytest.mark.parametrize(
    "folder", ["05_series_ct/philips_head/S21570/S2010", "06_series_mr/dicom2nifti/hitachi/anatomical/001"]
)
def test_as_simpleitk(folder: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(real_file(folder)))
    reader.SetFileNames(names)
    image = reader.Execute()
    volume = to_volume(real_file(folder))
    theirs = sitk.GetArrayFromImage(image)
    first = volume.dicom.geometry.indices(image.GetOrigin())
    if round(float(first[0])):
        theirs = theirs[::-1]
    assert np.array_equal(volume, theirs)
    assert np.allclose(image.GetSpacing(), volume.dicom.spacing[::-1], atol=1e-4)
