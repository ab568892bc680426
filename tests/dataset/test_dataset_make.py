"""New data sets have what their SOP class asks for, and derived ones refer to their source."""

from __future__ import annotations

import io

import pytest

import dicomkit as dk
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.standard.modules import iod, iods


def test_type_2_attributes_are_there_and_empty() -> None:
    ds = dk.make_dataset("CTImageStorage", PatientName="DOE^JANE")
    for keyword in ("PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber", "KVP"):
        assert ds[keyword] is None, keyword
    assert ds.PatientName == "DOE^JANE"
    assert "Rows" not in ds
    assert "Modality" not in ds
    assert len({ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID}) == 3


def test_every_storage_class_can_be_made_and_written() -> None:
    made, missing = 0, set()
    for name in iods():
        found = iod(name)
        assert found is not None
        for uid in found.sop_classes[:1]:
            ds = dk.make_dataset(uid)
            file = io.BytesIO()
            dk.write(ds, file)
            assert dk.read(file.getvalue()) == ds
            findings = dk.validate(ds).to_table()
            lines = findings["path"] + ": " + findings["message"]
            missing |= {line for line in lines if "Type 2 " in line and "missing" in line}
            made += 1
    assert made > 80
    # Of a conditional module, whose condition holds for what is empty here.
    assert missing <= {"PositionReferenceIndicator: missing: Type 2 of the Frame of Reference Module"}


def test_what_is_no_storage_class() -> None:
    with pytest.raises(ValueFormatError, match="Verification"):
        dk.make_dataset("Verification")
    with pytest.raises(ValueFormatError, match="NoSuchThing"):
        dk.make_dataset("NoSuchThing")


@pytest.mark.parametrize(
    ("keyword", "value", "why"),
    [
        ("Rows", "many", "integer"),
        ("Rows", 70000, "16 bits"),
        ("StudyDate", "31.1.2024", "0008,0020"),
        ("Modality", "much too long a code string", "16"),
        ("SOPInstanceUID", "1.2.x", "0008,0018"),
        ("PixelSpacing", (1, 2, 3), r"PixelSpacing has 3 values, where PS3.6 allows 2.*0028,0030"),
        ("Rows", (1, 2), "has 2 values, where PS3.6 allows 1"),
        ("ContentSequence", [{}, {"PersonName": ("A", "B")}], "ContentSequence.1.PersonName has 2 values"),
        ("ContentSequence", "text", "sequence"),
        ("PatientName", b"bytes", "0010,0010"),
        ("PixelData", "text", "7FE0,0010"),
        ("PatientWeight", float("inf"), "finite"),
        ("StudyDescription", "a\\b", "0008,1030"),
        ("NoSuchKeyword", 1, "NoSuchKeyword"),
    ],
)
def test_values_are_checked_on_assignment(keyword: str, value: object, why: str) -> None:
    source = dk.samples.ct_series(slices=1, size=8)[0]
    builders = (
        lambda **given: dk.make_dataset("CTImageStorage", **given),
        lambda **given: dk.new_instance(source, **given),
        lambda **given: dk.derive(source, description="x", **given),
    )
    for build in builders:
        with pytest.raises(dk.DicomError, match=why):
            build(**{keyword: value})


def test_a_new_instance_has_another_identity() -> None:
    source = dk.samples.ct_series(slices=1, size=8)[0]
    new = dk.new_instance(source, InstanceNumber=99)
    assert new.SOPInstanceUID != source.SOPInstanceUID
    assert new.SeriesInstanceUID == source.SeriesInstanceUID
    assert new.InstanceNumber == 99
    assert source.InstanceNumber != 99


def test_a_derived_image_refers_to_its_source() -> None:
    first, second = dk.samples.ct_series(slices=2, size=8)
    a = dk.derive(first, description="smoothed", PatientComments="x")
    b = dk.derive(second, description="smoothed")
    assert a.ImageType[0] == "DERIVED"
    assert a.DerivationDescription == "smoothed"
    assert a.PatientComments == "x"
    assert a.SeriesInstanceUID == b.SeriesInstanceUID != first.SeriesInstanceUID
    assert a["SourceImageSequence", 0, "ReferencedSOPInstanceUID"] == first.SOPInstanceUID
    both = dk.derive(first, description="mean", sources=(first, second), new_series=False)
    assert len(both.SourceImageSequence) == 2
    assert both.SeriesInstanceUID == first.SeriesInstanceUID


def test_another_object_refers_to_its_source_too() -> None:
    document = dk.make_dataset("EncapsulatedPDFStorage")
    derived = dk.derive(document, description="signed")
    assert derived["ReferencedInstanceSequence", 0, "ReferencedSOPInstanceUID"] == document.SOPInstanceUID
    with pytest.raises(MissingElementError, match="SOPClassUID"):
        dk.derive(dk.DataSet(PatientID="1"), description="x")
