"""Where images come out on a film, and how dark: layouts, sizes, densities, texts; as PNG and PDF."""

from __future__ import annotations

import io
import re
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.provider import Refused
from dicomkit.objects.film import FILM_SIZES, Layout, film_size
from dicomkit.objects.film_pixels import FilmPicture, make_image_item, read_image_item
from dicomkit.pixels.icc import profile_of_space
from dicomkit.pixels.lookup import LookupTable
from dicomkit.serve.film_hierarchy import AnnotationBox, FilmBox, ImageBox, PresentationLut, Printer
from dicomkit.serve.print_density import Response, jnd_index
from dicomkit.serve.printed_files import PrintedFilm, make_pdf
from dicomkit.serve.printed_film import CROPPED, DECIMATED, DEMAGNIFIED, compose, fit

PRINTER = Printer(dots_per_inch=25.4)  # a film pixel is a millimetre


def film(
    layout: str,
    *pictures: Any,
    size: str = "24CMX30CM",
    lut: PresentationLut | None = None,
    box: dict[str, Any] | None = None,
    annotations: tuple[AnnotationBox, ...] = (),
    **attributes: Any,
) -> FilmBox:
    colour = any(picture.ndim == 3 for picture in pictures)
    images = [
        ImageBox(f"1.{number}", number, DataSet(box or {}), make_image_item(FilmPicture(picture)))
        for number, picture in enumerate(pictures, 1)
    ]
    made = Layout.of(layout)
    images += [ImageBox(f"1.{number}", number) for number in range(len(images) + 1, made.boxes(240, 300) + 1)]
    data = DataSet({"FilmSizeID": size, **attributes})
    return FilmBox("1", made, colour, data, tuple(images), annotations, lut or PresentationLut())


def flat(value: int, rows: int = 4, columns: int = 4) -> Any:
    return np.full((rows, columns), value, np.uint8)


# ---- layouts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", FILM_SIZES)
@pytest.mark.parametrize("layout", ["STANDARD\\3,4", "ROW\\1,2,3", "COL\\2,1", "SLIDE", "SUPERSLIDE"])
def test_boxes_lie_on_the_film_and_apart(size: str, layout: str) -> None:
    width, height = film_size(size, "LANDSCAPE")
    taken = np.zeros((round(height), round(width)), int)
    places = Layout.of(layout).places(width, height)
    assert len(places) == Layout.of(layout).boxes(width, height)
    for left, top, wide, high in places:
        assert left >= 0
        assert top >= 0
        assert left + wide <= width
        assert top + high <= height
        taken[round(top) : round(top + high), round(left) : round(left + wide)] += 1
    assert taken.max() == 1


@pytest.mark.parametrize(
    ("layout", "centres"),
    [
        (
            "STANDARD\\2,3",
            [(1 / 6, 1 / 4), (1 / 6, 3 / 4), (1 / 2, 1 / 4), (1 / 2, 3 / 4), (5 / 6, 1 / 4), (5 / 6, 3 / 4)],
        ),
        ("ROW\\1,3", [(1 / 4, 1 / 2), (3 / 4, 1 / 6), (3 / 4, 1 / 2), (3 / 4, 5 / 6)]),
        ("COL\\1,3", [(1 / 2, 1 / 4), (1 / 6, 3 / 4), (1 / 2, 3 / 4), (5 / 6, 3 / 4)]),
    ],
)
@pytest.mark.parametrize("orientation", ["PORTRAIT", "LANDSCAPE"])
def test_images_are_where_the_layout_says(layout: str, centres: list[tuple[float, float]], orientation: str) -> None:
    values = [40 * number for number in range(1, len(centres) + 1)]
    sheet = compose(film(layout, *map(flat, values), FilmOrientation=orientation), PRINTER)
    assert sheet.shape == ((300, 240) if orientation == "PORTRAIT" else (240, 300))
    assert [int(sheet[int(y * sheet.shape[0]), int(x * sheet.shape[1])]) for y, x in centres] == values


def test_an_image_fills_its_box_in_its_proportions() -> None:
    sheet = compose(film("STANDARD\\1,1", flat(200, 10, 20)), PRINTER)
    rows, columns = np.nonzero(sheet == 200)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (118, 236)
    assert abs(int(rows.min() + rows.max()) - 299) <= 1


def test_pixels_that_are_no_squares() -> None:
    made = film("STANDARD\\1,1", flat(200, 10, 20))
    item = make_image_item(FilmPicture(flat(200, 10, 20), aspect=2.0))
    sheet = compose(FilmBox("1", made.layout, False, made.attributes, (ImageBox("1.1", 1, image=item),)), PRINTER)
    rows, columns = np.nonzero(sheet == 200)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (236, 236)


def test_a_requested_size_is_in_millimetres() -> None:
    sheet = compose(film("STANDARD\\1,1", flat(200, 10, 20), box={"RequestedImageSize": 100}), PRINTER)
    rows, columns = np.nonzero(sheet == 200)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (50, 100)


def test_an_image_pixel_is_a_film_pixel_without_magnification() -> None:
    picture = np.arange(200, dtype=np.uint8).reshape(10, 20) + np.uint8(50)
    sheet = compose(film("STANDARD\\1,1", picture, MagnificationType="NONE"), PRINTER)
    rows, columns = np.nonzero(sheet)
    found = sheet[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert found.tolist() == picture.tolist()


def test_replicated_pixels_are_those_of_the_image() -> None:
    picture = np.random.default_rng(1).integers(1, 256, (59, 59), np.uint8)
    sheet = compose(film("STANDARD\\1,1", picture, MagnificationType="REPLICATE"), PRINTER)
    rows = np.nonzero(sheet)[0]
    found = sheet[rows.min() : rows.max() + 1, 2:238]
    assert found.tolist() == np.repeat(np.repeat(picture, 4, 0), 4, 1).tolist()


def test_what_is_cropped_is_the_middle() -> None:
    picture = np.tile(np.arange(256, dtype=np.uint8).repeat(2), (4, 1))
    sheet = compose(film("STANDARD\\1,1", picture, box={"RequestedDecimateCropBehavior": "CROP"}), PRINTER)
    row = sheet[150, 2:238]
    assert row.tolist() == picture[0, 138:374].tolist()


@pytest.mark.parametrize(
    ("options", "status", "size"),
    [
        ({}, DEMAGNIFIED, (50, 100)),
        ({"behaviour": "DECIMATE"}, DECIMATED, (50, 100)),
        ({"behaviour": "CROP"}, CROPPED, (200, 400)),
        ({"magnification": "NONE"}, CROPPED, (200, 400)),
        ({"width": 80.0}, 0, (40, 80)),
        ({"width": 101.0}, DEMAGNIFIED, (50, 100)),
        ({"width": 300.0, "behaviour": "CROP"}, CROPPED, (150, 300)),
    ],
)
def test_what_is_too_large(options: dict[str, Any], status: int, size: tuple[int, int]) -> None:
    found = fit(200, 400, 1.0, (100, 100), **options)
    assert (found.status, (found.rows, found.columns)) == (status, size)


@pytest.mark.parametrize("options", [{"behaviour": "FAIL"}, {"magnification": "NONE", "behaviour": "DECIMATE"}])
def test_what_may_not_be_made_smaller_fails(options: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        fit(200, 400, 1.0, (100, 100), **options)
    assert caught.value.status == 0xC603


def test_magnification_of_an_image_wins_over_that_of_its_film() -> None:
    picture = np.array([[0, 255]], np.uint8)
    both = {"MagnificationType": "BILINEAR", "box": {"MagnificationType": "REPLICATE"}}
    assert set(np.unique(compose(film("STANDARD\\1,1", picture, **both), PRINTER)).tolist()) == {0, 255}
    smooth = compose(film("STANDARD\\1,1", picture, MagnificationType="CUBIC"), PRINTER)
    assert len(np.unique(smooth)) > 50


# ---- densities -----------------------------------------------------------------------------------------------------


def test_borders_and_empty_boxes_have_their_densities() -> None:
    sheet = compose(film("STANDARD\\2,1", flat(100), BorderDensity="WHITE", EmptyImageDensity="150"), PRINTER)
    assert sheet[0, 0] == 255
    assert sheet[150, 180] == 85
    assert sheet[150, 60] == 100


def test_polarity_exchanges_black_and_white() -> None:
    sheet = compose(film("STANDARD\\1,1", flat(100), box={"Polarity": "REVERSE"}), PRINTER)
    assert sheet[150, 120] == 155
    colour = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    sheet = compose(film("STANDARD\\1,1", colour, box={"Polarity": "REVERSE"}), PRINTER)
    assert sheet[150, 120].tolist() == [245, 235, 225]


def test_values_of_12_bits_go_through_the_table() -> None:
    entries = np.arange(4096, dtype=np.uint16)[::-1] * 16
    table = PresentationLut("", LookupTable(0, entries, 16))
    sheet = compose(film("STANDARD\\1,1", np.full((4, 4), 1000, np.uint16), lut=table), PRINTER)
    assert sheet[150, 120] == round((4095 - 1000) * 16 / 65535 * 255)


def test_linear_densities_look_as_the_standard_display_function_says() -> None:
    sheet = compose(film("STANDARD\\1,1", flat(51), lut=PresentationLut("LIN OD")), PRINTER)
    density = (310 + 51 / 255 * (20 - 310)) / 100
    low, value, high = (jnd_index(10 + 2000 * 10.0**-od) for od in (3.1, density, 0.2))
    assert sheet[150, 120] == round(float((value - low) / (high - low) * 255))


def test_a_smaller_range_of_densities_has_less_contrast() -> None:
    response = Response(20, 310)
    white = compose(film("STANDARD\\1,1", flat(255), MinDensity=100), PRINTER)[150, 120]
    assert white == round(response.grey(100)) < 255
    black = compose(film("STANDARD\\1,1", flat(0), box={"MaxDensity": 200}), PRINTER)[150, 120]
    assert black == round(response.grey(200)) > 0


def test_jnd_indices_are_those_of_the_table_of_the_standard() -> None:
    # PS3.14 Table B-1 has L(j) of each j
    known = {1: 0.05, 72: 1.0123, 100: 1.8508, 189: 7.1863, 216: 9.9044, 500: 119.1326, 1022: 3967.547}
    for index, luminance in known.items():
        assert float(jnd_index(luminance)) == pytest.approx(index, abs=0.1)


def test_colours_go_through_the_profile_of_the_film() -> None:
    colour = np.full((4, 4, 3), (200, 30, 30), np.uint8)
    sheet = compose(film("STANDARD\\1,1", colour, ICCProfile=profile_of_space("Adobe RGB")), PRINTER)
    assert sheet[150, 120].tolist() == [233, 24, 24]
    assert compose(film("STANDARD\\1,1", colour), PRINTER)[150, 120].tolist() == [200, 30, 30]


def test_a_trim_surrounds_an_image() -> None:
    sheet = compose(film("STANDARD\\1,1", flat(100), Trim="YES"), PRINTER)
    ys, xs = np.nonzero(sheet == 255)
    assert (ys.min(), xs.min(), ys.max(), xs.max()) == (31, 1, 268, 238)
    assert sheet[32, 2] == 100


def test_texts_stand_in_strips_of_their_own() -> None:
    boxes = (AnnotationBox("1", 1, "top left", "UP"), AnnotationBox("2", 2, "bottom right", "DOWN"))
    fine = Printer(dots_per_inch=127)
    sheet = compose(film("STANDARD\\1,1", flat(0), annotations=boxes, BorderDensity="WHITE"), fine)
    height, width = sheet.shape
    top, middle, bottom = sheet[:45], sheet[46 : height - 46], sheet[height - 45 :]
    assert top[:, : width // 2].min() < 50 < 200 < top[:, width // 2 :].min()
    assert bottom[:, width // 2 :].min() < 50 < 200 < bottom[:, : width // 2].min()
    assert middle[:, 20:-20].max() == 255  # around the square image


def test_high_resolution_is_twice_as_fine() -> None:
    assert compose(film("STANDARD\\1,1", flat(0), RequestedResolutionID="HIGH"), PRINTER).shape == (600, 480)


# ---- items ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pixels",
    [
        np.random.default_rng(2).integers(0, 256, (3, 5), np.uint8),
        np.random.default_rng(3).integers(0, 4096, (3, 5), np.uint16),
        np.random.default_rng(4).integers(0, 256, (3, 5, 3), np.uint8),
    ],
    ids=["8 bits", "12 bits", "colour"],
)
def test_pictures_go_into_items_and_back(pixels: Any) -> None:
    item = make_image_item(FilmPicture(pixels, 1.25))
    picture = read_image_item(item, colour=pixels.ndim == 3)
    assert picture.pixels.tolist() == pixels.tolist()
    assert picture.aspect == 1.25
    assert len(item.PixelData) % 2 == 0


def test_colours_by_pixel_are_read_too() -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    item = make_image_item(FilmPicture(pixels)).assign(PlanarConfiguration=0, PixelData=pixels.tobytes())
    assert read_image_item(item, colour=True).pixels.tolist() == pixels.tolist()


# ---- files ---------------------------------------------------------------------------------------------------------


def printed(picture: Any, size: tuple[float, float]) -> PrintedFilm:
    return PrintedFilm(picture, size)


def test_a_png_has_the_size_of_the_film() -> None:
    sheet = np.random.default_rng(5).integers(0, 256, (300, 240), np.uint8)
    with Image.open(io.BytesIO(printed(sheet, (240.0, 300.0)).to_png())) as png:
        assert png.info["dpi"] == pytest.approx((25.4, 25.4), abs=0.02)
        assert np.asarray(png).tolist() == sheet.tolist()


def test_a_pdf_has_a_page_of_each_film() -> None:
    rng = np.random.default_rng(6)
    grey, colour = rng.integers(0, 256, (30, 24), np.uint8), rng.integers(0, 256, (24, 30, 3), np.uint8)
    document = make_pdf([printed(grey, (240.0, 300.0)), printed(colour, (300.0, 240.0))])
    assert re.findall(rb"/MediaBox \[([^]]*)\]", document) == [b"0 0 680.31 850.39", b"0 0 850.39 680.31"]
    assert b"/Count 2" in document
    streams = re.findall(rb"/FlateDecode /Length (\d+) >>\nstream\n", document)
    pictures = []
    for length, start in zip(streams, re.finditer(rb"/FlateDecode /Length \d+ >>\nstream\n", document), strict=True):
        pictures.append(zlib.decompress(document[start.end() : start.end() + int(length)]))
    assert pictures == [grey.tobytes(), colour.tobytes()]
    table = document[int(document.split(b"startxref\n")[1].split(b"\n")[0]) :]
    places = [int(line[:10]) for line in table.splitlines() if line.endswith(b" n ")]
    assert [document[place:].split(b" ", 1)[0] for place in places] == [b"%d" % n for n in range(1, len(places) + 1)]


def test_a_reader_of_pdf_sees_the_films() -> None:
    pdfium = pytest.importorskip("pypdfium2")
    sheet = np.random.default_rng(7).integers(0, 256, (300, 240), np.uint8)
    document = pdfium.PdfDocument(make_pdf([printed(sheet, (240.0, 300.0))]))
    seen = np.asarray(document[0].render(scale=25.4 / 72).to_pil().convert("L"))
    assert seen.shape == sheet.shape
    assert seen.tolist() == sheet.tolist()
