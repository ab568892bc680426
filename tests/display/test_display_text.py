"""Plain-text trees and tables: alignment in terminal cells, bounded width and length, safe characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.display.text import TreeRow, display_width, fit, one_line, shorten, table_text, tree_text


@given(st.text(), st.integers(0, 40), st.sampled_from("lrc"))
def test_fit_gives_exactly_the_width(text: str, width: int, align: str) -> None:
    assert display_width(fit(one_line(text), width, align)) == width


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_one_line_is_printable_on_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in line)
    line.encode("utf-8")


def test_terminal_escapes_lose_their_power() -> None:
    assert "\x1b" not in table_text(["Name"], [["\x1b]0;owned\x07\x1b[2J"]])
    assert "\x1b" not in tree_text([TreeRow(("\x1b[2J", "x"))])


def test_wide_characters_keep_columns_aligned() -> None:
    text = table_text(
        ["PatientName", "Age"], [("山田^太郎", "042Y"), ("김희중", "007Y"), ("Buc^Jérôme", "1"), ("e\u0301", "2")]
    )
    starts = {display_width(line[: line.index(age)]) for line, age in zip(text.splitlines()[2:], "0012", strict=True)}
    assert len(starts) == 1


def test_numbers_stand_to_the_right_and_none_is_empty() -> None:
    lines = table_text(["Modality", "Images"], [("CT", 7), ("MR", 1200), ("US", None)]).splitlines()
    assert lines[2:] == ["CT             7", "MR          1200", "US"]


def test_align_argument_wins() -> None:
    assert table_text(["A"], [("x",), ("long",)], align="r").splitlines()[2] == "   x"


@pytest.mark.parametrize("width", [40, 60, 100])
def test_table_lines_are_never_wider_than_asked(width: int) -> None:
    rows = [("x" * 300, "y" * 50, 3), ("字" * 100, "z", 4)]
    text = table_text(["First", "Second", "Third"], rows, width=width)
    assert max(map(display_width, text.splitlines())) <= width
    assert "…" in text


def test_table_says_how_many_rows_are_left_out() -> None:
    assert table_text(["n"], ([n] for n in range(100)), max_rows=10).splitlines()[-1] == "… 90 more rows"


def test_short_rows_are_filled() -> None:
    assert table_text(["A", "B"], [("only",)]).splitlines()[-1] == "only"


def test_tree_is_indented_aligned_and_cut() -> None:
    leaves = tuple(TreeRow((f"(0008,{n:04X})", "LO", "Name", "v" * 500)) for n in range(30))
    text = tree_text([TreeRow(("(0008,1140)", "SQ", "S", "1 item"), children=leaves)], max_children=20, width=80)
    lines = text.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  … 10 more"
    assert max(map(display_width, lines)) <= 80
    assert {line.index("LO") for line in lines[1:-1]} == {lines[0].index("SQ")}


def test_shorten_counts_the_ellipsis() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert len(shorten("abcdefg", 0)) <= 1


def test_long_names_leave_room_for_values() -> None:
    names = ("short", "a very long name indeed " * 3)
    rows = [TreeRow(("(0020,000D)", "UI", name, "2.25." + "7" * 39)) for name in names]
    lines = tree_text(rows, width=110).splitlines()
    assert all(line.endswith("2.25." + "7" * 39) for line in lines)
    assert "…" not in lines[0]
    assert max(map(len, lines)) <= 110
