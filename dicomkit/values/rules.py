"""What PS3.5 asks of a value of each VR: its characters, its length, its form and how many there may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from dicomkit.values.age import Age
from dicomkit.values.charset import Charset
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.numbers import IS_MAX, IS_MAX_CHARS, IS_MIN, is_legal_ds, is_legal_is
from dicomkit.values.times import Time
from dicomkit.values.uid import UID
from dicomkit.values.vr import VRS

# C1 controls come in where an 8-bit set has them; PS3.5 6.1.1 forbids them all.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
# The part of Unicode that an alphabetic group may use (PS3.5 6.2.1.2), and the half-width katakana of H.3.2.
_NOT_ALPHABETIC = re.compile(r"[^\u0020-\u1fff\u3001\u3002\u300c\u300d\u3099-\u309c\u30a0-\u30ff\uff61-\uff9f]")
# What single-byte repertoires have beside that.
_IN_SINGLE_BYTES = frozenset("\u200e\u200f\u2015\u2017\u2018\u2019\u203e\u20ac\u20af\u2116")
_VM = re.compile(r"([0-9]+)(?:-([0-9]*)(n)?)?")

_NAME_GROUPS = ("alphabetic", "ideographic", "phonetic")
_GROUP_MAX_CHARS = 64


def value_problems(vr: str, text: str) -> list[str]:
    """List what is wrong with one value of a VR that is written as text.

    Parameters
    ----------
    vr
        The value representation.
    text
        One value, without padding; an empty one is always legal.

    Examples
    --------
    >>> value_problems("CS", "Primary")
    ["the character 'r' can't be in a CS: only A-Z, 0-9, space and underscore"]
    >>> value_problems("SH", "x" * 17)
    ['17 characters, of 16 at most']
    """
    if not text:
        return []
    problems = []
    row = VRS[vr]
    if row.multi and row.charset:
        problems += _characters(vr, text, _CONTROL, "no control characters") + _backslash(vr, text)
    elif row.charset:
        problems += _characters(vr, text, _CONTROL_IN_TEXT, "no control characters but TAB, LF, FF and CR")
    elif vr in _REPERTOIRES:
        pattern, allowed = _REPERTOIRES[vr]
        problems += _characters(vr, text, pattern, allowed)
    if vr in _FORMS and not problems:
        legal, form = _FORMS[vr]
        if not legal(text):
            problems.append(f"not {form}")
    if vr == "PN":
        problems += _name_problems(text)
    elif row.max_chars and len(text) > row.max_chars:
        problems.append(f"{len(text)} characters, of {row.max_chars} at most")
    if vr == "IS" and not problems and len(text) <= IS_MAX_CHARS and not IS_MIN <= int(text) <= IS_MAX:
        problems.append(f"not within {IS_MIN} and {IS_MAX}")
    return problems


def _characters(vr: str, text: str, forbidden: re.Pattern[str], allowed: str) -> list[str]:
    found = forbidden.search(text)
    article = "an" if vr[0] in "AEFILOSU" and vr not in ("UI", "UC", "UR", "UT") else "a"
    return [f"the character {found[0]!r} can't be in {article} {vr}: {allowed}"] if found else []


def _backslash(vr: str, text: str) -> list[str]:
    return [f"a backslash can't be in one value of {vr}: it separates values"] if "\\" in text else []


def _is_age(text: str) -> bool:
    return Age(text).is_valid


def _is_date(text: str) -> bool:
    return Date(text).is_valid


def _is_time(text: str) -> bool:
    return Time(text).is_valid


def _is_date_time(text: str) -> bool:
    return DateTime(text).is_valid


def _is_uid(text: str) -> bool:
    return UID(text).is_valid


_REPERTOIRES: Mapping[str, tuple[re.Pattern[str], str]] = MappingProxyType(
    {
        "AE": (re.compile(r"[^\x20-\x5b\x5d-\x7e]"), "only ASCII without backslash and control characters"),
        "CS": (re.compile(r"[^A-Z0-9 _]"), "only A-Z, 0-9, space and underscore"),
        "UR": (re.compile(r"[^A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]"), "percent-encode it (RFC 3986)"),
    }
)
_FORMS: Mapping[str, tuple[Callable[[str], bool], str]] = MappingProxyType(
    {
        "AE": (lambda text: bool(text.strip()), "an application entity title: only spaces"),
        "AS": (_is_age, "an age: three digits and one of D, W, M, Y"),
        "DA": (_is_date, "a date: YYYYMMDD"),
        "DS": (is_legal_ds, "a decimal number"),
        "DT": (_is_date_time, "a date and time: YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
        "IS": (is_legal_is, "an integer"),
        "TM": (_is_time, "a time of day: HHMMSS.FFFFFF"),
        "UI": (_is_uid, "a UID: numbers without leading zeros, separated by periods"),
    }
)


def _name_problems(text: str) -> list[str]:
    groups = text.split("=")
    problems = [f"{len(groups)} component groups, of 3 at most"] if len(groups) > 3 else []
    for index, (name, group) in enumerate(zip(_NAME_GROUPS, groups, strict=False)):
        components = group.count("^") + 1
        if components > 5:
            problems.append(f"{components} components in the {name} group, of 5 at most")
        size = len(group) + (index < len(groups) - 1)  # the delimiter counts
        if size > _GROUP_MAX_CHARS:
            problems.append(f"{size} characters in the {name} group, of {_GROUP_MAX_CHARS} at most")
    return problems


def alphabetic_problems(text: str, charset: Charset) -> list[str]:
    """List the characters that the alphabetic group of a person name may not have (PS3.5 6.2.1.2).

    Examples
    --------
    >>> alphabetic_problems("山田^太郎", Charset.of("ISO_IR 192"))
    ["the character '山' can't be in the alphabetic group of a PN; write the name as '=山田^太郎'"]
    """
    group = text.partition("=")[0]
    if group.isascii():
        return []
    if charset.stand_alone:
        allowed = frozenset() if charset.terms else _IN_SINGLE_BYTES
        wrong = next((found for found in _NOT_ALPHABETIC.findall(group) if found not in allowed), "")
    else:
        initial = [coded for coded in (charset.low, charset.high) if coded is not None]
        wrong = next((character for character in group if not any(coded.encode(character) for coded in initial)), "")
    if not wrong:
        return []
    hint = f"; write the name as {'=' + group!r}" if "=" not in text else ""
    return [f"the character {wrong!r} can't be in the alphabetic group of a PN{hint}"]


def repertoire_problems(vr: str, text: str) -> list[str]:
    """List the characters that are not of the default repertoire, in a VR that Specific Character Set leaves alone."""
    if VRS[vr].charset or text.isascii():
        return []
    found = _NOT_ASCII.search(text)
    return [f"the character {found[0]!r} can't be in {vr}: only ASCII"] if found else []


def vm_allows(vm: str, count: int) -> bool:
    """Whether a value multiplicity of PS3.6 (``"1"``, ``"1-3"``, ``"2-n"``, ``"3-3n"``, ...) allows a number of values.

    Examples
    --------
    >>> vm_allows("1-n", 7), vm_allows("3-3n", 4), vm_allows("1-2", 0), vm_allows("1-n or 1", 2)
    (True, False, True, True)
    """
    if count == 0:
        return True
    return any(_vm_allows(part.strip(), count) for part in vm.split(" or "))


def _vm_allows(vm: str, count: int) -> bool:
    match = _VM.fullmatch(vm)
    if match is None:
        return True
    least = int(match[1])
    if match[2] is None:
        return count == least
    if match[3]:
        return count >= least and count % int(match[2] or 1) == 0
    return least <= count <= int(match[2])
