"""What grows while a data set is scanned: its records, the window of bytes in memory, the open levels, the repairs."""

from __future__ import annotations

from dicomkit.dataset.index import ITEM, UNDEFINED_LENGTH, Index, Numbers, few, packed, to_word
from dicomkit.dataset.repairs import Repair
from dicomkit.encoding.headers import LENGTH, SQ
from dicomkit.encoding.regular import SMALL
from dicomkit.errors import ReadError
from dicomkit.opening import Opened, OpenedFile
from dicomkit.sources import InflatedSource, MemorySource
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

FIRST_WINDOW = 1 << 14
LARGEST_WINDOW = 1 << 20
MOST_REPAIRS = 1000
"""So many are listed; with a hundred times as many it is no data set."""


class Level:
    """A sequence and the item of it that is open; at the bottom of the stack, the data set itself as an item."""

    __slots__ = (
        "big",
        "creators",
        "end",
        "implicit",
        "is_un",
        "item",
        "item_end",
        "item_start",
        "item_undefined",
        "record",
        "searched",
        "start",
        "undefined",
    )

    def __init__(
        self, record: int, start: int, end: int, undefined: bool, implicit: bool, big: bool, is_un: bool
    ) -> None:
        self.record = record
        self.start = start
        self.end = self.item_end = end
        self.undefined = undefined
        self.implicit = implicit
        self.big = big
        self.is_un = is_un
        self.item = self.searched = -1
        self.item_start = start
        self.item_undefined = False
        self.creators: dict[int, int] = {}


class ScanState:
    """The records of an index, with a window of the source that slides over it.

    The loops add to ``new_rows``, with offsets counted from the start of the window; ``_flush`` moves them into the
    index. ``position`` counts from the start of the window too.
    """

    def __init__(
        self,
        opened: Opened | OpenedFile,
        start: int,
        syntax: TransferSyntax,
        stop_before: int,
        window: tuple[int, bytes] | None,
    ) -> None:
        self.opened = opened
        self.syntax = syntax
        self.stop_before = stop_before
        self.size = size = opened.size
        self.done = False
        self.new_rows: list[int] = []
        self.rows: Numbers = []
        self.windows: list[tuple[int, bytes]] = []
        self.repairs: list[Repair] = []
        self.deviations = 0
        self.next_window = FIRST_WINDOW
        self.source = source = opened.source
        if isinstance(source, (MemorySource, InflatedSource)):
            window = (0, source.read(0, source.size))
        if window and window[0] <= start:
            self.windows.append(window)
            self.base, self.data = window
        else:
            self.base, self.data = start, b""
        self.position = start - self.base
        self.stack = [Level(-1, start, size, False, syntax.implicit_vr, syntax.big_endian, False)]

    def _index(self) -> Index:
        if self.rows or self.base:
            self._flush()
            rows = self.rows
        else:
            rows = self.new_rows
        kept = () if isinstance(self.source, InflatedSource) else tuple(self.windows)
        return Index(rows if few(rows) else packed(rows), self.source, kept, self.syntax, tuple(self.repairs), True)

    # The window.

    def _slide(self, needed: int) -> bool:
        """Move the window so that ``needed`` bytes from the position are in it; False where the source ends."""
        here = self.base + self.position
        if here + needed > self.size:
            if here < self.size:
                self._repair(None, here, f"{self.size - here} bytes left over at the end", "left out")
            self.position = self.size - self.base
            return False
        start, old_end = here, self.base + len(self.data)
        if here > old_end:
            last, length = self._last_value()
            if length > SMALL:
                self.next_window = FIRST_WINDOW  # a large value was stepped over
            elif last + length == here and last < old_end:
                start = last  # a value across the end of the old window
        self._flush()
        self.data = self.opened.read_at(start, max(self.next_window, here - start + needed))
        if len(self.data) < here - start + needed:
            raise ReadError("the source became shorter while it was read", offset=here)
        self.windows.append((start, self.data))
        self.next_window = min(4 * self.next_window, LARGEST_WINDOW)
        self.base, self.position = start, here - start
        return True

    def _peek(self, offset: int, length: int) -> bytes:
        """Bytes at an offset of the source, without moving the window."""
        at = offset - self.base
        if at >= 0 and at + length <= len(self.data):
            return self.data[at : at + length]
        return self.opened.read_at(offset, max(0, min(length, self.size - offset)))

    def _go(self, offset: int) -> None:
        self.position = offset - self.base

    def _holds(self, length: int) -> bool:
        return self.position + length <= len(self.data) or self._slide(length)

    def _uint32(self, position: int, big: bool) -> int:
        return int(LENGTH[big](self.data, position)[0])

    # The records.

    def _flush(self) -> None:
        """Move what the loops recorded into the index, with offsets counted from the start of the source."""
        if base := self.base:
            self.new_rows[3::4] = [base + offset for offset in self.new_rows[3::4]]
        if isinstance(self.rows, list) and not few(self.rows):
            self.rows = packed(self.rows)
        if isinstance(self.rows, list):
            self.rows += self.new_rows
        else:
            self.rows += packed(self.new_rows)
        self.new_rows.clear()

    def _record(self, word: int, kind: int, offset: int, length: int) -> int:
        """Record an element whose value starts at an offset of the source; return its number."""
        self.new_rows += (word, kind, length, offset - self.base)
        return (len(self.rows) + len(self.new_rows)) // 4 - 1

    def _word(self, record: int) -> int:
        at = 4 * record
        return self.rows[at] if at < len(self.rows) else self.new_rows[at - len(self.rows)]

    def _set_length(self, record: int, length: int) -> None:
        at = 4 * record + 2
        if at < len(self.rows):
            self.rows[at] = length
        else:
            self.new_rows[at - len(self.rows)] = length

    def _last(self) -> tuple[int, int]:
        """The number and word of the last record."""
        rows = self.new_rows or self.rows
        return (len(self.rows) + len(self.new_rows)) // 4 - 1, rows[-4]

    def _last_value(self) -> tuple[int, int]:
        """Where the value of the last record starts, and its length."""
        if self.new_rows:
            return self.base + self.new_rows[-1], self.new_rows[-2]
        return (self.rows[-1], self.rows[-2]) if self.rows else (0, 0)

    def _private_creator(self, level: Level, tag: int) -> str | None:
        """The creator of a private tag's block, from the elements already recorded in the open item."""
        self._flush()
        rows, creators, step_over = self.rows, level.creators, 0
        if level.searched <= level.item:
            level.searched = level.item + 1
            creators.clear()
        for at in range(4 * level.searched, len(rows), 4):
            word, offset = rows[at], rows[at + 3]
            if offset <= step_over:
                continue
            if word & 1 and word >> 16 <= 0xFF:
                creators[word] = at
            elif rows[at + 1] & 0xFFFF == SQ or rows[at + 1] & UNDEFINED_LENGTH or word == ITEM:
                step_over = offset + rows[at + 2]
        level.searched = len(rows) // 4
        found = creators.get(to_word(tag & 0xFFFF0000 | tag >> 8 & 0xFF))
        if found is None or rows[found + 2] > 64:
            return None
        return self._peek(rows[found + 3], rows[found + 2]).decode("latin-1").strip(" \0")

    # What is wrong.

    def _repair(self, word: int | None, offset: int, problem: str, assumed: str) -> None:
        self.deviations += 1
        if self.deviations <= MOST_REPAIRS:
            self.repairs.append(Repair(None if word is None else Tag(to_word(word)), offset, problem, assumed))
        elif self.deviations == MOST_REPAIRS + 1:
            more = f"more than {MOST_REPAIRS} deviations"
            self.repairs.append(Repair(None, offset, more, "tolerated too, but no longer listed"))
        elif self.deviations > 100 * MOST_REPAIRS:
            self._unreadable(word or 0, offset, f"more than {100 * MOST_REPAIRS} deviations, the last: {problem}")

    def _unreadable(self, word: int, offset: int, problem: str) -> None:
        raise ReadError(
            problem,
            tag=to_word(word),
            offset=offset,
            path=getattr(self.source, "path", None),
            hint="the bytes before it can be read with stop_before=",
        )
