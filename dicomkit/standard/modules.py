"""The Information Object Definitions of PS3.3: which modules an object has, and which attributes a module has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.conditions import Condition, parse_condition
from dicomkit.standard.tables import table_text

EDITION = "PS3.3 2026b"


class Rule(NamedTuple):
    """When something conditional is needed, and when else it is allowed.

    Parameters
    ----------
    need : Condition or None
        None where the tables don't express it.
    allow : Condition or bool
        True for always, False for only when needed.
    text : str
        The condition as the tables have it.
    """

    need: Condition | None
    allow: Condition | bool
    text: str


class Values(NamedTuple):
    """The values that an attribute may have.

    Parameters
    ----------
    enumerated : bool
        Enumerated Values, which are all that there are; else Defined Terms, which may be extended.
    number : int
        The value that they are for, from 1; 0 for all of them.
    condition : Condition or None
        Whether they count.
    values : tuple of str
        As :func:`dicomkit.standard.conditions.text_of` writes values.
    """

    enumerated: bool
    number: int
    condition: Condition | None
    values: tuple[str, ...]


class AttributeUse(NamedTuple):
    """What a module, or the items of a sequence in it, say of one attribute.

    Parameters
    ----------
    tag : int
    type : str
        ``"1"``, ``"1C"``, ``"2"``, ``"2C"``, ``"3"``; empty where the standard states none.
    items : int
        The group of attributes of its items, for :func:`group`; 0 for none.
    rule : Rule or None
        Of Types 1C and 2C.
    values : tuple of Values
    overrides : bool
        Whether the type holds against that of other modules of the IOD; else the strictest does.
    """

    tag: int
    type: str
    items: int
    rule: Rule | None
    values: tuple[Values, ...]
    overrides: bool


class Module(NamedTuple):
    """A module: its id (``"image-pixel"``), its name, its attributes in the order of their tags."""

    id: str
    name: str
    attributes: tuple[AttributeUse, ...]


class ModuleUse(NamedTuple):
    """A module, or a functional group by the tag of its sequence, in an IOD; usage is ``M``, ``C`` or ``U``."""

    module: str
    sequence: int
    usage: str
    rule: Rule | None


class Iod(NamedTuple):
    """An Information Object Definition.

    Parameters
    ----------
    id, name : str
        Such as ``"ct-image"``, ``"CT Image"``.
    sop_classes : tuple of str
        The UIDs of the SOP classes that use it.
    modules, functional_groups : tuple of ModuleUse
    edition : str
        Of the tables; that of a normalized IOD is older.
    """

    id: str
    name: str
    sop_classes: tuple[str, ...]
    modules: tuple[ModuleUse, ...]
    functional_groups: tuple[ModuleUse, ...]
    edition: str = EDITION

    @property
    def normalized(self) -> bool:
        """Whether objects of it are made by messages, belong to no series, and have their UIDs outside of the data set.

        Examples
        --------
        >>> iod("ct-image").normalized, iod("modality-performed-procedure-step").normalized
        (False, True)
        """
        return self.edition != EDITION


def iod_of(sop_class: str) -> Iod | None:
    """Look up the IOD of a SOP class; None for an unknown or retired one, and for what is never stored.

    Examples
    --------
    >>> iod_of("1.2.840.10008.5.1.4.1.1.2").name
    'CT Image'
    """
    name = _iods_by_sop_class().get(sop_class)
    return iod(name) if name else None


@cache
def iod(id: str) -> Iod | None:
    """Look up an IOD by its id.

    Examples
    --------
    >>> [use.module for use in iod("ct-image").modules][:3]
    ['patient', 'clinical-trial-subject', 'general-study']
    """
    block = _iod_blocks().get(id)
    if block is None:
        return None
    head, *rows = block.split("\n")
    _, name, sop_classes, *edition = head.split("\t")
    uses = [_module_use(*row.split("\t")) for row in rows]
    return Iod(
        id,
        name,
        tuple(sop_classes.split()),
        tuple(use for use in uses if use.module),
        tuple(use for use in uses if not use.module),
        *edition,
    )


def iods() -> tuple[str, ...]:
    """List the ids of all IODs.

    Examples
    --------
    >>> iods()[:2]
    ('computed-radiography-image', 'ct-image')
    """
    return tuple(_iod_blocks())


@cache
def module(id: str) -> Module | None:
    """Look up a module by its id.

    Examples
    --------
    >>> found = module("acquisition-context")
    >>> found.name, f"{found.attributes[0].tag:08X}", found.attributes[0].type
    ('Acquisition Context', '00400555', '2')
    """
    block = _module_blocks().get(id)
    if block is None:
        return None
    head, _, rows = block.partition("\n")
    return Module(id, head.partition("\t")[2], _uses(rows))


@cache
def group(number: int) -> tuple[AttributeUse, ...]:
    """Give the attributes of the items of a sequence, by the number that :class:`AttributeUse` has.

    Examples
    --------
    >>> len(group(0))
    0
    """
    return _uses(_module_blocks().get(f"#{number}", "").partition("\n")[2])


def _uses(rows: str) -> tuple[AttributeUse, ...]:
    found = []
    for row in rows.split("\n") if rows else ():
        tag, kind, items, condition, lists = row.split("\t")
        values = tuple([_values()[int(line)] for line in lists.split(",")]) if lists else ()
        overrides = kind.endswith("!")
        use = AttributeUse(int(tag, 16), kind.rstrip("!"), int(items or 0), _rule(condition), values, overrides)
        found.append(use)
    return tuple(found)


def _module_use(name: str, usage: str, condition: str) -> ModuleUse:
    sequence = int(name[1:], 16) if name.startswith("+") else 0
    return ModuleUse("" if sequence else name, sequence, usage, _rule(condition))


@cache
def _rule(line: str) -> Rule | None:
    if not line:
        return None
    need, allow = _conditions()[int(line)].split("\t")
    return Rule(
        None if need == "?" else parse_condition(need),
        allow == "*" if allow in ("*", "") else parse_condition(allow),
        need,
    )


@cache
def _conditions() -> list[str]:
    """The lines of the table of conditions."""
    return table_text("conditions.tsv").split("\n")


@cache
def _values() -> tuple[Values, ...]:
    """The lists of values."""
    found = []
    for line in table_text("values.tsv").split("\n"):
        kind, number, condition, values = line.split("\t")
        found.append(
            Values(
                kind == "E", int(number), parse_condition(condition) if condition else None, tuple(values.split(" / "))
            )
        )
    return tuple(found)


@cache
def _iod_blocks() -> Mapping[str, str]:
    """The lines of every IOD by its id."""
    blocks = table_text("iods.tsv").split("\n\n")
    return MappingProxyType({block.partition("\t")[0]: block for block in blocks})


@cache
def _iods_by_sop_class() -> Mapping[str, str]:
    """The id of the IOD of every SOP class."""
    return MappingProxyType(
        {uid: name for name, block in _iod_blocks().items() for uid in block.partition("\n")[0].split("\t")[2].split()}
    )


@cache
def _module_blocks() -> Mapping[str, str]:
    """The lines of every module by its id, and of every group by ``#`` and its number."""
    blocks = table_text("modules.tsv").split("\n\n")
    return MappingProxyType({block.partition("\n")[0].partition("\t")[0]: block for block in blocks})
