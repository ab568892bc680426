"""Siemens CSA headers and protocols, held against nibabel; hostile bytes."""

import gzip
import pickle
import random
import re
import struct
import warnings
from typing import Any

import pytest
from realdata import DATA, needs_data

import dicomkit as dk
from dicomkit.dataset.siemens_csa import parse_ascconv, parse_csa, siemens_csa, siemens_protocol

PRIVATE = DATA / "09_private_tags"
SIEMENS = [*sorted(PRIVATE.glob("*.dcm")), *sorted((DATA / "06_series_mr" / "siemens_nih").rglob("*.dcm"))]


def as_tuple(value: Any) -> tuple[Any, ...]:
    """The values that are there, as a tuple."""
    values = list(value) if isinstance(value, (tuple, list)) else [value]
    while values and values[-1] in (None, "", b""):
        values.pop()
    return tuple(values)


def same_as_nibabel(data: bytes) -> int:
    """Compare every entry; return how many have values."""
    csareader = pytest.importorskip("nibabel.nicom.csareader")
    ours = parse_csa(data)
    theirs = csareader.read(data)
    assert (ours.version, list(ours)) == (theirs["type"], list(theirs["tags"]))
    for name, tag in theirs["tags"].items():
        assert as_tuple(ours[name]) == as_tuple(tag["items"]), name
        assert ours.vrs[name] == tag["vr"]
    return sum(value is not None for value in ours.values())


@needs_data
@pytest.mark.parametrize("name", ["csa2_b0.bin", "csa2_b1000.bin", "csa2_zero_len.bin.gz", "csa_str_valid.bin"])
def test_the_same_as_nibabel(name: str) -> None:
    path = PRIVATE / name
    same_as_nibabel(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


@needs_data
def test_the_same_as_nibabel_within_files() -> None:
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in SIEMENS:
            ds = dk.read(path)
            elements = ds.private("SIEMENS CSA HEADER", 0x0029)
            headers = siemens_csa(ds)
            for part, last in (("image", 0x10), ("series", 0x20)):
                if part in headers:
                    assert same_as_nibabel(bytes(elements[last].raw)) > 10
                    compared += 1
    assert compared > 20


@needs_data
def test_values_of_a_diffusion_image() -> None:
    header = parse_csa((PRIVATE / "csa2_b1000.bin").read_bytes())
    assert header["B_value"] == 1000
    assert header["NumberOfImagesInMosaic"] == 48
    assert len(header["DiffusionGradientDirection"]) == 3
    assert pickle.loads(pickle.dumps(header)) == header
    with pytest.raises(KeyError, match="Nothing"):
        header["Nothing"]


@needs_data
def test_the_protocol_is_the_same_as_nibabel() -> None:
    ascconv = pytest.importorskip("nibabel.nicom.ascconv")
    text = (PRIVATE / "ascconv_sample.txt").read_text()
    ours, (theirs, _) = parse_ascconv(text), ascconv.parse_ascconv(text, '""')
    for name, value in ours.items():
        place = theirs
        for step in re.findall(r"[^.\[\]]+", name):
            place = place[int(step)] if isinstance(place, list) else place[step]
        assert place == value, name
    assert len(ours) == 917


@needs_data
def test_the_protocol_of_an_image() -> None:
    protocol = siemens_protocol(dk.read(PRIVATE / "0.dcm"))
    assert protocol["sSliceArray.asSlice[0].dThickness"] > 0
    with pytest.raises(dk.errors.MissingElementError, match="no Siemens protocol"):
        siemens_protocol(dk.DataSet())


def older(entries: dict[str, tuple[str, list[str]]], items: int = 6) -> bytes:
    """A header of the first version: lengths count from the number of items of the first entry."""
    parts = [struct.pack("<2I", len(entries), 77)]
    for name, (vr, texts) in entries.items():
        parts.append(struct.pack("<64si4siii", name.encode(), len(texts), vr.encode(), 0, items, 77))
        for number in range(items):
            text = texts[number].encode() + b"\0" if number < len(texts) else b""
            parts.append(struct.pack("<4i", len(text) + items, 0, 0, 0) + text + bytes(-len(text) % 4))
    return b"".join(parts)


def test_the_older_form() -> None:
    data = older(
        {"EchoTime": ("DS", ["4.5"]), "Slices": ("IS", ["1", "2", "3"]), "Coil": ("LO", ["HEAD"]), "No": ("LO", [])}
    )
    header = parse_csa(data)
    assert (header.version, dict(header)) == (1, {"EchoTime": 4.5, "Slices": (1, 2, 3), "Coil": "HEAD", "No": None})


def test_hostile_bytes_raise_only_read_errors() -> None:
    entries = {f"Entry{n}": ("DS", ["1.5", "2"]) for n in range(20)}
    item = struct.pack("<4i", 4, 4, 77, 4) + b"1.5\0"
    newer = b"SV10\4\3\2\1" + struct.pack("<2I", 1, 77) + struct.pack("<64si4siii", b"A", 1, b"DS", 3, 1, 77) + item
    chance, outcomes = random.Random(3), set()
    for data in (older(entries), newer):
        for _ in range(1500):
            broken = bytearray(data[: chance.choice([len(data), chance.randrange(len(data))])])
            for _ in range(chance.randrange(5)):
                if broken:
                    broken[chance.randrange(len(broken))] = chance.choice([0, 0x7F, 0xFF, chance.randrange(256)])
            try:
                parse_csa(bytes(broken))
                outcomes.add("read")
            except dk.errors.ReadError:
                outcomes.add("error")
    assert outcomes == {"read", "error"}


def test_a_damaged_header_names_its_tag() -> None:
    creator = dk.Element.of((0x0029, 0x0010), "SIEMENS CSA HEADER", "LO")
    ds = dk.DataSet([creator, dk.Element.of((0x0029, 0x1010), b"SV10\4\3\2\1" + b"\xff" * 8, "OB")])
    with pytest.raises(dk.errors.ReadError, match=r"0029,1010"):
        siemens_csa(ds)


@pytest.mark.parametrize("text", ["", "### ASCCONV BEGIN ###", "### ASCCONV BEGIN ###\nx y z\n### ASCCONV END ###"])
def test_what_is_no_protocol(text: str) -> None:
    with pytest.raises(dk.errors.ReadError):
        parse_ascconv(text)


def test_kinds_of_protocol_values() -> None:
    lines = ["a = 0x1F", "b = -3 # c", "c = 1e-3", 'd = "x = y"', 'e[0].f = ""q""', 'g = ""', "h = " + "9" * 5000]
    text = "### ASCCONV BEGIN object=x ###\n" + "\n".join(lines) + "\n### ASCCONV END ###\n"
    found = dict(parse_ascconv(text))
    assert isinstance(found.pop("h"), (float, str))
    assert found == {"a": 31, "b": -3, "c": 0.001, "d": "x = y", "e[0].f": "q", "g": ""}


def test_marks_without_end() -> None:
    with pytest.raises(dk.errors.ReadError):
        parse_ascconv("### ASCCONV BEGIN " * 20_000)
