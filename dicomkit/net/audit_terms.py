"""Where the parts of an audit message stand in the schema of PS3.15 A.5.1: one table, for XML and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.net.audit_messages import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    EventIdentification,
    ParticipantObject,
    SopClassInstances,
)
from dicomkit.standard.audit_messages import AuditCode


class Term(NamedTuple):
    """A field of a dataclass, and its place in the schema.

    Attributes
    ----------
    name
        Of the field.
    path
        The elements around it, and its own element or (after ``@``) its attribute.
    kind
        What it holds: ``"text"``, ``"integer"``, ``"boolean"``, ``"time"``, ``"bytes"``, ``"details"``, or a class.
    many
        Whether the field is a tuple of them.
    """

    name: str
    path: str
    kind: str | type = "text"
    many: bool = False

    @property
    def key(self) -> str:
        """What it is called in JSON: its element, or its attribute where it has no element."""
        element, _, attribute = self.path.rpartition("/")[2].partition("@")
        return element or attribute


_DESCRIPTION = "ParticipantObjectDescription"

TERMS: Mapping[type, tuple[Term, ...]] = MappingProxyType(
    {
        AuditMessage: (
            Term("event", "EventIdentification", EventIdentification),
            Term("participants", "ActiveParticipant", ActiveParticipant, True),
            Term("source", "AuditSourceIdentification", AuditSource),
            Term("objects", "ParticipantObjectIdentification", ParticipantObject, True),
        ),
        EventIdentification: (
            Term("action", "@EventActionCode"),
            Term("time", "@EventDateTime", "time"),
            Term("outcome", "@EventOutcomeIndicator", "integer"),
            Term("id", "EventID", AuditCode),
            Term("types", "EventTypeCode", AuditCode, True),
            Term("description", "EventOutcomeDescription"),
        ),
        ActiveParticipant: (
            Term("user_id", "@UserID"),
            Term("alternative_user_id", "@AlternativeUserID"),
            Term("user_name", "@UserName"),
            Term("is_requestor", "@UserIsRequestor", "boolean"),
            Term("access_point", "@NetworkAccessPointID"),
            Term("access_point_type", "@NetworkAccessPointTypeCode"),
            Term("roles", "RoleIDCode", AuditCode, True),
            Term("media_type", "MediaIdentifier/MediaType", AuditCode),
        ),
        AuditSource: (
            Term("site", "@AuditEnterpriseSiteID"),
            Term("id", "@AuditSourceID"),
            Term("types", "AuditSourceTypeCode@csd-code", "text", True),
        ),
        ParticipantObject: (
            Term("id", "@ParticipantObjectID"),
            Term("type", "@ParticipantObjectTypeCode"),
            Term("role", "@ParticipantObjectTypeCodeRole"),
            Term("life_cycle", "@ParticipantObjectDataLifeCycle"),
            Term("sensitivity", "@ParticipantObjectSensitivity"),
            Term("id_type", "ParticipantObjectIDTypeCode", AuditCode),
            Term("name", "ParticipantObjectName"),
            Term("query", "ParticipantObjectQuery", "bytes"),
            Term("details", "ParticipantObjectDetail", "details", True),
            Term("mpps", f"{_DESCRIPTION}/MPPS@UID", "text", True),
            Term("accessions", f"{_DESCRIPTION}/Accession@Number", "text", True),
            Term("sop_classes", f"{_DESCRIPTION}/SOPClass", SopClassInstances, True),
            Term("studies", f"{_DESCRIPTION}/ParticipantObjectContainsStudy/StudyIDs@UID", "text", True),
            Term("encrypted", f"{_DESCRIPTION}/Encrypted", "boolean"),
            Term("anonymized", f"{_DESCRIPTION}/Anonymized", "boolean"),
        ),
        SopClassInstances: (
            Term("uid", "@UID"),
            Term("count", "@NumberOfInstances", "integer"),
            Term("instances", "Instance@UID", "text", True),
        ),
        AuditCode: (
            Term("code", "@csd-code"),
            Term("scheme", "@codeSystemName"),
            Term("meaning", "@originalText"),
        ),
    }
)
"""The fields of each class, in the order of the schema."""
