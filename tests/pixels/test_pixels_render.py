"""Rendered pictures against DCMTK's, and stage by stage on images made here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pixel_images import grey
from realdata import manifest, needs_data, peer, real_file

import dicomkit as dk
from dicomkit.errors import DicomError, PixelError, UnsupportedError, ValueFormatError
from dicomkit.pixels.frames import frame
from dicomkit.pixels.lookup import LookupTable
from dicomkit.pixels.modality import modality_of
from dicomkit.pixels.render import render
from dicomkit.pixels.voi import voi_of
from dicomkit.pixels.window import Window

#: What DCMTK 3.6.7 renders otherwise, with the largest difference and the reason.
DIFFERS = {
    "SC_ybr_full_uncompressed.dcm": (2, "it takes 127.5 for half full scale, PS3.3 C.7.6.3.1.2 says 128"),
    "rtdose_expb.dcm": (255, "it swaps 32-bit cells as two words; the file, equal to rtdose.dcm, swaps all four bytes"),
    "rtdose_expb_1frame.dcm": (255, "as rtdose_expb.dcm"),
    "0.dcm": (2, "with a slope of 0.001 it cuts modality values to whole numbers"),
    "1.dcm": (2, "with a slope of 0.001 it cuts modality values to whole numbers"),
    "2.dcm": (2, "with a slope of 0.001 it cuts modality values to whole numbers"),
    "001.dcm": (2, "with a slope of 0.001 it cuts modality values to whole numbers"),
}

#: What DCMTK 3.6.7 can't render.
NOT_DCMTK = {
    "parametric_map_float.dcm": "floating point",
    "parametric_map_double_float.dcm": "floating point",
    "gdcm-US-ALOKA-16.dcm": "segmented palette",
    "SC_rgb_jpeg.dcm": "no group length",
    "liver_rle.dcm": "1-bit RLE",
    "liver_nonbyte_aligned_rle.dcm": "1-bit RLE",
}

SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5")
JPEG = tuple(f"1.2.840.10008.1.2.4.{part}" for part in (50, 51, 57, 70))


def renderable() -> list[str]:
    paths, series = [], set()
    for row in manifest():
        folder = row["path"].rpartition("/")[0]
        if row["ts_uid"] not in SYNTAXES + JPEG or row["pixel_crosscheck"][:2] != "ok" or folder in series:
            continue
        if Path(row["path"]).name in NOT_DCMTK or "32bit" in row["path"]:
            continue
        if row["path"].startswith(("05_", "06_", "07_", "13_")):  # one slice of each series
            series.add(folder)
        paths.append(row["path"])
    return paths


def dcmtk_picture(path: Path, options: list[str], folder: Path) -> NDArray[np.uint8]:
    """The picture that dcmj2pnm makes, from its PGM or PPM."""
    picture = folder / "picture.pnm"
    call = [peer("dcmj2pnm"), "-q", "-O", "+op", *options, str(path), str(picture)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    data = picture.read_bytes()
    header = re.match(rb"P([56])\s(?:\s*#[^\n]*\n)*\s*(\d+)\s+(\d+)\s+255\s", data)
    assert header is not None
    columns, rows = int(header[2]), int(header[3])
    return np.frombuffer(data, np.uint8, offset=header.end()).reshape(rows, columns, 3 if header[1] == b"6" else 1)


@needs_data
@pytest.mark.parametrize("path", renderable())
def test_equals_dcmtk(path: str, tmp_path: Path) -> None:
    ds = dk.read(real_file(path))
    proposals = voi_of(ds)
    window, options = None, ["+Wi", "1"] if "WindowCenter" in ds else ["+Wl", "1"]
    if not proposals or (isinstance(proposals[0], Window) and "WindowCenter" not in ds):
        window, options = (128.0, 256.0), ["+Ww", "128", "256"]  # DCMTK finds no windows in functional groups
    if ds.get("SamplesPerPixel") == 3 or ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        window, options = None, []
    # It knows neither supplemental palettes nor doses, and looks for the modality in the shared groups only.
    ds = ds.drop("PixelPresentation", "DoseGridScaling", "PerFrameFunctionalGroupsSequence")
    theirs = dcmtk_picture(real_file(path), options, tmp_path)
    ours = render(ds, window=window)
    ours = ours if ours.ndim == 3 else ours[..., None]
    tolerance, _ = DIFFERS.get(Path(path).name, (1, ""))
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= tolerance


#: Files of each kind (windows, several of them, MONOCHROME1, tables), for windows that the caller chooses.
VARIANTS = (
    "01_pydicom_core/CT_small.dcm",
    "01_pydicom_core/MR_small_bigendian.dcm",
    "01_pydicom_core/JPGExtended.dcm",
    "01_pydicom_core/examples_overlay.dcm",
    "02_pixel_codecs/pydicom-data/mlut_18.dcm",
    "12_dicomdir/77654033/CR1/6154",
    "13_seg/dx_image.dcm",
    "13_seg/ct_image.dcm",
)


@needs_data
@pytest.mark.parametrize("path", VARIANTS)
@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID", "every proposal"])
def test_chosen_windows_equal_dcmtk(path: str, function: str, tmp_path: Path) -> None:
    ds = dk.read(real_file(path))
    overlays = any(0x6000 <= tag >> 16 <= 0x601E for tag in ds)
    hidden = ["-O"] if overlays else []
    if function == "every proposal":
        windows = [voi for voi in voi_of(ds) if isinstance(voi, Window) and voi.function == "LINEAR"]
        choices: list[tuple[Any, list[str]]] = [
            ((voi.center, voi.width), ["+Wi", str(number)]) for number, voi in enumerate(windows, 1)
        ]
    else:
        flag = {"LINEAR": "+Wfl", "SIGMOID": "+Wfs"}[function]
        values = modality_of(ds)(frame(ds))
        low, high = float(values.min()), float(values.max())
        shapes = ((0.5, 1.0), (0.3, 0.2), (0.9, 0.5))
        centers = [(round(low + a * (high - low)), max(2, round(b * (high - low)))) for a, b in shapes]
        choices = [((c, w, function), [flag, "+Ww", str(c), str(w)]) for c, w in centers]
    for window, options in choices:
        theirs = dcmtk_picture(real_file(path), [*hidden, *options], tmp_path)
        ours = render(ds, window=window)
        cut = 0 if modality_of(ds)(frame(ds)).dtype.kind in "iu" else 255 / window[1]  # it cuts values to whole numbers
        assert np.abs(ours.astype(int) - theirs[..., 0]).max() <= 1 + cut, window


@needs_data
def test_voi_table_of_a_real_file(tmp_path: Path) -> None:
    path = real_file("02_pixel_codecs/pydicom-data/vlut_04.dcm")
    theirs = dcmtk_picture(path, ["+Wl", "1"], tmp_path)[..., 0]
    assert np.abs(render(dk.read(path)).astype(int) - theirs).max() <= 1


@needs_data
@pytest.mark.parametrize("path", [row["path"] for row in manifest() if row["pixel_crosscheck"][:3] in ("ok ", "err")])
def test_every_image_renders_or_says_why(path: str) -> None:
    ds = dk.read(real_file(path))
    try:
        picture = render(ds)
    except DicomError:
        with pytest.raises(DicomError):
            frame(ds)
        return
    assert picture.dtype == np.uint8
    assert picture.shape[:2] == frame(ds).shape[:2]
    assert picture.ndim == 2 or picture.shape[2] == 3


def test_monochrome1_and_shape_invert_once() -> None:
    ds = grey(np.array([[0, 100], [200, 255]], np.uint8))
    assert render(ds).tolist() == [[0, 100], [200, 255]]
    inverted = [[255, 155], [55, 0]]
    assert render(ds.assign(PhotometricInterpretation="MONOCHROME1")).tolist() == inverted
    assert render(ds.assign(PresentationLUTShape="INVERSE")).tolist() == inverted
    both = ds.assign(PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1")
    assert render(both).tolist() == inverted


def test_without_a_window_padding_does_not_count() -> None:
    ds = grey(np.array([[-2000, 0], [500, 1000]], np.int16))
    assert render(ds).tolist() == [[0, 170], [213, 255]]
    padded = [[0, 0], [128, 255]]
    assert render(ds.assign(PixelPaddingValue=-2000)).tolist() == padded
    assert render(ds.assign({"PixelPaddingValue": -2010, "PixelPaddingRangeLimit": -1990})).tolist() == padded
    assert render(grey(np.full((2, 2), 7, np.int16), PixelPaddingValue=7)).max() <= 128


def test_choices_of_window() -> None:
    ds = grey(
        np.array([[0, 1000], [2000, 4000]], np.uint16),
        RescaleSlope=0.5,
        RescaleIntercept=-1000,
        WindowCenter=(0, 500),
        WindowWidth=(2001, 1001),
        WindowCenterWidthExplanation=("WIDE", "NARROW"),
    )
    wide, narrow = render(ds), render(ds, voi=1)
    assert wide.tolist() == [[0, 64], [128, 255]]
    assert narrow.tolist() == [[0, 0], [0, 255]]
    np.testing.assert_array_equal(render(ds, voi="narrow"), narrow)
    np.testing.assert_array_equal(render(ds, window=(500, 1001)), narrow)
    np.testing.assert_array_equal(render(ds, window=Window(500, 1001)), narrow)
    assert render(ds, window="full").tolist() == [[0, 64], [128, 255]]
    assert render(ds, window="auto")[1, 1] == 255
    assert render(ds, window=(0, 500, "SIGMOID"))[1, 0] == 128
    table = LookupTable(-1000, np.array([7, 9], np.uint8), 8)
    assert render(ds, window=table).tolist() == [[7, 9], [9, 9]]
    for wrong in ({"voi": 2}, {"voi": "BONE"}, {"window": "soft"}, {"window": (0, 0)}):
        with pytest.raises(ValueFormatError):
            render(ds, **wrong)


def test_frames_have_their_own_windows() -> None:
    def item(center: int) -> dict[str, Any]:
        return {
            "FrameVOILUTSequence": [{"WindowCenter": center, "WindowWidth": 1}],
            "PixelValueTransformationSequence": [{"RescaleSlope": 1, "RescaleIntercept": center}],
        }

    ds = grey(np.array([[10, 0], [0, 10]], np.uint8)).assign(
        Rows=1, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=[item(5), item(50)]
    )
    assert [render(ds, index).tolist() for index in range(2)] == [[[255, 255]], [[255, 255]]]
    shifted = ds.assign({("PerFrameFunctionalGroupsSequence", 0, "FrameVOILUTSequence", 0, "WindowCenter"): 6})
    assert render(shifted, 0).tolist() == [[255, 0]]


def test_modality_table_then_window() -> None:
    ds = grey(
        np.array([[-1, 0], [1, 2]], np.int16),
        ModalityLUTSequence=[{"LUTDescriptor": (3, -1, 8), "LUTData": (0, 100, 200), "ModalityLUTType": "US"}],
        WindowCenter=128,
        WindowWidth=256,
    )
    assert render(ds).tolist() == [[0, 100], [200, 200]]


def test_floating_point_with_holes() -> None:
    values = np.array([[0, 1], [np.nan, np.inf]], np.float32)
    ds = dk.DataSet({"Rows": 2, "Columns": 2, "BitsAllocated": 32, "FloatPixelData": values.tobytes()})
    assert render(ds).tolist() == [[0, 255], [0, 255]]


def test_wide_integers() -> None:
    ds = grey(np.array([[0, 1 << 20], [1 << 30, (1 << 31) - 1]], np.int32))
    assert render(ds).tolist() == [[0, 0], [128, 255]]


def test_supplemental_palette_colours_only_its_range() -> None:
    names = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
    ds = grey(np.array([[0, 127, 128, 129]], np.uint8), PixelPresentation="COLOR").assign(
        {f"{name}Descriptor": (2, 128, 16) for name in names}
        | {f"{name}Data": bytes([0, value, 0, 255]) for name, value in zip(names, (255, 128, 0), strict=True)}
    )
    assert render(ds).tolist() == [[[0] * 3, [127] * 3, [255, 128, 0], [255] * 3]]
    assert render(ds.assign(PixelPresentation="MONOCHROME")).ndim == 2
    mixed = ds.assign(PixelPresentation="MIXED")
    assert render(mixed).ndim == 2
    group = [{"CTImageFrameTypeSequence": [{"PixelPresentation": "COLOR"}]}]
    assert render(mixed.assign(PerFrameFunctionalGroupsSequence=group)).ndim == 3


def test_what_cannot_be_rendered() -> None:
    ds = grey(np.zeros((1, 2), np.uint8))
    with pytest.raises(PixelError, match="without a palette"):
        render(ds.assign(PhotometricInterpretation="PALETTE COLOR"))
    with pytest.raises(UnsupportedError, match="one sample"):
        render(ds.assign(PhotometricInterpretation="RGB"))
    four = ds.assign(Rows=1, Columns=1, SamplesPerPixel=4, PhotometricInterpretation="CMYK", PixelData=bytes(4))
    with pytest.raises(UnsupportedError, match="CMYK"):
        render(four)
