"""The private dictionaries: look-up in any block, and everything that pydicom knows."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.standard.attributes import Attribute
from dicomkit.standard.private import creators, private_attribute

blocks = st.integers(0x10, 0xFF)


@given(blocks)
def test_any_block(block):
    tag = 0x0019_0000 | block << 8 | 0x0C
    assert private_attribute("SIEMENS MR HEADER", tag) == Attribute(tag, "", "B_value", "IS", "1", False)


@pytest.mark.parametrize(
    ("creator", "tag", "name", "vr"),
    [
        ("GEMS_PARM_01", 0x00431039, "Slop_int_6... slop_int_9", "IS"),
        ("Philips Imaging DD 001", 0x20011003, "Diffusion B-Factor", "FL"),
        ("TOSHIBA_MEC_MR3^10", 0x00091002, "Unknown", "SH"),  # published as (0009,0002)
        ("ELSCINT1", 0x01F11026, "Pitch", "FD"),  # published for this very tag as FD,
        ("ELSCINT1", 0x01F11126, "Pitch", "DS"),  # and for any block as DS
        ("ELSCINT1", 0x01E11117, "ECG Reference UID", "UI"),  # published for block 10 only
        ("DLX_ANNOT_01", 0x70031005, "Box", "IS"),  # published for groups 70xx
        ("FDMS 1.0", 0x0027FFA3, "Raw Data", "US|SS"),
        ("SIEMENS MR HEADER ", 0x0019100C, "B_value", "IS"),  # padded
    ],
)
def test_known_attributes(creator, tag, name, vr):
    known = private_attribute(creator, tag)
    assert (known.name, known.vr, known.tag) == (name, vr, tag)


@pytest.mark.parametrize(
    ("creator", "tag"),
    [
        ("", 0x0019100C),
        ("NOBODY", 0x0019100C),
        ("SIEMENS MR HEADER", 0x001910F0),
        ("SIEMENS MR HEADER", 0x0019000C),  # not in a block
        ("GEMS_ACQU_01", 0x00191010 + 0xEF),  # the row for a whole block is no attribute
    ],
)
def test_unknown_attributes(creator, tag):
    assert private_attribute(creator, tag) is None


@given(st.text(max_size=20) | st.sampled_from(creators()), st.integers(0, 0xFFFFFFFF))
def test_any_creator_and_tag(creator, tag):
    known = private_attribute(creator, tag)
    assert known is None or (known.tag == tag and re.fullmatch(r"[A-Z]{2}(\|[A-Z]{2})?", known.vr))


# pydicom has (gggg,00ee) as "Unknown"; the row of another source for any block says more, and wins.
SAY_MORE = {
    "ELSCINT1": 2,
    "Philips MR Imaging DD 006": 30,
    "SIEMENS MR EXTRACTED CSA HEADER": 3,
    "SIEMENS MR SDI 02": 4,
    "SIEMENS MR SDS 01": 1,
}


def test_complete_against_pydicom():
    private = pytest.importorskip("pydicom._private_dict").private_dictionaries
    say_more, differences = Counter(), {}
    for creator, entries in private.items():
        for mask, (vr, vm, name, _retired) in entries.items():
            if re.fullmatch("[0-9A-Fa-f]{6}xx", mask):  # describes a block
                continue
            tag = int(mask.replace("xxxx", "FF22").replace("xx", "22"), 16)
            ours = private_attribute(creator, tag if tag & 0xFF00 else tag | 0x2200)
            theirs = ({"US or SS": "US|SS", "OB_OW": "OB|OW"}.get(vr, vr), vm, name)
            if ours and name == "Unknown" and mask[4:6] == "00" and ours.name != "Unknown":
                say_more[creator] += 1
            elif ours is None or (ours.vr, ours.vm, ours.name) != theirs:
                differences[creator, mask] = (theirs, ours)
    assert sum(map(len, private.values())) > 10000
    assert differences == {}
    assert say_more == SAY_MORE
