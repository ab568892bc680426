"""Single elements that are not short and plain: long values, open VRs, and headers that break the rules."""

from __future__ import annotations

from dicomkit.dataset.context import AMBIGUOUS_TABLE, AMBIGUOUS_WORD
from dicomkit.dataset.index import to_word, vr_word
from dicomkit.encoding.headers import ALL_ONES, EXPLICIT, IMPLICIT, ITEM_BYTES, LONG, MARKERS, SHORT, SQ, UN
from dicomkit.encoding.implied_vr import implied_kind, private_vr
from dicomkit.encoding.regular import SMALL
from dicomkit.encoding.scan_items import ScanItems
from dicomkit.encoding.scan_state import Level
from dicomkit.standard.attributes import vr_of, vr_table

_IMPLIED_LONG = frozenset((*LONG, vr_word(AMBIGUOUS_TABLE), vr_word(AMBIGUOUS_WORD)))
_BULK = frozenset(map(vr_word, ("OB", "OD", "OF", "OL", "OV", "OW", AMBIGUOUS_TABLE, AMBIGUOUS_WORD)))
_EXPLICIT_IN_IMPLICIT = ("explicit VR in a data set in implicit VR", "read as explicit VR")


class ScanElements(ScanItems):
    """Settles what an element is, and records it."""

    def _other_explicit(self, level: Level, word: int, vr: int, length: int) -> None:
        """An element in explicit VR that is no short, plain one."""
        offset = self.base + self.position
        if vr in LONG:
            if self._holds(12):
                self._element(level, word, vr, offset + 12, self._uint32(self.position + 8, level.big))
        elif word in MARKERS:
            self._marker(level, word)
        else:
            self._odd_vr(level, word, vr, length)

    def _other_implicit(self, level: Level, word: int, length: int) -> None:
        """An element in implicit VR that is not a plain one of the dictionary."""
        offset = self.base + self.position
        if word in MARKERS:
            self._marker(level, word)
            return
        if (length != ALL_ONES and length > level.item_end - offset - 8) or length & 0xFFFF > 0x4040:
            _, vr, short = EXPLICIT[level.big](self._peek(offset, 8), 0)
            if (vr in SHORT or vr in LONG) and self._is_explicit(level, word, vr, offset, short, length):
                self._repair(word, offset, *_EXPLICIT_IN_IMPLICIT)
                if vr in SHORT:
                    self._plain(word, vr, offset + 8, short)
                elif self._holds(12):
                    self._element(level, word, vr, offset + 12, self._uint32(self.position + 8, level.big))
                return
        self._element(level, word, implied_kind(to_word(word)), offset + 8, length)

    def _is_explicit(self, level: Level, word: int, vr: int, offset: int, short: int, length: int) -> bool:
        """Whether what would be a length in implicit VR is a VR with its length."""
        room = level.item_end - offset - 8
        letters = (vr & 0xFFFF).to_bytes(2, "little").decode()
        if (vr in LONG and short) or (vr in SHORT and short > room):
            return False
        if letters in (vr_of(to_word(word)) or "").split("|"):
            return True
        if length <= room:  # the next header of one of the two readings makes sense
            after, far = offset + 8 + short, offset + 8 + length
            return vr in SHORT and self._is_header(after, word, level.big) > self._is_header(far, word, level.big)
        return True

    def _is_header(self, offset: int, before: int, big: bool) -> bool:
        """Whether the next element could be at an offset: tags ascend."""
        raw = self._peek(offset, 8)
        return offset == self.size or (len(raw) == 8 and to_word(before) < to_word(IMPLICIT[big](raw, 0)[0]))

    def _odd_vr(self, level: Level, word: int, vr: int, short: int) -> None:
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
                self._plain(word, UN, offset + 12, long)
                return
            if short <= room - 8:
                self._repair(word, offset, problem, "read as UN of the short form")
                self._plain(word, UN, offset + 8, short)
                return
        length = self._uint32(self.position + 4, level.big)
        kind = implied_kind(to_word(word))
        problem = f"no VR of PS3.5 in the header ({letters!r})"
        if length <= room - 8 or (length == ALL_ONES and self._peek(offset + 8, 4) == ITEM_BYTES[level.big]):
            self._repair(word, offset, problem, "read as implicit VR")
            self._element(level, word, kind, offset + 8, length)
        elif raw[6:8] == b"\0\0" and kind & 0xFFFF in _IMPLIED_LONG and self._holds(12):
            self._repair(word, offset, problem, "VR taken from the dictionary")
            self._element(level, word, kind, offset + 12, self._uint32(self.position + 8, level.big))
        elif short <= room - 8:
            self._repair(word, offset, problem, "VR taken from the dictionary" if kind else "read as UN")
            self._plain(word, kind or UN, offset + 8, short)
        else:
            self._unreadable(word, offset, f"{problem}, and no length that fits")

    def _element(self, level: Level, word: int, kind: int, offset: int, length: int) -> None:
        """Record an element of any VR and length, and open it where it has items."""
        vr = kind & 0xFFFF
        if level.record < 0 and to_word(word) >= self.stop_before:
            self.done = True
        elif length == ALL_ONES:
            self._undefined_length(level, word, kind, offset)
        elif vr == SQ:
            self._open_sequence(level, word, kind, offset, length)
        elif vr in (UN, 0) and length >= 8 and self._is_known_sequence(level, word, offset):
            self._open_sequence(level, word, kind, offset, length, is_un=vr == UN)
        else:
            self._plain(word, kind, offset, length)

    def _plain(self, word: int, kind: int, offset: int, length: int) -> None:
        """Record an element and step over its value; one that runs past the end of the source is cut there later."""
        self._record(word, kind, offset, length)
        self._go(offset + length)

    def _undefined_length(self, level: Level, word: int, kind: int, offset: int) -> None:
        vr, tag = kind & 0xFFFF, to_word(word)
        if vr == SQ or (vr in (UN, 0) and tag >> 16 != 0x7FE0):
            self._open_sequence(level, word, kind, offset, None, is_un=vr == UN)
        elif tag >> 16 == 0x7FE0 or (vr in _BULK and self._peek(offset, 4) == ITEM_BYTES[level.big]):
            self._fragments(level, word, kind, offset)
        elif self._peek(offset, 4) == ITEM_BYTES[level.big]:
            self._repair(word, offset, "items in an element that is no sequence", "read as a sequence")
            self._open_sequence(level, word, SQ, offset, None)
        else:
            self._unreadable(word, offset, "a value of undefined length that holds no items")

    def _is_known_sequence(self, level: Level, word: int, offset: int) -> bool:
        """Whether an element without a VR is a sequence by its tag or private creator, and looks like one."""
        if self._peek(offset, 4) != ITEM_BYTES[level.big]:
            return False
        tag = to_word(word)
        if not tag & 0x10000:
            return vr_table().get(tag) == "SQ"
        creator = self._private_creator(level, tag)
        return creator is not None and private_vr(creator, tag) == "SQ"
