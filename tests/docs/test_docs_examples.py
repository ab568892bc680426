"""The examples of pages of the docs do what the pages say."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


PAGES = sorted(path.name for path in DOCS.glob("*.md") if ">>>" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_examples(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    runner = doctest.DocTestRunner()
    report: list[str] = []
    runner.run(test, out=report.append)
    assert runner.tries > 5
    assert runner.failures == 0, "".join(report)
