"""The notebooks of the repository: the only outputs committed are those that nbval compares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_hold_the_outputs_that_are_compared_and_no_others(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert cell["id"]
        if cell["cell_type"] == "code":
            marked = cell["source"][0].startswith("# NBVAL_CHECK_OUTPUT")
            assert bool(cell["outputs"]) == marked
            assert (cell["execution_count"] is not None) == marked  # nbval compares only cells that were run
    assert notebook["cells"][0]["cell_type"] == "markdown"


def test_there_are_notebooks():
    assert {"01_quickstart", "02_datasets"} <= {path.stem for path in NOTEBOOKS}
