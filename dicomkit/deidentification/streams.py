"""Coded pixel data without the comments of its streams, in which anything may be written."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.element import Element
from dicomkit.errors import UnsupportedError
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_JPEG_START = b"\xff\xd8"
_COMMENT = 0xFE
_APPLICATION = range(0xE0, 0xF0)
_KEPT_SEGMENTS = ((0xE0, b"JFIF\0"), (0xEE, b"Adobe"), (0xE8, b"SPIFF"))
_START_OF_SCAN = 0xDA


def without_comments(ds: DataSet) -> DataSet:
    """Return a data set whose JPEG streams have no comments and application data, which may hold anything.

    What a decoder needs stays: JFIF, Adobe and SPIFF headers. Others than JPEG streams stay as they are.
    """
    value = ds.get("PixelData")
    if not isinstance(value, Fragments):
        return ds
    parts = [_without_segments(part) for part in value.parts]
    if all(new is old for new, old in zip(parts, value.parts, strict=True)):
        return ds
    made = Fragments.of(parts)
    if not (value.offset_table or "ExtendedOffsetTable" in ds):
        return ds.assign([Element(Tag.of("PixelData"), "OB", made)])
    # Each frame still starts with the fragment that it started with.
    places = dict(zip(value.item_offsets, made.item_offsets, strict=True))
    table = [offset for (offset,) in struct.iter_unpack("<I", value.offset_table[: len(value.offset_table) & ~3])]
    if len(parts) == (ds.get("NumberOfFrames") or 1):
        table = list(made.item_offsets)
    elif table and all(offset in places for offset in table):
        table = [places[offset] for offset in table]
    else:
        hint = "decode the pixel data first, or take the option to clean it"
        raise UnsupportedError("comments in coded frames with an offset table that can't be followed", hint=hint)
    pixels = Element(Tag.of("PixelData"), "OB", Fragments.of(parts, struct.pack(f"<{len(table)}I", *table)))
    return ds.assign([pixels]).drop("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def _without_segments(part: Any) -> Any:
    """A fragment without the segments before its first scan that are comments; itself where there are none."""
    head = part[:4096] if isinstance(part, bytes) else part.read(0, 4096)
    if head[:2] != _JPEG_START:
        return part
    at, kept, found = 2, [_JPEG_START], False
    data = head
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if end + 4 > len(data) and len(data) < len(part):
            data = bytes(part)
            continue
        body = data[at + 4 : end]
        telling = marker == _COMMENT or (
            marker in _APPLICATION
            and not any(marker == kind and body.startswith(name) for kind, name in _KEPT_SEGMENTS)
        )
        if telling:
            found = True
        else:
            kept.append(data[at:end])
        at = end
    if not found:
        return part
    return b"".join((*kept, bytes(part)[at:]))
