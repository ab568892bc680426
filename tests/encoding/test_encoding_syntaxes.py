"""What was encoded is what is read, in every transfer syntax, from every kind of source."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import Made, data_sets, element, encoded, item, marker, part10, plain, sequence

import dicomkit as dk
from dicomkit.errors import DicomError, ReadError, SourceError
from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
GE_PRIVATE = "1.2.840.113619.5.2"
JPEG = "1.2.840.10008.1.2.4.50"
SMALL: Made = {
    0x00080016: ("UI", "1.2.3"),
    0x00080060: ("CS", "CT"),
    0x00100010: ("PN", "DOE^JANE"),
    0x00280010: ("US", 512),
    0x0040A730: ("SQ", [{0x00080100: ("SH", "A")}, {}]),
}


def deflated(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    out = machine.compress(data) + machine.flush()
    return out + bytes(len(out) % 2)


@given(data_sets(), st.integers(0, 1 << 30))
def test_explicit_little_endian(made: Made, seed: int) -> None:
    ds = dk.read(part10(encoded(made, chance=Random(seed)), EXPLICIT))
    assert plain(ds) == made
    assert not ds.repairs
    assert ds.transfer_syntax.uid == ds.meta.TransferSyntaxUID == EXPLICIT


@given(data_sets(), st.integers(0, 1 << 30))
def test_explicit_big_endian(made: Made, seed: int) -> None:
    ds = dk.read(part10(encoded(made, big=True, chance=Random(seed)), BIG))
    assert plain(ds) == made
    assert not ds.repairs
    assert ds.transfer_syntax.big_endian


@given(data_sets(private=False), st.integers(0, 1 << 30))
def test_implicit_little_endian(made: Made, seed: int) -> None:
    ds = dk.read(part10(encoded(made, implicit=True, chance=Random(seed)), IMPLICIT))
    assert plain(ds) == made
    assert not ds.repairs


@given(data_sets(), st.integers(0, 1 << 30))
def test_deflated(made: Made, seed: int) -> None:
    ds = dk.read(part10(deflated(encoded(made, chance=Random(seed))), DEFLATED))
    assert plain(ds) == made
    assert not ds.repairs
    assert ds.transfer_syntax.deflated


@given(data_sets(private=False), st.integers(0, 1 << 30))
def test_data_sets_are_equal_however_they_are_encoded(made: Made, seed: int) -> None:
    words = {tag for tag, (vr, _) in made.items() if vr.startswith("O")}
    made = {tag: field for tag, field in made.items() if tag not in words}
    little = dk.read(part10(encoded(made, chance=Random(seed)), EXPLICIT))
    implicit = dk.read(part10(encoded(made, implicit=True), IMPLICIT))
    again = dk.read(part10(encoded(made, chance=Random(seed + 1)), EXPLICIT))
    assert little == implicit == again
    assert hash(little) == hash(implicit) == hash(again)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG, IMPLICIT])
@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize("has_meta", [True, False])
def test_preamble_and_meta_may_be_missing(syntax: str, preamble: bool, has_meta: bool) -> None:
    content = encoded(SMALL, big=syntax == BIG, implicit=syntax == IMPLICIT)
    if has_meta:
        data = part10(content, syntax, preamble=preamble)
    else:
        data = (bytes(128) + b"DICM" if preamble else b"") + content
    ds = dk.read(data)
    assert plain(ds) == SMALL
    assert (ds.transfer_syntax.implicit_vr, ds.transfer_syntax.big_endian) == (syntax == IMPLICIT, syntax == BIG)
    assert bool(len(ds.meta)) == has_meta
    problems = " ".join(repair.problem for repair in ds.repairs)
    assert ("no preamble" in problems, "no file meta" in problems) == (not preamble, not has_meta)


def test_prefix_without_preamble() -> None:
    ds = dk.read(b"DICM" + part10(encoded(SMALL), EXPLICIT, preamble=False))
    assert plain(ds) == SMALL
    assert "without a preamble" in ds.repairs[0].problem


@pytest.mark.parametrize("size", [100, 136, 512])
def test_a_preamble_of_another_size(size: int) -> None:
    ds = dk.read(bytes(size) + part10(encoded(SMALL), EXPLICIT)[128:])
    assert plain(ds) == SMALL
    assert f"a preamble of {size} bytes" in ds.repairs[0].problem


def test_the_caller_knows_better() -> None:
    # Neither the first tag nor its length tells how this is encoded.
    content = element(0x00110001, "LO", "ab", implicit=True)
    with pytest.raises(ReadError, match="no DICOM"):
        dk.read(content)
    ds = dk.read(content, transfer_syntax="ImplicitVRLittleEndian")
    assert ds[0x00110001] == b"ab"


def test_ge_private_pixels_are_big_endian() -> None:
    content = encoded(SMALL, implicit=True) + element(0x7FE00010, "OW", b"\1\2\3\4", implicit=True)
    ds = dk.read(part10(content, GE_PRIVATE))
    assert ds.transfer_syntax.big_endian_pixels
    assert not ds.transfer_syntax.big_endian
    assert (ds.Rows, bytes(ds.PixelData)) == (512, b"\1\2\3\4")
    assert not ds.repairs


def test_encapsulated_pixel_data() -> None:
    table = bytes(8)
    parts = [b"\xff\xd8" + bytes(98_000), b"\xff\xd8ab"]
    pixels = b"".join(map(item, (table, *parts))) + marker(0xE0DD)
    content = encoded(SMALL) + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + pixels
    after = element(0xFFFCFFFC, "OB", bytes(4))
    ds = dk.read(part10(content + after, JPEG))
    value = ds.PixelData
    assert isinstance(value, Fragments)
    assert value.offset_table == table
    assert [bytes(part) for part in value.parts] == parts
    assert value.item_offsets == (0, 8 + len(parts[0]))
    assert all(isinstance(part, Bulk) for part in value.parts)
    assert ds.element("PixelData").vr == "OB"
    assert ds[0xFFFCFFFC] == bytes(4)
    assert not ds.repairs


def test_extended_offset_table_is_located() -> None:
    table, lengths = (0).to_bytes(8, "little") + (12).to_bytes(8, "little"), (4).to_bytes(8, "little") * 2
    content = element(0x7FE00001, "OV", table) + element(0x7FE00002, "OV", lengths)
    content += b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + item(b"") + item(b"abcd") * 2 + marker(0xE0DD)
    ds = dk.read(part10(content, JPEG))
    assert (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths) == (table, lengths)
    assert ds.PixelData.item_offsets == (0, 12)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "näme with space.dcm"
    path.write_bytes(part10(encoded(SMALL) + element(0x7FE00010, "OW", bytes(range(256)) * 1000), EXPLICIT))
    return path


@pytest.fixture(scope="module")
def archive(file: Path) -> Path:
    path = file.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as made:
        made.write(file, "folder/a.dcm", zipfile.ZIP_DEFLATED)
        made.write(file, "stored.dcm", zipfile.ZIP_STORED)
    return path


def check(ds: dk.DataSet, path: str | None) -> None:
    assert plain(ds.drop("PixelData")) == SMALL
    assert bytes(ds.PixelData) == bytes(range(256)) * 1000
    assert ds.PixelData.read(1000, 10) == (bytes(range(256)) * 1000)[1000:1010]
    assert ds.path == path


def test_from_a_path(file: Path) -> None:
    check(dk.read(file), str(file))
    check(dk.read(str(file)), str(file))


def test_from_memory(file: Path) -> None:
    data = file.read_bytes()
    for given_data in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        check(dk.read(given_data), None)
    with file.open("rb") as opened:
        check(dk.read(opened), None)


@pytest.mark.parametrize("name", ["folder/a.dcm", "stored.dcm"])
def test_from_a_zip_member(archive: Path, name: str) -> None:
    check(dk.read(f"{archive}!/{name}"), f"{archive}!/{name}")
    check(dk.read(zipfile.Path(archive) / name), f"{archive}!/{name}")
    check(dk.read(zipfile.Path(zipfile.ZipFile(io.BytesIO(archive.read_bytes()))) / name), None)


def test_from_a_url(file: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://dicomkit/a.dcm", "wb") as out:
        out.write(file.read_bytes())
    check(dk.read("memory://dicomkit/a.dcm"), "memory://dicomkit/a.dcm")
    with pytest.raises(SourceError, match="no-such"):
        dk.read("memory://dicomkit/no-such.dcm")
    with pytest.raises(SourceError):
        dk.read("nosuchprotocol://a.dcm")


def test_what_can_not_be_opened(tmp_path: Path, archive: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no zip")
    for where in (tmp_path / "none.dcm", tmp_path, f"{archive}!/none.dcm", f"{broken}!/a.dcm", "a\0b"):
        with pytest.raises(SourceError) as caught:
            dk.read(where)
        assert isinstance(caught.value, OSError)
        assert caught.value.path == str(where)
    with pytest.raises(SourceError, match="binary"):
        dk.read(io.StringIO("text"))
    with pytest.raises(SourceError, match="NoneType"):
        dk.read(None)
    for data in (b"", b"DICM", bytes(200), b"no DICOM at all, only text", bytes(128) + b"DICM"):
        with pytest.raises(DicomError):
            dk.read(data)


@given(data_sets(), st.sampled_from([0x00100010, 0x00180000, 0x00280010, 0x00400000, 0x7FE00010, 0x00080000]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stop_before(tmp_path: Path, made: Made, stop: int) -> None:
    expected = {tag: field for tag, field in made.items() if tag < stop}
    path = tmp_path / "a.dcm"
    for big, syntax in ((False, EXPLICIT), (True, BIG)):
        path.write_bytes(part10(encoded(made, big=big, chance=Random(stop)), syntax))
        assert plain(dk.read(path, stop_before=stop)) == expected
        assert plain(dk.read(path.read_bytes(), stop_before=stop)) == expected


@given(data_sets(private=False), st.sets(st.integers(0, 30), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only(tmp_path: Path, made: Made, places: set[int]) -> None:
    tags = {tag for place, tag in enumerate(made) if place in places}
    path = tmp_path / "a.dcm"
    for implicit, syntax in ((False, EXPLICIT), (True, IMPLICIT)):
        path.write_bytes(part10(encoded(made, implicit=implicit, chance=Random(3)), syntax))
        expected = {tag: made[tag] for tag in sorted(tags)}
        assert plain(dk.read(path, only={*tags, 0x00081195})) == expected


def test_stop_before_reads_no_further(file: Path) -> None:
    ds = dk.read(file, stop_before="PixelData")
    assert "PixelData" not in ds
    assert sum(len(data) for _, data in ds._records.index.windows) < 20_000
    nested = sequence(0x0040A730, item(element(0x00080100, "SH", "A")))
    assert list(dk.read(part10(encoded(SMALL) + nested, EXPLICIT), stop_before=0x00400000)) == list(SMALL)[:-1]
