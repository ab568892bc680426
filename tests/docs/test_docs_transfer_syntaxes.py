"""The support matrix in the documentation is what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_page_is_what_the_tool_writes() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_transfer_syntax_table.py"))
    written = (ROOT / "docs" / "transfer_syntaxes.md").read_text(encoding="utf-8")
    assert written == tool["table"](), "run: python tools/make_transfer_syntax_table.py > docs/transfer_syntaxes.md"
