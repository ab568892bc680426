"""What encoders write with loss, decoded by programs that don't share our library: as we decode it, and near enough.

| Syntax | Oracles |
|---|---|
| JPEG-LS near-lossless (.81) | DCMTK, FFmpeg (one component) |
| JPEG 2000 (.91) | FFmpeg (unsigned), OpenJPEG of pylibjpeg (another build of what encodes) |
| HTJ2K (.203) | FFmpeg (unsigned), OpenJPEG of pylibjpeg (OpenJPH encodes) |
| JPEG XL (.112) | djxl of another release of libjxl, the only decoder there is |
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jxl_files import by_djxl
from pixel_images import described
from realdata import peer
from video_frames import by_ffmpeg

import dicomkit as dk
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.registry import decode, encoder
from dicomkit.pixels.description import PixelDescription
from dicomkit.values.fragments import Fragments

pytest.importorskip("imagecodecs")

PREFIX = "1.2.840.10008.1.2.4."
SHAPES = [(21, 34), (1, 1), (1, 9), (9, 1), (64, 80)]
KINDS = [(bits, 1, signed) for bits in (8, 10, 12, 16) for signed in (False, True)] + [(8, 3, False)]


def picture(uid: str, bits: int, samples: int, shape: tuple[int, int], *, signed: bool, margin: int = 0):
    """A smooth image with noise that leaves a margin at both ends of its range, and its description."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    rng = np.random.default_rng(bits + samples)
    planes = [0.5 + 0.35 * np.sin(x / (9 + n)) * np.cos(y / 7) + rng.normal(0, 0.02, shape) for n in range(samples)]
    most = (1 << bits) - 1
    values = np.clip(np.rint(np.stack(planes, axis=2) * most), margin, most - margin).astype(np.int64)
    values = values - (1 << (bits - 1)) if signed else values
    array = values.astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")
    array = array if samples == 3 else np.ascontiguousarray(array[:, :, 0])
    return array, described(array, bits, uid)


def as_file(data: bytes, description: PixelDescription, path: Path) -> None:
    """Write one encoded frame as a DICOM file."""
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID="2.25.5",
        SamplesPerPixel=description.samples_per_pixel,
        PhotometricInterpretation=description.photometric_interpretation,
        Rows=description.rows,
        Columns=description.columns,
        BitsAllocated=description.bits_allocated,
        BitsStored=description.bits_stored,
        HighBit=description.high_bit,
        PixelRepresentation=description.pixel_representation,
        PixelData=Fragments.of([data]),
    )
    if description.samples_per_pixel == 3:
        ds = ds.assign(PlanarConfiguration=0)
    dk.write(with_transfer_syntax(ds, description.transfer_syntax_uid), path)


def worst(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(np.int64) - other.astype(np.int64)).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("bits", "samples", "signed"), KINDS)
def test_near_lossless_jpegls_by_dcmtk(
    bits: int, samples: int, signed: bool, shape: tuple[int, int], tmp_path: Path
) -> None:
    for near in (1, 2, 5):
        array, description = picture(f"{PREFIX}81", bits, samples, shape, signed=signed, margin=near)
        data = encoder(f"{PREFIX}81")(array, description, near=near)
        ours = decode(data, description)
        as_file(data, description, tmp_path / "a.dcm")
        command = [peer("dcmdjpls"), "-q", str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm")]
        subprocess.run(command, check=True, capture_output=True)
        theirs = dk.frame(tmp_path / "b.dcm")
        np.testing.assert_array_equal(theirs, ours)
        assert worst(theirs, array) <= near
        if array.size > 1000:
            assert worst(theirs, array) == near  # the bound is used


@pytest.mark.parametrize("near", [1, 2, 5])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("shape", [(21, 34), (64, 80)])
def test_near_lossless_jpegls_by_ffmpeg(bits: int, near: int, shape: tuple[int, int]) -> None:
    array, description = picture(f"{PREFIX}81", bits, 1, shape, signed=False, margin=near)
    data = encoder(f"{PREFIX}81")(array, description, near=near)
    theirs = by_ffmpeg("jpegls", data)
    np.testing.assert_array_equal(theirs >> (16 - bits if theirs.max() >= 1 << bits else 0), decode(data, description))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("bits", "samples", "signed"), KINDS)
@pytest.mark.parametrize("part", ["91", "203"])
def test_lossy_jpeg2000_by_openjpeg(part: str, bits: int, samples: int, signed: bool, shape: tuple[int, int]) -> None:
    openjpeg = pytest.importorskip("openjpeg")
    array, description = picture(f"{PREFIX}{part}", bits, samples, shape, signed=signed)
    if samples == 3:
        description = replace(description, photometric_interpretation="YBR_ICT")
    data = encoder(f"{PREFIX}{part}")(array, description, quality=60)
    theirs = openjpeg.decode(data).reshape(array.shape)
    assert worst(theirs, decode(data, description)) <= 1
    assert worst(theirs, array) <= (1 << bits) * 0.012 + 1


@pytest.mark.parametrize(("bits", "samples"), [(8, 1), (10, 1), (12, 1), (16, 1), (8, 3)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("part", ["91", "201", "203"])
def test_jpeg2000_by_ffmpeg(part: str, bits: int, samples: int, shape: tuple[int, int]) -> None:
    array, description = picture(f"{PREFIX}{part}", bits, samples, shape, signed=False)
    lossless = part == "201"
    if samples == 3:
        description = replace(description, photometric_interpretation="YBR_RCT" if lossless else "YBR_ICT")
    data = encoder(f"{PREFIX}{part}")(array, description, **({} if lossless else {"quality": 60}))
    theirs = by_ffmpeg("jpeg2000", data).reshape(array.shape)
    theirs = theirs >> (16 - bits if theirs.dtype == np.uint16 and theirs.max() >= 1 << bits else 0)
    assert worst(theirs, decode(data, description)) <= (0 if lossless else 2 if bits == 16 else 1)
    assert worst(theirs, array) <= (0 if lossless else (1 << bits) * 0.012 + 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("bits", "samples"), [(8, 1), (10, 1), (12, 1), (16, 1), (8, 3)])
def test_lossy_jpeg_xl_by_djxl(bits: int, samples: int, shape: tuple[int, int], tmp_path: Path) -> None:
    array, description = picture(f"{PREFIX}112", bits, samples, shape, signed=False)
    data = encoder(f"{PREFIX}112")(array, description, quality=95)
    theirs = by_djxl(data, array.shape, bits, tmp_path)
    assert worst(theirs, decode(data, description)) <= max(1, (1 << bits) // 500)
    assert worst(theirs, array) <= (1 << bits) * 0.15
    signed, description = picture(f"{PREFIX}112", bits, 1, shape, signed=True)
    with pytest.raises(PixelError, match="signed"):
        encoder(f"{PREFIX}112")(signed, description, quality=95)
