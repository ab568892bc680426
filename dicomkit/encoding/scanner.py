"""One pass over the bytes of a data set that records where each element is, nested items included, and decodes nothing.

Well-formed elements take the two short loops here. Everything else (markers, sequences, encapsulated pixel data and
every deviation of real files) goes through the methods below them, which note each deviation as a Repair.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from dicomkit.dataset.index import (
    BIG_ENDIAN,
    IMPLICIT_CONTENT,
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    Index,
    to_word,
    vr_word,
)
from dicomkit.encoding.implied_vr import implied_kind, implied_kinds, private_vr
from dicomkit.encoding.scan_state import LARGEST_WINDOW, SMALL, ScanState
from dicomkit.errors import ReadError
from dicomkit.sources import Opened, OpenedFile
from dicomkit.standard.attributes import vr_table
from dicomkit.values.transfer_syntax import TransferSyntax
from dicomkit.values.vr import VRS

MAX_DEPTH = 100
ALL_ONES = 0xFFFFFFFF

_SHORT = frozenset(vr_word(vr.name) for vr in VRS.values() if not vr.long_form)
_LONG = frozenset(vr_word(vr.name) for vr in VRS.values() if vr.long_form)
_SQ, _UN = vr_word("SQ"), vr_word("UN")
_PLAIN_LONG = _LONG - {_SQ, _UN}
_MARKERS = frozenset((ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER))
_ITEM_BYTES = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")

_explicit_little = struct.Struct("<IHH").unpack_from
_implicit_little = struct.Struct("<II").unpack_from
_length_little = struct.Struct("<I").unpack_from
_length_big = struct.Struct(">I").unpack_from
_four_big = struct.Struct(">HHHH").unpack_from
_tag_and_length_big = struct.Struct(">HHI").unpack_from


def _explicit_big(data: bytes, position: int) -> tuple[int, int, int]:
    """A big-endian header in the form of the little-endian one."""
    group, element, vr, length = _four_big(data, position)
    return group | element << 16, vr >> 8 | (vr & 0xFF) << 8, length


def _implicit_big(data: bytes, position: int) -> tuple[int, int]:
    group, element, length = _tag_and_length_big(data, position)
    return group | element << 16, length


class _Level:
    """A sequence and the item of it that is open; at the bottom of the stack, the data set itself as an item."""

    __slots__ = (
        "big",
        "end",
        "implicit",
        "is_un",
        "item",
        "item_end",
        "item_start",
        "item_undefined",
        "record",
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
        self.item = -1
        self.item_start = start
        self.item_undefined = False


def scan(
    opened: Opened | OpenedFile,
    start: int,
    syntax: TransferSyntax,
    *,
    stop_before: int | None = None,
    window: tuple[int, bytes] | None = None,
    end: int | None = None,
) -> Index:
    """Index the elements from ``start`` to the end of the source, or to the first with a tag of ``stop_before`` or more.

    Parameters
    ----------
    window
        (offset, bytes) already read, so that they are not read again.
    end
        Where to stop, when before the end of the source.

    Raises
    ------
    ReadError
        When the bytes can't be followed any further; names the tag and the offset.
    """
    return _Scan(opened, start, syntax, stop_before, window, opened.size if end is None else end).run()


class _Scan(ScanState):
    """One pass: the levels that are open, and what to do with each element."""

    def __init__(
        self,
        opened: Opened | OpenedFile,
        start: int,
        syntax: TransferSyntax,
        stop_before: int | None,
        window: tuple[int, bytes] | None,
        size: int,
    ) -> None:
        super().__init__(opened, start, syntax, window, size)
        self.stop_before = ALL_ONES if stop_before is None else stop_before
        self.done = False
        self.stack = [_Level(-1, start, size, False, syntax.implicit_vr, syntax.big_endian, False)]

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
        big = self.stack[-1].big
        header = _explicit_big if big else _explicit_little
        pair = _implicit_big if big else _implicit_little
        long_length = _length_big if big else _length_little
        rows = self.new_rows
        add = rows.append
        frames: list[list[int]] = []
        while not self.done and not (level := self.stack[-1]).implicit and level.big == big:
            data, position = self.data, self.position
            end = min(level.item_end - self.base, position + LARGEST_WINDOW)
            item_flags = self._item_flags(level)
            try:
                while True:
                    while position < end:
                        word, vr, length = row = header(data, position)
                        if vr in _SHORT:
                            position += 8
                            rows += row
                        elif vr in _PLAIN_LONG and (length := long_length(data, position + 8)[0]) <= SMALL:
                            position += 12
                            rows += (word, vr, length)
                        elif vr == _SQ and 8 <= (length := long_length(data, position + 8)[0]) <= end - position - 12:
                            item, item_length = pair(data, position + 12)
                            if item != ITEM or item_length > length - 8 or not data[position + 20 + big]:
                                break
                            record = len(rows)
                            frames.append([end, position + 12 + length, record, record + 4])
                            rows += (word, vr, length, position + 12, ITEM, item_flags, item_length, position + 20)
                            position += 20
                            end = position + item_length
                            continue
                        else:
                            break
                        add(position)
                        position += length
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
                if position + 8 > len(data):
                    self._slide(8)
                elif self.base + position + 20 <= self.size:
                    self._slide(20)
                else:
                    self._other_explicit(level, *header(data, position))
                continue
            self.position = position
            level = self._to_levels(frames, end, level)
            if position < end:
                self._other_explicit(level, word, vr, length)
            else:
                self._end_of_run(level)

    def _to_levels(self, frames: list[list[int]], end: int, level: _Level) -> _Level:
        """Put the sequences that are open in the quick loop on the stack; return the innermost level."""
        if not frames:
            return level
        base, flushed = self.base, len(self.rows)
        item_ends = [*(frame[0] for frame in frames[1:]), end]
        for (_, sequence_end, record, item), item_end in zip(frames, item_ends, strict=True):
            start = base + self.new_rows[record + 3]
            number = (flushed + record) // 4
            level = _Level(number, start, base + sequence_end, False, level.implicit, level.big, False)
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
        header = _implicit_big if big else _implicit_little
        kind_of = implied_kinds().get
        rows = self.new_rows
        while not self.done and (level := self.stack[-1]).implicit and level.big == big:
            data, position = self.data, self.position
            end = min(level.item_end - self.base, position + LARGEST_WINDOW)
            while position < end:
                try:
                    word, length = header(data, position)
                except struct.error:
                    self.position = position
                    self._slide(8)
                    break
                kind = kind_of(word)
                if not kind or length > SMALL:
                    self.position = position
                    self._other_implicit(level, word, length)
                    break
                position += 8
                rows += (word, kind, length, position)
                position += length
            else:
                self.position = position
                self._end_of_run(level)

    def _end_of_run(self, level: _Level) -> None:
        """A run of plain elements ended with its item, or is long enough to be put away."""
        if len(self.new_rows) > 4 * SMALL:
            self._flush()
        if self.base + self.position >= level.item_end:
            self._end_item(level)

    # Elements that need more care.

    def _other_explicit(self, level: _Level, word: int, vr: int, length: int) -> None:
        """An element in explicit VR that is no short, plain one."""
        offset = self.base + self.position
        if vr in _LONG:
            if self._holds(12):
                self._element(level, word, vr, offset + 12, self._uint32(self.position + 8, level.big))
        elif word in _MARKERS:
            self._marker(level, word)
        else:
            self._odd_vr(level, word, vr, length)

    def _other_implicit(self, level: _Level, word: int, length: int) -> None:
        """An element in implicit VR that is not a plain one of the dictionary."""
        offset = self.base + self.position
        if word in _MARKERS:
            self._marker(level, word)
            return
        room = level.item_end - offset - 8
        if length != ALL_ONES and length > room:
            _, vr, short = (_explicit_big if level.big else _explicit_little)(self._peek(offset, 8), 0)
            if vr in _SHORT and short <= room:
                self._repair(word, offset, "explicit VR in a data set in implicit VR", "read as explicit VR")
                self._plain(word, vr, offset + 8, short)
                return
            if vr in _LONG and self._holds(12):
                self._repair(word, offset, "explicit VR in a data set in implicit VR", "read as explicit VR")
                self._element(level, word, vr, offset + 12, self._uint32(self.position + 8, level.big))
                return
        self._element(level, word, implied_kind(to_word(word)), offset + 8, length)

    def _odd_vr(self, level: _Level, word: int, vr: int, short: int) -> None:
        """A VR that PS3.5 doesn't have: one from later, or none because the element is in implicit VR, or garbage."""
        offset = self.base + self.position
        room = level.item_end - offset
        raw = self._peek(offset, 12)
        letters = raw[4:6]
        if not any(raw) and not any(self._peek(offset, min(room, SMALL))):
            self._repair(None, offset, f"{room} bytes after the last element, zeros", "left out")
            self._go(level.item_end)
            return
        if letters.isalpha() and letters.isupper() and letters.isascii():
            long = int.from_bytes(raw[8:12], "big" if level.big else "little")
            problem = f"the VR {letters.decode()} is not in PS3.5"
            if raw[6:8] == b"\0\0" and len(raw) == 12 and long <= room - 12:  # as new VRs have it (PS3.5 6.2)
                self._repair(word, offset, problem, "read as UN of the long form")
                self._plain(word, _UN, offset + 12, long)
                return
            if short <= room - 8:
                self._repair(word, offset, problem, "read as UN of the short form")
                self._plain(word, _UN, offset + 8, short)
                return
        length = self._uint32(self.position + 4, level.big)
        kind = implied_kind(to_word(word))
        problem = f"no VR of PS3.5 in the header ({letters!r})"
        if length <= room - 8 or length == ALL_ONES and (kind & 0xFFFF == _SQ or kind == 0):
            self._repair(word, offset, problem, "read as implicit VR")
            self._element(level, word, kind, offset + 8, length)
        elif short <= room - 8 and to_word(word) in vr_table():
            self._repair(word, offset, problem, "VR taken from the dictionary")
            self._plain(word, kind, offset + 8, short)
        else:
            self._unreadable(word, offset, f"{problem}, and no length that fits")

    def _element(self, level: _Level, word: int, kind: int, offset: int, length: int) -> None:
        """Record an element of any VR and length, and open it where it has items."""
        vr = kind & 0xFFFF
        if level.record < 0 and to_word(word) >= self.stop_before:
            self.done = True
        elif length == ALL_ONES:
            self._undefined_length(level, word, kind, offset)
        elif vr == _SQ:
            self._open_sequence(level, word, kind, offset, length)
        elif vr in (_UN, 0) and length >= 8 and self._is_known_sequence(level, word, offset):
            self._open_sequence(level, word, kind, offset, length, is_un=vr == _UN)
        else:
            self._plain(word, kind, offset, length)

    def _plain(self, word: int, kind: int, offset: int, length: int) -> None:
        """Record an element and step over its value; one that runs past the end of the source is cut there later."""
        self._record(word, kind, offset, length)
        self._go(offset + length)

    def _undefined_length(self, level: _Level, word: int, kind: int, offset: int) -> None:
        vr, tag = kind & 0xFFFF, to_word(word)
        if vr == _SQ or vr in (_UN, 0) and tag >> 16 != 0x7FE0:
            self._open_sequence(level, word, kind, offset, None, is_un=vr == _UN)
        elif tag >> 16 == 0x7FE0 or self._peek(offset, 4) == _ITEM_BYTES[level.big]:
            self._fragments(level, word, kind, offset)
        else:
            self._unreadable(word, offset, "a value of undefined length that holds no items")

    # Sequences and items.

    def _open_sequence(
        self, level: _Level, word: int, kind: int, offset: int, length: int | None, *, is_un: bool = False
    ) -> None:
        if len(self.stack) > MAX_DEPTH:
            self._unreadable(word, offset, f"sequences nested more than {MAX_DEPTH} deep")
        undefined = length is None
        end = level.item_end if length is None else offset + length
        if end > self.size:
            self._repair(word, offset, f"the sequence ends {end - self.size} bytes past the end", "cut there")
            end = self.size
        record = self._record(word, kind | UNDEFINED_LENGTH if undefined else kind, offset, end - offset)
        opened = _Level(record, offset, end, undefined, level.implicit or is_un, level.big, is_un)
        self.stack.append(opened)
        self._go(offset)
        self._next_item(opened)

    def _next_item(self, level: _Level) -> None:
        """Between items: open the next one, or close the sequence."""
        while True:
            offset = self.base + self.position
            if offset >= level.end:
                if level.undefined:
                    self._repair(None, offset, "a sequence without its delimiter", "ended with what contains it")
                self._close_sequence(level)
                return
            if not self._holds(8):
                self._close_sequence(level)
                return
            word, length = (_implicit_big if level.big else _implicit_little)(self.data, self.position)
            if word == ITEM:
                self._open_item(level, offset + 8, length)
                return
            if word == SEQUENCE_DELIMITER and level.undefined:
                self._go(offset + 8)
                self._close_sequence(level)
                return
            if word not in _MARKERS:
                problem = "an element where an item of a sequence should be"
                self._repair(word, offset, problem, "the sequence ends here")
                self._close_sequence(level)
                return
            self._repair(word, offset, "a delimiter that delimits nothing", "skipped")
            self._go(offset + 8)

    def _open_item(self, level: _Level, offset: int, length: int) -> None:
        undefined = length == ALL_ONES
        end = level.end if undefined else offset + length
        if end > self.size:
            self._repair(ITEM, offset, f"the item ends {end - self.size} bytes past the end", "cut there")
            end = self.size
        self._go(offset)
        position = self.position
        if level.is_un or position + 8 > len(self.data) or not self.data[position + level.big]:
            self._settle_item_encoding(level, offset, end)
        flags = self._item_flags(level) | (UNDEFINED_LENGTH if undefined else 0)
        level.item = self._record(ITEM, flags, offset, end - offset)
        level.item_start = offset
        level.item_end = end
        level.item_undefined = undefined

    def _item_flags(self, level: _Level) -> int:
        implicit = IMPLICIT_CONTENT if level.implicit != self.syntax.implicit_vr else 0
        return implicit | BIG_ENDIAN if level.big != self.syntax.big_endian else implicit

    def _settle_item_encoding(self, level: _Level, offset: int, end: int) -> None:
        """Tell VR kind and byte order of an item from its first element, where they may differ from the sequence's."""
        raw = self._peek(offset, min(8, end - offset))
        if len(raw) < 8:
            return
        if level.is_un:
            level.implicit = (raw[4] | raw[5] << 8) not in _SHORT | _LONG
        elif not raw[level.big]:
            as_little, as_big = to_word(_implicit_little(raw, 0)[0]), to_word(_implicit_big(raw, 0)[0])
            tag, other = (as_big, as_little) if level.big else (as_little, as_big)
            if tag not in vr_table() and other in vr_table():
                self._repair(to_word(other), offset, "the byte order changes inside a sequence", "followed")
                level.big = not level.big

    def _end_item(self, level: _Level) -> None:
        """The position is at, or past, the end of the open item (or of the data set)."""
        here = self.base + self.position
        if here > level.item_end:
            self._overrun(level, here)
        elif level.item_undefined:
            self._repair(None, here, "an item without its delimiter", "ended with what contains it")
        self._close_item(level)

    def _close_item(self, level: _Level) -> None:
        """Close the open item here, and go on with the next one."""
        if level.record < 0:
            self.done = True
            return
        length = self.base + self.position - level.item_start
        if length != level.item_end - level.item_start:
            self._set_length(level.item, length)
        self._next_item(level)

    def _close_sequence(self, level: _Level) -> None:
        self.stack.pop()
        length = self.base + self.position - level.start
        if length != level.end - level.start:
            self._set_length(level.record, length)

    def _overrun(self, level: _Level, here: int) -> None:
        """The last value runs past the end of its item: cut it at the end of the source, else believe it."""
        last, word, offset = self._last()
        if here > self.size:
            present = max(0, self.size - offset)
            self._repair(word, offset, f"a value of {here - offset} bytes, {present} present", "kept what is there")
            self._set_length(last, present)
            self.position = self.size - self.base
        else:
            problem = f"a value that ends {here - level.item_end} bytes after its item"
            self._repair(word, offset, problem, "the item made longer")

    def _marker(self, level: _Level, word: int) -> None:
        """An item or delimiter tag where an element should be."""
        offset = self.base + self.position
        if word == ITEM_DELIMITER and level.item_undefined:
            self._go(offset + 8)
            self._close_item(level)
        elif word == SEQUENCE_DELIMITER and level.undefined and level.item_undefined:
            self._repair(word, offset, "the item before it has no delimiter", "the item ends here")
            self._close_item(level)
        elif word == ITEM and level.item_undefined:
            self._repair(word, offset, "the item before it has no delimiter", "the item ends here")
            self._close_item(level)
        else:
            self._repair(word, offset, "an item or delimiter outside a sequence", "skipped")
            self._go(offset + 8)

    def _fragments(self, level: _Level, word: int, kind: int, offset: int) -> None:
        """Encapsulated pixel data: record every item up to the sequence delimiter (PS3.5 A.4)."""
        record = self._record(word, kind | UNDEFINED_LENGTH, offset, 0)
        at, header = offset, _implicit_big if level.big else _implicit_little
        while True:
            raw = self._peek(at, 8)
            if len(raw) < 8:
                self._repair(word, at, "encapsulated pixel data without its end", "ended with the source")
                at = self.size
                break
            item, length = header(raw, 0)
            if item == ITEM and length != ALL_ONES:
                present = min(length, self.size - at - 8)
                if present < length:
                    self._repair(word, at, f"a fragment of {length} bytes, {present} present", "kept what is there")
                self._record(ITEM, 0, at + 8, present)
                at += 8 + present
            elif item == SEQUENCE_DELIMITER:
                at += 8
                break
            else:
                self._repair(word, at, "encapsulated pixel data without its delimiter", "ended with the last fragment")
                break
            if len(self.new_rows) > 4 * SMALL:
                self._flush()
        self._set_length(record, at - offset)
        self._go(at)

    def _go(self, offset: int) -> None:
        self.position = offset - self.base

    def _holds(self, length: int) -> bool:
        return self.position + length <= len(self.data) or self._slide(length)

    def _uint32(self, position: int, big: bool) -> int:
        return int((_length_big if big else _length_little)(self.data, position)[0])

    def _is_known_sequence(self, level: _Level, word: int, offset: int) -> bool:
        """Whether an element without a VR is a sequence by its tag or private creator, and looks like one."""
        if self._peek(offset, 4) != _ITEM_BYTES[level.big]:
            return False
        tag = to_word(word)
        if not tag & 0x10000:
            return vr_table().get(tag) == "SQ"
        creator = self._private_creator(level, tag)
        return creator is not None and private_vr(creator, tag) == "SQ"

    def _private_creator(self, level: _Level, tag: int) -> str | None:
        """The creator of a private tag's block, from the elements already recorded in this item."""
        self._flush()
        wanted = to_word(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
        for at in range(len(self.rows) - 4, 4 * level.item, -4):
            if self.rows[at] == wanted:
                raw = self._peek(self.rows[at + 3], self.rows[at + 2])
                return raw.decode("latin-1").strip(" \0")
        return None

    def _unreadable(self, word: int, offset: int, problem: str) -> None:
        raise ReadError(
            problem,
            tag=to_word(word),
            offset=offset,
            path=getattr(self.opened.source, "path", None),
            hint="the bytes before it can be read with stop_before=",
        )


def _cut(index: Index, stop_before: int) -> Index:
    """Leave out what follows the first top-level element with a tag of ``stop_before`` or more."""
    if stop_before == ALL_ONES or not index.rows or to_word(index.rows[-4]) < stop_before:
        return index
    for record in index.siblings(0, len(index)):
        if to_word(index.words[record]) >= stop_before:
            return replace(index, rows=index.rows[: 4 * record])
    return index
