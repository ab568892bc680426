"""Whether every element follows the rules of its VR, its VM and the data dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.sources import Bulk
from dicomkit.standard.attributes import Attribute, attribute
from dicomkit.standard.private import private_attribute
from dicomkit.standard.single_items import single_item_tags
from dicomkit.validation.agreement import check_agreement
from dicomkit.validation.findings import Finding, Path, Severity
from dicomkit.values.decode import decode_problems
from dicomkit.values.rules import vm_allows
from dicomkit.values.tag import Tag
from dicomkit.values.uid import UID

MOST_LEVELS = 64
SPECIFIC_CHARACTER_SET = 0x00080005

# How a problem of PS3.5 starts, the rule that it breaks, and how bad that is.
_RULES: tuple[tuple[re.Pattern[str], str, Severity], ...] = (
    (re.compile(r"odd length|\d+ bytes are no multiple"), "length", "error"),
    (re.compile(r"padded by"), "padding", "error"),
    (re.compile(r"\d+ values?, where the VM"), "vm", "error"),
    (
        re.compile(r"byte |bytes |an escape|escape sequence|Shift JIS|ISO-IR"),
        "character set",
        "error",
    ),
)
_NOT_IN_ITEMS = frozenset((0x0000, 0x0002, 0x0006))


def check_elements(ds: DataSet, *, strict: bool, path: Path = (), top: DataSet | None = None) -> Iterator[Finding]:
    """Check every element, nested ones included.

    Parameters
    ----------
    strict
        Whether notes are wanted.
    path, top
        Where the data set is, and in which object; for the recursion.
    """
    creators = {tag & 0xFFFF00FF for tag in ds if tag.is_private_creator}
    for element in ds.elements():
        tag = element.tag
        known = attribute(tag)
        place: Path = (*path, element.keyword or int(tag))
        yield from check_element(element, known, place)
        yield from check_agreement(element, ds, top or ds, place)
        if tag.is_private:
            yield from _private(element, ds, creators, place)
        elif known is None:
            yield Finding(place, "unknown", "warning", "neither private nor in PS3.6", tag)
        elif known.retired and strict:
            yield Finding(place, "retired", "note", f"{known.name or 'the attribute'} is retired", tag)
        if path and tag >> 16 in _NOT_IN_ITEMS:
            yield Finding(place, "place", "error", "not allowed in an item (PS3.5 7.5.1)", tag)
        if element.vr == "SQ" and isinstance(element.value, tuple):
            if len(element.value) > 1 and tag in single_item_tags():
                message = f"{len(element.value)} items, where PS3.3 allows one"
                yield Finding(place, "items", "error", message, tag)
            if len(path) >= 2 * MOST_LEVELS:
                yield Finding(place, "nesting", "warning", f"more than {MOST_LEVELS} levels: not looked at", tag)
                continue
            for number, item in enumerate(element.value):
                if isinstance(item, DataSet):
                    yield from check_elements(item, strict=strict, path=(*place, number), top=top or ds)


def check_element(element: Element, known: Attribute | None, place: Path) -> Iterator[Finding]:
    """Check one element by itself: its VR, the form of its values, how many there are."""
    tag, vr, raw = element.tag, element.vr, element.raw
    yield from _vr(element, known, place)
    vm = known.vm if known is not None and vr in known.vr else None
    if vr == "SQ":
        return
    if element.origin is None:
        if vm and not vm_allows(vm, element.vm):
            yield Finding(place, "vm", "error", f"{element.vm} values, where the VM is {vm}", tag)
    elif isinstance(raw, bytes):
        if vr == "UI":
            yield from _uid_roots(element, place)
        origin = element.origin
        problems = decode_problems(vr, raw, big_endian=origin.big_endian, charset=origin.charset, tag=tag, vm=vm)
        for problem in problems:
            rule, severity = _rule(problem)
            if rule == "value" and tag == SPECIFIC_CHARACTER_SET:
                rule = "character set"
            yield Finding(place, rule, severity, problem, tag)
    elif isinstance(raw, Bulk) and element.origin.length % 2:
        yield Finding(place, "length", "error", f"odd length {element.origin.length}", tag)


def _uid_roots(element: Element, place: Path) -> Iterator[Finding]:
    """Check the first two components of UIDs against ISO/IEC 8824 (PS3.5 9.1)."""
    for uid in element.value if isinstance(element.value, tuple) else (element.value,):
        if isinstance(uid, UID) and uid.is_valid:
            first, second, *_ = uid.split(".")
            if int(first) > 2 or (int(first) < 2 and int(second) > 39):
                message = f"{uid} has a root that ISO/IEC 8824 does not allow"
                yield Finding(place, "uid", "error", message, element.tag)
            elif first == "1" and second not in ("0", "2", "3"):
                message = f"{uid} is under 1.{second}, to which ISO assigns none"
                yield Finding(place, "uid", "warning", message, element.tag)


def _rule(problem: str) -> tuple[str, Severity]:
    for pattern, rule, severity in _RULES:
        if pattern.match(problem):
            return rule, severity
    return "value", "error"


def _vr(element: Element, known: Attribute | None, place: Path) -> Iterator[Finding]:
    """Compare the VR in the header with that of the dictionary."""
    if known is None or element.origin is None or element.origin.vr_origin != "header" or not known.vr:
        return
    if element.vr == "UN":
        message = f"VR UN, where the dictionary has {known.vr}"
        yield Finding(place, "vr", "note", message, element.tag)
    elif element.vr not in known.vr.split("|"):
        message = f"VR {element.vr}, where the dictionary has {known.vr}"
        yield Finding(place, "vr", "error", message, element.tag)


def _private(element: Element, ds: DataSet, creators: set[int], place: Path) -> Iterator[Finding]:
    """Check that a private element is in a block that a creator has reserved (PS3.5 7.8.1)."""
    tag = element.tag
    number = tag & 0xFFFF
    if tag >> 16 in (1, 3, 5, 7, 0xFFFF) or 0 < number < 0x10:
        yield Finding(place, "private", "error", "no private element may have this tag (PS3.5 7.8)", tag)
    elif number > 0xFF:
        creator = Tag(tag & 0xFFFF0000 | number >> 8)
        if creator not in creators:
            yield Finding(place, "private", "error", f"no creator has reserved its block, in {creator}", tag)
        elif element.vr == "UN" and (name := ds.get(creator)) and isinstance(name, str):
            known = private_attribute(name, tag)
            if known and known.vr not in ("", "UN"):
                yield Finding(place, "vr", "note", f"VR UN, where the dictionary of {name} has {known.vr}", tag)
