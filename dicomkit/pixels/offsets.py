"""Which fragments of encapsulated pixel data make up a frame (PS3.5 A.4, PS3.3 C.7.6.3.1.8)."""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import NamedTuple

from dicomkit.errors import PixelError
from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments

_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ", b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")
"""How the first fragment of a frame begins: JPEG and JPEG-LS, JPEG 2000, JP2, JPEG XL, JPEG XL in boxes."""

_LONGEST_START = max(map(len, _STARTS))


class FrameSpan(NamedTuple):
    """The fragments ``first`` to ``last - 1`` of a frame, its length without padding where known, and remarks."""

    first: int
    last: int
    length: int | None = None
    notes: tuple[str, ...] = ()


def frame_span(
    fragments: Fragments,
    index: int,
    number_of_frames: int,
    *,
    extended_offsets: bytes = b"",
    extended_lengths: bytes = b"",
    starts: tuple[int, ...] | None = None,
) -> FrameSpan:
    """Find the fragments of one frame.

    The Extended Offset Table decides where there is one, then the Basic Offset Table; without a table, or with one that
    can't be true, one fragment is one frame where the numbers agree, and else frames are told by how their
    encodings begin.

    Parameters
    ----------
    fragments : Fragments
    index : int
        Frame, from 0.
    number_of_frames : int
        NumberOfFrames of the data set; with less data than that, only the frames that are there can be had.
    extended_offsets, extended_lengths : bytes, optional
        Values of Extended Offset Table and Extended Offset Table Lengths.
    starts : tuple of int, optional
        What `frame_starts` gave, where many frames are wanted.

    Returns
    -------
    FrameSpan

    Raises
    ------
    PixelError
        If there is no such frame, or nothing tells where it begins.

    Examples
    --------
    >>> frame_span(Fragments.of([b"one ", b"two1", b"two2"], b"\\0\\0\\0\\0\\x0c\\0\\0\\0"), 1, 2)
    FrameSpan(first=1, last=3, length=None, notes=())
    """
    parts = len(fragments.parts)
    if not parts:
        raise PixelError("the pixel data has no fragments", frame=index)
    notes: tuple[str, ...] = ()
    for name, table, code, size in (
        ("Extended Offset Table", extended_offsets, "<Q", 8),
        ("Basic Offset Table", fragments.offset_table, "<I", 4),
    ):
        if not table:
            continue
        span = _from_table(fragments, index, table, code, size)
        if span is None or (span.first != index and parts == number_of_frames):
            notes = (f"the {name} does not fit the fragments: ignored",)
            continue
        if size == 8 and len(extended_lengths) == len(table):
            (length,) = struct.unpack_from("<Q", extended_lengths, 8 * index)
            if length <= sum(len(part) for part in fragments.parts[span.first : span.last]):
                return span._replace(length=length)
            return span._replace(notes=("Extended Offset Table Lengths exceed the fragments: ignored",))
        return span
    return _without_table(fragments, index, number_of_frames, notes, starts)


def frame_starts(fragments: Fragments) -> tuple[int, ...]:
    """List the fragments that begin as an encoded frame does.

    Parameters
    ----------
    fragments : Fragments

    Returns
    -------
    tuple of int
        Empty for encodings without a mark, such as RLE.

    Examples
    --------
    >>> frame_starts(Fragments.of([b"\\xff\\xd8\\xff\\xe0", b"more", b"\\xff\\xd8\\xff\\xe0"]))
    (0, 2)
    """
    return tuple(number for number, part in enumerate(fragments.parts) if _begins(part))


def _from_table(fragments: Fragments, index: int, table: bytes, code: str, size: int) -> FrameSpan | None:
    """The span that a table gives, or None where it does not point at the beginnings of fragments."""
    entries = len(table) // size
    if index >= entries:
        return None
    offsets = fragments.item_offsets
    (start,) = struct.unpack_from(code, table, size * index)
    first, last = bisect_left(offsets, start), len(offsets)
    if index + 1 < entries:
        (stop,) = struct.unpack_from(code, table, size * (index + 1))
        last = bisect_left(offsets, stop)
        if last == len(offsets) or offsets[last] != stop:
            return None
    if first >= last or offsets[first] != start or (index == 0 and first):
        return None
    return FrameSpan(first, last)


def _without_table(
    fragments: Fragments,
    index: int,
    number_of_frames: int,
    notes: tuple[str, ...],
    starts: tuple[int, ...] | None,
) -> FrameSpan:
    """The span that the number of fragments, or how they begin, gives."""
    parts = len(fragments.parts)
    if parts == number_of_frames and index < parts:
        return FrameSpan(index, index + 1, notes=notes)
    if number_of_frames == 1 and index == 0 and parts == 1:
        return FrameSpan(0, 1, notes=notes)
    starts = frame_starts(fragments) if starts is None else starts
    if not starts or starts[0] != 0:  # an encoding without a mark, such as RLE: never more than one fragment a frame
        if number_of_frames == 1 and index == 0:
            return FrameSpan(0, parts, notes=notes)
        if parts < number_of_frames and index < parts:
            return FrameSpan(index, index + 1, notes=(*notes, _fewer(parts, number_of_frames)))
        raise PixelError(
            f"can't tell which of {parts} fragments belong to it, with {number_of_frames} frames", frame=index
        )
    if index >= len(starts):
        raise PixelError(_fewer(len(starts), number_of_frames), frame=index)
    last = starts[index + 1] if index + 1 < len(starts) else parts
    if len(starts) != number_of_frames:
        notes = (*notes, f"NumberOfFrames is {number_of_frames}, but {len(starts)} frames are there")
    return FrameSpan(starts[index], last, notes=notes)


def _begins(part: bytes | Bulk) -> bool:
    """Whether a fragment begins as an encoded frame does."""
    head = part[:_LONGEST_START] if isinstance(part, bytes) else part.read(0, _LONGEST_START)
    return head.startswith(_STARTS)


def _fewer(found: int, number_of_frames: int) -> str:
    """What to say of missing frames."""
    return f"NumberOfFrames is {number_of_frames}, but only {found} frames are there"
