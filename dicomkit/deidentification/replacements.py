"""What each action makes of one element: removed, emptied, a dummy, a pseudonym, another UID, a cleaned value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from dicomkit.dataset.edit import DROP, Drop
from dicomkit.dataset.element import Element
from dicomkit.deidentification.dummies import dummy
from dicomkit.deidentification.job import Job
from dicomkit.deidentification.shifted_dates import shifted
from dicomkit.errors import ValueFormatError
from dicomkit.values.tag import Tag

TEMPORAL = frozenset(("DA", "DT", "TM"))
TEXT = frozenset(("LO", "LT", "SH", "ST", "UC", "UT", "CS", "UR"))
TIMEZONE_OFFSET = 0x00080201
_PATIENT = "patient"

PSEUDONYMS: Final = {
    0x00100010: _PATIENT,
    0x00100020: _PATIENT,
    0x00080050: "accession number",
    0x00200010: "study id",
    0x00120040: "subject id",
    0x00120042: "subject reading id",
    0x00400551: "specimen",
    0x00400512: "container",
}
"""The attributes that are replaced by a code, and for what purpose: equal codes mean equal originals."""

Made = Element | Drop
"""The element that takes the place of another (perhaps itself), or that there is none."""


def emptied(element: Element, job: Job) -> Made:
    """Action Z: a pseudonym where there is one, else no value."""
    if element.value in (None, ()):
        return element
    code = _code(element, job)
    return _fixed(element.tag, element.vr, code if code is not None else () if element.vr == "SQ" else None)


def dummied(element: Element, job: Job) -> Made:
    """Action D on anything but a sequence: a pseudonym, or the dummy value of its VR. What is empty stays empty."""
    if element.value is None:
        return element
    if element.vr == "UI":
        return other_uid(element, job)
    code = "+0000" if element.tag == TIMEZONE_OFFSET else _code(element, job)
    return _fixed(element.tag, element.vr, dummy(element.vr) if code is None else code)


def other_uid(element: Element, job: Job) -> Made:
    """Action U: the UIDs that stand for these."""
    values = element.value if isinstance(element.value, tuple) else (element.value,)
    if element.value is None:
        return element
    if element.vr != "UI" or not all(value is None or isinstance(value, str) for value in values):
        return DROP  # a UID that can't be read can't be kept
    made = tuple(job.pseudonyms.uid(value) for value in values if value)
    if made == values:
        return element
    raw = "\\".join(made).encode("ascii")
    return Element(element.tag, "UI", made if len(made) != 1 else made[0], raw)


def cleaned_value(element: Element, job: Job) -> Made | None:
    """Action C on anything but a sequence; None where it can't be cleaned, or nothing is left."""
    value, vr = element.value, element.vr
    if value is None:
        return element
    values = value if isinstance(value, tuple) else (value,)
    if vr in TEMPORAL and all(isinstance(part, str) for part in values):
        moved = [shifted(part, job.shift, vr) for part in values if part is not None]
        return None if None in moved else _changed(element, moved)
    if vr == "AE":
        return _of(element, tuple(f"AE{job.pseudonyms.code('ae', str(part))}" for part in values if part))
    if element.tag == TIMEZONE_OFFSET:  # whole days don't touch it
        return element
    if vr in TEXT and all(isinstance(part, str) for part in values):
        texts = [job.cleaned(part) for part in values]
        return _changed(element, texts) if any(texts) else None
    return None


def _changed(element: Element, texts: list[Any]) -> Element:
    """The element itself where its texts are the same."""
    values = element.value if isinstance(element.value, tuple) else (element.value,)
    if all(str(old).strip(" ") == new.strip(" ") for old, new in zip(values, texts, strict=False)):
        return element
    return _of(element, tuple(texts) if len(texts) > 1 else texts[0])


def _code(element: Element, job: Job) -> str | None:
    """The pseudonym of an element, where it is one of those that have one."""
    purpose = PSEUDONYMS.get(element.tag)
    if purpose is None or not job.rules.profile.pseudonyms:
        return None
    if element.tag == 0x00100010:
        return job.pseudonyms.code(_PATIENT, job.patient)
    values = element.value if isinstance(element.value, tuple) else (element.value,)
    return job.pseudonyms.code(purpose, "\\".join(map(str, values)))


def _of(element: Element, value: Any) -> Element:
    """An element with the tag and VR of another; empty where what was left of a value does not fit the VR."""
    try:
        return Element.of(element.tag, value, element.vr)
    except ValueFormatError:
        return Element.of(element.tag, None, element.vr)


@lru_cache(4096)
def _fixed(tag: Tag, vr: str, value: Any) -> Element:
    """An element that is the same in many data sets, encoded once: codes and dummies are ASCII."""
    made = Element.of(tag, value, vr)
    return Element(tag, vr, made.value, value.encode("ascii")) if isinstance(value, str) else made
