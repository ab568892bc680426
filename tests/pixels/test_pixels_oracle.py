"""Every frame of every real file against decoders that share no code with ours: pydicom's plug-ins, and DCMTK."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from realdata import DATA, manifest, needs_data, peer, real_file

import dicomkit as dk
from dicomkit.errors import PixelError
from dicomkit.pixels.description import describe
from dicomkit.pixels.frames import frame, frame_with_notes, frames

LOSSY = ("50", "51", "53", "55", "81", "91", "203", "112")
FEW = 3

#: What pydicom 3.0.2 can't decode although it is an image, and what it is compared with instead.
NOT_PYDICOM = {
    "JPEG-lossy.dcm": "12-bit JPEG whose stream its plug-ins refuse: DCMTK",
    "MR1_JPLY": "12-bit JPEG whose stream its plug-ins refuse: DCMTK",
    "XA1_JPLY": "12-bit JPEG whose stream its plug-ins refuse: DCMTK",
    "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": "retired progressive JPEG: DCMTK",
    "CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": "retired progressive JPEG: DCMTK",
    "liver_deflate.dcm": "a syntax that it doesn't know: the same image uncompressed",
    "liver_nonbyte_aligned_deflate.dcm": "a syntax that it doesn't know: the same image uncompressed",
    "liver_rle.dcm": "RLE of 1-bit cells, which PS3.5 table 8.2.2-1 allows: the same image uncompressed",
    "liver_nonbyte_aligned_rle.dcm": "RLE of 1-bit cells: the same image uncompressed",
    "will-jxl.dcm": "JPEG XL: the JPEG stream in it",
    "test_slide_coordinates.dcm": "no PlanarConfiguration, which says nothing of compressed pixels: DCMTK's JPEG",
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


def image_files() -> list[str]:
    rows = (row for row in manifest() if row["role"] == "dicom" and row["pixel_crosscheck"].startswith(("ok", "err")))
    return [row["path"] for row in rows if Path(row["path"]).name not in {*NOT_PYDICOM, *BROKEN}]


def some(number_of_frames: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, number_of_frames - 1, FEW)})


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", image_files())
def test_equals_pydicom(path: str) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("pylibjpeg")
    pytest.importorskip("gdcm")
    from pydicom.pixels import pixel_array

    theirs_ds = pydicom.dcmread(real_file(path), force=True)
    ds = dk.read(real_file(path))
    description = describe(ds)
    for index in some(description.number_of_frames):
        ours, theirs = frame(ds, index), pixel_array(theirs_ds, index=index, raw=True)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype.newbyteorder("=")
        assert ours.dtype.isnative
        if description.transfer_syntax_uid.rpartition(".")[2] in LOSSY:
            assert np.abs(ours.astype(np.int64) - theirs).max() <= 1
        else:
            np.testing.assert_array_equal(ours, theirs)


@needs_data
@pytest.mark.parametrize("name", BROKEN)
def test_broken_is_an_error(name: str) -> None:
    path = next(row["path"] for row in manifest() if Path(row["path"]).name == name)
    with pytest.raises(PixelError):
        frame(dk.read(DATA / path))


def find(name: str) -> Path:
    return DATA / next(row["path"] for row in manifest() if Path(row["path"]).name == name)


#: What DCMTK 3.6.7 does not decompress; pydicom or a sibling file stand in.
NOT_DCMTK = {
    "SC_rgb_jpeg.dcm": "its file meta has no group length",
    "JLSL_08_07_0_1F.dcm": "7 bits in a stream that it takes for invalid",
    "liver_rle.dcm": "1-bit RLE",
    "liver_nonbyte_aligned_rle.dcm": "1-bit RLE",
}


def dcmtk_files(*syntaxes: str) -> list[str]:
    rows = (row for row in manifest() if row["role"] == "dicom" and row["pixel_crosscheck"].startswith(("ok", "err")))
    wanted = {f"1.2.840.10008.1.2.{syntax}" for syntax in syntaxes}
    return [
        row["path"] for row in rows if row["ts_uid"] in wanted and Path(row["path"]).name not in {*BROKEN, *NOT_DCMTK}
    ]


COMMANDS = {
    "dcmdjpeg": dcmtk_files("4.50", "4.51", "4.53", "4.55", "4.57", "4.70"),
    "dcmdjpls": dcmtk_files("4.80", "4.81"),
    "dcmdrle": dcmtk_files("5"),
}
OPTIONS = {"dcmdjpeg": ["+cn"]}


@needs_data
@pytest.mark.parametrize(
    ("command", "path"), [(command, path) for command, paths in COMMANDS.items() for path in paths]
)
def test_equals_dcmtk(command: str, path: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.dcm"
    call = [peer(command), "-q", *OPTIONS.get(command, []), str(real_file(path)), str(plain)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    ours, theirs = dk.read(real_file(path)), dk.read(plain)
    tolerance = 1 if describe(ours).transfer_syntax_uid.rpartition(".")[2] in LOSSY else 0
    for index in some(describe(ours).number_of_frames):
        difference = np.abs(frame(ours, index).astype(np.int64) - frame(theirs, index))
        assert difference.max() <= tolerance


#: Encapsulated images that pydicom can't decode, and the same image uncompressed.
SAME = {
    "liver_deflate.dcm": "liver.dcm",
    "liver_rle.dcm": "liver.dcm",
    "liver_nonbyte_aligned_deflate.dcm": "liver_nonbyte_aligned.dcm",
    "liver_nonbyte_aligned_rle.dcm": "liver_nonbyte_aligned.dcm",
    "sample-op.lei": "sample-op.dcm",
}


@needs_data
@pytest.mark.parametrize("name", SAME)
def test_equals_the_same_image(name: str) -> None:
    np.testing.assert_array_equal(frames(dk.read(find(name))), frames(dk.read(find(SAME[name]))))


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


def wg04_files() -> list[str]:
    rows = (row for row in manifest() if "wg04_compsamples/" in row["path"] and "/REF/" not in row["path"])
    return [row["path"] for row in rows if row["ts_uid"].rpartition(".")[2] in ("70", "80", "90", "5")]


@needs_data
@pytest.mark.parametrize("path", wg04_files())
def test_lossless_samples_equal_their_originals(path: str) -> None:
    original = Path(path).parent.parent / "REF" / f"{Path(path).name.rpartition('_')[0]}_UNC"
    np.testing.assert_array_equal(frame(real_file(path)), frame(real_file(str(original))))


@needs_data
def test_table_of_differences_names_every_compressed_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "decoding.md").read_text(encoding="utf-8")
    compressed = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")
    rows = [
        row for row in manifest() if row["ts_uid"].startswith(compressed) and row["pixel_crosscheck"].startswith("ok")
    ]
    missing = {Path(row["path"]).name for row in rows if f"| {Path(row['path']).name} |" not in page}
    assert missing == set(), "run: python tools/make_decoding_table.py DATA > docs/decoding.md"
