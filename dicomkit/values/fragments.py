"""Encapsulated pixel data as a value: the Basic Offset Table and the fragments (PS3.5 A.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dicomkit.sources import Bulk


@dataclass(frozen=True, slots=True)
class Fragments:
    """The items of encapsulated pixel data, which stay where they are until asked for.

    Attributes
    ----------
    offset_table
        The Basic Offset Table's bytes, 32-bit little-endian offsets; empty where there is none.
    parts
        The fragments, in order.
    item_offsets
        For each fragment, the offset of its item tag from the first byte of the first fragment's item tag: what the
        entries of the Basic Offset Table count.

    Examples
    --------
    >>> Fragments.of([b"abcd", b"ef"]).item_offsets
    (0, 12)
    """

    offset_table: bytes
    parts: Sequence[Bulk | bytes]
    item_offsets: tuple[int, ...]

    @classmethod
    def of(cls, parts: Sequence[Bulk | bytes], offset_table: bytes = b"") -> Fragments:
        """Make a value from fragments."""
        offsets, position = [], 0
        for part in parts:
            offsets.append(position)
            position += 8 + len(part) + len(part) % 2
        return cls(offset_table, tuple(parts), tuple(offsets))

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __repr__(self) -> str:
        table = f", offset table of {len(self.offset_table) // 4}" if self.offset_table else ""
        return f"<Fragments {len(self.parts):,} fragments, {len(self):,} bytes{table}>"
