"""The type that an attribute has in the IOD of a SOP class (PS3.3): 1, 1C, 2, 2C or 3."""

from __future__ import annotations


def attribute_type(sop_class: str, path: tuple[int, ...]) -> str | None:
    """Look up the type of an attribute.

    Parameters
    ----------
    path
        Tags, from the outermost sequence to the attribute.

    Returns
    -------
    str or None
        ``""`` where the IOD does not have it, None where the IOD is not known.
    """
    return None
