"""Native cells of every size, order and sign, and bits packed and unpacked."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.errors import PixelError, UnsupportedError
from dicomkit.pixels.bits import clear_unused, pack, unpack
from dicomkit.pixels.codecs import native
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frames import frame, frames
from dicomkit.pixels.overlay import overlays
from dicomkit.pixels.stored_frames import frame_cells, native_slices


@given(st.integers(1, 64), st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 7))
def test_unpack_undoes_pack(bits: int, values: list[int], skip: int) -> None:
    cells = np.array(values, np.uint64) & np.uint64((1 << bits) - 1)
    packed = pack(cells, bits)
    assert len(packed) == (bits * len(values) + 7) // 8
    assert unpack(packed, bits, len(values)).tolist() == cells.tolist()
    shifted = np.packbits(
        np.concatenate([np.ones(skip, np.uint8), np.unpackbits(packed, bitorder="little")]), bitorder="little"
    )
    assert unpack(shifted, bits, len(values), skip=skip).tolist() == cells.tolist()


@given(st.integers(1, 64), st.lists(st.integers(0, 2**64 - 1), max_size=10))
def test_pack_is_concatenation_of_bits(bits: int, values: list[int]) -> None:
    number = sum((value & ((1 << bits) - 1)) << (bits * place) for place, value in enumerate(values))
    whole = number.to_bytes((bits * len(values) + 7) // 8, "little")
    assert pack(np.array(values, np.uint64), bits).tobytes() == whole


@given(st.data())
def test_clear_unused_against_the_text(data: st.DataObject) -> None:
    allocated = data.draw(st.sampled_from([8, 16, 32, 64]))
    stored = data.draw(st.integers(1, allocated))
    high = data.draw(st.integers(stored - 1, allocated - 1))
    signed = data.draw(st.booleans())
    cells = data.draw(st.lists(st.integers(0, 2**allocated - 1), min_size=1, max_size=8))
    layout = PixelDescription(
        rows=1,
        columns=len(cells),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        pixel_representation=int(signed),
    )
    expected = []
    for cell in cells:  # PS3.5 8.1.1, one cell after the other
        value = cell >> (high + 1 - stored) & ((1 << stored) - 1)
        expected.append(value - (1 << stored) if signed and value >> (stored - 1) else value)
    array = np.array(cells, f"u{allocated // 8}").view(layout.dtype)
    assert clear_unused(array, layout).tolist() == expected


SIZES = [(8, "B", "b"), (16, "H", "h"), (32, "I", "i"), (64, "Q", "q")]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("bits", "unsigned_code", "signed_code"), SIZES)
@pytest.mark.parametrize(("samples", "planar"), [(1, 0), (3, 0), (3, 1)])
def test_every_layout(
    order: str, signed: bool, bits: int, unsigned_code: str, signed_code: str, samples: int, planar: int
) -> None:
    rows, columns, number = 3, 5, 2
    code = signed_code if signed else unsigned_code
    shape = (number, rows, columns) if samples == 1 else (number, rows, columns, samples)
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    numbers = np.linspace(low, high - 1, int(np.prod(shape))).astype(object)
    values = np.array([int(number) for number in numbers], dtype=object).reshape(shape)
    stored = values.transpose(0, 3, 1, 2) if planar else values
    data = struct.pack(f"{order}{stored.size}{code}", *(min(int(v), high - 1) for v in stored.reshape(-1)))
    layout = PixelDescription(
        rows=rows,
        columns=columns,
        number_of_frames=number,
        samples_per_pixel=samples,
        photometric_interpretation="RGB" if samples == 3 else "MONOCHROME2",
        bits_allocated=bits,
        pixel_representation=int(signed),
        planar_configuration=planar,
        big_endian=order == ">",
        vr="OB" if bits == 8 else "OW",
    )
    for index in range(number):
        array = native.read_frame(data, layout, index).array
        assert array.shape == layout.frame_shape
        assert array.dtype == np.dtype(code)
        assert array.tolist() == np.minimum(values[index], high - 1).tolist()
        given_room = np.empty(layout.frame_shape, layout.dtype)
        assert native.read_frame(data, layout, index, out=given_room).array is given_room
        np.testing.assert_array_equal(given_room, array)


@pytest.mark.parametrize(("attribute", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point(attribute: str, dtype: str) -> None:
    values = np.array([[1.5, -np.inf], [np.nan, 1e-30]], dtype)
    ds = dk.DataSet({"Rows": 2, "Columns": 2, "BitsAllocated": 8 * values.itemsize, attribute: values.tobytes()})
    np.testing.assert_array_equal(frame(ds), values)
    assert frame(ds).dtype == np.dtype(dtype)


@pytest.mark.parametrize("bits", [1, 4, 12, 24])
@pytest.mark.parametrize("frames_", [1, 3])
def test_cells_that_are_not_whole_bytes(bits: int, frames_: int) -> None:
    rng = np.random.default_rng(bits)
    values = rng.integers(0, 1 << bits, (frames_, 5, 7))
    packed = pack(values.astype(np.uint32), bits).tobytes()
    ds = dk.DataSet(
        {"Rows": 5, "Columns": 7, "NumberOfFrames": frames_, "BitsAllocated": bits, "BitsStored": bits},
        PixelData=packed + b"\xff" * (len(packed) % 2),
        PhotometricInterpretation="MONOCHROME2",
    )
    np.testing.assert_array_equal(frames(ds), values)
    assert frame(ds).dtype == {1: np.uint8, 4: np.uint8, 12: np.uint16, 24: np.uint32}[bits]
    assert native_slices(ds) is None


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("bits", [1, 8])
def test_big_endian_words_of_small_cells(rows: int, bits: int) -> None:
    """OW swaps pairs of bytes; OB does not (PS3.5 8.2)."""
    values = np.random.default_rng(0).integers(0, 1 << bits, (2, rows, 5)).astype(np.uint8)
    packed = pack(values, bits).tobytes()
    packed += b"\0" * (len(packed) % 2)
    swapped = np.frombuffer(packed, "<u2").astype(">u2").tobytes()
    layout = PixelDescription(rows=rows, columns=5, number_of_frames=2, bits_allocated=bits, big_endian=True)
    for index in range(2):
        np.testing.assert_array_equal(native.read_frame(swapped, layout, index).array, values[index])
        as_bytes = native.read_frame(packed, replace(layout, vr="OB"), index).array
        np.testing.assert_array_equal(as_bytes, values[index])


def test_ge_private_syntax_has_big_endian_pixels() -> None:
    values = np.arange(6, dtype=np.int16).reshape(2, 3) - 3
    layout = PixelDescription(rows=2, columns=3, bits_allocated=16, pixel_representation=1, big_endian=True)
    np.testing.assert_array_equal(native.read_frame(values.astype(">i2").tobytes(), layout, 0).array, values)


@pytest.mark.parametrize("rows", [2, 200])
def test_ge_private_syntax_from_a_file(rows: int, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    values = np.arange(rows * 300, dtype=np.int16).reshape(rows, 300) - 300
    ds = pydicom.Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Rows, ds.Columns = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", rows, 300
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 1, 1
    ds.PhotometricInterpretation, ds.PixelData = "MONOCHROME2", values.astype(">i2").tobytes()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.113619.5.2"
    ds.save_as(tmp_path / "ge.dcm", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(frame(dk.read(tmp_path / "ge.dcm")), values)


def test_subsampled_chrominance_is_repeated() -> None:
    layout = PixelDescription(
        rows=1, columns=4, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422", bits_allocated=8
    )
    decoded = native.read_frame(bytes([10, 11, 1, 2, 12, 13, 3, 4]), layout, 0)
    assert decoded.array.tolist() == [[[10, 1, 2], [11, 1, 2], [12, 3, 4], [13, 3, 4]]]
    assert decoded.photometric_interpretation == "YBR_FULL"


def test_422_with_all_samples_is_taken_as_full() -> None:
    layout = PixelDescription(rows=1, columns=2, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422")
    decoded = native.read_frame(bytes(range(6)), layout, 0)
    assert decoded.array.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert decoded.notes


def test_native_slices_are_where_frames_are() -> None:
    ds = dk.DataSet(
        {"Rows": 1, "Columns": 2, "NumberOfFrames": 2, "BitsAllocated": 16, "PixelData": b"\1\0\2\0\3\0\4\0"},
        PhotometricInterpretation="MONOCHROME2",
    )
    found = native_slices(ds)
    assert found is not None
    value, length = found
    assert bytes(value)[length : 2 * length] == frame(ds, 1).tobytes()
    assert native_slices(ds.assign(NumberOfFrames=3)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Rows": None}, "Rows is missing"),
        ({"Columns": 0}, "Columns is 0"),
        ({"BitsAllocated": 65}, "BitsAllocated is 65"),
        ({"PixelData": None}, "PixelData is empty"),
        ({"SamplesPerPixel": 0}, "SamplesPerPixel is 0"),
    ],
)
def test_descriptions_that_make_no_sense(changes: dict[str, object], words: str) -> None:
    ds = dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\1\2"}).assign(changes)
    with pytest.raises(PixelError, match=words):
        frame(ds)


def test_no_image() -> None:
    with pytest.raises(PixelError, match="not an image"):
        describe(dk.DataSet(PatientID="1"))
    with pytest.raises(UnsupportedError, match="JPIP"):
        describe(dk.DataSet(PixelDataProviderURL="http://example.org"))


def test_what_a_description_assumes_is_noted() -> None:
    ds = dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "BitsStored": 12, "PixelData": b"\1\2"})
    description = describe(ds)
    assert description.bits_stored == 8
    assert any("BitsStored 12" in note for note in description.notes)


@needs_data
@pytest.mark.parametrize(
    "name", ["01_pydicom_core/examples_overlay.dcm", "02_pixel_codecs/pydicom-data/MR-SIEMENS-DICOM-WithOverlays.dcm"]
)
def test_overlays_of_real_files_equal_pydicoms(name: str) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = real_file(name)
    found = overlays(dk.read(path))
    assert found
    for overlay in found:
        theirs = pydicom.dcmread(path).overlay_array(overlay.group)
        np.testing.assert_array_equal(overlay.mask, theirs)


def test_overlay_in_unused_bits() -> None:
    cells = np.array([[0x1005, 0x0006]], np.uint16)
    ds = dk.DataSet(
        {"Rows": 1, "Columns": 2, "BitsAllocated": 16, "BitsStored": 12, "PixelData": cells.tobytes()},
        PhotometricInterpretation="MONOCHROME2",
    ).assign({0x60000010: 1, 0x60000011: 2, 0x60000100: 16, 0x60000102: 12})
    assert frame(ds).tolist() == [[5, 6]]
    assert frame_cells(ds)[0].tolist() == [[0x1005, 6]]
    assert overlays(ds)[0].mask.tolist() == [[True, False]]


def test_overlay_of_several_frames() -> None:
    ds = dk.DataSet({0x60000010: 1, 0x60000011: 3, 0x60000015: "2", 0x60000051: 2, 0x60003000: b"\x2b\x00"})
    assert overlays(ds, 0) == ()
    assert overlays(ds, 1)[0].mask.astype(int).tolist() == [[1, 1, 0]]
    assert overlays(ds, 2)[0].mask.astype(int).tolist() == [[1, 0, 1]]
    with pytest.raises(PixelError, match="overlay"):
        overlays(ds.assign({0x60000011: 30}), 1)
