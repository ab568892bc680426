"""The packaged tables of the Unified Procedure Step are what the generator makes, and whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from realdata import STANDARD, needs_standard

from dicomkit.standard import procedure_steps as steps
from dicomkit.standard.attributes import attribute, vr_of
from dicomkit.standard.statuses import status

ROOT = Path(__file__).parent.parent.parent
STATES = ("null", "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")


@needs_standard
def test_the_shipped_tables_are_what_the_generator_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tools.make_ups_tables import main

    main(str(STANDARD), str(tmp_path))
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["ups_attributes.tsv", "ups_events.tsv", "ups_states.tsv", "ups_subscriptions.tsv"]
    for name in made:
        assert (tmp_path / name).read_bytes() == (ROOT / "dicomkit" / "standard" / "data" / name).read_bytes()


def test_every_event_has_an_outcome_in_every_state() -> None:
    for event in ("create", "cancel request", *STATES[1:]):
        for state in STATES:
            for right in (True, False):
                found = steps.transition(event, state, right=right)
                assert set(found.then) <= set(STATES[1:])
                assert status(found.status, "UPS N-ACTION").meaning != "unknown status"
                assert (found.otherwise is not None) <= bool(found.then)


def test_states_that_are_final_stay() -> None:
    for state in steps.FINAL_STATES:
        for event in ("cancel request", *STATES[1:]):
            assert steps.transition(event, state).then == ()


def test_attributes_are_known_and_items_are_in_sequences() -> None:
    paths = {one.path for one in steps.step_attributes()}
    assert len(paths) == len(steps.step_attributes()) > 250
    for path in paths:
        assert attribute(path[-1]) is not None
        assert all(vr_of(tag) == "SQ" for tag in path[:-1])
        assert len(path) == 1 or path[:-1] in paths


def test_what_a_final_state_needs_in_items() -> None:
    needed = {one.path for one in steps.step_attributes() if one.final in "PX" and len(one.path) == 2}
    in_progress = {0x00404052, 0x0074100E}
    performed = {0x00404028, 0x00404050, 0x00404051, 0x00404019, 0x00404033}
    assert needed == {(0x00741002, tag) for tag in in_progress} | {(0x00741216, tag) for tag in performed}


def test_events_have_names_and_attributes() -> None:
    assert [steps.event_name(number) for number in range(1, 7)] == [
        "UPS State Report",
        "UPS Cancel Requested",
        "UPS Progress Report",
        "SCP Status Change",
        "UPS Assigned",
        "",
    ]
    assert {path[0] for path, _ in steps.event_attributes(3)} == {0x00741002}
    assert steps.event_attributes(6) == ()


def test_subscriptions_follow_for_every_event() -> None:
    for what in ("subscribe", "unsubscribe"):
        for scope in ("global", "specific"):
            for how in ("with lock", "without lock") if what == "subscribe" else ("",):
                for state in ("not subscribed", "with lock", "without lock"):
                    then, initial = steps.subscription_after(f"{what} {scope} {how}".strip(), state)
                    assert (then == "not subscribed") == (what == "unsubscribe")
                    assert not (initial and what == "unsubscribe")
