"""Hypothesis strategies of data sets with every VR, private blocks and nested items, for the JSON and XML models."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.values.age import Age
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.fragments import Fragments
from dicomkit.values.numbers import format_ds
from dicomkit.values.person_name import PersonName
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import UID

FIRST_PRIVATE = 0x00091000
CREATOR = "ACME 1.1"

line = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\")
paragraph = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\r\n\t\f\\")
name_component = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\^="), max_size=8)


def stripped(alphabet: st.SearchStrategy[str], most: int = 16) -> st.SearchStrategy[str]:
    return st.text(alphabet, max_size=most).map(lambda text: text.strip(" ")).filter(bool)


def rstripped(alphabet: st.SearchStrategy[str], most: int = 30) -> st.SearchStrategy[str]:
    return st.text(alphabet, max_size=most).map(lambda text: text.rstrip(" ")).filter(bool)


def integers(code: str) -> st.SearchStrategy[int]:
    bits = 8 * struct.calcsize(code)
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else st.integers(0, (1 << bits) - 1)


names = (
    st.lists(st.lists(name_component, max_size=5).map("^".join), min_size=1, max_size=3)
    .map(lambda groups: PersonName("=".join(groups).rstrip("= ")))
    .filter(bool)
)
SINGLE: dict[str, st.SearchStrategy[object]] = {
    "AE": stripped(line),
    "AS": st.builds(Age.of, st.integers(0, 999), st.sampled_from("DWMY")),
    "AT": st.integers(0, 2**32 - 1).map(Tag),
    "CS": stripped(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ")),
    "DA": st.dates().map(Date.of),
    "DS": st.floats(allow_nan=False, allow_infinity=False).map(format_ds).map(float),
    "DT": st.datetimes().map(DateTime.of),
    "FD": st.floats(),
    "FL": st.floats(width=32),
    "IS": st.integers(-(2**31), 2**31 - 1),
    "LO": stripped(line),
    "PN": names,
    "SH": stripped(line),
    "SL": integers("i"),
    "SS": integers("h"),
    "SV": integers("q"),
    "TM": st.times().map(Time.of),
    "UC": rstripped(line),
    "UI": st.lists(st.integers(0, 10**6), min_size=2, max_size=5).map(lambda parts: UID(".".join(map(str, parts)))),
    "UL": integers("I"),
    "US": integers("H"),
    "UV": integers("Q"),
}
WHOLE: dict[str, st.SearchStrategy[object]] = {
    **{vr: rstripped(paragraph) for vr in ("LT", "ST", "UT")},
    "UR": st.text(st.sampled_from("abc:/?&=%<>'\""), min_size=1, max_size=20),
    "OB": st.binary(min_size=1, max_size=40),
    "UN": st.binary(min_size=1, max_size=40),
    **{
        vr: st.binary(min_size=1, max_size=5).map(lambda raw, size=size: raw * size)
        for vr, size in {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}.items()
    },
}
MAY_BE_EMPTY = frozenset(("AE", "CS", "DA", "DS", "DT", "IS", "LO", "SH", "TM", "UC"))


@st.composite
def values(draw: st.DrawFn, vr: str) -> object:
    """One value, several (some of them empty where the VR allows that), or none."""
    if vr in WHOLE:
        return draw(st.none() | WHOLE[vr])
    several = draw(st.lists(SINGLE[vr], max_size=4))
    if len(several) > 2 and vr in MAY_BE_EMPTY:
        several[1] = None if vr in ("DA", "DS", "DT", "IS", "TM") else ""
    return tuple(several) if len(several) > 1 else several[0] if several else None


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 2) -> dk.DataSet:
    """A data set whose private elements have any VR, with sequences of such, and maybe pixel data."""
    elements = [dk.Element(Tag(0x00090010), "LO", CREATOR)]
    for offset, vr in enumerate(draw(st.lists(st.sampled_from([*SINGLE, *WHOLE]), max_size=6))):
        elements.append(dk.Element(Tag(FIRST_PRIVATE + offset), vr, draw(values(vr))))
    if depth:
        items = draw(st.lists(data_sets(depth - 1), max_size=2))
        elements.append(dk.Element(Tag(0x0040A730), "SQ", tuple(items)))
    if draw(st.booleans()):
        parts = draw(st.lists(st.binary(max_size=6).map(lambda half: half * 2), max_size=3))
        elements.append(dk.Element(Tag(0x7FE00010), "OB", Fragments.of(parts)))
    return dk.DataSet(elements)
