"""What one level of an object has to hold: the attributes of several modules, or of one sequence in them, merged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from dicomkit.standard.modules import AttributeUse, Iod, group, module

Source: TypeAlias = "str | int"
"""A module by its id, or a group of attributes by its number."""


class Uses(NamedTuple):
    """All that is said of one attribute.

    Attributes
    ----------
    uses
        By the modules or groups, with the name of each module (empty for a group).
    items
        The groups that describe its items.
    plain
        Whether it is allowed without any condition.
    """

    uses: tuple[tuple[AttributeUse, str], ...]
    items: tuple[int, ...]
    plain: bool


class Plan(NamedTuple):
    """The attributes of one level.

    Attributes
    ----------
    attributes
        What is said of each, by tag.
    required
        Those that may have to be there (Types 1, 1C, 2, 2C).
    """

    attributes: Mapping[int, Uses]
    required: tuple[int, ...]


@cache
def plan_of(sources: tuple[Source, ...]) -> Plan:
    """Merge modules, or groups.

    Examples
    --------
    >>> plan = plan_of(("acquisition-context", "image-pixel"))
    >>> [f"{tag:08X}" for tag in plan.required][:3]
    ['00280002', '00280004', '00280006']
    """
    found: dict[int, list[tuple[AttributeUse, str]]] = {}
    for source in sources:
        if isinstance(source, int):
            attributes, name = group(source), ""
        else:
            known = module(source)
            attributes, name = (known.attributes, known.name) if known else ((), "")
        for use in attributes:
            found.setdefault(use.tag, []).append((use, name))
    for tag, uses in found.items():
        if overriding := [(use, name) for use, name in uses if use.overrides]:
            found[tag] = overriding
    merged = {
        tag: Uses(
            tuple(uses),
            tuple(dict.fromkeys(use.items for use, _ in uses if use.items)),
            any(use.rule is None or use.rule.allow is True for use, _ in uses),
        )
        for tag, uses in sorted(found.items())
    }
    required = tuple(tag for tag, uses in merged.items() if any(use.type[:1] in ("1", "2") for use, _ in uses.uses))
    return Plan(MappingProxyType(merged), required)


@cache
def distinguishing(iod: Iod) -> Mapping[str, frozenset[int]]:
    """Find, for each module that need not be there, the attributes that tell that it is: those of no other module.

    Where it has none of its own, those count that no mandatory module has.
    """
    tags = {use.module: _tags(use.module) for use in iod.modules}
    found = {}
    for use in iod.modules:
        if use.usage != "M":
            others = [tags[other.module] for other in iod.modules if other is not use]
            mandatory = [tags[other.module] for other in iod.modules if other is not use and other.usage == "M"]
            own = tags[use.module].difference(*others) or tags[use.module].difference(*mandatory)
            found[use.module] = frozenset(own)
    return MappingProxyType(found)


def _tags(name: str) -> set[int]:
    known = module(name)
    return {use.tag for use in known.attributes} if known else set()
