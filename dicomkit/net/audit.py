"""The audit trail: who moved, asked for or deleted what, and who was turned away (PS3.15 A.5 to A.7)."""

from __future__ import annotations

from dicomkit.net.audit_background import in_background
from dicomkit.net.audit_consumer import AuditTrail, audit_record, audit_trail, only
from dicomkit.net.audit_contents import (
    UNKNOWN,
    alert_object,
    application,
    audit_message,
    log_object,
    patient_object,
    person,
    query_object,
    study_object,
    this_process,
    violations,
)
from dicomkit.net.audit_files import AuditFormatter, audit_file
from dicomkit.net.audit_json import audit_from_json, audit_to_json
from dicomkit.net.audit_messages import (
    MAJOR_FAILURE,
    MINOR_FAILURE,
    OUTCOMES,
    SERIOUS_FAILURE,
    SUCCESS,
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    EventIdentification,
    ParticipantObject,
    SopClassInstances,
)
from dicomkit.net.audit_reading import audit_table, read_audit
from dicomkit.net.audit_xml import audit_to_xml
from dicomkit.net.syslog import audit_syslog, syslog_message
from dicomkit.standard.audit_messages import AuditCode, audit_codes, audit_message_kind, audit_message_kinds

__all__ = [
    "MAJOR_FAILURE",
    "MINOR_FAILURE",
    "OUTCOMES",
    "SERIOUS_FAILURE",
    "SUCCESS",
    "UNKNOWN",
    "ActiveParticipant",
    "AuditCode",
    "AuditFormatter",
    "AuditMessage",
    "AuditSource",
    "AuditTrail",
    "EventIdentification",
    "ParticipantObject",
    "SopClassInstances",
    "alert_object",
    "application",
    "audit_codes",
    "audit_file",
    "audit_from_json",
    "audit_message",
    "audit_message_kind",
    "audit_message_kinds",
    "audit_record",
    "audit_syslog",
    "audit_table",
    "audit_to_json",
    "audit_to_xml",
    "audit_trail",
    "in_background",
    "log_object",
    "only",
    "patient_object",
    "person",
    "query_object",
    "read_audit",
    "study_object",
    "syslog_message",
    "this_process",
    "violations",
]
