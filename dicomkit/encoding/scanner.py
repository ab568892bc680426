"""One pass over the bytes of a data set that records where each element is, nested items included, and decodes nothing.

Well-formed elements take the short loop of regular.py, or the one here for implicit VR. Everything else (markers,
sequences of undefined length, encapsulated pixel data and every deviation of real files) goes through the methods of
scan_items.py and scan_elements.py, which note each deviation as a Repair.
"""

from __future__ import annotations

import struct

from dicomkit.dataset.index import Index, to_word
from dicomkit.encoding.headers import EXPLICIT, IMPLICIT, LONG
from dicomkit.encoding.implied_vr import implied_kinds
from dicomkit.encoding.regular import SMALL, regular_elements
from dicomkit.encoding.scan_elements import ScanElements
from dicomkit.encoding.scan_state import Level
from dicomkit.sources import Opened, OpenedFile
from dicomkit.values.transfer_syntax import TransferSyntax

_LONGEST_RUN = 1 << 18
_LONGEST_HEADERS = 22
"""How far the quick loop looks ahead: the headers of a sequence and its first item, and the next group."""
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
    stop = 1 << 32 if stop_before is None else stop_before
    if window is None or window[0] or syntax.implicit_vr:
        return _Scan(opened, start, syntax, stop, window).run()
    rows: list[int] = []
    frames: list[list[int]] = []
    position, end, row = regular_elements(
        window[1], start, min(opened.size, _LONGEST_RUN), rows, frames, stop_group=stop >> 16, big=syntax.big_endian
    )
    if not frames and (position == opened.size or (row and row[1] in LONG and to_word(row[0]) >= stop)):
        return _cut(Index(rows, opened.source, (window,), syntax), stop)
    scan = _Scan(opened, start, syntax, stop, window)
    scan.go_on(rows, frames, position, end)
    return scan.run()


class _Scan(ScanElements):
    """One pass over the elements, quick as long as they are regular."""

    def go_on(self, rows: list[int], frames: list[list[int]], position: int, end: int) -> None:
        """Take over from the quick loop."""
        self.new_rows = rows
        self.position = position
        self._to_levels(frames, end, self.stack[-1])

    def run(self) -> Index:
        """Scan until the end, and return the index."""
        while not self.done:
            if self.stack[-1].implicit:
                self._implicit_elements()
            else:
                self._explicit_elements()
        return _cut(self._index(), self.stop_before)

    def _explicit_elements(self) -> None:
        """Record elements in explicit VR, until the encoding changes or the data set ends."""
        level = self.stack[-1]
        big, stop_group, frames = level.big, self.stop_before >> 16, list[list[int]]()
        while not self.done and not (level := self.stack[-1]).implicit and level.big == big:
            data, position = self.data, self.position
            end = min(level.item_end - self.base, position + _LONGEST_RUN)
            flags = self._item_flags(level)
            at_top = stop_group if level.record < 0 else 1 << 16
            position, end, row = regular_elements(
                data, position, end, self.new_rows, frames, stop_group=at_top, item_flags=flags, big=big
            )
            self.position = position
            level = self._to_levels(frames, end, level)
            if row is None:  # the window ends within a header
                left = self.size - self.base - position
                if left < 8 or self.base + len(data) < self.size:
                    self._slide(min(max(left, 8), _LONGEST_HEADERS))
                    continue
                row = EXPLICIT[big](data, position)
            if position < end:
                self._other_explicit(level, *row)
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
