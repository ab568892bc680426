"""Specific Character Set (0008,0005) as a value: text from bytes and bytes from text, with code extensions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from dicomkit.errors import ValueFormatError
from dicomkit.values.charset_terms import STAND_ALONE, defined_terms
from dicomkit.values.coded_sets import (
    ASCII,
    ESCAPE_PATTERN,
    ESCAPES,
    HIGH_SETS,
    KATAKANA,
    LATIN_1,
    LOW_SETS,
    REPLACEMENT,
    ROMAJI,
    CodedSet,
)

TEXT_DELIMITERS = ""
"""What ends a run of code extension in ST, LT and UT: only control characters."""
VALUE_DELIMITERS = "\\"
"""The same in SH, LO and UC."""
NAME_DELIMITERS = "\\^="
"""The same in PN."""

_WIDE_RUN = re.compile(rb"(?:[\x21-\x7e]{2}|[\x20\x80-\xff])++")
_HIGH_OR_LOW = re.compile(rb"[\x80-\xff]+|[\x00-\x7f]+")
_CONTROLS = "".join(map(chr, (*range(0x20), 0x7F)))


@cache
def _narrow_run(delimiters: str) -> re.Pattern[bytes]:
    return re.compile(b"[^" + re.escape((_CONTROLS + delimiters).encode("ascii")) + b"]+")


@cache
def _reset_points(delimiters: str) -> re.Pattern[str]:
    return re.compile("([" + re.escape(_CONTROLS + delimiters) + "])")


@dataclass(frozen=True, slots=True)
class Charset:
    """The character repertoire of a data set (PS3.5 6.1, PS3.3 C.12.1.1.2). Make one with :meth:`Charset.of`.

    Attributes
    ----------
    terms
        The values of Specific Character Set as the standard spells them; empty for the default repertoire.
    problems
        What was wrong with the values as they were written.
    written
        The values as they were written.
    stand_alone
        The Python codec of UTF-8, GB18030 or GBK, which allow no code extension; ``""`` for the others.
    low, high
        The sets that are active where a value, line or name component begins; high may be None.
    declared
        All sets that may be used, in order of preference.
    ascii_safe
        Whether bytes without ESC and without high bits are ASCII.

    Examples
    --------
    >>> japanese = Charset.of(["", "ISO 2022 IR 87"])
    >>> japanese.encode("Yamada=山田", "\\\\^=")
    b'Yamada=\\x1b$B;3ED\\x1b(B'
    >>> japanese.decode(b"Yamada=\\x1b$B;3ED\\x1b(B", "\\\\^=")
    'Yamada=山田'
    >>> Charset.of("ISO-IR 100").problems
    ("'ISO-IR 100' is no defined term; read as 'ISO_IR 100'",)
    """

    terms: tuple[str, ...]
    problems: tuple[str, ...]
    written: tuple[str, ...]
    stand_alone: str
    low: CodedSet
    high: CodedSet | None
    declared: tuple[CodedSet, ...]
    ascii_safe: bool

    @classmethod
    def of(cls, specific_character_set: str | Sequence[str] | None) -> Charset:
        """Understand the values of Specific Character Set, however they are spelt; never fails.

        Parameters
        ----------
        specific_character_set
            One or several defined terms, one string with backslashes, or None where the element is absent.
        """
        if not specific_character_set:
            return DEFAULT
        if isinstance(specific_character_set, str):
            specific_character_set = specific_character_set.split("\\")
        return _charset(tuple("" if term is None else str(term).strip(" \0") for term in specific_character_set))

    @property
    def python_name(self) -> str:
        """The Python codec that holds the set of value 1."""
        return self.stand_alone or (self.high.codec if self.high else "ascii")

    def decode(self, raw: bytes, delimiters: str = TEXT_DELIMITERS, problems: list[str] | None = None) -> str:
        """Turn bytes into text; never fails: what has no character becomes U+FFFD.

        Parameters
        ----------
        raw
            The bytes of a whole value field, padding included or not.
        delimiters
            The ASCII characters besides control characters at which the initial sets are active again: ``"\\\\"`` for
            SH, LO and UC, ``"\\\\^="`` for PN, none for ST, LT and UT. They come out as themselves.
        problems
            A list that takes what breaks the rules of code extension.
        """
        extended = 0x1B in raw
        if self.ascii_safe and not extended and raw.isascii():
            return raw.decode()
        if self.stand_alone:
            return self._decode_stand_alone(raw, problems)
        if self.high is not None and not extended:
            try:
                text = raw.decode(self.high.codec)
            except UnicodeDecodeError:
                pass
            else:
                if self.low is ROMAJI:
                    return self._decode_romaji(text, raw, delimiters, problems)
                return text
        return self._decode_extended(raw, delimiters, problems)

    def _decode_stand_alone(self, raw: bytes, problems: list[str] | None) -> str:
        if problems is not None and 0x1B in raw:
            problems.append(f"an escape sequence, which {self.terms[0]} does not allow")
        try:
            return raw.decode(self.stand_alone)
        except UnicodeDecodeError as error:
            if problems is not None:
                problems.append(f"byte {raw[error.start]:02X} at {error.start} is not {self.terms[0]}")
        # GB 18030 is a superset of GBK, and often what is meant by it.
        return raw.decode("gb18030" if self.stand_alone == "gbk" else self.stand_alone, "replace")

    def _decode_romaji(self, text: str, raw: bytes, delimiters: str, problems: list[str] | None) -> str:
        """Mend the two characters in which ISO-IR 14 differs from what the codec took it for."""
        if problems is not None and len(text) < len(raw):
            problems.append("Shift JIS, which is no character set of DICOM")
        text = text.replace("~", "\N{OVERLINE}")
        return text if "\\" in delimiters else text.replace("\\", "\N{YEN SIGN}")

    def _decode_extended(self, raw: bytes, delimiters: str, problems: list[str] | None) -> str:
        """Decode run by run, tracking which sets are active."""
        out: list[str] = []
        found: dict[str, None] = {}
        low, high = self.low, self.high
        narrow = _narrow_run(delimiters)
        ends = delimiters.encode("ascii")
        position, size = 0, len(raw)
        while position < size:
            byte = raw[position]
            if byte == 0x1B and (escape := ESCAPE_PATTERN.match(raw, position)):
                position = escape.end()
                coded = ESCAPES[escape[0]]
                if coded.element == 0:
                    low = coded
                else:
                    high = coded
                if coded not in self.declared:
                    found[f"escape sequence to ISO-IR {coded.registration}, which is not declared"] = None
            elif run := (_WIDE_RUN if low.wide else narrow).match(raw, position):
                position = run.end()
                out.append(self._decode_run(run[0], low, high, found))
            else:
                position += 1
                if low.wide and 0x20 < byte < 0x7F and byte not in ends:
                    out.append(REPLACEMENT)
                    continue
                out.append(chr(byte))
                if low is not self.low or high is not self.high:
                    found |= self._not_reset(low, high)
                low, high = self.low, self.high
        if problems is not None:
            problems += found | self._not_reset(low, high)
        return "".join(out)

    def _decode_run(self, run: bytes, low: CodedSet, high: CodedSet | None, problems: dict[str, None]) -> str:
        if high is not None:
            return _decode_mixed(run, low, high)
        if run.isascii():
            return low.decode_low(run)
        # A missing escape sequence: take the first declared set that these bytes can belong to.
        candidates = [coded for coded in self.declared if coded.element == 1]
        for candidate in (*candidates, LATIN_1):
            text = _decode_mixed(run, low, candidate)
            if REPLACEMENT not in text:
                break
        problems[f"bytes above 7F that no set is designated for, read as ISO-IR {candidate.registration}"] = None
        return text

    def _not_reset(self, low: CodedSet, high: CodedSet | None) -> dict[str, None]:
        """Name the sets that should have been switched back (PS3.5 6.1.2.5.3)."""
        left = [low] if low != self.low else []
        if high is not None and self.high is not None and high != self.high:
            left.append(high)
        where = "still active at the end of a value, line or name component"
        return {f"ISO-IR {coded.registration} {where}": None for coded in left}

    def encode(self, text: str, delimiters: str = TEXT_DELIMITERS) -> bytes:
        """Turn text into bytes, with the escape sequences that it needs.

        Parameters
        ----------
        text
            A whole value field without padding.
        delimiters
            As for :meth:`decode`.

        Raises
        ------
        ValueFormatError
            When the sets declared lack a character; the message names it.
        """
        if "\x1b" in text:
            raise ValueFormatError("the character ESC can't be part of a text (PS3.5 6.1.3)")
        if self.ascii_safe and text.isascii():
            return text.encode("ascii")
        if self.stand_alone:
            try:
                return text.encode(self.stand_alone)
            except UnicodeEncodeError as error:
                raise self._unencodable(text[error.start]) from None
        return b"".join(
            piece.encode("ascii") if index % 2 else self._encode_run(piece, delimiters)
            for index, piece in enumerate(_reset_points(delimiters).split(text))
        )

    def _encode_run(self, run: str, delimiters: str) -> bytes:
        """Encode text between two points where the initial sets are active."""
        out = bytearray()
        low, high = self.low, self.high
        for character in run:
            coded, found = self._find(character, delimiters)
            if coded.element == 0 and coded != low:
                low = coded
                out += coded.escape
            elif coded.element == 1:
                if low.wide:  # readers that don't keep two code elements apart would take it for a part of G0
                    low = self.low
                    out += low.escape
                if coded != high:
                    high = coded
                    out += coded.escape
            out += found
        if low != self.low:
            out += self.low.escape
        if self.high is not None and high != self.high:
            out += self.high.escape
        return bytes(out)

    def _find(self, character: str, delimiters: str) -> tuple[CodedSet, bytes]:
        """Return the first declared set that has a character, and its bytes."""
        for coded in self.declared:
            found = coded.encode(character)
            # A yen sign of ISO-IR 14 has the code of a backslash: as part of a value it can't be told from one.
            if found is not None and not (coded is ROMAJI and found == b"\\" and delimiters):
                return coded, found
        raise self._unencodable(character)

    def _unencodable(self, character: str) -> ValueFormatError:
        repertoire = "\\".join(self.terms) if any(self.terms) else "the default repertoire"
        return ValueFormatError(
            f"the character {character!r} (U+{ord(character):04X}) is not in {repertoire}",
            hint="a SpecificCharacterSet of 'ISO_IR 192' has every character",
        )

    def __repr__(self) -> str:
        return f"Charset.of({list(self.terms) or None!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _charset, (self.written,)


def _decode_mixed(run: bytes, low: CodedSet, high: CodedSet) -> str:
    """Decode bytes of two code elements, among them no delimiter of any kind."""
    if low is ASCII and high is not KATAKANA and high.registration != 159:
        try:
            return run.decode(high.codec)
        except UnicodeDecodeError:
            pass
    return "".join(
        low.decode_low(part) if part[0] < 0x80 else high.decode_high(part) for part in _HIGH_OR_LOW.findall(run)
    )


@lru_cache(256)
def _charset(written: tuple[str, ...]) -> Charset:
    """Build the value for the terms as they were written."""
    terms, problems = defined_terms(written)
    if not terms or terms == [""]:
        return Charset((), tuple(problems), written, "", ASCII, None, (ASCII,), True)
    if terms[0] in STAND_ALONE:
        return Charset((terms[0],), tuple(problems), written, STAND_ALONE[terms[0]], ASCII, None, (), True)
    low, high = ASCII, None
    declared: list[CodedSet] = []
    for index, term in enumerate(terms):
        number = int(term.rpartition(" ")[2]) if term else 6
        if number in LOW_SETS:
            sets = [LOW_SETS[number]]
        elif number == 13:
            sets = [ROMAJI, KATAKANA]
        else:
            sets = [HIGH_SETS[number]] if HIGH_SETS[number].wide else [ASCII, HIGH_SETS[number]]
        if index == 0:
            first = sets[0]
            if first.wide:
                problems.append(f"{term!r} can't be value 1; the default repertoire is assumed there")
                declared.append(ASCII)
            else:
                low = first
                high = sets[1] if len(sets) > 1 else None
        declared.extend(coded for coded in sets if coded not in declared)
    return Charset(tuple(terms), tuple(problems), written, "", low, high, tuple(declared), low is ASCII)


DEFAULT = _charset(())
"""The default repertoire, ISO-IR 6, which holds where Specific Character Set is absent."""
UNDECIDED = replace(_charset(("ISO_IR 192",)), terms=())
"""All of Unicode: of a value that is not in a data set yet, so that it is open which repertoire it has to be in."""
