"""One frame is read without touching the others, from any source, by any number of threads."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from realdata import manifest, needs_data, real_file

import dicomkit as dk
from dicomkit.errors import PixelError, SourceError
from dicomkit.pixels.description import describe
from dicomkit.pixels.frames import frame, frame_of_bytes, frames, iter_frames
from dicomkit.pixels.stored_frames import encoded_frame, native_slices
from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments


class CountingSource:
    """A source in memory that remembers what was asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self.data[offset : offset + length]


def test_a_native_frame_reads_only_its_bytes() -> None:
    values = np.arange(50 * 6, dtype=np.uint16).reshape(50, 2, 3)
    source = CountingSource(values.tobytes())
    ds = dk.DataSet(
        {"Rows": 2, "Columns": 3, "NumberOfFrames": 50, "BitsAllocated": 16},
        PhotometricInterpretation="MONOCHROME2",
        PixelData=Bulk(source, 0, source.size),
    )
    np.testing.assert_array_equal(frame(ds, 17), values[17])
    assert source.reads == [(17 * 12, 12)]
    assert [int(array[0, 0]) for array in iter_frames(ds, [3, 49])] == [18, 294]
    assert source.reads[1:] == [(36, 12), (49 * 12, 12)]
    assert native_slices(ds) == (ds.PixelData, 12)


def test_an_encapsulated_frame_reads_only_its_fragments() -> None:
    parts = [bytes([number]) * 6 for number in range(10)]
    source = CountingSource(b"".join(parts))
    ds = dk.DataSet(
        {"Rows": 2, "Columns": 3, "NumberOfFrames": 10, "BitsAllocated": 8},
        PixelData=Fragments.of([Bulk(source, 6 * number, 6) for number in range(10)]),
    )
    assert encoded_frame(ds, 4) == parts[4]
    assert source.reads == [(24, 6)]


def test_memory_of_a_stack_is_the_stack(tmp_path: Path) -> None:
    import tracemalloc

    values = np.arange(64 * 64 * 64, dtype=np.uint16).reshape(64, 64, 64)
    ds = dk.DataSet(
        {"Rows": 64, "Columns": 64, "NumberOfFrames": 64, "BitsAllocated": 16, "BitsStored": 12},
        PhotometricInterpretation="MONOCHROME2",
        PixelData=Bulk(CountingSource(values.tobytes()), 0, values.nbytes),
    )
    frame(ds)
    tracemalloc.start()
    stack = frames(ds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(stack, values & 0xFFF)
    assert peak < values.nbytes + 3 * values[0].nbytes


@pytest.mark.parametrize("index", [-1, 2, 10**9])
def test_frames_that_are_not_there(index: int) -> None:
    ds = dk.DataSet({"Rows": 1, "Columns": 1, "NumberOfFrames": 2, "BitsAllocated": 8, "PixelData": b"\1\2"})
    with pytest.raises(PixelError, match="there are 2 frames") as caught:
        frame(ds, index)
    assert caught.value.frame == index
    assert pickle.loads(pickle.dumps(caught.value)).frame == index


def multi_frame_files() -> list[str]:
    rows = (row for row in manifest() if row["frames"].isdigit() and int(row["frames"]) > 1)
    return [row["path"] for row in rows if row["pixel_crosscheck"].startswith("ok") and int(row["size"]) < 2_000_000]


@needs_data
@pytest.mark.parametrize("path", multi_frame_files())
def test_stack_equals_single_frames(path: str) -> None:
    ds = dk.read(real_file(path))
    wanted = range(min(describe(ds).number_of_frames, 6))
    single = [frame(ds, index) for index in wanted]
    np.testing.assert_array_equal(frames(ds, wanted), single)
    np.testing.assert_array_equal(frames(ds, wanted, workers=2), single)
    in_memory = dk.read(real_file(path).read_bytes())
    np.testing.assert_array_equal(frames(in_memory, wanted), single)


@needs_data
def test_from_many_threads() -> None:
    ds = dk.read(real_file("02_pixel_codecs/pydicom-data/emri_small_RLE.dcm"))
    expected = frames(ds)
    with ThreadPoolExecutor(8) as pool:
        for index, array in enumerate(pool.map(lambda number: frame(ds, number % 10), range(80))):
            np.testing.assert_array_equal(array, expected[index % 10])


@needs_data
def test_a_file_that_changed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "changed é.dcm"
    path.write_bytes(real_file("04_enhanced_multiframe/eCT_Supplemental.dcm").read_bytes())
    ds = dk.read(path)
    frame(ds)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(SourceError):
        frame(ds)


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLosslessSV1", "JPEG2000Lossless", "1.2.840.10008.1.2.4.50"])
def test_frames_that_come_without_their_data_set(syntax: str) -> None:
    cine = dk.samples.ultrasound_cine()
    packed = dk.transcode(cine, syntax, lossy=syntax.endswith("50"))
    metadata = packed.drop("PixelData")
    last = cine.NumberOfFrames - 1
    got = frame_of_bytes(encoded_frame(packed, last), metadata, syntax)
    np.testing.assert_array_equal(got, frame(packed, last))
    with pytest.raises(PixelError, match="frame 0"):
        frame_of_bytes(encoded_frame(packed, last)[:50], metadata, syntax)
    cells = frame(cine, last).tobytes()
    np.testing.assert_array_equal(frame_of_bytes(cells, cine, "ExplicitVRLittleEndian"), frame(cine, last))
    with pytest.raises(PixelError, match="Rows is missing"):
        frame_of_bytes(cells, metadata.drop("Rows"), syntax)


@pytest.mark.parametrize(("vr", "value"), [("FD", 2.0), ("AT", dk.Tag(0x00100010)), ("LO", ("a", "b"))])
def test_pixels_of_another_type_are_an_error(vr: str, value: object) -> None:
    plane = {"Rows": 2, "Columns": 2, "BitsAllocated": 16, "SamplesPerPixel": 1, "PixelRepresentation": 0}
    ds = dk.DataSet(plane, PhotometricInterpretation="MONOCHROME2").assign([dk.Element(dk.Tag(0x7FE00010), vr, value)])
    with pytest.raises(PixelError, match="PixelData holds no bytes"):
        dk.frame(ds)


@needs_data
def test_an_offset_table_or_profile_of_another_type_is_none() -> None:
    ds = dk.read(real_file("01_pydicom_core/JPEG2000.dcm"))
    numbers = [dk.Element(dk.Tag.of(name), "UL", 1 << 31) for name in ("ExtendedOffsetTable", "ICCProfile")]
    assert np.array_equal(dk.frame(ds.assign(numbers)), dk.frame(ds))
    assert "ICC" not in repr(dk.explain_pixels(ds.assign(numbers)))
