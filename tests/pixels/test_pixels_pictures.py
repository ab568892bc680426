"""Sizes, proportions, what is burned in, files of pictures and films, contact sheets and explanations."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from realdata import needs_data, peer, real_file

import dicomkit as dk
from dicomkit.errors import MissingFeatureError, ValueFormatError
from dicomkit.pixels.burn import annotations_of, burn_mask, burn_text, overlay_mask
from dicomkit.pixels.explain import explain_pixels
from dicomkit.pixels.picture_files import save_image, to_gif, to_jpeg, to_mp4, to_png
from dicomkit.pixels.resize import fitted_size, pixel_aspect, resize
from dicomkit.pixels.timing import frame_seconds

RNG = np.random.default_rng(8)
GREY = RNG.integers(0, 256, (37, 53)).astype(np.uint8)
RGB = RNG.integers(0, 256, (37, 53, 3)).astype(np.uint8)


def ct(**changes: Any) -> dk.DataSet:
    return dk.samples.ct_series(slices=1, size=64)[0].assign(changes)


# Sizes.


def area_average(picture: np.ndarray[Any, Any], rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Every old pixel repeated until both sizes divide it, then plain means: slow and exact."""
    fine = picture.repeat(rows, 0).repeat(columns, 1).astype(float)
    return fine.reshape(rows, picture.shape[0], columns, picture.shape[1], *picture.shape[2:]).mean(axis=(1, 3))


pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(pictures, st.data())
def test_shrinking_is_the_average_of_the_area(picture: np.ndarray[Any, Any], data: st.DataObject) -> None:
    rows, columns = (data.draw(st.integers(1, n)) for n in picture.shape)
    got = resize(picture, rows, columns)
    assert got.dtype == np.uint8
    assert np.abs(got - area_average(picture, rows, columns)).max() <= 0.501


@given(pictures, st.integers(1, 30), st.integers(1, 30), st.sampled_from(["linear", "nearest"]))
def test_any_size_stays_within_the_values(picture: np.ndarray[Any, Any], rows: int, columns: int, method: Any) -> None:
    got = resize(picture, rows, columns, method)
    assert got.shape == (rows, columns)
    assert picture.min() <= got.min() <= got.max() <= picture.max()
    np.testing.assert_array_equal(resize(picture[::-1], rows, columns)[::-1], resize(picture, rows, columns))


def test_linear_is_interpolation_between_pixel_centres() -> None:
    row = np.array([[0, 30, 200]], np.float64)
    places = (np.arange(10) + 0.5) * 0.3 - 0.5
    np.testing.assert_allclose(resize(row, 1, 10)[0], np.interp(places, np.arange(3), row[0]))
    nearest = resize(row, 2, 7, "nearest")
    assert set(nearest.ravel()) == {0, 30, 200}
    assert (np.diff(nearest[0]) >= 0).all()


def test_stripes_do_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 100))
    assert np.ptp(resize(stripes, 20, 60)[:, 1:-1].astype(int)) <= 86  # a third of 255, no moiré of black and white
    assert set(np.unique(resize(stripes, 32, 100))) == {128}


@pytest.mark.parametrize("size", [0, -1, (3, 0), "large", (1, 2, 3), 70_000])
def test_sizes_that_make_no_sense(size: Any) -> None:
    with pytest.raises(ValueFormatError):
        fitted_size(10, 10, 1.0, size)


def test_methods_and_sizes_are_checked() -> None:
    with pytest.raises(ValueFormatError, match="cubic"):
        resize(GREY, 5, 5, "cubic")
    with pytest.raises(ValueFormatError):
        resize(GREY, 0, 5)


@given(st.integers(1, 800), st.integers(1, 800), st.floats(0.1, 10), st.integers(1, 600))
def test_the_longest_side_and_the_proportions(rows: int, columns: int, aspect: float, side: int) -> None:
    height, width = fitted_size(rows, columns, aspect, side)
    assert max(height, width) == side
    wanted = rows * aspect / columns
    assert abs(height - width * wanted) <= 0.51 * max(1, wanted) or min(height, width) == 1
    high, wide = fitted_size(rows, columns, aspect, "square")
    assert high >= rows
    assert wide >= columns


@pytest.mark.parametrize(
    ("changes", "aspect"),
    [
        ({"PixelSpacing": (2.0, 1.0)}, 2.0),
        ({"ImagerPixelSpacing": (1.0, 4.0)}, 0.25),
        ({"PixelAspectRatio": (4, 3)}, 4 / 3),
        ({"PixelSpacing": (0.0, 1.0), "PixelAspectRatio": (2, 1)}, 2.0),
        ({"PixelAspectRatio": (0, 3)}, 1.0),
        ({"SharedFunctionalGroupsSequence": [{"PixelMeasuresSequence": [{"PixelSpacing": (3.0, 1.0)}]}]}, 3.0),
    ],
)
def test_aspect(changes: dict[str, Any], aspect: float) -> None:
    ds = ct().drop("PixelSpacing").assign(changes)
    assert pixel_aspect(ds) == pytest.approx(aspect)
    assert dk.render(ds).shape == (64, 64)
    high, wide = dk.render(ds, size=120).shape
    assert max(high, wide) == 120
    assert high / wide == pytest.approx(aspect, rel=0.02)
    assert dk.render(ds, size=(60, 500)).shape[0] == 60 or aspect < 1


def test_resizing_happens_to_grey_values_after_the_window() -> None:
    ds = ct()
    np.testing.assert_array_equal(dk.render(ds, size=32), resize(dk.render(ds), 32, 32))
    np.testing.assert_array_equal(dk.render(ds, size=128, enlarge="nearest"), dk.render(ds).repeat(2, 0).repeat(2, 1))


# What is burned in.


def with_overlay(**changes: Any) -> dk.DataSet:
    plane = {0x60000010: 2, 0x60000011: 8, 0x60000040: "G", 0x60000050: (64, 60), 0x60003000: b"\xff\x81"}
    other = {0x60020010: 1, 0x60020011: 8, 0x60020040: "G", 0x60020050: (0, 0), 0x60023000: b"\xff\x00"}
    return ct().assign(plane | other).assign(changes)


def test_overlays_are_cut_to_the_image_and_chosen_by_group() -> None:
    ds = with_overlay()
    mask = overlay_mask(ds, 0, 64, 64)
    assert mask[63, 59:].all()
    assert mask.sum() == 5
    plain = dk.render(ds)
    burned = dk.render(ds, overlays=True)
    assert (burned[mask] == 255).all()
    np.testing.assert_array_equal(burned[~mask], plain[~mask])
    np.testing.assert_array_equal(dk.render(ds, overlays=[0x6002]), plain)
    assert dk.render(ds, overlays=True, size=128).max() == 255
    assert burn_mask(plain, mask, (255, 0, 0)).shape == (64, 64, 3)


@needs_data
@pytest.mark.parametrize("path", ["15_presentation_state/overlay.dcm", "01_pydicom_core/examples_overlay.dcm"])
def test_overlays_equal_dcmtk(path: str, tmp_path: Path) -> None:
    ds = dk.read(real_file(path))
    window = ["+Wi", "1"] if "WindowCenter" in ds else ["+Wm"]
    out = tmp_path / "out.pgm"
    call = [peer("dcmj2pnm"), "-q", "+op", *window, str(real_file(path)), str(out)]  # it draws overlays unasked
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    theirs = np.asarray(Image.open(out))
    ours = dk.render(ds, overlays=True)
    mask = overlay_mask(ds, 0, *ours.shape[:2])
    assert mask.any()
    assert (theirs[mask] == 255).all()
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_annotations_stand_where_they_should_and_name_nobody() -> None:
    ds = ct(PatientName="SECRET^NAME", PatientID="4711")
    texts = annotations_of(ds, window="W 1 L 2")
    assert not any("SECRET" in text or "4711" in text for text in texts.values())
    assert (texts["left"], texts["right"], texts["top"], texts["bottom"]) == ("R", "L", "A", "P")
    plain, noted = (dk.render(ds, size=256, annotations=on) for on in (False, True))
    changed = plain != noted
    assert changed[:30, :60].any()
    assert changed[-30:, -100:].any()
    assert not changed[60:100, 60:100].any()
    assert burn_text(GREY, {"top left": "two\nlines", "bottom": "\x00\ud800" * 90}).shape == GREY.shape
    colour = burn_text(RGB.repeat(3, 0).repeat(3, 1), {"top left": "Ä"})
    assert colour.shape == (111, 159, 3)
    with pytest.raises(ValueFormatError, match="middle"):
        burn_text(GREY, {"middle": "x"})


# Files.


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("picture", [GREY, RGB, GREY.astype(np.uint16) * 257])
def test_png_is_lossless(picture: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(np.asarray(opened(to_png(picture))), picture)


def test_jpeg_is_close() -> None:
    smooth = resize(RGB[:6, :8], 90, 120)
    assert np.abs(np.asarray(opened(to_jpeg(smooth, quality=98))).astype(int) - smooth).mean() < 4
    assert len(to_jpeg(smooth, quality=20)) < len(to_jpeg(smooth, quality=95))
    with pytest.raises(ValueFormatError):
        to_jpeg(smooth, quality=0)


def test_a_film_as_gif_at_the_rate_of_the_file() -> None:
    ds = dk.samples.ultrasound_cine()
    gif = opened(to_gif(ds, range(4), size=80))
    assert gif.n_frames == 4
    assert gif.info["loop"] == 0
    assert gif.info["duration"] == round(frame_seconds(ds) * 100) * 10
    assert max(gif.size) == 80
    grey = np.stack([GREY, 255 - GREY])
    again = opened(to_gif(grey, seconds=0.5))
    assert again.info["duration"] == 500
    for k, picture in enumerate(grey):
        again.seek(k)
        np.testing.assert_array_equal(np.asarray(again.convert("L")), picture)


def test_a_film_as_mp4() -> None:
    av = pytest.importorskip("av")
    ds = dk.samples.ultrasound_cine()
    with av.open(io.BytesIO(to_mp4(ds, range(5), size=101))) as film:
        stream = film.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert float(stream.average_rate) == pytest.approx(1 / frame_seconds(ds), rel=0.01)
    assert len(frames) == 5
    assert {side % 2 for frame in frames for side in frame.shape[:2]} == {0}
    wanted = dk.render(ds, 2, size=101)
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[..., None], 3, axis=2)
    seen = frames[2][: wanted.shape[0], : wanted.shape[1]]
    assert np.abs(seen.astype(int) - wanted).mean() < 8


def test_mp4_without_pyav_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingFeatureError, match="video"):
        to_mp4(np.stack([GREY, GREY]))


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ({"RecommendedDisplayFrameRate": 20, "CineRate": 10, "FrameTime": 10.0}, 0.05),
        ({"CineRate": 25}, 0.04),
        ({"FrameTime": 40.0}, 0.04),
        ({"FrameTimeVector": (0.0, 30.0, 50.0)}, 0.04),
        ({"FrameTime": 0.0}, 0.1),
        ({"FrameTime": 1e9}, 60),
    ],
)
def test_rates(attributes: dict[str, Any], seconds: float) -> None:
    assert frame_seconds(dk.DataSet(attributes)) == pytest.approx(seconds)


def test_the_name_chooses_the_format(tmp_path: Path) -> None:
    ds = ct()
    starts = {"a.png": b"\x89PNG", "b.JPG": b"\xff\xd8", "c.jpeg": b"\xff\xd8", "d.gif": b"GIF8"}
    for name, start in starts.items():
        save_image(ds, tmp_path / name, size=50)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(ValueFormatError, match="tiff"):
        save_image(ds, tmp_path / "e.tiff")
    for wrong in (GREY.astype(float), GREY[:0], np.zeros((2, 3, 4), np.uint8)):
        with pytest.raises(ValueFormatError):
            to_png(wrong)
    with pytest.raises(ValueFormatError, match="size"):
        to_png(GREY, size=5)
    with pytest.raises(ValueFormatError, match="one size"):
        to_gif([GREY, GREY[1:]])


# Contact sheets.


def test_a_contact_sheet_is_in_the_order_of_space(tmp_path: Path) -> None:
    series = dk.samples.ct_series(slices=6, size=32)
    sheet = dk.render_series(series[::-1], size=32, columns=3, gap=0, labels=False)
    assert sheet.shape == (64, 96)
    np.testing.assert_array_equal(sheet, dk.render_series(series, size=32, columns=3, gap=0, labels=False))
    positions = [ds.ImagePositionPatient[2] for ds in series]
    first = series[int(np.argmin(positions))]
    np.testing.assert_array_equal(sheet[:32, :32], dk.render(first, size=32))
    dk.samples.write_series(series, tmp_path)
    files = dk.scan(tmp_path, progress=False)
    np.testing.assert_array_equal(dk.render_series(files, size=32, columns=3, gap=0, labels=False), sheet)
    assert dk.render_series(series, count=4, size=20, columns=2, gap=2).shape == (42, 42)
    with pytest.raises(ValueFormatError, match="labels"):
        dk.render_series(series, labels=["one"])
    with pytest.raises(ValueFormatError):
        dk.render_series([])


def test_a_contact_sheet_of_frames_and_colour() -> None:
    sheet = dk.render_series(dk.samples.ultrasound_cine(), count=6, size=64)
    assert sheet.dtype == np.uint8
    assert sheet.max() > 100


# Explanations.


def test_an_explanation_says_what_drove_each_stage() -> None:
    ds = ct(WindowCenter=(40.0, 300.0), WindowWidth=(400.0, 1500.0), WindowCenterWidthExplanation=("SOFT", "BONE"))
    report = explain_pixels(ds, voi="bone")
    stages = {stage.name: stage for stage in report.stages}
    assert list(stages) == ["stored values", "modality", "VOI", "presentation"]
    stored = dk.frame(ds)
    assert stages["modality"].range_out == tuple(float(v) + ds.RescaleIntercept for v in (stored.min(), stored.max()))
    assert stages["VOI"].driven_by == "window 1 of 2 proposals, data set"
    assert "BONE" in stages["VOI"].does
    np.testing.assert_array_equal(report.picture, dk.render(ds, voi=1))
    assert "RescaleSlope" in str(report)
    assert explain_pixels(ds, window=(1, 2)).stages[2].driven_by == "given"


def test_an_explanation_shows_itself() -> None:
    report = dk.explain_pixels(dk.samples.enhanced_ct(frames=3, size=16), 1)
    html = report._repr_html_()
    assert html.count("<img") == 1
    assert "functional group" in html
    assert report.to_png()[1:4] == b"PNG"
    with pytest.raises(AttributeError):
        report.title = "x"


def test_an_explanation_has_units_that_are_units_and_square_pixels() -> None:
    report = explain_pixels(ct(RescaleType="HU", PixelSpacing=(2.0, 1.0)))
    axes = report.plot(title=False).axes
    assert (report.unit, axes[0].get_aspect(), axes[0].get_title(loc="left")) == ("HU", 2.0, "")
    assert axes[1].get_xlabel() == "value [HU]"
    assert report.plot().axes[0].get_title(loc="left") == report.title
    bars = [bar for bar in axes[1].patches if bar.get_width() > 0]
    assert {round(bar.get_width(), 6) % 1 for bar in bars} == {0.0}  # each of as many integers
    assert sum(bar.get_height() for bar in bars) == report.values.size
    unknown = explain_pixels(ct(RescaleType="US"))
    assert (unknown.unit, unknown.plot().axes[1].get_xlabel()) == ("", "value")
    assert "US" not in unknown.stages[1].does
    assert "-1024\N{NO-BREAK SPACE}…" in report._repr_html_()


@needs_data
@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("01_pydicom_core/examples_palette.dcm", "palette"),
        ("04_enhanced_multiframe/eCT_Supplemental.dcm", "supplemental palette"),
        ("16_wsi/sm_image.dcm", "ICC profile"),
        ("14_parametric_map_rwv/parametric_map_float.dcm", "real world value 0"),
        ("02_pixel_codecs/pydicom-data/mlut_18.dcm", "modality"),
        ("02_pixel_codecs/pydicom-data/vlut_04.dcm", "VOI"),
    ],
)
def test_explanations_of_real_files(path: str, stage: str) -> None:
    report = explain_pixels(dk.read(real_file(path)))
    assert stage in [entry.name for entry in report.stages]
    assert report._repr_html_()
