"""What the messages of PS3.15 A.5.3 are made of, and the check that a message of a kind holds what it must."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

from dicomkit.errors import ValueFormatError
from dicomkit.net.audit_messages import (
    SUCCESS,
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    EventIdentification,
    ParticipantObject,
    SopClassInstances,
)
from dicomkit.standard.audit_messages import (
    EVENT_TYPES,
    OBJECT_ID_TYPES,
    OTHER_ID_TYPES,
    ROLES,
    AuditCode,
    AuditMessageKind,
    Occurrence,
    audit_codes,
    audit_message_kind,
    audit_message_kinds,
)

UNKNOWN = "<none>"
"""What stands for an identifier or a name that an instance doesn't have: the schema takes no empty ones."""
MOST_QUERY = 1 << 15
_ROLE_CODES = {"application": "110150", "launcher": "110151", "destination": "110152", "source": "110153"}
_ROLE_CODES |= {"destination media": "110154", "source media": "110155", "initiator": "110156"}


def audit_message(
    kind: str,
    participants: Iterable[ActiveParticipant],
    source: AuditSource,
    objects: Iterable[ParticipantObject] = (),
    *,
    action: str = "",
    type: str = "",
    outcome: int = SUCCESS,
    description: str = "",
    time: datetime | None = None,
) -> AuditMessage:
    """Make a message of one of the kinds of PS3.15 A.5.3.

    Parameters
    ----------
    kind
        Its keyword: ``"ApplicationActivity"``, ``"Export"``, ``"DicomStudyDeleted"``; see `audit_message_kinds`.
    participants, source, objects
        Who took part, who noticed it, and what it was about.
    action
        C, R, U, D or E; needed only where the kind has several.
    type
        The code of the event type, ``"110120"`` for Application Start; needed where the kind has some.
    outcome
        0, 4, 8 or 12.
    description
        What is to be said of the outcome.
    time
        When it happened; now by default.

    Raises
    ------
    ValueFormatError
        When the message isn't as the standard wants it; says what it lacks.

    Examples
    --------
    >>> me = application("STORE", "sonic", roles=["application"])
    >>> audit_message("ApplicationActivity", [me], AuditSource("sonic"), type="110120").event.types
    (AuditCode(code='110120', scheme='DCM', meaning='Application Start'),)
    >>> audit_message("DicomStudyDeleted", [me], AuditSource("sonic"), [patient_object("A1", "DOE^JANE")])
    Traceback (most recent call last):
    dicomkit.errors.ValueFormatError: DICOM Study Deleted (A.5.3.8): 0 objects of type 110180, where 1 or more belong
    """
    known = audit_message_kind(kind)
    if known is None:
        hint = f"there are {', '.join(audit_message_kinds())}"
        raise ValueFormatError(f"no audit message is called {kind!r}", hint=hint)
    types = (_event_type(type),) if type else ()
    chosen = action or (known.actions if len(known.actions) == 1 else "")
    event = EventIdentification(known.code, time or datetime.now(UTC), outcome, chosen, types, description)
    message = AuditMessage(event, tuple(participants), source, tuple(objects))
    wrong = violations(message)
    if wrong:
        raise ValueFormatError(f"{known.code.meaning} ({known.section}): {wrong[0]}")
    return message


def violations(message: AuditMessage) -> tuple[str, ...]:
    """List what a message lacks of that which PS3.15 A.5.3 wants of its kind; nothing for an event of other origin.

    Examples
    --------
    >>> me = ActiveParticipant("sonic")
    >>> code = AuditCode("110114", "DCM", "User Authentication")
    >>> event = EventIdentification(code, datetime(2026, 1, 2, tzinfo=UTC), action="E")
    >>> violations(AuditMessage(event, (me,), AuditSource("sonic")))
    ('the event type is none of 110122, 110123',)
    """
    kind = audit_message_kinds().get(message.kind)
    if kind is None:
        return ()
    wrong = []
    if message.event.action not in kind.actions or not message.event.action:
        wrong.append(f"the action is none of {', '.join(kind.actions)}")
    if kind.types and not any(code.code in kind.types for code in message.event.types):
        wrong.append(f"the event type is none of {', '.join(kind.types)}")
    wrong += _wrong_counts(message, kind)
    return tuple(wrong)


def _wrong_counts(message: AuditMessage, kind: AuditMessageKind) -> list[str]:
    roles = [{code.code for code in participant.roles} for participant in message.participants]
    wrong = [
        f"{count} participants with role {'|'.join(entry.codes)}, where {_told(entry)} belong"
        for entry in kind.participants
        if entry.codes and _is_wrong(entry, count := sum(not own.isdisjoint(entry.codes) for own in roles))
    ]
    most = None if any(entry.most is None for entry in kind.participants) else 0
    if most is not None:
        most = sum(entry.most or 0 for entry in kind.participants)
    every = Occurrence((), sum(entry.least for entry in kind.participants), most)
    if _is_wrong(every, len(roles)):
        wrong.append(f"{len(roles)} participants, where {_told(every)} belong")
    for entry in kind.objects:
        count = sum(given.id_type.code in entry.codes for given in message.objects)
        if _is_wrong(entry, count):
            wrong.append(f"{count} objects of type {'|'.join(entry.codes)}, where {_told(entry)} belong")
    return wrong


def _is_wrong(entry: Occurrence, count: int) -> bool:
    return count < entry.least or (entry.most is not None and count > entry.most)


def _told(entry: Occurrence) -> str:
    if entry.most is None:
        return f"{entry.least} or more"
    return str(entry.most) if entry.least == entry.most else f"{entry.least} to {entry.most}"


# ---- participants --------------------------------------------------------------------------------------------------


def application(
    ae: str = "",
    host: str = "",
    *,
    roles: Sequence[str] = (),
    user_id: str = "",
    name: str = "",
    is_requestor: bool = False,
) -> ActiveParticipant:
    """Describe a process that speaks DICOM, here or at a peer.

    Parameters
    ----------
    ae
        Its AE title.
    host
        Its host name or IP address.
    roles
        ``"source"``, ``"destination"``, ``"application"``, ``"launcher"``, ``"initiator"``, ``"source media"``,
        ``"destination media"``.
    user_id
        What its system calls it, as its process ID; by default its AE title, or its host.
    name
        For people to read.
    is_requestor
        Whether it initiated the event.

    Examples
    --------
    >>> pacs = application("PACS", "10.0.0.7", roles=["destination"])
    >>> pacs.user_id, pacs.alternative_user_id, pacs.access_point_type
    ('PACS', 'AETITLES=PACS', '2')
    """
    return ActiveParticipant(
        user_id or ae or host or UNKNOWN,
        is_requestor,
        tuple(_role(role) for role in roles),
        f"AETITLES={ae}" if ae else "",
        name,
        host,
        _access_point_type(host),
    )


def person(user_id: str, *, roles: Sequence[str] = (), name: str = "", is_requestor: bool = True) -> ActiveParticipant:
    """Describe a person, who is the requestor unless said otherwise.

    Examples
    --------
    >>> person("jane@hospital.example").is_requestor
    True
    """
    return ActiveParticipant(user_id, is_requestor, tuple(_role(role) for role in roles), user_name=name)


def this_process(ae: str = "", *, roles: Sequence[str] = (), is_requestor: bool = False) -> ActiveParticipant:
    """Describe the process that runs this, by its process ID and the name of the machine.

    Examples
    --------
    >>> this_process("STORE").user_id == str(os.getpid())
    True
    """
    user_id = str(os.getpid())
    return application(
        ae, this_host(), roles=roles, user_id=user_id, name=__package__.partition(".")[0], is_requestor=is_requestor
    )


@cache
def this_host() -> str:
    """Give the name of this machine."""
    return socket.gethostname() or "localhost"


def _role(name: str) -> AuditCode:
    code = _ROLE_CODES.get(name)
    if code is None:
        raise ValueFormatError(f"no participant has the role {name!r}", hint=f"one of {', '.join(_ROLE_CODES)}")
    return audit_codes(ROLES)[code]


def _event_type(code: str) -> AuditCode:
    found = audit_codes(EVENT_TYPES).get(code)
    if found is None:
        hint = f"one of {', '.join(audit_codes(EVENT_TYPES))}"
        raise ValueFormatError(f"no event type has the code {code!r}", hint=hint)
    return found


def _access_point_type(host: str) -> str:
    if not host:
        return ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "1"
    return "2"


# ---- objects -------------------------------------------------------------------------------------------------------


def patient_object(patient_id: str, name: str = "") -> ParticipantObject:
    """Describe a patient; what isn't known is called ``<none>``.

    Examples
    --------
    >>> patient_object("A1").name
    '<none>'
    """
    code = audit_codes(OTHER_ID_TYPES)["2"]
    return ParticipantObject(patient_id or UNKNOWN, code, name or UNKNOWN, type="1", role="1")


def study_object(
    study_instance_uid: str,
    sop_classes: Iterable[SopClassInstances] = (),
    *,
    accessions: Iterable[str] = (),
    life_cycle: str = "",
    encrypted: bool | None = None,
    anonymized: bool | None = None,
) -> ParticipantObject:
    """Describe a study, and the instances of it that the event was about.

    Examples
    --------
    >>> study = study_object("1.2.3", [SopClassInstances("1.2.840.10008.5.1.4.1.1.2", 25)])
    >>> study.id_type.meaning, study.sop_classes[0].count
    ('Study Instance UID', 25)
    """
    uid = study_instance_uid or UNKNOWN
    return ParticipantObject(
        uid,
        audit_codes(OBJECT_ID_TYPES)["110180"],
        uid,
        type="2",
        role="3",
        life_cycle=life_cycle,
        accessions=tuple(accessions),
        sop_classes=tuple(sop_classes),
        encrypted=encrypted,
        anonymized=anonymized,
    )


def query_object(sop_class_uid: str, identifier: bytes, transfer_syntax_uid: str) -> ParticipantObject:
    """Describe a query: its information model, and its data set as it went over the wire (PS3.15 A.5.3.10).

    Of one that is longer than 32 KB there is only the beginning, and the detail ``Length``.

    Examples
    --------
    >>> query_object("1.2.840.10008.5.1.4.1.2.2.1", b"..", "1.2.840.10008.1.2").details
    (('TransferSyntax', b'1.2.840.10008.1.2'),)
    """
    code = audit_codes(OBJECT_ID_TYPES)["110181"]
    details = [("TransferSyntax", transfer_syntax_uid.encode())] if transfer_syntax_uid else []
    if len(identifier) > MOST_QUERY:
        details.append(("Length", str(len(identifier)).encode()))
    query, name = identifier[:MOST_QUERY] or None, "" if identifier else UNKNOWN
    return ParticipantObject(sop_class_uid or UNKNOWN, code, name, query, "2", "3", details=tuple(details))


def alert_object(node: str, description: str, *, uri: str = "") -> ParticipantObject:
    """Describe what a security alert is about: a node, or a resource by its URI.

    Examples
    --------
    >>> alert_object("10.0.0.7", "its certificate isn't trusted").details
    (('Alert Description', b"its certificate isn't trusted"),)
    """
    code = audit_codes(OTHER_ID_TYPES)["12"] if uri else audit_codes(OBJECT_ID_TYPES)["110182"]
    name = uri or node or UNKNOWN
    details = (("Alert Description", (description or UNKNOWN).encode("utf-8", "backslashreplace")),)
    return ParticipantObject(name, code, name, type="2", role="13", details=details)


def log_object(uri: str) -> ParticipantObject:
    """Describe an audit log that somebody reads, for the message AuditLogUsed.

    Examples
    --------
    >>> log_object("file:///var/log/audit.jsonl").name
    'Security Audit Log'
    """
    return ParticipantObject(uri, audit_codes(OTHER_ID_TYPES)["12"], "Security Audit Log", type="2", role="13")
