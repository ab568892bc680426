"""Audit messages: every kind of them, and any that can be made, is valid XML by the schema, and survives JSON."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from audit_schema import examples, messages, needs_schema, why_invalid
from hypothesis import given, settings

from dicomkit.errors import ReadError, ValueFormatError
from dicomkit.net.audit import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    ParticipantObject,
    audit_codes,
    audit_from_json,
    audit_message,
    audit_message_kind,
    audit_message_kinds,
    audit_to_json,
    audit_to_xml,
    patient_object,
    query_object,
    violations,
)

EXAMPLES = examples()


@needs_schema
@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_every_kind_is_valid(kind: str) -> None:
    assert why_invalid(audit_to_xml(EXAMPLES[kind])) == ""
    assert violations(EXAMPLES[kind]) == ()


@needs_schema
@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_the_schema_refuses_what_is_wrong(kind: str) -> None:
    xml = audit_to_xml(EXAMPLES[kind])
    assert why_invalid(xml.replace(b"EventOutcomeIndicator", b"Outcome"))
    assert why_invalid(xml.replace(b"AuditSourceID=", b"SourceID="))
    assert why_invalid(xml.replace(b' originalText="', b' text="'))


@needs_schema
@settings(max_examples=100, deadline=None)
@given(messages)
def test_any_message_is_valid(message: AuditMessage) -> None:
    xml = audit_to_xml(message)
    assert why_invalid(xml) == ""
    assert b"\n" not in xml


@settings(max_examples=100, deadline=None)
@given(messages)
def test_json_gives_back_the_message(message: AuditMessage) -> None:
    line = audit_to_json(message)
    assert line.isascii()
    assert line.isprintable()
    assert audit_from_json(line) == message
    assert audit_from_json(line.encode()) == message


def test_xml_holds_what_the_message_holds() -> None:
    root = ElementTree.fromstring(audit_to_xml(EXAMPLES["DicomInstancesTransferred"]))
    assert [node.tag for node in root] == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
        "ParticipantObjectIdentification",
    ]
    study = root[4]
    assert study.get("ParticipantObjectID") == "1.2.3"
    assert study.find("ParticipantObjectIDTypeCode").attrib == {
        "csd-code": "110180",
        "codeSystemName": "DCM",
        "originalText": "Study Instance UID",
    }
    [sop_class] = study.findall("ParticipantObjectDescription/SOPClass")
    assert sop_class.get("NumberOfInstances") == "2"
    assert [node.get("UID") for node in sop_class] == ["1.2.3.1", "1.2.3.2"]


def test_the_names_in_json_are_those_of_the_schema() -> None:
    found = json.loads(audit_to_json(EXAMPLES["Query"]))
    assert found["EventIdentification"]["EventID"] == {
        "csd-code": "110112",
        "codeSystemName": "DCM",
        "originalText": "Query",
    }
    assert found["ParticipantObjectIdentification"][0]["ParticipantObjectQuery"] == "CAA="
    assert found["ActiveParticipant"][0]["UserIsRequestor"] is True


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "nonsense",
        "{}",
        b"\xff",
        "[" * 100_000,
        '{"EventIdentification": {"EventID": 1}}',
        "9" * 10_000,
    ],
)
def test_what_is_no_message_is_a_read_error(line: str | bytes) -> None:
    with pytest.raises(ReadError):
        audit_from_json(line)


def test_every_damaged_line_is_a_read_error_or_a_message() -> None:
    line = audit_to_json(EXAMPLES["DicomInstancesTransferred"])
    for position in range(0, len(line), 3):
        for damaged in (line[:position], line[:position] + "7" + line[position + 1 :]):
            with contextlib.suppress(ReadError):
                assert isinstance(audit_from_json(damaged), AuditMessage)


# ---- what they must hold -------------------------------------------------------------------------------------------

ME, SOURCE = ActiveParticipant("me"), AuditSource("sonic")


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("Gossip", {}, "no audit message is called"),
        ("Query", {"action": "D"}, "the action is none of E"),
        ("DicomInstancesAccessed", {}, "the action is none of C, R, U, D"),
        ("NetworkEntry", {}, "the event type is none of 110124, 110125"),
        ("NetworkEntry", {"type": "110120"}, "the event type is none of"),
        ("NetworkEntry", {"type": "999"}, "no event type"),
        ("Query", {}, "0 participants with role 110153"),
        ("DicomStudyDeleted", {}, "0 objects of type 110180"),
    ],
)
def test_what_a_kind_must_hold_is_said(kind: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(ValueFormatError, match=words):
        audit_message(kind, [ME], SOURCE, **options)


def test_too_many_of_something_is_said() -> None:
    message = EXAMPLES["DicomInstancesTransferred"]
    twice = replace(message, objects=(*message.objects, patient_object("B2")))
    assert violations(twice) == ("2 objects of type 2, where 1 belong",)
    crowd = replace(EXAMPLES["DicomStudyDeleted"], participants=(ME, ME, ME))
    assert violations(crowd) == ("3 participants, where 1 to 2 belong",)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ActiveParticipant(""),
        lambda: AuditSource(""),
        lambda: AuditSource("x", types=("10",)),
        lambda: ParticipantObject("1", audit_codes("404")["110180"]),
        lambda: ParticipantObject("1", audit_codes("404")["110180"], "a", b"a"),
        lambda: ParticipantObject("1", audit_codes("404")["110180"], "a", role="27"),
        lambda: replace(EXAMPLES["Query"], participants=()),
        lambda: replace(EXAMPLES["Query"], participants=(ActiveParticipant("a", True), ActiveParticipant("b", True))),
        lambda: replace(EXAMPLES["Query"].event, time=datetime(2026, 1, 1)),
        lambda: replace(EXAMPLES["Query"].event, outcome=1),
    ],
)
def test_values_that_the_schema_lacks_are_refused(wrong: object) -> None:
    with pytest.raises(ValueFormatError):
        wrong()  # type: ignore[operator]


def test_kinds_are_found_by_each_of_their_names() -> None:
    for keyword, kind in audit_message_kinds().items():
        assert (
            audit_message_kind(keyword) is audit_message_kind(kind.code.code) is audit_message_kind(kind.code.meaning)
        )


def test_a_long_query_is_cut() -> None:
    query = query_object("1.2.840.10008.5.1.4.1.2.2.1", b"x" * (64 << 20), "1.2.840.10008.1.2")
    assert len(query.query) == 1 << 15
    assert query.details[1] == ("Length", b"67108864")


def test_the_repr_is_one_bounded_line() -> None:
    message = audit_message(
        "NetworkEntry", [ActiveParticipant("a\n" * 1000)], SOURCE, type="110124", time=datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert repr(message).isprintable()
    assert len(repr(message)) < 200
