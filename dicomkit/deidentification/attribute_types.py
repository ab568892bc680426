"""The type that an attribute has in the IOD of a SOP class (PS3.3): 1, 1C, 2, 2C or 3."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

from dicomkit.standard.modules import AttributeUse, group, iod_of, module

_STRICTEST_FIRST = ("1", "1C", "2", "2C", "3")


@lru_cache(4096)
def attribute_type(sop_class: str, path: tuple[int, ...]) -> str | None:
    """Look up the type of an attribute; of several modules that have it, the strictest counts.

    Parameters
    ----------
    path
        Tags, from the outermost sequence to the attribute.

    Returns
    -------
    str or None
        ``""`` where the IOD does not have it, None where the IOD is not known.

    Examples
    --------
    >>> ct = "1.2.840.10008.5.1.4.1.1.2"
    >>> attribute_type(ct, (0x00100010,)), attribute_type(ct, (0x00080012,)), attribute_type(ct, (0x0040A073,))
    ('2', '3', '')
    >>> attribute_type(ct, (0x00081140, 0x00081155)), attribute_type("1.2.3", (0x00100010,)) is None
    ('1', True)
    """
    uses = _top_level(sop_class)
    if uses is None:
        return None
    for tag in path[:-1]:
        uses = tuple(inner for use in uses if use.tag == tag for inner in group(use.items))
    types = {use.type for use in uses if use.tag == path[-1]}
    if types and not types & set(_STRICTEST_FIRST):
        return "3"
    return next((kind for kind in _STRICTEST_FIRST if kind in types), "")


@cache
def _top_level(sop_class: str) -> tuple[AttributeUse, ...] | None:
    """What all modules of the IOD say."""
    iod = iod_of(sop_class)
    return None if iod is None else tuple(_uses(use.module for use in iod.modules))


def _uses(modules: Iterable[str]) -> Iterable[AttributeUse]:
    for name in modules:
        found = module(name)
        if found is not None:
            yield from found.attributes
