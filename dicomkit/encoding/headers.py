"""The headers of data elements as each encoding has them (PS3.5 7.1), and the words that mean something in them."""

from __future__ import annotations

import struct
from typing import TypeAlias

from dicomkit.dataset.index import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, vr_word
from dicomkit.values.vr import VRS

Data: TypeAlias = "bytes | bytearray | memoryview"
ALL_ONES = 0xFFFFFFFF
"""The length that stands for an undefined one."""
SHORT = frozenset(vr_word(vr.name) for vr in VRS.values() if not vr.long_form)
LONG = frozenset(vr_word(vr.name) for vr in VRS.values() if vr.long_form)
SQ, UN = vr_word("SQ"), vr_word("UN")
PLAIN_LONG = LONG - {SQ, UN}
MARKERS = frozenset((ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER))

explicit_little = struct.Struct("<IHH").unpack_from
implicit_little = struct.Struct("<II").unpack_from
length_little = struct.Struct("<I").unpack_from
length_big = struct.Struct(">I").unpack_from
sequence_little = struct.Struct("<III").unpack_from
_four_big = struct.Struct(">HHHH").unpack_from
_tag_and_length_big = struct.Struct(">HHI").unpack_from
_sequence_big = struct.Struct(">IHHI").unpack_from


def explicit_big(data: Data, position: int) -> tuple[int, int, int]:
    """Give word, VR and short length of a big-endian header, in the form of the little-endian one."""
    group, element, vr, length = _four_big(data, position)
    return group | element << 16, vr >> 8 | (vr & 0xFF) << 8, length


def implicit_big(data: Data, position: int) -> tuple[int, int]:
    """Give word and length of a big-endian header in implicit VR, or of an item."""
    group, element, length = _tag_and_length_big(data, position)
    return group | element << 16, length


def sequence_big(data: Data, position: int) -> tuple[int, int, int]:
    """Give the length of a big-endian sequence in explicit VR, and word and length of what follows: its first item."""
    length, group, element, item_length = _sequence_big(data, position)
    return length, group | element << 16, item_length


# One for each byte order: little, big.
EXPLICIT = (explicit_little, explicit_big)
IMPLICIT = (implicit_little, implicit_big)
LENGTH = (length_little, length_big)
SEQUENCE = (sequence_little, sequence_big)
ITEM_BYTES = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
