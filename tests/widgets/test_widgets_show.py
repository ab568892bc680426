"""`dk.show`: one call for images, cines, volumes and texts; what stays of it in a static export; hostile text."""

from __future__ import annotations

import base64
import re

import imagecodecs
import numpy as np
import pytest
from realdata import real_file

import dicomkit as dk

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def pictures(html: str) -> list[np.ndarray]:
    """The decoded images of a page."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [imagecodecs.png_decode(base64.b64decode(data)) for data in found]


def cine() -> dk.DataSet:
    return dk.samples.enhanced_ct(frames=6, size=32)


def test_one_image():
    ds = dk.samples.ct_series(slices=1, size=24)[0]
    view = dk.show(ds)
    assert repr(view) == "<View: CT 3 · Chest with contrast, 24 × 24>"
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert np.array_equal(pictures(bundle["text/html"])[0], dk.render(ds))


def test_a_window_of_the_caller():
    ds = dk.samples.ct_series(slices=1, size=24)[0]
    assert np.array_equal(dk.show(ds, window=(-600, 1500)).drawing.pixels, dk.render(ds, window=(-600, 1500)))


def test_paths_and_bytes(tmp_path):
    path = dk.samples.write_series(dk.samples.ct_series(slices=1, size=16), tmp_path)[0]
    expected = dk.render(dk.read(path))
    for source in (path, str(path), path.read_bytes()):
        assert np.array_equal(dk.show(source).drawing.pixels, expected)


def test_a_cine_is_live_and_has_its_middle_frame_as_a_still():
    ds = cine()
    bundle = dk.show(ds)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert np.array_equal(pictures(bundle["text/html"])[0], dk.render(ds, 3))


def test_the_slider_of_a_cine_turns_the_frame_and_draws_none_before():
    ds = cine()
    drawn = []
    view = dk.show(ds)
    reel = view.reel
    object.__setattr__(
        view, "reel", type(reel)(reel.title, reel.captions, lambda k: drawn.append(k) or reel.draw(k), 6)
    )
    box = view.widget()
    picture, (_, slider) = box.children[1], box.children[2].children
    assert set(drawn) == {3}
    slider.value = 5
    assert set(drawn) == {3, 5}
    assert np.array_equal(imagecodecs.png_decode(picture.value), dk.render(ds, 5))
    assert "frame 5" in box.children[3].value


def test_a_frame_that_cannot_be_drawn_is_told_below_the_last_one(tmp_path):
    path = dk.samples.write_series([cine()], tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-100])
    box = dk.show(path).widget()
    _, slider = box.children[2].children
    before = box.children[1].value
    slider.value = 5
    assert "frame 5" in box.children[3].value
    assert "cut short" in box.children[3].value
    assert box.children[1].value == before
    slider.value = 4
    assert "32 × 32 · 6 frames · frame 4" in box.children[3].value


def test_one_frame_of_a_cine():
    view = dk.show(cine(), frame=-1)
    assert view.index == 5
    assert "application/vnd.jupyter.widget-view+json" not in view._repr_mimebundle_()
    with pytest.raises(dk.errors.PixelError):
        dk.show(cine(), frame=6)


def test_volumes_and_single_slices():
    volume = dk.to_volume(dk.samples.ct_series(slices=4, size=16))
    assert dk.show(volume).reel.count == 4
    assert dk.show(volume.isel(slice=1)).reel.count == 1
    assert dk.show(volume, frame=0, window=(0, 10)).drawing.pixels.max() == 255
    with pytest.raises(dk.errors.ValueFormatError):
        dk.show(volume, window="auto")
    with pytest.raises(dk.errors.GeometryError):
        dk.show(volume.isel(row=0))


def test_save(tmp_path):
    view = dk.show(cine())
    view.at(2).save(tmp_path / "a.png")
    assert np.array_equal(imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), dk.render(cine(), 2))


def test_a_report_is_a_tree():
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33",
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[{"CodeMeaning": "Report"}],
        ContentSequence=[
            {
                "ValueType": "NUM",
                "RelationshipType": "CONTAINS",
                "ConceptNameCodeSequence": [{"CodeMeaning": "Length"}],
                "MeasuredValueSequence": [
                    {"NumericValue": 12.5, "MeasurementUnitsCodeSequence": [{"CodeValue": "mm"}]}
                ],
            },
            {"ValueType": "TEXT", "TextValue": HOSTILE},
            {"ValueType": "CODE", "ConceptCodeSequence": [{"CodeMeaning": "Liver"}]},
            {"ValueType": "IMAGE", "ReferencedSOPSequence": [{"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}]},
        ],
    )
    report = dk.show(ds)
    text = str(report)
    for part in ("Length", "12.5 mm", "Liver", "CT Image Storage"):
        assert part in text
    html = report._repr_html_()
    assert "12.5 mm" in html
    assert "<script" not in html
    assert "<img" not in html
    with pytest.raises(dk.errors.UnsupportedError, match="no picture"):
        report.save("x.png")
    with pytest.raises(dk.errors.UnsupportedError):
        dk.show(ds, frame=0)


def test_a_real_report():
    report = dk.show(real_file("02_pixel_codecs/cornerstone_ct_all_ts/no-pixel-data.dcm"))
    assert "Squamous cell carcinoma" in report._repr_html_()


@pytest.mark.parametrize("frames", [1, 3])
def test_hostile_text_is_escaped(frames):
    ds = dk.samples.enhanced_ct(frames=frames, size=16).assign(SeriesDescription=HOSTILE)
    view = dk.show(ds)
    html = view._repr_html_()
    assert "<script" not in html
    assert html.count("<img") == 1
    for child in view.widget().children if frames > 1 else ():
        assert "<script" not in str(getattr(child, "value", ""))


def test_a_broken_image_is_an_error_that_names_the_frame(tmp_path):
    path = dk.samples.write_series(dk.samples.ct_series(slices=1, size=32), tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(dk.errors.PixelError, match="frame 0"):
        dk.show(path).to_png()


def test_displaying_in_a_notebook_sends_the_live_view_and_a_still(monkeypatch):
    sent = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **options: sent.append((bundle, options)))
    dk.show(cine())._ipython_display_()
    (live, _), (still, options) = sent
    assert "application/vnd.jupyter.widget-view+json" in live
    assert len(pictures(still["text/html"])) == 1
    assert options.get("display_id")
    hidden = re.search(r"body:has\(\.(dk-\w+)\) \.(dk-\w+)-still\{display:none\}", still["text/html"])
    assert hidden
    assert hidden[1] == hidden[2]
    sent.clear()
    dk.show(cine(), frame=0)._ipython_display_()
    assert len(sent) == 1
