"""What one attribute has to match: checked, and in one form (PS3.4 C.2.2.2)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Literal, TypeAlias, cast

from dicomkit.errors import DicomError, QueryError, ValueFormatError
from dicomkit.standard.attributes import attribute, tag_of, vr_of
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.encode import encode_value
from dicomkit.values.numbers import format_ds
from dicomkit.values.tag import Tag
from dicomkit.values.temporal_range import TemporalRange
from dicomkit.values.times import Time
from dicomkit.values.vr import VRS

Key: TypeAlias = "str | tuple[str, ...] | Keys"
"""What an attribute has to match: a text (empty for anything), one of several, or keys of an item of a sequence."""
TemporalVr: TypeAlias = Literal["DA", "TM", "DT"]
WILDCARD_VRS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
TEMPORAL_VRS = ("DA", "TM", "DT")
NUMBER_VRS = frozenset(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"))
ONE_VALUE_VRS = frozenset(("LT", "ST", "UR", "UT"))
"""VRs in which a backslash is a character like others."""
EMPTY = '""'
"""Matches where there is no value (PS3.4 C.2.2.2.7, since 2020)."""


class Keys(tuple[tuple[str, "Key"], ...]):
    """The keys of one level of nesting, as pairs of keyword and what it has to match, in the order of the tags."""

    __slots__ = ()


def is_universal(key: Key) -> bool:
    """Whether anything matches: the key only asks for the value.

    Examples
    --------
    >>> is_universal(""), is_universal(Keys([("CodeValue", "")])), is_universal("A*")
    (True, True, False)
    """
    return all(is_universal(inner) for _, inner in key) if isinstance(key, Keys) else not key


def key_vr(keyword: str) -> str:
    """Return the VR by which an attribute is matched; the first one where the dictionary leaves a choice."""
    return (vr_of(tag_of(keyword) or 0) or "UN").partition("|")[0]


def key_of(keyword: str, value: Any) -> Key:
    """Check the key of an attribute that is no sequence, and bring it into its one form.

    Raises
    ------
    QueryError
        When the attribute can't be asked for so.

    Examples
    --------
    >>> key_of("StudyDate", (date(2024, 1, 1), None)), key_of("ModalitiesInStudy", ["CT", "MR"])
    ('20240101-', ('CT', 'MR'))
    """
    vr = key_vr(keyword)
    if isinstance(value, tuple) and len(value) == 2 and vr in TEMPORAL_VRS:
        value = "-".join("" if bound is None else _text(keyword, vr, bound) for bound in value)
        if value == "-":
            return ""
    if not isinstance(value, (list, tuple, set, frozenset)) and getattr(value, "ndim", 0) == 0:
        return _single(keyword, vr, value)
    entries = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
    several = tuple(dict.fromkeys(_single(keyword, vr, entry) for entry in entries))
    if "" in several:  # anything, or one of the others
        return ""
    if len(several) > 1 and vr in ONE_VALUE_VRS:
        raise QueryError(f"{keyword} has one value", tag=tag_of(keyword), hint="ask for one, or with wildcards")
    return several[0] if len(several) == 1 else several or ""


def _single(keyword: str, vr: str, value: Any) -> str:
    text = _text(keyword, vr, value)
    text = text.rstrip(" \0") if vr in (*ONE_VALUE_VRS, "UC") else text.strip(" \0")
    if not text or (text == EMPTY and VRS[vr].kind in ("text", "number_text")):
        return text
    where: dict[str, Any] = {"tag": tag_of(keyword)}
    what = f"{keyword}={text!r}"
    if vr not in WILDCARD_VRS and ("*" in text or "?" in text):
        raise QueryError(
            f"{what} has a wildcard", hint=f"values of {vr} are asked for whole{_INSTEAD.get(vr, '')}", **where
        )
    if "\\" in text and vr not in ONE_VALUE_VRS:
        raise QueryError(f"{what} holds a backslash", hint="give several values as a list", **where)
    if not _is_writable(vr, text):
        raise QueryError(f"{what} has a character that {vr} can't have", hint="leave it out", **where)
    if vr in TEMPORAL_VRS:
        try:
            TemporalRange.of(text, cast(TemporalVr, vr))
        except ValueFormatError as error:
            hint = f"write one value of {vr}, or a range as 'a-b', 'a-' or '-b'"
            raise QueryError(f"{what}: {error.message}", hint=hint, **where) from error
    elif vr == "UI" and not all(part.isascii() and part.isdigit() for part in text.split(".")):
        raise QueryError(f"{what} is no UID", hint="UIDs are asked for whole, or as a list of them", **where)
    elif vr in NUMBER_VRS and not _is_number(vr, text):
        raise QueryError(f"{what} is no number", hint="numbers are asked for one by one, or as a list of them", **where)
    elif vr not in (*WILDCARD_VRS, *NUMBER_VRS, "UI", "AS", "AT"):
        raise QueryError(f"{what}: values of {vr} can't be matched", hint="ask for its value with None", **where)
    return "" if vr in WILDCARD_VRS and not text.strip("*") else text


_INSTEAD = {"UI": ", or as a list of them", **dict.fromkeys(TEMPORAL_VRS, ", or as a range 'a-b'")}


def _is_writable(vr: str, text: str) -> bool:
    try:
        text.encode("utf-8" if VRS[vr].charset else "ascii")
    except UnicodeEncodeError:
        return False
    return text.isprintable() or vr in ONE_VALUE_VRS


def _is_number(vr: str, text: str) -> bool:
    try:
        number = number_of(vr, text)
        return abs(number) < float("inf") and "_" not in text and bool(encode_value(vr, number))
    except (ValueError, OverflowError):
        return False


def number_of(vr: str, text: str) -> int | float:
    """Read the number of a key."""
    return float(text) if vr in ("DS", "FD", "FL") else int(text)


def _text(keyword: str, vr: str, value: Any) -> str:
    """Write a value as DICOM does."""
    if hasattr(value, "item") and hasattr(value, "dtype"):  # a number of numpy
        value = value.item()
    if value is None or value == "":
        return ""
    if vr == "AT":
        try:
            return f"{int(Tag.of(value)):08X}"
        except DicomError as error:
            raise QueryError(f"{keyword}={value!r} is no tag", tag=tag_of(keyword), hint="write 00280010") from error
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        if vr == "TM":
            return str(Time.of(value.time()))
        return str(DateTime.of(value)) if vr == "DT" else str(Date.of(value.date()))
    if isinstance(value, date):
        return str(Date.of(value))
    if isinstance(value, (time, timedelta)):
        return str(Time.of(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return format_ds(value) if vr == "DS" else repr(value)
    entry = attribute(tag_of(keyword) or 0)
    raise QueryError(
        f"{keyword} can't be asked for as {value!r}",
        tag=tag_of(keyword),
        hint=f"its VR is {entry.vr if entry else 'unknown'}",
    )
