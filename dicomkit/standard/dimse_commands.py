"""The DIMSE messages: their command fields, and which elements each of them has (PS3.7 chapters 9 and 10)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from dicomkit.standard.tables import table_columns

Requirement: TypeAlias = Literal["M", "C", "U"]

_CANCEL = 0x0FFF


class CommandElement(NamedTuple):
    """An element of a command set.

    Attributes
    ----------
    tag
        In group 0000.
    keyword
        As in PS3.7 Annex E.
    requirement
        M where it is mandatory, C on a condition, U where it is for the user to decide.
    """

    tag: int
    keyword: str
    requirement: Requirement


class DimseCommand(NamedTuple):
    """One kind of message.

    Attributes
    ----------
    name
        As PS3.7 has it: ``"C-STORE-RQ"``, ``"C-STORE-RSP"``; ``"C-CANCEL-RQ"`` for the three that cancel.
    field
        The value of Command Field (0000,0100).
    elements
        In the order of the table.
    data_set
        What the data set that follows is called (``"Identifier"``); empty where none may follow.
    data_set_requirement
        M, C or U; M also where there is none.
    """

    name: str
    field: int
    elements: tuple[CommandElement, ...]
    data_set: str
    data_set_requirement: Requirement

    @property
    def service(self) -> str:
        """What the message belongs to: ``"C-STORE"``.

        Examples
        --------
        >>> dimse_command("C-STORE-RSP").service
        'C-STORE'
        """
        return self.name.rpartition("-")[0]


def dimse_command(name: str) -> DimseCommand | None:
    """Look up a message by its name.

    Examples
    --------
    >>> command = dimse_command("C-FIND-RQ")
    >>> hex(command.field), command.data_set, command.elements[1].keyword, command.elements[1].requirement
    ('0x20', 'Identifier', 'AffectedSOPClassUID', 'M')
    """
    return _commands().get(name)


def dimse_commands() -> tuple[DimseCommand, ...]:
    """List all messages, in the order of PS3.7.

    Examples
    --------
    >>> [command.name for command in dimse_commands()][:3], len(dimse_commands())
    (['C-STORE-RQ', 'C-STORE-RSP', 'C-FIND-RQ'], 23)
    """
    return tuple(_commands().values())


def command_field(name: str) -> int | None:
    """Give the Command Field of a message, None where there is no message of that name.

    Examples
    --------
    >>> command_field("C-ECHO-RSP") == 0x8030, command_field("C-ECHO")
    (True, None)
    """
    found = _commands().get(name)
    return found.field if found else None


def command_name(field: int | None) -> str | None:
    """Give the name of the message that has a Command Field, None where there is none.

    Examples
    --------
    >>> command_name(0x0FFF), command_name(0x7777)
    ('C-CANCEL-RQ', None)
    """
    return _names().get(field)


@cache
def _commands() -> Mapping[str, DimseCommand]:
    rows: dict[str, list[tuple[str, str, str, str]]] = {}
    for name, *cells in zip(*table_columns("dimse_commands.tsv", 5), strict=True):
        field, tag, keyword, requirement = cells
        shared = "C-CANCEL-RQ" if int(field, 16) == _CANCEL else name
        row = (field, tag, keyword, requirement)
        if row not in rows.setdefault(shared, []):
            rows[shared].append(row)
    return MappingProxyType({name: _command(name, cells) for name, cells in rows.items()})


def _command(name: str, rows: list[tuple[str, str, str, str]]) -> DimseCommand:
    """Make a command of its rows, of which the one without tag is the data set."""
    elements = tuple(CommandElement(int(tag, 16), keyword, usage) for _, tag, keyword, usage in rows if tag)  # type: ignore[arg-type]
    data_set, requirement = next(((keyword, usage) for _, tag, keyword, usage in rows if not tag), ("", "M"))
    return DimseCommand(name, int(rows[0][0], 16), elements, data_set, requirement)  # type: ignore[arg-type]


@cache
def _names() -> Mapping[int | None, str]:
    return MappingProxyType({command.field: name for name, command in _commands().items()})
