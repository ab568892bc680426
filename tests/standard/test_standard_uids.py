"""The UID registry against the standard and against pydicom's."""

import pytest

from dicomkit.standard.uids import Uid, uid_entry, uid_named, uid_of, uid_types, uids_of_type


@pytest.mark.parametrize(
    "expected",
    [
        Uid("1.2.840.10008.1.1", "Verification SOP Class", "Verification", "SOP Class", False, ""),
        Uid("1.2.840.10008.1.2.2", "Explicit VR Big Endian", "ExplicitVRBigEndian", "Transfer Syntax", True, ""),
        Uid(
            "1.2.840.10008.1.2",
            "Implicit VR Little Endian",
            "ImplicitVRLittleEndian",
            "Transfer Syntax",
            False,
            "Default Transfer Syntax for DICOM",
        ),
        Uid("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", "JPEGXLLossless", "Transfer Syntax", False, ""),
        Uid("1.2.840.10008.5.1.4.1.1.66.4", "Segmentation Storage", "SegmentationStorage", "SOP Class", False, ""),
        Uid(
            "1.2.840.10008.1.5.1",
            "Hot Iron Color Palette SOP Instance",
            "HotIronPalette",
            "Well-known SOP Instance",
            False,
            "",
        ),
    ],
    ids=lambda expected: expected.keyword,
)
def test_entries_of_the_standard(expected):
    assert uid_entry(expected.uid) == expected
    assert uid_of(expected.keyword) == expected.uid
    assert uid_named(expected.name.lower()) == expected


def test_context_groups_have_a_number_and_no_keyword():
    group = uid_entry("1.2.840.10008.6.1.19")
    assert (group.type, group.keyword, group.note) == ("Context Group UID", "", "CID 29")
    assert uid_entry("1.2.840.10008.6.1.50") == Uid(
        "1.2.840.10008.6.1.50", "Cardiology Measurement Unit", "", "Context Group UID", True, "CID 3082"
    )


def test_nothing_found():
    assert uid_entry("") is None
    assert uid_of("") is None
    assert uid_named("") is None


def test_types_partition_the_registry():
    by_type = {type: uids_of_type(type) for type in uid_types()}
    assert sum(map(len, by_type.values())) == 1989
    assert len(by_type["Transfer Syntax"]) == 63
    assert len(by_type["Context Group UID"]) == 1469
    assert uids_of_type("No such type") == ()


def test_names_keep_nothing_that_the_source_appends():
    entries = [entry for type in uid_types() for entry in uids_of_type(type)]
    marks = ("(Retired)", "IOD specification", "TemplateID", "with identifier", "sect_")
    assert [entry for entry in entries if any(mark in entry.name for mark in marks)] == []
    assert [entry for entry in entries if entry.keyword and not entry.keyword.isidentifier()] == []
    assert sum(not entry.name for entry in entries) == 6


# Names that pydicom 3.0.2 spells in another way than PS3.6: "&" as "and".
AMPERSANDS = 12


def test_complete_against_pydicom():
    dictionary = pytest.importorskip("pydicom.uid").UID_dictionary
    assert len(dictionary) > 450
    ampersands, differences = 0, {}
    for uid, (name, type, _info, retired, keyword) in dictionary.items():
        ours = uid_entry(uid)
        ampersands += ours.name != name and "&" in ours.name
        theirs = (name, type.lower(), bool(retired), keyword)
        if (ours.name.replace("&", "and"), ours.type.lower(), ours.retired, ours.keyword) != theirs:
            differences[uid] = (theirs, ours)
    assert differences == {}
    assert ampersands == AMPERSANDS
