"""The state table cell by cell, against a reading of the standard of its own and against pynetdicom's."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from realdata import STANDARD, needs_standard

from dicomkit.standard.upper_layer import actions, events, reason_text, reasons, states, transition

ROOT = Path(__file__).parent.parent.parent
CELLS = [(state, event) for state in range(1, 14) for event in range(1, 20)]


def generator():
    """The script that makes the tables."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("tools.make_dimse_tables")


@needs_standard
def test_shipped_tables_equal_what_the_generator_makes():
    made = generator().make_tables(STANDARD)
    folder = ROOT / "dicomkit" / "standard" / "data"
    shipped = {name: (folder / name).read_text(encoding="utf-8") for name in made}
    assert {name: shipped[name] == text for name, text in made.items()} == dict.fromkeys(made, True)


@needs_standard
@pytest.mark.parametrize(("state", "event"), CELLS)
def test_every_cell_is_that_of_table_9_10(state, event):
    tables = json.loads((STANDARD / "ps3.08_tables_2013.json").read_text(encoding="utf-8"))
    [table] = [table for table in tables if table["label"] == "9-10"]
    assert table["columns"][1][state] == f"Sta{state}"
    cell = table["rows"][event - 1][state]
    found = transition(state, event)
    if not cell:
        assert found is None
    else:
        action, _, next_states = cell.partition("\n")
        assert found == (action, tuple(int(number) for number in next_states.replace("Sta", "").split(" or ")))


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_every_cell_has_the_action_of_pynetdicom(state, event):
    fsm = pytest.importorskip("pynetdicom.fsm")
    action = fsm.TRANSITION_TABLE.get((f"Evt{event}", f"Sta{state}"))
    assert (transition(state, event) or (None, ()))[0] == action


def test_next_states_are_those_that_the_text_of_the_action_names():
    for state, event in CELLS:
        if cell := transition(state, event):
            action, next_states = cell
            named = re.findall(r"state is Sta(\d+)", actions()[action])
            assert tuple(map(int, named)) == next_states, (state, event)


def test_all_actions_are_used_and_all_states_reached():
    cells = [cell for state, event in CELLS if (cell := transition(state, event))]
    assert {action for action, _ in cells} == set(actions())
    assert len(actions()) == 28
    assert {number for _, next_states in cells for number in next_states} == set(states()) == set(range(1, 14))
    assert set(events()) == set(range(1, 20))
    assert len(cells) == 123


def test_transitions_outside_of_the_table_are_none():
    assert transition(0, 1) is transition(14, 1) is transition(1, 0) is transition(1, 20) is None


def test_reasons_equal_those_of_pynetdicom():
    pdu = pytest.importorskip("pynetdicom.pdu")

    def plain(text):
        return re.sub("[^a-z]", "", text.lower().replace("recognised", "recognized"))

    for source, reason in ((1, 1), (1, 2), (1, 3), (1, 7), (2, 1), (2, 2), (3, 1), (3, 2)):
        rejection = pdu.A_ASSOCIATE_RJ()
        rejection.result, rejection.source, rejection.reason_diagnostic = 1, source, reason
        assert plain(reason_text("reject reason", source, reason)) == plain(rejection.reason_str)
    assert reason_text("reject result", 0, 2) == "rejected-transient"
    assert reason_text("abort reason", 2, 6) == "invalid-PDU-parameter value"


def test_unknown_numbers_have_a_text_too():
    assert reason_text("abort reason", 2, 200) == "unknown (200)"
    assert len(reasons()) == 40
