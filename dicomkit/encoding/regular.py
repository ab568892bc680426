"""The quick loop over regular elements in explicit VR, which nearly every element of nearly every file goes through."""

from __future__ import annotations

import struct

from dicomkit.dataset.index import ITEM
from dicomkit.encoding.headers import EXPLICIT, IMPLICIT, LENGTH, PLAIN_LONG, SHORT, SQ

SMALL = 1 << 16
"""Values up to this size are kept in memory with the header."""
_MOST_FRAMES = 32


def regular_elements(
    data: bytes,
    position: int,
    end: int,
    rows: list[int],
    frames: list[list[int]],
    *,
    stop_group: int = 1 << 16,
    item_flags: int = 0,
    big: bool = False,
) -> tuple[int, int, tuple[int, int, int] | None]:
    """Record elements from ``position`` to ``end`` until one needs more care.

    Sequences of defined length are followed, where their group is less than ``stop_group``.

    Parameters
    ----------
    rows
        What is found is added here, in the form of an Index.
    frames
        Empty; gets the sequences that are open when the loop stops: the end of what is around, the end of the sequence,
        the places of its row and of that of its open item.
    item_flags
        Flags to record with each item.

    Returns
    -------
    (position, end, header)
        Where it stopped, the end of the innermost item, and the header found there; None where the data end within it.
    """
    header, pair, long_length = EXPLICIT[big], IMPLICIT[big], LENGTH[big]
    short, plain_long, sq = SHORT, PLAIN_LONG, SQ
    row: tuple[int, int, int] = (0, 0, 0)
    try:
        while True:
            while position < end:
                word, vr, length = row = header(data, position)
                if vr in short:
                    rows.extend(row)
                    position += 8
                    rows.append(position)
                    position += length
                elif vr in plain_long and (length := long_length(data, position + 8)[0]) <= SMALL:
                    position += 12
                    rows += (word, vr, length, position)
                    position += length
                elif vr == sq and 8 <= (length := long_length(data, position + 8)[0]) <= end - position - 12:
                    item, item_length = pair(data, position + 12)
                    if item != ITEM or item_length > length - 8 or not data[position + 20 + big]:
                        break
                    if len(frames) > _MOST_FRAMES or (not frames and word & 0xFFFF >= stop_group):
                        break
                    record = len(rows)
                    frames.append([end, position + 12 + length, record, record + 4])
                    rows += (word, vr, length, position + 12, ITEM, item_flags, item_length, position + 20)
                    position += 20
                    end = position + item_length
                else:
                    break
            if position != end or not frames:
                return position, end, row
            sequence_end = frames[-1][1]
            if position == sequence_end:
                end = frames.pop()[0]
                continue
            item, item_length = pair(data, position)
            if item != ITEM or item_length > sequence_end - position - 8 or not data[position + 8 + big]:
                return position, end, row
            frames[-1][3] = len(rows)
            position += 8
            end = position + item_length
            rows += (ITEM, item_flags, item_length, position)
    except (struct.error, IndexError):
        return position, end, None
