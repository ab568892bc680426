"""Differences of two data sets: by path, private elements, items, bulk data and fragments included."""

from __future__ import annotations

import pytest
from realdata import all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.values.fragments import Fragments

BASE = dk.DataSet(
    [
        dk.Element.of("Modality", "CT"),
        dk.Element.of(0x00090010, "ACME", "LO"),
        dk.Element.of(0x00091001, "one", "LO"),
        dk.Element.of("ContentSequence", [dk.DataSet(Rows=1), dk.DataSet(Rows=2)]),
        dk.Element.of("PixelData", bytes(200_000), "OW"),
    ]
)


def found(after: dk.DataSet) -> list[tuple[str, str]]:
    return [(one.place, one.kind) for one in dk.diff(BASE, after)]


def test_equal_data_sets_have_none_however_they_are_encoded() -> None:
    assert dk.diff(BASE, BASE) == ()
    for syntax in ("ExplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"):
        assert dk.diff(BASE, dk.read(to_part10(BASE, syntax, anonymous=True))) == ()


def test_private_elements_and_bulk_data() -> None:
    bulk = bytearray(200_000)
    bulk[-1] = 1
    changed = BASE.assign([dk.Element.of(0x00091001, "two", "LO"), dk.Element.of("PixelData", bytes(bulk), "OW")])
    assert found(changed) == [("(0009,1001)", "changed"), ("PixelData", "changed")]
    assert found(BASE.drop(0x00091001)) == [("(0009,1001)", "removed")]
    read = dk.read(to_part10(changed, anonymous=True))
    assert found(read) == found(changed)
    table = dk.diff(BASE, changed).to_table()
    assert table["before"].tolist()[0] == "one"
    assert table["after"].tolist()[0] == "two"
    assert all(len(cell) < 200 for cell in table["after"])


def test_items_that_came_and_went() -> None:
    longer = BASE.assign(ContentSequence=[dk.DataSet(Rows=1), dk.DataSet(Rows=3), dk.DataSet(Rows=4)])
    kinds = dict(found(longer))
    assert kinds["ContentSequence > 1 > Rows"] == "changed"
    assert any(place.startswith("ContentSequence > 2") and kind == "added" for place, kind in kinds.items())
    shorter = BASE.assign(ContentSequence=[dk.DataSet(Rows=1)])
    assert all(kind == "removed" for _, kind in found(shorter))


def test_fragments() -> None:
    one = dk.DataSet([dk.Element.of("PixelData", Fragments.of([b"ab", b"cd"]), "OB")])
    other = dk.DataSet([dk.Element.of("PixelData", Fragments.of([b"ab", b"ce"]), "OB")])
    assert [each.kind for each in dk.diff(one, other)] == ["changed"]
    assert dk.diff(one, dk.DataSet([dk.Element.of("PixelData", Fragments.of([b"ab", b"cd"]), "OB")])) == ()


def test_the_table_as_html_is_escaped() -> None:
    html = dk.diff(BASE, BASE.assign(PatientID="<script>alert(1)</script>"))._repr_html_()
    assert "PatientID" in html
    assert "<script>" not in html


@needs_data
@pytest.mark.parametrize("part", range(2))
def test_one_edit_of_a_real_file_is_one_difference(part: int) -> None:
    for path in all_dicom_files()[part::10]:
        try:
            ds = dk.read(path)
        except DicomError:
            continue
        changed = ds.assign(StudyID="another one")
        assert [one.place for one in dk.diff(ds, changed)] == ["StudyID"], path
        assert dk.diff(ds, dk.read(path)) == (), path


@pytest.mark.parametrize(
    "verb", [lambda x: dk.diff(dk.DataSet(), x), dk.validate, dk.deidentify, lambda x: dk.write(x, "b")]
)
def test_a_path_is_no_data_set(verb) -> None:
    with pytest.raises(ValueFormatError, match="str is no DataSet"):
        verb("a.dcm")
