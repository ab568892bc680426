"""The quick loops over regular elements, which nearly every element of nearly every file goes through."""

from __future__ import annotations

import struct
from typing import TypeAlias

from dicomkit.dataset.index import DICTIONARY_VR, ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, UNDEFINED_LENGTH, vr_word
from dicomkit.encoding.headers import ALL_ONES, EXPLICIT, IMPLICIT, LENGTH, PLAIN_LONG, SEQUENCE, SHORT, SQ, UN, Data
from dicomkit.encoding.implied_vr import implied_kinds, sequence_words

SMALL = 1 << 16
"""Values up to this size are kept in memory with the header."""
SMALLEST_VR = 0x4141
"""In implicit VR, lengths from here on may be a VR."""
_MOST_FRAMES = 32
_CREATOR = vr_word("LO") | DICTIONARY_VR
_SEQUENCE = SQ | DICTIONARY_VR

Frame: TypeAlias = "list[int]"
"""An open sequence: the end of what is around it, its own end, the places in the rows of it and of the item that is
open, and its state."""
UNDEFINED, OPEN_ITEM = 1, 2
"""The state: the sequence has an undefined length; the item too, and its delimiter was not seen yet."""
Stop: TypeAlias = "tuple[int, int, tuple[int, ...] | None]"
"""Where a loop stopped, the end of the innermost item, and the header found there; None where the data end."""


def explicit_elements(
    data: Data,
    position: int,
    end: int,
    rows: list[int],
    frames: list[Frame],
    *,
    stop_group: int = 1 << 16,
    item_flags: int = 0,
    big: bool = False,
) -> Stop:
    """Record elements in explicit VR from ``position`` to ``end`` until one needs more care.

    Parameters
    ----------
    rows
        What is found is added here, in the form of an Index.
    frames
        Empty; gets the sequences that are open when the loop stops.
    stop_group
        Where to stop at long values and sequences of the outermost level.
    item_flags
        Flags to record with each item.
    """
    header, pair, long_length, sequence = EXPLICIT[big], IMPLICIT[big], LENGTH[big], SEQUENCE[big]
    short, plain_long = SHORT, PLAIN_LONG
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
                    if word & 0xFFFF >= stop_group and not frames:
                        break
                    position += 12
                    rows += (word, vr, length, position)
                    position += length
                elif vr == SQ:
                    if len(frames) > _MOST_FRAMES or (not frames and word & 0xFFFF >= stop_group):
                        break
                    length, item, item_length = sequence(data, position + 8)
                    start = position + 12
                    if item == ITEM and item_length + 8 <= length <= end - start and data[start + 8 + big]:
                        record = len(rows)
                        frames.append([end, start + length, record, record + 4, 0])
                        rows += (word, vr, length, start, ITEM, item_flags, item_length, start + 8)
                        position = start + 8
                        end = position + item_length
                    elif _open_sequence(data, start, length, end, rows, frames, word, SQ, item_flags, big):
                        position = start + 8
                        end = position + rows[-2]
                    else:
                        break
                elif vr == UN and (length := long_length(data, position + 8)[0]) <= SMALL:
                    start = position + 12
                    if length >= 8 and pair(data, start)[0] == ITEM:
                        break
                    rows += (word, vr, length, start)
                    position = start + length
                elif word == ITEM_DELIMITER and frames and frames[-1][4] & OPEN_ITEM:
                    position = end = _close_item(rows, frames[-1], position + 8)
                else:
                    break
            if position != end or not frames:
                return position, end, row
            outer_end, sequence_end, _, _, state = frames[-1]
            if position == sequence_end and not state:
                end = outer_end
                frames.pop()
            elif next_item := _between_items(data, position, rows, frames, item_flags, big):
                position, end = next_item
            else:
                return position, end, row
    except (struct.error, IndexError):
        return position, end, None


def implicit_elements(
    data: Data,
    position: int,
    end: int,
    rows: list[int],
    frames: list[Frame],
    *,
    stop_group: int = 1 << 16,
    item_flags: int = 0,
    big: bool = False,
) -> Stop:
    """The same in implicit VR, with VRs from the dictionary."""
    pair = IMPLICIT[big]
    kind_of, sequences = implied_kinds().get, sequence_words()
    row: tuple[int, int] = (0, 0)
    try:
        while True:
            while position < end:
                word, length = row = pair(data, position)
                kind = kind_of(word)
                if kind and length < SMALLEST_VR:
                    position += 8
                    rows += (word, kind, length, position)
                    position += length
                elif word in sequences:
                    if len(frames) > _MOST_FRAMES or (not frames and word & 0xFFFF >= stop_group):
                        break
                    start = position + 8
                    if not _open_sequence(data, start, length, end, rows, frames, word, _SEQUENCE, item_flags, big):
                        break
                    position = start + 8
                    end = position + rows[-2]
                elif word & 1 and word >> 16 >= 0x10 and length < SMALLEST_VR:  # private
                    start = position + 8
                    if length >= 8 and pair(data, start)[0] == ITEM:
                        break
                    rows += (word, 0 if word >> 16 > 0xFF else _CREATOR, length, start)
                    position = start + length
                elif word == ITEM_DELIMITER and frames and frames[-1][4] & OPEN_ITEM:
                    position = end = _close_item(rows, frames[-1], position + 8)
                else:
                    break
            if position != end or not frames:
                return position, end, row
            frame = frames[-1]
            if position == frame[1] and not frame[4]:
                end = frame[0]
                frames.pop()
            elif next_item := _between_items(data, position, rows, frames, item_flags, big):
                position, end = next_item
            else:
                return position, end, row
    except (struct.error, IndexError):
        return position, end, None


def _open_sequence(
    data: Data,
    start: int,
    length: int,
    end: int,
    rows: list[int],
    frames: list[Frame],
    word: int,
    kind: int,
    item_flags: int,
    big: bool,
) -> bool:
    """Open a sequence and its first item; False where they are not regular."""
    undefined = length == ALL_ONES
    sequence_end = end if undefined else start + length
    item, item_length = IMPLICIT[big](data, start)
    item_undefined = item_length == ALL_ONES
    item_end = sequence_end if item_undefined else start + 8 + item_length
    if item != ITEM or not start + 8 <= item_end <= sequence_end <= end or not data[start + 8 + big]:
        return False
    record = len(rows)
    frames.append([end, sequence_end, record, record + 4, undefined * UNDEFINED + item_undefined * OPEN_ITEM])
    if undefined:
        kind |= UNDEFINED_LENGTH
    if item_undefined:
        item_flags |= UNDEFINED_LENGTH
    rows += (word, kind, sequence_end - start, start, ITEM, item_flags, item_end - start - 8, start + 8)
    return True


def _close_item(rows: list[int], frame: Frame, position: int) -> int:
    """End an item of undefined length after its delimiter."""
    item = frame[3]
    rows[item + 2] = position - rows[item + 3]
    frame[4] &= ~OPEN_ITEM
    return position


def _between_items(
    data: Data, position: int, rows: list[int], frames: list[Frame], item_flags: int, big: bool
) -> tuple[int, int] | None:
    """Open the next item or close the sequence; return (position, end of what is open then), None where it is odd."""
    outer_end, sequence_end, record, _, state = frame = frames[-1]
    if state & OPEN_ITEM:
        return None
    item, length = IMPLICIT[big](data, position)
    if item == SEQUENCE_DELIMITER and state & UNDEFINED:
        frames.pop()
        rows[record + 2] = position + 8 - rows[record + 3]
        return position + 8, outer_end
    item_undefined = length == ALL_ONES
    item_end = sequence_end if item_undefined else position + 8 + length
    if item != ITEM or not position + 8 <= item_end <= sequence_end or not data[position + 8 + big]:
        return None
    frame[3] = len(rows)
    frame[4] = state | item_undefined * OPEN_ITEM
    rows += (
        ITEM,
        item_flags | UNDEFINED_LENGTH if item_undefined else item_flags,
        item_end - position - 8,
        position + 8,
    )
    return position + 8, item_end
