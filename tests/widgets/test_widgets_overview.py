"""`dk.overview`: a tile per series with its middle slice, and one for what could not be read, with the reason."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

import dicomkit as dk


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    dk.samples.write_series(dk.samples.ct_series(slices=5, size=48), folder / "ct")
    dk.samples.write_series([dk.samples.enhanced_ct(frames=3, size=32)], folder / "enhanced")
    cut = dk.samples.write_series([dk.samples.xray(size=64)], folder / "cut")[0]
    cut.write_bytes(cut.read_bytes()[:-99])
    (folder / "notes.txt").write_text("not DICOM <script>alert(1)</script>")
    (folder / "more.txt").write_text("not DICOM either")
    return folder


def test_tiles(folder):
    overview = dk.overview(dk.scan(folder))
    by_title = {tile.lines[0]: tile for tile in overview.tiles}
    ct = by_title["CT 3 · Chest with contrast"]
    assert ct.lines[1] == "5 images of 48 × 48"
    assert ct.path.endswith("CT-003-0003.dcm")
    assert ct.picture is not None
    assert ct.picture.pixels.shape == (192, 192)
    assert by_title["CT 5 · Chest with contrast, enhanced"].lines[1] == "3 frames of 32 × 32"
    assert "frame 0" in by_title["DX 1 · Chest PA"].reason
    unread = overview.tiles[-1]
    assert unread.lines == ("more.txt", "and 1 more")
    assert unread.reason.startswith("not read: ")
    assert len(overview.tiles) == 4


def test_html_has_the_pictures_the_reasons_and_nothing_hostile(folder):
    table = dk.scan(folder)
    table.loc[table["error"].notna(), "error"] = "<script>alert(1)</script>"
    html = dk.overview(table)._repr_html_()
    assert html.count("data:image/png") == 2
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_contact_sheet(folder, tmp_path):
    overview = dk.overview(dk.scan(folder))
    overview.savefig(tmp_path / "a.png", dpi=50)
    sheet = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    assert sheet.shape[1] > sheet.shape[0]
    assert len(np.unique(sheet)) > 50
    overview.save(tmp_path / "b.png", dpi=50)
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_text_of_a_contact_sheet_is_no_formula(folder):
    ds = dk.samples.ct_series(slices=1, size=16)[0].assign(SeriesDescription="$frac{$ _^ x$")
    path = dk.samples.write_series([ds], folder.parent / "formula")[0]
    assert dk.overview(dk.scan(path)).to_png(dpi=30)[:4] == b"\x89PNG"


def test_limit(folder):
    overview = dk.overview(dk.scan(folder), limit=1)
    assert (len(overview.tiles), overview.hidden) == (1, 3)
    assert "3 more" in overview._repr_html_()


def test_objects_without_pixels_and_files_without_series(tmp_path):
    report = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11",
        SOPInstanceUID="1.2.3",
        Modality="SR",
        SeriesNumber=1,
        InstanceNumber=1,
    )
    dk.samples.write_series([report], tmp_path)
    [tile] = dk.overview(dk.scan(tmp_path)).tiles
    assert tile.reason == "no picture: Basic Text SR Storage"


def test_other_tables():
    with pytest.raises(dk.errors.ValueFormatError, match="path"):
        dk.overview(dk.to_table([dk.DataSet(Rows=1)]))


def test_an_empty_table(tmp_path):
    overview = dk.overview(dk.scan(tmp_path))
    assert overview.tiles == ()
    assert overview.to_png(dpi=20)[:4] == b"\x89PNG"
    assert "0 tiles" in overview._repr_html_()
