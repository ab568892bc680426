"""Frames that are cut short are errors that name the frame, never pictures with a grey area at the bottom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from realdata import manifest, needs_data, real_file

import dicomkit as dk
from dicomkit.errors import DicomError, PixelError
from dicomkit.pixels.frames import frame, frame_with_notes
from dicomkit.pixels.stored_frames import encoded_frame
from dicomkit.values.fragments import Fragments

CUTS = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 0.995)
COMPRESSED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1")

PREFIX = "1.2.840.10008.1.2.4."


#: Compressed files without a frame that can be decoded: of an absurd width, and without pixel data.
NO_FRAME = ("JPEG2000-embedded-sequence-delimiter.dcm", "UN_sequence.dcm")


def compressed_files() -> list[str]:
    return [row["path"] for row in manifest() if row["ts_uid"].startswith(COMPRESSED) and not broken(row)]


def broken(row: dict[str, str]) -> bool:
    return row["path"].endswith(NO_FRAME)


def with_data(ds: dk.DataSet, data: bytes) -> dk.DataSet:
    """The same image with one frame, whose bytes are ``data``."""
    return ds.assign(PixelData=Fragments.of([data]), NumberOfFrames=1)


@needs_data
@pytest.mark.parametrize("path", compressed_files())
def test_cut_at_ten_places(path: str) -> None:
    ds = dk.read(real_file(path))
    whole, data = frame(ds), encoded_frame(ds)
    for part in CUTS:
        with pytest.raises(PixelError, match="frame 0: ") as caught:
            frame(with_data(ds, data[: min(int(len(data) * part), len(data) - 6)]))
        assert caught.value.frame == 0
    for missing in range(1, 6):  # perhaps nothing but padding and the end marker: then the frame is whole
        try:
            decoded = frame_with_notes(with_data(ds, data[:-missing]))
        except PixelError:
            continue
        np.testing.assert_array_equal(decoded.array, whole)


@needs_data
@pytest.mark.parametrize("path", compressed_files())
def test_file_cut_at_ten_places(path: str) -> None:
    """As a download that broke off: each frame is the one of the whole file, or an error."""
    data = Path(real_file(path)).read_bytes()
    ds = dk.read(data)
    last = min(ds.get("NumberOfFrames") or 1, len(ds.PixelData.parts)) - 1
    whole, there = frame(ds, last), 0
    for part in CUTS:
        try:
            found = frame(dk.read(data[: int(len(data) * part)]), last)
        except DicomError:
            continue
        np.testing.assert_array_equal(found, whole)
        there += 1
    assert there <= 1  # with what is behind the pixel data, or nothing but an end marker, missing


#: Encodings that have an end marker; RLE, deflate and JPEG XL have none: their own structure tells where they end.
MARKED = ("50", "51", "53", "55", "57", "70", "80", "81", "90", "91", "201", "203")


def marked_files() -> list[str]:
    """The smallest real files of each encoding that has an end marker, and has it."""
    chosen: list[str] = []
    for part in MARKED:
        rows = [row for row in manifest() if row["ts_uid"] == f"{PREFIX}{part}" and row["pixel_crosscheck"]]
        whole = [
            row
            for row in rows
            if not broken(row) and b"\xff\xd9" in encoded_frame(dk.read(real_file(row["path"])))[-8:]
        ]
        chosen += [row["path"] for row in sorted(whole, key=lambda row: int(row["size"]))[:3]]
    return chosen


def check_without_end(ds: dk.DataSet) -> None:
    data = encoded_frame(ds)
    end = data.rindex(b"\xff\xd9")
    for short in (data[:end], data[: end + 1]):
        decoded = frame_with_notes(with_data(ds, short), 0)
        assert any("no end marker" in note for note in decoded.notes)
        np.testing.assert_array_equal(decoded.array, frame(ds))
    with pytest.raises(PixelError, match=r"cut short|broken"):
        frame(with_data(ds, data[: end - 40]))


@needs_data
def test_missing_end_marker_is_mended_and_noted() -> None:
    files = marked_files()
    assert {dk.read(real_file(path)).transfer_syntax.uid[len(PREFIX) :] for path in files} == set(MARKED)
    for path in files:
        check_without_end(dk.read(real_file(path)))


@pytest.mark.parametrize("part", ["50", "51", "57", "70", "80", "81", "90", "91", "201", "202", "203"])
def test_missing_end_marker_of_what_was_encoded(part: str) -> None:
    pytest.importorskip("imagecodecs")
    y, x = np.mgrid[:40, :50]
    ds = dk.DataSet(
        {"Rows": 40, "Columns": 50, "SamplesPerPixel": 1, "BitsAllocated": 8, "PixelRepresentation": 0},
        PhotometricInterpretation="MONOCHROME2",
        PixelData=((x * 7 + y * y) % 251).astype(np.uint8).tobytes(),
    )
    check_without_end(dk.transcode(ds, f"{PREFIX}{part}", lossy=part in ("50", "51", "81", "91", "203")))


def test_native_too_short_names_the_frame() -> None:
    ds = dk.DataSet(
        {"Rows": 4, "Columns": 4, "NumberOfFrames": 3, "BitsAllocated": 16, "PixelData": bytes(2 * 32 + 30)},
        PhotometricInterpretation="MONOCHROME2",
    )
    assert frame(ds, 1).shape == (4, 4)
    with pytest.raises(PixelError, match=r"frame 2: cut short: it needs bytes 64 to 96, the value has 94") as caught:
        frame(ds, 2)
    assert caught.value.frame == 2


@needs_data
def test_native_file_cut_short() -> None:
    with pytest.raises(PixelError, match="frame 0: cut short"):
        frame(dk.read(real_file("01_pydicom_core/MR_truncated.dcm")))
