"""Encapsulated pixel data as the bytes of its value field, and back (PS3.5 A.4): what InlineBinary holds."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dicomkit.sources import CHUNK, Bulk, MemorySource
from dicomkit.values.fragments import Fragments

_HEADER = struct.Struct("<HHI")
_ITEM, _DELIMITER = 0xE000, 0xE0DD


def value_field(value: bytes | Bulk | Fragments) -> Iterator[bytes]:
    """Yield the bytes of a value field, piece by piece; those of fragments with item headers and delimiter.

    Examples
    --------
    >>> b"".join(value_field(Fragments.of([b"ab"]))).hex()
    'feff00e000000000feff00e0020000006162feffdde000000000'
    """
    if isinstance(value, bytes):
        yield from (value[start : start + CHUNK] for start in range(0, len(value), CHUNK))
    elif isinstance(value, Bulk):
        yield from value.chunks()
    else:
        for part in (value.offset_table, *value.parts):
            yield _HEADER.pack(0xFFFE, _ITEM, len(part) + len(part) % 2)
            yield from (part,) if isinstance(part, bytes) else part.chunks()
            yield bytes(len(part) % 2)
        yield _HEADER.pack(0xFFFE, _DELIMITER, 0)


def fragments_of(raw: bytes) -> Fragments | None:
    """Take a value field apart that consists of items from its first byte to its last; None where it does not.

    Examples
    --------
    >>> fragments_of(b"".join(value_field(Fragments.of([b"ab", b"cd"]))))
    <Fragments 2 fragments, 4 bytes>
    >>> fragments_of(bytes(16)) is None
    True
    """
    source = MemorySource(raw)
    starts: list[int] = []
    parts: list[Bulk] = []
    at, size = 0, len(raw)
    while at + 8 <= size:
        group, element, length = _HEADER.unpack_from(raw, at)
        if group == 0xFFFE and element == _DELIMITER and length == 0 and size - at <= 9:
            at = size
            break
        if group != 0xFFFE or element != _ITEM or length > size - at - 8:
            return None
        starts.append(at)
        parts.append(Bulk(source, at + 8, length))
        at += 8 + length
    if at != size or not parts:
        return None
    table, *rest = parts
    first = starts[1] if rest else 0
    return Fragments(bytes(table), tuple(rest), tuple(start - first for start in starts[1:]))
