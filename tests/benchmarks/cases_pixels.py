"""Frames of every encoding: decoded, encoded, in threads, transcoded, and one of many from a path."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import imagecodecs
import numpy as np
from peers import SimpleITK, dicomsdl, dk, pydicom
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.pixels.utils import pixel_array
from timing import Case, Goal

from dicomkit.pixels.codecs import rle
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frames import reader
from dicomkit.pixels.stored_frames import encoded_frame
from dicomkit.pixels.transcode import transcode

_J = "1.2.840.10008.1.2.4."
_DIRECT: dict[str, Callable[[bytes], object]] = {
    f"{_J}50": imagecodecs.jpeg8_decode,
    f"{_J}51": imagecodecs.jpeg8_decode,
    f"{_J}57": imagecodecs.jpeg8_decode,
    f"{_J}70": imagecodecs.jpeg8_decode,
    f"{_J}80": imagecodecs.jpegls_decode,
    f"{_J}81": imagecodecs.jpegls_decode,
    f"{_J}90": imagecodecs.jpeg2k_decode,
    f"{_J}91": imagecodecs.jpeg2k_decode,
    f"{_J}201": imagecodecs.htj2k_decode,
    f"{_J}202": imagecodecs.htj2k_decode,
    f"{_J}203": imagecodecs.jpeg2k_decode,  # htj2k_decode wraps values that a lossy stream overshoots
    f"{_J}110": imagecodecs.jpegxl_decode,
    f"{_J}111": lambda data: imagecodecs.jpeg8_decode(imagecodecs.jpegxl_decode_jpeg(data)),
    f"{_J}112": imagecodecs.jpegxl_decode,
    "1.2.840.10008.1.2.5": lambda data: imagecodecs.dicomrle_decode(data, dtype="<u2"),
    "1.2.840.10008.1.2.8.1": lambda data: imagecodecs.deflate_decode(data, raw=True, out=1 << 20),
}
_LOSSY = {f"{_J}{part}" for part in (50, 51, 81, 91, 111, 112, 203)}
_NOTE = (
    "imagecodecs is called with the bytes of the frame in memory; dicomkit also finds them, checks that they are whole "
    "and gives stored values. pydicom decodes by plugin, in memory; SimpleITK and dicomsdl read the file"
)


def image(size: int, count: int, bits: int = 12) -> dk.DataSet:
    """Make a multi-frame image, smooth with noise."""
    y, x = np.mgrid[:size, :size]
    rng = np.random.default_rng(1)
    peak = (1 << bits) - 1
    stack = np.stack(
        [
            np.clip(
                peak * (0.5 + 0.4 * np.sin(x / (30 + n % 7)) * np.cos(y / 40)) + rng.normal(0, peak / 200, x.shape),
                0,
                peak,
            )
            for n in range(count)
        ]
    )
    allocated = 8 if bits <= 8 else 16
    return dk.DataSet(
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.3", "SOPInstanceUID": "2.25.8", "Modality": "CT"},
        Rows=size,
        Columns=size,
        NumberOfFrames=count,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
        PixelData=stack.astype(f"u{allocated // 8}").tobytes(),
    )


def cases(folder: Path, frames: int, size: int) -> list[Case]:
    """Make the cases; their files go to a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    few = min(frames, 16)
    made = [_decode(folder, uid, size) for uid in _DIRECT]
    made.append(_rle(size))
    many = image(size, few)
    for uid in (f"{_J}90", f"{_J}80", f"{_J}70"):
        made.append(_threads(transcode(many, uid, verify=False), uid))
    made += _transcode(many, folder)
    made.append(_from_path(folder, frames, size))
    return made


def _name(uid: str) -> str:
    return str(dk.TransferSyntax.of(uid).name).split(",")[0]


def _decode(folder: Path, uid: str, size: int) -> Case:
    ds = transcode(image(size, 1, 8 if uid in (f"{_J}50", f"{_J}111") else 12), uid, lossy=uid in _LOSSY)
    path = folder / f"{uid}.dcm"
    dk.write(ds, path)
    data, decode, direct = encoded_frame(ds), reader(ds), _DIRECT[uid]
    theirs = pydicom.dcmread(path)
    work: dict[str, Callable[[], object]] = {
        "imagecodecs": lambda: direct(data),
        "dicomkit": lambda: decode(0),
        "dicomkit, dk.frame": lambda: dk.frame(ds),
    }
    for plugin in ("pylibjpeg", "gdcm", "pydicom"):
        work[f"pydicom, {plugin}"] = lambda plugin=plugin: pixel_array(theirs, index=0, decoding_plugin=plugin)
    if SimpleITK:
        work["SimpleITK"] = lambda: SimpleITK.ReadImage(str(path))
    if dicomsdl:
        work["dicomsdl"] = lambda: dicomsdl.open_file(str(path)).pixelData(storedvalue=True)
    return Case(f"Decode a frame of {_name(uid)}", work, (Goal("imagecodecs", 1 / 1.1),), "imagecodecs", note=_NOTE)


def _rle(size: int) -> Case:
    ds = image(size, 1)
    array = dk.frame(ds)
    description: PixelDescription = describe(ds)
    theirs = {
        "rows": size, "columns": size, "samples_per_pixel": 1, "number_of_frames": 1, "bits_allocated": 16,
        "bits_stored": 12, "pixel_representation": 0, "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    work: dict[str, Callable[[], object]] = {
        "pydicom": lambda: RLELosslessEncoder.encode(array, encoding_plugin="pydicom", **theirs),
        "pydicom, pylibjpeg": lambda: RLELosslessEncoder.encode(array, encoding_plugin="pylibjpeg", **theirs),
        "dicomkit": lambda: rle.encode(array, description),
    }
    return Case("Encode a frame as RLE", work, (Goal("pydicom", 50),), rounds=5)


def _threads(ds: dk.DataSet, uid: str) -> Case:
    work: dict[str, Callable[[], object]] = {
        "one thread": lambda: dk.frames(ds),
        "dicomkit": lambda: dk.frames(ds, workers=2),
    }
    title = f"Decode {ds.NumberOfFrames} frames of {_name(uid)} in two threads"
    return Case(title, work, (Goal("one thread", 1.4),), "one thread", rounds=5)


def _transcode(ds: dk.DataSet, folder: Path) -> list[Case]:
    path = folder / "native.dcm"
    dk.write(ds, path)

    def theirs() -> object:
        opened = pydicom.dcmread(path)
        opened.compress("1.2.840.10008.1.2.4.80")
        return opened

    opened = dk.read(path)
    work: dict[str, Callable[[], object]] = {
        "pydicom, pyjpegls": theirs,
        "dicomkit": lambda: transcode(opened, f"{_J}80", verify=False),
        "dicomkit, verified": lambda: transcode(opened, f"{_J}80"),
        "dicomkit, verified, two threads": lambda: transcode(opened, f"{_J}80", workers=2),
    }
    return [Case(f"Transcode {ds.NumberOfFrames} frames to JPEG-LS", work, (), "pydicom, pyjpegls", rounds=3)]


def _from_path(folder: Path, frames: int, size: int) -> Case:
    path = folder / "many.dcm"
    dk.write(image(size, 4).assign(NumberOfFrames=frames, PixelData=image(size, 1).PixelData * frames), path)
    indices = cycle(range(0, frames, 7))
    work: dict[str, Callable[[], object]] = {
        "pydicom": lambda: pixel_array(path, index=next(indices)),
        "dicomkit": lambda: dk.frame(path, next(indices)),
    }
    return Case(f"One frame of {frames} from a path", work, (Goal("pydicom", 2),))
