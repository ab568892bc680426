"""A range of the flat index as the elements of one data set: finding a tag, and decoding what is there."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.context import LUT_DESCRIPTORS, known_vr, resolve_vr
from dicomkit.dataset.deviations import deviations
from dicomkit.dataset.element import Element, Origin
from dicomkit.dataset.index import (
    BIG_ENDIAN,
    DICTIONARY_VR,
    IMPLICIT_CONTENT,
    ITEM,
    MACHINE_INTEGER,
    UNDEFINED_LENGTH,
    Index,
    vr_word,
)
from dicomkit.dataset.repairs import Repair
from dicomkit.sources import Bulk, MemorySource
from dicomkit.values.charset import Charset
from dicomkit.values.decode import decoder_of
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

BULK_SIZE = 1 << 16
"""Values of O* VRs and UN larger than this stay where they are, as Bulk."""
_SPECIFIC_CHARACTER_SET = 0x00080005
_NAMES = {vr_word(vr): vr for vr in (*VRS, "xs", "lt", "ox")}
_UN = vr_word("UN")
_BULK = frozenset(vr.name for vr in VRS.values() if vr.kind == "bulk")
_CHARSET = frozenset(vr.name for vr in VRS.values() if vr.charset)
_PLAIN = {
    vr_word(vr.name) | flag: (decoder_of(vr.name), vr.charset)
    for vr in VRS.values()
    if vr.kind not in ("bulk", "sequence") and vr.name != "SS"
    for flag in (0, DICTIONARY_VR)
}


class Records:
    """The records from ``start`` to ``stop`` of an index.

    Attributes
    ----------
    outer
        The data set that contains this one, for what an element takes from outside; None at the top.
    big_endian
        Whether the values are big-endian.
    flags
        Of the item: whether its content is in another encoding than the data set.
    places
        The record of each word, once ``positions`` was asked for it.
    doubled
        Whether a tag is there twice, once ``positions`` was asked.
    """

    __slots__ = ("_charset", "big_endian", "doubled", "flags", "index", "kind", "outer", "places", "start", "stop")

    def __init__(
        self, index: Index, start: int, stop: int, outer: DataSet | None, flags: int, kind: type[DataSet]
    ) -> None:
        self.index = index
        self.start = start
        self.stop = stop
        self.outer = outer
        self.flags = flags
        self.kind = kind
        self.big_endian = index.transfer_syntax.big_endian != bool(flags & BIG_ENDIAN)
        self.places: dict[int, int] | None = None
        self.doubled = False
        self._charset: Charset | None = None

    def positions(self) -> dict[int, int]:
        """Return the record of each word; of two with the same tag the later one."""
        if self.places is None:
            words = self.index.words
            here: list[int] = []
            records: list[int] = []
            for run in self.index.runs(self.start, self.stop):
                here += words[run.start : run.stop]
                records += run
            self.places = dict(zip(here, records, strict=True))
            self.doubled = len(self.places) < len(here)
        return self.places

    def find(self, tag: int) -> int | None:
        """Return the record of a tag."""
        return (self.places or self.positions()).get(tag >> 16 | (tag & 0xFFFF) << 16)

    def depth(self) -> int:
        """Return how deep items are nested in these elements."""
        words, record, deepest, ends = self.index.words, self.start, 0, [self.stop]
        for _ in range(words[self.start : self.stop].count(ITEM)):
            record = words.index(ITEM, record, self.stop)
            while ends[-1] <= record:
                ends.pop()
            ends.append(self.index.end(record))
            deepest = max(deepest, len(ends) - 1)
            record += 1
        return deepest

    def tags(self) -> list[int]:
        """Return the tags, unsorted."""
        return [word >> 16 | (word & 0xFFFF) << 16 for word in self.positions()]

    @property
    def implicit_vr(self) -> bool:
        """Whether the elements are in implicit VR."""
        return self.index.transfer_syntax.implicit_vr != bool(self.flags & IMPLICIT_CONTENT)

    def vr(self, record: int, tag: int, around: DataSet) -> tuple[str, str]:
        """Return the VR of a record, and where it is from."""
        kind = self.index.kind(record)
        vr = _NAMES.get(kind & 0xFFFF, "UN")
        origin = "dictionary" if kind & DICTIONARY_VR else "header"
        if kind & UNDEFINED_LENGTH and vr in ("UN", "ox"):
            # Encapsulated pixel data (PS3.5 A.4), or a sequence (PS3.5 6.2.2).
            vr, origin = "OB" if tag >> 16 == 0x7FE0 else "SQ", "dictionary"
        elif vr == "UN":
            vr, origin = ("SQ", "dictionary") if self._has_items(record) else known_vr(tag, around)
        if vr.islower():
            vr = resolve_vr(vr, tag, around, implicit=self.implicit_vr)
        if vr == "SQ" and not self._is_sequence(record):
            vr, origin = "UN", "unknown"
        return vr, origin

    def value(self, record: int, tag: int, around: DataSet) -> Any:
        """Decode the value of a record; bulk data comes in the byte order in which it is stored."""
        index = self.index
        at = 4 * record
        kind, length, offset = index.rows[at + 1 : at + 4]
        plain = _PLAIN.get(kind)
        if plain is not None:
            decode, of_charset = plain
            charset = (self._charset or self.charset(around)) if of_charset else _DEFAULT
            end = offset + length
            head = index.head
            raw = head[offset:end] if end <= len(head) else index.read(offset, length)
            return decode(raw, self.big_endian, charset)
        vr, _ = self.vr(record, tag, around)
        if vr == "SQ":
            return self._items(record, around)
        if kind & UNDEFINED_LENGTH:
            return self._fragments(record)
        if vr in _BULK:
            if length > BULK_SIZE:
                return Bulk(index.source, offset, length)
            return index.read(offset, length) or None
        charset = self.charset(around) if vr in _CHARSET else _DEFAULT
        value = decoder_of(vr)(index.read(offset, length), self._is_big_endian(kind), charset)
        if tag in LUT_DESCRIPTORS and vr == "SS" and isinstance(value, tuple) and len(value) == 3:
            return value[0] & 0xFFFF, value[1], value[2] & 0xFFFF  # PS3.3 C.11.1.1: the outer two are unsigned
        return value

    def element(self, record: int, tag: Tag, value: Any, around: DataSet) -> Element:
        """Return a record as an Element."""
        index = self.index
        vr, vr_origin = self.vr(record, tag, around)
        offset, length = index.offset(record), index.length(record)
        origin = Origin(offset, length, vr_origin, self._is_big_endian(index.kind(record)), self.charset(around))
        if length > BULK_SIZE or vr == "SQ" or isinstance(value, Fragments):
            return Element(tag, vr, value, Bulk(index.source, offset, length), origin)
        return Element(tag, vr, value, index.fetch(record), origin)

    def _is_big_endian(self, kind: int) -> bool:
        """Whether a value is: one that was written as UN is little-endian in any data set (PS3.5 6.2.2)."""
        return self.big_endian and kind & 0xFFFF != _UN

    def charset(self, around: DataSet) -> Charset:
        """Return the character set in force: the data set's own, or that of the one around it (PS3.5 6.1.2.5)."""
        if self._charset is None:
            record = self.find(_SPECIFIC_CHARACTER_SET)
            outer = self.outer
            if record is not None and self.index.length(record):
                self._charset = Charset.of(self.index.fetch(record).decode("latin-1").strip(" \0"))
            else:
                self._charset = outer._records.charset(outer) if outer is not None else _DEFAULT
        return self._charset

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was tolerated in the bytes of these records."""
        index = self.index
        if index.deviations is None:
            index.deviations = deviations(index)
        if self.stop - self.start == len(index):
            return index.deviations
        first, end = self._extent()
        return tuple(repair for repair in index.deviations if first <= repair.offset <= end)

    def _extent(self) -> tuple[int, int]:
        """Where the first value of these records starts, and the last one ends."""
        index, stop = self.index, self.stop
        if self.start == stop:
            return 0, -1
        return index.offset(self.start), max(
            index.offset(r) + index.length(r) for r in index.siblings(self.start, stop)
        )

    def load(self) -> Records:
        """Return the same records over a source in memory."""
        source = self.index.source
        if isinstance(source, MemorySource):
            return self
        data = source.read(0, source.size)
        index = self.index
        loaded = Index(index.rows, MemorySource(data), ((0, data),), index.transfer_syntax, index.repairs, index.whole)
        return Records(loaded, self.start, self.stop, self.outer, self.flags, self.kind)

    def detach(self) -> Records:
        """Return the same records over their own bytes only."""
        index = self.index
        if self.start == self.stop:
            return self
        first, end = self._extent()
        data = index.read(first, end - first)
        rows = index.rows[4 * self.start : 4 * self.stop]
        rows = array(MACHINE_INTEGER, rows)
        rows[3::4] = array(MACHINE_INTEGER, [offset - first for offset in rows[3::4]])
        repairs = tuple(r._replace(offset=r.offset - first) for r in index.repairs if first <= r.offset <= end)
        compact = Index(rows, MemorySource(data), ((0, data),), index.transfer_syntax, repairs)
        return Records(compact, 0, self.stop - self.start, self.outer, self.flags, self.kind)

    def compact(self) -> Records:
        """Return the same records with no more of the index than they need, over the same source."""
        index = self.index
        if self.stop - self.start == len(index):
            return self
        rows = index.rows[4 * self.start : 4 * self.stop]
        windows = tuple(
            (start, data) for start, data in index.windows if rows and start <= rows[-1] and rows[3] < start + len(data)
        )
        smaller = Index(rows, index.source, windows, index.transfer_syntax, index.repairs, index.whole)
        return Records(smaller, 0, self.stop - self.start, self.outer, self.flags, self.kind)

    def __reduce__(self) -> tuple[Any, ...]:
        return Records, (self.index, self.start, self.stop, self.outer, self.flags, self.kind)

    def _has_items(self, record: int) -> bool:
        after = record + 1
        return after < self.stop and after < self.index.end(record) and self.index.words[after] == ITEM

    def _is_sequence(self, record: int) -> bool:
        return (
            self.index.length(record) == 0
            or self._has_items(record)
            or bool(self.index.kind(record) & UNDEFINED_LENGTH)
        )

    def _items(self, record: int, around: DataSet) -> tuple[DataSet, ...]:
        index, stop = self.index, self.index.end(record)
        items = []
        for item in index.siblings(record + 1, stop):
            records = Records(index, item + 1, index.end(item), around, index.kind(item), self.kind)
            items.append(self.kind._of(records, {}, {}, None))
        return tuple(items)

    def _fragments(self, record: int) -> Fragments:
        index, stop = self.index, self.index.end(record)
        children = range(record + 1, stop)
        if not children:
            return Fragments(b"", (), ())
        table = index.fetch(children[0])
        rest = children[1:]
        first = index.offset(rest[0]) if rest else 0
        parts = tuple(Bulk(index.source, index.offset(child), index.length(child)) for child in rest)
        return Fragments(table, parts, tuple(index.offset(child) - first for child in rest))


_DEFAULT = Charset.of(None)
