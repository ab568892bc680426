"""The rules of each VR, of value multiplicity, and of the alphabetic group of names."""

from __future__ import annotations

import pytest

from dicomkit.values.charset import UNDECIDED, Charset
from dicomkit.values.rules import alphabetic_problems, value_problems, vm_allows
from dicomkit.values.vr import VRS

LEGAL = {
    "AE": ["PACS", "a b", "x" * 16],
    "AS": ["018M", "000D", "999Y"],
    "CS": ["ORIGINAL", "A_1 B"],
    "DA": ["20240229"],
    "DS": ["1.5", "-1.23456789E-100", "1.", ".5"],
    "DT": ["2024", "2007-0500", "20240229235960.123456+1400"],
    "IS": ["-2147483648", "2147483647", "+007"],
    "LO": ["x" * 64, "é^="],
    "LT": ["a\\b\r\n\t\f", "x" * 10240],
    "PN": ["A^B^C^D^E=F^^^^G=", "x" * 63 + "=" + "y" * 63 + "=" + "z" * 64],
    "SH": ["x" * 16],
    "ST": ["x" * 1024, "山\\"],
    "TM": ["00", "2359", "235960", "235959.123456"],
    "UC": ["x" * 100_000],
    "UI": ["1.2.840", "2.25." + "1" * 59, "0.0"],
    "UR": ["http://[::1]/a%20b?c=d&e#f"],
    "UT": ["x" * 100_000],
}
ILLEGAL = {
    "AE": ["x" * 17, "\t", "é", "a\\b"],
    "AS": ["18M", "018m", "018", "0180M"],
    "CS": ["a", "A-B", "x" * 17, "A\\B", "Ä"],
    "DA": ["2024", "20240230", "2024.02.29", "20240101-"],
    "DS": ["", "1,5", "nan", "1.2345678901234567", "1 2"][1:],
    "DT": ["202", "20240230", "2024-1300", "2024-0000", "20240101 ", "2024010124"],
    "IS": ["1.0", "2147483648", "-2147483649", "1" * 13],
    "LO": ["x" * 65, "a\tb", "a\\b", "\x7f", "\x85"],
    "LT": ["x" * 10241, "\0", "\x0b", "\x1b(B"],
    "PN": ["A=B=C=D", "A^B^C^D^E^F", "x" * 64 + "=", "x" * 65, "a\nb", "=A^B^C^D^E^F", "a\\b"],
    "SH": ["x" * 17, "\x1b"],
    "ST": ["x" * 1025, "\x08"],
    "TM": ["2400", "10:10", "021", "101010.1234567", "1010-1011"],
    "UC": ["a\\b", "\n"],
    "UI": ["1.02", "1..2", "1.2.", ".1", "1.a", "2.25." + "1" * 60],
    "UR": ["a b", "a\\b", "é", "<"],
    "UT": ["\x00"],
}


@pytest.mark.parametrize("vr", LEGAL)
def test_legal_values(vr: str) -> None:
    assert [text for text in LEGAL[vr] if value_problems(vr, text)] == []
    assert value_problems(vr, "") == []


@pytest.mark.parametrize("vr", ILLEGAL)
def test_illegal_values(vr: str) -> None:
    assert [text for text in ILLEGAL[vr] if not value_problems(vr, text)] == []


def test_every_vr_of_text_is_tested() -> None:
    texts = {row.name for row in VRS.values() if row.kind in ("text", "number_text")}
    assert set(LEGAL) == set(ILLEGAL) == texts


@pytest.mark.parametrize(
    ("vm", "allowed", "forbidden"),
    [
        ("1", [0, 1], [2]),
        ("3", [3], [1, 2, 4]),
        ("1-2", [1, 2], [3]),
        ("1-n", [1, 99], []),
        ("2-n", [2, 3], [1]),
        ("2-2n", [2, 4], [1, 3]),
        ("3-3n", [3, 6], [4]),
        ("1-32", [32], [33]),
        ("1-n or 1", [1, 2], []),
        ("", [1, 2], []),
    ],
)
def test_value_multiplicity(vm: str, allowed: list[int], forbidden: list[int]) -> None:
    assert all(vm_allows(vm, count) for count in allowed)
    assert not any(vm_allows(vm, count) for count in forbidden)


@pytest.mark.parametrize(
    ("terms", "name", "legal"),
    [
        ("", "Doe^Jane=山田", True),
        ("ISO_IR 100", "Müller", True),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ=山田", True),
        ("\\ISO 2022 IR 87", "山田", False),
        ("ISO 2022 IR 100\\ISO 2022 IR 144", "щ", False),
        ("ISO_IR 192", "Ἀριστοτέλης", True),
        ("ISO_IR 192", "ヤマダ", True),
        ("ISO_IR 192", "山田", False),
        ("ISO_IR 203", "Straße^€", True),
        ("ISO_IR 192", "Straße^€", False),
        ("GB18030", "王", False),
    ],
)
def test_alphabetic_group(terms: str, name: str, legal: bool) -> None:
    assert (not alphabetic_problems(name, Charset.of(terms))) == legal


def test_alphabetic_group_of_a_name_whose_repertoire_is_not_decided() -> None:
    """What some single-byte repertoire has is let through; ``encode_value`` looks again when it is written."""
    for number in (100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 203, 13):
        charset = Charset.of(f"ISO_IR {number}")
        for byte in range(0xA1, 0x100):
            character = charset.decode(bytes([byte]))
            if character != "\ufffd":
                assert not alphabetic_problems(character, charset), (number, character)
                assert not alphabetic_problems(character, UNDECIDED), (number, character)
    assert alphabetic_problems("山田", UNDECIDED)
    assert alphabetic_problems("a\u2020", UNDECIDED)
