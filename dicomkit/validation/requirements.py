"""Whether the attributes that an IOD requires are there, those that it forbids are not, and values are listed ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.standard.attributes import attribute
from dicomkit.standard.conditions import holds, text_of
from dicomkit.standard.modules import AttributeUse, Iod, ModuleUse, Rule, Values
from dicomkit.validation.findings import Finding, Path
from dicomkit.validation.level import Kind, Level
from dicomkit.validation.plan import Uses, distinguishing, plan_of
from dicomkit.values.tag import Tag

SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230
MOST_LEVELS = 64
MOST_VALUES = 10
_OVERLAY_MODULES = frozenset(("overlay-plane", "multi-frame-overlay"))
_GROUP_KINDS: tuple[tuple[int, Kind], ...] = ((SHARED_GROUPS, "shared"), (FRAME_GROUPS, "frame"))


@dataclass
class Requirements:
    """One look at an object.

    Attributes
    ----------
    notes
        Whether defined terms and attributes outside of the IOD are reported.
    unchecked
        How many conditions decided nothing because the tables don't express them.
    """

    iod: Iod
    notes: bool
    unchecked: Counter[str] = field(default_factory=Counter)

    def check(self, ds: DataSet) -> Iterator[Finding]:
        """Check a whole object."""
        present = tuple(use.module for use in self.iod.modules if self._is_present(use, ds))
        plain = tuple(name for name in present if name not in _OVERLAY_MODULES)
        top = Level(ds, plan_of(plain), kind="object")
        yield from self._level(top)
        yield from self._overlays(ds, present)
        if self.iod.functional_groups:
            yield from self._functional_groups(top)
        if self.notes:
            whole = Level(ds, plan_of(tuple(use.module for use in self.iod.modules)), kind="object")
            for tag in ds:
                if (tag & 0xFF00FFFF if 0x60000000 <= tag < 0x60FF0000 else tag) not in whole.plan.attributes:
                    yield from self._outside(whole, tag)

    def _is_present(self, use: ModuleUse, ds: DataSet) -> bool:
        if use.usage == "M":
            return True
        if use.rule is not None and use.rule.need is not None:
            if holds(use.rule.need, Level(ds, plan_of(()), kind="object").values):
                return True
            if use.rule.allow is False:
                return False
        own = distinguishing(self.iod)[use.module]
        if use.module in _OVERLAY_MODULES:
            return any(0x60000000 <= tag < 0x60FF0000 and (tag & 0xFF00FFFF) in own for tag in ds)
        return not own.isdisjoint(ds)

    def _level(self, level: Level) -> Iterator[Finding]:
        """Check one data set or item, and the items in it."""
        attributes, tags = level.plan.attributes, tuple(level.ds)
        if level.kind not in ("shared", "frame"):
            present = set(tags)
            for tag in level.plan.required:
                if tag not in present:
                    yield from self._missing(level, tag, attributes[tag])
        for tag in tags:
            uses = attributes.get(tag)
            if uses is not None:
                yield from self._present(level, tag, uses)
            elif self.notes and level.outer is not None and attributes:
                yield from self._outside(level, tag)

    def _missing(self, level: Level, tag: int, uses: Uses) -> Iterator[Finding]:
        for use, name in uses.uses:
            kind = use.type[:1]
            if kind not in ("1", "2"):
                continue
            because = ""
            if use.rule is not None:
                if use.rule.need is None:
                    self.unchecked[use.rule.text] += 1
                    continue
                if not holds(use.rule.need, level.values, item=level.number):
                    continue
                because = f", needed because {use.rule.text}"
            yield _finding(level, tag, "missing", f"missing: Type {use.type}{_of(name)}{because}")
            return

    def _present(self, level: Level, tag: Tag, uses: Uses) -> Iterator[Finding]:
        value = level.ds.get(tag)
        values = () if value is None else value if isinstance(value, tuple) else (value,)
        if not values:
            yield from self._empty(level, tag, uses)
        if not uses.plain and (rule := self._forbidding(level, uses)):
            yield _finding(level, tag, "not allowed", f"not allowed: only where {rule.text}")
        for use, _ in uses.uses:
            for listed in use.values:
                if values and (listed.enumerated or self.notes):
                    yield from _listed(level, tag, values, listed)
        if uses.items:
            yield from self._items(level, tag, values, uses.items)

    def _empty(self, level: Level, tag: Tag, uses: Uses) -> Iterator[Finding]:
        """An attribute without a value, or a sequence without items."""
        for use, name in uses.uses:
            if use.type == "1" or (use.type == "1C" and self._needs_value(level, use, uses)):
                yield _finding(level, tag, "empty", f"empty: Type {use.type}{_of(name)}")
                return
        known = attribute(tag)
        if known is not None and known.vr == "SQ" and all(use.type == "3" for use, _ in uses.uses):
            yield _finding(level, tag, "empty", "a sequence without items: Type 3 (PS3.5 7.4.5)")

    def _needs_value(self, level: Level, use: AttributeUse, uses: Uses) -> bool:
        """Whether a Type 1C attribute that is present must have a value: it must wherever it is not optional."""
        rule = use.rule
        if rule is not None and rule.need is not None and not holds(rule.need, level.values, item=level.number):
            return rule.allow is False and not uses.plain
        return all(other.type in ("1", "1C") for other, _ in uses.uses)

    def _forbidding(self, level: Level, uses: Uses) -> Rule | None:
        """The rule that an attribute breaks by being there; None where one of its uses allows it."""
        first = None
        for use, _ in uses.uses:
            rule = use.rule
            if rule is None or rule.allow is True:
                return None
            if rule.need is not None and holds(rule.need, level.values, item=level.number):
                return None
            if rule.allow is False and rule.need is None:
                return None
            if rule.allow is not False and holds(rule.allow, level.values, item=level.number):
                return None
            first = first or rule
        return first

    def _items(self, level: Level, tag: Tag, values: tuple[Any, ...], groups: tuple[int, ...]) -> Iterator[Finding]:
        if len(level.path) > 2 * MOST_LEVELS:
            return
        plan = plan_of(groups)
        kind = dict(_GROUP_KINDS).get(tag, "item") if level.kind == "object" else "item"
        step = tag.keyword or int(tag)
        for number, item in enumerate(values):
            if isinstance(item, DataSet):
                yield from self._level(Level(item, plan, (*level.path, step, number), level, kind, number))

    def _overlays(self, ds: DataSet, modules: tuple[str, ...]) -> Iterator[Finding]:
        """Check each repeating group of overlays against the modules that describe the first."""
        names = tuple(name for name in modules if name in _OVERLAY_MODULES)
        if not names:
            return
        plan = plan_of(names)
        for shift in sorted({tag & 0x00FF0000 for tag in ds if 0x60000000 <= tag < 0x60FF0000 and not tag & 0x10000}):
            moved = {
                tag + shift: Uses(
                    tuple((use._replace(tag=tag + shift), name) for use, name in uses.uses), uses.items, uses.plain
                )
                for tag, uses in plan.attributes.items()
            }
            required = tuple(tag + shift for tag in plan.required)
            yield from self._level(Level(ds, plan._replace(attributes=moved, required=required), kind="object"))

    def _functional_groups(self, top: Level) -> Iterator[Finding]:
        """Check that each functional group is where it has to be: shared, or in every frame (PS3.3 C.7.6.16.1)."""
        shared = _data_sets(top.ds.get(SHARED_GROUPS))[:1]
        frames = _data_sets(top.ds.get(FRAME_GROUPS))
        if not shared and not frames:
            return
        for use in self.iod.functional_groups:
            tag = Tag(use.sequence)
            in_shared = any(tag in item for item in shared)
            missing = [number for number, item in enumerate(frames) if tag not in item]
            if in_shared and len(missing) < len(frames):
                number = next(number for number, item in enumerate(frames) if tag in item)
                path = ("PerFrameFunctionalGroupsSequence", number, tag.keyword)
                yield Finding(path, "functional group", "error", "both shared and of a single frame", tag)
            if in_shared or (frames and not missing):
                continue
            if use.usage == "U" or (use.rule is not None and not self._needed(use.rule, top)):
                continue
            because = f", needed because {use.rule.text}" if use.rule else ""
            path = (
                ("PerFrameFunctionalGroupsSequence", missing[0], tag.keyword)
                if missing
                else ("SharedFunctionalGroupsSequence", 0, tag.keyword)
            )
            several = f", like {len(missing) - 1} more" if len(missing) > 1 else ""
            yield Finding(
                path, "functional group", "error", f"missing: neither shared nor of this frame{several}{because}", tag
            )

    def _needed(self, rule: Rule, top: Level) -> bool:
        if rule.need is None:
            self.unchecked[rule.text] += 1
            return False
        return holds(rule.need, top.values)

    def _outside(self, level: Level, tag: Tag) -> Iterator[Finding]:
        """Name a standard attribute that the IOD does not have: a Standard Extended SOP Class (PS3.2)."""
        if tag.keyword and not tag.is_private and tag & 0xFFFF and self.iod.id != "basic-directory":
            message = f"not an attribute of {self.iod.name}"
            yield Finding((*level.path, tag.keyword), "not in IOD", "note", message, tag)


def _listed(level: Level, tag: Tag, values: tuple[Any, ...], listed: Values) -> Iterator[Finding]:
    """Hold values against Enumerated Values or Defined Terms."""
    if listed.condition is not None and not holds(listed.condition, level.values, item=level.number):
        return
    first, wrong = listed.number or 1, 0
    for number, value in enumerate(values[listed.number - 1 : listed.number] if listed.number else values, first):
        if value is None or value == "" or isinstance(value, (bytes, DataSet)):
            continue
        text = text_of(value)
        if text not in listed.values and wrong < MOST_VALUES:
            wrong += 1
            which = f"value {number} is {text!r}" if len(values) > 1 else f"the value is {text!r}"
            rule = "enumerated" if listed.enumerated else "defined term"
            kind = "Enumerated Values" if listed.enumerated else "Defined Terms"
            shown = ", ".join(listed.values[:12]) + (", ..." if len(listed.values) > 12 else "")
            yield Finding(
                (*level.path, tag.keyword or int(tag)),
                rule,
                "error" if listed.enumerated else "note",
                f"{which}, none of the {kind} {shown}",
                tag,
            )


def _finding(level: Level, tag: int, rule: str, message: str) -> Finding:
    known = Tag(tag)
    path: Path = (*level.path, known.keyword or int(tag))
    return Finding(path, rule, "error", message, known)


def _of(name: str) -> str:
    return f" of the {name} Module" if name else ""


def _data_sets(value: Any) -> tuple[DataSet, ...]:
    return tuple(item for item in value if isinstance(item, DataSet)) if isinstance(value, tuple) else ()
