"""Sequences, their items, and encapsulated pixel data: what opens and closes, also where lengths and delimiters lie."""

from __future__ import annotations

from dicomkit.dataset.index import (
    BIG_ENDIAN,
    IMPLICIT_CONTENT,
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    to_word,
)
from dicomkit.dataset.nesting import MAX_DEPTH
from dicomkit.encoding.headers import ALL_ONES, IMPLICIT, LONG, MARKERS, SHORT, implicit_big, implicit_little
from dicomkit.encoding.regular import SMALL
from dicomkit.encoding.scan_state import Level, ScanState
from dicomkit.standard.attributes import vr_table

_NO_DELIMITER = "the item before it has no delimiter"
_OTHER_ORDER = "the byte order changes inside a sequence"


class ScanItems(ScanState):
    """Opens and closes the levels of the stack."""

    def _open_sequence(
        self, level: Level, word: int, kind: int, offset: int, length: int | None, *, is_un: bool = False
    ) -> None:
        if len(self.stack) > MAX_DEPTH:
            self._unreadable(word, offset, f"sequences nested more than {MAX_DEPTH} deep")
        undefined = length is None
        end = level.item_end if length is None else offset + length
        if end > self.size:
            self._repair(word, offset, f"the sequence ends {end - self.size} bytes past the end", "cut there")
            end = self.size
        record = self._record(word, kind | UNDEFINED_LENGTH if undefined else kind, offset, end - offset)
        opened = Level(record, offset, end, undefined, level.implicit or is_un, level.big, is_un)
        self.stack.append(opened)
        self._go(offset)
        self._next_item(opened)

    def _next_item(self, level: Level) -> None:
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
            word, length = IMPLICIT[level.big](self.data, self.position)
            if word not in MARKERS:
                other, its_length = IMPLICIT[not level.big](self.data, self.position)
                if other in MARKERS:
                    self._repair(other, offset, _OTHER_ORDER, "followed")
                    level.big = not level.big
                    word, length = other, its_length
            if word == ITEM:
                self._open_item(level, offset + 8, length)
                return
            if word == SEQUENCE_DELIMITER and level.undefined:
                self._go(offset + 8)
                self._close_sequence(level)
                return
            if word not in MARKERS:
                self._no_item(level, word, offset)
                return
            self._repair(word, offset, "a delimiter that delimits nothing", "skipped")
            self._go(offset + 8)

    def _no_item(self, level: Level, word: int, offset: int) -> None:
        """An element where an item should be: a length is wrong, that of the sequence or of the item before."""
        problem = "an element where an item of a sequence should be"
        if level.item >= 0 and not level.undefined and to_word(word) < to_word(self._word(level.record)):
            self._repair(word, offset, problem, "taken for one of the item before it, made longer")
            level.item_end = level.end
            self._set_length(level.item, level.end - level.item_start)
        else:
            self._repair(word, offset, problem, "the sequence ends here")
            self._close_sequence(level)

    def _open_item(self, level: Level, offset: int, length: int) -> None:
        undefined = length == ALL_ONES
        end = level.end if undefined else offset + length
        if end > self.size:
            self._repair(ITEM, offset, f"the item ends {end - self.size} bytes past the end", "cut there")
            end = self.size
        elif end > level.end:
            problem = f"the item ends {end - level.end} bytes after what contains it"
            self._repair(ITEM, offset, problem, "believed the item")
        self._go(offset)
        position = self.position
        if level.is_un or position + 8 > len(self.data) or not self.data[position + level.big]:
            self._settle_item_encoding(level, offset, end)
        flags = self._item_flags(level) | (UNDEFINED_LENGTH if undefined else 0)
        level.item = self._record(ITEM, flags, offset, end - offset)
        level.item_start = offset
        level.item_end = end
        level.item_undefined = undefined

    def _item_flags(self, level: Level) -> int:
        implicit = IMPLICIT_CONTENT if level.implicit != self.syntax.implicit_vr else 0
        return implicit | BIG_ENDIAN if level.big != self.syntax.big_endian else implicit

    def _settle_item_encoding(self, level: Level, offset: int, end: int) -> None:
        """Tell VR kind and byte order of an item from its first element, where they may differ from the sequence's."""
        raw = self._peek(offset, min(8, end - offset))
        if len(raw) < 8:
            return
        if level.is_un:
            vr = raw[4] | raw[5] << 8
            level.implicit = vr not in SHORT and vr not in LONG
        elif not raw[level.big]:
            as_little, as_big = to_word(implicit_little(raw, 0)[0]), to_word(implicit_big(raw, 0)[0])
            tag, other = (as_big, as_little) if level.big else (as_little, as_big)
            if tag not in vr_table() and other in vr_table():
                self._repair(to_word(other), offset, _OTHER_ORDER, "followed")
                level.big = not level.big

    def _end_item(self, level: Level) -> None:
        """The position is at, or past, the end of the open item (or of the data set)."""
        here = self.base + self.position
        if here > level.item_end:
            self._overrun(level, here)
        elif level.item_undefined:
            self._repair(None, here, "an item without its delimiter", "ended with what contains it")
        self._close_item(level)

    def _close_item(self, level: Level) -> None:
        """Close the open item here, and go on with the next one."""
        if level.record < 0:
            self.done = True
            return
        length = self.base + self.position - level.item_start
        if length != level.item_end - level.item_start:
            self._set_length(level.item, length)
        self._next_item(level)

    def _close_sequence(self, level: Level) -> None:
        self.stack.pop()
        length = self.base + self.position - level.start
        if length != level.end - level.start:
            self._set_length(level.record, length)

    def _overrun(self, level: Level, here: int) -> None:
        """The last value runs past the end of its item: cut it at the end of the source, else believe it."""
        last, word = self._last()
        offset, _ = self._last_value()
        if here > self.size:
            present = max(0, self.size - offset)
            self._repair(word, offset, f"a value of {here - offset} bytes, {present} present", "kept what is there")
            self._set_length(last, present)
            self.position = self.size - self.base
        else:
            problem = f"a value that ends {here - level.item_end} bytes after its item"
            self._repair(word, offset, problem, "the item made longer")

    def _marker(self, level: Level, word: int) -> None:
        """An item or delimiter tag where an element should be."""
        offset = self.base + self.position
        if word == ITEM_DELIMITER and level.item_undefined:
            self._go(offset + 8)
            self._close_item(level)
        elif word == ITEM and level.record >= 0:
            problem = _NO_DELIMITER if level.item_undefined else "an item before the end of the one before it"
            self._repair(word, offset, problem, "the item before it ends here")
            self._close_item(level)
        elif word == SEQUENCE_DELIMITER and level.undefined and level.item_undefined and not self._is_stray(level):
            self._repair(word, offset, _NO_DELIMITER, "the item ends here")
            self._close_item(level)
        else:
            self._repair(word, offset, "an item or delimiter outside a sequence", "skipped")
            self._go(offset + 8)

    def _is_stray(self, level: Level) -> bool:
        """Whether the delimiter here is one too many: the item that is open has its own one after it."""
        after = self._peek(self.base + self.position + 8, 8)
        return len(after) == 8 and IMPLICIT[level.big](after, 0)[0] == ITEM_DELIMITER

    def _fragments(self, level: Level, word: int, kind: int, offset: int) -> None:
        """Encapsulated pixel data: record every item up to the sequence delimiter (PS3.5 A.4)."""
        record = self._record(word, kind | UNDEFINED_LENGTH, offset, 0)
        at, header = offset, IMPLICIT[level.big]
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
            if len(self.new_rows) > SMALL:
                self._flush()
        self._set_length(record, at - offset)
        self._go(at)
