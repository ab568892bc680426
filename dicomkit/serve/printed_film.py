"""A film as a picture: its images where the layout says, densities as greys, trim and texts (PS3.3 C.13.3, C.13.5)."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.dimse.provider import Refused
from dicomkit.display.text import one_line, shorten
from dicomkit.objects.film import Place, film_size
from dicomkit.objects.film_pixels import FilmPicture, image_size, read_image_item
from dicomkit.pixels.icc import to_colour_space
from dicomkit.pixels.resize import fitted_size, resize
from dicomkit.serve.film_hierarchy import AnnotationBox, FilmBox, ImageBox, Printer
from dicomkit.serve.print_density import Response

Picture: TypeAlias = "NDArray[np.uint8]"

DEMAGNIFIED, CROPPED, DECIMATED, TOO_LARGE = 0xB604, 0xB609, 0xB60A, 0xC603
_STRIP, _LETTERS, _TRIM = 9.0, 4.5, 0.3
"""Millimetres: the height of a line of texts, of its letters, and the width of a trim."""
_REFLECTIVE = 150.0
"""The illumination of paper in cd/m2 (PS3.4 H.4.2.2.1.1)."""


class Fit(NamedTuple):
    """How large an image is on a film, in film pixels; whether it is cut to its box, and the status that says so."""

    rows: int
    columns: int
    is_cropped: bool = False
    status: int = 0


def fit(
    rows: int,
    columns: int,
    aspect: float,
    room: tuple[int, int],
    *,
    magnification: str = "",
    width: float | None = None,
    behaviour: str = "",
) -> Fit:
    """Decide how large an image is on a film.

    Parameters
    ----------
    rows, columns, aspect
        Of the image, and how much higher than wide its pixels are.
    room
        Rows and columns of its box, in film pixels.
    magnification
        Magnification Type: with NONE an image pixel is a film pixel.
    width
        Requested Image Size, in film pixels.
    behaviour
        Requested Decimate/Crop Behavior.

    Raises
    ------
    Refused
        When it is larger than its box, and may be neither decimated nor cropped.

    Examples
    --------
    >>> fit(256, 512, 1.0, (400, 400))
    Fit(rows=200, columns=400, is_cropped=False, status=46596)
    >>> fit(100, 100, 1.0, (400, 400), width=250).columns
    250
    """
    larger = rows > room[0] or columns > room[1]
    if width is not None and magnification != "NONE":
        size = max(1, round(width * aspect * rows / columns)), max(1, round(width))
        larger = size[0] > room[0] or size[1] > room[1]
    elif magnification == "NONE" or (larger and behaviour == "CROP"):
        size = rows, columns
    else:
        size = _filling(rows, columns, aspect, room)
    if not larger:
        return Fit(*size)
    if behaviour == "FAIL" or (magnification == "NONE" and behaviour == "DECIMATE"):
        text = f"{rows} x {columns} image pixels in a box of {room[0]} x {room[1]}"
        raise Refused(text, status=TOO_LARGE)
    if behaviour == "CROP" or magnification == "NONE":
        return Fit(*size, is_cropped=True, status=CROPPED)
    return Fit(*_filling(rows, columns, aspect, room), status=DECIMATED if behaviour == "DECIMATE" else DEMAGNIFIED)


def _filling(rows: int, columns: int, aspect: float, room: tuple[int, int]) -> tuple[int, int]:
    high, wide = fitted_size(rows, columns, aspect, room)
    return min(high, room[0]), min(wide, room[1])


def dots_per_mm(film: FilmBox, printer: Printer) -> float:
    """Return how finely a film is drawn."""
    finer = 2 if film.attributes.get("RequestedResolutionID") == "HIGH" else 1
    return printer.dots_per_inch * finer / 25.4


def size_of(film: FilmBox, printer: Printer) -> tuple[float, float]:
    """Return the width and height of a film in mm."""
    name = film.attributes.get("FilmSizeID") or printer.film_size
    return film_size(str(name), str(film.attributes.get("FilmOrientation") or "PORTRAIT"))


def rooms(film: FilmBox, printer: Printer) -> list[tuple[slice, slice]]:
    """Return the rows and columns of film pixels that each image box has."""
    width, height = size_of(film, printer)
    scale = dots_per_mm(film, printer)
    above, below = (_STRIP if any(side in box.where for box in film.annotations) else 0.0 for side in ("top", "bottom"))
    places = film.layout.places(width, height - above - below)
    return [_pixels(place._replace(top=place.top + above), scale) for place in places]


def _pixels(place: Place, scale: float) -> tuple[slice, slice]:
    top, left = round(place.top * scale), round(place.left * scale)
    bottom, right = round((place.top + place.height) * scale), round((place.left + place.width) * scale)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def fit_of(film: FilmBox, box: ImageBox, printer: Printer, room: tuple[slice, slice]) -> Fit:
    """Decide how large the image of a box is on its film.

    Raises
    ------
    Refused
        When it is larger than its box, and may be neither decimated nor cropped.
    """
    if box.image is None:
        return Fit(0, 0)
    requested = box.attributes.get("RequestedImageSize")
    return fit(
        *image_size(box.image, colour=film.is_colour),
        (room[0].stop - room[0].start, room[1].stop - room[1].start),
        magnification=_magnification(film, box),
        width=float(requested) * dots_per_mm(film, printer) if isinstance(requested, (int, float)) else None,
        behaviour=str(box.attributes.get("RequestedDecimateCropBehavior") or ""),
    )


def _magnification(film: FilmBox, box: ImageBox) -> str:
    return str(box.attributes.get("MagnificationType") or film.attributes.get("MagnificationType") or "")


def compose(film: FilmBox, printer: Printer) -> Picture:
    """Draw a film.

    Parameters
    ----------
    film
        With its images.
    printer
        Which knows resolution, densities, and the size of films that name none.

    Returns
    -------
    ndarray of uint8
        ``(rows, columns)``, or ``(rows, columns, 3)`` of a film in colour.

    Raises
    ------
    DicomError
        When an image or the ICC profile can't be used.
    """
    width, height = size_of(film, printer)
    scale = dots_per_mm(film, printer)
    response = response_of(film, printer)
    border = _density(film.attributes.get("BorderDensity"), response)
    shape = round(height * scale), round(width * scale)
    sheet: Picture = np.full((*shape, *([3] * film.is_colour)), border, np.uint8)
    empty = _density(film.attributes.get("EmptyImageDensity"), response)
    for box, room in zip(film.images, rooms(film, printer), strict=False):
        sheet[room] = empty
        if box.image is None:
            continue
        size = fit_of(film, box, printer, room)
        picture = _placed(_printed(film, box, response), size, (sheet[room].shape[:2]), _magnification(film, box))
        top = room[0].start + (room[0].stop - room[0].start - picture.shape[0]) // 2
        left = room[1].start + (room[1].stop - room[1].start - picture.shape[1]) // 2
        inner = slice(top, top + picture.shape[0]), slice(left, left + picture.shape[1])
        if film.attributes.get("Trim") == "YES":
            _trim(sheet, inner, max(1, round(_TRIM * scale)), 0 if border > 127 else 255)
        sheet[inner] = picture
    return _with_texts(sheet, film.annotations, scale, 0 if border > 127 else 255)


def response_of(film: FilmBox, printer: Printer) -> Response:
    """Return how the densities of a film look, in the light that it is meant for."""
    paper = printer.min_density, printer.max_density
    light, ambient = film.attributes.get("Illumination"), film.attributes.get("ReflectedAmbientLight")
    return Response(*paper, float(light or 2000), float(10 if ambient is None else ambient))


def _density(said: object, response: Response) -> int:
    """The grey of a border or empty density: BLACK where nothing is said."""
    text = str(said or "BLACK")
    if text.isdecimal():
        return round(response.grey(float(text[:6])))
    return 255 if text == "WHITE" else 0


def _printed(film: FilmBox, box: ImageBox, response: Response) -> FilmPicture:
    """The image of a box in the greys or colours of the film."""
    assert box.image is not None
    picture = read_image_item(box.image, colour=film.is_colour)
    reverse = box.attributes.get("Polarity") == "REVERSE"
    if film.is_colour:
        profile = film.attributes.get("ICCProfile")
        pixels = 255 - picture.pixels if reverse else picture.pixels
        return FilmPicture(to_colour_space(pixels, bytes(profile)) if profile else pixels, picture.aspect)
    lightest, darkest = (
        _first(box.attributes.get(keyword), film.attributes.get(keyword), limit)
        for keyword, limit in (("MinDensity", response.min_density), ("MaxDensity", response.max_density))
    )
    table = response.table(picture.bits, box.lut or film.lut, lightest, darkest)
    return FilmPicture((table[::-1] if reverse else table)[picture.pixels], picture.aspect)


def _first(*values: Any) -> float:
    return float(next(value for value in values if isinstance(value, (int, float))))


def _placed(picture: FilmPicture, size: Fit, room: tuple[int, ...], magnification: str) -> Picture:
    """Bring an image to its size, and cut it to its box."""
    pixels: Picture = picture.pixels
    rows, columns = size.rows, size.columns
    if size.is_cropped:
        pixels, rows = _middle(pixels, rows, room[0], 0)
        pixels, columns = _middle(pixels, columns, room[1], 1)
    if pixels.shape[:2] == (rows, columns):
        return pixels
    if magnification == "CUBIC":
        from PIL import Image

        enlarged = Image.fromarray(np.ascontiguousarray(pixels)).resize((columns, rows), Image.Resampling.BICUBIC)
        return np.asarray(enlarged)
    return resize(pixels, rows, columns, "nearest" if magnification == "REPLICATE" else "linear")


def _middle(pixels: Picture, size: int, room: int, axis: int) -> tuple[Picture, int]:
    """Cut the rows or columns that have no room at the ends; return what is left, and its size on the film."""
    if size <= room:
        return pixels, size
    count = pixels.shape[axis]
    kept = min(max(1, round(count * room / size)), count)
    start = (count - kept) // 2
    return pixels[start : start + kept] if axis == 0 else pixels[:, start : start + kept], room


def _trim(sheet: Picture, inner: tuple[slice, slice], thickness: int, grey: int) -> None:
    """Draw a frame around an image, which is drawn over it."""
    rows, columns = (
        slice(max(side.start - thickness, 0), min(side.stop + thickness, length))
        for side, length in zip(inner, sheet.shape, strict=False)
    )
    sheet[rows, columns] = grey


def _with_texts(sheet: Picture, annotations: tuple[AnnotationBox, ...], scale: float, grey: int) -> Picture:
    """Write texts into the strips above and below the images."""
    if not any(box.text for box in annotations):
        return sheet
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.fromarray(sheet)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(6, round(_LETTERS * scale)))
    height, width = sheet.shape[:2]
    for box in annotations:
        right, bottom = "right" in box.where, "bottom" in box.where
        x = width - 3 * scale if right else 3 * scale
        y = height - _STRIP / 2 * scale if bottom else _STRIP / 2 * scale
        text = shorten(one_line(box.text), 120)
        draw.text((x, y), text, fill=(grey,) * 3 if sheet.ndim == 3 else grey, font=font, anchor=f"{'lr'[right]}m")
    return np.asarray(canvas)
