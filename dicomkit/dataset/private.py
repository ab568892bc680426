"""Private elements by their creator (PS3.5 7.8): reserving a block, writing into it, and leaving them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.errors import ValueFormatError
from dicomkit.standard.private import private_attribute
from dicomkit.values.tag import Tag


def with_private(
    ds: DataSet,
    creator: str,
    values: Mapping[int, Any],
    *,
    group: int | None = None,
    vrs: Mapping[int, str] | None = None,
) -> DataSet:
    """Return a data set with private elements set, in the block that their creator has reserved or now reserves.

    Parameters
    ----------
    creator
        Private Creator: up to 64 characters, such as ``"ACME 1.0"``.
    values
        Values or Elements by the last byte of the tag (00 to FF); of an Element the VR and value count.
    group
        An odd group from 0009 on. When not given, the first in which the creator has a block, or else 0009.
    vrs
        VR by the last byte. When not given: that of the element that is replaced, then that of the private dictionary.

    Raises
    ------
    ValueFormatError
        When no VR is known, a value does not fit it, the group is not for private elements, or all 240 blocks of the
        group are taken.

    Examples
    --------
    >>> ds = with_private(DataSet(), "ACME 1.0", {0x01: "x", 0x02: 7}, vrs={0x01: "LO", 0x02: "US"})
    >>> [str(tag) for tag in ds]
    ['(0009,0010)', '(0009,1001)', '(0009,1002)']
    >>> ds.private("ACME 1.0")[0x02].value
    7
    >>> with_private(DataSet(), "SIEMENS MR HEADER", {0x0C: 1000}, group=0x0019).private("SIEMENS MR HEADER")[0x0C].vr
    'IS'
    """
    creator = creator.strip()
    if not creator:
        raise ValueFormatError("a private block needs a creator", hint='such as "ACME 1.0"')
    group = _group_of(ds, creator) if group is None else group
    if not (group & 1 and 0x0009 <= group < 0xFFFF):
        raise ValueFormatError(f"group {group:04X} is not for private elements", hint="use an odd one from 0009 on")
    blocks = [block & 0xFF for block in ds.private_creators().get(creator, ()) if block >> 16 == group]
    new = None if blocks else _free_block(ds, group)
    elements = [] if new is None else [Element.of((group, new), creator, "LO")]
    for last, value in values.items():
        if not 0 <= last <= 0xFF:
            raise ValueFormatError(f"{last:#x} is not the last byte of a tag", hint="use 0x00 to 0xFF")
        tags = [Tag(group << 16 | block << 8 | last) for block in blocks or (new or 0,)]
        tag = next((tag for tag in tags if tag in ds), tags[0])
        if isinstance(value, Element):
            elements.append(Element(tag, value.vr, value.value, value.raw, value.origin))
        else:
            elements.append(Element.of(tag, value, (vrs or {}).get(last) or _vr(ds, creator, tag)))
    return ds.assign(elements)


def without_private(ds: DataSet, *, keep: Iterable[str] = ()) -> DataSet:
    """Return a data set without private elements, those of nested items included.

    Parameters
    ----------
    keep
        Private creators whose elements stay.

    Examples
    --------
    >>> ds = with_private(DataSet(Rows=2), "ACME", {0x01: "x"}, vrs={0x01: "LO"})
    >>> len(without_private(ds)), len(without_private(ds, keep=["ACME"]))
    (1, 3)
    """
    kept = frozenset(creator.strip() for creator in keep)
    gone = [tag for tag in ds if tag.is_private and (ds.private_creator(_any_of_block(tag)) or "").strip() not in kept]
    changed = []
    for element in ds.elements():
        if element.vr == "SQ" and element.value and element.tag not in gone:
            items = tuple(without_private(item, keep=kept) for item in element.value)
            if any(new is not old for new, old in zip(items, element.value, strict=True)):
                changed.append(Element(element.tag, "SQ", items))
    result = ds.drop(*gone) if gone else ds
    return result.assign(changed) if changed else result


def private_names(ds: DataSet) -> dict[str, dict[str, Element]]:
    """Return the private elements by creator, and by the name that the private dictionaries give them.

    Elements without a name, or with one that another of the same creator has, are under their tag as ``"gggg,xxee"``.

    Parameters
    ----------
    ds
        Of its top level; items of sequences are data sets of their own.

    Examples
    --------
    >>> ds = with_private(DataSet(), "SIEMENS MR HEADER", {0x0C: 1000}, group=0x0019)
    >>> private_names(ds)["SIEMENS MR HEADER"]["B_value"].value
    1000
    """
    found: dict[str, dict[str, Element]] = {}
    for tag in ds:
        if not tag.is_private or tag.element < 0x1000 or not (creator := ds.private_creator(tag)):
            continue
        known = private_attribute(creator, tag)
        name = known.name if known is not None and known.name.strip("? ") not in ("", "Unknown") else ""
        named = found.setdefault(creator.strip(), {})
        by_tag = f"{tag.group:04x},xx{tag & 0xFF:02x}"
        named[name if name and name not in named else by_tag] = ds.element(tag)
    return found


def _group_of(ds: DataSet, creator: str) -> int:
    blocks = ds.private_creators().get(creator, ())
    return blocks[0] >> 16 if blocks else 0x0009


def _free_block(ds: DataSet, group: int) -> int:
    """The first block that nobody has reserved, and in which no element stands."""
    elements = [tag.element for tag in ds if tag.group == group]
    taken = {element if element < 0x100 else element >> 8 for element in elements}
    free = next((block for block in range(0x10, 0x100) if block not in taken), None)
    if free is None:
        raise ValueFormatError(f"all blocks of group {group:04X} are taken", hint="use another odd group")
    return free


def _vr(ds: DataSet, creator: str, tag: Tag) -> str:
    if tag in ds and (before := ds.element(tag).vr) != "UN":
        return before
    known = private_attribute(creator, tag)
    if known is None:
        hint = f"pass vrs={{{tag & 0xFF:#04x}: 'LO'}}"
        raise ValueFormatError(f"no private dictionary knows this element of {creator!r}", tag=tag, hint=hint)
    return known.vr.split("|")[0]


def _any_of_block(tag: Tag) -> int:
    """A tag within the block that a private tag reserves, or stands in."""
    return tag if tag.element > 0xFF else tag & 0xFFFF0000 | (tag & 0xFF) << 8
