"""From a DataSet to the text of its DICOM JSON Model object (PS3.18 Annex F)."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from types import MappingProxyType
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.fields import fields
from dicomkit.encoding.value_field import value_field
from dicomkit.errors import DicomError, UnsupportedError, ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments
from dicomkit.values.numbers import IS_MAX, IS_MIN, parse_ds, parse_is
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

BulkNames: TypeAlias = Callable[[tuple[int, ...], Element], "str | None"]
"""From the path and element of a bulk value to the BulkDataURI that is written for it; None to write it inline."""
Steps: TypeAlias = "tuple[int, ...]"

MAX_DEPTH = 100
"""Sequences nested deeper than this are refused, in both directions."""
_EXACT = 2**53
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
# As JSON writes a number too, with no more digits than a double keeps.
_JSON_NUMBERS = re.compile(
    r"(?:(?:^|\\)(?=[^\\]{1,16}(?:\\|\Z))-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]{1,2})?(?=\\|\Z))+"
)
_JSON_INTEGERS = re.compile(r"(?:(?:^|\\)-?(?:0|[1-9][0-9]{0,8})(?=\\|\Z))+")


def write_json(ds: DataSet, parts: list[str], bulk: BulkNames | None, path: Steps = ()) -> None:
    """Add the text of a data set to ``parts``.

    Raises
    ------
    ValueFormatError
        When a value is not of the type that its VR asks for; names the tag.
    UnsupportedError
        When sequences are nested too deep.
    """
    if len(path) > 2 * MAX_DEPTH:
        raise UnsupportedError(f"sequences nested more than {MAX_DEPTH} deep", tag=path[0])
    separator = "{"
    for tag, vr, value in fields(ds):
        parts.append(f"{separator}{_head(tag, vr)}")
        separator = ","
        if value is None:
            pass
        elif vr == "SQ":
            _write_items(value, parts, bulk, (*path, tag))
        elif vr in _BULK or isinstance(value, Bulk):
            parts.append(_bulk(tag, vr, value, bulk, path))
        else:
            try:
                parts.append(_text(value) if vr in _TEXT else _WRITERS[vr](value))
            except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
                raise ValueFormatError(f"{value!r:.60} is no value of VR {vr}", tag=tag) from error
        parts.append("}")
    parts.append("}" if separator == "," else "{}")


@lru_cache(1 << 13)
def _head(tag: int, vr: str) -> str:
    """The start of an attribute object."""
    return f'"{int(tag):08X}":{{"vr":{quoted(vr)}'


def _write_items(items: tuple[Any, ...], parts: list[str], bulk: BulkNames | None, path: Steps) -> None:
    separator = ',"Value":['
    for number, item in enumerate(items):
        parts.append(separator)
        separator = ","
        write_json(item if isinstance(item, DataSet) else DataSet(item), parts, bulk, (*path, number))
    if items:
        parts.append("]")


def _bulk(tag: int, vr: str, value: bytes | Bulk | Fragments, bulk: BulkNames | None, path: Steps) -> str:
    if not isinstance(value, (bytes, Bulk, Fragments)):
        raise ValueFormatError(f"{value!r:.60} is no value of VR {vr}", tag=tag, hint="give bytes")
    uri = bulk((*path, tag), Element(Tag(tag), vr, value)) if bulk is not None else None
    if uri is None and isinstance(value, Bulk):
        uri = value.uri
    if uri is not None:
        return f',"BulkDataURI":{quoted(uri)}'
    inline = b2a_base64(b"".join(value_field(value)), newline=False).decode("ascii")
    return f',"InlineBinary":"{inline}"' if inline else ""


def _text(value: Any) -> str:
    if type(value) is tuple:
        return _values([quoted(text) if text else "null" for text in value])
    return f',"Value":[{quoted(value)}]'


def _values(texts: Iterable[str]) -> str:
    return f',"Value":[{",".join(texts)}]'


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _names(value: Any) -> str:
    return _values(map(_name, _several(value)))


def _name(name: str) -> str:
    if not name:
        return "null"
    if "=" not in name:
        return f'{{"Alphabetic":{quoted(name)}}}'
    groups = zip(NAME_GROUPS, name.split("=", 2), strict=False)
    members = ",".join([f'"{key}":{quoted(group)}' for key, group in groups if group])
    return f"{{{members}}}"


def _tags(value: Any) -> str:
    return _values([f'"{tag:08X}"' for tag in map(int, _several(value))])


def _integers(value: Any) -> str:
    if type(value) is int:
        return f',"Value":[{value}]'
    return _values(map(int.__repr__, _several(value)))


def _long_integers(value: Any) -> str:
    """Numbers that a double can't hold as strings."""
    return _values([str(n) if -_EXACT < n < _EXACT else f'"{n}"' for n in map(int, _several(value))])


def _floats(value: Any) -> str:
    text = ",".join(map(float.__repr__, _several(value)))
    if "n" in text:  # nan, inf
        text = ",".join([_SPECIAL.get(number, number) for number in text.split(",")])
    return f',"Value":[{text}]'


_SPECIAL = MappingProxyType({"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'})


def _decimals(text: str) -> str:
    """A DS as it is written, where that is JSON: 1.50 stays 1.50."""
    if _JSON_NUMBERS.fullmatch(text):
        return _values(text.split("\\"))
    return _number_strings(text, parse_ds)


def _integer_strings(text: str) -> str:
    if _JSON_INTEGERS.fullmatch(text):
        return _values(text.split("\\"))
    return _number_strings(text, parse_is)


def _number_strings(text: str, parse: Callable[[str], float | str]) -> str:
    """Each as a number where that has the very same value, else as the text that it is."""
    parts = [part.strip(" \0") for part in text.split("\\")]
    if not any(parts):
        return ""
    return _values([_number(part, parse(part)) if part else "null" for part in parts])


def _number(text: str, value: float | str) -> str:
    if isinstance(value, str) or value in (float("inf"), float("-inf")) or value != value:
        return quoted(text)
    if isinstance(value, int) and not IS_MIN <= value <= IS_MAX:
        return quoted(text)
    written = repr(value)
    return written if len(text) <= 100 and Decimal(text) == Decimal(written) else quoted(text)


_BULK = frozenset(vr.name for vr in VRS.values() if vr.kind == "bulk")
_TEXT = frozenset(vr.name for vr in VRS.values() if vr.kind == "text") - {"PN"}
_WRITERS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {vr: _integers for vr in ("SL", "SS", "UL", "US")}
    | {vr: _long_integers for vr in ("SV", "UV")}
    | {"PN": _names, "AT": _tags, "FL": _floats, "FD": _floats, "DS": _decimals, "IS": _integer_strings}
)
