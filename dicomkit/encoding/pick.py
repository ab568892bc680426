"""The quick way to a few top-level elements of many files; what is odd is left to the scanner."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from dicomkit.dataset.index import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, to_word, vr_word
from dicomkit.encoding.implied_vr import implied_kinds
from dicomkit.encoding.layout import Alike, Layout
from dicomkit.encoding.regular import SMALL
from dicomkit.encoding.scan_state import FIRST_WINDOW
from dicomkit.values.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPIP_HTJ2K_REFERENCED_DEFLATE,
    JPIP_REFERENCED_DEFLATE,
)
from dicomkit.values.vr import VRS

SHORT = frozenset(vr_word(vr.name) for vr in VRS.values() if not vr.long_form)
LONG = frozenset(vr_word(vr.name) for vr in VRS.values() if vr.long_form)
SEQUENCE, UNKNOWN = vr_word("SQ"), vr_word("UN")
ALL_ONES = 0xFFFFFFFF
LONGEST_HEADER = 12
DONE, ODD = -1, -2
_ODD_SYNTAXES = frozenset(
    uid.encode()
    for uid in (
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN,
        JPIP_HTJ2K_REFERENCED_DEFLATE,
        JPIP_REFERENCED_DEFLATE,
    )
)
_IMPLICIT = IMPLICIT_VR_LITTLE_ENDIAN.encode()

_short_header = struct.Struct("<IHH").unpack_from
_long_length = struct.Struct("<I").unpack_from
_pair = struct.Struct("<II").unpack_from


class Wanted(NamedTuple):
    """The tags to pick, by their words with the place of each, the last of them, and those that are only located."""

    places: dict[int, int]
    last: int
    located: frozenset[int] = frozenset()

    @classmethod
    def of(cls, tags: Iterable[int], located: Iterable[int] = ()) -> Wanted:
        """Number the tags in the order given; values of those that are to be located need not be in memory."""
        tags = tuple(tags)
        places = {to_word(tag): place for place, tag in enumerate(tags)}
        return cls(places, max(tags, default=0), frozenset(map(to_word, located)))


class Picked(NamedTuple):
    """What was picked: records as in an Index, those of the file meta information first.

    Attributes
    ----------
    windows
        (offset, bytes) of the parts of the file that were read; each value up to 64 KB lies whole in one of them,
        unless it was only to be located.
    alike
        The elements that are the same in all that have this very object.
    """

    rows: list[int]
    windows: list[tuple[int, bytes]]
    syntax: bytes
    alike: Alike | None = None

    def value(self, place: int) -> bytes:
        """Give the bytes of the value whose record begins at a place of the rows; none where they were not read."""
        length, offset = self.rows[place + 2 : place + 4]
        for start, data in self.windows:
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        return b""


def pick(
    read_at: Callable[[int, int], bytes], size: int, wanted: Wanted, layout: Layout | None = None
) -> Picked | None:
    """Find the wanted top-level elements of a Part 10 file.

    Parameters
    ----------
    read_at, size
        The file: reads (offset, length), and its size.
    wanted
        What to find.
    layout
        What the caller remembers of the files before, which makes those like them quicker.

    Returns
    -------
    Picked or None
        None where only the scanner can tell: an unusual encoding, a deviation, a wanted sequence or unknown VR.
    """
    base, data = 0, read_at(0, FIRST_WINDOW)
    if layout is not None and (proved := layout.rows(data, size, wanted)) is not None:
        return Picked(proved, [(0, data)], layout.syntax, layout.alike)
    rows: list[int] = []
    try:
        position, syntax = _pick_meta(data, wanted.places, rows)
        if position < 0 or syntax in _ODD_SYNTAXES:
            return None
        walk = _walk_implicit if syntax == _IMPLICIT else _walk_explicit
        windows = [(0, data)]
        known = layout if walk is _walk_explicit else None
        head = data
        while True:
            position = walk(data, base, position, base + len(data) == size, wanted, rows)
            if position == DONE:
                if known is not None:
                    known.learn(head, size, wanted, syntax)
                return Picked(rows, windows, syntax)
            if position == ODD or base + position > size:
                return None
            cut = position < len(data) - LONGEST_HEADER  # a value that the window holds only in part
            if not position and len(data) > FIRST_WINDOW:  # the file got shorter
                return None
            base, position = base + position, 0
            data = read_at(base, FIRST_WINDOW + SMALL if cut else FIRST_WINDOW)
            windows.append((base, data))
            if base == size:
                if known is not None:
                    known.learn(head, size, wanted, syntax)
                return Picked(rows, windows, syntax)
            if len(data) <= LONGEST_HEADER and base + len(data) < size:  # here, too
                return None
    except struct.error:
        return None


def _pick_meta(data: bytes, places: dict[int, int], rows: list[int]) -> tuple[int, bytes]:
    """Walk the file meta information; return where it ends (-1 where it is odd) and the transfer syntax."""
    if data[128:132] != b"DICM" or data[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        return -1, b""
    position, syntax = 144, b""
    end = 144 + _long_length(data, 140)[0]
    while position < end:
        word, vr, length = _short_header(data, position)
        if vr in SHORT:
            position += 8
        elif vr in LONG:
            length = _long_length(data, position + 8)[0]
            position += 12
        else:
            return -1, b""
        if word in places:
            rows += (word, vr, length, position)
        if word == 0x00100002:
            syntax = data[position : position + length].rstrip(b"\0 ")
        position += length
    if position != end or position > len(data) or not syntax or data[end : end + 2] == b"\x02\x00":
        return -1, b""
    return end, syntax


def _walk_explicit(data: bytes, base: int, position: int, whole: bool, wanted: Wanted, rows: list[int]) -> int:
    """Step over elements; return where the window ends for them, or DONE, or ODD."""
    places, last, located = wanted
    size = len(data)
    end = size if whole else size - LONGEST_HEADER
    while position < end:
        word, vr, length = _short_header(data, position)
        if vr in SHORT:
            position += 8
            if word in places:
                if position + length > size:
                    return ODD if whole else position - 8
                rows += (word, vr, length, base + position)
            position += length
        elif vr in LONG:
            if word >> 16 | (word & 0xFFFF) << 16 > last:
                return DONE
            length = _long_length(data, position + 8)[0]
            if length == ALL_ONES:
                if vr != SEQUENCE or word in places or (position := _step_over(data, position + 12)) < 0:
                    return ODD
                continue
            position += 12
            if word in places:
                if vr in (SEQUENCE, UNKNOWN):
                    return ODD
                if position + length > size and length <= SMALL and word not in located:
                    return ODD if whole else position - 12
                rows += (word, vr, length, base + position)
            position += length
        else:
            return ODD
    return position if position != size or not whole else DONE


def _walk_implicit(data: bytes, base: int, position: int, whole: bool, wanted: Wanted, rows: list[int]) -> int:
    """The same in implicit VR."""
    places, last, located = wanted
    size = len(data)
    end = size if whole else size - LONGEST_HEADER
    known = implied_kinds()
    while position < end:
        word, length = _pair(data, position)
        if length > SMALL and word >> 16 | (word & 0xFFFF) << 16 > last:
            return DONE
        if length == ALL_ONES:
            return ODD
        position += 8
        if word in places:
            if word not in known:
                return ODD
            if position + length > size and length <= SMALL and word not in located:
                return ODD if whole else position - 8
            rows += (word, known[word], length, base + position)
        position += length
    return position if position != size or not whole else DONE


def _step_over(head: bytes, position: int) -> int:
    """Step over the items of an explicit VR sequence of undefined length; -1 where something is odd."""
    depth, in_item = 1, [False]
    while depth:
        word, length = _pair(head, position)
        if word == ITEM and not in_item[-1]:
            position += 8
            if length == ALL_ONES:
                in_item[-1] = True
            else:
                position += length
        elif word == ITEM_DELIMITER and in_item[-1]:
            in_item[-1] = False
            position += 8
        elif word == SEQUENCE_DELIMITER and not in_item[-1]:
            in_item.pop()
            depth -= 1
            position += 8
        elif in_item[-1]:
            vr = length & 0xFFFF
            if vr in SHORT:
                position += 8 + (length >> 16)
            elif vr in LONG:
                inner = _long_length(head, position + 8)[0]
                position += 12
                if inner != ALL_ONES:
                    position += inner
                elif vr == SEQUENCE and depth < 100:
                    in_item.append(False)
                    depth += 1
                else:
                    return -1
            else:
                return -1
        else:
            return -1
    return position
