"""One element as a value: tag, VR and value, with what its bytes were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dicomkit.dataset.value_text import value_text
from dicomkit.errors import ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.standard.attributes import vr_of
from dicomkit.values.charset import DEFAULT, NAME_DELIMITERS, TEXT_DELIMITERS, UNDECIDED, VALUE_DELIMITERS, Charset
from dicomkit.values.decode import decode_problems, decode_value
from dicomkit.values.encode import encode_value
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag, TagLike
from dicomkit.values.vr import VRS

UTF8 = Charset.of("ISO_IR 192")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an element was read.

    Attributes
    ----------
    offset, length
        Of its value, in bytes of the source.
    vr_origin
        ``"header"``, ``"dictionary"``, ``"private dictionary"`` or ``"unknown"``.
    big_endian, charset
        How its bytes are to be understood.
    """

    offset: int
    length: int
    vr_origin: str
    big_endian: bool
    charset: Charset


@dataclass(frozen=True, slots=True)
class Element:
    """A data element (PS3.5 7.1).

    Attributes
    ----------
    value
        What Python sees: None when empty, a scalar, or a tuple of several values.
    raw
        The bytes of the value as they were read, or of a number's text as it was given; None for a new value.
    origin
        Where it was read; None for a new element.

    Examples
    --------
    >>> element = Element.of("SliceThickness", "1.50")
    >>> element.value, element.text, element.vr
    (1.5, '1.50', 'DS')
    """

    tag: Tag
    vr: str
    value: Any
    raw: bytes | Bulk | None = field(default=None, compare=False, repr=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, tag: TagLike, value: object, vr: str | None = None) -> Element:
        """Make an element from a Python value, checked against the rules of its VR.

        Parameters
        ----------
        vr
            Needed only for a private element, or one that the dictionary doesn't know.

        Raises
        ------
        ValueFormatError
            When the value does not fit the VR, or no VR is known.

        Examples
        --------
        >>> Element.of((0x0009, 0x1001), "x", "LO")
        Element((0009,1001) LO ? = x)
        """
        tag = Tag.of(tag)
        vr = vr or _dictionary_vr(tag, value)
        if vr not in VRS:
            raise ValueFormatError(f"{vr!r} is not a VR of PS3.5", tag=tag)
        kind = VRS[vr].kind
        if value is None or (isinstance(value, (str, bytes, tuple, list)) and len(value) == 0):
            return cls(tag, vr, () if kind == "sequence" else None)
        if kind == "sequence":
            return cls(tag, vr, _items(tag, value))
        if isinstance(value, (Bulk, Fragments)):
            return cls(tag, vr, value)
        try:
            raw = encode_value(vr, value, charset=UNDECIDED)
        except ValueFormatError as error:
            raise ValueFormatError(error.message, tag=tag, hint=error.hint) from None
        if kind == "bulk":
            return cls(tag, vr, raw)
        kept = raw if kind == "number_text" else None
        return cls(tag, vr, decode_value(vr, raw, charset=UTF8), kept)

    @property
    def keyword(self) -> str:
        """The keyword of PS3.6, or ``""``."""
        return self.tag.keyword

    @property
    def name(self) -> str:
        """The name of PS3.6, or ``""``."""
        return self.tag.name

    @property
    def vm(self) -> int:
        """How many values there are; items of a sequence do not count as values."""
        if self.value is None:
            return 0
        return len(self.value) if isinstance(self.value, tuple) and self.vr != "SQ" else 1

    @property
    def text(self) -> str:
        """The value as text, values separated by backslashes; numbers as they were written."""
        if isinstance(self.raw, bytes) and VRS[self.vr].kind in ("text", "number_text"):
            row = VRS[self.vr]
            # A backslash between numbers is none of the character set: ISO_IR 13 has a yen sign there.
            charset = DEFAULT if not row.charset else UTF8 if self.origin is None else self.origin.charset
            delimiters = NAME_DELIMITERS if row.name == "PN" else VALUE_DELIMITERS if row.multi else TEXT_DELIMITERS
            return charset.decode(self.raw, delimiters).strip(" \0")
        if self.value is None:
            return ""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return "\\".join("" if value is None else str(value) for value in values)

    @property
    def problems(self) -> tuple[str, ...]:
        """What about the bytes of this element breaks the rules of its VR (PS3.5 6.2)."""
        if self.origin is None or not isinstance(self.raw, bytes):
            return ()
        origin = self.origin
        return decode_problems(self.vr, self.raw, big_endian=origin.big_endian, charset=origin.charset, tag=self.tag)

    def __repr__(self) -> str:
        return f"Element({self.tag} {self.vr} {self.keyword or '?'} = {value_text(self.value, 60)})"


def _items(tag: Tag, value: Any) -> tuple[Any, ...]:
    items = (value,) if isinstance(value, Mapping) else tuple(value)
    if not all(isinstance(item, Mapping) and hasattr(item, "elements") for item in items):
        hint = "give DataSets; DataSet() and assign() also take dicts for them, but not within an Element"
        raise ValueFormatError("a sequence holds data sets", tag=tag, hint=hint)
    return items


def _dictionary_vr(tag: Tag, value: object) -> str:
    """The VR of the dictionary; where it leaves a choice, the one that the value asks for."""
    vr = vr_of(tag)
    if vr is None:
        raise ValueFormatError("no VR is known", tag=tag, hint="give one: Element.of(tag, value, 'LO')")
    if "|" not in vr:
        return vr
    if "OB" in vr or isinstance(value, (bytes, bytearray, memoryview, Bulk, Fragments)):
        return "OB" if isinstance(value, Fragments) else "OW"
    values = value if isinstance(value, (tuple, list)) else (value,)
    return "SS" if any(isinstance(number, int) and number < 0 for number in values) else "US"
