"""The sequences that hold a single item wherever they occur (PS3.3)."""

from __future__ import annotations

from functools import cache

from dicomkit.standard.tables import table_columns


@cache
def single_item_tags() -> frozenset[int]:
    """Give the tags of sequences of which PS3.3 allows one item, in all modules that have them.

    Examples
    --------
    >>> 0x00209113 in single_item_tags(), 0x0040A730 in single_item_tags()  # Plane Position, Content
    (True, False)
    """
    return frozenset(int(tag, 16) for tag in table_columns("single_items.tsv", 2)[0])
