"""Structured content, item by item: what a concept name says of its value (PS3.15 E.3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.element import Element
from dicomkit.deidentification.changes import Path
from dicomkit.deidentification.dummies import dummy
from dicomkit.deidentification.job import Job
from dicomkit.standard.confidentiality import ProtectedConcept, protected_concepts
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

CONTENT_SEQUENCES = frozenset((0x0040A730, 0x00400555, 0x00400610, 0x00400612, 0x00400441))
"""Sequences of content items: Content, Acquisition Context, Specimen Preparation (and its steps), Content Item Modifier
... (those that the profile cleans as structured content, and what they contain)."""

_CONTENT = "ContentSequence"
_REFERENCE = "ReferencedContentItemIdentifier"
# The attribute that holds the value of a content item, by value type (PS3.3 C.17.3.2).
_VALUES = {
    "TEXT": "TextValue",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "UIDREF": "UID",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
}
_PLAIN = frozenset(("TEXT", "PNAME", "DATE", "TIME", "DATETIME"))

Position = tuple[int, ...]
Recurse = Callable[..., "DataSet"]


def cleaned_content(
    items: tuple[DataSet, ...], job: Job, place: tuple[int, ...], path: Path, recurse: Recurse
) -> tuple[DataSet, ...]:
    """Return content items without those that the profile removes, the others cleaned.

    Items that refer to others by position are renumbered; they go with what they refer to.

    Parameters
    ----------
    recurse
        What applies the rules to the attributes of one item.
    """
    removed: set[Position] = set()
    referring: dict[Position, Position] = {}
    for position, item in _positions(items, ()):
        if _action(item, job) == "X":
            removed.add(position)
        target = item.all(_REFERENCE)
        if target:
            referring[position] = tuple(target[1:])
    removed |= {position for position, target in referring.items() if _within(target, removed)}
    return _kept(items, (), removed, job, place, path, recurse)


def _positions(items: tuple[DataSet, ...], above: Position) -> Iterator[tuple[Position, DataSet]]:
    """Every content item with its position, counted from 1 at each level, below the root."""
    for number, item in enumerate(items, 1):
        yield (*above, number), item
        yield from _positions(item.all(_CONTENT), (*above, number))


def _within(position: Position, removed: set[Position]) -> bool:
    return any(position[:depth] in removed for depth in range(1, len(position) + 1))


def _kept(
    items: tuple[DataSet, ...],
    above: Position,
    removed: set[Position],
    job: Job,
    place: tuple[int, ...],
    path: Path,
    recurse: Recurse,
) -> tuple[DataSet, ...]:
    made = []
    for number, item in enumerate(items, 1):
        position = (*above, number)
        step = (*path, number - 1)
        if position in removed:
            job.note(step, 0x0040A043, "X", _meaning(item), None, "option clean_structured_content")
            continue
        nested = item.all(_CONTENT)
        cleaned = _one(item, job, place, step, recurse)
        if nested:
            inside = (*place, int(Tag.of(_CONTENT)))
            kept = _kept(nested, position, removed, job, inside, (*step, _CONTENT), recurse)
            cleaned = cleaned.assign({_CONTENT: kept}) if kept else cleaned.drop(_CONTENT)
        target = item.all(_REFERENCE)
        if target and removed:
            cleaned = cleaned.assign({_REFERENCE: (target[0], *_moved(tuple(target[1:]), removed))})
        made.append(cleaned)
    return tuple(made)


def _moved(position: Position, removed: set[Position]) -> Position:
    """Where an item stands once the removed ones before it are gone."""
    return tuple(
        number - sum((*position[:depth], before) in removed for before in range(1, number))
        for depth, number in enumerate(position)
    )


def _one(item: DataSet, job: Job, place: tuple[int, ...], path: Path, recurse: Recurse) -> DataSet:
    """One item without its children: its value by the concept, its attributes by the rules."""
    action, value_type = _action(item, job), str(item.get("ValueType", "")).strip()
    keyword = _VALUES.get(value_type, "")
    bare = item.drop(_CONTENT)
    if action == "D" and keyword in bare:
        value = bare.element(keyword)
        if value_type in _PLAIN and value.value is not None:
            bare = bare.assign([Element.of(value.tag, dummy(value.vr), value.vr)])
            job.note(path, value.tag, "D", value.value, dummy(value.vr), f"structured content: {_meaning(item)}")
    cleaned = recurse(bare, job, place, path, "clean")
    if action == "K" and keyword in bare:
        cleaned = cleaned.assign([bare.element(keyword)])
    return cleaned


def _action(item: DataSet, job: Job) -> str | None:
    """What the options say of the concept name of an item; None where the table doesn't have it."""
    concept = next(iter(item.all("ConceptNameCodeSequence")), None)
    if concept is None or not hasattr(concept, "elements"):
        return None
    value_type = str(item.get("ValueType", "")).strip()
    code = next((concept[key] for key in ("CodeValue", "LongCodeValue", "URNCodeValue") if concept.get(key)), "")
    by_code, by_meaning = _concepts()
    row = by_code.get((str(concept.get("CodingSchemeDesignator", "")).strip(), str(code).strip(), value_type))
    row = row or by_meaning.get((_meaning(item).casefold(), value_type))
    if row is None:
        return None
    said = {action for option, action in row.options.items() if option in job.rules.profile.options}
    return "C" if "C" in said else "K" if "K" in said else row.action.split("/")[-1]


def _meaning(item: DataSet) -> str:
    concept: Any = next(iter(item.all("ConceptNameCodeSequence")), {})
    return str(concept.get("CodeMeaning") or "").strip()


@cache
def _concepts() -> tuple[Mapping[tuple[str, str, str], ProtectedConcept], Mapping[tuple[str, str], ProtectedConcept]]:
    """The table by code, and by meaning: retired codes keep their meaning (PS3.15 E.3.4)."""
    rows = protected_concepts()
    return (
        {(row.scheme, row.value, row.value_type): row for row in rows},
        {(row.meaning.casefold(), row.value_type): row for row in rows},
    )
