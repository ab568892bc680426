"""Audit messages as lines of JSON, with the names of the schema of PS3.15 A.5.1, and back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from dicomkit.errors import DicomError, ReadError
from dicomkit.net.audit_messages import AuditMessage
from dicomkit.net.audit_terms import TERMS, Term


def audit_to_json(message: AuditMessage) -> str:
    r"""Write an audit message as one line of JSON, in ASCII.

    Whatever a text holds, it can't end the line or the string that it stands in; `audit_from_json` gives it back.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from dicomkit.net.audit import AuditSource, ActiveParticipant, audit_message
    >>> message = audit_message("NetworkEntry", [ActiveParticipant("a\nb")], AuditSource("sonic"), type="110124",
    ...                         time=datetime(2026, 1, 2, tzinfo=UTC))
    >>> line = audit_to_json(message)
    >>> line[:79]
    '{"EventIdentification":{"EventActionCode":"E","EventDateTime":"2026-01-02T00:00'
    >>> "\n" in line, audit_from_json(line) == message
    (False, True)
    """
    return json.dumps(_written(message), separators=(",", ":"))


def audit_from_json(line: str | bytes) -> AuditMessage:
    """Read an audit message from a line of JSON; names that it doesn't know are passed over.

    Raises
    ------
    ReadError
        When it is none.

    Examples
    --------
    >>> audit_from_json('{"EventIdentification": []}')
    Traceback (most recent call last):
    dicomkit.errors.ReadError: no audit message: EventIdentification is no object
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"no audit message: {error}") from error
    try:
        message: AuditMessage = _read(AuditMessage, found, "the line")
    except (DicomError, ValueError, TypeError) as error:
        raise ReadError(f"no audit message: {getattr(error, 'message', error)}") from error
    return message


def _written(value: Any) -> dict[str, Any]:
    result = {}
    for term in TERMS[type(value)]:
        given = getattr(value, term.name)
        if given is None or given in ("", ()):
            continue
        write: Callable[[Any], Any] = _WRITE.get(term.kind, _written if isinstance(term.kind, type) else _as_it_is)
        result[term.key] = [write(entry) for entry in given] if term.many else write(given)
    return result


def _read(kind: type, found: Any, where: str) -> Any:
    if not isinstance(found, dict):
        raise TypeError(f"{where} is no object")
    fields = {}
    for term in TERMS[kind]:
        if term.key not in found:
            continue
        given = found[term.key]
        if term.many:
            if not isinstance(given, list):
                raise TypeError(f"{term.key} is no list")
            fields[term.name] = tuple(_value(term, entry) for entry in given)
        else:
            fields[term.name] = _value(term, given)
    return kind(**fields)


def _value(term: Term, given: Any) -> Any:
    if isinstance(term.kind, type):
        return _read(term.kind, given, term.key)
    expected = _TYPES[term.kind]
    if not isinstance(given, expected) or (expected is int and isinstance(given, bool)):
        raise TypeError(f"{term.key} is no {term.kind}")
    return _READ.get(term.kind, _as_it_is)(given)


def _as_it_is(value: Any) -> Any:
    return value


def _detail(value: Mapping[str, Any]) -> tuple[str, bytes]:
    if not isinstance(value.get("type"), str) or not isinstance(value.get("value"), str):
        raise TypeError("a ParticipantObjectDetail has no type and value")
    return value["type"], b64decode(value["value"], validate=True)


_WRITE: Mapping[str | type, Callable[[Any], Any]] = MappingProxyType(
    {
        "time": lambda value: value.isoformat(),
        "bytes": lambda value: b64encode(value).decode(),
        "details": lambda pair: {"type": pair[0], "value": b64encode(pair[1]).decode()},
    }
)
_READ: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "time": datetime.fromisoformat,
        "bytes": lambda value: b64decode(value, validate=True),
        "details": _detail,
    }
)
_TYPES: Mapping[str, type] = MappingProxyType(
    {"text": str, "integer": int, "boolean": bool, "time": str, "bytes": str, "details": dict}
)
