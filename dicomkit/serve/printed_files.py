"""Printed films as files: PNG pictures in their true size, and PDF documents of several films."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.dimse.provider import Caller
from dicomkit.replacement import replace_file

FilmFormat: TypeAlias = Literal["png", "pdf"]
_POINTS = 72 / 25.4


@dataclass(frozen=True, slots=True, eq=False)
class PrintedFilm:
    """A film as it was printed.

    Attributes
    ----------
    picture
        ``(rows, columns)``, or ``(rows, columns, 3)`` of a film in colour.
    size
        Width and height in mm.
    number, count
        Which film of its job it is, from 1, and how many there are.
    copies
        How often it is to be printed.
    label
        Of the film session.
    job_uid
        Of the print job.
    caller
        Who asked for it.
    created
        When.
    """

    picture: NDArray[np.uint8] = field(repr=False)
    size: tuple[float, float]
    number: int = 1
    count: int = 1
    copies: int = 1
    label: str = ""
    job_uid: str = ""
    caller: Caller | None = None
    created: datetime | None = None

    @property
    def name(self) -> str:
        """A name for its files that nothing from the wire can choose."""
        moment = f"{self.created:%Y%m%d-%H%M%S}" if self.created else "film"
        return f"{moment}-{self.job_uid[-12:].replace('.', '')}"

    def to_png(self) -> bytes:
        """Write it as PNG that knows its true size.

        Examples
        --------
        >>> PrintedFilm(np.zeros((20, 10), np.uint8), (10, 20)).to_png()[1:4]
        b'PNG'
        """
        from PIL import Image

        out = io.BytesIO()
        dots = tuple(
            pixels / length * 25.4 for pixels, length in zip(self.picture.shape[1::-1], self.size, strict=False)
        )
        Image.fromarray(self.picture).save(out, "PNG", dpi=dots, compress_level=4)
        return out.getvalue()

    def _repr_png_(self) -> bytes:
        return self.to_png()


def write_films(folder: str, films: Iterable[PrintedFilm], formats: Sequence[FilmFormat]) -> list[str]:
    """Write the films of a job to a folder: a PNG file of each, one PDF file of all.

    Raises
    ------
    SourceError
        When it can't be written.
    """
    written: list[str] = []
    pages: list[_Page] = []
    name = ""
    for film in films:
        name = film.name
        if "png" in formats:
            path = os.path.join(folder, f"{name}-{film.number}.png")
            replace_file(path, [film.to_png()])
            written.append(path)
        if "pdf" in formats:
            pages.append(_Page.of(film))
    if pages:
        path = os.path.join(folder, f"{name}.pdf")
        replace_file(path, _document(pages))
        written.append(path)
    return written


def make_pdf(films: Iterable[PrintedFilm]) -> bytes:
    """Write films as the pages of a PDF document, without loss and in their true size.

    Examples
    --------
    >>> make_pdf([PrintedFilm(np.zeros((20, 10), np.uint8), (10, 20))])[:8]
    b'%PDF-1.4'
    """
    return b"".join(_document([_Page.of(film) for film in films]))


@dataclass(frozen=True, slots=True)
class _Page:
    """A compressed picture, and the size of its page in mm."""

    data: bytes
    shape: tuple[int, ...]
    size: tuple[float, float]

    @classmethod
    def of(cls, film: PrintedFilm) -> _Page:
        return cls(zlib.compress(np.ascontiguousarray(film.picture).data, 6), film.picture.shape, film.size)


def _document(pages: Sequence[_Page]) -> Iterator[bytes]:
    """Write a catalog, the list of pages, and each page: itself, what is drawn on it, and its picture."""
    kids = " ".join(f"{3 * number + 3} 0 R" for number in range(len(pages)))
    objects: list[tuple[str, bytes]] = [
        ("/Type /Catalog /Pages 2 0 R", b""),
        (f"/Type /Pages /Kids [{kids}] /Count {len(pages)}", b""),
    ]
    for number, page in enumerate(pages):
        objects += _page_objects(page, 3 * number + 3)
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    position, places = len(out), []
    yield out
    for number, (entries, stream) in enumerate(objects, 1):
        places.append(position)
        length = f" /Length {len(stream)}" if stream else ""
        out = f"{number} 0 obj\n<< {entries}{length} >>\n".encode("ascii")
        out += b"stream\n" + stream + b"\nendstream\nendobj\n" if stream else b"endobj\n"
        position += len(out)
        yield out
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n"
    yield f"{end}startxref\n{position}\n%%EOF\n".encode("ascii")


def _page_objects(page: _Page, first: int) -> list[tuple[str, bytes]]:
    width, height = (round(length * _POINTS, 2) for length in page.size)
    space = "/DeviceRGB" if len(page.shape) == 3 else "/DeviceGray"
    drawn = f"q {width:g} 0 0 {height:g} 0 0 cm /Film Do Q".encode("ascii")
    return [
        (
            f"/Type /Page /Parent 2 0 R /MediaBox [0 0 {width:g} {height:g}] /Contents {first + 1} 0 R"
            f" /Resources << /XObject << /Film {first + 2} 0 R >> >>",
            b"",
        ),
        ("", drawn),
        (
            f"/Type /XObject /Subtype /Image /Width {page.shape[1]} /Height {page.shape[0]} /ColorSpace {space}"
            " /BitsPerComponent 8 /Filter /FlateDecode",
            page.data,
        ),
    ]
