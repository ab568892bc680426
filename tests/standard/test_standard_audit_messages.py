"""The tables of audit messages are those of the standard."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from realdata import DATA

from dicomkit.standard.audit_messages import audit_codes, audit_message_kind

ROOT = Path(__file__).parents[2]
STANDARD = DATA.parent / "standard"


@pytest.mark.skipif(not STANDARD.exists(), reason="the tables of the standard are not there")
def test_the_tables_are_what_the_tool_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    tool = runpy.run_module("tools.make_audit_tables")
    for name, make in (("audit_codes.tsv", "audit_codes"), ("audit_messages.tsv", "audit_messages")):
        assert (ROOT / "dicomkit" / "standard" / "data" / name).read_text(encoding="utf-8") == tool[make](STANDARD)


def test_what_a_transfer_must_hold() -> None:
    kind = audit_message_kind("DICOM Instances Transferred")
    assert (kind.section, kind.actions, kind.types) == ("A.5.3.7", "CRU", ())
    assert [entry[1:] for entry in kind.participants] == [(1, 1), (1, 1), (0, None)]
    assert list(kind.objects) == [(("110180",), 1, None), (("2",), 1, 1)]


def test_alerts_have_the_types_of_their_group() -> None:
    assert set(audit_message_kind("SecurityAlert").types) == set(audit_codes("403"))
    assert "110126" in audit_codes("403")
    assert audit_codes("no such group") == {}
