"""Sample series: deterministic, legal, with the geometry and the values that their documentation promises."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import peer

from dicomkit import samples
from dicomkit.dataset.dataset import DataSet

MAKERS: dict[str, Callable[[int], tuple[DataSet, ...]]] = {
    "ct": lambda seed: samples.ct_series(slices=5, size=32, seed=seed),
    "mr": lambda seed: samples.mr_series(slices=3, size=32, echo_times=(20.0, 80.0), seed=seed),
    "pet": lambda seed: samples.pet_series(slices=5, size=32, seed=seed),
    "enhanced": lambda seed: (samples.enhanced_ct(frames=5, size=32, seed=seed),),
    "ultrasound": lambda seed: (samples.ultrasound_cine(frames=3, rows=48, columns=64, seed=seed),),
    "xray": lambda seed: (samples.xray(size=32, seed=seed),),
}


@cache
def made(name: str, seed: int = 0) -> tuple[DataSet, ...]:
    return MAKERS[name](seed)


@cache
def chest() -> tuple[DataSet, ...]:
    return samples.ct_series(slices=40, size=96)


def stored(ds: DataSet) -> np.ndarray[Any, Any]:
    kind = "i" if ds.PixelRepresentation else "u"
    shape = [ds.get("NumberOfFrames") or 1, ds.Rows, ds.Columns, ds.SamplesPerPixel]
    return np.frombuffer(bytes(ds.PixelData), f"<{kind}{ds.BitsAllocated // 8}").reshape(shape).squeeze()


def hounsfield(series: tuple[DataSet, ...]) -> np.ndarray[Any, Any]:
    return np.stack([stored(ds) * ds.RescaleSlope + ds.RescaleIntercept for ds in series])


@pytest.mark.parametrize("name", MAKERS)
def test_same_seed_same_everything(name: str) -> None:
    again = MAKERS[name](0)
    assert again == made(name)
    assert [bytes(ds.PixelData) for ds in again] == [bytes(ds.PixelData) for ds in made(name)]


@pytest.mark.parametrize("name", MAKERS)
def test_another_seed_is_another_patient_with_other_pixels(name: str) -> None:
    one, other = made(name)[0], made(name, 1)[0]
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert one[keyword] != other[keyword]
    assert bytes(one.PixelData) != bytes(other.PixelData)


@pytest.mark.parametrize("name", MAKERS)
def test_pixel_data_has_the_length_that_the_header_tells(name: str) -> None:
    for ds in made(name):
        frames = ds.get("NumberOfFrames") or 1
        assert len(bytes(ds.PixelData)) == frames * ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8
        assert stored(ds).max() < 2**ds.BitsStored
        assert stored(ds).std() > 0
        assert len(ds) >= 60


def test_instance_uids_are_unique_across_all_series_of_a_patient() -> None:
    everything = [ds for name in MAKERS for ds in made(name)]
    assert len({ds.SOPInstanceUID for ds in everything}) == len(everything)
    assert len({ds.SeriesInstanceUID for ds in everything}) == len(MAKERS)
    assert {ds.PatientID for ds in everything} == {"SAMPLE-0000"}


def test_ct_runs_from_head_to_foot_in_even_steps() -> None:
    z = [ds.ImagePositionPatient[2] for ds in chest()]
    assert np.allclose(np.diff(z), -5.0)
    assert {ds.SliceThickness for ds in chest()} == {5.0}
    assert {ds.PixelSpacing for ds in chest()} == {(4.0, 4.0)}
    assert chest()[0].ImageOrientationPatient == (1, 0, 0, 0, 1, 0)


def test_ct_shows_air_lung_blood_and_bone_where_they_belong() -> None:
    hu = hounsfield(chest())
    middle = hu[20]
    assert abs(middle[:8, :8].mean() + 1000) < 15
    assert -900 < np.median(middle[48, 66:70]) < -780, "left lung beside the heart"
    assert 30 < hu[25, 40:44, 52:56].mean() < 260, "heart"
    assert hu[:, 57:68, 42:54].max() > 350, "vertebrae"
    assert 8 < middle[:8, :8].std() < 20


def test_lungs_of_ct_have_the_volume_of_lungs() -> None:
    hu = hounsfield(chest())
    body = hu[:, 20:74, 10:86]
    litres = ((body > -920) & (body < -650)).sum() * 4 * 4 * 5 / 1e6
    assert 2 < litres < 5


def test_noise_is_an_argument() -> None:
    quiet = hounsfield(samples.ct_series(slices=2, size=32, noise=0.0))
    assert quiet[0, :4, :4].std() == 0


def test_a_long_series_equals_its_short_parts_in_anatomy() -> None:
    long = hounsfield(samples.ct_series(slices=80, size=24, noise=0.0))
    assert np.abs(np.diff(long, axis=0)).mean() < 60, "no seam between the slabs that are painted together"


def test_mr_is_oblique_and_each_echo_is_an_image_of_the_same_slice() -> None:
    series = made("mr")
    row, column = np.array(series[0].ImageOrientationPatient).reshape(2, 3)
    assert np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-5)
    normal = np.cross(row, column)
    assert 0.9 < normal[2] < 0.99
    places = np.array([ds.ImagePositionPatient for ds in series])
    assert np.allclose(places[0::2], places[1::2])
    assert np.allclose(np.diff(places[0::2], axis=0), normal * series[0].SpacingBetweenSlices, atol=1e-4)
    assert [ds.EchoTime for ds in series[:2]] == [20.0, 80.0]


def test_longer_echo_makes_fluid_the_brightest_tissue() -> None:
    t1 = stored(samples.mr_series(slices=12, size=64)[6])
    t2 = stored(samples.mr_series(slices=12, size=64, repetition_time=4500.0, echo_times=(100.0,))[6])
    brain, fluid = np.s_[30:34, 14:20], np.unravel_index(np.argmax(t2), t2.shape)
    assert t2[fluid] > 2 * np.median(t2[brain])
    assert t1[fluid] < np.median(t1[brain])


def test_pet_shares_study_and_frame_of_reference_with_ct_and_scales_each_slice() -> None:
    pet, ct = made("pet"), made("ct")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert pet[0][keyword] == ct[0][keyword]
    assert len({ds.RescaleSlope for ds in pet}) == len(pet)
    assert {int(stored(ds).max()) for ds in pet} == {32767}


def test_nodule_of_the_lung_takes_up_tracer_and_is_solid_on_ct() -> None:
    pet = samples.pet_series(slices=40, size=96)
    n = int(np.argmin([abs(ds.ImagePositionPatient[2] - 22) for ds in pet]))
    activity = hounsfield(pet)
    row, column = round(47.5 + 8 / 4), round(47.5 - 78 / 4)
    weight, dose = pet[0].PatientWeight * 1000, pet[0].RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
    suv = activity[n, row, column] * weight / (dose * 0.5 ** (3600 / 6586.2))
    assert 4 < suv < 14
    assert hounsfield(chest())[n, row, column] > -100


def test_enhanced_ct_has_the_pixels_and_positions_of_the_classic_series() -> None:
    (ds,), classic = made("enhanced"), made("ct")
    assert np.array_equal(stored(ds), np.stack([stored(one) for one in classic]))
    groups = ds.PerFrameFunctionalGroupsSequence
    positions = [group["PlanePositionSequence", 0, "ImagePositionPatient"] for group in groups]
    assert positions == [one.ImagePositionPatient for one in classic]
    assert [group["FrameContentSequence", 0, "DimensionIndexValues"] for group in groups] == [
        (1, n + 1) for n in range(5)
    ]


def test_ultrasound_moves_and_has_colour() -> None:
    cine = stored(samples.ultrasound_cine(frames=8, rows=96, columns=128)).astype(int)
    assert (np.abs(np.diff(cine, axis=0)).mean(axis=(1, 2, 3)) > 0.5).all()
    red_minus_blue = cine[..., 0] - cine[..., 2]
    assert (red_minus_blue[6, :80] > 80).any(), "inflow in red"
    assert (red_minus_blue[1, :80] < -80).any(), "outflow in blue"


def test_ultrasound_without_colour_is_grey_in_the_sector() -> None:
    cine = stored(samples.ultrasound_cine(frames=2, rows=48, columns=64, colour=False)).astype(int)
    assert np.ptp(cine[:, :36], axis=-1).max() == 0


def test_radiograph_is_monochrome1_with_air_high_and_spine_low() -> None:
    image = stored(samples.xray(size=96)).astype(int)
    assert image[48, :2].mean() > image[48, 22:28].mean() > image[48, 47:49].mean()


def test_files_are_named_by_modality_series_and_number(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    paths = samples.write_series(made("mr"), tmp_path / "new folder")
    assert [path.name for path in paths] == [f"MR-002-{n:04d}.dcm" for n in range(1, 7)]
    for path, ds in zip(paths, made("mr"), strict=True):
        read = pydicom.dcmread(path)
        assert read.SOPInstanceUID == ds.SOPInstanceUID
        assert read.PixelData == bytes(ds.PixelData)
        assert read.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("name", MAKERS)
def test_is_a_legal_instance(name: str, tmp_path: Path) -> None:
    checker = peer("dciodvfy")
    path = samples.write_series(made(name)[-1:], tmp_path)[0]
    done = subprocess.run([checker, "-new", str(path)], capture_output=True, text=True, check=False)
    report = (done.stdout + done.stderr).splitlines()
    assert report, "dciodvfy names the IOD that it found"
    assert [line for line in report if line.startswith(("Error", "Warning"))] == []
