"""Native frames of every real file against pydicom (compressed ones: test_pixels_decoding_table.py), and odd files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from realdata import DATA, manifest, needs_data, real_file

import dicomkit as dk
from dicomkit.errors import PixelError
from dicomkit.pixels.description import describe
from dicomkit.pixels.frames import frame, frame_with_notes, frames

COMPRESSED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8")
FEW = 3

#: What pydicom 3.0.2 can't decode although it is an image, and what it is compared with instead.
NOT_PYDICOM = {
    "OT-PAL-8-face.dcm": "no file meta: read as implicit VR little-endian",
    "sample-op.lei": "no file meta: the same image with one",
    "badVR.dcm": "NumberOfFrames '1A': its only frame",
}

#: What nobody can decode, and why that is right.
BROKEN = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "image width 0xDDE00100 in the codestream",
    "MR_truncated.dcm": "62 bytes are missing",
    "nested_priv_SQ.dcm": "Rows, Columns and more are missing",
    "meta_missing_tsyntax.dcm": "Rows, Columns and more are missing",
}


def native_files() -> list[str]:
    rows = (row for row in manifest() if row["role"] == "dicom" and row["pixel_crosscheck"].startswith(("ok", "err")))
    rows = (row for row in rows if not row["ts_uid"].startswith(COMPRESSED))
    return [row["path"] for row in rows if Path(row["path"]).name not in {*NOT_PYDICOM, *BROKEN}]


def some(number_of_frames: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, number_of_frames - 1, FEW)})


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", native_files())
def test_equals_pydicom(path: str) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.pixels import pixel_array

    theirs_ds = pydicom.dcmread(real_file(path), force=True)
    ds = dk.read(real_file(path))
    description = describe(ds)
    for index in some(description.number_of_frames):
        ours, theirs = frame(ds, index), pixel_array(theirs_ds, index=index, raw=True)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype.newbyteorder("=")
        assert ours.dtype.isnative
        np.testing.assert_array_equal(ours, theirs)


@needs_data
@pytest.mark.parametrize("name", BROKEN)
def test_broken_is_an_error(name: str) -> None:
    path = next(row["path"] for row in manifest() if Path(row["path"]).name == name)
    with pytest.raises(PixelError):
        frame(dk.read(DATA / path))


def find(name: str) -> Path:
    return DATA / next(row["path"] for row in manifest() if Path(row["path"]).name == name)


@needs_data
def test_implicit_without_file_meta_equals_the_same_image() -> None:
    np.testing.assert_array_equal(frames(dk.read(find("sample-op.lei"))), frames(dk.read(find("sample-op.dcm"))))


@needs_data
def test_pixel_data_without_its_end_has_all_its_frames() -> None:
    cut, whole = dk.read(find("emri_small_jpeg_2k_lossless_too_short.dcm")), dk.read(find("emri_small.dcm"))
    np.testing.assert_array_equal(frames(cut, workers=2), frames(whole))


@needs_data
def test_recompressed_jpeg_equals_its_jpeg() -> None:
    pydicom = pytest.importorskip("pydicom")
    imagecodecs = pytest.importorskip("imagecodecs")
    from pydicom.encaps import encapsulate
    from pydicom.pixels import pixel_array

    path = find("will-jxl.dcm")
    ds, theirs = dk.read(path), pydicom.dcmread(path)
    theirs.PixelData = encapsulate([bytes(imagecodecs.jpegxl_decode_jpeg(bytes(ds.PixelData.parts[5])))])
    theirs.NumberOfFrames = 1
    theirs.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    difference = frame(ds, 5).astype(np.int64) - pixel_array(theirs, raw=True)
    assert np.abs(difference).max() <= 1


@needs_data
def test_lies_of_real_files_are_noted() -> None:
    noted = frame_with_notes(dk.read(find("badVR.dcm")))
    assert noted.array.shape == (10, 10)
    assert noted.notes == ("NumberOfFrames '1A': taken as 1",)
    assert frame_with_notes(dk.read(find("example.dcm"))).notes[0].startswith("the stream is JFIF")
    assert "lossy process" in frame_with_notes(DATA / "19_other_iod/ophthalmic/sample-op.dcm").notes[-1]
    assert "JP2 file" in frame_with_notes(dk.read(find("GDCMJ2K_TextGBR.dcm"))).notes[0]
    assert frame(dk.read(find("OT-PAL-8-face.dcm"))).shape == (480, 640)
