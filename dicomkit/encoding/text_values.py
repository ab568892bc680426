"""What a JSON or XML document says of a value, as the Python value that a DataSet gives."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from dicomkit.values.age import Age
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.decode import decode_value
from dicomkit.values.person_name import PersonName
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import UID
from dicomkit.values.vr import VR, VRS

Maker: TypeAlias = Callable[[Sequence[Any]], Any]

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
NAME_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
NUMBER_VRS = frozenset(vr.name for vr in VRS.values() if vr.kind == "number_text")

_PADDING = " \0"
_MOST_SHOWN = 40
_LONGEST = 1 << 63


def shown(value: object) -> str:
    """Show a value in a message, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


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
    names: list[str] = []
    for value in values:
        if type(value) is dict or isinstance(value, Mapping):
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
    if len(values) == 1 and type(values[0]) is float:
        return values[0]
    numbers = tuple(values) if set(map(type, values)) == {float} else tuple(map(_float, values))
    return numbers if len(numbers) > 1 else numbers[0]


def _singles(values: Sequence[Any]) -> Any:
    code = f"<{len(values)}f"  # in native order nothing would be too large
    numbers = struct.unpack(code, struct.pack(code, *map(_float, values)))
    return numbers if len(numbers) > 1 else numbers[0]


def _decimals(values: Sequence[Any]) -> tuple[Any, bytes | None]:
    if len(values) == 1 and type(values[0]) is float:
        return values[0], None
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
