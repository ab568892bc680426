"""The page on volumes names every dimension and every policy that there is."""

from __future__ import annotations

from pathlib import Path

from dicomkit.volumes.dimensions import ARRAY_ORDER, CANDIDATES
from dicomkit.volumes.places import ORDER
from dicomkit.volumes.policy import CHOICES

PAGE = (Path(__file__).parents[2] / "docs" / "volumes.md").read_text(encoding="utf-8")
ROWS = {line.split("|")[1].strip(" `"): line for line in PAGE.splitlines() if line.startswith("| `")}


def test_dimensions() -> None:
    assert set(ARRAY_ORDER) <= set(ROWS)
    for candidate in CANDIDATES:
        for attribute in candidate.attributes:
            known = {place[-1] for place in ORDER[attribute].places} | {attribute}
            assert any(name in ROWS[candidate.dimension] for name in known), (candidate.dimension, attribute)


def test_policies() -> None:
    for kind, choices in CHOICES.items():
        for word in choices:
            assert word[0].isdigit() or f'`"{word}"`' in ROWS[kind], (kind, word)
