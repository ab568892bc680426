"""One pass over the bytes of a data set that records where each element is, nested items included, and decodes nothing.

Regular elements take the quick loops of regular.py. Everything else (unknown VRs, encapsulated pixel data and every
deviation of real files) goes through the methods of scan_items.py and scan_elements.py, which note each deviation as a
Repair.
"""

from __future__ import annotations

from dicomkit.dataset.index import Index, to_word
from dicomkit.encoding.headers import EXPLICIT, IMPLICIT, LONG
from dicomkit.encoding.regular import OPEN_ITEM, SMALL, UNDEFINED, Frame, explicit_elements, implicit_elements
from dicomkit.encoding.scan_elements import ScanElements
from dicomkit.encoding.scan_state import Level
from dicomkit.opening import Opened, OpenedFile
from dicomkit.values.transfer_syntax import TransferSyntax

_LONGEST_RUN = 1 << 18
_LONGEST_HEADERS = 22
"""How far the quick loop looks ahead: the headers of a sequence and its first item, and the next group."""


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
    frames: list[Frame] = []
    position, end, row = explicit_elements(
        window[1], start, min(opened.size, _LONGEST_RUN), rows, frames, stop_group=stop >> 16, big=syntax.big_endian
    )
    if not frames and (position == opened.size or (row and row[1] in LONG and to_word(row[0]) >= stop)):
        return _cut(Index(rows, opened.source, (window,), syntax, whole=True), stop)
    scan = _Scan(opened, start, syntax, stop, window)
    scan.go_on(rows, frames, position, end)
    return scan.run()


class _Scan(ScanElements):
    """One pass over the elements, quick as long as they are regular."""

    def go_on(self, rows: list[int], frames: list[Frame], position: int, end: int) -> None:
        """Take over from the quick loop."""
        self.new_rows = rows
        self.position = position
        self._to_levels(frames, end, self.stack[-1])

    def run(self) -> Index:
        """Scan until the end, and return the index."""
        while not self.done:
            self._elements()
        return _cut(self._index(), self.stop_before)

    def _elements(self) -> None:
        """Let the quick loop of the encoding in force run, and then take care of what it left."""
        level = self.stack[-1]
        implicit, big, data = level.implicit, level.big, self.data
        end = min(level.item_end - self.base, self.position + _LONGEST_RUN)
        frames: list[Frame] = []
        self.position, end, header = (implicit_elements if implicit else explicit_elements)(
            data,
            self.position,
            end,
            self.new_rows,
            frames,
            stop_group=self.stop_before >> 16 if level.record < 0 else 1 << 16,
            item_flags=self._item_flags(level),
            big=big,
        )
        level = self._to_levels(frames, end, level)
        if header is None and self.base + self.position < level.item_end:  # the window ends within a header
            left = self.size - self.base - self.position
            if left < 8 or self.base + len(data) < self.size:
                self._slide(min(max(left, 8), _LONGEST_HEADERS))
                return
            header = (IMPLICIT if implicit else EXPLICIT)[big](data, self.position)
        if header is None or self.position >= end:
            self._end_of_run(level)
        elif implicit:
            self._other_implicit(level, header[0], header[1])
        else:
            self._other_explicit(level, header[0], header[1], header[2])

    def _to_levels(self, frames: list[Frame], end: int, level: Level) -> Level:
        """Put the sequences that are open in the quick loop on the stack; return the innermost level."""
        base, flushed = self.base, len(self.rows)
        item_ends = [*(frame[0] for frame in frames[1:]), end]
        for (_, sequence_end, record, item, state), item_end in zip(frames, item_ends, strict=False):
            undefined, open_item = bool(state & UNDEFINED), bool(state & OPEN_ITEM)
            start, item_start = base + self.new_rows[record + 3], base + self.new_rows[item + 3]
            # The end of the loop's run is none of the data: what is undefined ends with what is around it.
            sequence_end = level.item_end if undefined else base + sequence_end
            item_end = sequence_end if open_item else base + item_end
            level = Level((flushed + record) // 4, start, sequence_end, undefined, level.implicit, level.big, False)
            level.item = (flushed + item) // 4
            level.item_start, level.item_end, level.item_undefined = item_start, item_end, open_item
            self.new_rows[record + 2] = sequence_end - start
            self.new_rows[item + 2] = item_end - item_start
            self.stack.append(level)
        return level

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
    for run in index.runs(0, len(index)):
        if run and to_word(rows[4 * run[-1]]) >= stop_before:
            first = next(record for record in run if to_word(rows[4 * record]) >= stop_before)
            return Index(
                rows[: 4 * first], index.source, index.windows, index.transfer_syntax, index.repairs, index.whole
            )
    return index
