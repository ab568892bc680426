"""The quick way to a few top-level elements of many files: step over everything else, and leave what is odd to the scanner."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from dicomkit.dataset.index import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, to_word, vr_word
from dicomkit.encoding.implied_vr import implied_kinds
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
    """The tags to pick: the place of each by its word, the last of them, and whether that is all known."""

    places: dict[int, int]
    last: int

    @classmethod
    def of(cls, tags: Iterable[int]) -> Wanted:
        """Number the tags in the order given."""
        tags = tuple(tags)
        return cls({to_word(tag): place for place, tag in enumerate(tags)}, max(tags, default=0))


def pick(head: bytes, wanted: Wanted, *, whole: bool = False) -> list[bytes | None] | None:
    """Take the values of the wanted elements from the beginning of a file.

    Parameters
    ----------
    head
        The first bytes of a Part 10 file.
    whole
        Whether they are all of it.

    Returns
    -------
    list of bytes or None
        The value field of each wanted tag, None for one that is not there; or None altogether where only the scanner can
        tell: an unusual encoding, a deviation, a wanted sequence or unknown VR, or a header longer than ``head``.
    """
    cells: list[bytes | None] = [None] * len(wanted.places)
    try:
        start, syntax = _pick_meta(head, wanted.places, cells)
        if start < 0 or syntax in _ODD_SYNTAXES:
            return None
        if syntax == _IMPLICIT:
            complete = _pick_implicit(head, start, wanted, cells)
        else:
            complete = _pick_explicit(head, start, wanted, cells)
    except struct.error:
        return None
    return cells if complete or (complete is None and whole) else None


def _pick_meta(head: bytes, places: dict[int, int], cells: list[bytes | None]) -> tuple[int, bytes]:
    """Walk the file meta information; return where it ends (-1 where it is odd) and the transfer syntax."""
    if head[128:132] != b"DICM" or head[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        return -1, b""
    position, syntax = 144, b""
    end = 144 + _long_length(head, 140)[0]
    while position < end:
        word, vr, length = _short_header(head, position)
        if vr in SHORT:
            position += 8
        elif vr in LONG:
            length = _long_length(head, position + 8)[0]
            position += 12
        else:
            return -1, b""
        if word in places:
            cells[places[word]] = head[position : position + length]
        if word == 0x00100002:
            syntax = head[position : position + length].rstrip(b"\0 ")
        position += length
    if position != end or not syntax or head[end : end + 2] == b"\x02\x00":
        return -1, b""
    return end, syntax


def _pick_explicit(head: bytes, position: int, wanted: Wanted, cells: list[bytes | None]) -> bool | None:
    """Whether all wanted elements were found or are known not to be there; None where the bytes end before that."""
    places, last, size = wanted.places, wanted.last, len(head)
    while position < size:
        word, vr, length = _short_header(head, position)
        if vr in SHORT:
            position += 8
            if word in places:
                if position + length > size:
                    return False
                cells[places[word]] = head[position : position + length]
            position += length
        elif vr in LONG:
            if word >> 16 | (word & 0xFFFF) << 16 > last:
                return True
            if word in places and vr in (SEQUENCE, UNKNOWN):
                return False
            length = _long_length(head, position + 8)[0]
            position += 12
            if length == ALL_ONES:
                if vr != SEQUENCE or (position := _step_over(head, position)) < 0:
                    return False
                continue
            if word in places:
                if position + length > size:
                    return False
                cells[places[word]] = head[position : position + length]
            position += length
        else:
            return False
    return None if position == size else False


def _pick_implicit(head: bytes, position: int, wanted: Wanted, cells: list[bytes | None]) -> bool | None:
    places, last, size = wanted.places, wanted.last, len(head)
    known = implied_kinds()
    while position < size:
        word, length = _pair(head, position)
        position += 8
        if word in places:
            if position + length > size or word not in known:
                return False
            cells[places[word]] = head[position : position + length]
        if length > 0xFFFF or word & 0xFFFF > last >> 16:
            if word >> 16 | (word & 0xFFFF) << 16 > last:
                return True
            if length == ALL_ONES:
                return False
        position += length
    return None if position == size else False


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
