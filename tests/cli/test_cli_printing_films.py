"""`dicomkit print`, against a printer of ours."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

import dicomkit as dk
from dicomkit.cli.printing_arguments import add_print
from dicomkit.cli.printing_films import COMMANDS
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.serve.film_hierarchy import Printer
from dicomkit.serve.print_management import printing
from dicomkit.serve.printed_files import PrintedFilm


@pytest.fixture
def films() -> list[PrintedFilm]:
    return []


@pytest.fixture
def printer(films: list[PrintedFilm]) -> Iterator[str]:
    service = printing(films.append, printer=Printer("FILM1", status="WARNING", info="SUPPLY LOW", dots_per_inch=50))
    with dk.serve_dimse(services=[service], port=0) as server:
        yield str(server.peer())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dk.samples.write_series(dk.samples.ct_series(3, 16), tmp_path)
    (tmp_path / "notes.txt").write_text("no DICOM")
    return tmp_path


def run(*argv: object) -> str:
    parser = argparse.ArgumentParser()
    add_print(parser.add_subparsers(dest="command"))
    arguments = parser.parse_args(["print", *map(str, argv)])
    return "\n".join(COMMANDS[arguments.command](arguments))


def test_a_folder_is_printed(printer: str, films: list[PrintedFilm], folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "steps.csv"
    options = ["--layout", "2x1", "--film-size", "A4", "--copies", 2, "--wait", 5, "--out", out]
    more = ["--film", "BorderDensity=WHITE", "Illumination=1500", "--image", "RequestedImageSize=50.5"]
    said = run(printer, folder, *options, *more, "--text", "a text", "--text-format", "LABEL")
    assert "2 of 2 films printed, 3 of 3 images" in said
    assert said.count("print job: DONE") == 2
    assert "FILM1: WARNING, SUPPLY LOW" in said
    assert [film.size for film in films] == [(210.0, 297.0)] * 2
    assert films[0].copies == 2
    assert films[0].picture[0, 0] == 255
    assert len(out.read_text().splitlines()) == 1 + 2 + 3 + 2 + 2


def test_the_status_alone(printer: str, films: list[PrintedFilm]) -> None:
    assert run(printer, "--status") == "FILM1: WARNING, SUPPLY LOW"
    assert films == []


def test_what_fails_is_an_error_after_its_table(printer: str, folder: Path) -> None:
    with pytest.raises(DicomError, match="0 of 1 films printed"):
        run(printer, folder, "--film", "Trim=MAYBE")


@pytest.mark.parametrize("options", [[], ["--film", "Trim"], ["--image", "RequestedImageSize=wide"]])
def test_arguments_that_make_no_sense(printer: str, folder: Path, options: list[str]) -> None:
    with pytest.raises(ValueFormatError):
        run(printer, *([folder, *options] if options else []))
