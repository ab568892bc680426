"""Which fragments make up a frame: tables, no tables, and tables that lie."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.errors import PixelError
from dicomkit.pixels.offsets import frame_span
from dicomkit.values.fragments import Fragments

SOI = b"\xff\xd8\xff\xe0"


def spans(fragments: Fragments, frames: int, **tables: bytes) -> list[tuple[int, int]]:
    return [frame_span(fragments, index, frames, **tables)[:2] for index in range(frames)]


def of(counts: list[int], *, mark: bytes = b"", code: str = "I") -> tuple[Fragments, bytes]:
    """Fragments, so many for each frame, and the table of their offsets."""
    parts = [(mark if not part else b"more") + bytes(2 * part) for count in counts for part in range(count)]
    plain = Fragments.of(parts)
    firsts = [sum(counts[:number]) for number in range(len(counts))]
    return plain, struct.pack(f"<{len(counts)}{code}", *(plain.item_offsets[first] for first in firsts))


def expected(counts: list[int]) -> list[tuple[int, int]]:
    return [(sum(counts[:number]), sum(counts[: number + 1])) for number in range(len(counts))]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8))
def test_basic_offset_table(counts: list[int]) -> None:
    fragments, table = of(counts)
    assert spans(Fragments.of(fragments.parts, table), len(counts)) == expected(counts)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8))
def test_extended_offset_table_wins(counts: list[int]) -> None:
    fragments, table = of(counts, code="Q")
    wrong = struct.pack(f"<{len(counts)}I", *[0] * len(counts))
    both = Fragments.of(fragments.parts, wrong)
    assert spans(both, len(counts), extended_offsets=table) == expected(counts)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8))
def test_without_a_table_frames_are_told_by_how_they_begin(counts: list[int]) -> None:
    fragments, _ = of(counts, mark=SOI)
    assert spans(fragments, len(counts)) == expected(counts)


@given(st.lists(st.integers(1, 3), min_size=2, max_size=6), st.binary(min_size=1, max_size=40))
def test_a_table_of_junk_is_ignored_or_an_error(counts: list[int], junk: bytes) -> None:
    fragments, _ = of(counts, mark=SOI)
    for index in range(len(counts)):
        try:
            span = frame_span(Fragments.of(fragments.parts, junk), index, len(counts))
        except PixelError:
            continue
        assert 0 <= span.first < span.last <= len(fragments.parts)


def test_table_of_zeros_with_one_fragment_a_frame() -> None:
    fragments, _ = of([1, 1, 1])
    zeros = Fragments.of(fragments.parts, bytes(12))
    assert spans(zeros, 3) == [(0, 1), (1, 2), (2, 3)]
    assert frame_span(zeros, 1, 3).notes == ("the Basic Offset Table does not fit the fragments: ignored",)


def test_number_of_frames_too_small_or_too_large() -> None:
    fragments, _ = of([2, 1, 3], mark=SOI)
    assert frame_span(fragments, 2, 2)[:2] == (3, 6)
    assert "3 frames are there" in frame_span(fragments, 2, 2).notes[0]
    with pytest.raises(PixelError, match=r"frame 3: NumberOfFrames is 5, but only 3 frames are there") as caught:
        frame_span(fragments, 3, 5)
    assert caught.value.frame == 3


def test_one_frame_in_several_fragments_without_a_mark() -> None:
    fragments, _ = of([3])
    assert spans(fragments, 1) == [(0, 3)]


def test_nothing_tells() -> None:
    fragments, _ = of([2, 3])
    with pytest.raises(PixelError, match="can't tell which of 5 fragments"):
        frame_span(fragments, 1, 2)
    with pytest.raises(PixelError, match="no fragments"):
        frame_span(Fragments.of([]), 0, 1)


def test_extended_lengths_cut_the_padding() -> None:
    fragments, table = of([1, 1], mark=b"abcd", code="Q")
    lengths = struct.pack("<2Q", 3, 99)
    assert frame_span(fragments, 0, 2, extended_offsets=table, extended_lengths=lengths).length == 3
    lying = frame_span(fragments, 1, 2, extended_offsets=table, extended_lengths=lengths)
    assert lying.length is None
    assert lying.notes
