"""A tag is the number that names a data element: its group in the upper 16 bits, its element in the lower."""

from __future__ import annotations

import re
from typing import TypeAlias

from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import attribute, keyword_of, tag_of

TagLike: TypeAlias = "int | str | tuple[int, int]"

_HEX = re.compile(r"\(?\s*([0-9A-Fa-f]{4})\s*,?\s*([0-9A-Fa-f]{4})\s*\)?")


class Tag(int):
    """A data element tag (PS3.5 7.1): an integer that shows itself as ``(gggg,eeee)``.

    Examples
    --------
    >>> Tag.of("PatientName"), Tag.of((0x0028, 0x0010)).keyword
    (Tag(0x00100010), 'Rows')
    >>> str(Tag(0x00091001)), Tag(0x00091001).is_private
    ('(0009,1001)', True)
    """

    __slots__ = ()

    @classmethod
    def of(cls, tag: TagLike) -> Tag:
        """Read a tag from an integer, a (group, element) pair, a keyword, ``"(gggg,eeee)"`` or ``"ggggeeee"``.

        Raises
        ------
        ValueFormatError
            When it is none of these, or the keyword is not in the dictionary.
        """
        if isinstance(tag, Tag):
            return tag
        if isinstance(tag, int):
            if not 0 <= tag <= 0xFFFFFFFF:
                raise ValueFormatError(f"{tag!r} is not a tag: tags have 32 bits")
            return cls(tag)
        if isinstance(tag, str):
            number = tag_of(tag)
            if number is not None:
                return cls(number)
            if match := _HEX.fullmatch(tag.strip()):
                return cls(int(match[1] + match[2], 16))
            raise ValueFormatError(f"{tag!r} is neither a keyword of PS3.6 nor a tag such as '(0010,0010)'")
        if isinstance(tag, tuple) and len(tag) == 2 and all(isinstance(part, int) for part in tag):
            group, element = tag
            if 0 <= group <= 0xFFFF and 0 <= element <= 0xFFFF:
                return cls(group << 16 | element)
        raise ValueFormatError(f"{tag!r} is not a tag: give a keyword, a number or a (group, element) pair")

    @property
    def group(self) -> int:
        """The group number."""
        return self >> 16

    @property
    def element(self) -> int:
        """The element number within the group."""
        return self & 0xFFFF

    @property
    def is_private(self) -> bool:
        """Whether the group is odd (PS3.5 7.8)."""
        return bool(self & 0x10000)

    @property
    def is_private_creator(self) -> bool:
        """Whether the element reserves a private block: (gggg,0010-00FF), gggg odd (PS3.5 7.8.1)."""
        return bool(self & 0x10000) and 0x10 <= self & 0xFFFF <= 0xFF

    @property
    def keyword(self) -> str:
        """The keyword of PS3.6, or ``""`` where there is none."""
        return keyword_of(self) or ""

    @property
    def name(self) -> str:
        """The name of PS3.6, or ``""`` where there is none."""
        known = attribute(self)
        return known.name if known else ""

    def __str__(self) -> str:
        return f"({self >> 16:04X},{self & 0xFFFF:04X})"

    def __repr__(self) -> str:
        return f"Tag(0x{int(self):08X})"

    def __format__(self, spec: str) -> str:
        return format(int(self), spec) if spec else str(self)
