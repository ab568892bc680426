"""The coded character sets that Specific Character Set can name, and how one set turns bytes into characters."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Literal, NamedTuple

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_HIGH_BITS = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_PAIRS = re.compile(rb"[\xa1-\xfe]{2}|.", re.DOTALL)
_KATAKANA = re.compile(rb"[\xa1-\xdf]*")


class CodedSet(NamedTuple):
    """One set of ISO 2375 in the role that PS3.3 C.12.1.1.2 gives it.

    Attributes
    ----------
    registration
        Its ISO-IR number.
    kind
        How many characters a byte, or a pair of bytes, chooses from.
    final
        The last byte of its escape sequences.
    codec
        The Python codec that holds it, with each byte's high bit set.
    element
        The code element that DICOM designates it to: 0 (bytes 21-7E) or 1 (bytes A0-FF).
    """

    registration: int
    kind: Literal["94", "96", "94x94"]
    final: bytes
    codec: str
    element: int

    @property
    def wide(self) -> bool:
        """Whether a character takes two bytes."""
        return self.kind == "94x94"

    @property
    def escape(self) -> bytes:
        """The escape sequence that designates it (PS3.3 Tables C.12-3 and C.12-4)."""
        if self.element == 0 and self.wide and self.final in b"@AB":
            return b"\x1b$" + self.final
        return b"\x1b" + _INTERMEDIATE[self.element, self.kind] + self.final

    def decode_high(self, run: bytes) -> str:
        """Decode bytes that all have their high bit set; what has no character becomes U+FFFD."""
        if self is KATAKANA and not _KATAKANA.fullmatch(run):
            return run.decode(self.codec, "replace")
        if self.registration == JIS_X_0212.registration:
            return "".join(_decode_pair(b"\x8f" + pair, self.codec) for pair in _PAIRS.findall(run))
        try:
            return run.decode(self.codec)
        except UnicodeDecodeError:
            if self.wide:
                return "".join(_decode_pair(pair, self.codec) for pair in _PAIRS.findall(run))
            return run.decode(self.codec, "replace")

    def decode_low(self, run: bytes) -> str:
        """Decode bytes without high bit (21-7E, and 20 which is always a space)."""
        if self is ASCII:
            return run.decode("ascii")
        if self is ROMAJI:
            return run.decode("ascii").translate(_TO_ROMAJI)
        pieces = run.translate(_HIGH_BITS).split(b" ")
        return " ".join(self.decode_high(piece) for piece in pieces)

    def encode(self, character: str) -> bytes | None:
        """Encode one character for the code element of this set, or None where the set has no such character."""
        if self is ASCII:
            return character.encode("ascii") if character.isascii() else None
        if self is ROMAJI:
            character = character.translate(_FROM_ROMAJI)
            return character.encode("ascii") if character.isascii() else None
        try:
            coded = character.encode(self.codec)
        except UnicodeEncodeError:
            return None
        if self.registration == JIS_X_0212.registration:
            if len(coded) != 3:
                return None
            coded = coded[1:]
        elif len(coded) != 1 + self.wide or coded[0] < 0xA0 or (self is KATAKANA and coded[0] > 0xDF):
            return None
        return coded if self.element == 1 else bytes(byte & 0x7F for byte in coded)


def _decode_pair(pair: bytes, codec: str) -> str:
    text = pair.decode(codec, "replace")
    return text if len(text) == 1 else REPLACEMENT


_INTERMEDIATE = MappingProxyType(
    {(0, "94"): b"(", (1, "94"): b")", (1, "96"): b"-", (0, "94x94"): b"$(", (1, "94x94"): b"$)"}
)
_TO_ROMAJI = MappingProxyType({0x5C: "\N{YEN SIGN}", 0x7E: "\N{OVERLINE}"})
# The two ASCII characters that ISO-IR 14 lacks must not pass for the two that it has.
_FROM_ROMAJI = MappingProxyType({0xA5: "\\", 0x203E: "~", 0x5C: REPLACEMENT, 0x7E: REPLACEMENT})

ASCII = CodedSet(6, "94", b"B", "ascii", 0)
ROMAJI = CodedSet(14, "94", b"J", "ascii", 0)
KATAKANA = CodedSet(13, "94", b"I", "shift_jis", 1)
JIS_X_0208 = CodedSet(87, "94x94", b"B", "euc_jp", 0)
JIS_X_0212 = CodedSet(159, "94x94", b"D", "euc_jp", 0)
LATIN_1 = CodedSet(100, "96", b"A", "iso8859_1", 1)

HIGH_SETS = MappingProxyType(
    {
        coded.registration: coded
        for coded in (
            LATIN_1,
            CodedSet(101, "96", b"B", "iso8859_2", 1),
            CodedSet(109, "96", b"C", "iso8859_3", 1),
            CodedSet(110, "96", b"D", "iso8859_4", 1),
            CodedSet(126, "96", b"F", "iso8859_7", 1),
            CodedSet(127, "96", b"G", "iso8859_6", 1),
            CodedSet(138, "96", b"H", "iso8859_8", 1),
            CodedSet(144, "96", b"L", "iso8859_5", 1),
            CodedSet(148, "96", b"M", "iso8859_9", 1),
            CodedSet(166, "96", b"T", "tis_620", 1),
            CodedSet(203, "96", b"b", "iso8859_15", 1),
            KATAKANA,
            CodedSet(58, "94x94", b"A", "gb2312", 1),
            CodedSet(149, "94x94", b"C", "euc_kr", 1),
        )
    }
)
"""The sets of code element 1 by ISO-IR number."""

LOW_SETS = MappingProxyType({coded.registration: coded for coded in (ASCII, ROMAJI, JIS_X_0208, JIS_X_0212)})
"""The sets of code element 0 by ISO-IR number."""


def _escapes() -> dict[bytes, CodedSet]:
    """Return every escape sequence that is understood: those of PS3.3, and each set in the other code element."""
    found: dict[bytes, CodedSet] = {}
    for coded in (*HIGH_SETS.values(), *LOW_SETS.values()):
        for element in (0, 1):
            if (element, coded.kind) in _INTERMEDIATE:
                role = coded if element == coded.element else coded._replace(element=element)
                found[role.escape] = role
                if role.wide:
                    found[b"\x1b" + _INTERMEDIATE[element, "94x94"] + role.final] = role
    found[b"\x1b$@"] = found[b"\x1b$(@"] = JIS_X_0208  # the edition of 1978, ISO-IR 42
    return found


ESCAPES = MappingProxyType(_escapes())
"""The coded set that each escape sequence designates, in the code element that it names."""

ESCAPE_PATTERN = re.compile(b"|".join(re.escape(escape) for escape in sorted(ESCAPES, key=len, reverse=True)))
