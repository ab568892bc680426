"""Python values, to the bytes of the value field of an element."""

from __future__ import annotations

import operator
import struct
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dicomkit.errors import ValueFormatError
from dicomkit.values.charset import DEFAULT, NAME_DELIMITERS, TEXT_DELIMITERS, VALUE_DELIMITERS, Charset
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.decode import swapped
from dicomkit.values.numbers import format_ds, format_is, is_legal_ds
from dicomkit.values.rules import alphabetic_problems, repertoire_problems, value_problems
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.vr import VR, VRS

_LONG = 60


def encode_value(
    vr: str,
    value: object,
    *,
    big_endian: bool = False,
    charset: Charset = DEFAULT,
    strict: bool = True,
) -> bytes:
    """Turn Python values into a value field of even length: the inverse of ``decode_value``.

    Parameters
    ----------
    vr
        The value representation; not SQ, whose items are data sets.
    value
        None or an empty tuple for an empty field, one value, or a tuple, list or 1-dimensional array of several.
        Besides what ``decode_value`` returns: for DA a date, for TM a time or the duration since midnight, for DT a
        datetime, for DS and IS any number or its text, for AT what ``Tag.of`` takes (a tuple means several tags),
        for OB OW OD OF OL OV UN bytes in little-endian order or anything with a buffer (an array in any byte order).
    big_endian
        The byte order to write in.
    charset
        The data set's character repertoire.
    strict
        Whether to refuse values that break the rules of their VR. Without it only what can't be written is refused
        (a character that the repertoire lacks, a number out of range); query keys such as ``"DOE*"`` need this.

    Returns
    -------
    bytes
        The value field, padded by a space (text) or a zero byte (UI, OB, UN).

    Raises
    ------
    ValueFormatError
        When the value breaks the rules of its VR (PS3.5 6.2); the message says which.

    Examples
    --------
    >>> encode_value("CS", ("ORIGINAL", "PRIMARY")), encode_value("DS", [0.5, 1 / 3]), encode_value("US", 512)
    (b'ORIGINAL\\\\PRIMARY', b'0.5\\\\.333333333333333', b'\\x00\\x02')
    >>> encode_value("DA", date(2024, 1, 31)), encode_value("UI", "1.2.840.10008.1.2")
    (b'20240131', b'1.2.840.10008.1.2\\x00')
    """
    row = VRS.get(vr)
    if row is None:
        raise ValueFormatError(f"{vr!r} is no value representation of PS3.5")
    if value is None:
        return b""
    if row.kind == "bulk":
        return _bulk(row, value, big_endian)
    values = _values(value)
    if row.kind == "binary":
        return _binary(row, values, big_endian)
    if row.kind == "tag":
        words = [half for tag in values for half in _tag_words(tag)]
        return struct.pack(f"{'>' if big_endian else '<'}{len(words)}H", *words)
    if row.kind == "sequence":
        raise ValueFormatError("a sequence can't be encoded as one value: its items are data sets")
    return _text(row, values, charset, strict)


def _values(value: object) -> list[Any]:
    """Give one or several values as a list; arrays and scalars of numpy and pandas as Python's own."""
    dtype = getattr(value, "dtype", None)
    if dtype is not None and hasattr(value, "tolist"):
        if getattr(dtype, "kind", "") in "Mm" and hasattr(value, "astype"):
            value = value.astype(f"{'datetime64' if dtype.kind == 'M' else 'timedelta64'}[us]")
        value = value.tolist()
    return list(value) if isinstance(value, (tuple, list, range)) else [value]


def _refuse(row: VR, value: object, why: str) -> ValueFormatError:
    try:
        shown = repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        shown = f"a huge {type(value).__name__}"
    if len(shown) > _LONG:
        shown = shown[: _LONG - 3] + "..."
    return ValueFormatError(f"{row.name} can't be {shown}: {why}")


def _text(row: VR, values: list[Any], charset: Charset, strict: bool) -> bytes:
    if len(values) > 1 and not row.multi:
        raise _refuse(row, values, f"{row.title} has one value only")
    writer = _WRITERS.get(row.name, _plain)
    texts = []
    for value in values:
        text = "" if value is None else writer(row, value)
        if strict and (problems := value_problems(row.name, text.strip(" ") if row.multi else text.rstrip(" "))):
            raise _refuse(row, value, "; ".join(problems))
        if strict and row.name == "PN" and (problems := alphabetic_problems(text, charset)):
            raise _refuse(row, value, "; ".join(problems))
        texts.append(text)
    joined = "\\".join(texts)
    if row.charset:
        raw = charset.encode(joined, _DELIMITERS.get(row.name, VALUE_DELIMITERS))
    elif problems := repertoire_problems(row.name, joined):
        raise _refuse(row, joined, "; ".join(problems))
    else:
        raw = joined.encode("ascii")
    return raw + row.pad if len(raw) % 2 else raw


_DELIMITERS = MappingProxyType(
    {"PN": NAME_DELIMITERS, "ST": TEXT_DELIMITERS, "LT": TEXT_DELIMITERS, "UT": TEXT_DELIMITERS}
)


def _plain(row: VR, value: object) -> str:
    if not isinstance(value, str):
        raise _refuse(row, value, f"{row.title} is a str, not {type(value).__name__}")
    return str(value)


def _date(row: VR, value: object) -> str:
    return Date.of(value) if isinstance(value, date) else _plain(row, value)


def _time(row: VR, value: object) -> str:
    if isinstance(value, datetime):
        value = value.time()
    return Time.of(value) if isinstance(value, (time, timedelta)) else _plain(row, value)


def _date_time(row: VR, value: object) -> str:
    if isinstance(value, datetime):
        return DateTime.of(value)
    return _date(row, value)


def _decimal(row: VR, value: object) -> str:
    if isinstance(value, str):
        return str(value)
    number = _float(row, value)
    if isinstance(value, (int, Decimal)) and len(text := str(value)) <= row.max_chars and is_legal_ds(text):
        return text
    return format_ds(number)


def _integer(row: VR, value: object) -> str:
    return str(value) if isinstance(value, str) else format_is(_index(row, value))


_WRITERS: Mapping[str, Callable[[VR, object], str]] = MappingProxyType(
    {"DA": _date, "TM": _time, "DT": _date_time, "DS": _decimal, "IS": _integer}
)


def _float(row: VR, value: Any) -> float:
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise _refuse(row, value, f"{row.title} is a number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise _refuse(row, value, "it is too large") from None
    except (TypeError, ValueError) as error:
        raise _refuse(row, value, str(error)) from None


def _index(row: VR, value: Any) -> int:
    """Return an integer; a float that is one will do, a bool will not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise _refuse(row, value, f"{row.title} is an integer, not {type(value).__name__}") from None


def _binary(row: VR, values: list[Any], big_endian: bool) -> bytes:
    number = _float if row.code in "fd" else _index
    numbers = [number(row, value) for value in values]
    try:
        return struct.pack(f"{'>' if big_endian else '<'}{len(numbers)}{row.code}", *numbers)
    except (struct.error, OverflowError):
        bits = row.itemsize * 8
        raise _refuse(row, values[0] if len(values) == 1 else values, f"{row.title} has {bits} bits") from None


def _tag_words(tag: Any) -> tuple[int, int]:
    found = Tag.of(tag)
    return found.group, found.element


def _bulk(row: VR, value: object, big_endian: bool) -> bytes:
    if isinstance(value, (tuple, list)) and not value:
        return b""
    raw = _little_endian(row, value)
    if len(raw) % row.itemsize:
        raise _refuse(row, value, f"{len(raw)} bytes are no multiple of {row.itemsize}")
    if big_endian and row.itemsize > 1:
        raw = swapped(raw, row.itemsize)
    return raw + row.pad if len(raw) % 2 else raw


def _little_endian(row: VR, value: Any) -> bytes:
    """Take the bytes of a buffer, each item in little-endian order."""
    if hasattr(value, "__bytes__") and not hasattr(value, "dtype"):
        return bytes(value)
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):
        raise _refuse(row, value, f"{row.title} is bytes, not {type(value).__name__}") from None
    if view.itemsize not in (1, row.itemsize):
        raise _refuse(row, value, f"its items have {view.itemsize} bytes, those of {row.name} {row.itemsize}")
    raw = view.tobytes()
    order = {"<": "little", ">": "big", "!": "big"}.get(view.format[:1], sys.byteorder)
    return swapped(raw, view.itemsize) if order == "big" and view.itemsize > 1 else raw
