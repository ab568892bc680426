"""A DataSet is a value: it never changes, compares, hashes and pickles, and edits share what they leave alone."""

from __future__ import annotations

import copy
import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.encoding.writer import to_bytes, to_part10
from dicomkit.errors import DicomError, MissingElementError, ValueFormatError
from dicomkit.sources import Bulk, FileSource, MemorySource
from dicomkit.standard.attributes import tags_by_keyword, vr_of

CODE = {"CodeValue": "T-1", "CodingSchemeDesignator": "99X", "CodeMeaning": "thing"}


@pytest.fixture
def ds() -> dk.DataSet:
    made = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID="2.25.1",
        PatientName="DOE^JANE",
        PixelSpacing=[0.5, 0.25],
        ConceptNameCodeSequence=[CODE],
        ContentSequence=[{"ConceptNameCodeSequence": [CODE]}, {"TextValue": "x"}],
    )
    return dk.read(to_part10(made))


def test_keys_are_tags_keywords_and_paths(ds: dk.DataSet) -> None:
    assert ds.PatientName == ds["PatientName"] == ds[0x00100010] == ds[0x0010, 0x0010] == "DOE^JANE"
    assert ds["ContentSequence", 0, "ConceptNameCodeSequence", 0, "CodeMeaning"] == "thing"
    assert ds["ContentSequence", -1].TextValue == "x"
    assert ("ContentSequence", 1, "TextValue") in ds
    assert ("ContentSequence", 2, "TextValue") not in ds
    assert "Rows" not in ds
    assert "no such keyword" not in ds
    assert ds.get(("ContentSequence", 7, "TextValue"), "none") == "none"
    assert list(ds) == sorted(ds)
    assert dict(ds.items())[dk.Tag(0x00280030)] == (0.5, 0.25)


def test_a_missing_element_is_an_error_of_three_kinds(ds: dk.DataSet) -> None:
    for kind in (KeyError, AttributeError, DicomError):
        with pytest.raises(kind, match="Rows"):
            _ = ds.Rows
    with pytest.raises(MissingElementError, match="did you mean PatientName"):
        _ = ds.PatientNames


def test_it_never_changes(ds: dk.DataSet) -> None:
    with pytest.raises(AttributeError, match="assign"):
        ds.PatientName = "X"
    with pytest.raises(AttributeError, match="drop"):
        del ds.PatientName
    before = to_bytes(ds)
    ds.assign(PatientName="X").drop("PixelSpacing").map(lambda element: dk.DROP if element.vr == "SQ" else element)
    assert to_bytes(ds) == before


def test_edits_give_new_data_sets(ds: dk.DataSet) -> None:
    untouched = ds["ContentSequence", 0]
    new = ds.assign({("ContentSequence", 1, "TextValue"): "y", "Rows": 4}, Columns=5)
    assert (new["ContentSequence", 1, "TextValue"], new.Rows, new.Columns) == ("y", 4, 5)
    assert new["ContentSequence", 0] is untouched
    assert new.drop(("ContentSequence", 0, "ConceptNameCodeSequence"))["ContentSequence", 0] == dk.DataSet()
    assert ds.drop("PatientName", "Rows").get("PatientName") is None
    merged = ds.merge({"PatientName": "B", "Modality": "CT"})
    assert (merged.PatientName, merged.Modality, merged.PixelSpacing) == ("B", "CT", (0.5, 0.25))
    upper = ds.map(lambda element: element.value.upper() if element.keyword == "CodeMeaning" else element)
    assert upper["ContentSequence", 0, "ConceptNameCodeSequence", 0, "CodeMeaning"] == "THING"
    assert ds.map(lambda element: element) is ds


def test_a_wrong_value_says_which_and_why() -> None:
    for wrong in ({"Rows": 70_000}, {"PatientID": "x" * 65}, {"StudyDate": "tomorrow"}, {"SOPInstanceUID": "a.b"}):
        with pytest.raises(ValueFormatError, match=r"tag \("):
            dk.DataSet(wrong)
    with pytest.raises(ValueFormatError, match="no item"):
        dk.DataSet().assign({("ContentSequence", 0, "TextValue"): "x"})


def test_numbers_keep_their_text() -> None:
    ds = dk.DataSet(SliceThickness="1.50", InstanceNumber="007")
    assert (ds.SliceThickness, ds.InstanceNumber) == (1.5, 7)
    assert (ds.element("SliceThickness").text, ds.element("InstanceNumber").text) == ("1.50", "007")
    again = dk.read(to_bytes(ds.assign(PatientID="x")))
    assert (again.element("SliceThickness").text, again.element("InstanceNumber").text) == ("1.50", "007")


@pytest.mark.parametrize("charset", ["ISO_IR 13", "ISO 2022 IR 13", "GB18030", "ISO_IR 192"])
def test_numbers_have_no_character_set(charset: str) -> None:
    ds = dk.DataSet(
        SpecificCharacterSet=charset, PixelSpacing=("0.50", "0.5"), ImageType=("A", "B"), OtherPatientIDs="1"
    )
    again = dk.read(to_bytes(ds.assign(OtherPatientNames=["A^B", "C^D"])))
    assert again.element("PixelSpacing").text == "0.50\\0.5"
    assert again.element("ImageType").text == "A\\B"
    assert again.element("OtherPatientNames").text == "A^B\\C^D"


def test_an_element_holds_data_sets_and_no_dicts() -> None:
    with pytest.raises(ValueFormatError, match="give DataSets"):
        dk.Element.of("ContentSequence", [{"TextValue": "x"}])
    made = dk.DataSet([dk.Element.of("ContentSequence", [dk.DataSet(TextValue="x")])])
    assert made == dk.DataSet(ContentSequence=[{"TextValue": "x"}])
    assert isinstance(made.assign(ContentSequence={"TextValue": "y"}).ContentSequence[0], dk.DataSet)


def test_file_meta_can_be_set_and_is_written() -> None:
    ds = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1")
    changed = ds.assign(Rows=2).with_meta({"SourceApplicationEntityTitle": "HERE", "MediaStorageSOPInstanceUID": "1.2"})
    again = dk.read(to_part10(changed))
    assert again.meta.SourceApplicationEntityTitle == "HERE"
    assert (again.meta.MediaStorageSOPInstanceUID, again.Rows) == ("2.25.1", 2)
    assert not ds.meta


def test_equality_is_of_values_not_of_encodings(ds: dk.DataSet) -> None:
    for syntax in ("ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"):
        other = dk.read(to_part10(ds, syntax))
        assert other == ds
        assert hash(other) == hash(ds)
    words = dk.DataSet(ds, PixelData=bytes(range(100)), BitsAllocated=16)
    assert dk.read(to_part10(words, "ExplicitVRBigEndian")) == words
    assert dk.DataSet(RescaleSlope="1.0") == dk.DataSet(RescaleSlope="1")
    nan = dk.DataSet(RealWorldValueSlope=math.nan)
    assert nan == dk.DataSet(RealWorldValueSlope=math.nan)
    assert hash(nan) == hash(dk.DataSet(RealWorldValueSlope=math.nan))
    assert ds != ds.assign(PatientName="X")
    assert len({ds, ds.assign(Rows=1).drop("Rows")}) == 1


def test_bulk_data_equals_bytes_of_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "bulk"
    path.write_bytes(b"0123456789")
    status = path.stat()
    bulk = Bulk(FileSource(str(path), 10, status.st_mtime_ns), 2, 4)
    assert bulk == b"2345" == bytes(Bulk(MemorySource(b"2345"), 0, 4))
    assert bulk != b"2346"
    buffer = bytearray(3)
    assert (bulk.readinto(buffer, 1), bytes(buffer)) == (3, b"345")


@needs_data
def test_pickled_it_is_the_same(tmp_path: Path) -> None:
    ds = dk.read(real_file("01_pydicom_core/CT_small.dcm"))
    for value in (ds, ds.OtherPatientIDsSequence[0], ds.assign(Rows=3), ds.element("PatientName")):
        assert pickle.loads(pickle.dumps(value)) == value
    assert len(pickle.dumps(dk.read(real_file("13_seg/dx_image.dcm")))) < 40_000
    assert copy.deepcopy(ds) == ds


@needs_data
def test_loaded_and_detached_it_needs_no_file(tmp_path: Path) -> None:
    path = tmp_path / "copy.dcm"
    path.write_bytes(real_file("01_pydicom_core/CT_small.dcm").read_bytes())
    ds = dk.read(path)
    item = ds.OtherPatientIDsSequence[0]
    loaded, detached, only = ds.load(), ds.detach(), item.detach()
    path.unlink()
    assert loaded == detached
    assert (len(bytes(loaded.PixelData)), detached.path, only.PatientID) == (32768, None, item.PatientID)
    assert detached.meta == loaded.meta


@needs_data
def test_eight_threads_read_one_data_set() -> None:
    path = real_file("04_enhanced_multiframe/eCT_Supplemental.dcm")
    expected = [(path_, element.value) for path_, element in dk.read(path).walk()]
    for _ in range(5):
        ds = dk.read(path)
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda _, ds=ds: [(p, e.value) for p, e in ds.walk()], range(8)))
        assert all(one == expected for one in got)


def texts(ds: dk.DataSet) -> list[str]:
    return [element.text for _, element in ds.walk() if element.vr not in ("SQ", "OW", "OB", "UN")]


@needs_data
def test_spawned_processes_get_the_same_values() -> None:
    ds = dk.read(real_file("01_pydicom_core/CT_small.dcm"))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(texts, ds).result(60) == texts(ds)


def test_private_elements_by_creator() -> None:
    ds = dk.DataSet(
        [
            dk.Element.of((0x0009, 0x0010), "ACME 1.0", "LO"),
            dk.Element.of((0x0009, 0x0011), "OTHER", "LO"),
            dk.Element.of((0x0009, 0x1001), "a", "SH"),
            dk.Element.of((0x0009, 0x1101), "b", "SH"),
        ]
    )
    assert {key: element.value for key, element in ds.private("OTHER").items()} == {1: "b"}
    assert ds.private("NOBODY") == {}
    assert ds.private_creators() == {"ACME 1.0": (0x00090010,), "OTHER": (0x00090011,)}


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value or "" for name, value in attrs if name == "title"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_shows_itself(ds: dk.DataSet) -> None:
    hostile = dk.read(to_part10(ds.assign(PatientName="<script>alert(1)</script>")))
    seen = Text()
    seen.feed(hostile._repr_html_())
    assert "script" not in seen.tags
    assert "<script>alert(1)</script>" in seen.text
    assert "thing" in seen.text
    assert any("offset" in title and "bytes" in title and "VR from header" in title for title in seen.titles)
    assert repr(ds) == "DataSet(Secondary Capture Image Storage, 6 elements)"
    assert "(0010,0010)" in str(ds)
    assert "PatientName" in dir(ds)
    assert "PatientName" in ds._ipython_key_completions_()


@needs_data
def test_repairs_show_as_a_table() -> None:
    repairs = dk.read(real_file("01_pydicom_core/MR_truncated.dcm")).repairs
    table = repairs.to_table()
    assert table["keyword"].tolist() == ["PixelData"]
    assert table["problem"][0] == "a value of 8192 bytes, 8130 present"
    assert "8130 present" in repairs._repr_html_()
    assert "1 repair<" in repairs._repr_html_()


def test_differences_by_path(ds: dk.DataSet) -> None:
    other = ds.assign({("ContentSequence", 1, "TextValue"): "z", "Rows": 2}).drop("PatientName")
    found = dk.diff(ds, other)
    assert [(d.place, d.kind) for d in found] == [
        ("PatientName", "removed"),
        ("Rows", "added"),
        ("ContentSequence > 1 > TextValue", "changed"),
    ]
    assert found.to_table()["after"].fillna("").tolist() == ["", "2", "z"]
    assert dk.diff(ds, dk.read(to_part10(ds, "ExplicitVRBigEndian"))) == ()
    assert "TextValue" in found._repr_html_()


def test_sign_of_pixels_reaches_into_items_and_lut_descriptors() -> None:
    ds = dk.DataSet(
        PixelRepresentation=1,
        ModalityLUTSequence=[dk.DataSet([dk.Element(dk.Tag(0x00283002), "SS", (-25536, -5, 16))])],
    )
    again = dk.read(to_bytes(ds, "ImplicitVRLittleEndian"), transfer_syntax="ImplicitVRLittleEndian")
    element = again["ModalityLUTSequence", 0].element("LUTDescriptor")
    assert (element.vr, element.value) == ("SS", (40_000, -5, 16))


@pytest.mark.parametrize(("vr", "value"), [("OB", b"abc"), ("LO", ("a", "b")), ("FD", 2.0)])
def test_what_is_a_sequence_by_its_name_only_has_no_items(vr: str, value: object) -> None:
    ds = dk.DataSet([dk.Element(dk.Tag.of("ContentSequence"), vr, value)], Modality="SR")
    assert ds.all("ContentSequence") == ds.all((0x0040, 0xA730)) == ()
    assert dk.DataSet(SourceImageSequence=[ds]).all(("SourceImageSequence", 0, "ContentSequence")) == ()
    assert ds.ContentSequence == value
    assert ds.all("Modality") == ("SR",)


def test_the_keyword_of_every_sequence_says_that_it_is_one() -> None:
    sequences = [keyword for keyword, tag in tags_by_keyword().items() if vr_of(tag) == "SQ"]
    assert len(sequences) > 500
    assert all("Sequence" in keyword for keyword in sequences)  # which `DataSet.all` relies on
