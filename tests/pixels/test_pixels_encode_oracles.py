"""Every encoder's output, decoded by programs and libraries that don't share ours: see `ORACLES`, by syntax.

Without loss they give back the original; with loss what our decoder gives, nearly, and the original near enough. Each
is given 8, 10, 12 and 16 bits, signed and unsigned, one and three components, odd sizes, one pixel, one row and one
column, where the syntax and the oracle hold them.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from dicomkit.pixels.ratio import DEFAULTS
from dicomkit.pixels.target import FORMS
from dicomkit.values.fragments import Fragments

pytest.importorskip("imagecodecs")

PAGE = Path(__file__).parents[2] / "docs" / "codecs.md"
SHAPES = [(21, 34), (64, 80), (1, 1), (1, 9), (9, 1)]
KINDS = [(bits, 1, signed) for bits in (8, 10, 12, 16) for signed in (False, True)] + [(8, 3, False), (16, 3, False)]

Decode = Callable[[bytes, PixelDescription, Path], Any]


def file_of(data: bytes, description: PixelDescription, folder: Path) -> Path:
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
    dk.write(with_transfer_syntax(ds, description.transfer_syntax_uid), folder / "coded.dcm")
    return folder / "coded.dcm"


def dcmtk(program: str, *options: str) -> Decode:
    """A program of DCMTK that writes the frame into a native file."""

    def decoded(data: bytes, description: PixelDescription, folder: Path) -> Any:
        command = [peer(program), "-q", *options, str(file_of(data, description, folder)), str(folder / "plain.dcm")]
        subprocess.run(command, check=True, capture_output=True)
        return dk.frame(folder / "plain.dcm")

    return decoded


def gdcm(data: bytes, description: PixelDescription, folder: Path) -> Any:
    """The program of GDCM that writes native files."""
    command = [peer("gdcmconv"), "--raw", str(file_of(data, description, folder)), str(folder / "plain.dcm")]
    subprocess.run(command, check=True, capture_output=True)
    assert not dk.read(folder / "plain.dcm").transfer_syntax.encapsulated
    return dk.frame(folder / "plain.dcm")


def pydicom(plugin: str, module: str) -> Decode:
    """A plug-in of pydicom."""

    def decoded(data: bytes, description: PixelDescription, folder: Path) -> Any:
        pixels = pytest.importorskip("pydicom.pixels")
        pytest.importorskip(module)
        return pixels.pixel_array(file_of(data, description, folder), decoding_plugin=plugin, raw=True)

    return decoded


def libjpeg(data: bytes, description: PixelDescription, folder: Path) -> Any:
    """The libjpeg of Thomas Richter, in pylibjpeg; not libjpeg-turbo, which encodes."""
    return pytest.importorskip("libjpeg").decode(data, colour_transform=0)


def openjpeg(data: bytes, description: PixelDescription, folder: Path) -> Any:
    """The OpenJPEG of pylibjpeg: of JPEG 2000 another build of what encodes, of HTJ2K quite another library."""
    return pytest.importorskip("openjpeg").decode(data)


def ffmpeg(codec: str) -> Decode:
    """A decoder of FFmpeg's own; it may fill 16 bits."""

    def decoded(data: bytes, description: PixelDescription, folder: Path) -> Any:
        theirs, bits = by_ffmpeg(codec, data), description.bits_stored
        return theirs >> (16 - bits if theirs.max() >= 1 << bits else 0)

    return decoded


def djxl(data: bytes, description: PixelDescription, folder: Path) -> Any:
    """The program of libjxl, of another release than what encodes: there is no other decoder."""
    return by_djxl(data, description.frame_shape, description.bits_stored, folder)


def inflated(data: bytes, description: PixelDescription, folder: Path) -> Any:
    """Python's zlib; libdeflate encodes."""
    return np.frombuffer(zlib.decompress(data, -15), description.dtype.newbyteorder("<"))


def as_bytes(data: bytes, description: PixelDescription, folder: Path) -> Any:
    """NumPy."""
    return np.frombuffer(data, description.dtype.newbyteorder("<"))


_J = "1.2.840.10008.1.2.4."
_JPEG: dict[str, Decode] = {"libjpeg of pylibjpeg": libjpeg, "DCMTK": dcmtk("dcmdjpeg", "+cn")}
_LS: dict[str, Decode] = {"FFmpeg": ffmpeg("jpegls"), "DCMTK": dcmtk("dcmdjpls")}
_J2K: dict[str, Decode] = {"FFmpeg": ffmpeg("jpeg2000"), "OpenJPEG": openjpeg}
ORACLES: dict[str, dict[str, Decode]] = {
    "1.2.840.10008.1.2.1.98": {"NumPy": as_bytes},
    "1.2.840.10008.1.2.5": {
        "pydicom": pydicom("pydicom", "pydicom"),
        "GDCM": gdcm,
        "pylibjpeg-rle": pydicom("pylibjpeg", "rle"),
        "DCMTK": dcmtk("dcmdrle"),
    },
    "1.2.840.10008.1.2.8.1": {"zlib": inflated},
    **{f"{_J}{part}": _JPEG for part in (50, 51, 57, 70)},
    **{f"{_J}{part}": _LS for part in (80, 81)},
    **{f"{_J}{part}": _J2K for part in (90, 91, 201, 203)},
    f"{_J}202": {"OpenJPEG": openjpeg},
    **{f"{_J}{part}": {"djxl": djxl} for part in (110, 112)},
}
UNSIGNED_ONLY = {"FFmpeg": "gives the components as they are, unsigned"}
NO_COLOUR = {(f"{_J}80", "FFmpeg"), (f"{_J}81", "FFmpeg")}
"""Components in scans of their own, as older releases of imagecodecs write them, are not for FFmpeg's JPEG-LS."""
WIDE_COLOUR = {"NumPy", "zlib", "pydicom", "pylibjpeg-rle", "djxl", "OpenJPEG"}
"""What three components of 16 bits are given to."""
SLACK = {
    ("50", 8): 1, ("51", 8): 1, ("51", 12): 4, ("81", 0): 0, ("91", 16): 2, ("203", 16): 2,
    ("112", 8): 1, ("112", 10): 2, ("112", 12): 8, ("112", 16): 131,
}  # fmt: skip
"""How far two decoders of a lossy stream may be apart, by syntax and bits; 1 where it is not said."""


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


def held(uid: str, bits: int, samples: int, signed: bool) -> bool:
    """Whether a syntax holds such samples as they are."""
    form = FORMS[uid]
    exact = bits in form.rounded_up if form.rounded_up else form.bits[0] <= bits <= form.bits[1]
    return exact and (form.signed or not signed)


def given(uid: str, oracle: str, bits: int, samples: int, signed: bool) -> bool:
    """Whether an oracle takes such samples."""
    if (signed and oracle in UNSIGNED_ONLY) or (samples == 3 and (uid, oracle) in NO_COLOUR):
        return False
    return samples == 1 or bits == 8 or oracle in WIDE_COLOUR


def cases(lossy: bool) -> list[Any]:
    """Syntax, oracle and kind of samples of every test."""
    return [
        pytest.param(uid, oracle, *kind, id=f"{uid[16:]}-{oracle}-{kind[0]}{'s' if kind[2] else 'u'}x{kind[1]}")
        for uid, oracles in ORACLES.items()
        if (FORMS[uid].lossy if lossy else FORMS[uid].lossless)
        for oracle in oracles
        for kind in KINDS
        if held(uid, *kind) and given(uid, oracle, *kind)
    ]


def bits_of(values: Any, bits: int) -> Any:
    """Two's complement of so many bits as unsigned integers."""
    return values.astype(np.int64) & ((1 << bits) - 1)


@pytest.mark.parametrize(("uid", "oracle", "bits", "samples", "signed"), cases(lossy=False))
def test_without_loss(uid: str, oracle: str, bits: int, samples: int, signed: bool, tmp_path: Path) -> None:
    for shape in SHAPES[:2] if oracle == "GDCM" else SHAPES:  # it refuses frames of a few pixels, whoever encoded them
        array, description = picture(uid, bits, samples, shape, signed=signed)
        if shape == SHAPES[0]:
            array = np.random.default_rng(bits).integers(array.min(), array.max(), array.shape, array.dtype, True)
        if samples == 3 and FORMS[uid].rgb_as == "YBR_RCT":
            description = replace(description, photometric_interpretation="YBR_RCT")
        data = encoder(uid)(array, description)
        theirs = ORACLES[uid][oracle](data, description, tmp_path).reshape(array.shape)
        np.testing.assert_array_equal(bits_of(theirs, bits), bits_of(array, bits), str(shape))


@pytest.mark.parametrize(("uid", "oracle", "bits", "samples", "signed"), cases(lossy=True))
def test_with_loss(uid: str, oracle: str, bits: int, samples: int, signed: bool, tmp_path: Path) -> None:
    if uid == f"{_J}112" and signed:
        array, description = picture(uid, bits, samples, (8, 8), signed=True)
        with pytest.raises(PixelError, match="signed"):
            encoder(uid)(array, description, quality=95)
        return
    part = uid[len(_J) :]
    for shape in SHAPES:
        parameters = DEFAULTS[uid] if part != "81" else {"near": 1 + shape[0] % 5}
        near = parameters.get("near", 0)
        array, description = picture(uid, bits, samples, shape, signed=signed, margin=near)
        if samples == 3 and FORMS[uid].rgb_lossy_as != "RGB":
            colour = FORMS[uid].rgb_lossy_as.replace("YBR_FULL_422", "YBR_FULL")
            description = replace(description, photometric_interpretation=colour)
        data = encoder(uid)(array, description, **parameters)
        ours = decode(data, description)
        theirs = ORACLES[uid][oracle](data, description, tmp_path).reshape(array.shape)
        slack = 0 if near else SLACK.get((part, bits), 1)
        assert np.abs(theirs.astype(np.int64) - ours).max() <= slack, shape
        worst = np.abs(theirs.astype(np.int64) - array).max()
        if near:
            assert worst == near or (worst < near and array.size < 1000), shape  # the bound is held, and used
        else:
            assert worst <= (1 << bits) * (0.15 if part in ("50", "51", "112") else 0.012) + 1, shape


@pytest.mark.parametrize("uid", ORACLES)
def test_the_page_names_the_oracles(uid: str) -> None:
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{uid}`"))
    assert all(oracle in line for oracle in ORACLES[uid])
