"""Which action applies to an attribute: by the table of PS3.15 and the options, the type in the IOD, the overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from dicomkit.deidentification.profile import Action, Override, Profile
from dicomkit.standard.attributes import vr_table
from dicomkit.standard.confidentiality import Method, ProtectedAttribute, protected_attribute, protected_attributes

PRIVATE_CHARACTERISTICS = 0x00080300
BASIC = "basic profile"
_TELLING_VRS = frozenset(("DA", "DT", "PN", "SQ", "TM", "UN", ""))
PUBLIC_VERSIONS = frozenset((0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07))
"""Versions of context groups and templates: published dates, that would give away by how much dates are shifted."""


class Rule(NamedTuple):
    """What is done with an attribute, and why."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """A profile, ready to be asked about attributes.

    Attributes
    ----------
    table
        What the standard says, by tag, for the options taken.
    everywhere, by_path, private
        The overrides: by tag, by path, by creator and tag with block 00 (group 0: any).
    options, methods
        Of the profile.
    untouched
        Standard attributes that are kept as they are, unless they turn out to be sequences.
    """

    profile: Profile
    table: Mapping[int, Rule]
    everywhere: Mapping[int, Action]
    by_path: Mapping[tuple[int, ...], Action]
    private: Mapping[tuple[str, int], Action]
    options: frozenset[str]
    methods: tuple[Method, ...]
    untouched: frozenset[int]

    @classmethod
    def of(cls, profile: Profile) -> Rules:
        """Compile a profile."""
        everywhere, by_path, private = _overrides(profile.overrides)
        options = profile.options
        overridden = {*everywhere, *(path[-1] for path in by_path)}
        untouched = _plain_tags() - frozenset(overridden)
        return cls(profile, _table(options), everywhere, by_path, private, options, profile.methods, untouched)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rules.of, (self.profile,)

    @property
    def keeps_private(self) -> bool:
        """Whether private elements may be kept at all."""
        return bool(self.profile.retain_safe_private or self.private or self.everywhere or self.by_path)

    def of_attribute(self, tag: int, place: tuple[int, ...]) -> Rule | None:
        """Return the rule for a standard attribute; None where nothing is said about it.

        Parameters
        ----------
        place
            The tags of the sequences around it, the outermost first.
        """
        if self.by_path and (action := self.by_path.get((*place, tag))) is not None:
            return Rule(action, "override")
        if self.everywhere and (action := self.everywhere.get(tag)) is not None:
            return Rule(action, "override")
        rule = self.table.get(tag)
        if rule is None and 0x50 <= tag >> 24 < 0x70 and (row := protected_attribute(tag)) is not None:
            return _rule(row, self.options)
        return rule

    def of_private(self, tag: int, creator: str, place: tuple[int, ...]) -> Rule | None:
        """Return the override for a private attribute, or None."""
        numbered = tag & 0xFFFF00FF
        action = self.private.get((creator, numbered)) or self.private.get((creator, tag & 0xFF))
        if action is None:
            action = self.by_path.get((*place, tag)) or self.everywhere.get(tag)
        return None if action is None else Rule(action, "override")


@lru_cache(1024)
def for_type(action: str, attribute_type: str | None) -> str:
    """Settle a choice of actions by the type of the attribute in its IOD (PS3.15 table E.1-1a).

    Parameters
    ----------
    attribute_type
        ``"1"``, ``"1C"``, ``"2"``, ``"2C"`` or ``"3"``; ``""`` where the IOD doesn't have the attribute; None where the
        IOD is not known: then the choice that fits every type.

    Examples
    --------
    >>> [for_type("X/Z/D", kind) for kind in ("1", "2C", "3", "", None)]
    ['D', 'Z', 'X', 'X', 'D']
    >>> for_type("X/Z", "1"), for_type("Z/D", "3"), for_type("D", ""), for_type("Z", "1C"), for_type("X/Z/U*", None)
    ('D', 'Z', 'X', 'D', 'U')
    """
    choices = action.rstrip("*").split("/")
    strongest = choices[-1]
    if attribute_type is None:
        return strongest
    if attribute_type == "":
        return "X" if strongest == "D" or len(choices) > 1 else action
    if attribute_type.startswith("1"):
        return "D" if strongest == "Z" else strongest
    if attribute_type.startswith("2"):
        return "Z" if "Z" in choices else strongest
    return choices[0]


@cache
def _table(options: frozenset[str]) -> Mapping[int, Rule]:
    return MappingProxyType({tag: _rule(row, options) for tag, row in protected_attributes().items()})


def _rule(row: ProtectedAttribute, options: frozenset[str]) -> Rule:
    """The action of the basic profile, unless options say otherwise; cleaning is safer than keeping."""
    said = {action: option for option, action in row.options.items() if option in options}
    if said.get("C") == "retain_modified_dates" and int(row.tag.replace("x", "0"), 16) in PUBLIC_VERSIONS:
        return Rule(row.action, "basic profile: the date is public, shifted it would tell the shift")
    for action in ("C", "K"):
        if action in said:
            return Rule(action, f"option {said[action]}")
    return Rule(row.action, BASIC)


def _overrides(
    overrides: tuple[Override, ...],
) -> tuple[Mapping[int, Action], Mapping[tuple[int, ...], Action], Mapping[tuple[str, int], Action]]:
    everywhere: dict[int, Action] = {}
    by_path: dict[tuple[int, ...], Action] = {}
    private: dict[tuple[str, int], Action] = {}
    for override in overrides:
        if override.creator is not None:
            private[override.creator, override.path[0]] = override.action
        elif len(override.path) == 1:
            everywhere[override.path[0]] = override.action
        else:
            by_path[override.path] = override.action
    return everywhere, by_path, private


@cache
def _plain_tags() -> frozenset[int]:
    """The attributes of a data set that the table doesn't mention, and whose VR is no date, name or sequence."""
    of_data_sets = (item for item in vr_table().items() if item[0] >= 0x00080000 and not item[0] & 0x10000)
    plain = (tag for tag, vr in of_data_sets if vr not in _TELLING_VRS and tag != PRIVATE_CHARACTERISTICS)
    return frozenset(plain) - frozenset(protected_attributes())
