"""Media types, Accept negotiation, and the tables of PS3.18 8.7."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import STANDARD, needs_standard

from dicomkit.errors import DicomError, ReadError, ValueFormatError
from dicomkit.web.dicom_media_types import (
    FORMER_NAMES,
    INSTANCE,
    OCTET_STREAM,
    PIXEL_DATA,
    RENDERED,
    default_transfer_syntax,
    pixel_media_type,
)
from dicomkit.web.media_types import MediaType, choose, parse_accept

JPEG, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"


@pytest.mark.parametrize(
    ("text", "essence", "parameters"),
    [
        ("application/dicom", "application/dicom", {}),
        ("Application/DICOM+JSON", "application/dicom+json", {}),
        (" text/html ; charset=UTF-8 ", "text/html", {"charset": "UTF-8"}),
        ('multipart/related; type="application/dicom"; boundary=abc', "multipart/related",
         {"type": "application/dicom", "boundary": "abc"}),
        ("multipart/related;type=application/dicom+json;boundary=a=b", "multipart/related",
         {"type": "application/dicom+json", "boundary": "a=b"}),
        ('a/b; X="a\\"b\\\\;,c"', "a/b", {"x": 'a"b\\;,c'}),
        ("a/b;;  ; q=1;", "a/b", {"q": "1"}),
        ('a/b; x=""', "a/b", {"x": ""}),
        ("a/b; boundary=--=_(a b)'+/?:", "a/b", {"boundary": "--=_(a b)'+/?:"}),
        ("a/b; x=1; x=1", "a/b", {"x": "1"}),
    ],
)  # fmt: skip
def test_parsing(text: str, essence: str, parameters: dict[str, str]) -> None:
    media_type = MediaType.parse(text)
    assert (media_type.essence, dict(media_type.parameters)) == (essence, parameters)
    assert MediaType.parse(str(media_type)) == media_type


@pytest.mark.parametrize(
    "text", ["", "dicom", "a/", "/b", "a/b c", "a/b; x", "a/b; x=1; x=2", 'a/b; x="1', "a/b,c/d", "a" * 20_000]
)
def test_what_is_no_media_type(text: str) -> None:
    with pytest.raises(ReadError, match="media type"):
        MediaType.parse(text)


tokens = st.from_regex(r"[A-Za-z0-9!#$&^_.+-]{1,10}", fullmatch=True)
written_values = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)


@given(tokens, tokens, st.dictionaries(tokens.map(lambda name: "x" + name.lower()), written_values, max_size=4))
def test_what_is_built_is_parsed(type_: str, subtype: str, parameters: dict[str, str]) -> None:
    media_type = MediaType(type_.lower(), subtype.lower(), tuple(parameters.items()))
    assert MediaType.parse(str(media_type)) == media_type


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(DicomError):
        MediaType.parse(text)
    for media_type in parse_accept(text):
        assert 0 <= media_type.quality <= 1


def test_building() -> None:
    media_type = MediaType.of("multipart/related", type="application/dicom", transfer_syntax="*")
    assert str(media_type) == 'multipart/related; type="application/dicom"; transfer-syntax=*'
    assert str(media_type.with_parameters(transfer_syntax=JPEG)["transfer-syntax"]) == JPEG
    for bad in ({"x": "a\nb"}, {"é": "a"}):
        with pytest.raises(ValueFormatError, match="can't be a parameter"):
            MediaType.of("a/b", **bad)
    with pytest.raises(ValueFormatError, match="no media type"):
        MediaType.of("nonsense")


@pytest.mark.parametrize(
    ("text", "quality"),
    [("a/b", 1), ("a/b;q=0.5", 0.5), ("a/b;q=0", 0), ("a/b;q=x", 0), ("a/b;q=7", 1), ("a/b;q=-1", 0), ("a/b;q=nan", 0)],
)
def test_quality(text: str, quality: float) -> None:
    assert MediaType.parse(text).quality == quality


def test_accept_leaves_out_what_is_invalid() -> None:
    accept = 'text/html, , nonsense;q=1, multipart/related; type="image/jp2,x"; q=0.5,image/*'
    assert [str(each) for each in parse_accept(accept)] == [
        "text/html", 'multipart/related; type="image/jp2,x"; q=0.5', "image/*",
    ]  # fmt: skip
    assert parse_accept(["a/b", "c/d"]) == parse_accept("a/b,c/d")


def test_the_example_of_ps3_18() -> None:
    """Table 8.7.8-1."""
    accept = "text/*; q=0.5, text/html; q=0.4, text/html; level=1, text/html; level=2; q=0.7, image/png, */*; q=0.4"
    offers = ["text/html", "text/html; level=1", "text/html; level=2", "text/rtf", "text/plain", "text/x-latex"]
    assert str(choose(accept, offers)) == "text/html; level=1"
    expected = {"text/html; level=2": 0.7, "text/plain": 0.5, "text/rtf": 0.5, "text/html": 0.4, "image/gif": 0.4}
    for offer, quality in expected.items():
        probe = f"application/probe;q={quality + 0.05}"
        assert str(choose(f"{accept},{probe}", [offer, "application/probe"])) == "application/probe"
        probe = f"application/probe;q={quality - 0.05}"
        assert str(choose(f"{accept},{probe}", [offer, "application/probe"])) == offer


@pytest.mark.parametrize(
    ("accept", "offered", "chosen"),
    [
        (None, ["a/b"], None),
        ("", ["a/b"], None),
        ("*/*", ["application/dicom+json", "application/dicom+xml"], 0),
        ("application/json", ["application/dicom+json"], None),
        ("application/dicom+json;q=0", ["application/dicom+json"], None),
        ("*/*, application/dicom+json;q=0", ["application/dicom+json", "application/dicom+xml"], 1),
        ("APPLICATION/dicom+JSON", ["application/dicom+json"], 0),
        ("application/dicom+json; charset=utf-8", ["application/dicom+json"], 0),
        ('multipart/related; type="application/dicom"', ['multipart/related; type="application/dicom"'], 0),
        ("multipart/related; type=application/dicom", ['multipart/related; type="application/dicom"; boundary=x'], 0),
        ('multipart/related; type="application/dicom+xml"', ['multipart/related; type="application/dicom"'], None),
        ('multipart/related; type="image/*"',
         ['multipart/related; type="video/mp4"', 'multipart/related; type="image/jls"'], 1),
        ('multipart/related; type="application/dicom"', ["multipart/related"], None),
        ("multipart/related", ['multipart/related; type="application/dicom"'], 0),
        # Transfer syntaxes (8.7.3.5.2): none is the default one, * is any.
        ("application/dicom", ["application/dicom; transfer-syntax=1.2.840.10008.1.2.1"], 0),
        ("application/dicom", [f"application/dicom; transfer-syntax={JPEG}"], None),
        (f"application/dicom; transfer-syntax={JPEG}", ["application/dicom"], None),
        (f"application/dicom; transfer-syntax={JPEG}", [f"application/dicom; transfer-syntax={JPEG}"], 0),
        ("application/dicom; transfer-syntax=*", [f"application/dicom; transfer-syntax={JPEG}"], 0),
        (f"image/jp2; transfer-syntax={JPEG_2000}", ["image/jp2"], 0),
        (f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}',
         [f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}'], 0),
        (f'multipart/related; type="application/dicom; transfer-syntax={JPEG}"',
         [f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}'], 0),
        ('multipart/related; type="application/dicom"; transfer-syntax=*',
         [f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}'], 0),
        (f'multipart/related; type="application/dicom";transfer-syntax={JPEG};q=0.5,'
         f'multipart/related; type="application/dicom";transfer-syntax={JPEG_2000}',
         [f'multipart/related; type="application/dicom"; transfer-syntax={uid}' for uid in (JPEG, JPEG_2000)], 1),
        ("image/x-jls", ["image/jls"], 0),
    ],
)  # fmt: skip
def test_choosing(accept: str | None, offered: list[str], chosen: int | None) -> None:
    found = choose(accept, offered)
    assert found == (None if chosen is None else MediaType.parse(offered[chosen]))


def rows_of(label: str) -> list[list[str]]:
    """The rows of a table of PS3.18, cells that span rows filled in."""
    tables = json.loads((STANDARD / "ps3.18_tables_2024e.json").read_text(encoding="utf-8"))
    return next(table["rows"] for table in tables if table["label"] == label)


@needs_standard
def test_the_table_of_pixel_data_is_that_of_the_standard() -> None:
    found: dict[str, list[str]] = {}
    defaults: dict[str, list[str]] = {}
    essence = ""
    for row in rows_of("8.7.3-5"):
        essence = next((cell for cell in row if re.fullmatch(r"(image|video)/[\w-]+", cell)), essence).lower()
        syntax = next((cell for cell in row if cell.startswith("1.2.840.10008.1.2.")), None)
        if syntax is not None:
            found.setdefault(essence, []).append(syntax)
            if "D" in row:
                defaults.setdefault(essence, []).append(syntax)
    assert {essence: set(syntaxes) for essence, syntaxes in found.items()} == {
        essence: set(syntaxes) for essence, syntaxes in PIXEL_DATA.items()
    }
    assert all(default_transfer_syntax(essence) in syntaxes for essence, syntaxes in defaults.items())
    assert set(defaults) == set(PIXEL_DATA)


@needs_standard
def test_the_table_of_rendered_media_types_is_that_of_the_standard() -> None:
    found: dict[str, list[str]] = {}
    category = ""
    for row in rows_of("8.7.4-1"):
        category = (
            {"single": "single frame", "multi-": "multi-frame"}.get(row[0][:6].lower(), row[0].lower())
            if ("/" not in row[0])
            else category
        )
        found.setdefault(category, []).append(next(cell for cell in row if "/" in cell))
    assert found == {category: list(essences) for category, essences in RENDERED.items()}


def test_defaults() -> None:
    assert default_transfer_syntax(INSTANCE) == default_transfer_syntax(OCTET_STREAM) == "1.2.840.10008.1.2.1"
    assert default_transfer_syntax("image/jpeg") == "1.2.840.10008.1.2.4.70"
    assert default_transfer_syntax("video/H265") == "1.2.840.10008.1.2.4.107"
    assert default_transfer_syntax("text/html") is None
    assert pixel_media_type(JPEG_2000) == "image/jp2"
    assert all(default_transfer_syntax(former) for former in FORMER_NAMES)
    assert len({syntax for each in PIXEL_DATA.values() for syntax in each}) == sum(map(len, PIXEL_DATA.values()))
