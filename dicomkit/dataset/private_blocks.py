"""Private blocks (PS3.5 7.8.1): who has reserved which, and the elements in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet
    from dicomkit.dataset.element import Element


def creators(ds: DataSet) -> dict[str, tuple[int, ...]]:
    """Return the private creators, and the blocks (gggg00ee) that each has reserved."""
    found: dict[str, tuple[int, ...]] = {}
    for tag in ds:
        if tag.is_private_creator and isinstance(creator := ds[tag], str):
            found[creator] = (*found.get(creator, ()), tag & 0xFFFF0000 | (tag & 0xFF))
    return found


def creator_of(ds: DataSet, tag: int) -> str | None:
    """Return the creator that has reserved the block of a private tag, or None."""
    creator = ds.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
    return creator if isinstance(creator, str) else None


def elements_of(ds: DataSet, creator: str, group: int | None = None) -> dict[int, Element]:
    """Return the elements of a private creator by the last byte of their tag."""
    found = {}
    for block in creators(ds).get(creator, ()):
        if group is None or block >> 16 == group:
            first = block & 0xFFFF0000 | (block & 0xFF) << 8
            for tag in ds:
                if first <= tag <= first + 0xFF:
                    found[tag & 0xFF] = ds.element(tag)
    return found
