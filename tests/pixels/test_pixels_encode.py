"""Encoders give back what they were given, and refuse what they can't hold; other decoders: `..._encode_oracles`."""

from __future__ import annotations

import io
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixel_images import described
from realdata import peer

import dicomkit as dk
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.errors import MissingFeatureError, PixelError, UnsupportedError
from dicomkit.pixels.codecs import jpeg, jpegls, jpegxl, registry
from dicomkit.pixels.codecs.registry import decode, encoder
from dicomkit.pixels.description import PixelDescription
from dicomkit.pixels.frames import frame, frames
from dicomkit.values.fragments import Fragments

pytest.importorskip("imagecodecs")

PREFIX = "1.2.840.10008.1.2.4."
RLE = "1.2.840.10008.1.2.5"
SHAPES = [(21, 34), (1, 1), (1, 9), (9, 1), (8, 17)]
LOSSLESS = (RLE, "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98") + tuple(
    f"{PREFIX}{part}" for part in (57, 70, 80, 81, 90, 91, 201, 202, 203, 110, 112)
)


def case(uid: str, bits: int, samples: int, shape: tuple[int, int], *, signed: bool = False):
    rng = np.random.default_rng(bits * 7 + samples)
    low = -(1 << (bits - 1)) if signed else 0
    size = shape if samples == 1 else (*shape, samples)
    array = rng.integers(low, low + (1 << bits), size).astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")
    description = described(array, bits, uid)
    if samples == 3 and uid[-3:] in (".90", ".91", "201", "202", "203"):
        description = replace(description, photometric_interpretation="YBR_RCT")
    return array, description


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [2, 8, 10, 12, 16])
@pytest.mark.parametrize("uid", LOSSLESS)
def test_lossless_round_trip(uid: str, bits: int, shape: tuple[int, int]) -> None:
    for samples, signed in ((1, False), (1, True), (3, False)):
        array, description = case(uid, bits, samples, shape, signed=signed)
        data = encoder(uid)(array, description)
        np.testing.assert_array_equal(decode(data, description), array)
        if samples == 1:
            strided = np.repeat(np.repeat(array, 2, axis=0), 2, axis=1)[::2, ::2]
            assert encoder(uid)(strided, description) == data


@given(
    st.sampled_from(LOSSLESS), st.integers(2, 16), st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(0)
)
def test_lossless_round_trip_of_anything(uid: str, bits: int, rows: int, columns: int, signed: bool, seed: int) -> None:
    _, description = case(uid, bits, 1, (rows, columns), signed=signed)
    rng = np.random.default_rng(seed)
    low = -(1 << (bits - 1)) if signed else 0
    array = rng.choice([low, low + 1, 0, low + (1 << bits) - 1], (rows, columns)).astype(description.dtype)
    np.testing.assert_array_equal(decode(encoder(uid)(array, description), description), array)


@pytest.mark.parametrize("part", [57, 80, 81])
def test_frames_that_get_larger(part: int) -> None:
    array, description = case(f"{PREFIX}{part}", 16, 1, (256, 256))
    data = encoder(description.transfer_syntax_uid)(array, description)
    assert len(data) > array.nbytes
    np.testing.assert_array_equal(decode(data, description), array)
    array.flat[::2], array.flat[1::2] = 0, 65535  # the worst for its predictors: twice as large
    data = encoder(description.transfer_syntax_uid)(array, description)
    np.testing.assert_array_equal(decode(data, description), array)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=400), st.integers(1, 3))
def test_rle_runs(values: list[int], rows: int) -> None:
    array = np.tile(np.array(values, np.uint16) * 257, (rows, 1))
    description = PixelDescription(rows=rows, columns=len(values), bits_allocated=16, transfer_syntax_uid=RLE)
    data = encoder(RLE)(array, description)
    assert len(data) % 2 == 0
    np.testing.assert_array_equal(decode(data, description), array)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_predictors_of_lossless_jpeg(predictor: int, bits: int) -> None:
    libjpeg = pytest.importorskip("libjpeg")
    array, description = case(f"{PREFIX}57", bits, 1, (21, 34))
    data = jpeg.encode(array, description, predictor=predictor)
    np.testing.assert_array_equal(libjpeg.decode(data), array)
    np.testing.assert_array_equal(decode(data, description), array)
    if predictor > 1:
        with pytest.raises(PixelError, match="no predictor"):
            jpeg.encode(array, replace(description, transfer_syntax_uid=f"{PREFIX}70"), predictor=predictor)


def test_htj2k_markers() -> None:
    array, description = case(f"{PREFIX}202", 12, 1, (256, 256))
    data = encoder(f"{PREFIX}202")(array, description)
    coding = data.index(b"\xff\x52")
    assert data[coding + 5] == 2  # RPCL, which .202 asks for
    assert b"\xff\x55" in data[: data.index(b"\xff\x90")]  # TLM


def test_jpeg_xl_gives_back_the_jpeg_through_djxl(tmp_path: Path) -> None:
    command = peer("djxl")
    array, description = case(f"{PREFIX}50", 8, 3, (64, 64))
    stream = encoder(f"{PREFIX}50")(array, replace(description, photometric_interpretation="YBR_FULL_422"))
    (tmp_path / "a.jxl").write_bytes(jpegxl.recompress(stream + b"\0"))
    subprocess.run([command, str(tmp_path / "a.jxl"), str(tmp_path / "a.jpg")], check=True, capture_output=True)
    assert (tmp_path / "a.jpg").read_bytes() == stream == jpegxl.restore((tmp_path / "a.jxl").read_bytes())
    with pytest.raises(PixelError, match="no end marker"):
        jpegxl.recompress(stream[:-2])
    with pytest.raises(PixelError):
        jpegxl.restore((tmp_path / "a.jxl").read_bytes()[:200])


def test_first_use_of_htj2k_in_threads() -> None:
    """Some releases of OpenJPH fill their encoder's tables without a lock when first used."""
    import sys

    code = """
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from dicomkit.pixels.codecs.registry import decode, encoder
from dicomkit.pixels.description import PixelDescription
uid = "1.2.840.10008.1.2.4.201"
description = PixelDescription(19, 27, bits_allocated=16, bits_stored=12, transfer_syntax_uid=uid)
arrays = list(np.random.default_rng(1).integers(0, 4096, (4, 19, 27)).astype("u2"))
with ThreadPoolExecutor(4) as pool:
    data = list(pool.map(lambda array: encoder(uid)(array, description), arrays))
print(all(np.array_equal(decode(one, description), array) for one, array in zip(data, arrays)))
"""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "True"


def test_rle_rows_do_not_run_into_each_other() -> None:
    description = PixelDescription(rows=2, columns=5, transfer_syntax_uid=RLE)
    assert encoder(RLE)(np.full((2, 5), 7, np.uint8), description)[64:] == b"\xfc\x07\xfc\x07"
    many = PixelDescription(rows=1, columns=1, samples_per_pixel=4, bits_allocated=32, transfer_syntax_uid=RLE)
    with pytest.raises(PixelError, match="15 byte planes"):
        encoder(RLE)(np.zeros((1, 1, 4), np.uint32), many)


def test_deflated_frame_is_a_raw_stream() -> None:
    array, description = case("1.2.840.10008.1.2.8.1", 12, 1, (21, 34))
    data = encoder(description.transfer_syntax_uid)(array, description)
    assert zlib.decompress(data, -15) == array.astype("<u2").tobytes()


@pytest.mark.parametrize("near", [1, 2, 5])
@pytest.mark.parametrize(("bits", "samples", "signed"), [(8, 1, 0), (12, 1, 0), (16, 1, 0), (12, 1, 1), (8, 3, 0)])
def test_near_lossless(near: int, bits: int, samples: int, signed: int) -> None:
    array, description = case(f"{PREFIX}81", bits, samples, (21, 34), signed=bool(signed))
    low = int(array.min()) + near if signed else 0
    array = np.clip(array, low, int(array.max()) - near).astype(array.dtype)
    data = jpegls.encode(array, description, near=near)
    decoded = decode(data, description)
    assert 0 < np.abs(decoded.astype(int) - array).max() <= near
    if signed:
        with pytest.raises(PixelError, match="could wrap"):
            jpegls.encode(np.full_like(array, (1 << bits - 1) - 1), description, near=near)
    with pytest.raises(PixelError, match="has no near"):
        jpegls.encode(array, replace(description, transfer_syntax_uid=f"{PREFIX}80"), near=near)


@pytest.mark.parametrize("signed", [False, True])
def test_jpeg2000_of_24_bits(signed: bool) -> None:
    rng = np.random.default_rng(3)
    low = -(1 << 23) if signed else 0
    array = rng.integers(low, low + (1 << 24), (20, 30)).astype("i4" if signed else "u4")
    description = PixelDescription(
        rows=20,
        columns=30,
        bits_allocated=32,
        bits_stored=24,
        pixel_representation=int(signed),
        transfer_syntax_uid=f"{PREFIX}90",
    )
    np.testing.assert_array_equal(decode(encoder(f"{PREFIX}90")(array, description), description), array)
    with pytest.raises(PixelError, match="up to 24 bits"):
        encoder(f"{PREFIX}90")(array, replace(description, bits_stored=32, high_bit=31))


@pytest.mark.parametrize("uid", LOSSLESS)
def test_what_is_no_frame_is_refused(uid: str) -> None:
    array, description = case(uid, 8, 1, (4, 5))
    with pytest.raises(PixelError):
        encoder(uid)(array[:3], description)
    if uid[-3:] not in (".91", "203", "112"):
        with pytest.raises(PixelError):
            encoder(uid)(array, description, quality=50)
    if not uid.endswith("81"):
        with pytest.raises(PixelError, match="has no near"):
            encoder(uid)(array, description, near=1)


@pytest.mark.parametrize(
    ("uid", "words"), [(f"{PREFIX}53", "progressive"), (f"{PREFIX}92", "part 2"), ("1.2.3", "no encoder")]
)
def test_encoders_that_are_not_there(uid: str, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        encoder(uid)


def test_added_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self) -> str:
            return "the added encoder"

    monkeypatch.setattr(registry, "entry_points", lambda group, name: [Entry()] if group == "dicomkit.encoders" else [])
    registry.encoder.cache_clear()
    try:
        assert registry.encoder("1.2.3.4") == "the added encoder"
    finally:
        registry.encoder.cache_clear()


@pytest.mark.parametrize(
    ("codec", "container", "uid"),
    [
        ("mpeg2video", "mpegts", "100"),
        ("libx264", "mp4", "102"),
        ("libx265", "mpegts", "107"),
        ("mpeg2video", "mpeg", "101"),
    ],
)
def test_video(codec: str, container: str, uid: str) -> None:
    av = pytest.importorskip("av")
    count, (rows, columns) = 7, (64, 96)
    y, x = np.mgrid[:rows, :columns]
    pictures = [
        np.stack([x * 2 % 256, y * 3 % 256, np.full_like(x, 30 * n)], axis=2).astype(np.uint8) for n in range(count)
    ]
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as output:
            stream: Any = output.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = columns, rows, "yuv420p"
            stream.bit_rate = 8_000_000
            for picture in pictures:
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            output.mux(stream.encode(None))
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg has no encoder {codec}: {error}")
    data = file.getvalue()
    half = len(data) // 4 * 2
    ds = dk.DataSet(
        {"Rows": rows, "Columns": columns, "NumberOfFrames": count, "SamplesPerPixel": 3, "BitsAllocated": 8},
        PhotometricInterpretation="YBR_PARTIAL_420",
        PixelData=Fragments.of([data[:half], data[half:]]),
    )
    ds = with_transfer_syntax(ds, f"{PREFIX}{uid}")
    stack = frames(ds)
    assert np.abs(stack.astype(int) - pictures).mean() < 12
    np.testing.assert_array_equal(frame(ds, 4), stack[4])
    np.testing.assert_array_equal(frames(ds, [5, 2]), stack[[5, 2]])
    native = dk.transcode(ds, "ExplicitVRLittleEndian")
    np.testing.assert_array_equal(frames(native), stack)
    assert (native.PhotometricInterpretation, native.LossyImageCompression) == ("RGB", "01")
    with pytest.raises(PixelError, match="ends after 7 frames"):
        frame(ds.assign(NumberOfFrames=9), 8)
    with pytest.raises(PixelError, match="the data set says"):
        frame(ds.assign(Rows=63))
    with pytest.raises(PixelError, match=r"frame 0: .*broken"):
        frame(ds.assign(PixelData=Fragments.of([b"junk" * 100])))


def test_corrupt_video_is_an_error() -> None:
    """A decoder that leaves corrupt frames out would give later ones in their place."""
    av = pytest.importorskip("av")
    count, (rows, columns) = 30, (64, 96)
    y, x = np.mgrid[:rows, :columns]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream("libx264", rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = columns, rows, "yuv420p", 8_000_000
        for n in range(count):
            picture = np.stack([(x * 2 + 5 * n) % 256, y * 3 % 256, np.full_like(x, 8 * n % 256)], axis=2)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    whole = file.getvalue()
    bent = bytearray(whole)
    bent[len(bent) // 2 : len(bent) // 2 + 40] = np.random.default_rng(0).integers(0, 256, 40, np.uint8).tobytes()
    ds = with_transfer_syntax(
        dk.DataSet(Rows=rows, Columns=columns, NumberOfFrames=count, SamplesPerPixel=3, BitsAllocated=8),
        f"{PREFIX}102",
    ).assign(PhotometricInterpretation="YBR_PARTIAL_420")
    good, bad = (ds.assign(PixelData=Fragments.of([data])) for data in (whole, bytes(bent)))
    np.testing.assert_array_equal(frame(bad, 3), frame(good, 3))
    for index in (20, count - 1):
        with pytest.raises(PixelError, match=rf"frame {index}: the video stream is broken: it is corrupt at its frame"):
            frame(bad, index)
        with pytest.warns(RuntimeWarning, match=f"partial: frame {index}"):
            assert frame(bad, index, errors="partial").shape == (rows, columns, 3)


def test_video_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    ds = dk.DataSet(Rows=8, Columns=8, SamplesPerPixel=3, BitsAllocated=8, PixelData=Fragments.of([b"1234"]))
    with pytest.raises(MissingFeatureError, match="video"):
        frame(with_transfer_syntax(ds, f"{PREFIX}102"))
