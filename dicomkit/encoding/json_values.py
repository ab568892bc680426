"""Values as the text that DICOM JSON has for them (PS3.18 F.2.3): what follows the VR in an attribute object."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring as quoted
from types import MappingProxyType
from typing import Any

from dicomkit.encoding.text_values import NAME_GROUPS
from dicomkit.values.numbers import IS_MAX, IS_MIN, parse_ds, parse_is

_EXACT = 2**53
_MOST_DIGITS = 15
"""A number with so many digits is the same after it was a double."""
_LONGEST_NUMBER = 100
_PADDING = " \0"
_BACKSLASH = "\\"


def _numbers(whole: int, fraction: int) -> re.Pattern[str]:
    """Numbers between backslashes as JSON writes them too, with so many digits before and after the point."""
    one = rf"-?(?:0|[1-9][0-9]{{0,{whole - 1}}}+)(?:\.[0-9]{{1,{fraction}}}+)?+(?:[Ee][+-]?[0-9]{{1,2}}+)?+"
    return re.compile(rf"{one}(?:\\{one})*+")


_FEW_DIGITS = _numbers(5, _MOST_DIGITS - 5)
_ANY_DIGITS = _numbers(_MOST_DIGITS, _MOST_DIGITS)
_INTEGERS = re.compile(r"-?(?:0|[1-9][0-9]{0,8}+)(?:\\-?(?:0|[1-9][0-9]{0,8}+))*+")


def _text(value: str) -> str:
    if "\\" in value:
        return _several_texts(value, str.strip)
    text = value.strip(_PADDING)
    return f',"Value":[{quoted(text)}]' if text else ""


def _rstripped_text(value: str) -> str:
    if "\\" in value:
        return _several_texts(value, str.rstrip)
    text = value.rstrip(_PADDING)
    return f',"Value":[{quoted(text)}]' if text else ""


def _one_text(value: str) -> str:
    text = value.rstrip(_PADDING)
    return f',"Value":[{quoted(text)}]' if text else ""


def _several_texts(value: str, strip: Callable[[str, str], str], write: Callable[[str], str] = quoted) -> str:
    texts = [strip(text, _PADDING) for text in value.split("\\")]
    return _values([write(text) if text else "null" for text in texts]) if any(texts) else ""


def _values(texts: Iterable[str]) -> str:
    return f',"Value":[{",".join(texts)}]'


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _names(value: str) -> str:
    return _several_texts(value, str.rstrip, _name)


def _name(name: str) -> str:
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
    """A DS as it is written, where that is JSON and exact: 1.50 stays 1.50."""
    text = text.strip(_PADDING)
    if _FEW_DIGITS.fullmatch(text):
        return f',"Value":[{text.replace(_BACKSLASH, ",")}]'
    parts = text.split("\\")
    if max(map(len, parts)) <= _MOST_DIGITS and _ANY_DIGITS.fullmatch(text):
        return _values(parts)
    return _number_strings(parts, parse_ds)


def _integer_strings(text: str) -> str:
    text = text.strip(_PADDING)
    if _INTEGERS.fullmatch(text):
        return f',"Value":[{text.replace(_BACKSLASH, ",")}]'
    return _number_strings(text.split("\\"), parse_is)


def _number_strings(parts: list[str], parse: Callable[[str], float | str]) -> str:
    """Each as a number where that has the very same value, else as the text that it is."""
    texts = [part.strip(_PADDING) for part in parts]
    return _values([_number(text, parse(text)) if text else "null" for text in texts]) if any(texts) else ""


def _number(text: str, value: float | str) -> str:
    if isinstance(value, str) or not math.isfinite(value) or len(text) > _LONGEST_NUMBER:
        return quoted(text)
    if isinstance(value, int) and not IS_MIN <= value <= IS_MAX:
        return quoted(text)
    written = repr(value)
    return written if Decimal(text) == Decimal(written) else quoted(text)


WRITERS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    dict.fromkeys(("AE", "CS", "LO", "SH", "UI"), _text)
    | dict.fromkeys(("AS", "DA", "DT", "TM", "UC"), _rstripped_text)
    | dict.fromkeys(("LT", "ST", "UR", "UT"), _one_text)
    | dict.fromkeys(("SL", "SS", "UL", "US"), _integers)
    | dict.fromkeys(("SV", "UV"), _long_integers)
    | {"PN": _names, "AT": _tags, "FL": _floats, "FD": _floats, "DS": _decimals, "IS": _integer_strings}
)
"""By VR; texts, DS and IS take all of their text, the others Python values. Not for SQ and bulk data."""
