"""Hypothesis strategies for data sets, with an encoder of their own, so that the library is not held against itself.

A made-up data set is a dict from tag to (VR, value); the value of a sequence is a list of such dicts. ``encoded`` turns
one into bytes.
"""

from __future__ import annotations

import string
import struct
from functools import cache
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st

from dicomkit.standard.attributes import vr_table

Made: TypeAlias = "dict[int, tuple[str, Any]]"

LONG_FORM = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
NUMBERS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
WORDS = {"OB": 1, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "UN": 1}
PRINTABLE = "".join(sorted(set(string.printable) - set("\\\t\n\r\v\f")))
UNDEFINED = 0xFFFFFFFF


@cache
def tags_of(vr: str) -> tuple[int, ...]:
    """Some tags that have this VR and no other in the dictionary, from all over it."""
    tags = [tag for tag, known in vr_table().items() if known == vr and tag >> 16 > 8 and tag >> 16 != 0xFFFE]
    return tuple(tags[:: max(1, len(tags) // 12)])


def text(alphabet: str, max_size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=max_size).filter(lambda given: given == given.strip())


def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(one, st.lists(one, min_size=2, max_size=3).map(tuple))


def values(vr: str) -> st.SearchStrategy[Any]:
    """Values of a VR as a DataSet gives them; None for an empty one."""
    return st.one_of(st.none(), _VALUES[vr]) if vr != "SQ" else st.nothing()


def numbers(vr: str) -> st.SearchStrategy[Any]:
    code = NUMBERS[vr]
    if code in "fd":
        return st.floats(width=32 if code == "f" else 64, allow_nan=False)
    bits = 8 * struct.calcsize("<" + code)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1)
    return st.integers(low, high)


_DATES = st.dates().map(lambda day: f"{day:%m%d}").flatmap(lambda md: st.integers(1800, 2100).map(lambda y: f"{y}{md}"))
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "AE": several(text(PRINTABLE, 16)),
    "AS": several(st.builds("{:03}{}".format, st.integers(0, 999), st.sampled_from("DWMY"))),
    "AT": several(st.integers(0, 0xFFFFFFFF)),
    "CS": several(text(string.ascii_uppercase + string.digits + " _", 16)),
    "DA": several(_DATES),
    "DS": several(st.floats(-1e6, 1e6).map(lambda number: float(f"{number:.6g}"))),
    "DT": several(st.builds("{}{:%H%M%S}".format, _DATES, st.times())),
    "IS": several(st.integers(-(1 << 31), (1 << 31) - 1)),
    "LO": several(text(PRINTABLE, 64)),
    "LT": text(PRINTABLE + "\\\r\n", 300),
    "PN": several(text(string.ascii_letters + "^ ", 30).filter(lambda name: name.strip("^ ") != "")),
    "SH": several(text(PRINTABLE, 16)),
    "ST": text(PRINTABLE + "\\\r\n", 300),
    "TM": several(st.times().map(lambda time: f"{time:%H%M%S.%f}")),
    "UC": several(text(PRINTABLE, 100)),
    "UI": several(st.lists(st.integers(0, 99999), min_size=2, max_size=8).map(lambda part: ".".join(map(str, part)))),
    "UR": text(string.ascii_letters + string.digits + ":/?.", 100),
    "UT": text(PRINTABLE + "\\\r\n", 1000),
    **{vr: several(numbers(vr)) for vr in NUMBERS},
    **{
        vr: st.integers(1, 40).flatmap(lambda count, size=size: st.binary(min_size=count * size, max_size=count * size))
        for vr, size in WORDS.items()
        if vr not in ("OB", "UN")
    },
    "OB": st.binary(min_size=1, max_size=40).filter(lambda raw: len(raw) % 2 == 0),
    "UN": st.binary(min_size=1, max_size=40).filter(lambda raw: len(raw) % 2 == 0 and raw[:2] != b"\xfe\xff"),
}


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 2, private: bool = True) -> Made:
    """Data sets of public elements of every VR, nested, and (in explicit VR only) a private block."""
    made: Made = {}
    for vr in draw(st.lists(st.sampled_from(sorted(set(_VALUES) - {"UN"})), max_size=8)):
        if tags := tags_of(vr):
            made[draw(st.sampled_from(tags))] = vr, draw(values(vr))
    if depth:
        for tag in draw(st.lists(st.sampled_from(tags_of("SQ")), max_size=2)):
            made[tag] = "SQ", draw(st.lists(data_sets(depth - 1, private), max_size=3))
    if private and draw(st.booleans()):
        made[0x00090010] = "LO", "DICOMKIT TEST"
        for element in draw(st.lists(st.integers(0x1000, 0x10FF), max_size=3)):
            vr = draw(st.sampled_from(sorted(_VALUES)))
            made[0x00090000 | element] = vr, draw(values(vr))
    return dict(sorted(made.items()))


def encoded(made: Made, *, big: bool = False, implicit: bool = False, chance: Random | None = None) -> bytes:
    """Encode a made-up data set; with ``chance``, lengths of sequences and items are defined or not as it falls."""
    return b"".join(
        _element(tag, vr, value, ">" if big else "<", implicit, chance or Random(0))
        for tag, (vr, value) in made.items()
    )


def raw_value(vr: str, value: Any, order: str = "<") -> bytes:
    """Encode a value, padded to an even length; bulk data is given as it is stored."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    parts = value if isinstance(value, tuple) else (value,)
    if vr in NUMBERS:
        return b"".join(struct.pack(order + NUMBERS[vr], part) for part in parts)
    if vr == "AT":
        return b"".join(struct.pack(order + "HH", part >> 16, part & 0xFFFF) for part in parts)
    raw = "\\".join(f"{part:.6g}" if isinstance(part, float) else str(part) for part in parts).encode("ascii")
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)


def header(tag: int, vr: str, length: int, order: str = "<", *, implicit: bool = False) -> bytes:
    """Encode the header of an element."""
    group, element = tag >> 16, tag & 0xFFFF
    if implicit:
        return struct.pack(order + "HHI", group, element, length)
    if vr in LONG_FORM:
        return struct.pack(order + "HH2sHI", group, element, vr.encode(), 0, length)
    return struct.pack(order + "HH2sH", group, element, vr.encode(), length)


def element(tag: int, vr: str, value: Any, order: str = "<", *, implicit: bool = False) -> bytes:
    """Encode a plain element."""
    raw = raw_value(vr, value, order)
    return header(tag, vr, len(raw), order, implicit=implicit) + raw


def item(content: bytes, *, undefined: bool = False, order: str = "<") -> bytes:
    """Encode an item."""
    if undefined:
        return marker(0xE000, UNDEFINED, order) + content + marker(0xE00D, 0, order)
    return marker(0xE000, len(content), order) + content


def sequence(
    tag: int, content: bytes, *, undefined: bool = False, vr: str = "SQ", order: str = "<", implicit: bool = False
) -> bytes:
    """Encode a sequence around its encoded items."""
    if undefined:
        return header(tag, vr, UNDEFINED, order, implicit=implicit) + content + marker(0xE0DD, 0, order)
    return header(tag, vr, len(content), order, implicit=implicit) + content


def marker(number: int, length: int = 0, order: str = "<") -> bytes:
    """Encode an item tag or a delimiter."""
    return struct.pack(order + "HHI", 0xFFFE, number, length)


def part10(content: bytes, syntax: str, *, preamble: bool = True) -> bytes:
    """Put preamble, prefix and file meta information before an encoded data set."""
    meta = element(0x00020001, "OB", b"\0\1") + element(0x00020010, "UI", syntax)
    meta = element(0x00020000, "UL", len(meta)) + meta
    return (bytes(128) + b"DICM" if preamble else b"") + meta + content


def _element(tag: int, vr: str, value: Any, order: str, implicit: bool, chance: Random) -> bytes:
    if vr != "SQ":
        return element(tag, vr, value, order, implicit=implicit)
    items = b"".join(
        item(
            b"".join(_element(tag, *field, order, implicit, chance) for tag, field in inner.items()),
            undefined=chance.random() < 0.5,
            order=order,
        )
        for inner in value
    )
    return sequence(tag, items, undefined=chance.random() < 0.5, order=order, implicit=implicit)


def plain(ds: Any) -> Made:
    """Give a DataSet in the form of a made-up one."""
    return {
        int(element.tag): (
            element.vr,
            [plain(item) for item in element.value or ()] if element.vr == "SQ" else element.value,
        )
        for element in ds.elements()
    }
