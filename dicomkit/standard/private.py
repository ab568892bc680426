"""The private dictionaries: what is known of the attributes that vendors define for themselves (PS3.5 7.8)."""

from __future__ import annotations

from functools import cache

from dicomkit.standard.attributes import Attribute
from dicomkit.standard.tables import table_text


def private_attribute(creator: str, tag: int) -> Attribute | None:
    """Look up a private attribute by its private creator; the block it was written to does not matter.

    Parameters
    ----------
    creator : str
        The value of the private creator element.
    tag : int
        The tag as found, such as 0x0019100C: which block (here 10) the creator has reserved differs between files.

    Returns
    -------
    Attribute or None
        With the tag that was asked for and without keyword. Names are as their source has them: some are "Unknown",
        "?" or empty.

    Examples
    --------
    >>> private_attribute("SIEMENS MR HEADER", 0x0019120C).name
    'B_value'
    >>> private_attribute("SIEMENS MR HEADER", 0x0019100C).vr
    'IS'
    >>> private_attribute("NOBODY", 0x00191001) is None
    True
    """
    attributes = _attributes_of(creator.strip())
    if not attributes or tag & 0xFF00 == 0:
        return None
    group, element = tag >> 16, tag & 0xFF
    # As published: this very tag, or any block; then block 00 or 10, which sources write when they mean any.
    for mask in (
        f"{tag:08X}",
        f"{group:04X}xx{element:02X}",
        f"{group:04X}00{element:02X}",
        f"{group:04X}10{element:02X}",
        f"{group >> 8:02X}xxxx{element:02X}",
    ):
        if known := attributes.get(mask):
            name, vr, vm, _source = known
            return Attribute(tag, "", name, vr, vm, False)
    return None


def creators() -> tuple[str, ...]:
    """List the private creators that have a dictionary.

    Examples
    --------
    >>> len(creators()), "GEMS_ACQU_01" in creators()
    (531, True)
    """
    return tuple(_blocks())


@cache
def _blocks() -> dict[str, str]:
    """The lines of each creator, not yet split."""
    blocks = (block.partition("\n") for block in table_text("private.tsv")[1:].split("\n\n"))
    return {creator: lines for creator, _, lines in blocks}


@cache
def _attributes_of(creator: str) -> dict[str, list[str]]:
    """The attributes of one creator: tag mask -> name, VR, VM, source."""
    lines = _blocks().get(creator, "").splitlines()
    return {mask: rest for mask, *rest in (line.split("\t") for line in lines)}
