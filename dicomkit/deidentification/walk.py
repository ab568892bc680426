"""The walk through a data set and its nested items, which decides about every element and applies the action."""

from __future__ import annotations

from typing import Any, Literal

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.edit import DROP
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import vr_word
from dicomkit.deidentification.changes import Path
from dicomkit.deidentification.content import CONTENT_SEQUENCES, cleaned_content
from dicomkit.deidentification.dummies import SEQUENCES, TEXT_OBJECT, blank_document
from dicomkit.deidentification.graphics import dropped_groups
from dicomkit.deidentification.job import Job
from dicomkit.deidentification.private import private_rules
from dicomkit.deidentification.profile import Action, Replace
from dicomkit.deidentification.replacements import (
    TEMPORAL,
    TEXT,
    Made,
    cleaned_value,
    dummied,
    emptied,
    other_uid,
)
from dicomkit.deidentification.rules import BASIC, PRIVATE_CHARACTERISTICS, Rule, for_type
from dicomkit.errors import DicomError
from dicomkit.standard.attributes import vr_of
from dicomkit.standard.confidentiality import protected_attribute
from dicomkit.values.tag import Tag

Mode = Literal["keep", "clean", "dummy"]
"""What happens to texts that no rule mentions: outside and inside of sequences that are cleaned or replaced."""

DOCUMENT, DOCUMENT_LENGTH, MEDIA_TYPE = 0x00420011, 0x00420015, 0x00420012
OVERLAY_DATA = 0x60003000
GRAPHIC_ANNOTATIONS = 0x00700001
CODE_MEANING = 0x00080104
CODE_VALUES = frozenset((0x00080100, 0x00080102, 0x00080103, 0x00080105, 0x00080119, 0x00080120))
PUBLIC_SCHEMES = frozenset(
    "ACR BARI BI CD10 CD11 CD2 CPT-4 DC DCM DICOM FMA HPC I10 I10P I9 I9C ICDO3 ISO3166_1 ISO639_1 ISO639_2 ISO_OID"
    " ITIS_TSN LN MA MAYOASRG MDC MDNS MSH NCDR NCIt NDC NEU NICIP NYUMCCG POS RADELEMENT RADLEX RADPEER RFC3066"
    " RFC5646 RO SCT SDM SNM3 SRT UBERON UCUM UMLS UNS UPC".split()
)
_STRAY_GROUPS = frozenset((0x0000, 0x0002, 0x0004))
_KIND, _ITEMS = 0xFFFF, frozenset((vr_word("SQ"), vr_word("UN")))
_FIRST_OF_A_DATA_SET = 0x00080000
_KEPT = Rule("K", "")
_BY_DATE_OPTION = {
    None: Rule("X/Z/D", "a date or time, though not in table E.1-1"),
    "full": _KEPT,
    "modified": Rule("C", "option retain_modified_dates, though not in table E.1-1"),
}
_NAME = Rule("X/Z/D", "a person's name, though not in table E.1-1")
_STRAY = Rule("X", "command, file meta and directory elements don't belong here")
_UNKNOWN = Rule("X", "not in the data dictionary")


def without_identity(
    ds: DataSet, job: Job, place: tuple[int, ...] = (), path: Path = (), mode: Mode = "keep"
) -> DataSet:
    """Return a data set in which the rules are applied to every element; the outermost is without file meta.

    Parameters
    ----------
    place, path
        The sequences around it, as tags, and as a path with the numbers of items.
    mode
        What happens to texts that no rule mentions.
    """
    overlay: dict[int, Element | None] = {}
    gone = privates = None
    untouched = job.rules.untouched if mode == "keep" else frozenset()
    for tag in ds:
        if tag in untouched and not _may_have_items(ds, tag):
            continue
        group = tag >> 16
        if not tag & 0xFFFF and group not in _STRAY_GROUPS:
            continue  # a group length, which is not written where its group is edited
        if group & 1:
            privates = private_rules(ds, job, place) if privates is None else privates
            rule = privates.get(tag)
        elif 0x5000 <= group <= 0x60FF and group in (gone := dropped_groups(ds, job) if gone is None else gone):
            rule = Rule("X", gone[group])
        elif (rule := job.rules.of_attribute(tag, place)) is None:
            rule = _unlisted(ds.element(tag), ds, job, mode)
        action = "K" if rule is None else _settled(rule, tag, job, place)
        if action == "X" and job.record is None:
            overlay[tag] = None
            continue
        element = ds.element(tag)
        if rule is None or rule is _KEPT:
            if element.vr != "SQ":
                continue
            rule = _KEPT
        made, done = _applied(element, action, ds, job, place, path, mode)
        if made is not element:
            overlay[tag] = None if made is DROP else made
        if rule is not _KEPT:
            job.note(path, tag, done, element.value, None if made is DROP else made.value, rule.reason)
    return edited(ds, overlay) if overlay or not place else ds


def edited(ds: DataSet, overlay: dict[int, Element | None]) -> DataSet:
    """Return a data set with elements replaced or (None) dropped, and without file meta information."""
    document = overlay.get(DOCUMENT)
    if document is not None and DOCUMENT_LENGTH in ds:
        overlay[DOCUMENT_LENGTH] = Element.of(DOCUMENT_LENGTH, len(document.value), "UL")
    return DataSet._of(ds._records, {**ds._overlay, **overlay}, {}, None)


def _may_have_items(ds: DataSet, tag: int) -> bool:
    """Whether an element may be a sequence, whatever the dictionary says."""
    record = None if tag in ds._overlay else ds._records.find(tag)
    return record is None or ds._records.index.kind(record) & _KIND in _ITEMS


def _unlisted(element: Element, ds: DataSet, job: Job, mode: Mode) -> Rule | None:
    """The rule for an element that the table does not mention."""
    tag, vr = element.tag, element.vr
    if tag < _FIRST_OF_A_DATA_SET and tag >> 16 in _STRAY_GROUPS:
        return _STRAY
    if tag == PRIVATE_CHARACTERISTICS and not job.rules.profile.retain_safe_private:
        return Rule("X", "describes private attributes, which are removed")
    if vr in TEMPORAL:
        return _BY_DATE_OPTION[job.rules.profile.retain_dates]
    if vr == "PN":
        return _NAME
    if vr_of(tag) is None:
        return _UNKNOWN
    if mode == "keep" or vr not in TEXT or vr == "CS" or (mode == "clean" and _standard_code(tag, ds)):
        return None
    return Rule("C" if mode == "clean" else "D", "within a sequence that is cleaned or replaced")


def _standard_code(tag: Tag, ds: DataSet) -> bool:
    """Whether an element is part of a code that no operator made up: a value, or the meaning in a public scheme."""
    if tag == CODE_MEANING:
        return str(ds.get("CodingSchemeDesignator", "")).strip() in PUBLIC_SCHEMES
    return tag in CODE_VALUES


def _settled(rule: Rule, tag: int, job: Job, place: tuple[int, ...]) -> Action:
    """The action of a rule, choices settled by the type of the attribute.

    What the table removes, and the IOD can't be without, is replaced or emptied (PS3.15 E.1.1).
    """
    action = rule.action
    if action == "X" and rule.reason == BASIC:
        needed = job.type_of(place, tag)
        return "Z" if needed == "2" else "D" if needed == "1" and vr_of(tag) != "SQ" else "X"
    if isinstance(action, str) and ("/" in action or action in "ZD"):
        return for_type(action, job.type_of(place, tag))
    return action


def _applied(
    element: Element, action: Action, ds: DataSet, job: Job, place: tuple[int, ...], path: Path, mode: Mode
) -> tuple[Made, str]:
    """The element that an action makes of another, and the action that it came to."""
    if isinstance(action, Replace):
        return Element.of(element.tag, action.value, element.vr), "D"
    if not isinstance(action, str):
        return _given(element, action), "override"
    if action == "X":
        return DROP, "X"
    if element.vr == "SQ":
        return _sequence(element, action, job, place, path, mode), action
    if vr_of(element.tag) == "SQ":
        return DROP, "X"  # items that can't be read can't be kept
    if action == "C" and element.tag & 0xFF00FFFF == OVERLAY_DATA:
        return element, "K"  # of a region of interest: groups of other overlays are gone
    if action == "C":
        made = cleaned_value(element, job)
        if made is not None:
            return made, "C"
        action = for_type(_basic(element), job.type_of(place, element.tag))
        if action in "XCK":
            return DROP, "X"
    if action == "Z":
        return emptied(element, job), "Z"
    if action == "U":
        return other_uid(element, job), "U"
    if action == "D":
        if element.tag == DOCUMENT:
            return Element.of(element.tag, blank_document(ds.get(MEDIA_TYPE)), element.vr), "D"
        return dummied(element, job), "D"
    return element, "K"


def _basic(element: Element) -> str:
    """What the basic profile does with an attribute that can't be cleaned."""
    row = protected_attribute(element.tag)
    return row.action if row is not None else "X/Z/D"


def _given(element: Element, function: Any) -> Made:
    """What the user's function makes of an element; its errors name the tag."""
    try:
        made = function(element)
    except DicomError:
        raise
    except Exception as error:
        raise DicomError(f"the override failed: {type(error).__name__}: {error}", tag=element.tag) from error
    return made if isinstance(made, Element) or made is DROP else Element.of(element.tag, made, element.vr)


def _sequence(element: Element, action: str, job: Job, place: tuple[int, ...], path: Path, mode: Mode) -> Made:
    """Apply an action to a sequence: to all of its items, or to itself."""
    tag, items = element.tag, element.value
    if not items:
        return element
    if action == "Z":
        return Element.of(tag, (), "SQ")
    inside = (*place, tag)
    if action == "D" and tag in SEQUENCES:
        return Element.of(tag, (DataSet(SEQUENCES[tag]),), "SQ")
    if tag in CONTENT_SEQUENCES and (action == "C" or mode == "clean"):
        made = cleaned_content(items, job, inside, (*path, tag.keyword), without_identity)
    else:
        inner: Mode = "clean" if action == "C" else "dummy" if action == "D" else mode
        steps = [(*path, tag.keyword or str(tag), number) for number in range(len(items))]
        made = tuple(without_identity(item, job, inside, step, inner) for item, step in zip(items, steps, strict=True))
        if action == "D" and tag == GRAPHIC_ANNOTATIONS:
            made = tuple(_blank_annotation(item) for item in made)
    unchanged = len(made) == len(items) and all(new is old for new, old in zip(made, items, strict=True))
    return element if unchanged else Element(tag, "SQ", made)


def _blank_annotation(item: DataSet) -> DataSet:
    """A graphic annotation on the same layer of the same images, that says nothing (PS3.3 C.10.5)."""
    kept = {key: item.element(key) for key in ("ReferencedImageSequence", "GraphicLayer") if key in item}
    return DataSet({**kept, "TextObjectSequence": [TEXT_OBJECT]})
