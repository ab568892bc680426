"""The data dictionary against the standard and against pydicom's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.standard.attributes import (
    Attribute,
    attribute,
    attribute_named,
    keyword_of,
    keywords,
    tag_of,
    vr_of,
    vr_table,
)

tags = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "expected",
    [
        Attribute(0x00020010, "TransferSyntaxUID", "Transfer Syntax UID", "UI", "1", False),
        Attribute(0x00000100, "CommandField", "Command Field", "US", "1", False),
        Attribute(0x00041220, "DirectoryRecordSequence", "Directory Record Sequence", "SQ", "1", False),
        Attribute(0x00100010, "PatientName", "Patient's Name", "PN", "1", False),
        Attribute(0x00181153, "ExposureInuAs", "Exposure in µAs", "IS", "1", False),
        Attribute(0x00280106, "SmallestImagePixelValue", "Smallest Image Pixel Value", "US|SS", "1", False),
        Attribute(0x00283006, "LUTData", "LUT Data", "US|OW", "1-n or 1", False),
        Attribute(0x00080001, "LengthToEnd", "Length to End", "UL", "1", True),
        Attribute(0x7FE00010, "PixelData", "Pixel Data", "OB|OW", "1", False),
        Attribute(0xFFFEE000, "Item", "Item", "", "1", False),
    ],
    ids=lambda expected: expected.keyword,
)
def test_entries_of_the_standard(expected):
    assert attribute(expected.tag) == expected
    assert vr_of(expected.tag) == (expected.vr or None)
    assert vr_table().get(expected.tag) == (expected.vr or None)
    assert keyword_of(expected.tag) == expected.keyword
    assert tag_of(expected.keyword) == expected.tag
    assert attribute_named(expected.name.upper()) == expected


@pytest.mark.parametrize(
    ("tag", "keyword", "vr"),
    [
        (0x60003000, "OverlayData", "OB|OW"),
        (0x601E0010, "OverlayRows", "US"),
        (0x60FE0022, "OverlayDescription", "LO"),
        (0x50000005, "CurveDimensions", "US"),
        (0x50FE3000, "CurveData", "OB|OW"),
        (0x00203100, "SourceImageIDs", "CS"),
        (0x002031FF, "SourceImageIDs", "CS"),
        (0x00280400, "TransformLabel", "LO"),
        (0x00280410, "RowsForNthOrderCoefficients", "US"),
        (0x002804F3, "CoefficientCodingPointers", "AT"),
        (0x002808F8, "ImageDataLocation", "AT"),
        (0x10000010, "EscapeTriplet", "US"),
        (0x1000FFF5, "ShiftTableTriplet", "US"),
        (0x10101234, "ZonalMap", "US"),
        (0x7F000010, "VariablePixelData", "OB|OW"),
        (0x7FFE0040, "VariableCoefficientsSDDN", "OW"),
    ],
)
def test_repeating_groups(tag, keyword, vr):
    known = attribute(tag)
    assert (known.tag, known.keyword, known.vr) == (tag, keyword, vr)
    assert vr_of(tag) == vr


def test_entries_of_their_own_win_over_masks():
    assert keyword_of(0x00280402) == "NumberOfTransformSteps"
    assert keyword_of(0x00280412) == "CoefficientCoding"
    assert tag_of("CoefficientCoding") == 0x00280412


@pytest.mark.parametrize("tag", [0x60011010, 0x50011010, 0x60004001, 0x00091001, 0x00090001, 0x00280425, 0x11111010])
def test_what_the_standard_does_not_know(tag):
    assert (attribute(tag), vr_of(tag), keyword_of(tag)) == (None, None, None)


def test_rules_that_need_no_entry():
    assert attribute(0x00080000) == Attribute(0x00080000, "", "Group Length", "UL", "1", True)
    assert attribute(0x00090000).name == "Group Length"
    assert attribute(0x10000000).name == "Group Length"
    assert attribute(0x000900FF) == Attribute(0x000900FF, "", "Private Creator", "LO", "1", False)
    assert attribute(0x0009000F) is None
    assert attribute(0x00090100) is None


def test_nothing_found():
    assert tag_of("patientname") is None
    assert tag_of("") is None
    assert attribute_named("") is None
    assert attribute_named("No such name") is None


def test_every_keyword_leads_to_its_tag_and_back():
    assert len(set(keywords())) == len(keywords()) == 5348
    assert all(keyword.isidentifier() for keyword in keywords())
    assert [keyword for keyword in keywords() if keyword_of(tag_of(keyword)) != keyword] == []


@given(tags)
def test_the_look_ups_of_a_tag_agree(tag):
    known = attribute(tag)
    assert vr_of(tag) == ((known.vr or None) if known else None)
    assert keyword_of(tag) == ((known.keyword or None) if known else None)
    assert known is None or known.tag == tag


def test_every_vr_is_one_of_ps3_5():
    vrs = {vr for known in vr_table().values() for vr in known.split("|")}
    assert vrs <= set(
        "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
    )


# (tag or mask) -> what pydicom 3.0.2 has where it differs from PS3.6 2026c, and why.
DIFFERENCES = {
    # PS3.6 prints these retired tags without name, VR and VM; pydicom needs something to print.
    **dict.fromkeys(["00080202", "00189445", "00280020"], ("OB", "1", "Retired-blank", True, "")),
    # The names have a micro sign, which pydicom spells u.
    "00181153": ("IS", "1", "Exposure in uAs", False, "ExposureInuAs"),
    "00188150": ("DS", "1", "Exposure Time in uS", False, "ExposureTimeInuS"),
    "00188151": ("DS", "1", "X-Ray Tube Current in uA", False, "XRayTubeCurrentInuA"),
    # The VM is printed "1-n or 1": one value when the VR is OW.
    "00281200": ("US|SS|OW", "1-n", "Gray Lookup Table Data", True, "GrayLookupTableData"),
    "00283006": ("US|OW", "1-n", "LUT Data", False, "LUTData"),
    # Items have no VR.
    "FFFEE000": ("NONE", "1", "Item", False, "Item"),
    "FFFEE00D": ("NONE", "1", "Item Delimitation Item", False, "ItemDelimitationItem"),
    "FFFEE0DD": ("NONE", "1", "Sequence Delimitation Item", False, "SequenceDelimitationItem"),
    # Changed in an edition after pydicom's 2024c: retired, not retired any more, keywords corrected.
    "00102160": ("SH", "1", "Ethnic Group", False, "EthnicGroup"),
    "30040012": ("DS", "1", "Dose Value", True, "DoseValue"),
    "003A0320": ("SQ", "1", "Summarized Filter Lookup Table Sequence", False, "SummarizedFilterLookupTable"),
    "003A0325": ("SQ", "1", "Analog Filter Type Code Sequence", False, "AnalogFilterType"),
}


def test_complete_against_pydicom():
    datadict = pytest.importorskip("pydicom.datadict")
    entries = {f"{tag:08X}": entry for tag, entry in datadict.DicomDictionary.items()} | datadict.RepeatersDictionary
    differences = {}
    for mask, (vr, vm, name, retired, keyword) in entries.items():
        theirs = (vr.replace(" or ", "|"), vm, name, bool(retired), keyword)
        ours = attribute(tag_of(keyword) if "x" in mask else int(mask, 16))
        if ours is None or (ours.vr, ours.vm, ours.name, ours.retired, ours.keyword) != theirs:
            differences[mask] = theirs
    assert len(entries) > 5000
    assert differences == DIFFERENCES
