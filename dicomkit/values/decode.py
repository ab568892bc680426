"""The value field of an element, from bytes to Python values."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from dicomkit.values.age import Age
from dicomkit.values.charset import DEFAULT, NAME_DELIMITERS, TEXT_DELIMITERS, VALUE_DELIMITERS, Charset
from dicomkit.values.coded_sets import REPLACEMENT
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.numbers import parse_ds, parse_is
from dicomkit.values.person_name import PersonName
from dicomkit.values.rules import alphabetic_problems, repertoire_problems, value_problems, vm_allows
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import UID
from dicomkit.values.vr import VR, VRS

Decoder: TypeAlias = Callable[[bytes, bool, Charset], object]
TextType = TypeVar("TextType", bound=str)

_PADDING = " \0"


def decode_value(vr: str, raw: bytes | memoryview, *, big_endian: bool = False, charset: Charset = DEFAULT) -> object:
    """Turn a value field into Python values; never fails: bad bytes give the best value there is.

    :func:`decode_problems` tells what was bad about them.

    Parameters
    ----------
    vr
        The value representation; an unknown one is taken as UN.
    raw
        The value field as stored, with its padding.
    big_endian
        The byte order of binary numbers and words.
    charset
        The data set's character repertoire.

    Returns
    -------
    object
        None for an empty field (or one of padding and delimiters only), a tuple for several values, else one value:
        str, or its subclasses PersonName, Date, Time, DateTime, Age and UID; int or float for numbers, binary or
        text (the str itself where a text is no number); Tag for AT; bytes for OB OW OD OF OL OV UN, in little-endian
        order. An empty one of several values is None for numbers and dates, ``""`` for other texts.

    Examples
    --------
    >>> decode_value("CS", b"ORIGINAL\\\\PRIMARY "), decode_value("DS", b"0.5\\\\0.5 "), decode_value("US", b"\\0\\2")
    (('ORIGINAL', 'PRIMARY'), (0.5, 0.5), 512)
    """
    if type(raw) is not bytes:
        raw = bytes(raw)
    try:
        decoder = _DECODERS[vr]
    except KeyError:
        return raw or None
    return decoder(raw, big_endian, charset)


# Each decoder takes what is common in as few steps as Python can: `in` takes a sixth of the time with a byte's number
# that it takes with bytes, and decoding ASCII as UTF-8 half of what Latin-1 takes.
def _text(raw: bytes) -> str:
    return raw.decode() if raw.isascii() else raw.decode("latin-1")


def _stripped(raw: bytes, big_endian: bool, charset: Charset) -> object:
    """AE, CS: spaces on both sides don't count."""
    text = (raw.decode() if raw.isascii() else raw.decode("latin-1")).strip(_PADDING)
    if "\\" in text:
        return _several(text)
    return text or None


def _coded(raw: bytes, big_endian: bool, charset: Charset) -> object:
    """SH, LO: the same in the data set's repertoire."""
    if charset.ascii_safe and raw.isascii() and 0x1B not in raw:
        text = raw.decode().strip(_PADDING)
    else:
        text = charset.decode(raw, VALUE_DELIMITERS).strip(_PADDING)
    if "\\" in text:
        return _several(text)
    return text or None


def _several(text: str) -> tuple[str, ...] | None:
    values = tuple([part.strip(_PADDING) for part in text.split("\\")])
    return values if any(values) else None


def _unlimited(raw: bytes, big_endian: bool, charset: Charset) -> object:
    """UC: leading spaces count."""
    text = charset.decode(raw, VALUE_DELIMITERS).rstrip(_PADDING)
    if "\\" in text:
        values = tuple([part.rstrip(_PADDING) for part in text.split("\\")])
        return values if any(values) else None
    return text or None


def _long_text(raw: bytes, big_endian: bool, charset: Charset) -> object:
    """ST, LT, UT: one value, backslashes and leading spaces count."""
    return charset.decode(raw, TEXT_DELIMITERS).rstrip(_PADDING) or None


def _uri(raw: bytes, big_endian: bool, charset: Charset) -> object:
    return _text(raw).rstrip(_PADDING) or None


def _person_name(raw: bytes, big_endian: bool, charset: Charset) -> object:
    text = charset.decode(raw, NAME_DELIMITERS).rstrip(_PADDING)
    if "\\" in text:
        values = tuple([PersonName(part.rstrip(_PADDING)) for part in text.split("\\")])
        return values if any(values) else None
    return PersonName(text) if text else None


def _uid(raw: bytes, big_endian: bool, charset: Charset) -> object:
    text = (raw.decode() if raw.isascii() else raw.decode("latin-1")).strip(_PADDING)
    if "\\" in text:
        values = tuple([UID(part.strip(_PADDING)) for part in text.split("\\")])
        return values if any(values) else None
    return UID(text) if text else None


def _text_type(kind: type[TextType]) -> Decoder:
    def decode(raw: bytes, big_endian: bool, charset: Charset) -> object:
        text = (raw.decode() if raw.isascii() else raw.decode("latin-1")).rstrip(_PADDING)
        if "\\" in text:
            parts = [part.rstrip(_PADDING) for part in text.split("\\")]
            return tuple([kind(part) if part else None for part in parts]) if any(parts) else None
        return kind(text) if text else None

    return decode


def _decimal(raw: bytes, big_endian: bool, charset: Charset) -> object:
    try:
        if 0x5F not in raw:  # an underscore, which Python takes for grouping
            return tuple(map(float, raw.split(b"\\"))) if 0x5C in raw else float(raw)
    except ValueError:
        pass
    return _parsed(raw, parse_ds)


def _integer(raw: bytes, big_endian: bool, charset: Charset) -> object:
    try:
        if 0x5F not in raw:
            return tuple(map(int, raw.split(b"\\"))) if 0x5C in raw else int(raw)
    except ValueError:
        pass
    return _parsed(raw, parse_is)


def _parsed(raw: bytes, parse: Callable[[str], object]) -> object:
    """Take numbers apart where not all are numbers."""
    values = tuple([parse(text) if text else None for text in _strings(raw)])
    if len(values) == 1:
        return values[0]
    return values if any(value is not None for value in values) else None


def _strings(raw: bytes) -> list[str]:
    return [part.strip(_PADDING) for part in _text(raw).split("\\")]


def _numbers(code: str, size: int) -> Decoder:
    little, big = struct.Struct("<" + code).unpack, struct.Struct(">" + code).unpack

    def decode(raw: bytes, big_endian: bool, charset: Charset) -> object:
        if len(raw) == size:
            return (big if big_endian else little)(raw)[0]
        count = len(raw) // size
        if count == 0:
            return None
        values = struct.unpack_from(f"{'>' if big_endian else '<'}{count}{code}", raw)
        return values if count > 1 else values[0]

    return decode


_TAG_LITTLE, _TAG_BIG = struct.Struct("<HH").unpack, struct.Struct(">HH").unpack


def _tags(raw: bytes, big_endian: bool, charset: Charset) -> object:
    unpack = _TAG_BIG if big_endian else _TAG_LITTLE
    if len(raw) == 4:
        group, element = unpack(raw)
        return Tag(group << 16 | element)
    pairs = [unpack(raw[start : start + 4]) for start in range(0, len(raw) - 3, 4)]
    values = tuple([Tag(group << 16 | element) for group, element in pairs])
    return values if len(values) > 1 else values[0] if values else None


def _octets(raw: bytes, big_endian: bool, charset: Charset) -> object:
    return raw or None


def _words(size: int) -> Decoder:
    def decode(raw: bytes, big_endian: bool, charset: Charset) -> object:
        return (swapped(raw, size) if big_endian else raw) or None

    return decode


def swapped(raw: bytes, size: int) -> bytes:
    """Reverse the bytes of each word of 2, 4 or 8 bytes; what is left at the end stays as it is.

    Examples
    --------
    >>> swapped(b"abcde", 2)
    b'badce'
    """
    code = next(code for code in "HILQ" if array(code).itemsize == size)
    whole = len(raw) - len(raw) % size
    words = array(code, raw[:whole])
    words.byteswap()
    return words.tobytes() + raw[whole:]


_DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {
        "AE": _stripped,
        "AS": _text_type(Age),
        "AT": _tags,
        "CS": _stripped,
        "DA": _text_type(Date),
        "DS": _decimal,
        "DT": _text_type(DateTime),
        "IS": _integer,
        "LO": _coded,
        "LT": _long_text,
        "OB": _octets,
        "PN": _person_name,
        "SH": _coded,
        "ST": _long_text,
        "TM": _text_type(Time),
        "UC": _unlimited,
        "UI": _uid,
        "UN": _octets,
        "UR": _uri,
        "UT": _long_text,
    }
    | {row.name: _numbers(row.code, row.itemsize) for row in VRS.values() if row.kind == "binary"}
    | {row.name: _words(row.itemsize) for row in VRS.values() if row.kind == "bulk" and row.itemsize > 1}
)


def decoder_of(vr: str) -> Decoder:
    """Give the function that decodes value fields of a VR: (bytes, big-endian, charset) -> value.

    Examples
    --------
    >>> decoder_of("US")(b"\\1\\0", False, DEFAULT)
    1
    """
    return _DECODERS.get(vr, _octets)


def decode_problems(
    vr: str,
    raw: bytes | memoryview,
    *,
    big_endian: bool = False,
    charset: Charset = DEFAULT,
    tag: int | None = None,
    vm: str | None = None,
) -> tuple[str, ...]:
    """List everything about a value field that breaks PS3.5; empty when nothing does.

    Parameters
    ----------
    vr, raw, big_endian, charset
        As for :func:`decode_value`.
    tag
        The element's tag: for Specific Character Set, the terms are looked at too.
    vm
        The value multiplicity that PS3.6 gives the element, such as ``"1-n"``.

    Examples
    --------
    >>> decode_problems("DS", b"1,5\\\\2 ", vm="1")
    ("'1,5' is not a decimal number", '2 values, where the VM is 1')
    >>> decode_problems("US", b"\\0\\1\\2")
    ('odd length 3', '3 bytes are no multiple of 2')
    """
    raw = bytes(raw)
    problems = [f"odd length {len(raw)}"] if len(raw) % 2 else []
    row = VRS.get(vr)
    if row is None:
        return (*problems, f"{vr!r} is no value representation of PS3.5")
    if row.kind in ("text", "number_text"):
        count = _text_problems(row, raw, charset, problems)
        if tag == 0x00080005:
            problems += Charset.of(_strings(raw)).problems
    else:
        size = row.itemsize or 1
        if len(raw) % size:
            problems.append(f"{len(raw)} bytes are no multiple of {size}")
        count = len(raw) // size if row.multi else min(len(raw), 1)
    if vm is not None and not vm_allows(vm, count):
        problems.append(f"{count} value{'s' if count > 1 else ''}, where the VM is {vm}")
    return tuple(dict.fromkeys(problems))


def _text_problems(row: VR, raw: bytes, charset: Charset, problems: list[str]) -> int:
    """Add what is wrong with text, and return how many values it has."""
    if row.charset:
        delimiters = NAME_DELIMITERS if row.name == "PN" else VALUE_DELIMITERS if row.multi else TEXT_DELIMITERS
        text = charset.decode(raw, delimiters, problems)
        if REPLACEMENT in text and REPLACEMENT not in raw.decode("utf-8", "ignore"):
            problems.append("bytes that are no characters of the data set's character set")
    else:
        text = _text(raw)
    problems += _padding_problems(row, text)
    values = text.split("\\") if row.multi else [text]
    found: dict[str, None] = {}
    for value in values:
        stripped = value.rstrip(_PADDING)
        stripped = stripped.strip(" ") if row.name in _LEADING_SPACES else stripped
        of_value = value_problems(row.name, stripped) + repertoire_problems(row.name, stripped)
        if row.name == "PN":
            of_value += alphabetic_problems(stripped, charset)
        found |= {f"{_shortened(stripped)} is {each}" if each.startswith("not ") else each: None for each in of_value}
        if len(found) > _MOST_PROBLEMS:
            found["and more"] = None
            break
    problems += found
    return len(values) if any(value.strip(_PADDING) for value in values) else 0


def _padding_problems(row: VR, text: str) -> list[str]:
    """Tell padding by the wrong byte, or by more of them than a value of even length needs."""
    padding = text[len(text.rstrip(_PADDING)) :]
    pad = row.pad.decode("ascii")
    problems = []
    if padding.strip(pad):
        problems.append(
            "padded by a space instead of a zero byte" if pad == "\0" else "padded by a zero byte instead of a space"
        )
    elif pad == "\0" and len(padding) > 1:
        problems.append(f"padded by {len(padding)} zero bytes, of 1 at most")
    return problems


def _shortened(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."


_MOST_PROBLEMS = 20
_LEADING_SPACES = frozenset({"AE", "CS", "DS", "IS", "LO", "SH"})
