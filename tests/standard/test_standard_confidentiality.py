"""The packaged confidentiality tables are what the generator makes, and what PS3.15 prints."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from realdata import STANDARD, needs_standard

from dicomkit.standard.confidentiality import (
    OPTIONS,
    is_method,
    is_safe_private,
    method,
    protected_attribute,
    protected_attributes,
    protected_concepts,
)

ROOT = Path(__file__).parent.parent.parent
COLUMNS = 15


@needs_standard
def test_shipped_tables_equal_what_the_generator_makes() -> None:
    path = ROOT / "tools" / "make_confidentiality_tables.py"
    spec = importlib.util.spec_from_file_location("make_confidentiality_tables", path)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    made = generator.make_tables(STANDARD)
    folder = ROOT / "dicomkit" / "standard" / "data"
    assert {name: (folder / name).read_text(encoding="utf-8") == text for name, text in made.items()} == dict.fromkeys(
        made, True
    )


@needs_standard
def test_actions_are_those_that_the_standard_prints() -> None:
    prose = (STANDARD / "text" / "ps3.15_2026c.md").read_text(encoding="utf-8")
    table = prose.partition("**Table E.1-1. Application")[2].partition("#### E.1.2")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    printed = {}
    for row in rows:
        if len(row) == COLUMNS and (tag := re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", row[1])):
            printed[int(tag[1] + tag[2], 16)] = (row[4], {o: c for o, c in zip(OPTIONS, row[5:], strict=False) if c})
    assert len(printed) > 640
    ours = {tag: (row.action, dict(row.options)) for tag, row in protected_attributes().items()}
    assert {tag: ours.get(tag) for tag in printed} == printed


def test_masks_match_even_groups_only() -> None:
    overlay, curve = protected_attribute(0x601E3000), protected_attribute(0x50FE1234)
    assert overlay is not None
    assert overlay.name == "Overlay Data"
    assert curve is not None
    assert protected_attribute(0x60013000) is None
    assert protected_attribute(0x60003001) is None


def test_safe_private_attributes_are_found_in_any_block() -> None:
    assert is_safe_private("GEMS_ACQU_01", 0x00191023)
    assert is_safe_private("GEMS_ACQU_01 ", 0x0019FF23)
    assert not is_safe_private("GEMS_ACQU_01", 0x00211023)
    assert not is_safe_private("SOMEBODY", 0x00191023)


def test_every_option_has_its_code() -> None:
    names = ("basic", *OPTIONS, "clean_pixel_data", "clean_recognizable_visual_features")
    codes = [method(name) for name in names]
    assert len(set(codes)) == len(codes) == 13
    assert all(is_method("DCM", code.value) for code in codes)
    assert not is_method("DCM", "121106")


@pytest.mark.parametrize(("meaning", "action"), [("Subject Name", "D"), ("Accession Number", "X")])
def test_concepts(meaning: str, action: str) -> None:
    assert len(protected_concepts()) == 214
    assert [row.action for row in protected_concepts() if row.meaning == meaning] == [action]
