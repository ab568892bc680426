"""The data dictionary: what PS3.6 says of a tag, a keyword or a name, with the command elements of PS3.7."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from dicomkit.standard.tables import table_columns


class Attribute(NamedTuple):
    """One line of the data dictionary (PS3.6 section 6; PS3.7 annex E).

    Parameters
    ----------
    tag : int
        The tag that was asked for, also where the dictionary has a mask such as (60xx,3000).
    keyword, name : str
        Empty where the standard has none.
    vr : str
        The value representation, alternatives joined by ``|`` (``"US|SS"``); empty for items and delimiters.
    vm : str
        The value multiplicity, such as ``"1"``, ``"2-2n"``.
    retired : bool
        Whether the standard has retired it.
    """

    tag: int
    keyword: str
    name: str
    vr: str
    vm: str
    retired: bool


def attribute(tag: int) -> Attribute | None:
    """Look up a tag: a standard element, one of a repeating group, a group length or a private creator.

    Parameters
    ----------
    tag : int
        The tag, group in the upper 16 bits.

    Returns
    -------
    Attribute or None
        None for what the standard does not know, private attributes among it.

    Examples
    --------
    >>> attribute(0x00280010)
    Attribute(tag=2621456, keyword='Rows', name='Rows', vr='US', vm='1', retired=False)
    >>> attribute(0x60023000).keyword, attribute(0x00090010).name
    ('OverlayData', 'Private Creator')
    >>> attribute(0x00091001) is None
    True
    """
    return _attributes().get(tag) or _derived_attribute(tag)


def vr_table() -> Mapping[int, str]:
    """Give the VR of each tag that stands in the dictionary itself, for a loop that can't afford a call per element.

    Tags of repeating groups, group lengths and private creators are not in it: ask :func:`vr_of` for those.

    Examples
    --------
    >>> vr_table()[0x00280106]
    'US|SS'
    >>> 0x60003000 in vr_table()
    False
    """
    return _vrs()


def vr_of(tag: int) -> str | None:
    """Look up the VR of a tag, alternatives joined by ``|``; None where the standard knows none.

    Examples
    --------
    >>> vr_of(0x00100010), vr_of(0x7FE00010), vr_of(0x60003000), vr_of(0xFFFEE000)
    ('PN', 'OB|OW', 'OB|OW', None)
    """
    vr = _vrs().get(tag)
    if vr is not None:
        return vr
    derived = _derived_attribute(tag)
    return derived.vr if derived else None


def keyword_of(tag: int) -> str | None:
    """Look up the keyword of a tag; None where the standard has none.

    Examples
    --------
    >>> keyword_of(0x00100010), keyword_of(0x50FE0010), keyword_of(0x00091001)
    ('PatientName', 'NumberOfPoints', None)
    """
    known = attribute(tag)
    return known.keyword or None if known else None


def tag_of(keyword: str) -> int | None:
    """Look up the tag of a keyword; for a repeating group that of its first element.

    Examples
    --------
    >>> hex(tag_of("PatientName")), hex(tag_of("OverlayData")), tag_of("Patient's Name")
    ('0x100010', '0x60003000', None)
    """
    return tags_by_keyword().get(keyword)


@cache
def tags_by_keyword() -> Mapping[str, int]:
    """Give the tag of every keyword, for a loop that can't afford a call per look-up.

    Examples
    --------
    >>> hex(tags_by_keyword()["PatientName"])
    '0x100010'
    """
    tags, keywords = _columns()[:2]
    return {
        keyword: _first_tag(tag) if "x" in tag else int(tag, 16)
        for tag, keyword in zip(tags, keywords, strict=True)
        if keyword
    }


def attribute_named(name: str) -> Attribute | None:
    """Look up an attribute by its name, upper or lower case.

    Examples
    --------
    >>> attribute_named("Patient's Name").keyword, attribute_named("pixel spacing").vm
    ('PatientName', '2')
    """
    return _attributes_by_name().get(name.replace("\u2019", "'").casefold())


def keywords() -> tuple[str, ...]:
    """List every keyword of the dictionary, in alphabetical order.

    Examples
    --------
    >>> len(keywords()), keywords()[0]
    (5348, 'AITDeviceType')
    """
    return tuple(sorted(tags_by_keyword()))


@cache
def _columns() -> tuple[list[str], ...]:
    """The columns of the table: tag, keyword, name, VR, VM, retired."""
    return table_columns("attributes.tsv", 6)


@cache
def _attributes() -> dict[int, Attribute]:
    """Every attribute whose tag is no mask."""
    return {
        (number := int(tag, 16)): Attribute(number, keyword, name, vr, vm, retired == "Y")
        for tag, keyword, name, vr, vm, retired in zip(*_columns(), strict=True)
        if "x" not in tag
    }


@cache
def _vrs() -> dict[int, str]:
    """The VR of every tag that is no mask and has one."""
    tags, vrs = _columns()[0], _columns()[3]
    return {int(tag, 16): vr for tag, vr in zip(tags, vrs, strict=True) if vr and "x" not in tag}


@cache
def _repeating_groups() -> dict[int, dict[int, dict[int, Attribute]]]:
    """The masks: group (its x as 0) -> bits that count -> tag with only these bits -> attribute."""
    groups: dict[int, dict[int, dict[int, Attribute]]] = {}
    for tag, keyword, name, vr, vm, retired in zip(*_columns(), strict=True):
        if "x" in tag:
            first = int(tag.replace("x", "0"), 16)
            bits = int("".join("0" if digit == "x" else "F" for digit in tag), 16)
            masks = groups.setdefault(first >> 16, {}).setdefault(bits, {})
            masks[first] = Attribute(first, keyword, name, vr, vm, retired == "Y")
    return groups


def _derived_attribute(tag: int) -> Attribute | None:
    """What the standard says of a tag by rule rather than by an entry of its own."""
    group, element = tag >> 16, tag & 0xFFFF
    if element == 0:
        return Attribute(tag, "", "Group Length", "UL", "1", True)  # PS3.5 7.2
    if group & 1:
        if 0x10 <= element <= 0xFF:
            return Attribute(tag, "", "Private Creator", "LO", "1", False)  # PS3.5 7.8.1
        return None
    groups = _repeating_groups()
    for masks in (groups.get(group), groups.get(group & 0xFF00)):
        for bits, attributes in (masks or {}).items():
            if found := attributes.get(tag & bits):
                return found._replace(tag=tag)
    return None


def _first_tag(mask: str) -> int:
    """The lowest tag of a mask that is neither a group length nor an entry of its own."""
    places = mask.count("x")
    filled = (mask.replace("x", "%s") % tuple(f"{number:0{places}X}") for number in range(16**places))
    return next(tag for tag in (int(text, 16) for text in filled) if tag & 0xFFFF and tag not in _vrs())


@cache
def _attributes_by_name() -> dict[str, Attribute]:
    """Every attribute that has a keyword, by its name in lower case."""
    found = (attribute(tag) for tag in tags_by_keyword().values())
    return {known.name.casefold(): known for known in found if known}
