"""The viewer of slices: planes and letters, controls that change the picture, static export, speed."""

from __future__ import annotations

import time

import imagecodecs
import numpy as np
import pytest
import xarray as xr

import dicomkit as dk
from dicomkit.widgets.browse import CUSTOM
from dicomkit.widgets.slices import STORED, letters, planes_of

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def ct() -> xr.DataArray:
    return dk.to_volume(dk.samples.ct_series(slices=10, size=32))


def shown(browser) -> np.ndarray:
    """The picture that the widget holds."""
    return imagecodecs.png_decode(browser._view["picture"].value)


def letters_of(browser) -> list[str]:
    return [browser._view[side].value.split(">")[1].split("<")[0] for side in "lrtb"]


@pytest.mark.parametrize(
    ("direction", "text"),
    [
        ((1, 0, 0), "L"),
        ((-1, 0, 0), "R"),
        ((0, 1, 0), "P"),
        ((0, 0, 1), "H"),
        ((0.6, 0, -0.8), "FL"),
        ((0.05, -1, 0.1), "A"),
    ],
)
def test_letters(direction, text):
    assert letters(direction) == text


def test_the_first_picture_is_the_middle_slice_in_the_window_of_the_header(ct):
    browser = dk.browse(ct)
    assert browser.sight.index == 5
    assert np.array_equal(shown(browser), dk.window(ct.values[5], 40, 400, "LINEAR_EXACT"))
    assert letters_of(browser) == ["R", "L", "A", "P"]


def test_the_slice_slider_changes_the_picture(ct):
    browser = dk.browse(ct)
    browser.controls["slice"].value = 2
    assert np.array_equal(shown(browser), dk.window(ct.values[2], 40, 400, "LINEAR_EXACT"))
    assert "slice 2 of 0–9" in browser._view["note"].value


def test_the_window_sliders_and_presets_change_the_picture_and_each_other(ct):
    browser = dk.browse(ct)
    controls = browser.controls
    controls["preset"].value = (-600.0, 1500.0)
    assert (controls["center"].value, controls["width"].value) == (-600, 1500)
    assert np.array_equal(shown(browser), dk.window(ct.values[5], -600, 1500, "LINEAR_EXACT"))
    controls["center"].value = -500
    assert controls["preset"].value == CUSTOM
    controls["center"].value = -600
    assert controls["preset"].value == (-600.0, 1500.0)


def test_a_slider_that_a_browser_snaps_to_its_steps_is_still_at_its_preset(ct):
    browser = dk.browse(ct, window=(-600, 1500))
    browser.controls["width"].value = 1499.9999999999998
    assert browser.controls["preset"].value == (-600, 1500)
    assert browser.sight.window == (-600, 1500)
    uneven = dk.browse(ct, window=(12.3, 456.7))
    uneven.controls["center"].value = 12.0
    assert uneven.controls["preset"].value == (12.3, 456.7)
    uneven.controls["center"].value = 14.0
    assert uneven.controls["preset"].value == CUSTOM


def test_the_plane_changes_picture_letters_and_proportions(ct):
    browser = dk.browse(ct)
    browser.controls["plane"].value = "coronal"
    assert browser.sight.index == 16
    assert browser.controls["slice"].max == 31
    expected = ct.dicom.reslice("coronal").values[16]
    assert np.array_equal(shown(browser), dk.window(expected, 40, 400, "LINEAR_EXACT"))
    assert letters_of(browser) == ["R", "L", "H", "F"]
    layout = browser._view["picture"].layout
    assert (layout.width, layout.height) == ("480px", "250px")
    browser.controls["plane"].value = "sagittal"
    assert letters_of(browser) == ["A", "P", "H", "F"]
    browser.controls["slice"].value = 31
    browser.controls["plane"].value = "axial"
    assert browser.sight.index == 5


def test_every_slice_of_every_plane_equals_the_resliced_volume(ct):
    for name, plane in planes_of(ct).items():
        whole = ct.dicom.reslice(name).values
        assert plane.count == len(whole)
        for index in range(0, plane.count, 5):
            assert np.array_equal(plane.taken(ct, index).values, whole[index])


def test_an_oblique_volume_is_seen_as_stored_and_in_the_planes_of_the_patient():
    volume = dk.to_volume(dk.samples.mr_series(slices=6, size=32))
    browser = dk.browse(volume)
    assert next(iter(browser._planes)) == STORED
    assert shown(browser).shape == (32, 32)
    for name in ("axial", "coronal", "sagittal"):
        browser.controls["plane"].value = name
        assert shown(browser).max() > 100


def test_an_uneven_volume_is_seen_as_stored():
    series = dk.samples.ct_series(slices=6, size=16)
    volume = dk.to_volume(series[:2] + series[3:], gaps="keep")
    browser = dk.browse(volume)
    assert browser.sight.plane == STORED
    assert letters_of(browser) == ["", "", "", ""]


def test_further_dimensions_have_sliders(ct):
    volume = xr.concat(
        [ct, ct + np.int16(500)], "time", coords="minimal", compat="override", join="override"
    ).assign_coords(time=[0, 7])
    browser = dk.browse(volume)
    before = shown(browser)
    browser.controls["time"].value = 1
    assert not np.array_equal(shown(browser), before)
    assert "time 7" in browser.caption


def test_colour_and_masks(ct):
    colour = ct.expand_dims(sample=3, axis=3).astype("uint8")
    browser = dk.browse(colour)
    assert "center" not in browser.controls
    assert shown(browser).shape == (32, 32, 3)
    mask = dk.browse(ct > 0)
    assert set(np.unique(shown(mask))) == {0, 255}


def test_floating_point_with_gaps():
    values = np.full((4, 8, 8), np.nan, np.float32)
    values[1:3] = 0.25
    values[2, 2] = 0.5
    browser = dk.browse(xr.DataArray(values, dims=("slice", "row", "column")))
    assert shown(browser).max() == 255
    assert browser.sight.plane == STORED


def test_a_static_export_shows_the_state(ct):
    browser = dk.browse(ct, plane="coronal", index=7, window=(-600, 1500))
    bundle = browser._repr_mimebundle_()
    assert WIDGET in bundle
    assert 'src="data:image/png' in bundle["text/html"]
    assert "coronal slice 7 of 0–31" in bundle["text/html"]
    assert "window -600 / 1500 HU" in bundle["text/html"]
    browser.controls["slice"].value = 9
    assert "coronal slice 9 of" in browser._repr_html_()


def test_the_still_follows_the_live_view(ct, monkeypatch):
    sent, updated = [], []

    class Handle:
        def update(self, bundle, **options):
            updated.append(bundle["text/html"])

    def display(bundle, display_id=None, **options):
        sent.append(bundle)
        return Handle() if display_id else None

    monkeypatch.setattr("IPython.display.display", display)
    browser = dk.browse(ct)
    browser._ipython_display_()
    assert WIDGET in sent[0]
    assert "slice 5 of" in sent[1]["text/html"]
    browser.controls["slice"].value = 1
    assert "slice 1 of" in updated[-1]


def test_save(ct, tmp_path):
    browser = dk.browse(ct, plane="sagittal")
    browser.save(tmp_path / "a.png")
    assert imagecodecs.png_decode((tmp_path / "a.png").read_bytes()).shape == (17, 32)


def test_hostile_text_is_escaped(ct):
    browser = dk.browse(ct.assign_attrs(SeriesDescription="<script>x</script>", units="<b>HU"))
    html = browser._repr_html_()
    assert "<script" not in html
    assert "<b>HU" not in html
    assert "<script" not in browser.widget().children[0].value
    assert "<b>HU" not in browser._view["note"].value


def test_what_is_no_volume_is_refused(ct):
    with pytest.raises(dk.errors.GeometryError, match="dimensions"):
        dk.browse(ct.isel(slice=0))
    with pytest.raises(dk.errors.GeometryError, match="oblique"):
        dk.browse(ct, plane="oblique")
    with pytest.raises(dk.errors.GeometryError, match="no slice 10"):
        dk.browse(ct, index=10)
    with pytest.raises(dk.errors.ValueFormatError):
        dk.browse(ct, window=(0, 0))


def test_a_change_takes_a_moment_only():
    volume = xr.DataArray(
        np.random.default_rng(0).integers(-1000, 1000, (8, 512, 512), dtype=np.int16), dims=("slice", "row", "column")
    )
    browser = dk.browse(volume)
    times = []
    for index in range(8):
        start = time.perf_counter()
        browser.controls["slice"].value = index
        times.append(time.perf_counter() - start)
    assert sorted(times)[2] < 0.03
