"""The conditions of Type 1C and 2C, of modules and of functional groups, as small expressions over attributes.

::

    ImageType[1] = ORIGINAL / MIXED          its first value is one of these
    FrameIncrementPointer = 00181063         any of its values is this one
    SOPClassUID != 1.2.3                     it has no such value, or is missing
    SamplesPerPixel > 1                      its first value is greater
    DeviceTypeCodeSequence : 130331^DCM      an item has this code
    Modality, no Modality                    it is present; it is missing
    first item                               of the sequence around
    ( A or B ) and C                         "and" binds more tightly than "or"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import tag_of


class Present(NamedTuple):
    """The attribute is present."""

    tag: int


class OneOf(NamedTuple):
    """A value is one of several; ``number`` tells which value, 0 that any may be."""

    tag: int
    number: int
    values: frozenset[str]


class NoneOf(NamedTuple):
    """No value is one of several, or the attribute is missing."""

    tag: int
    number: int
    values: frozenset[str]


class Greater(NamedTuple):
    """The first value is greater."""

    tag: int
    than: int


class HasCode(NamedTuple):
    """An item of a code sequence has one of several (value, scheme)."""

    tag: int
    codes: frozenset[tuple[str, str]]


class FirstItem(NamedTuple):
    """The attribute is in the first item of a sequence."""


class Not(NamedTuple):
    """The opposite."""

    part: Condition


class Every(NamedTuple):
    """All parts hold."""

    parts: tuple[Condition, ...]


class Some(NamedTuple):
    """One part holds."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Present | OneOf | NoneOf | Greater | HasCode | FirstItem | Not | Every | Some

_ATOM = re.compile(r"(no )?(\w+)(?:\[(\d)\])?(?: (=|!=|>|:) (.+))?")


@cache
def parse_condition(text: str) -> Condition:
    """Read an expression.

    Raises
    ------
    ValueFormatError
        When it is none.

    Examples
    --------
    >>> parse_condition("SamplesPerPixel > 1")
    Greater(tag=2621442, than=1)
    """
    tokens = re.split(r" (and|or) |(\( | \))", f"{text}")
    words = [token.strip() for token in tokens if token and token.strip()]
    condition, rest = _either(words, text)
    if rest:
        raise ValueFormatError(f"{text!r} is no condition: {rest[0]!r} is one too many")
    return condition


def _either(words: list[str], text: str) -> tuple[Condition, list[str]]:
    part, words = _both(words, text)
    parts = [part]
    while words and words[0] == "or":
        part, words = _both(words[1:], text)
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Some(tuple(parts))), words


def _both(words: list[str], text: str) -> tuple[Condition, list[str]]:
    part, words = _atom(words, text)
    parts = [part]
    while words and words[0] == "and":
        part, words = _atom(words[1:], text)
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Every(tuple(parts))), words


def _atom(words: list[str], text: str) -> tuple[Condition, list[str]]:
    if words and words[0] == "(":
        inner, rest = _either(words[1:], text)
        if rest[:1] != [")"]:
            raise ValueFormatError(f"{text!r} is no condition: a parenthesis is open")
        return inner, rest[1:]
    if words and words[0] == "first item":
        return FirstItem(), words[1:]
    match = _ATOM.fullmatch(words[0]) if words else None
    tag = tag_of(match[2]) if match else None
    if match is None or tag is None:
        raise ValueFormatError(f"{text!r} is no condition: {' '.join(words[:1])!r} is no statement about an attribute")
    absent, _, number, sign, right = match.groups()
    if sign is None:
        return (Not(Present(tag)) if absent else Present(tag)), words[1:]
    if sign == ">":
        return Greater(tag, int(right)), words[1:]
    values = right.split(" / ")
    if sign == ":":
        return HasCode(tag, frozenset((code, scheme) for code, _, scheme in (v.partition("^") for v in values))), words[
            1:
        ]
    kind = OneOf if sign == "=" else NoneOf
    return kind(tag, int(number or 0), frozenset(values)), words[1:]


def holds(condition: Condition, values: Callable[[int], tuple[Any, ...] | None], *, item: int = 0) -> bool:
    """Tell whether a condition is met.

    Parameters
    ----------
    values
        Gives the values of an attribute: None where it is missing, an empty tuple where it has none.
    item
        The number of the item, from 0.

    Examples
    --------
    >>> present = {0x00280002: (3,)}
    >>> holds(parse_condition("SamplesPerPixel > 1 and no PlanarConfiguration"), present.get)
    True
    """
    match condition:
        case Present(tag):
            return values(tag) is not None
        case OneOf(tag, number, wanted):
            return any(text_of(value) in wanted for value in _picked(values(tag), number))
        case NoneOf(tag, number, wanted):
            return not any(text_of(value) in wanted for value in _picked(values(tag), number))
        case Greater(tag, than):
            first = (values(tag) or (None,))[0]
            return isinstance(first, (int, float)) and first > than
        case HasCode(tag, codes):
            return any((_code(item), item.get("CodingSchemeDesignator")) in codes for item in values(tag) or ())
        case FirstItem():
            return item == 0
        case Not(part):
            return not holds(part, values, item=item)
        case Every(parts):
            return all(holds(part, values, item=item) for part in parts)
        case Some(parts):
            return any(holds(part, values, item=item) for part in parts)


def _picked(found: tuple[Any, ...] | None, number: int) -> tuple[Any, ...]:
    """The value that is meant, or all of them."""
    if not found:
        return ()
    return found[number - 1 : number] if number else found


def _code(item: Any) -> Any:
    return item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")


def text_of(value: Any) -> str:
    """Write a value as the tables have it: numbers in decimal, tags as eight digits.

    Examples
    --------
    >>> from dicomkit.values.tag import Tag
    >>> text_of(1.0), text_of("YES"), text_of(Tag(0x00181063))
    ('1', 'YES', '00181063')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:08X}" if type(value) is not int else str(value)
    return str(value)
