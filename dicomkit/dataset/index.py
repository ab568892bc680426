"""The flat index of a data set: where each element is, nested items included, with nothing decoded.

The index is one run of records of four numbers, in the order of the bytes. An element's children (items, and the
elements within items) follow it directly; because offsets only grow, the end of its subtree is found by bisection, so
that no skip pointers are stored. A scanner in another language needs only to fill the same buffer.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, TypeAlias

from dicomkit.dataset.repairs import Repair
from dicomkit.sources import MemorySource, Source
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax

UNDEFINED_LENGTH = 1 << 16
"""The length in the header was FFFFFFFF; the recorded one reaches over the delimiter."""
IMPLICIT_CONTENT = 1 << 17
"""The content of this item is in implicit VR, although the data set is not."""
BIG_ENDIAN = 1 << 18
"""This value, or the content of this item, is big-endian (or little-endian in a big-endian data set)."""
DICTIONARY_VR = 1 << 19
"""The VR comes from the dictionary, not from the header."""

ITEM = 0xE000FFFE
ITEM_DELIMITER = 0xE00DFFFE
SEQUENCE_DELIMITER = 0xE0DDFFFE

Numbers: TypeAlias = "list[int] | array[int]"
MACHINE_INTEGER = "L" if array("L").itemsize == 8 else "Q"
"""The array code of 64-bit numbers; L, where it has them, takes half the time of Q."""
_FEW = 1 << 14
_CARRIED = 1 << 14
"""Larger values are not pickled with the header where a source has them, too."""


def to_word(tag: int) -> int:
    """Swap the halves of a tag: the form in which a little-endian header gives it, and in which the index keeps it."""
    return tag >> 16 | (tag & 0xFFFF) << 16


def vr_word(vr: str) -> int:
    """Give two letters of a VR as the little-endian number that stands in a header."""
    return ord(vr[0]) | ord(vr[1]) << 8


def packed(rows: Numbers) -> array[int]:
    """Give the numbers of an index as one buffer."""
    return rows if isinstance(rows, array) else array(MACHINE_INTEGER, rows)


class Index:
    """Where the elements of a data set are; it never changes.

    Attributes
    ----------
    rows
        Four numbers an element: its tag with halves swapped (``to_word``); the two letters of its VR as a number, with
        flags above them, 0 for a VR that the header doesn't tell; how many bytes its value has; where in the source
        they start. One buffer of machine integers, or a list where there are few, which is quicker to make and to use.
    windows
        (offset, bytes) of those parts of the source that are in memory.
    head
        The one that begins with the source, where there is one.
    whole
        Whether nothing lies between its elements in the source, as far as there are no repairs.
    repairs, deviations
        What the scanner tolerated; the same with what dataset/deviations.py finds, once it was asked for.
    """

    __slots__ = (
        "_offsets",
        "_words",
        "deviations",
        "head",
        "repairs",
        "rows",
        "source",
        "transfer_syntax",
        "whole",
        "windows",
    )

    def __init__(
        self,
        rows: Numbers,
        source: Source,
        windows: tuple[tuple[int, bytes], ...],
        transfer_syntax: TransferSyntax,
        repairs: tuple[Repair, ...] = (),
        whole: bool = False,
    ) -> None:
        self.rows = rows
        self.source = source
        self.windows = windows
        self.head = windows[0][1] if windows and not windows[0][0] else b""
        self.transfer_syntax = transfer_syntax
        self.repairs = repairs
        self.whole = whole
        self.deviations: tuple[Repair, ...] | None = None
        self._words: Numbers | None = None
        self._offsets: Numbers | None = None

    @property
    def words(self) -> Numbers:
        """The tag of each element, halves swapped."""
        if self._words is None:
            self._words = self.rows[0::4]
        return self._words

    @property
    def kinds(self) -> Numbers:
        """The VR and flags of each element."""
        return self.rows[1::4]

    @property
    def lengths(self) -> Numbers:
        """How many bytes each value has."""
        return self.rows[2::4]

    @property
    def offsets(self) -> Numbers:
        """Where each value starts in the source."""
        if self._offsets is None:
            self._offsets = self.rows[3::4]
        return self._offsets

    def kind(self, record: int) -> int:
        """Return VR and flags of an element."""
        return self.rows[4 * record + 1]

    def length(self, record: int) -> int:
        """Return how many bytes a value has."""
        return self.rows[4 * record + 2]

    def offset(self, record: int) -> int:
        """Return where a value starts in the source."""
        return self.rows[4 * record + 3]

    def __len__(self) -> int:
        return len(self.rows) // 4

    def __reduce__(self) -> tuple[Any, ...]:
        return Index, (packed(self.rows), self.source, self._needed(), self.transfer_syntax, self.repairs, self.whole)

    def _needed(self) -> tuple[tuple[int, bytes], ...]:
        """Cut the windows where the last value ends that lies within them and is no pixels of a small image."""
        rows = self.rows
        places = zip(rows[2::4], rows[3::4], strict=True)
        ends = [offset + length for length, offset in places if length <= _CARRIED]
        kept = []
        for start, data in self.windows:
            stop = start + len(data)
            last = max((end for end in ends if start < end <= stop), default=start)
            kept.append((start, data[: last - start]))
        return tuple(kept)

    def fetch(self, record: int) -> bytes:
        """Return the bytes of a value."""
        length, offset = self.rows[4 * record + 2 : 4 * record + 4]
        return self.read(offset, length)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the source, from memory where they are."""
        end, windows = offset + length, self.windows
        if len(windows) > 4:
            place = bisect_right(windows, offset, key=itemgetter(0))
            windows = windows[max(0, place - 2) : place]  # they overlap where a value lay across an edge
        for start, data in windows:
            if start <= offset and end <= start + len(data):
                return data[offset - start : end - start]
        return self.source.read(offset, length)

    def end(self, record: int) -> int:
        """Return the record that follows the subtree of this one."""
        length, offset = self.rows[4 * record + 2 : 4 * record + 4]
        return bisect_right(self.offsets, offset + length, record + 1)

    def runs(self, start: int, stop: int) -> Iterator[range]:
        """Walk the records of one level between two records, as many at once as follow each other."""
        rows, words, offsets = self.rows, self.words, self.offsets
        try:
            while True:
                item = words.index(ITEM, start, stop)
                yield range(start, item)
                sequence = 4 * item - 4
                start = bisect_right(offsets, rows[sequence + 2] + rows[sequence + 3], item)
        except ValueError:  # no more items
            yield range(start, stop)

    def siblings(self, start: int, stop: int) -> Iterator[int]:
        """Walk the records of one level between two records."""
        while start < stop:
            yield start
            start = self.end(start)


def few(rows: Numbers) -> bool:
    """Tell whether so many numbers are better kept as a list."""
    return len(rows) <= _FEW


EMPTY_INDEX = Index([], MemorySource(b""), (), TransferSyntax.of(EXPLICIT_VR_LITTLE_ENDIAN))
