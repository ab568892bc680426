"""Encapsulated pixel data as a value: the Basic Offset Table and the fragments (PS3.5 A.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dicomkit.sources import Bulk, MemorySource


@dataclass(frozen=True, slots=True, eq=False)
class Fragments:
    """The items of encapsulated pixel data, which stay where they are until asked for.

    A fragment of an odd length equals the one with the null byte that it gets when it is written (PS3.5 A.4).

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
    >>> Fragments.of([b"odd"]) == Fragments.of([b"odd\\0"])
    True
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

    @property
    def padded_length(self) -> int:
        """The number of bytes with each fragment brought to an even length."""
        return sum(len(part) + len(part) % 2 for part in self.parts)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fragments):
            return NotImplemented
        if len(self.parts) != len(other.parts) or self._places() != other._places():
            return False
        return all(map(_same, self.parts, other.parts))

    def __hash__(self) -> int:
        return hash(self._places())

    def _places(self) -> tuple[object, ...]:
        return self.offset_table, self.item_offsets, self.padded_length

    def __repr__(self) -> str:
        table = f", offset table of {len(self.offset_table) // 4}" if self.offset_table else ""
        return f"<Fragments {len(self.parts):,} fragments, {len(self):,} bytes{table}>"


def _same(mine: Bulk | bytes, theirs: Bulk | bytes) -> bool:
    """Compare two fragments up to the padding of the shorter one, if it is odd; neither is copied."""
    if len(mine) == len(theirs):
        return bool(mine == theirs)
    short, long = (_bulk(part) for part in sorted((mine, theirs), key=len))
    end = len(short)
    if end % 2 == 0 or len(long) != end + 1:
        return False
    return Bulk(long.source, long.offset, end) == short and long.read(end, 1) == b"\0"


def _bulk(part: Bulk | bytes) -> Bulk:
    return part if isinstance(part, Bulk) else Bulk(MemorySource(part), 0, len(part))
