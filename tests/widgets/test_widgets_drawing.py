"""Pictures as PNG: proportions, resizing, reels of frames and slices."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

import dicomkit as dk
from dicomkit.pixels.resize import pixel_aspect
from dicomkit.pixels.resize import resize as resized
from dicomkit.widgets.drawing import Drawing, encode_png, save_png
from dicomkit.widgets.reel import reel_of_frames, reel_of_slices, title_of


def random_picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1)])
def test_png_gives_the_pixels_back(shape):
    pixels = random_picture(*shape)
    assert np.array_equal(imagecodecs.png_decode(encode_png(pixels)), pixels)


def test_png_of_a_view_that_is_not_contiguous():
    pixels = random_picture(8, 8)[::2, ::-1].T
    assert np.array_equal(imagecodecs.png_decode(encode_png(pixels)), pixels)


@pytest.mark.parametrize("size", [(13, 9), (4, 60), (100, 3), (26, 18)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_resizing_keeps_a_flat_picture_flat(size, channels):
    pixels = np.full((40, 30, *channels), 77, np.uint8)
    result = resized(pixels, *size)
    assert result.shape == (*size, *channels)
    assert set(np.unique(result)) == {77}


def test_shrinking_keeps_the_mean_and_leaves_no_pixel_out():
    pixels = random_picture(300, 240)
    assert resized(pixels, 30, 24).mean() == pytest.approx(pixels.mean(), abs=1)
    dot = np.zeros((300, 240), np.uint8)
    dot[151, 121] = 255
    assert resized(dot, 30, 24).max() > 0


def test_growing_is_linear_between_pixels():
    assert resized(np.array([[0, 100]], np.uint8), 1, 4).tolist() == [[0, 25, 75, 100]]


def test_high_pixels_make_a_high_picture():
    drawing = Drawing(random_picture(10, 30), aspect=3.0)
    assert imagecodecs.png_decode(drawing.to_png()).shape == (30, 30)
    assert imagecodecs.png_decode(Drawing(random_picture(10, 30), aspect=0.5).to_png()).shape == (10, 60)
    assert imagecodecs.png_decode(drawing.to_png(15)).shape == (15, 15)
    assert drawing.squared(60).pixels.shape == (60, 60)


def test_saving_refuses_other_formats_and_tells_of_missing_folders(tmp_path):
    with pytest.raises(dk.errors.ValueFormatError, match="PNG"):
        save_png(tmp_path / "a.jpg", b"")
    with pytest.raises(dk.errors.SourceError):
        save_png(tmp_path / "none" / "a.png", b"")


@pytest.mark.parametrize(
    ("elements", "aspect"),
    [
        ({"PixelSpacing": [2, 1]}, 2),
        ({"ImagerPixelSpacing": [1, 4]}, 0.25),
        ({"PixelAspectRatio": [3, 2]}, 1.5),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [3, 2]}, 1),
        ({"SharedFunctionalGroupsSequence": [{"PixelMeasuresSequence": [{"PixelSpacing": [5, 1]}]}]}, 5),
        ({"PixelSpacing": [0, 1]}, 1),
        ({"PixelSpacing": [1e9, 1]}, 50),
        ({}, 1),
    ],
)
def test_aspect_of_pixels(elements, aspect):
    assert pixel_aspect(dk.DataSet(elements)) == aspect


def test_a_reel_draws_what_it_is_asked_for():
    ds = dk.samples.enhanced_ct(frames=5, size=16)
    reel = reel_of_frames(ds)
    assert reel.count == 5
    assert np.array_equal(reel.draw(3).pixels, dk.render(ds, 3))
    assert reel.number(None) == 2
    assert reel.number(-1) == 4
    with pytest.raises(dk.errors.PixelError, match="no frame 5"):
        reel.number(5)


def test_a_reel_runs_as_quickly_as_the_image_says():
    ds = dk.samples.ultrasound_cine()
    assert reel_of_frames(ds.assign(FrameTime=40)).seconds == 0.04
    assert reel_of_frames(ds.drop("FrameTime").assign(RecommendedDisplayFrameRate=5)).seconds == 0.2


def test_slices_of_a_volume_have_its_proportions():
    volume = dk.to_volume(dk.samples.ct_series(slices=4, size=16)).dicom.reslice("coronal")
    reel = reel_of_slices(volume)
    assert reel.count == 16
    assert reel.draw(0).aspect == pytest.approx(50 / 24)
    assert "mm" in reel.captions(3)


def test_what_is_windowed_already_stays_as_it_is():
    volume = dk.to_volume(dk.samples.ct_series(slices=2, size=16))
    grey = dk.window(volume, center=40, width=400)
    assert np.array_equal(reel_of_slices(grey).draw(1).pixels, grey.values[1])
    mask = volume > 0
    assert set(np.unique(reel_of_slices(mask).draw(1).pixels)) == {0, 255}


def test_titles():
    assert title_of(dk.DataSet(Modality="CT", SeriesNumber=3, SeriesDescription="a")) == "CT 3 · a"
    assert title_of(dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")) == "Secondary Capture Image"
    assert title_of(dk.DataSet()) == "image"
