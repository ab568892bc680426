"""Values and types of volumes: rescaling, unused bits, colour, mosaics, what is read and how."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_series import along_z, made_series, ramp
from realdata import DATA, needs_data, real_file

import dicomkit as dk
from dicomkit.errors import DicomError, GeometryError, PixelError
from dicomkit.volumes.load import to_volume, to_volumes
from dicomkit.volumes.mosaic import csa_numbers

HU = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}


def volume_of(pixels: np.ndarray, **attributes: Any) -> Any:
    options = {k: attributes.pop(k) for k in ("dtype", "rescale", "chunks") if k in attributes}
    return to_volume(made_series(pixels, along_z(range(len(pixels))), **attributes), **options)


def test_whole_rescaling_stays_int16() -> None:
    stored = ramp(2, 3, 4, dtype=np.uint16) + 1000
    volume = volume_of(stored, BitsStored=12, HighBit=11, **HU)
    assert volume.dtype == np.int16
    assert np.array_equal(volume, stored.astype(int) - 1024)
    assert volume.attrs["units"] == "HU"
    assert volume.name == "CT"


def test_values_that_int16_cant_hold_become_float32() -> None:
    stored = np.array([[[0, 100]], [[-32768, 32767]]], np.int16)
    volume = volume_of(stored, **HU)
    assert volume.dtype == np.float32
    assert np.array_equal(volume, stored.astype(int) - 1024)
    unsigned = np.array([[[0, 33792]], [[0, 33791]]], np.uint16)
    assert volume_of(unsigned, **HU).dtype == np.float32
    assert np.array_equal(volume_of(unsigned, **HU), unsigned.astype(int) - 1024)
    fits = np.array([[[0, 33791]], [[0, 33791]]], np.uint16)
    assert volume_of(fits, **HU).dtype == np.int16
    assert volume_of(fits, **HU).max() == 32767


def test_fractions_become_float32() -> None:
    stored = ramp(2, 3, 4, dtype=np.uint16)
    volume = volume_of(stored, RescaleSlope=0.5, RescaleIntercept=0.25, Modality="MR")
    assert volume.dtype == np.float32
    assert np.array_equal(volume, stored * 0.5 + 0.25)
    assert "units" not in volume.attrs


def test_each_slice_has_its_own_scale() -> None:
    stored = ramp(3, 2, 2, dtype=np.uint16)
    per_slice = [{"RescaleSlope": s, "RescaleIntercept": i} for s, i in [(1, 0), (2, 1), (0.5, -3)]]
    volume = to_volume(made_series(stored, along_z([0, 1, 2]), per_slice=per_slice, Modality="PT", Units="BQML"))
    assert np.array_equal(volume, stored * np.array([1, 2, 0.5])[:, None, None] + np.array([0, 1, -3])[:, None, None])
    assert volume.attrs["units"] == "Bq/ml"


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_without_rescaling_the_stored_type_is_kept(dtype: Any) -> None:
    stored = ramp(2, 3, 4, dtype=dtype)
    volume = volume_of(stored)
    assert volume.dtype == dtype
    assert np.array_equal(volume, stored)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int16"])
def test_the_type_that_is_asked_for(dtype: str) -> None:
    stored = ramp(2, 3, 4, dtype=np.uint16)
    volume = volume_of(stored, dtype=dtype, **HU)
    assert volume.dtype == dtype
    assert np.array_equal(volume, stored.astype(int) - 1024)
    assert np.array_equal(volume_of(stored, dtype=dtype, rescale=False, **HU), stored)


def test_a_type_that_cant_hold_the_values_is_refused() -> None:
    with pytest.raises(PixelError, match="whole numbers"):
        volume_of(ramp(2, 3, 4), dtype="int16", RescaleSlope=0.5, RescaleIntercept=0)
    with pytest.raises(PixelError, match="don't fit int16"):
        volume_of(ramp(2, 3, 4) - 32000, dtype="int16", **HU)
    with pytest.raises(PixelError, match="don't fit int32"):
        volume_of(ramp(2, 3, 4), dtype="int32", RescaleSlope=1e300, RescaleIntercept=0)
    with pytest.raises(PixelError, match="don't fit uint16"):
        volume_of(ramp(2, 3, 4), dtype="uint16", **HU)
    assert volume_of(ramp(2, 3, 4) + 2000, dtype="uint16", **HU).values[0, 0, 0] == 976
    with pytest.raises(PixelError, match="don't fit uint8"):
        volume_of(ramp(2, 3, 4) * 100, dtype="uint8")


def test_unused_bits_dont_count() -> None:
    stored = ramp(2, 3, 4, dtype=np.uint16)
    assert np.array_equal(volume_of(stored | 0xF000, BitsStored=12, HighBit=11), stored)
    signed = np.array([[[-5, 5]], [[-2048, 2047]]], np.int16)
    junk = (signed & 0x0FFF) | 0x1000  # an overlay bit above the sign
    assert np.array_equal(volume_of(junk.astype(np.int16), BitsStored=12, HighBit=11, **HU), signed - 1024)
    high = (stored << 4) | 3
    assert np.array_equal(volume_of(high, BitsStored=12, HighBit=15), stored)


def test_a_frame_cut_short_is_named(tmp_path: Path) -> None:
    images = made_series(ramp(3, 8, 8), along_z([0, 1, 2]))
    images[1] = images[1].assign(PixelData=images[1].PixelData[:100])
    with pytest.raises(PixelError, match=r"frame 0: .*100"):
        to_volume(images)


def test_colour_has_a_last_dimension() -> None:
    rgb = ramp(2, 3, 4, 3, dtype=np.uint8)
    images = made_series(
        rgb, along_z([0, 1]), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0
    )
    volume = to_volume(images)
    assert volume.dims == ("slice", "row", "column", "sample")
    assert volume["sample"].values.tolist() == ["red", "green", "blue"]
    assert np.array_equal(volume, rgb)
    mixed = [images[0], made_series(ramp(2, 3, 4, dtype=np.uint8), along_z([0, 1]))[1]]
    with pytest.raises(PixelError, match="some in colour"):
        to_volume(mixed)


def test_a_modality_table() -> None:
    table = {
        "LUTDescriptor": [4, 0, 16],
        "LUTData": np.array([0, 10, 40, 90], np.uint16).tobytes(),
        "ModalityLUTType": "US",
    }
    stored = np.array([[[0, 1], [2, 3]]] * 2, np.uint16)
    volume = volume_of(stored, ModalityLUTSequence=[table])
    assert volume[0].values.tolist() == [[0, 10], [40, 90]]


def test_sources_of_every_kind(tmp_path: Path) -> None:
    images = made_series(ramp(3, 2, 2), along_z([0, 1, 2]))
    folder = tmp_path / "a folder with spaces, ä"
    folder.mkdir()
    pydicom = pytest.importorskip("pydicom")
    paths = []
    for k, ds in enumerate(images):
        path = folder / f"{9 - k}.dcm"
        write_with_pydicom(pydicom, ds, path)
        paths.append(path)
    (folder / "notes.txt").write_text("no image")
    expected = to_volume(images)
    with zipfile.ZipFile(tmp_path / "ä.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"in it/{path.name}")
    for source in (
        folder,
        str(folder),
        folder / "*.dcm",
        tmp_path / "ä.zip",
        paths,
        map(str, paths),
        iter(images),
        pd.DataFrame({"path": list(map(str, paths))}),
    ):
        found = to_volume(source)
        assert np.array_equal(found, expected)
        assert found["slice"].values.tolist() == [0, 1, 2]
    volumes = to_volumes(folder)
    assert list(volumes) == ["1.2.3"]
    assert volumes.rejected["path"].str.contains("notes.txt").any()
    with pytest.raises(DicomError):
        to_volume([*paths, folder / "notes.txt"])
    with pytest.raises(DicomError, match="path"):
        to_volume(pd.DataFrame({"file": paths}))


def write_with_pydicom(pydicom: Any, ds: dk.DataSet, path: Path) -> None:
    """Write a data set with pydicom, so that reading is tested and not writing."""
    made = pydicom.Dataset()
    for element in ds.elements():
        value = element.value
        setattr(made, element.keyword, list(value) if isinstance(value, tuple) else value)
    made["PixelData"].VR = "OW"
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    made.save_as(path, enforce_file_format=True)


@needs_data
def test_compressed_slices_are_decoded() -> None:
    volume = to_volume(real_file("06_series_mr/dicom2nifti/generic/rgb/001"))
    assert volume.sizes == {"slice": 4, "row": 77, "column": 52, "sample": 3}


@needs_data
def test_frames_of_enhanced_images_have_their_own_scale() -> None:
    volume = to_volume(real_file("04_enhanced_multiframe/In/Philips/IM_0027_fMAP.dcm"))
    assert volume.dims == ("component", "slice", "row", "column")
    assert volume["component"].values.tolist() == ["MAGNITUDE", "REAL"]
    assert volume["EchoTime"].values.tolist() == [1.52, 0.0]
    assert volume["FrameNumber"].values[1].tolist() == list(range(33, 65))
    stored = dk.frames(dk.read(real_file("04_enhanced_multiframe/In/Philips/IM_0027_fMAP.dcm")))
    assert np.allclose(volume[0], stored[:32] * np.float32(1.27985347985347), rtol=1e-6)
    assert np.allclose(volume[1], stored[32:] * np.float32(0.24420024420024) - 500, atol=1e-3)


@needs_data
def test_a_volume_of_several_files_of_frames() -> None:
    volume = to_volume(real_file("04_enhanced_multiframe/In/Siemens/XA10"))
    assert volume.sizes == {"time": 4, "slice": 6, "row": 64, "column": 64}
    assert (volume["FrameNumber"] == volume["FrameNumber"][0]).all()


@needs_data
def test_a_mosaic_is_cut_into_its_slices() -> None:
    folder = real_file("06_series_mr/siemens_nih/mr_0005")
    volume = to_volume(folder)
    assert volume.sizes == {"time": 2, "slice": 5, "row": 72, "column": 72}
    assert any("mosaic" in note for note in volume.attrs["assumptions"])
    sheet = dk.frame(dk.read(folder / "epi_pe_rl-00001.dcm"))
    assert np.array_equal(volume[0, 3], sheet[72:144, :72])
    private_only = [
        dk.read(path).drop(0x00291010) for path in sorted(folder.glob("*.dcm"))
    ]  # without the CSA header the number of tiles is in another private element
    assert np.array_equal(to_volume(private_only), volume)


def test_csa_headers_are_read_without_trust() -> None:
    assert csa_numbers(b"") == {}
    assert csa_numbers(b"SV10\4\3\2\1" + b"\xff" * 100) == {}
    assert csa_numbers(b"SV10\4\3\2\1" + b"\xff" * 8 + b"a" * 84 + b"\xff" * 5) == {}


@needs_data
def test_to_volumes_takes_a_whole_collection() -> None:
    volumes = to_volumes(DATA / "06_series_mr" / "dicom2nifti" / "siemens")
    assert sorted(len(v.dims) for v in volumes.values()) == [3, 4]
    assert len(volumes.rejected) == 4  # NIfTI files
    assert repr(volumes) == "<Volumes: 2 series, 4 rejected>"


def test_several_series_are_told_by_name() -> None:
    made = dk.samples.ct_series(slices=2, size=8)
    others = [ds.assign(SeriesInstanceUID=f"1.2.{k}", SeriesDescription="") for k in range(8) for ds in made[:1]]
    with pytest.raises(GeometryError, match=r"there are 9 series") as caught:
        to_volume([*made, *others])
    text = str(caught.value)
    assert f"{made[0].SeriesInstanceUID} (CT, Chest with contrast, 2 frames)" in text
    assert "1.2.0 (CT, 1 frame)" in text
    assert "and 3 more" in text
    assert len(caught.value.table) == 9
