"""The table of codecs in the docs lists what is there, with the differences that were measured."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_codec_table_is_up_to_date() -> None:
    pytest.importorskip("imagecodecs")
    tool = runpy.run_path(str(ROOT / "tools" / "make_codec_table.py"))
    written = (ROOT / "docs" / "codecs.md").read_text(encoding="utf-8")
    kept, made = (comparable(text) for text in (written, tool["table"]()))
    assert kept == made, "run: python tools/make_codec_table.py > docs/codecs.md"


def comparable(page: str) -> list[list[str]]:
    """The rows of transfer syntaxes but for the loss, which differs between versions of the codecs."""
    return [line.split(" | ")[:-1] for line in page.splitlines() if line.startswith("| `1.2.840")]
