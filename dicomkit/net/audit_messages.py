"""An audit message as frozen values, named as the schema of PS3.15 A.5.1 names them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dicomkit.errors import ValueFormatError
from dicomkit.net.printable import printable
from dicomkit.standard.audit_messages import AuditCode, audit_message_kind

SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE, MAJOR_FAILURE = 0, 4, 8, 12
OUTCOMES = {SUCCESS: "success", MINOR_FAILURE: "minor failure", SERIOUS_FAILURE: "serious failure"}
OUTCOMES |= {MAJOR_FAILURE: "major failure"}
"""The values of EventOutcomeIndicator, and what they mean."""


@dataclass(frozen=True, slots=True)
class EventIdentification:
    """What happened, when, and how it ended.

    Parameters
    ----------
    id
        Which kind of message it is (EventID).
    time
        When it happened (EventDateTime), with its time zone.
    outcome
        0 success, 4 minor, 8 serious, 12 major failure (EventOutcomeIndicator).
    action
        C create, R read, U update, D delete, E execute (EventActionCode); empty where it isn't told.
    types
        The category within the kind (EventTypeCode).
    description
        What is to be said of the outcome (EventOutcomeDescription).
    """

    id: AuditCode
    time: datetime
    outcome: int = SUCCESS
    action: str = ""
    types: tuple[AuditCode, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        if self.time.utcoffset() is None:
            raise ValueFormatError("the time of an audit message needs its time zone", hint="datetime.now(UTC)")
        _one_of("outcome", self.outcome, tuple(OUTCOMES))
        _one_of("action", self.action, ("", *"CRUDE"))
        _codes(self.id, *self.types)


@dataclass(frozen=True, slots=True)
class ActiveParticipant:
    """A person, process, node or medium that took part.

    Parameters
    ----------
    user_id
        Who it is in the logs of the system: login name, process ID, node.
    is_requestor
        Whether it is the one that initiated the event; there is at most one.
    roles
        What it did (RoleIDCode): source, destination, application.
    alternative_user_id
        For an application ``"AETITLES=..."``, for a person the name that it is authenticated by.
    user_name
        For people to read.
    access_point
        Its host name or address (NetworkAccessPointID).
    access_point_type
        1 host name, 2 IP address, 3 telephone number, 4 e-mail address, 5 URI.
    media_type
        Of a medium (MediaType).
    """

    user_id: str
    is_requestor: bool = False
    roles: tuple[AuditCode, ...] = ()
    alternative_user_id: str = ""
    user_name: str = ""
    access_point: str = ""
    access_point_type: str = ""
    media_type: AuditCode | None = None

    def __post_init__(self) -> None:
        _given("user_id", self.user_id)
        _one_of("access_point_type", self.access_point_type, ("", *"12345"))
        _codes(*self.roles, *([] if self.media_type is None else [self.media_type]))


@dataclass(frozen=True, slots=True)
class AuditSource:
    """The system that noticed the event.

    Parameters
    ----------
    id
        What it is called (AuditSourceID).
    site
        Where in the enterprise (AuditEnterpriseSiteID).
    types
        What it is, by the values of A.5.1.2.1: ``"2"`` an acquisition device, ``"4"`` an application server.
    """

    id: str
    site: str = ""
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _given("id", self.id)
        for value in self.types:
            _one_of("types", value, tuple("123456789"))


@dataclass(frozen=True, slots=True)
class SopClassInstances:
    """How many instances of a SOP class there are, and which, where they are listed; no UID where it isn't known."""

    uid: str = ""
    count: int = 0
    instances: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueFormatError(f"{self.count!r} instances of a SOP class", hint="0 or more")
        for uid in self.instances:
            _given("instances", uid)


@dataclass(frozen=True, slots=True)
class ParticipantObject:
    """A patient, study, query, node or resource that the event was about.

    Parameters
    ----------
    id, id_type
        Which it is, and what kind of identifier that is.
    name
        What it is called; needed where there is no query.
    query
        The query itself, in bytes.
    type
        1 person, 2 system object, 3 organization, 4 other.
    role, life_cycle
        By the values of A.5.1.2.2 and A.5.1.2.3: role ``"1"`` is a patient, ``"3"`` a report.
    sensitivity
        By local policy.
    details
        What else is known, by name (ParticipantObjectDetail), in bytes.
    mpps, accessions, sop_classes, studies
        What belongs to it.
    encrypted, anonymized
        Whether its data were; None where it isn't told.
    """

    id: str
    id_type: AuditCode
    name: str = ""
    query: bytes | None = None
    type: str = ""
    role: str = ""
    life_cycle: str = ""
    sensitivity: str = ""
    details: tuple[tuple[str, bytes], ...] = ()
    mpps: tuple[str, ...] = ()
    accessions: tuple[str, ...] = ()
    sop_classes: tuple[SopClassInstances, ...] = ()
    studies: tuple[str, ...] = ()
    encrypted: bool | None = None
    anonymized: bool | None = None

    def __post_init__(self) -> None:
        _given("id", self.id)
        if bool(self.name) == bool(self.query):
            raise ValueFormatError("a participant object has either a name or a query", hint="the schema takes one")
        _one_of("type", self.type, ("", *"1234"))
        _one_of("role", self.role, ("", *map(str, range(1, 27))))
        _one_of("life_cycle", self.life_cycle, ("", *map(str, range(1, 16))))
        _codes(self.id_type)
        for name, value in self.details:
            _given("details", name)
            _given(f"details {name!r}", value)
        for keyword in ("mpps", "accessions", "studies"):
            for text in getattr(self, keyword):
                _given(keyword, text)


@dataclass(frozen=True, slots=True)
class AuditMessage:
    """A record of an audit trail: an event, who took part, who noticed it, and what it was about.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> alert = EventIdentification(AuditCode("110113", "DCM", "Security Alert"), datetime(2026, 1, 2, tzinfo=UTC), 4)
    >>> AuditMessage(alert, (ActiveParticipant("sonic"),), AuditSource("sonic"))
    <AuditMessage Security Alert, minor failure, 2026-01-02T00:00:00+00:00: sonic>
    """

    event: EventIdentification
    participants: tuple[ActiveParticipant, ...]
    source: AuditSource
    objects: tuple[ParticipantObject, ...] = ()

    def __post_init__(self) -> None:
        if not self.participants:
            raise ValueFormatError("an audit message needs a participant", hint="whoever reports it, at least")
        if sum(participant.is_requestor for participant in self.participants) > 1:
            raise ValueFormatError("an audit message has several requestors", hint="pick one (PS3.15 A.5.2)")

    @property
    def kind(self) -> str:
        """The keyword of its kind, ``"DicomInstancesTransferred"``; empty for an event that DICOM doesn't define."""
        kind = audit_message_kind(self.event.id.code) if self.event.id.scheme == "DCM" else None
        return kind.keyword if kind else ""

    def __repr__(self) -> str:
        who = ", ".join(printable(participant.user_id) for participant in self.participants)
        outcome = OUTCOMES[self.event.outcome]
        return f"<AuditMessage {printable(self.event.id.meaning)}, {outcome}, {self.event.time.isoformat()}: {who}>"


def _given(name: str, value: str | bytes) -> None:
    if not value:
        raise ValueFormatError(f"{name} of an audit message is empty", hint="leave it out, or say that it is unknown")


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        told = ", ".join(map(str, filter(None, map(str, allowed))))
        raise ValueFormatError(f"{name} {printable(value)!r} is none of those of PS3.15 A.5.1", hint=f"one of {told}")


def _codes(*codes: AuditCode) -> None:
    if not all(all(code) for code in codes):
        raise ValueFormatError("a code of an audit message lacks its value, scheme or meaning", hint="AuditCode(...)")
