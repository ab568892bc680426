"""What a JSON or XML document says of a value, as the Python value that a DataSet gives."""

from __future__ import annotations

import struct
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from dicomkit.encoding.value_field import fragments_of
from dicomkit.sources import Bulk, MemorySource, UriSource
from dicomkit.values.age import Age
from dicomkit.values.charset import Charset
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.decode import decode_value
from dicomkit.values.person_name import PersonName
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import UID
from dicomkit.values.vr import VR, VRS

Resolver: TypeAlias = Callable[[str], bytes]
"""From a BulkDataURI to the bytes of the value field."""
Maker: TypeAlias = Callable[[Sequence[Any]], Any]

MAX_DEPTH = 100
"""Sequences nested deeper than this are refused, read or written."""
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
BULK_SIZE = 1 << 16
"""Inline binary larger than this becomes Bulk, as it does in files."""
BULK_VRS = frozenset(vr.name for vr in VRS.values() if vr.kind == "bulk")
NUMBER_VRS = frozenset(vr.name for vr in VRS.values() if vr.kind == "number_text")

_PIXEL_DATA = 0x7FE00010
_PADDING = " \0"
_MOST_SHOWN = 40


def shown(value: object) -> str:
    """Show a value in a message, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def inline_value(tag: int, vr: str, base64: object, charset: Callable[[], Charset]) -> Any:
    """Decode InlineBinary: the whole value field in little-endian order (PS3.18 F.2.7).

    Parameters
    ----------
    charset
        Gives the character set of the bytes, for a VR of text.

    Raises
    ------
    ValueError
        When it is not base64.
    """
    if not isinstance(base64, str):
        raise ValueError(f"InlineBinary is a text, not {shown(base64)}")
    try:
        raw = a2b_base64(base64, strict_mode=True)
    except Base64Error:
        try:  # base64 in lines
            raw = a2b_base64("".join(base64.split()), strict_mode=True)
        except Base64Error as error:
            raise ValueError(f"InlineBinary is no base64: {error}") from None
    if vr not in BULK_VRS:
        return decode_value(vr, raw, charset=charset())
    if tag == _PIXEL_DATA and raw.startswith(b"\xfe\xff\x00\xe0") and (fragments := fragments_of(raw)) is not None:
        return fragments
    return Bulk(MemorySource(raw), 0, len(raw)) if len(raw) > BULK_SIZE else raw or None


def uri_value(vr: str, uri: object, resolve: Resolver | None, charset: Callable[[], Charset]) -> Any:
    """Turn a BulkDataURI into bulk data that is fetched when needed; texts and numbers are fetched at once."""
    if not isinstance(uri, str) or not uri:
        raise ValueError(f"BulkDataURI is a text, not {shown(uri)}")
    bulk = Bulk(UriSource(uri, resolve), 0, None)
    if vr in BULK_VRS or resolve is None:
        return bulk
    return decode_value(vr, bytes(bulk), charset=charset())


# A maker takes the values of an element as JSON has them, or as strings, and gives the Python value; those of DS and IS
# a pair of the value and, where it was a text, its bytes. It raises ValueError, TypeError or OverflowError.


def _texts(
    row: VR, kind: type[str] = str, empty: str | None = "", strip: Callable[[str, str], str] = str.strip
) -> Maker:
    plain = kind is str
    multi = row.multi

    def make(values: Sequence[Any]) -> Any:
        if len(values) == 1:
            text = values[0]
            if type(text) is str and ("\\" not in text or not multi):
                text = strip(text, _PADDING)
                return (text if plain else kind(text)) if text else None
        texts = ["" if value is None else value for value in values]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{shown(values)} is no text")
        joined = "\\".join(texts)
        parts = [strip(part, _PADDING) for part in (joined.split("\\") if multi else (joined,))]
        if not any(parts):
            return None
        made = tuple([kind(part) if part else empty and kind(empty) for part in parts])
        return made if len(made) > 1 else made[0]

    return make


def _names(values: Sequence[Any]) -> Any:
    names = []
    for value in values:
        if isinstance(value, Mapping):
            groups = [value.get(group) or "" for group in NAME_GROUPS]
            value = "=".join(groups).rstrip("=") if groups[1] or groups[2] else groups[0]
        elif value is None:
            value = ""
        if not isinstance(value, str):
            raise TypeError(f"{shown(value)} is no name")
        names.extend(value.split("\\") if "\\" in value else (value,))
    made = tuple([PersonName(name.rstrip(_PADDING)) for name in names])
    if not any(made):
        return None
    return made if len(made) > 1 else made[0]


def _tags(values: Sequence[Any]) -> Any:
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"{shown(values)} is no tag of eight hexadecimal digits")
    tags = tuple([Tag.of(value) for value in values])
    return tags if len(tags) > 1 else tags[0]


def _integers(row: VR) -> Maker:
    bits = 8 * row.itemsize
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if row.code.islower() else (0, (1 << bits) - 1)

    def make(values: Sequence[Any]) -> Any:
        if len(values) == 1 and type(values[0]) is int and low <= values[0] <= high:
            return values[0]
        numbers = tuple(map(_integer, values))
        if not low <= min(numbers) or not max(numbers) <= high:
            raise ValueError(f"{shown(values)} is not within {low} and {high}")
        return numbers if len(numbers) > 1 else numbers[0]

    return make


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(f"{shown(value)} is no integer")


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{shown(value)} is no number")
    return float(value)


def _doubles(values: Sequence[Any]) -> Any:
    numbers = tuple(values) if set(map(type, values)) == {float} else tuple(map(_float, values))
    return numbers if len(numbers) > 1 else numbers[0]


def _singles(values: Sequence[Any]) -> Any:
    code = f"{len(values)}f"
    numbers = struct.unpack(code, struct.pack(code, *map(_float, values)))
    return numbers if len(numbers) > 1 else numbers[0]


def _decimals(values: Sequence[Any]) -> tuple[Any, bytes | None]:
    kinds = set(map(type, values))
    if kinds == {float}:
        return tuple(values) if len(values) > 1 else values[0], None
    if str in kinds:
        return _written("DS", values)
    numbers = tuple([None if value is None else _float(value) for value in values])
    return numbers if len(numbers) > 1 else numbers[0], None


def _whole(values: Sequence[Any]) -> tuple[Any, bytes | None]:
    if len(values) == 1 and type(values[0]) is int and -_LONGEST < values[0] < _LONGEST:
        return values[0], None
    if any(isinstance(value, str) for value in values):
        return _written("IS", values)
    numbers = tuple([None if value is None else _whole_number(value) for value in values])
    return numbers if len(numbers) > 1 else numbers[0], None


_LONGEST = 1 << 63


def _whole_number(value: Any) -> float:
    number = _float(value)
    if isinstance(value, int):
        if not -_LONGEST < value < _LONGEST:
            raise ValueError(f"{shown(value)} is too large")
        return value
    return int(number) if number.is_integer() else number


def _written(vr: str, values: Sequence[Any]) -> tuple[Any, bytes | None]:
    """Keep the text of numbers that were written as text."""
    texts = ["" if value is None else value if isinstance(value, str) else repr(_float(value)) for value in values]
    raw = "\\".join(text.strip(_PADDING) for text in texts).encode("latin-1")
    return decode_value(vr, raw), raw or None


def _rstrip(vr: str, kind: type[str] = str, empty: str | None = "") -> tuple[str, Maker]:
    return vr, _texts(VRS[vr], kind, empty, str.rstrip)


MAKERS: Mapping[str, Maker] = MappingProxyType(
    {vr: _texts(VRS[vr]) for vr in ("AE", "CS", "LO", "SH")}
    | dict(map(_rstrip, ("LT", "ST", "UC", "UR", "UT")))
    | dict(
        (_rstrip("AS", Age, None), _rstrip("DA", Date, None), _rstrip("DT", DateTime, None), _rstrip("TM", Time, None))
    )
    | {"UI": _texts(VRS["UI"], UID), "PN": _names, "AT": _tags, "DS": _decimals, "IS": _whole}
    | {row.name: _integers(row) for row in VRS.values() if row.kind == "binary" and row.code not in "fd"}
    | {"FL": _singles, "FD": _doubles}
)
"""By VR; not for SQ, nor for those of bulk data."""
