"""What grows while a data set is scanned: the rows of its index, the window of bytes in memory, and the repairs."""

from __future__ import annotations

from array import array

from dicomkit.dataset.index import Index, to_word
from dicomkit.dataset.repairs import Repair
from dicomkit.errors import ReadError
from dicomkit.sources import InflatedSource, MemorySource, Opened, OpenedFile
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

SMALL = 1 << 16
"""Values up to this size are kept in memory with the header."""
FIRST_WINDOW = 1 << 14
LARGEST_WINDOW = 1 << 20


class ScanState:
    """The rows of an index, with a window of the source that slides over it.

    The loops add to ``new_rows``, with offsets counted from the start of the window; ``_flush`` moves them into the
    index. ``position`` counts from the start of the window too.
    """

    def __init__(
        self, opened: Opened | OpenedFile, start: int, syntax: TransferSyntax, window: tuple[int, bytes] | None, size: int
    ) -> None:
        self.opened = opened
        self.syntax = syntax
        self.size = size
        self.new_rows: list[int] = []
        self.rows = array("Q")
        self.windows: list[tuple[int, bytes]] = []
        self.repairs: list[Repair] = []
        self.next_window = FIRST_WINDOW
        source = opened.source
        if isinstance(source, (MemorySource, InflatedSource)):
            window = (0, source.read(0, source.size))
        self.base, self.data = window if window and window[0] <= start else (start, b"")
        if self.data:
            self.windows.append((self.base, self.data))
        self.position = start - self.base

    def _index(self) -> Index:
        self._flush()
        kept = () if isinstance(self.opened.source, InflatedSource) else tuple(self.windows)
        return Index(self.rows, self.opened.source, kept, self.syntax, tuple(self.repairs))

    def _slide(self, needed: int) -> bool:
        """Move the window so that ``needed`` bytes from the position are in it; False (and done) where the source ends."""
        here = self.base + self.position
        if here + needed > self.size:
            if here < self.size:
                self._repair(None, here, f"{self.size - here} bytes left over at the end", "left out")
            self.position = self.size - self.base
            return False
        start = here
        if self.new_rows and self.new_rows[-2] <= SMALL:
            last, length = self.new_rows[-1], self.new_rows[-2]
            if last + length == self.position and last < len(self.data) < self.position:
                start = self.base + last  # its value lies across the end of the old window
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
        if 0 <= at and at + length <= len(self.data):
            return self.data[at : at + length]
        return self.opened.read_at(offset, max(0, min(length, self.size - offset)))

    def _flush(self) -> None:
        """Move what the loops recorded into the index, with offsets counted from the start of the source."""
        if base := self.base:
            self.new_rows[3::4] = [base + offset for offset in self.new_rows[3::4]]
        self.rows.extend(self.new_rows)
        self.new_rows.clear()

    def _record(self, word: int, kind: int, offset: int, length: int) -> int:
        """Record an element whose value starts at an offset of the source; return its number."""
        self.new_rows += (word, kind, length, offset - self.base)
        return (len(self.rows) + len(self.new_rows)) // 4 - 1

    def _set_length(self, record: int, length: int) -> None:
        at = 4 * record + 2
        if at < len(self.rows):
            self.rows[at] = length
        else:
            self.new_rows[at - len(self.rows)] = length

    def _last(self) -> tuple[int, int, int]:
        """The number, word and offset of the last record."""
        if self.new_rows:
            word, _, _, offset = self.new_rows[-4:]
            offset += self.base
        else:
            word, _, _, offset = self.rows[-4:]
        return (len(self.rows) + len(self.new_rows)) // 4 - 1, word, offset

    def _repair(self, word: int | None, offset: int, problem: str, assumed: str) -> None:
        self.repairs.append(Repair(None if word is None else Tag(to_word(word)), offset, problem, assumed))
