"""The lies of real files: each is read as far as it can be, and listed as a repair."""

from __future__ import annotations

import struct
import zlib

import pytest
from realdata import needs_data, real_file
from strategies import UNDEFINED, element, encoded, header, item, marker, part10, plain, sequence

import dicomkit as dk
from dicomkit.errors import DicomError

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
NAME = element(0x00100010, "PN", "DOE^JANE")
ROWS = element(0x00280010, "US", 512)
CODE = element(0x00080100, "SH", "A1")
MEANING = element(0x00080104, "LO", "thing")


def explicit(*parts: bytes) -> dk.DataSet:
    return dk.read(part10(b"".join(parts), EXPLICIT))


def implicit(*parts: bytes) -> dk.DataSet:
    return dk.read(part10(b"".join(parts), IMPLICIT))


def problems(ds: dk.DataSet) -> list[str]:
    return [repair.problem for repair in ds.repairs]


# 1, 2: file meta information


def test_no_group_length_and_a_wrong_one() -> None:
    meta = element(0x00020001, "OB", b"\0\1") + element(0x00020010, "UI", EXPLICIT)
    for length, problem in ((b"", "no group length"), (element(0x00020000, "UL", 3), "group length leads to")):
        ds = dk.read(bytes(128) + b"DICM" + length + meta + NAME)
        assert ds.PatientName == "DOE^JANE"
        assert [problem in text for text in problems(ds)] == [True]


def test_file_meta_in_implicit_vr() -> None:
    meta = element(0x00020002, "UI", "1.2.3", implicit=True) + element(0x00020010, "UI", EXPLICIT, implicit=True)
    meta = element(0x00020000, "UL", len(meta), implicit=True) + meta
    ds = dk.read(bytes(128) + b"DICM" + meta + NAME)
    assert ds.PatientName == "DOE^JANE"
    assert ds.meta.MediaStorageSOPClassUID == "1.2.3"
    assert set(problems(ds)) == {"file meta information in implicit VR"}


def test_no_transfer_syntax() -> None:
    meta = element(0x00020001, "OB", b"\0\1")
    for content in (NAME, element(0x00100010, "PN", "DOE^JANE", implicit=True)):
        ds = dk.read(bytes(128) + b"DICM" + element(0x00020000, "UL", len(meta)) + meta + content)
        assert ds.PatientName == "DOE^JANE"
        assert "no transfer syntax is declared" in problems(ds)


def test_long_file_meta() -> None:
    meta = element(0x00020001, "OB", b"\0\1") + element(0x00020010, "UI", EXPLICIT)
    meta += element(0x00020100, "UI", "1.2") + element(0x00020102, "OB", bytes(50_000))
    ds = dk.read(bytes(128) + b"DICM" + element(0x00020000, "UL", len(meta)) + meta + NAME)
    assert len(ds.meta.PrivateInformation) == 50_000
    assert (ds.PatientName, ds.repairs) == ("DOE^JANE", ())


def test_a_transfer_syntax_that_is_no_uid_and_an_unknown_one() -> None:
    ds = dk.read(part10(NAME, "JPEG"))
    assert (ds.PatientName, len(ds.repairs)) == ("DOE^JANE", 2)
    ds = dk.read(part10(NAME, "1.2.3.4.5"))
    assert (ds.PatientName, ds.transfer_syntax.uid, ds.repairs) == ("DOE^JANE", "1.2.3.4.5", ())


# 3, 4, 7: encodings that contradict each other


@pytest.mark.parametrize("declared", [IMPLICIT, EXPLICIT, BIG, "1.2.840.10008.1.2.4.50"])
@pytest.mark.parametrize("actual", [IMPLICIT, EXPLICIT, BIG])
def test_the_elements_are_believed(declared: str, actual: str) -> None:
    made = {0x00080060: ("CS", "CT"), 0x00100010: ("PN", "DOE^JANE"), 0x00280010: ("US", 512)}
    ds = dk.read(part10(encoded(made, implicit=actual == IMPLICIT, big=actual == BIG), declared))
    assert plain(ds) == made
    same = declared == actual or (declared.endswith(".50") and actual == EXPLICIT)
    assert [text.startswith("the transfer syntax is") for text in problems(ds)] == ([] if same else [True])
    assert ds.transfer_syntax.uid == declared


def test_implicit_elements_among_explicit_ones() -> None:
    ds = explicit(NAME, element(0x00100020, "LO", "4711", implicit=True), ROWS)
    assert (ds.PatientID, ds.Rows) == ("4711", 512)
    assert [repair.tag for repair in ds.repairs] == [0x00100020]


@pytest.mark.parametrize("size", [0, 2, 40, 20_000])
def test_explicit_elements_among_implicit_ones(size: int) -> None:
    text = "x" * size
    rows = element(0x00280010, "US", 512, implicit=True)
    comments = element(0x00204000, "LT", text)
    for filler in (b"", element(0x7FE00010, "OW", bytes(2_000_000), implicit=True)):
        ds = implicit(element(0x00100010, "PN", "DOE^JANE", implicit=True), comments, rows, filler)
        assert (ds.PatientName, ds.get("ImageComments"), ds.Rows) == ("DOE^JANE", text or None, 512)
        assert problems(ds) == ["explicit VR in a data set in implicit VR"]


def test_a_length_that_looks_like_a_vr_is_a_length() -> None:
    text = "x" * 0x4F4C  # the letters LO as a length
    ds = implicit(element(0x00204000, "LT", text, implicit=True), element(0x00280010, "US", 512, implicit=True))
    assert (ds.ImageComments, ds.Rows, ds.repairs) == (text, 512, ())


def test_the_byte_order_changes_inside_a_sequence() -> None:
    big = element(0x00080100, "SH", "A1", ">") + element(0x00280010, "US", 3, ">")
    ds = explicit(sequence(0x00081140, item(big) + item(big)), ROWS)
    assert [(inner.CodeValue, inner.Rows) for inner in ds.ReferencedImageSequence] == [("A1", 3), ("A1", 3)]
    assert ds.Rows == 512
    assert set(problems(ds)) == {"the byte order changes inside a sequence"}
    assert ds.repairs[0].tag == 0x00080100


def test_the_byte_order_changes_with_the_items() -> None:
    big = element(0x00080100, "SH", "A1", ">") + element(0x00280010, "US", 3, ">")
    content = item(big, order=">") + item(big, undefined=True, order=">")
    for undefined in (False, True):
        end = marker(0xE0DD, 0, ">") if undefined else b""
        ds = explicit(header(0x00081140, "SQ", UNDEFINED if undefined else len(content)) + content + end, ROWS)
        assert [(inner.CodeValue, inner.Rows) for inner in ds.ReferencedImageSequence] == [("A1", 3), ("A1", 3)]
        assert ds.Rows == 512
        assert problems(ds) == ["the byte order changes inside a sequence"]


# 5, 6: UN and private sequences


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("inner_implicit", [False, True])
def test_un_that_holds_a_sequence(undefined: bool, inner_implicit: bool) -> None:
    content = element(0x00080100, "SH", "A1", implicit=inner_implicit)
    content += sequence(0x0040A168, item(content, undefined=undefined), undefined=undefined, implicit=inner_implicit)
    items = item(content, undefined=undefined) + item(b"")
    ds = explicit(sequence(0x00081140, items, undefined=undefined, vr="UN"), ROWS)
    assert ds.element("ReferencedImageSequence").vr == "SQ"
    assert ds.ReferencedImageSequence[0].CodeValue == "A1"
    assert ds["ReferencedImageSequence", 0, "ConceptCodeSequence", 0, "CodeValue"] == "A1"
    assert (len(ds.ReferencedImageSequence), ds.Rows, ds.repairs) == (2, 512, ())


def test_un_of_a_known_element_is_decoded() -> None:
    ds = explicit(header(0x00100020, "UN", 4) + b"4711", ROWS)
    assert (ds.element("PatientID").vr, ds.PatientID) == ("LO", "4711")


def test_un_that_only_looks_like_a_sequence_is_bytes() -> None:
    raw = b"\xfe\xff\x00\xe0" + bytes(8)
    ds = explicit(element(0x00090010, "LO", "ACME"), element(0x00091001, "UN", raw), ROWS)
    assert (ds[0x00091001], ds.Rows, ds.repairs) == (raw, 512, ())


@pytest.mark.parametrize("kind", [explicit, implicit])
def test_private_sequences_of_undefined_length(kind: type) -> None:
    is_implicit = kind is implicit
    inner = element(0x00080100, "SH", "A1", implicit=True)
    for _ in range(3):
        items = item(inner, undefined=True)
        inner = header(0x00091001, "UN", UNDEFINED, implicit=True) + items + marker(0xE0DD)
    start = header(0x00091001, "UN", UNDEFINED, implicit=is_implicit)
    ds = kind(start + items + marker(0xE0DD), element(0x00280010, "US", 512, implicit=is_implicit))
    assert ds[(0x00091001, 0) * 3 + ("CodeValue",)] == "A1"
    assert (ds.Rows, ds.repairs) == (512, ())


def test_un_of_undefined_length_without_items_is_an_empty_sequence() -> None:
    ds = explicit(header(0x00091001, "UN", UNDEFINED) + marker(0xE0DD), ROWS)
    assert (ds.element(0x00091001).vr, ds[0x00091001], ds.Rows) == ("SQ", (), 512)


def test_items_in_an_element_that_is_no_sequence() -> None:
    ds = explicit(b"\x09\x00\x01\x10UC\0\0\xff\xff\xff\xff" + item(CODE) + marker(0xE0DD), ROWS)
    assert (ds[0x00091001, 0, "CodeValue"], ds.Rows) == ("A1", 512)
    assert problems(ds) == ["items in an element that is no sequence"]


def test_encapsulated_pixel_data_as_un() -> None:
    ds = explicit(header(0x7FE00010, "UN", UNDEFINED) + item(b"") + item(b"abcd") + marker(0xE0DD))
    assert ds.element("PixelData").vr == "OB"
    assert [bytes(part) for part in ds.PixelData.parts] == [b"abcd"]


def test_a_private_sequence_known_by_its_creator() -> None:
    creator = element(0x20010010, "LO", "Philips Imaging DD 001", implicit=True)
    content = item(element(0x00080100, "SH", "A1", implicit=True))
    ds = implicit(creator, sequence(0x2001105F, content, implicit=True))
    assert ds[0x2001105F][0].CodeValue == "A1"
    other = element(0x20010010, "LO", "ACME", implicit=True)
    assert implicit(other, sequence(0x2001105F, content, implicit=True))[0x2001105F] == content


# 7: lengths and delimiters


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (header(0x0040A730, "SQ", UNDEFINED) + item(CODE) + item(CODE), "a sequence without its delimiter"),
        (header(0x0040A730, "SQ", 500) + item(CODE) + item(CODE), "the sequence ends"),
        (
            header(0x0040A730, "SQ", UNDEFINED) + 2 * (marker(0xE000, UNDEFINED) + CODE) + marker(0xE0DD),
            "the item before it has no delimiter",
        ),
        (sequence(0x0040A730, item(CODE) + marker(0xE00D) + item(CODE)), "a delimiter that delimits nothing"),
        (
            sequence(0x0040A730, item(CODE + marker(0xE0DD), undefined=True) + item(CODE), undefined=True),
            "an item or delimiter outside a sequence",
        ),
        (sequence(0x0040A730, item(CODE) + item(CODE)) + marker(0xE0DD), "an item or delimiter outside a sequence"),
        (
            sequence(0x0040A730, marker(0xE000, len(CODE) + 8) + CODE + item(CODE)),
            "an item before the end of the one before it",
        ),
    ],
)
def test_items_survive_wrong_lengths_and_delimiters(content: bytes, problem: str) -> None:
    ds = explicit(NAME, content)
    assert [inner.CodeValue for inner in ds.ContentSequence] == ["A1", "A1"]
    assert any(problem in text for text in problems(ds)), problems(ds)


def test_a_sequence_that_is_too_long_gives_back_what_is_not_its_own() -> None:
    ds = explicit(header(0x0040A730, "SQ", len(item(CODE)) + 30) + item(CODE), element(0x0040DB00, "CS", "X" * 30))
    assert [plain(inner) for inner in ds.ContentSequence] == [{0x00080100: ("SH", "A1")}]
    assert ds.TemplateIdentifier == "X" * 30
    assert "an element where an item of a sequence should be" in problems(ds)


def test_an_item_that_is_too_short_keeps_what_follows_it() -> None:
    content = marker(0xE000, len(CODE)) + CODE + MEANING
    ds = explicit(sequence(0x0040A730, content), element(0x0040DB00, "CS", "X"))
    assert (ds.ContentSequence[0].CodeMeaning, ds.TemplateIdentifier) == ("thing", "X")
    assert "an element where an item of a sequence should be" in problems(ds)


def test_a_value_longer_than_its_item_makes_it_longer() -> None:
    content = marker(0xE000, len(CODE) - 2) + CODE
    ds = explicit(sequence(0x0040A730, content), element(0x0040DB00, "CS", "X"))
    assert (ds.ContentSequence[0].CodeValue, ds.TemplateIdentifier) == ("A1", "X")
    assert len(ds.repairs) == 1


def test_an_item_that_is_longer_than_its_sequence() -> None:
    ds = explicit(header(0x0040A730, "SQ", len(item(CODE))) + item(CODE + MEANING), element(0x0040DB00, "CS", "X"))
    assert (ds.ContentSequence[0].CodeMeaning, ds.TemplateIdentifier) == ("thing", "X")
    assert len(ds.repairs) == 1


# 9, 10, 12: VRs and lengths


@pytest.mark.parametrize(
    ("raw", "vr", "value"),
    [
        (b"\x10\x00\x20\x00??\x04\x004711", "LO", "4711"),
        (b"\x10\x00\x20\x00\0\0\x04\x004711", "LO", "4711"),
        (b"\x10\x00\x20\x00lo\x04\x004711", "LO", "4711"),
        (b"\x10\x00\x20\x00ZZ\x04\x004711", "LO", "4711"),
        (b"\x10\x00\x20\x00ZZ\x00\x00\x04\x00\x00\x004711", "LO", "4711"),
        (b"\x09\x00\x20\x10ZZ\x00\x00\x04\x00\x00\x004711", "UN", b"4711"),
        (b"\x09\x00\x20\x10??\x04\x004711", "UN", b"4711"),
    ],
)
def test_a_vr_that_is_none(raw: bytes, vr: str, value: object) -> None:
    ds = explicit(raw, ROWS)
    found = ds.element(int.from_bytes(raw[:2], "little") << 16 | int.from_bytes(raw[2:4], "little"))
    assert (found.vr, found.value, ds.Rows) == (vr, value, 512)
    assert len(ds.repairs) == 1


@pytest.mark.parametrize("vr", ["OV", "SV", "UV"])
def test_the_vrs_of_64_bits_have_the_long_form(vr: str) -> None:
    raw = struct.pack("<Q", 5)
    ds = explicit(header(0x00091001, vr, 8) + raw, ROWS)
    assert (ds.element(0x00091001).vr, ds[0x00091001]) == (vr, raw if vr == "OV" else 5)
    assert (ds.Rows, ds.repairs) == (512, ())


def test_a_long_value_as_un() -> None:
    text = b"\\".join([b"1.5"] * 20_000)
    ds = explicit(header(0x00281052, "UN", len(text) + 1) + text + b" ", ROWS)
    assert (ds.element("RescaleIntercept").vr, len(ds.RescaleIntercept)) == ("DS", 20_000)
    assert ds.Rows == 512


def test_odd_and_impossible_lengths() -> None:
    ds = explicit(
        header(0x00100020, "LO", 3) + b"abc", header(0x00280010, "US", 0), header(0x00280011, "US", 1) + b"\1"
    )
    assert (ds.PatientID, ds.Rows, ds.Columns) == ("abc", None, None)
    assert problems(ds) == ["a length of 3 is odd (PS3.5 7.1.1)", "a length of 1 is odd (PS3.5 7.1.1)"]


def test_trailing_padding() -> None:
    ds = explicit(NAME, ROWS, bytes(100))
    assert ds.Rows == 512
    assert problems(ds) == ["100 bytes after the last element, zeros"]
    ds = explicit(NAME, ROWS, b"\0\0\0")
    assert (ds.Rows, problems(ds)) == (512, ["3 bytes left over at the end"])
    ds = explicit(NAME, ROWS, element(0xFFFCFFFC, "OB", bytes(10)))
    assert (ds.Rows, len(ds[0xFFFCFFFC]), ds.repairs) == (512, 10, ())


def test_a_truncated_value() -> None:
    ds = explicit(NAME, header(0x7FE00010, "OW", 1000) + bytes(100))
    assert len(ds.PixelData) == 100
    assert problems(ds) == ["a value of 1000 bytes, 100 present"]
    assert explicit(header(0x00100010, "PN", 30) + b"DOE").PatientName == "DOE"


def test_order_and_duplicates() -> None:
    ds = explicit(ROWS, NAME, element(0x00280010, "US", 3), element(0x00100020, "LO", "x"))
    assert (ds.Rows, list(ds)) == (3, [0x00100010, 0x00100020, 0x00280010])
    assert [text.split(" (")[0] for text in problems(ds)] == [
        "the element comes after",
        "the element is there twice",
        "the element comes after",
    ]
    inner = sequence(0x0040A730, item(MEANING + CODE) + item(CODE))
    ds = explicit(inner)
    assert [repair.tag for repair in ds.repairs] == [0x00080100]
    assert len(ds.ContentSequence[0].repairs) == 1
    assert len(ds.ContentSequence[1].repairs) == 0
    assert [list(made) for made in ds.ContentSequence] == [[0x00080100, 0x00080104], [0x00080100]]


# 11: deflated


def deflated(data: bytes, bits: int = -15) -> bytes:
    machine = zlib.compressobj(wbits=bits)
    return machine.compress(data) + machine.flush()


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (deflated(NAME + ROWS) + b"\0", None),
        (deflated(NAME + ROWS, 15), "zlib stream"),
        (deflated(NAME + ROWS)[:-2], "ends too early"),
        (NAME + ROWS, "but the data set is not"),
        (deflated(element(0x00100010, "PN", "DOE^JANE", implicit=True)), "the elements are in Implicit"),
    ],
)
def test_deflated_streams(stream: bytes, problem: str | None) -> None:
    ds = dk.read(part10(stream, "1.2.840.10008.1.2.1.99"))
    assert ds.PatientName == "DOE^JANE"
    assert any(problem in text for text in problems(ds)) if problem else not ds.repairs


# 13: what an element takes from around it


@pytest.mark.parametrize(("sign", "value"), [(0, 65535), (1, -1), (None, 65535)])
def test_us_or_ss_takes_the_outer_pixel_representation(sign: int | None, value: int) -> None:
    inner = element(0x00280106, "SS", -1, implicit=True)
    around = element(0x00280103, "US", sign, implicit=True) if sign is not None else b""
    ds = implicit(sequence(0x00081140, item(inner), implicit=True), around, inner)
    assert ds.SmallestImagePixelValue == ds.ReferencedImageSequence[0].SmallestImagePixelValue == value
    assert ds.element("SmallestImagePixelValue").vr == ("SS" if sign else "US")


def test_the_descriptor_of_a_table_has_unsigned_ends() -> None:
    raw = struct.pack("<HhH", 40_000, -5, 16)
    ds = implicit(element(0x00280103, "US", 1, implicit=True), header(0x00281101, "US", 6, implicit=True) + raw)
    assert ds.RedPaletteColorLookupTableDescriptor == (40_000, -5, 16)


@pytest.mark.parametrize(("bits", "vr"), [(8, "OW"), (16, "OW")])
def test_pixel_data_in_implicit_vr_is_ow(bits: int, vr: str) -> None:
    ds = implicit(element(0x00280100, "US", bits, implicit=True), element(0x7FE00010, "OW", bytes(4), implicit=True))
    assert ds.element("PixelData").vr == vr


# 14, 15: texts


def test_numbers_keep_their_text() -> None:
    raw = b"1.50\\ .5\\\\nan\\1e400\\abc "
    ds = explicit(header(0x00189087, "DS", len(raw)) + raw, element(0x00280008, "IS", "12.0"), ROWS)
    element_of = ds.element(0x00189087)
    assert element_of.text == "1.50\\ .5\\\\nan\\1e400\\abc"
    assert element_of.value[:3] == (1.5, 0.5, None)
    assert element_of.value[-1] == "abc"
    assert element_of.problems
    assert ds.NumberOfFrames == 12


def test_uids_padded_by_spaces() -> None:
    ds = explicit(header(0x00080016, "UI", 6) + b"1.2.3 ", header(0x00080018, "UI", 6) + b"1.2.4\0")
    assert (ds.SOPClassUID, ds.SOPInstanceUID) == ("1.2.3", "1.2.4")
    assert ds.element("SOPClassUID").problems
    assert not ds.element("SOPInstanceUID").problems


def test_character_sets_of_items() -> None:
    latin = element(0x00080005, "CS", "ISO_IR 100")
    name = header(0x00100010, "PN", 6) + "Müller".encode("latin-1")
    greek = element(0x00080005, "CS", "ISO_IR 126") + header(0x00100010, "PN", 2) + "Ωα".encode("iso8859-7")
    ds = explicit(latin, sequence(0x00081140, item(name) + item(greek) + item(sequence(0x00081140, item(name)))), name)
    assert ds.PatientName == "Müller"
    assert [inner.get("PatientName") for inner in ds.ReferencedImageSequence] == ["Müller", "Ωα", None]
    assert ds["ReferencedImageSequence", 2, "ReferencedImageSequence", 0, "PatientName"] == "Müller"


# Limits


def test_nesting_has_a_limit() -> None:
    def nested(levels: int, undefined: bool) -> bytes:
        content = CODE
        for _ in range(levels):
            content = sequence(0x0040A730, item(content, undefined=undefined), undefined=undefined)
        return content

    for undefined in (False, True):
        ds = explicit(nested(99, undefined))
        assert len(list(ds.walk())) == 100
        assert str(ds)
        with pytest.raises(DicomError, match="more than 100 deep") as caught:
            explicit(nested(150, undefined))
        assert (caught.value.tag, caught.value.offset is not None) == (0x0040A730, True)


def test_repairs_have_a_limit() -> None:
    ds = explicit(NAME, marker(0xE00D) * 20_000)
    assert len(ds.repairs) == 1001
    assert "more than 1000" in ds.repairs[-1].problem


def test_an_element_that_can_not_be_followed_says_where() -> None:
    data = part10(NAME + b"\x09\x00\x01\x10\x01\x02\xff\xff\xff\x7f" + bytes(4), EXPLICIT)
    with pytest.raises(DicomError) as caught:
        dk.read(data)
    assert (caught.value.tag, caught.value.offset) == (0x00091001, len(data) - 14)
    assert "stop_before" in str(caught.value)


# Real files that exercise a trap


@needs_data
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("01_pydicom_core/no_meta_group_length.dcm", "no group length"),
        ("10_rt/pydicom/meta_missing_tsyntax.dcm", "no transfer syntax is declared"),
        ("01_pydicom_core/ExplVR_BigEndNoMeta.dcm", "no file meta information"),
        ("01_pydicom_core/SC_rgb_jpeg.dcm", "but the elements are in Implicit VR Little Endian"),
        ("01_pydicom_core/MR_truncated.dcm", "a value of 8192 bytes, 8130 present"),
        ("10_rt/pydicom/rtplan_truncated.dcm", "bytes past the end"),
        ("02_pixel_codecs/pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm", "without its end"),
        ("18_palettes/winter.dcm", "the element is there twice"),
        ("13_seg/dx_image.dcm", "is odd"),
        ("20_json_xml/raster_lab/synthetic/syn-ct.dcm", "the element comes after (0002,0010)"),
        ("12_dicomdir/DICOMDIR-nooffset", "the item ends 24 bytes past the end"),
    ],
)
def test_repairs_of_real_files(name: str, problem: str) -> None:
    assert any(problem in text for text in problems(dk.read(real_file(name))))


@needs_data
@pytest.mark.parametrize("name", ["UN_sequence.dcm", "nested_priv_SQ.dcm", "priv_SQ.dcm", "MR_small_padded.dcm"])
def test_real_files_without_structural_repairs(name: str) -> None:
    found = problems(dk.read(real_file(f"01_pydicom_core/{name}")))
    assert [text for text in found if "is odd" not in text] == []
