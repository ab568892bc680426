"""The packaged table of keys is what the generator makes, and each key is an attribute."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from realdata import STANDARD, needs_standard

from dicomkit.standard.attributes import tag_of
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS, query_key, query_keys

ROOT = Path(__file__).parent.parent.parent


@needs_standard
def test_the_shipped_table_is_what_the_generator_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tools.make_query_tables import main

    main(str(STANDARD), str(tmp_path))
    shipped = ROOT / "dicomkit" / "standard" / "data" / "query_keys.tsv"
    assert (tmp_path / "query_keys.tsv").read_bytes() == shipped.read_bytes()


def test_keys_are_attributes_on_one_level() -> None:
    keys = [key for level in LEVELS for key in query_keys(level)]
    assert len(keys) == len({key.keyword for key in keys}) > 40
    assert all(tag_of(key.keyword) is not None and query_key(key.keyword) == key for key in keys)
    assert {key.level: key.keyword for key in keys if key.type == "U"} == dict(UNIQUE_KEYS)
