"""The schema of PS3.15 A.5.1, taken from the text of the standard, and strategies of audit messages."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone
from functools import cache
from typing import Any

import pytest
from hypothesis import strategies as st
from realdata import DATA

from dicomkit.net.audit import (
    OUTCOMES,
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    EventIdentification,
    ParticipantObject,
    SopClassInstances,
    alert_object,
    application,
    audit_codes,
    audit_message,
    audit_message_kinds,
    log_object,
    patient_object,
    query_object,
    study_object,
)
from dicomkit.standard.audit_messages import AuditCode

STANDARD = DATA.parent / "standard" / "text" / "ps3.15_2026c.md"
needs_schema = pytest.mark.skipif(not STANDARD.exists(), reason=f"{STANDARD} is not there")


@cache
def schema() -> Any:
    """A validator of RELAX NG, made of the compact schema in the text."""
    etree = pytest.importorskip("lxml.etree")
    rnc2rng = pytest.importorskip("rnc2rng")
    text = STANDARD.read_text(encoding="utf-8").split("A.5.1.1 Audit Message Schema")[1].split("```")[1]
    compact = re.sub(r"#.*", "", text)  # remarks that stand where the compact syntax has no place for them
    return etree.RelaxNG(etree.fromstring(rnc2rng.dumps(rnc2rng.loads(compact)).encode()))


def why_invalid(xml: bytes) -> str:
    """What the schema has against a message; nothing where it is valid."""
    etree = pytest.importorskip("lxml.etree")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    root = etree.fromstring(xml, parser)
    empty = [node for node in root.iter() if "" in node.attrib.values() or not (node.text or node.attrib or len(node))]
    if empty:  # PS3.15 A.5.2: neither empty elements nor empty attributes
        return f"{empty[0].tag} is empty, or has an empty attribute"
    return "" if schema().validate(root) else str(schema().error_log)


# ---- strategies ----------------------------------------------------------------------------------------------------

hostile = st.text(
    st.characters(categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Ll", "Lo", "Po", "Sm")), min_size=1
)
texts = st.one_of(st.text(min_size=1, max_size=40), hostile, st.sampled_from(["]]>", "&amp;", '"/><x a="', " ", "\\"]))
texts = texts.filter(lambda text: text == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))
optional = st.one_of(st.just(""), texts)
codes = st.builds(AuditCode, texts, texts, texts)
few = {"max_size": 3}
data = st.binary(min_size=1, max_size=40)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))]))


def one_of(values: str) -> Any:
    """One of some letters, or nothing."""
    return st.sampled_from(["", *values])


events = st.builds(
    EventIdentification,
    codes,
    times,
    st.sampled_from(list(OUTCOMES)),
    one_of("CRUDE"),
    st.lists(codes, **few).map(tuple),
    optional,
)
participants = st.builds(
    ActiveParticipant,
    texts,
    st.just(False),
    st.lists(codes, **few).map(tuple),
    optional,
    optional,
    optional,
    one_of("12345"),
    st.none() | codes,
)
sources = st.builds(AuditSource, texts, optional, st.lists(st.sampled_from("123456789"), **few).map(tuple))
sop_classes = st.builds(SopClassInstances, texts, st.integers(0, 1 << 40), st.lists(texts, **few).map(tuple))
tuples = st.lists(texts, **few).map(tuple)


@st.composite
def objects(draw: Any) -> ParticipantObject:
    """An object, with a name or a query."""
    is_query = draw(st.booleans())
    return ParticipantObject(
        draw(texts),
        draw(codes),
        "" if is_query else draw(texts),
        draw(data) if is_query else None,
        draw(one_of("1234")),
        draw(st.sampled_from(["", *map(str, range(1, 27))])),
        draw(st.sampled_from(["", *map(str, range(1, 16))])),
        draw(optional),
        draw(st.lists(st.tuples(texts, data), **few).map(tuple)),
        draw(tuples),
        draw(tuples),
        draw(st.lists(sop_classes, **few).map(tuple)),
        draw(tuples),
        draw(st.sampled_from([None, True, False])),
        draw(st.sampled_from([None, True, False])),
    )


messages = st.builds(
    AuditMessage,
    events,
    st.lists(participants, min_size=1, max_size=4).map(tuple),
    sources,
    st.lists(objects(), **few).map(tuple),
)


# ---- one of each kind ----------------------------------------------------------------------------------------------


def examples() -> dict[str, AuditMessage]:
    """A message of every kind, with all that PS3.15 A.5.3 wants of it."""
    study = study_object("1.2.3", [SopClassInstances("1.2.840.10008.5.1.4.1.1.2", 2, ("1.2.3.1", "1.2.3.2"))])
    people = {
        "110150": application("STORE", "sonic", roles=["application"]),
        "110152": application("PACS", "10.0.0.7", roles=["destination"]),
        "110153": application("STORE", "sonic", roles=["source"], is_requestor=True),
    }
    things = {
        "110180": study,
        "2": patient_object("A1", "DOE^JANE"),
        "12": log_object("file:///audit.jsonl"),
        "110181": query_object("1.2.840.10008.5.1.4.1.2.2.1", b"\x08\x00", "1.2.840.10008.1.2"),
        "110182": alert_object("10.0.0.7", "not trusted"),
    }
    made = {}
    for keyword, kind in audit_message_kinds().items():
        who = [people[entry.codes[0]] for entry in kind.participants if entry.codes and entry.least]
        who += [application("X", "y") for entry in kind.participants if not entry.codes for _ in range(entry.least)]
        what = [things[entry.codes[0]] for entry in kind.objects]
        made[keyword] = audit_message(
            keyword, who, AuditSource("sonic"), what, action=kind.actions[0], type=kind.types[0] if kind.types else ""
        )
    assert audit_codes("400").keys() == {kind.code.code for kind in audit_message_kinds().values()}
    return made
