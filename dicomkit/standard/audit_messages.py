"""The kinds of audit messages and what each must hold, and the codes in them (PS3.15 A.5.3, PS3.16 CID 400 to 406)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.tables import table_columns

MESSAGE_IDS, EVENT_TYPES, ROLES, ALERT_TYPES = "400", "401", "402", "403"
OBJECT_ID_TYPES, MEDIA_TYPES, APPLICATION_TYPES, OTHER_ID_TYPES = "404", "405", "406", "A.5.1.2.4"


class AuditCode(NamedTuple):
    """A code of an audit message: its value, its scheme and its meaning."""

    code: str
    scheme: str
    meaning: str


class Occurrence(NamedTuple):
    """How often something with one of some codes occurs; ``most`` is None for any number, no codes are any code."""

    codes: tuple[str, ...]
    least: int
    most: int | None


class AuditMessageKind(NamedTuple):
    """What a kind of audit message must hold.

    Attributes
    ----------
    section
        Of PS3.15.
    keyword, code
        What it is called: ``"DicomInstancesTransferred"``, and the code of its EventID.
    actions
        The letters that EventActionCode may be.
    types
        The codes of which EventTypeCode must be one; empty where it needs none.
    participants, objects
        How often participants with which roles, and objects with which types of identifiers, occur.
    """

    section: str
    keyword: str
    code: AuditCode
    actions: str
    types: tuple[str, ...]
    participants: tuple[Occurrence, ...]
    objects: tuple[Occurrence, ...]


def audit_codes(group: str) -> Mapping[str, AuditCode]:
    """Give the codes of a group, by their values.

    Parameters
    ----------
    group
        The number of a context group: ``"402"``; or ``"A.5.1.2.4"``, the types of identifiers that are no codes.

    Examples
    --------
    >>> audit_codes("402")["110153"]
    AuditCode(code='110153', scheme='DCM', meaning='Source Role ID')
    >>> audit_codes("A.5.1.2.4")["2"].meaning
    'Patient Number'
    """
    return _codes().get(group, MappingProxyType({}))


def audit_message_kinds() -> Mapping[str, AuditMessageKind]:
    """Give the kinds of messages, by their keywords.

    Examples
    --------
    >>> list(audit_message_kinds())[:3]
    ['ApplicationActivity', 'AuditLogUsed', 'BeginTransferringDicomInstances']
    """
    return _kinds()


def audit_message_kind(name: str) -> AuditMessageKind | None:
    """Look up a kind of message by its keyword, the code of its EventID, or the meaning of that.

    Examples
    --------
    >>> kind = audit_message_kind("110104")
    >>> kind.keyword, kind.actions, kind.section
    ('DicomInstancesTransferred', 'CRU', 'A.5.3.7')
    >>> audit_message_kind("Query") == audit_message_kind("110112"), audit_message_kind("Gossip")
    (True, None)
    """
    return _by_name().get(name)


@cache
def _codes() -> Mapping[str, Mapping[str, AuditCode]]:
    groups: dict[str, dict[str, AuditCode]] = {}
    for group, scheme, code, meaning in zip(*table_columns("audit_codes.tsv", 4), strict=True):
        groups.setdefault(group, {})[code] = AuditCode(code, scheme, meaning)
    return MappingProxyType({group: MappingProxyType(codes) for group, codes in groups.items()})


@cache
def _kinds() -> Mapping[str, AuditMessageKind]:
    kinds = {}
    for section, value, actions, types, participants, objects in zip(
        *table_columns("audit_messages.tsv", 6), strict=True
    ):
        code = audit_codes(MESSAGE_IDS)[value]
        keyword = "".join(word[0] + word[1:].lower() for word in code.meaning.split())
        allowed = tuple(audit_codes(types[4:])) if types.startswith("CID ") else tuple(types.split())
        kinds[keyword] = AuditMessageKind(
            section, keyword, code, actions, allowed, _occurrences(participants), _occurrences(objects)
        )
    return MappingProxyType(kinds)


@cache
def _by_name() -> Mapping[str, AuditMessageKind]:
    return MappingProxyType(
        {name: kind for kind in _kinds().values() for name in (kind.code.meaning, kind.code.code, kind.keyword)}
    )


def _occurrences(cell: str) -> tuple[Occurrence, ...]:
    found = []
    for entry in cell.split():
        codes, _, counts = entry.partition(":")
        least, _, most = counts.partition("-")
        found.append(
            Occurrence(() if codes == "*" else tuple(codes.split("|")), int(least), int(most) if most else None)
        )
    return tuple(found)
