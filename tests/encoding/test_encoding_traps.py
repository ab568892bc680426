"""What files do that the standard forbids or few readers expect: traps 1 to 15, in bytes where there is no file."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.encoding.writer import to_bytes, to_part10
from dicomkit.errors import ReadError, SourceError
from dicomkit.values.fragments import Fragments

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
CT = b"\x08\x00\x60\x00CS\x02\x00CT"


def short(tag: int, vr: str, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def long(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, size) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value) if length is None else length) + value


ITEM_END, SEQUENCE_END = b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
UNDEFINED = 0xFFFFFFFF


def part10(body: bytes, syntax: str = EXPLICIT) -> bytes:
    meta = short(0x00020010, "UI", syntax.encode() + b"\0" * (len(syntax) % 2))
    return bytes(128) + b"DICM" + short(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + body


def problems(ds: dk.DataSet) -> str:
    return " | ".join(f"{repair.problem}; {repair.assumed}" for repair in ds.repairs)


def test_1_no_preamble_no_meta() -> None:
    ds = dk.read(CT)
    assert ds.Modality == "CT"
    assert "no preamble" in problems(ds)
    assert "read as Explicit VR Little Endian" in problems(ds)
    assert dk.read(implicit(0x00080060, b"MR")).Modality == "MR"
    assert dk.read(b"DICM" + part10(CT)[132:]).Modality == "CT"


def test_2_meta_in_implicit_vr() -> None:
    uid = EXPLICIT.encode() + b"\0"
    ds = dk.read(bytes(128) + b"DICM" + implicit(0x00020010, uid) + CT)
    assert (ds.Modality, ds.meta.TransferSyntaxUID) == ("CT", EXPLICIT)
    assert "file meta information in implicit VR" in problems(ds)


@pytest.mark.parametrize(
    ("declared", "actual"),
    [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT), (EXPLICIT, BIG), (BIG, EXPLICIT), (IMPLICIT, BIG)],
)
def test_3_the_encoding_contradicts_the_transfer_syntax(declared: str, actual: str) -> None:
    given_ = dk.DataSet(Modality="CT", Rows=512, PatientName="A^B", ContentSequence=[{"TextValue": "x"}])
    ds = dk.read(part10(to_bytes(given_, actual), declared))
    assert ds == given_
    assert "but the elements are in" in problems(ds)


def test_4_implicit_and_explicit_elements_mixed() -> None:
    ds = dk.read(part10(CT + implicit(0x00100020, b"ID") + short(0x00280010, "US", b"\x01\x02")))
    assert (ds.Modality, ds.PatientID, ds.Rows) == ("CT", "ID", 0x0201)
    assert "read as implicit VR" in problems(ds)
    ds = dk.read(part10(implicit(0x00080060, b"CT") + short(0x00100020, "LO", b"ID"), IMPLICIT))
    assert (ds.Modality, ds.PatientID) == ("CT", "ID")
    assert "read as explicit VR" in problems(ds)


@pytest.mark.parametrize("content", [implicit(0x00080100, b"T1"), short(0x00080100, "SH", b"T1")])
@pytest.mark.parametrize("defined", [True, False])
def test_5_un_that_holds_a_sequence(content: bytes, defined: bool) -> None:
    value = item(content) if defined else item(content + ITEM_END, UNDEFINED) + SEQUENCE_END
    body = long(0x0040A730, "UN", value, None if defined else UNDEFINED)
    ds = dk.read(part10(CT + body + short(0x00400280, "ST", b"ok")))
    assert ds["ContentSequence", 0, "CodeValue"] == "T1"
    assert ds.element("ContentSequence").vr == "SQ"


def test_6_private_sequences_of_unknown_vr() -> None:
    inner = item(
        implicit(0x00091002, item(implicit(0x00100020, b"ID") + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED)
    )
    ds = dk.read(part10(implicit(0x00091001, inner + SEQUENCE_END, UNDEFINED), IMPLICIT))
    assert ds[0x00091001][0][0x00091002][0].PatientID == "ID"


def test_7_lengths_of_items_and_stray_delimiters() -> None:
    content = short(0x00080100, "SH", b"T1") + short(0x00080102, "SH", b"99")
    ds = dk.read(part10(long(0x0040A730, "SQ", item(content, 4), 12) + short(0x00400280, "ST", b"ok")))
    assert ds["ContentSequence", 0, "CodeValue"] == "T1"
    assert ds.repairs
    ds = dk.read(part10(CT + ITEM_END + SEQUENCE_END + short(0x00100020, "LO", b"ID")))
    assert (ds.Modality, ds.PatientID, len(ds.repairs)) == ("CT", "ID", 2)
    ds = dk.read(part10(long(0x0040A730, "SQ", item(content, UNDEFINED) + SEQUENCE_END, UNDEFINED) + CT))
    assert ds["ContentSequence", 0, "CodingSchemeDesignator"] == "99"
    assert "no delimiter" in problems(ds)


def test_7_the_byte_order_changes_inside_a_sequence() -> None:
    swapped = to_bytes(dk.DataSet(CodeValue="T1", Rows=513), BIG)
    ds = dk.read(part10(long(0x0040A730, "SQ", item(swapped)) + short(0x00400280, "ST", b"ok")))
    assert (ds["ContentSequence", 0, "CodeValue"], ds["ContentSequence", 0, "Rows"]) == ("T1", 513)
    assert "byte order" in problems(ds)


def test_8_ges_private_syntax_has_little_endian_headers() -> None:
    ds = dk.read(part10(implicit(0x00280010, b"\x00\x02") + implicit(0x7FE00010, b"\x01\x00"), "1.2.840.113619.5.2"))
    assert (ds.Rows, ds.transfer_syntax.big_endian_pixels, ds.transfer_syntax.implicit_vr) == (512, True, True)


def test_9_vrs_that_are_none() -> None:
    ds = dk.read(part10(CT + struct.pack("<HH2sH", 0x0010, 0x0020, b"ZZ", 2) + b"ID" + short(0x00100040, "CS", b"F ")))
    assert (ds.PatientSex, ds.PatientID) == ("F", "ID")
    assert "the VR ZZ is not in PS3.5" in problems(ds)


def test_10_odd_lengths_zeros_and_padding() -> None:
    ds = dk.read(part10(CT + short(0x00100020, "LO", b"IDX") + short(0x00280010, "US", b"") + bytes(40)))
    assert (ds.PatientID, ds.Rows) == ("IDX", None)
    assert "40 bytes after the last element, zeros" in problems(ds)
    ds = dk.read(part10(CT + long(0xFFFCFFFC, "OB", bytes(10))))
    assert len(ds) == 2
    assert "bytes left over" in problems(dk.read(part10(CT + b"\x10\x00\x20")))


def test_11_deflated_as_a_raw_and_as_a_zlib_stream() -> None:
    body = CT + short(0x00100020, "LO", b"ID")
    machine = zlib.compressobj(wbits=-15)
    raw = machine.compress(body) + machine.flush()
    deflated = "1.2.840.10008.1.2.1.99"
    for stream, problem in ((raw, ""), (raw + b"\0", ""), (zlib.compress(body), "zlib"), (raw[:-2], "ends too early")):
        ds = dk.read(part10(stream, deflated))
        assert ds.Modality == "CT"
        assert problem in problems(ds)
    assert dk.read(part10(body, deflated)).PatientID == "ID"
    with pytest.raises(ReadError):
        dk.read(part10(b"\xff" * 30, deflated))


def test_12_long_values_in_short_vrs_become_un() -> None:
    numbers = tuple(map(float, range(20_000)))
    data = to_bytes(dk.DataSet(EventElapsedTimes=numbers))
    assert b"UN" in data[:40]
    again = dk.read(data)
    assert again.element("EventElapsedTimes").vr == "DS"
    assert again.EventElapsedTimes == numbers
    wide = dk.DataSet(SelectorUVValue=[2**63], SelectorSVValue=[-(2**62)], SelectorOVValue=bytes(16))
    assert dk.read(to_bytes(wide)) == wide


def test_15_character_sets_of_items_win_over_the_outer_one() -> None:
    inner = short(0x00080005, "CS", b"ISO_IR 144") + short(0x00100010, "PN", "Люкceмбypг".encode("iso8859_5"))
    plain = short(0x00100010, "PN", "Müller^J".encode("latin-1"))
    body = short(0x00080005, "CS", b"ISO_IR 100") + long(0x0040A730, "SQ", item(inner) + item(plain))
    ds = dk.read(part10(body))
    assert [i.PatientName for i in ds.ContentSequence] == ["Люкceмбypг", "Müller^J"]


def test_encapsulated_pixel_data_is_located_not_loaded(tmp_path: Path) -> None:
    parts = [bytes([n]) * (70_000 + 2 * n) for n in range(5)]
    ds = dk.DataSet(SOPClassUID="1.2.3", SOPInstanceUID="1.2.4").assign(
        [dk.Element.of("PixelData", Fragments.of(parts, b"\0\0\0\0"), "OB")]
    )
    path = tmp_path / "a.dcm"
    path.write_bytes(to_part10(ds, "1.2.840.10008.1.2.5"))
    read = dk.read(path).PixelData
    assert (len(read.parts), read.offset_table, read.item_offsets[1]) == (5, b"\0\0\0\0", 70_008)
    assert [bytes(part) for part in read.parts] == parts
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(path.read_bytes()[:-100_000])
    assert "present" in problems(dk.read(cut))


@given(st.integers(16_200, 16_500), st.sampled_from([0, 40_000, 70_000, 1_200_000]), st.booleans())
def test_windows_of_a_file_give_what_bytes_give(tmp_path_factory, first: int, second: int, nested: bool) -> None:
    first += first % 2
    ds = dk.DataSet(
        SOPClassUID="1.2.3",
        SOPInstanceUID="1.2.4",
        PatientComments="x" * (first % 10_000),
        EncapsulatedDocument=bytes(second),
        AcquisitionComments="y" * 5000,
        ContentSequence=[{"TextValue": "z" * (first - 9000), "ContentSequence": [CODE] * 40}] * (3 if nested else 0),
    )
    path = tmp_path_factory.mktemp("windows") / "a.dcm"
    path.write_bytes(to_part10(ds))
    from_path = dk.read(path)
    assert from_path == dk.read(path.read_bytes()) == ds
    assert not from_path.repairs


CODE = {"CodeValue": "T-1", "CodingSchemeDesignator": "99X", "CodeMeaning": "thing"}


def test_stop_before_and_only() -> None:
    ds = dk.DataSet(
        SOPClassUID="1.2.3", SOPInstanceUID="1.2.4", Modality="CT", Rows=3, ContentSequence=[CODE], PixelData=bytes(10)
    )
    data = to_part10(ds)
    assert dk.read(data, stop_before="PixelData") == ds.drop("PixelData")
    assert list(dk.read(data, stop_before="Rows")) == [0x00080016, 0x00080018, 0x00080060]
    kept = dk.DataSet(Rows=3, ContentSequence=[CODE])
    assert dk.read(data, only=["Rows", "ContentSequence"]) == kept
    assert dk.read(data, only=["Rows", "Columns"]) == dk.DataSet(Rows=3)


def test_sources(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    data = to_part10(dk.DataSet(SOPClassUID="1.2.3", SOPInstanceUID="1.2.4", Modality="CT", PixelData=bytes(100_000)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/ä.dcm", data)
    fsspec.filesystem("memory").pipe("/dir/a.dcm", data)
    for source in (
        data,
        bytearray(data),
        io.BytesIO(data),
        f"{tmp_path / 'a.zip'}!/inner/ä.dcm",
        zipfile.Path(tmp_path / "a.zip", "inner/ä.dcm"),
        "memory://dir/a.dcm",
    ):
        ds = dk.read(source)
        assert (ds.Modality, len(bytes(ds.PixelData))) == ("CT", 100_000)
    for wrong in (tmp_path / "none.dcm", f"{tmp_path / 'a.zip'}!/none", "memory://none", io.StringIO("x"), 5):
        with pytest.raises(SourceError):
            dk.read(wrong)


@needs_data
def test_a_sequence_of_wrong_lengths_in_a_real_file() -> None:
    ds = dk.read(real_file("02_pixel_codecs/pydicom-data/bad_sequence.dcm"))
    assert list(ds.walk())
