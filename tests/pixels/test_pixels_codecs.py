"""Encodings made here: round trips over bit depths, and what contradicts the data set."""

from __future__ import annotations

import re
import struct
import sys
import zlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.errors import PixelError, UnsupportedError
from dicomkit.pixels.codecs import registry, rle
from dicomkit.pixels.codecs.jpeg_markers import _BLOCK, _FEW, _end_of_scan
from dicomkit.pixels.codecs.jpegxl import read_size
from dicomkit.pixels.codecs.registry import decode, decoder
from dicomkit.pixels.description import PixelDescription
from dicomkit.pixels.frame_source import FRAME_LIMIT
from dicomkit.pixels.frames import frame, frame_with_notes, frames
from dicomkit.values.fragments import Fragments

imagecodecs: Any = pytest.importorskip("imagecodecs")

PREFIX = "1.2.840.10008.1.2.4."


def layout(array: np.ndarray, bits: int, syntax: str, **changes: Any) -> PixelDescription:
    return PixelDescription(
        rows=array.shape[0],
        columns=array.shape[1],
        samples_per_pixel=array.shape[2] if array.ndim == 3 else 1,
        photometric_interpretation="RGB" if array.ndim == 3 else "MONOCHROME2",
        bits_allocated=8 if bits <= 8 else 16,
        bits_stored=bits,
        transfer_syntax_uid=syntax,
        **changes,
    )


def picture(bits: int, samples: int, shape: tuple[int, int] = (21, 34)) -> np.ndarray:
    rng = np.random.default_rng(bits + samples)
    shape_ = shape if samples == 1 else (*shape, samples)
    return rng.integers(0, 1 << bits, shape_).astype(np.uint8 if bits <= 8 else np.uint16)


def lossless_jpeg(array: np.ndarray, bits: int) -> bytes:
    colour = {"colorspace": "RGB", "outcolorspace": "RGB"} if array.ndim == 3 else {}
    return bytes(imagecodecs.jpeg8_encode(array, lossless=True, predictor=1, bitspersample=bits, **colour))


ENCODERS: dict[str, Any] = {
    f"{PREFIX}70": lossless_jpeg,
    f"{PREFIX}80": lambda array, bits: imagecodecs.jpegls_encode(array, level=0),
    f"{PREFIX}90": lambda array, bits: imagecodecs.jpeg2k_encode(
        array, level=0, reversible=True, codecformat="J2K", bitspersample=bits
    ),
    f"{PREFIX}201": lambda array, bits: imagecodecs.htj2k_encode(array, reversible=True),
    f"{PREFIX}110": lambda array, bits: imagecodecs.jpegxl_encode(array, lossless=True, bitspersample=bits),
}


@pytest.mark.parametrize("syntax", ENCODERS)
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("shape", [(21, 34), (1, 1), (1, 9), (9, 1)])
def test_lossless_round_trip(syntax: str, bits: int, samples: int, shape: tuple[int, int]) -> None:
    array = picture(bits, samples, shape)
    try:
        data = bytes(ENCODERS[syntax](array, bits))
    except (RuntimeError, ValueError, TypeError) as error:
        pytest.skip(f"not encoded by this imagecodecs: {error}")
    description = layout(array, bits, syntax)
    np.testing.assert_array_equal(decode(data, description), array)
    room = np.empty(description.frame_shape, description.dtype)
    decoded = decoder(syntax)(data, description, out=room)
    assert np.shares_memory(decoded.array, room)
    np.testing.assert_array_equal(room, array)


@pytest.mark.parametrize("syntax", [f"{PREFIX}70", f"{PREFIX}80", f"{PREFIX}90"])
@pytest.mark.parametrize("bits", [12, 16])
def test_signed_values_in_unsigned_streams(syntax: str, bits: int) -> None:
    half = 1 << (bits - 1)
    signed = (picture(bits, 1).astype(np.int32) - half).astype(np.int16)
    data = bytes(ENCODERS[syntax](signed.view(np.uint16) & np.uint16((1 << bits) - 1), bits))
    description = layout(signed, bits, syntax, pixel_representation=1)
    np.testing.assert_array_equal(decode(data, description), signed)


def test_signed_jpeg2000() -> None:
    signed = (picture(16, 1).astype(np.int32) - 32768).astype(np.int16)
    data = bytes(imagecodecs.jpeg2k_encode(signed, level=0, reversible=True, codecformat="J2K"))
    description = layout(signed, 16, f"{PREFIX}90", pixel_representation=1)
    np.testing.assert_array_equal(decode(data, description), signed)
    as_unsigned = decoder(f"{PREFIX}90")(data, replace(description, pixel_representation=0))
    np.testing.assert_array_equal(as_unsigned.array, signed.view(np.uint16))
    assert as_unsigned.notes == ("JPEG 2000 samples are signed, PixelRepresentation is 0",)


def test_lossy_high_throughput_does_not_wrap() -> None:
    """OpenJPH as wrapped by imagecodecs turns an overshoot of white into black."""
    array = np.where(np.indices((64, 64)).sum(0) % 16 < 8, 255, 0).astype(np.uint8)
    data = bytes(imagecodecs.htj2k_encode(array, reversible=False, level=0.2))
    decoded = decode(data, layout(array, 8, f"{PREFIX}203"))
    assert np.abs(decoded.astype(int) - array).max() < 200


@pytest.mark.parametrize("syntax", ENCODERS)
@pytest.mark.parametrize(
    ("change", "words"),
    [({"rows": 20}, "the data set says"), ({"columns": 35}, "the data set says"), ({"bits_allocated": 8}, "16 bits")],
)
def test_what_contradicts_the_data_set_is_refused(syntax: str, change: dict[str, int], words: str) -> None:
    array = picture(16, 1)
    description = replace(layout(array, 16, syntax), bits_stored=8, high_bit=7, **change)
    with pytest.raises(PixelError, match=words):
        decode(bytes(ENCODERS[syntax](array, 16)), description)


@pytest.mark.parametrize("syntax", [*ENCODERS, f"{PREFIX}50", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"])
@given(data=st.binary(max_size=200))
def test_junk_is_a_pixel_error(syntax: str, data: bytes) -> None:
    starts = {"70": b"\xff\xd8\xff", "50": b"\xff\xd8\xff", "80": b"\xff\xd8\xff", "90": b"\xff\x4f\xff\x51"}
    for begin in (b"", starts.get(syntax.rpartition(".")[2], b"\xff\x0a")):
        with pytest.raises(PixelError):
            decode(begin + data, PixelDescription(rows=31, columns=33, transfer_syntax_uid=syntax))


def packed(planes: list[bytes]) -> bytes:
    """An RLE frame of some byte planes."""
    segments = [bytes(imagecodecs.packbits_encode(plane)) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("allocated", [8, 16, 24, 32])
def test_rle(samples: int, allocated: int) -> None:
    dtype = {8: "u1", 16: "u2", 24: "u4", 32: "u4"}[allocated]
    shape = (7, 9, samples) if samples > 1 else (7, 9)
    array = np.random.default_rng(1).integers(0, 1 << allocated, shape).astype(dtype)
    cells = array.reshape(-1, samples)
    planes = [
        (cells[:, sample] >> 8 * byte & 0xFF).astype(np.uint8).tobytes()
        for sample in range(samples)
        for byte in reversed(range(allocated // 8))
    ]
    description = replace(layout(array, 8, "1.2.840.10008.1.2.5"), bits_allocated=allocated, bits_stored=allocated)
    description = replace(description, high_bit=allocated - 1)
    data = packed(planes)
    np.testing.assert_array_equal(decode(data, description), array)
    for broken, words in (
        (data[:63], "cut short"),
        (data[: len(data) - 30], "cut short"),
        (struct.pack("<I", 16) + data[4:], "16 RLE segments"),
        (data[:4] + struct.pack("<I", len(data) + 1) + data[8:], "cut short"),
    ):
        with pytest.raises(PixelError, match=words):
            decode(broken, description)


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=20), st.integers(2, 128)), max_size=20), st.integers(0, 300))
def test_rle_segment_against_the_pseudo_code(runs: list[bytes | int], length: int) -> None:
    segment = b"".join(
        bytes([len(run) - 1]) + run if isinstance(run, bytes) else bytes([257 - run, run]) for run in runs
    )
    literal = b"".join(run if isinstance(run, bytes) else bytes([run]) * run for run in runs)
    assert rle.literal_unpack(segment, length) == literal[:length]
    if 0 < length <= len(literal):
        one_row = PixelDescription(rows=1, columns=length, transfer_syntax_uid="1.2.840.10008.1.2.5")
        frame_ = struct.pack("<16I", 1, 64, *[0] * 14) + segment
        assert decode(frame_, one_row).tobytes() == literal[:length]


def test_rle_cannot_promise_more_than_it_has() -> None:
    huge = PixelDescription(rows=40000, columns=40000, transfer_syntax_uid="1.2.840.10008.1.2.5")
    with pytest.raises(PixelError, match="can't give 1600000000"):
        decode(packed([b"\0" * 1000]), huge)


def test_deflated_frame_that_inflates_too_far() -> None:
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(bytes(1 << 20)) + packer.flush()
    small = PixelDescription(rows=8, columns=8, transfer_syntax_uid="1.2.840.10008.1.2.8.1")
    with pytest.raises(PixelError, match="more than the 64 bytes"):
        decode(data, small)
    with pytest.raises(PixelError, match="cut short"):
        decode(data[: len(data) // 2], replace(small, rows=1 << 10, columns=1 << 10))


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_jpeg_xl_size_field(rows: int, columns: int) -> None:
    bits, count = 0, 0

    def put(value: int, width: int) -> None:
        nonlocal bits, count
        bits, count = bits | value << count, count + width

    def length(value: int) -> None:
        selector = next(number for number, width in enumerate((9, 13, 18, 30)) if value <= 1 << width)
        put(selector, 2)
        put(value - 1, (9, 13, 18, 30)[selector])

    put(0, 1)
    length(rows)
    put(0, 3)
    length(columns)
    put(1, 1)
    assert read_size(b"\xff\x0a" + bits.to_bytes(count // 8 + 2, "little")) == (rows, columns, 8)


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        (f"{PREFIX}92", "part 2"),
        (f"{PREFIX}94", "JPIP"),
        (f"{PREFIX}100", "MPEG-2"),
        (f"{PREFIX}102.1", "H.264"),
        (f"{PREFIX}108", "HEVC"),
        (f"{PREFIX}60", "hierarchical"),
        ("1.2.3", "no decoder is known"),
    ],
)
def test_unsupported_syntaxes_are_named(uid: str, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        decoder(uid)


def test_entry_points_add_but_never_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    added = SimpleNamespace(load=lambda: "the added decoder")
    monkeypatch.setattr(registry, "entry_points", lambda group, name: [added])
    registry.decoder.cache_clear()
    try:
        assert registry.decoder("1.2.3.4") == "the added decoder"
        assert registry.decoder(f"{PREFIX}90").__module__ == "dicomkit.pixels.codecs.jpeg2000"
    finally:
        registry.decoder.cache_clear()


def image(data: list[bytes], array: np.ndarray, **changes: Any) -> dk.DataSet:
    return dk.DataSet(
        {"Rows": array.shape[0], "Columns": array.shape[1], "BitsAllocated": 8, "NumberOfFrames": len(data)},
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        PixelData=Fragments.of(data),
    ).assign(changes)


def test_encapsulated_pixels_in_a_native_syntax_are_recognised() -> None:
    array = picture(8, 1)
    data = bytes(imagecodecs.jpegls_encode(array))
    decoded = frame_with_notes(image([data], array))
    np.testing.assert_array_equal(decoded.array, array)
    assert "decoded as 1.2.840.10008.1.2.4.81" in decoded.notes[0]


@pytest.mark.parametrize("workers", [1, 3])
def test_stack_of_frames(workers: int) -> None:
    arrays = [picture(8, 1) + number for number in range(6)]
    ds = image([bytes(imagecodecs.jpegls_encode(array)) for array in arrays], arrays[0])
    np.testing.assert_array_equal(frames(ds, workers=workers), arrays)
    np.testing.assert_array_equal(frames(ds, [4, 1], workers=workers), [arrays[4], arrays[1]])
    room = np.empty((2, *arrays[0].shape), np.uint8)
    assert frames(ds, [0, 5], out=room, workers=workers) is room
    np.testing.assert_array_equal(room, [arrays[0], arrays[5]])
    assert frames(ds, []).shape == (0, *arrays[0].shape)
    with pytest.raises(PixelError, match="frame 6"):
        frames(ds, [0, 6], workers=workers)
    with pytest.raises(PixelError, match="out is not"):
        frames(ds, out=room)


def test_a_frame_too_large_is_refused_before_anything_is_allocated() -> None:
    ds = image([b"\xff\xd8"], picture(8, 1)).assign(Rows=65535, Columns=65535, BitsAllocated=16)
    with pytest.raises(PixelError, match=f"the limit is {FRAME_LIMIT}"):
        frame(ds)
    with pytest.raises(PixelError, match="frame 999999999"):
        frames(ds.assign(NumberOfFrames=10**9), range(10**9), limit=1 << 40)


def test_many_promised_native_frames_are_not_allocated() -> None:
    ds = dk.DataSet(
        {"Rows": 60000, "Columns": 30000, "NumberOfFrames": 100000, "BitsAllocated": 8, "PixelData": bytes(100)}
    )
    with pytest.raises(PixelError, match="frame 99999: cut short"):
        frames(ds)


def test_pixels_import_no_codec_before_it_is_needed() -> None:
    import subprocess

    code = "import sys, dicomkit.pixels.render; print('imagecodecs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("jpeg_ls", [False, True])
@pytest.mark.parametrize(
    "length", [0, 1, 2, _FEW, _FEW + 1, _FEW + 2, _BLOCK, _BLOCK + 1, _BLOCK + _FEW + 2, 3 * _BLOCK]
)
def test_where_coded_data_ends(length: int, jpeg_ls: bool) -> None:
    rng = np.random.default_rng(length)
    stuffed = np.where(rng.integers(0, 3, length) > 1, 0xFF, rng.integers(0, 0x80 if jpeg_ls else 1, length))
    data = stuffed.astype(np.uint8)
    data[1:][(data[:-1] == 0xFF) & (data[1:] == 0xFF)] = 0
    for end in (b"\xff\xd9", b"\xff\xda\0", b"", b"\xff", b"\xff\xd0\x11\xff\xd9"):
        whole = b"head" + data.tobytes() + end
        found = re.search(rb"\xff[\x80-\xcf\xd8-\xfe]" if jpeg_ls else rb"\xff[\x02-\xcf\xd8-\xfe]", whole[4:])
        assert _end_of_scan(whole, 4, jpeg_ls=jpeg_ls) == (found.start() + 4 if found else len(whole))


def test_markers_where_they_are_not_expected() -> None:
    array = picture(12, 1, (300, 400))
    description = layout(array, 12, f"{PREFIX}70")
    data = lossless_jpeg(array, 12)
    comment = b"\xff\xfe\x00\x08\xff\xda\x00\x02\xff\xd9"
    for _ in range(2):  # what is known of headers by then does not matter
        np.testing.assert_array_equal(decode(data[:2] + comment + data[2:], description), array)
        np.testing.assert_array_equal(decode(data, description), array)
    for place in (data.index(b"\xff\x00", 200), data.index(b"\xff\x00", 100_000)):
        for marker in (b"\xff\x5a", b"\xff\xc3", b"\xff\xc0", b"\xff\xc4"):
            with pytest.raises(PixelError):
                decode(data[:place] + marker + data[place + 2 :], description)


@pytest.mark.parametrize("samples", [1, 3])
def test_high_throughput_data_that_breaks_within_is_an_error(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenJPH stops where data is broken; older imagecodecs leave zeros then, and report it as unraisable."""
    array = picture(12, samples, (64, 48))
    description = layout(array, 12, f"{PREFIX}201")
    if samples == 3:
        description = replace(description, photometric_interpretation="YBR_RCT")
    data = registry.encode(array, description)
    np.testing.assert_array_equal(decode(data, description), array)
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    body = data.index(b"\xff\x93") + 2
    rng, found = np.random.default_rng(samples), 0
    for _ in range(400):
        broken = bytearray(data)
        broken[int(rng.integers(body, body + 60))] ^= int(rng.integers(1, 256))
        before = len(ignored)
        try:
            decode(bytes(broken), description)
        except PixelError:
            found += len(ignored) > before
            continue
        assert len(ignored) == before
    assert found or not ignored


def test_high_throughput_data_whose_last_row_is_black() -> None:
    array = picture(16, 1, (8, 9))
    array[-1] = 0
    description = layout(array, 16, f"{PREFIX}201")
    np.testing.assert_array_equal(decode(registry.encode(array, description), description), array)
