"""Encoded frames as encapsulated pixel data: fragments, Basic and Extended Offset Table (PS3.5 A.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from dicomkit.errors import ValueFormatError
from dicomkit.values.fragments import Fragments

_LIMIT = 1 << 32
"""Offsets from here on don't fit the Basic Offset Table."""

TABLES = ("auto", "basic", "extended", "none")


class Encapsulated(NamedTuple):
    """Fragments for Pixel Data, and values for Extended Offset Table and its lengths, empty where there is none."""

    fragments: Fragments
    extended_offsets: bytes = b""
    extended_lengths: bytes = b""

    def elements(self) -> dict[str, object]:
        """What to assign to a data set; without the extended tables, which have to be dropped, where there are none."""
        tables: dict[str, object] = {}
        if self.extended_offsets:
            tables["ExtendedOffsetTable"] = self.extended_offsets
            tables["ExtendedOffsetTableLengths"] = self.extended_lengths
        return {"PixelData": self.fragments, **tables}


def encapsulate(frames: Iterable[bytes], *, fragment_size: int | None = None, table: str = "auto") -> Encapsulated:
    """Put encoded frames into fragments, and tell where each begins.

    Parameters
    ----------
    frames : iterable of bytes
        One encoded frame each.
    fragment_size : int, optional
        Bytes after which a frame goes on in another fragment, an even number; one fragment a frame by default.
    table : {"auto", "basic", "extended", "none"}
        Which offset table to make; "auto" is the basic one as long as its 32 bits reach, then the extended one.

    Returns
    -------
    Encapsulated

    Raises
    ------
    ValueFormatError
        If the fragment size is odd or not positive, the basic table can't hold the offsets, or the extended table
        is asked for with several fragments a frame (PS3.3 C.7.6.3.1.8).

    Examples
    --------
    >>> encapsulate([b"one", b"four"]).fragments.offset_table.hex(" ", 4)
    '00000000 0c000000'
    """
    if table not in TABLES:
        raise ValueFormatError(f"{table!r} is no kind of offset table", hint=f"one of {', '.join(TABLES)}")
    if fragment_size is not None and (fragment_size < 2 or fragment_size % 2):
        raise ValueFormatError(f"a fragment size of {fragment_size}: it has to be even")
    parts: list[bytes] = []
    offsets: list[int] = []
    lengths: list[int] = []
    position, split = 0, False
    for frame in frames:
        offsets.append(position)
        lengths.append(len(frame))
        size = fragment_size or max(len(frame), 1)
        pieces = [frame[start : start + size] for start in range(0, len(frame), size)] if len(frame) > size else [frame]
        split = split or len(pieces) > 1
        parts += pieces
        position += sum(8 + len(piece) + len(piece) % 2 for piece in pieces)
    fits = not offsets or offsets[-1] < _LIMIT
    if table == "auto":
        table = "basic" if fits else "none" if split else "extended"
    if table == "basic":
        if not fits:
            raise ValueFormatError(f"an offset of {offsets[-1]} doesn't fit the Basic Offset Table")
        return Encapsulated(Fragments.of(parts, struct.pack(f"<{len(offsets)}I", *offsets)))
    if table == "none":
        return Encapsulated(Fragments.of(parts))
    if split:
        raise ValueFormatError("an Extended Offset Table wants one fragment a frame")
    code = f"<{len(offsets)}Q"
    return Encapsulated(Fragments.of(parts), struct.pack(code, *offsets), struct.pack(code, *lengths))
