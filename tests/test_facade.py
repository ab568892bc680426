"""What a type checker and an editor see of `dicomkit` is what there is."""

from __future__ import annotations

import ast
from pathlib import Path

import dicomkit as dk


def test_the_stub_names_what_the_facade_loads() -> None:
    stub = Path(dk.__file__).with_suffix(".pyi")
    seen = {
        alias.name: node.module
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {**dk._FACADE, **dict.fromkeys(dk._NAMESPACES, "dicomkit")}
