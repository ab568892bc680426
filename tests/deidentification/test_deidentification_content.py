"""Structured content, private elements, graphics and documents: each by its own rules."""

from __future__ import annotations

from typing import Any

import hidden_names as hidden
import pytest

import dicomkit as dk
from dicomkit.deidentification import certify
from dicomkit.deidentification.content import _moved
from dicomkit.encoding.writer import to_part10

KEY = "the secret of a trial"
CLEAN = dk.BASIC_PROFILE.with_options("clean_structured_content")


def item(value_type: str, value: str, meaning: str, scheme: str = "DCM", **values: Any) -> dict[str, Any]:
    code = {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
    return {"RelationshipType": "CONTAINS", "ValueType": value_type, "ConceptNameCodeSequence": [code], **values}


def cleaned(*items: dict[str, Any], profile: dk.deidentification.Profile = CLEAN) -> tuple[dk.DataSet, ...]:
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", PatientName="Doe^Jane", PatientID="P4711", ContentSequence=items
    )
    return dk.deidentify(ds, profile, key=KEY).ContentSequence


def test_without_the_option_one_remark_stands_for_all_content() -> None:
    (only,) = dk.deidentify(hidden.report(), key=KEY).ContentSequence
    assert (only.ValueType, only.TextValue) == ("TEXT", "REMOVED")


def test_concepts_decide() -> None:
    kept = cleaned(
        item("TEXT", "121022", "Accession Number", TextValue="A1"),
        item("TEXT", "121030", "Subject ID", TextValue="P4711"),
        item("NUM", "121033", "Subject Age", MeasuredValueSequence=[{"NumericValue": "44"}]),
        item("NUM", "112058", "Calcium Score", MeasuredValueSequence=[{"NumericValue": "7"}]),
        item("PNAME", "121008", "Person Observer Name", PersonName="House^Gregory"),
        item("PNAME", "121036", "Mother of fetus", PersonName="Doe^Jane"),
        item("TEXT", "112", "Remark", "99X", TextValue="seen Jane on 2024-01-31"),
        item("CODE", "121032", "Subject Sex", ConceptCodeSequence=[{"CodeValue": "F"}]),
    )
    found = {entry.ConceptNameCodeSequence[0].CodeMeaning: entry for entry in kept}
    assert set(found) == {"Subject ID", "Calcium Score", "Person Observer Name", "Remark"}
    assert found["Subject ID"].TextValue == "REMOVED"
    assert found["Person Observer Name"].PersonName == "REMOVED"
    assert found["Remark"].TextValue == "seen on"
    assert found["Calcium Score"].MeasuredValueSequence[0].NumericValue == 7


def test_retired_codes_are_known_by_their_meaning() -> None:
    assert cleaned(item("TEXT", "G-0815", "Accession Number", "SRT", TextValue="A1")) == ()


def test_options_keep_devices_and_characteristics() -> None:
    items = (
        item("TEXT", "121016", "Device Observer Serial Number", TextValue="SN 99"),
        item("UIDREF", "121012", "Device Observer UID", UID="1.2.3"),
        item("NUM", "121033", "Subject Age", MeasuredValueSequence=[{"NumericValue": "44"}]),
        item("DATETIME", "111526", "DateTime Started", DateTime="20240517101530+0200"),
    )
    options = ("retain_device_identity", "retain_patient_characteristics")
    kept = cleaned(*items, profile=CLEAN.with_options(*options, retain_dates="full"))
    assert [entry.ValueType for entry in kept] == ["TEXT", "UIDREF", "NUM", "DATETIME"]
    assert (kept[0].TextValue, kept[1].UID, kept[3].DateTime) == ("SN 99", "1.2.3", "20240517101530+0200")
    plain = cleaned(*items)
    assert [entry.ValueType for entry in plain] == ["UIDREF", "DATETIME"]
    assert plain[0].UID.startswith("2.25.")
    assert plain[1].DateTime == "19000101000000"


def test_references_by_position_follow_what_they_refer_to() -> None:
    kept = cleaned(
        item("TEXT", "121022", "Accession Number", TextValue="A1"),
        item("TEXT", "1", "Remark", "99X", TextValue="one"),
        item(
            "CONTAINER",
            "2",
            "Group",
            "99X",
            ContentSequence=[
                item("TEXT", "121022", "Accession Number", TextValue="A1"),
                item("TEXT", "3", "Remark", "99X", TextValue="inner"),
            ],
        ),
        {"RelationshipType": "INFERRED FROM", "ReferencedContentItemIdentifier": [1, 3, 2]},
        {"RelationshipType": "INFERRED FROM", "ReferencedContentItemIdentifier": [1, 1]},
    )
    assert [entry.get("ReferencedContentItemIdentifier") for entry in kept] == [None, None, (1, 2, 1)]
    assert _moved((3, 2), {(1,), (3, 1)}) == (2, 1)


def test_acquisition_context_and_specimen_preparation_are_content_too() -> None:
    step = dk.DataSet(item("TEXT", "121041", "Specimen Identifier", TextValue="S-1"))
    note = dk.DataSet(item("TEXT", "1", "Note", "99X", TextValue="for Jane"))
    ds = dk.DataSet(
        PatientName="Doe^Jane",
        AcquisitionContextSequence=[item("TEXT", "121041", "Specimen Identifier", TextValue="S-1"), note],
        SpecimenPreparationSequence=[{"SpecimenPreparationStepContentItemSequence": [step, note]}],
    )
    clean = dk.deidentify(ds, CLEAN, key=KEY)
    assert [entry.TextValue for entry in clean.AcquisitionContextSequence] == ["for"]
    steps = clean.SpecimenPreparationSequence[0].SpecimenPreparationStepContentItemSequence
    assert [entry.TextValue for entry in steps] == ["for"]
    basic = dk.deidentify(ds, key=KEY)
    assert basic.AcquisitionContextSequence == () == basic.SpecimenPreparationSequence


def private(*elements: tuple[int, object, str]) -> dk.DataSet:
    made = [dk.Element.of(tag, value, vr) for tag, value, vr in elements]
    return dk.read(to_part10(dk.DataSet(PatientName="Doe^Jane").assign(made), anonymous=True))


def test_safe_private_elements_keep_their_creator_and_nothing_else_stays() -> None:
    ds = private(
        (0x00190010, "GEMS_ACQU_01", "LO"),
        (0x00191023, "1.5", "DS"),
        (0x001910A0, "Doe", "LO"),
        (0x00190011, "OTHER", "LO"),
        (0x00191123, "Doe", "LO"),
        (0x00210010, "GEMS_RELA_01", "LO"),
        (0x00211003, 1, "SS"),
    )
    clean = dk.deidentify(ds, dk.BASIC_PROFILE.with_options("retain_safe_private"), key=KEY)
    assert [str(tag) for tag in clean if tag.is_private] == ["(0019,0010)", "(0019,1023)"]
    assert clean[0x00191023] == 1.5
    assert not [tag for tag in dk.deidentify(ds, key=KEY) if tag.is_private]


def test_a_data_set_may_say_itself_which_private_elements_are_safe() -> None:
    ds = private((0x00090010, "ACME", "LO"), (0x00091001, "a", "LO"), (0x00091002, "b", "LO"), (0x00091003, "c", "LO"))
    ds = ds.assign(
        PrivateDataElementCharacteristicsSequence=[
            {
                "PrivateGroupReference": 9,
                "PrivateCreatorReference": "ACME",
                "BlockIdentifyingInformationStatus": "MIXED",
                "NonidentifyingPrivateElements": [1],
                "DeidentificationActionSequence": [
                    {"IdentifyingPrivateElements": [2], "DeidentificationAction": "D"},
                ],
            }
        ]
    )
    clean = dk.deidentify(ds, dk.BASIC_PROFILE.with_options("retain_safe_private"), key=KEY)
    assert (clean[0x00091001], clean[0x00091002], clean.get(0x00091003)) == ("a", "REMOVED", None)
    all_safe = ds.assign(
        {("PrivateDataElementCharacteristicsSequence", 0, "BlockIdentifyingInformationStatus"): "SAFE"}
    )
    clean = dk.deidentify(all_safe, dk.BASIC_PROFILE.with_options("retain_safe_private"), key=KEY)
    assert (clean[0x00091002], clean[0x00091003]) == ("b", "c")
    assert "PrivateDataElementCharacteristicsSequence" not in dk.deidentify(ds, key=KEY)


def test_safe_private_sequences_are_gone_through() -> None:
    inner = dk.DataSet(PatientName="Doe^Jane", Rows=2, StudyInstanceUID="1.2.3")
    ds = private((0x20010010, "Philips Imaging DD 001", "LO"), (0x20011068, (inner,), "SQ"))
    clean = dk.deidentify(ds, dk.BASIC_PROFILE.with_options("retain_safe_private"), key=KEY)
    if 0x20011068 not in clean:
        pytest.fail("the table of safe elements has it")
    assert clean[0x20011068][0].PatientName != "Doe^Jane"
    assert clean[0x20011068][0].StudyInstanceUID.startswith("2.25.")
    assert clean[0x20011068][0].Rows == 2


def test_names_are_swept_out_of_what_is_kept() -> None:
    ds = private((0x00090010, "ACME", "LO"), (0x00091001, b'{"name": "DOE^JANE"}', "OB")).assign(
        PatientID="PID4711",
        Manufacturer="Doe Industries",
        SoftwareVersions=["1.0", "PID4711"],
        BodyPartExamined="JANE",
    )
    profile = dk.BASIC_PROFILE.with_options("retain_safe_private")
    stated = ds.assign(
        PrivateDataElementCharacteristicsSequence=[
            {
                "PrivateGroupReference": 9,
                "PrivateCreatorReference": "ACME",
                "BlockIdentifyingInformationStatus": "SAFE",
            }
        ]
    )
    clean = dk.deidentify(stated, profile, key=KEY)
    assert clean[0x00091001] == b'{"name": "XXX^XXXX"}'
    assert clean.Manufacturer == "Industries"
    assert clean.SoftwareVersions == ("1.0", "")
    assert clean.BodyPartExamined == "JANE"  # a code string: its terms may be words of a name
    off = dk.deidentify(stated, profile.with_options(sweep=False), key=KEY)
    assert off.Manufacturer == "Doe Industries"
    by_user = dk.deidentify(ds, dk.BASIC_PROFILE.with_overrides({("ACME", 9, 1): "K", "Manufacturer": "K"}), key=KEY)
    assert by_user[0x00091001] == b'{"name": "DOE^JANE"}'
    assert by_user.Manufacturer == "Doe Industries"


def test_a_uid_that_holds_the_patient_id_is_replaced_wherever_it_stands() -> None:
    ds = dk.DataSet(PatientID="47110815", ContextGroupExtensionCreatorUID="1.2.3.47110815.4", SOPClassUID="1.2.3")
    clean = dk.deidentify(ds, key=KEY)
    assert clean.ContextGroupExtensionCreatorUID.startswith("2.25.")
    assert clean.SOPClassUID == "1.2.3"


def graphics(kind: str) -> dk.DataSet:
    made = [
        dk.Element.of(0x60020010, 4, "US"),
        dk.Element.of(0x60020011, 4, "US"),
        dk.Element.of(0x60020040, kind, "CS"),
        dk.Element.of(0x60020050, (1, 1), "SS"),
        dk.Element.of(0x60020100, 1, "US"),
        dk.Element.of(0x60020102, 0, "US"),
        dk.Element.of(0x60021500, "of Jane", "LO"),
        dk.Element.of(0x60023000, b"\xff\x00", "OW"),
        dk.Element.of(0x50000005, 1, "US"),
        dk.Element.of(0x50003000, b"\xff\x00", "OW"),
    ]
    return dk.DataSet(PatientName="Doe^Jane", Rows=4).assign(made)


def test_overlays_and_curves_go_as_a_whole() -> None:
    assert not [tag for tag in dk.deidentify(graphics("G"), key=KEY) if tag >> 24 in (0x50, 0x60)]
    profile = dk.BASIC_PROFILE.with_options("clean_graphics")
    assert not [tag for tag in dk.deidentify(graphics("G"), profile, key=KEY) if tag >> 24 in (0x50, 0x60)]
    region = dk.deidentify(graphics("R"), profile, key=KEY)
    assert region[0x60023000] == b"\xff\x00"
    assert region[0x60021500] == "of"
    assert 0x50003000 not in region


def test_graphic_annotations() -> None:
    annotation = {
        "GraphicLayer": "LAYER1",
        "TextObjectSequence": [{"UnformattedTextValue": "nodule, Jane", "AnchorPoint": [1.0, 2.0]}],
        "GraphicObjectSequence": [{"GraphicType": "POLYLINE", "GraphicData": [1.0, 1.0, 2.0, 2.0]}],
        "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}],
    }
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1", PatientName="Doe^Jane", GraphicAnnotationSequence=[annotation]
    )
    (blank,) = dk.deidentify(ds, key=KEY).GraphicAnnotationSequence
    assert blank.GraphicLayer == "LAYER1"
    assert blank.TextObjectSequence[0].UnformattedTextValue == "REMOVED"
    assert "GraphicObjectSequence" not in blank
    profile = dk.BASIC_PROFILE.with_options("clean_graphics", "clean_descriptors")
    (kept,) = dk.deidentify(ds, profile, key=KEY).GraphicAnnotationSequence
    assert kept.TextObjectSequence[0].UnformattedTextValue == "nodule"
    assert kept.GraphicObjectSequence[0].GraphicData == (1.0, 1.0, 2.0, 2.0)


def test_an_encapsulated_document_is_replaced_by_a_blank_one() -> None:
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        EncapsulatedDocument=b"%PDF-1.4 of Jane Doe",
        EncapsulatedDocumentLength=20,
        MIMETypeOfEncapsulatedDocument="application/pdf",
    )
    clean = dk.deidentify(ds, key=KEY)
    document = bytes(clean.EncapsulatedDocument)
    assert document.startswith(b"%PDF-1.4")
    assert b"Doe" not in document
    assert clean.EncapsulatedDocumentLength == len(document)


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "GB18030"])
def test_names_in_other_character_sets(charset: str) -> None:
    name = {"ISO_IR 100": "Müller^Jörg", "GB18030": "Wang^XiaoDong=王^小东"}.get(
        charset, "Yamada^Tarou=山田^太郎=やまだ^たろう"
    )
    terms = ["", charset] if charset.startswith("ISO 2022") else charset
    text = name.replace("=", " ").replace("^", " ")
    ds = dk.DataSet(SpecificCharacterSet=terms, PatientName=name, StudyDescription=text, Manufacturer=text)
    read = dk.read(to_part10(ds, anonymous=True))
    assert read.PatientName == name
    clean = dk.deidentify(read, dk.BASIC_PROFILE.with_options("clean_descriptors"), key=KEY)
    assert not clean.get("StudyDescription")
    assert not clean.get("Manufacturer")


def test_retained_uids_stay_whatever_they_hold() -> None:
    ds = dk.DataSet(PatientID="47110815", SOPInstanceUID="1.2.3.47110815.4", StudyInstanceUID="1.2.3.47110815")
    clean = dk.deidentify(ds, dk.BASIC_PROFILE.with_options("retain_uids"), key=KEY)
    assert (clean.SOPInstanceUID, clean.StudyInstanceUID) == (ds.SOPInstanceUID, ds.StudyInstanceUID)
    assert certify(clean, ds, dk.BASIC_PROFILE.with_options("retain_uids"), key=KEY)["kind"].tolist().count("id") >= 2
