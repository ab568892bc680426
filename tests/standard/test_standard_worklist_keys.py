"""The packaged table of keys of the worklist is what the generator makes, and each key is an attribute."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from realdata import STANDARD, needs_standard

from dicomkit.standard.attributes import tag_of, vr_of
from dicomkit.standard.worklist_keys import STEP_SEQUENCE, is_of_step, usual_worklist_keys, worklist_keys

ROOT = Path(__file__).parent.parent.parent


@needs_standard
def test_the_shipped_table_is_what_the_generator_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tools.make_worklist_table import main

    main(str(STANDARD), str(tmp_path))
    shipped = ROOT / "dicomkit" / "standard" / "data" / "worklist_keys.tsv"
    assert (tmp_path / "worklist_keys.tsv").read_bytes() == shipped.read_bytes()


def test_keys_are_attributes_in_sequences() -> None:
    keys = worklist_keys()
    assert len(keys) == len({key.path for key in keys}) == 100
    for key in keys:
        assert all(vr_of(tag_of(step) or 0) == "SQ" for step in key.path[:-1])
        assert tag_of(key.path[-1]) is not None
    assert {key.path[-1] for key in keys if key.matching == "R"} == {
        *(STEP_SEQUENCE, "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "Modality", "PatientName"),
        *("ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName", "PatientID"),
    }


def test_every_required_key_is_usual() -> None:
    usual = set(usual_worklist_keys())
    assert {".".join(key.path) for key in worklist_keys() if key.matching == "R"} - {STEP_SEQUENCE} <= usual
    assert is_of_step("ScheduledProcedureStepStatus")
    assert not is_of_step("CodeValue")
