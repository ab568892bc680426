"""One pass over the bytes of a data set that records where each element is, nested items included, and decodes nothing.

Well-formed elements take the two short loops here. Everything else (markers, sequences, encapsulated pixel data and
every deviation of real files) goes through the methods below them, which note each deviation as a Repair.
"""

from __future__ import annotations

import struct

from dicomkit.dataset.index import ITEM, Index, to_word
from dicomkit.encoding.headers import EXPLICIT, IMPLICIT, LENGTH, PLAIN_LONG, SHORT, SQ
from dicomkit.encoding.implied_vr import implied_kinds
from dicomkit.encoding.scan_elements import ScanElements
from dicomkit.encoding.scan_state import SMALL, Level
from dicomkit.sources import Opened, OpenedFile
from dicomkit.values.transfer_syntax import TransferSyntax

_LONGEST_RUN = 1 << 18
_MOST_FRAMES = 32
_LONGEST_HEADERS = 22
"""How far the loop looks ahead: the headers of a sequence and its first item, and the next group."""
_SMALLEST_VR = 0x4141
"""Lengths from here on may be a VR, where the dictionary was to tell it."""


def scan(
    opened: Opened | OpenedFile,
    start: int,
    syntax: TransferSyntax,
    *,
    stop_before: int | None = None,
    window: tuple[int, bytes] | None = None,
) -> Index:
    """Index the elements from ``start`` to the end, or to the first with a tag of ``stop_before`` or more.

    Parameters
    ----------
    window
        (offset, bytes) already read, so that they are not read again.

    Raises
    ------
    ReadError
        When the bytes can't be followed any further; names the tag and the offset.
    """
    return _Scan(opened, start, syntax, stop_before, window).run()


class _Scan(ScanElements):
    """One pass over the elements, quick as long as they are regular."""

    def run(self) -> Index:
        """Scan until the end, and return the index."""
        while not self.done:
            if self.stack[-1].implicit:
                self._implicit_elements()
            else:
                self._explicit_elements()
        return _cut(self._index(), self.stop_before)

    # The two loops that nearly every element goes through.

    def _explicit_elements(self) -> None:
        """Record elements in explicit VR, nested ones too, until the encoding changes or the data set ends.

        Regular sequences of defined length are followed here; ``frames`` holds those that are open. Whatever needs more
        care is left to the methods below, for which the frames become levels of the stack.
        """
        big, stop_group = self.stack[-1].big, self.stop_before >> 16
        header, pair, long_length = EXPLICIT[big], IMPLICIT[big], LENGTH[big]
        short, plain_long, sq = SHORT, PLAIN_LONG, SQ
        rows = self.new_rows
        frames: list[list[int]] = []
        while not self.done and not (level := self.stack[-1]).implicit and level.big == big:
            data, position = self.data, self.position
            end = min(level.item_end - self.base, position + _LONGEST_RUN)
            item_flags = self._item_flags(level)
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
                        break
                    sequence_end = frames[-1][1]
                    if position == sequence_end:
                        end = frames.pop()[0]
                        continue
                    item, item_length = pair(data, position)
                    if item != ITEM or item_length > sequence_end - position - 8 or not data[position + 8 + big]:
                        break
                    frames[-1][3] = len(rows)
                    position += 8
                    end = position + item_length
                    rows += (ITEM, item_flags, item_length, position)
            except (struct.error, IndexError):  # the window ends within a header
                self.position = position
                level = self._to_levels(frames, end, level)
                left = self.size - self.base - position
                if left < 8 or self.base + len(data) < self.size:
                    self._slide(min(max(left, 8), _LONGEST_HEADERS))
                    continue
                word, vr, length = header(data, position)
            self.position = position
            level = self._to_levels(frames, end, level)
            if position < end:
                self._other_explicit(level, word, vr, length)
            else:
                self._end_of_run(level)

    def _to_levels(self, frames: list[list[int]], end: int, level: Level) -> Level:
        """Put the sequences that are open in the quick loop on the stack; return the innermost level."""
        if not frames:
            return level
        base, flushed = self.base, len(self.rows)
        item_ends = [*(frame[0] for frame in frames[1:]), end]
        for (_, sequence_end, record, item), item_end in zip(frames, item_ends, strict=True):
            start = base + self.new_rows[record + 3]
            number = (flushed + record) // 4
            level = Level(number, start, base + sequence_end, False, level.implicit, level.big, False)
            level.item = (flushed + item) // 4
            level.item_start = base + self.new_rows[item + 3]
            level.item_end = base + item_end
            self.stack.append(level)
        frames.clear()
        return level

    def _implicit_elements(self) -> None:
        """The same in implicit VR, with VRs from the dictionary."""
        level = self.stack[-1]
        big = level.big
        header = IMPLICIT[big]
        kind_of = implied_kinds().get
        rows = self.new_rows
        while not self.done and (level := self.stack[-1]).implicit and level.big == big:
            data, position = self.data, self.position
            end = min(level.item_end - self.base, position + _LONGEST_RUN)
            while position < end:
                try:
                    word, length = header(data, position)
                except struct.error:
                    self.position = position
                    self._slide(8)
                    break
                kind = kind_of(word)
                if not kind or length >= _SMALLEST_VR:
                    self.position = position
                    self._other_implicit(level, word, length)
                    break
                position += 8
                rows += (word, kind, length, position)
                position += length
            else:
                self.position = position
                self._end_of_run(level)

    def _end_of_run(self, level: Level) -> None:
        """A run of plain elements ended with its item, or is long enough to be put away."""
        if len(self.new_rows) > SMALL:
            self._flush()
        if self.base + self.position >= level.item_end:
            self._end_item(level)


def _cut(index: Index, stop_before: int) -> Index:
    """Leave out the elements with a tag of ``stop_before`` or more that the loops recorded before one was looked at."""
    rows = index.rows
    if not rows or to_word(rows[-4]) < stop_before:
        return index
    for record in index.siblings(0, len(index)):
        if to_word(rows[4 * record]) >= stop_before:
            return Index(rows[: 4 * record], index.source, index.windows, index.transfer_syntax, index.repairs)
    return index
