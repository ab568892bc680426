"""A file that is read through a sliding window gives what the same bytes in memory give."""

from __future__ import annotations

import zipfile
from pathlib import Path
from random import Random

import pytest
from realdata import all_dicom_files, needs_data
from strategies import element, encoded, item, part10, plain, sequence

import dicomkit as dk
from dicomkit.sources import Bulk

EXPLICIT = "1.2.840.10008.1.2.1"
WINDOWS = (1 << 14, 1 << 16, 1 << 18)


def filler(tag: int, size: int) -> bytes:
    return element(tag, "OB", bytes(size))


def sizes_around(edge: int) -> list[int]:
    return [edge + step for step in range(-30, 12, 2)]


@pytest.mark.parametrize("edge", WINDOWS)
def test_an_element_at_the_edge_of_a_window(tmp_path: Path, edge: int) -> None:
    """What follows a filler starts a little before, at, or after the end of the first window."""
    made = {
        0x00100010: ("PN", "DOE^JANE"),
        0x00280010: ("US", 7),
        0x0040A730: ("SQ", [{0x00080100: ("SH", "A")}, {}, {0x0040A168: ("SQ", [{0x00080104: ("LO", "deep")}])}]),
        0x0040DB00: ("CS", "9"),
    }
    path = tmp_path / "a.dcm"
    for chance in (None, Random(1), Random(5)):
        after = encoded(made, chance=chance)
        for size in sizes_around(edge):
            start = part10(b"", EXPLICIT)
            data = start + filler(0x00090001, size - len(start) - 12) + after
            path.write_bytes(data)
            ds = dk.read(path)
            assert plain(ds.drop(0x00090001)) == made
            assert not ds.repairs
            assert ds == dk.read(data)
            cut = dk.read(path, stop_before=0x0040DB00)
            assert plain(cut.drop(0x00090001)) == {tag: made[tag] for tag in list(made)[:-1]}


def test_a_value_across_the_edge_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    for size in sizes_around(1 << 14):
        start = part10(b"", EXPLICIT)
        text = "x" * 1000
        data = start + filler(0x00090001, size - 500 - len(start) - 12) + element(0x00204000, "LT", text)
        path.write_bytes(data + element(0x00280010, "US", 3))
        ds = dk.read(path)
        path.unlink()
        assert (ds.ImageComments, ds.Rows) == (text, 3)


@pytest.mark.parametrize("empty_item", [item(b""), item(b"", undefined=True)])
@pytest.mark.parametrize("undefined", [False, True])
def test_a_file_ends_with_an_empty_item(tmp_path: Path, empty_item: bytes, undefined: bool) -> None:
    path = tmp_path / "a.dcm"
    for size in range(1 << 14, (1 << 14) + 60, 2):
        start = part10(b"", EXPLICIT)
        last = sequence(0x0040A730, empty_item, undefined=undefined)
        path.write_bytes(start + filler(0x00090001, size - len(start) - 12 - len(last)) + last)
        assert plain(dk.read(path))[0x0040A730] == ("SQ", [{}])
    assert plain(dk.read(part10(last, EXPLICIT))) == {0x0040A730: ("SQ", [{}])}


@pytest.mark.parametrize("left", range(9))
def test_a_file_ends_within_a_header(tmp_path: Path, left: int) -> None:
    """However the loops come to the end, the repairs are the same."""
    path = tmp_path / "a.dcm"
    inner = element(0x00080100, "SH", "A1")
    for undefined in (False, True):
        content = sequence(0x0040A730, item(inner, undefined=undefined) * 2, undefined=undefined)
        for cut in (len(content) - 8 - left, len(content) - 16 - left, len(content) - left):
            data = part10(content[:cut], EXPLICIT)
            path.write_bytes(data[: -cut or None] + filler(0x00090001, (1 << 14) - len(data) - 12) + data[-cut:])
            there, here = dk.read(path), dk.read(path.read_bytes())
            assert there.repairs == here.repairs
            assert plain(there) == plain(here)
            assert not any("value that ends" in repair.problem for repair in here.repairs)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("implicit", [False, True])
def test_many_elements_of_all_sizes(tmp_path: Path, seed: int, implicit: bool) -> None:
    chance = Random(seed)
    made = {}
    for number in range(400):
        size = chance.choice((0, 2, 10, 100, 1000, 16_000, 65_534, 65_536, 65_538, 70_000))
        if chance.random() < 0.85:
            size = min(size, 1000)
        made[0x00091000 + number] = ("OB" if not implicit else "UN", bytes([number % 256]) * size or None)
    for _ in range(30):
        inner = {0x00080104: ("LO", "x" * chance.randrange(0, 64, 2) or None), 0x0008010D: ("UI", "1.2")}
        made[0x00400000 + 8 * chance.randrange(1, 100)] = ("SQ", [inner] * chance.randrange(4))
    made = {tag: field for tag, field in sorted(made.items()) if field[0] != "SQ" or not implicit}
    data = part10(encoded(made, implicit=implicit, chance=chance), "1.2.840.10008.1.2" if implicit else EXPLICIT)
    path = tmp_path / "a.dcm"
    path.write_bytes(data)
    ds = dk.read(path)
    assert plain(ds) == plain(dk.read(data)) == made
    kept = sum(len(window) for _, window in ds._records.index.windows)
    assert kept <= 2 * len(data)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "a.dcm")
    assert dk.read(f"{tmp_path / 'a.zip'}!/a.dcm") == ds


def test_large_values_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    content = b"".join(element(0x00091000 + n, "OB", bytes(70_000)) for n in range(100))
    path.write_bytes(part10(content + element(0x00280010, "US", 3), EXPLICIT))
    ds = dk.read(path)
    assert all(isinstance(ds[0x00091000 + n], Bulk) for n in range(100))
    assert sum(len(window) for _, window in ds._records.index.windows) < len(content) / 3
    assert ds.Rows == 3


@needs_data
@pytest.mark.parametrize("chunk", range(8))
def test_real_files_from_path_and_from_memory(chunk: int) -> None:
    for path in all_dicom_files()[chunk::8]:
        if path.stat().st_size > 5_000_000:
            continue
        there, here = dk.read(path), dk.read(path.read_bytes())
        assert there == here
        assert [*map(int, there)] == [*map(int, here)]
        assert there.repairs == here.repairs
        assert list(there._records.index.rows) == list(here._records.index.rows)
