"""What a type checker and an editor see of `dicomkit` is what there is."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_stub_names_what_the_facade_loads() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_facade_stub.py"))
    written = (ROOT / "dicomkit" / "__init__.pyi").read_text(encoding="utf-8")
    assert written == tool["stub"](), "run: python tools/make_facade_stub.py > dicomkit/__init__.pyi"
