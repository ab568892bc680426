"""A command set, the first half of every DIMSE message, as a frozen mapping (PS3.7 6.3, 9.3, 10.3, Annex E)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import takewhile
from typing import Any, TypeAlias

from dicomkit.display.text import one_line, shorten
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.net.errors import ProtocolError
from dicomkit.standard.attributes import attribute, tag_of, vr_table
from dicomkit.standard.dimse_commands import command_field, command_name
from dicomkit.values.tag import Tag

Value: TypeAlias = "int | str | tuple[int, ...]"

NO_DATA_SET = 0x0101
"""The CommandDataSetType that says that no data set follows; every other value says that one does."""
LOW, MEDIUM, HIGH = 2, 0, 1
"""The priorities of an operation (PS3.7 9.1.1.1.5)."""
MAX_COMMAND_LENGTH = 1 << 16

_ELEMENT = struct.Struct("<HHI")


class Command(Mapping[str, Value]):
    """The elements of a command set by keyword; in attributes too.

    Examples
    --------
    >>> echo = command("C-ECHO-RQ", MessageID=7, AffectedSOPClassUID="1.2.840.10008.1.1")
    >>> echo.name, echo.MessageID, echo.has_data_set
    ('C-ECHO-RQ', 7, False)
    >>> decode_command(encode_command(echo)) == echo
    True
    """

    __slots__ = ("_elements",)
    _elements: dict[str, Value]

    def __init__(self, elements: Mapping[str, Value]) -> None:
        object.__setattr__(self, "_elements", dict(elements))

    def __getitem__(self, keyword: str) -> Value:
        try:
            return self._elements[keyword]
        except KeyError:
            raise MissingElementError(f"the command set has no {keyword}", tag=tag_of(keyword)) from None

    def __getattr__(self, keyword: str) -> Any:
        if keyword.startswith("_"):
            raise AttributeError(keyword)
        return self[keyword]

    def __setattr__(self, keyword: str, value: object) -> None:
        raise AttributeError("a command is frozen")

    def __iter__(self) -> Iterator[str]:
        return iter(self._elements)

    def __len__(self) -> int:
        return len(self._elements)

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value of an element, or what is to stand for one that isn't there."""
        return self._elements.get(keyword, default)

    def __hash__(self) -> int:
        return hash(frozenset(self._elements.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and self._elements == other._elements

    def __reduce__(self) -> tuple[Any, ...]:
        return Command, (self._elements,)

    def __repr__(self) -> str:
        elements = ", ".join(
            f"{keyword}={shorten(one_line(value), 64)}"
            for keyword, value in self._elements.items()
            if keyword not in ("CommandField", "CommandDataSetType")
        )
        return f"<{self.name} {elements}>"

    @property
    def name(self) -> str:
        """What PS3.7 calls it, as ``C-STORE-RQ``."""
        return command_name(self.field) or f"unknown command 0x{self.field:04X}"

    @property
    def field(self) -> int:
        """The CommandField, a number."""
        field = self._elements.get("CommandField")
        return field if isinstance(field, int) else 0

    @property
    def is_request(self) -> bool:
        """Whether it asks for something."""
        return not self.field & 0x8000

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self._elements.get("CommandDataSetType", NO_DATA_SET) != NO_DATA_SET


def command(name: str, *, has_data_set: bool = False, **elements: Value | None) -> Command:
    """Make a command set; elements that are None are left out.

    Parameters
    ----------
    name
        As PS3.7 has it: ``C-STORE-RQ``, ``N-ACTION-RSP``, ``C-CANCEL-RQ``.
    has_data_set
        Whether a data set follows.
    elements
        By keyword.

    Raises
    ------
    ValueFormatError
        When there is no such command, or no such element of a command set.

    Examples
    --------
    >>> command("C-FIND-RSP", MessageIDBeingRespondedTo=1, Status=0xFF00, has_data_set=True)
    <C-FIND-RSP MessageIDBeingRespondedTo=1, Status=65280>
    """
    number = command_field(name)
    if number is None:
        raise ValueFormatError(f"there is no DIMSE command {name!r}", hint="it is called like C-STORE-RQ")
    given: dict[str, Value] = {"CommandField": number}
    for keyword, value in elements.items():
        if keyword not in _elements():
            raise ValueFormatError(f"{keyword} is no element of a command set")
        if value is not None:
            given[keyword] = value
    given["CommandDataSetType"] = 1 if has_data_set else NO_DATA_SET
    return Command(given)


def response_to(request: Command, status: int, *, has_data_set: bool = False, **elements: Value | None) -> Command:
    """Make the response to a request, with the SOP class and instance that it is about.

    Examples
    --------
    >>> echo = command("C-ECHO-RQ", MessageID=7, AffectedSOPClassUID="1.2.840.10008.1.1")
    >>> response_to(echo, 0)
    <C-ECHO-RSP MessageIDBeingRespondedTo=7, AffectedSOPClassUID=1.2.840.10008.1.1, Status=0>
    """
    given: dict[str, Value] = {
        "CommandField": request.field | 0x8000,
        "MessageIDBeingRespondedTo": request["MessageID"],
    }
    for requested, affected in _AFFECTED:
        if (uid := request.get(affected) or request.get(requested)) is not None:
            given[affected] = uid
    given["Status"] = status
    given |= {keyword: value for keyword, value in elements.items() if value is not None}
    given["CommandDataSetType"] = 1 if has_data_set else NO_DATA_SET
    return Command(given)


_AFFECTED = (
    ("RequestedSOPClassUID", "AffectedSOPClassUID"),
    ("RequestedSOPInstanceUID", "AffectedSOPInstanceUID"),
)


def encode_command(command: Command) -> bytes:
    """Write a command set, with its group length, in Implicit VR Little Endian (PS3.7 6.3.1).

    Raises
    ------
    ValueFormatError
        When a value can't be written as its VR.
    """
    table = _elements()
    parts: list[bytes] = []
    for number, write, keyword in sorted((*table[keyword][:2], keyword) for keyword in command):
        try:
            raw = write(command[keyword])
        except (struct.error, TypeError, UnicodeEncodeError, AttributeError) as error:
            raise ValueFormatError(f"{keyword} can't be {command[keyword]!r}: {error}", tag=number) from None
        parts += (_ELEMENT.pack(0, number, len(raw)), raw)
    body = b"".join(parts)
    return _ELEMENT.pack(0, 0, 4) + len(body).to_bytes(4, "little") + body


def decode_command(data: bytes) -> Command:
    """Read a command set; elements that PS3.7 doesn't know are passed over.

    Raises
    ------
    ProtocolError
        When the bytes aren't one, or it has no command field.
    """
    readers = _readers()
    elements: dict[str, Value] = {}
    position, size = 0, len(data)
    try:
        while position < size:
            group, number, length = _ELEMENT.unpack_from(data, position)
            start = position + 8
            position = start + length
            if group or position > size:
                raise ProtocolError(f"element ({group:04X},{number:04X}) has no place in a command set", offset=start)
            if number in readers:
                keyword, read = readers[number]
                elements[keyword] = read(data[start:position])
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"a command set can't be read: {error}", offset=position) from None
    if not isinstance(elements.get("CommandField"), int):
        raise ProtocolError("a command set has no command field")
    return Command(elements)


def _write_uid(value: str) -> bytes:
    raw = value.encode("ascii")
    return raw + b"\0" if len(raw) & 1 else raw


def _write_text(value: str) -> bytes:
    raw = value.encode("ascii", "replace")
    return raw + b" " if len(raw) & 1 else raw


def _write_tags(value: tuple[int, ...]) -> bytes:
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value)


def _read_text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").strip(" \0")


def _read_number(raw: bytes) -> int:
    if len(raw) not in (2, 4):
        raise ValueError(f"a number of {len(raw)} bytes")
    return int.from_bytes(raw, "little")


def _read_tags(raw: bytes) -> tuple[int, ...]:
    return tuple(Tag(group << 16 | element) for group, element in struct.iter_unpack("<HH", raw))


_US, _UL = struct.Struct("<H"), struct.Struct("<I")
_CODECS: Mapping[str, tuple[Callable[[Any], bytes], Callable[[bytes], Value]]] = {
    "UI": (_write_uid, _read_text),
    "US": (_US.pack, _read_number),
    "UL": (_UL.pack, _read_number),
    "AT": (_write_tags, _read_tags),
}


@cache
def _elements() -> Mapping[str, tuple[int, Callable[[Any], bytes], Callable[[bytes], Value]]]:
    """Give the element number of each keyword of group 0000, and what writes and what reads its value."""
    table = {}
    for number in takewhile((0x10000).__gt__, sorted(vr_table())):
        entry = attribute(number)
        if number > 1 and entry is not None and entry.keyword:
            table[entry.keyword] = (number, *_CODECS.get(entry.vr, (_write_text, _read_text)))
    return table


@cache
def _readers() -> Mapping[int, tuple[str, Callable[[bytes], Value]]]:
    """Give the keyword of each element number, and what reads its value."""
    return {number: (keyword, read) for keyword, (number, _, read) in _elements().items()}
