"""Audit messages as XML that the schema of PS3.15 A.5.1 takes."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from dicomkit.net.audit_messages import AuditMessage
from dicomkit.net.audit_terms import TERMS, Term

MOST_TEXT = 4096
"""The most characters of a text; what is longer is cut, and ends in an ellipsis."""
_UNSAFE = re.compile(
    "[\\\\\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ufffe\uffff]"
)


def audit_to_xml(message: AuditMessage) -> bytes:
    r"""Write an audit message as XML, on one line, in UTF-8.

    What XML can't hold or what could mislead a reader (control characters, lone surrogates, marks of direction) stands
    as a backslash escape, and a backslash is doubled; a text of more than 4,096 characters is cut.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from dicomkit.net.audit import AuditSource, ActiveParticipant, audit_message
    >>> message = audit_message("NetworkEntry", [ActiveParticipant("a<b\n")], AuditSource("sonic"), type="110124",
    ...                         time=datetime(2026, 1, 2, tzinfo=UTC))
    >>> b'UserID="a&lt;b\\n"' in audit_to_xml(message)
    True
    """
    root = ElementTree.Element("AuditMessage")
    _fill(root, message)
    xml: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml.replace(b"\n", b"", 1)


def xml_text(text: str) -> str:
    r"""Make a text safe for XML and its readers.

    Examples
    --------
    >>> xml_text("A\x00\ud800B"), xml_text("山田^太郎")
    ('A\\x00\\ud800B', '山田^太郎')
    """
    cut = text[: MOST_TEXT + 1]
    safe = _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), cut)
    return safe if len(text) <= MOST_TEXT else safe[: MOST_TEXT - 1] + "…"


def _fill(element: ElementTree.Element, value: Any) -> None:
    """Add what a value holds to its element."""
    for term in TERMS[type(value)]:
        given = getattr(value, term.name)
        if given is None or given in ("", ()):
            continue
        around, _, last = term.path.rpartition("/")
        parent = element
        for name in filter(None, around.split("/")):
            found = parent.find(name)
            parent = ElementTree.SubElement(parent, name) if found is None else found
        for entry in given if term.many else (given,):
            _add(parent, last, term, entry)


def _add(parent: ElementTree.Element, place: str, term: Term, value: Any) -> None:
    name, _, attribute = place.partition("@")
    target = ElementTree.SubElement(parent, name) if name else parent
    if term.kind == "details":
        target.attrib |= {"type": xml_text(value[0]), "value": b64encode(value[1]).decode()}
    elif isinstance(term.kind, type):
        _fill(target, value)
    elif attribute:
        target.set(attribute, _text(value))
    else:
        target.text = _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    return xml_text(str(value))
