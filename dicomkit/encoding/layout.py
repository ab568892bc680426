"""Where the elements of the last file lay, so that the next one like it is proved in few steps instead of walked."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from dicomkit.dataset.index import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER
from dicomkit.encoding.headers import ALL_ONES, LONG, SHORT, SQ, UN, explicit_little, implicit_little, length_little
from dicomkit.encoding.regular import SMALL

_MOST_HEADERS, _MOST_RUNS, _MOST_DEPTH = 2000, 96, 100


class _Header(NamedTuple):
    """One header of the chain: its place and size, and its length field ("H", "I", or "" where it has none)."""

    position: int
    size: int
    field: str
    word: int
    vr: int
    length: int
    wanted: bool
    raw: bytes


class _Run(NamedTuple):
    """Headers at fixed distances. The length of the last is free: it tells where the next run begins."""

    headers: tuple[_Header, ...]
    unpack: Callable[[bytes, int], tuple[Any, ...]]
    expected: tuple[bytes, ...]
    reach: int
    need: int
    rows: tuple[tuple[int, int, int, int], ...]


class Layout:
    """What one call remembers of the files that it has read: the chain of headers of the last one that was walked.

    A header of the next file is at the same distance as long as all headers before it are the same. So one comparison
    of all of them proves the whole chain; where only a length differs, the chain goes on behind that value. It changes
    while it learns, so it belongs to one call and one thread.
    """

    __slots__ = ("_hits", "_misses", "_open", "_runs", "_wanted")

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._wanted: Any = None
        self._open = False
        self._hits = self._misses = 0

    def rows(self, data: bytes, position: int, size: int, wanted: Any) -> list[int] | None:
        """Give the records of the wanted elements, or None where the layout is another one.

        Parameters
        ----------
        data
            The beginning of the file.
        position
            Where its data set begins, in explicit VR little-endian.
        size
            Of the whole file.
        wanted
            As `pick` takes it.
        """
        if wanted is not self._wanted:
            return None
        runs = self._runs
        rows: list[int] = []
        k = 0
        try:
            while k < len(runs):
                _, unpack, expected, reach, need, own = runs[k]
                found = unpack(data, position)
                if found[:-1] != expected:
                    if not self._split(k, found):
                        return None
                    continue
                length = found[-1]
                if position + need > len(data):
                    return None
                for word, vr, size_of_value, distance in own:
                    rows += (word, vr, size_of_value, position + distance)
                position += reach
                last = runs[k].headers[-1]
                if last.field:
                    if length == ALL_ONES:
                        return None
                    if last.wanted:
                        if position + length > len(data) and (last.field == "H" or length <= SMALL):
                            return None
                        rows += (last.word, last.vr, length, position)
                    position += length
                k += 1
        except struct.error:
            return None
        if not runs or (not self._open and position != size):
            return None
        self._hits += 1
        return rows

    def learn(self, data: bytes, position: int, size: int, wanted: Any) -> None:
        """Remember the chain of headers of a file that was walked without finding anything odd."""
        self._misses += 1
        if self._misses > 4 + self._hits // 4:
            return
        self._runs, self._wanted = [], wanted
        try:
            headers, self._open = _chain(data, position, size, wanted)
        except (struct.error, _Odd):
            return
        if headers:
            self._runs = [_run(tuple(headers))]

    def _split(self, k: int, found: tuple[Any, ...]) -> bool:
        """Free the first length that differs, if nothing else differs there."""
        headers, _, expected, *_ = self._runs[k]
        at = next(i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b)
        header = headers[at]
        keep = header.size - (2 if header.field == "H" else 4)
        if not header.field or found[at][:keep] != expected[at][:keep] or len(self._runs) >= _MOST_RUNS:
            return False
        self._runs[k : k + 1] = [_run(headers[: at + 1]), _run(headers[at + 1 :])]
        return True


class _Odd(Exception):
    """The chain is none that can be remembered."""


def _chain(data: bytes, position: int, size: int, wanted: Any) -> tuple[list[_Header], bool]:
    """List the headers that `pick` reads, and tell whether it stops at the last one rather than at the end."""
    places, last = wanted
    headers: list[_Header] = []
    inside: list[bool] = []  # of each open sequence: whether one of its items is open
    while position < size or inside:
        if len(headers) >= _MOST_HEADERS:
            raise _Odd
        word, vr, length = explicit_little(data, position)
        if inside and word in (ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER):
            length = implicit_little(data, position)[1]
            if word == ITEM and not inside[-1]:
                inside[-1] = length == ALL_ONES
            elif word == ITEM_DELIMITER and inside[-1]:
                inside[-1] = False
                length = ALL_ONES
            elif word == SEQUENCE_DELIMITER and not inside[-1]:
                inside.pop()
                length = ALL_ONES
            else:
                raise _Odd
            field = "" if length == ALL_ONES else "I"
            headers.append(_Header(position, 8, field, word, 0, length, False, data[position : position + 8]))
            position += 8 if length == ALL_ONES else 8 + length
            continue
        if inside and not inside[-1]:
            raise _Odd
        top = not inside
        if vr in SHORT:
            raw = data[position : position + 8]
            headers.append(_Header(position, 8, "H", word, vr, length, top and word in places, raw))
            position += 8 + length
        elif vr in LONG:
            if top and word >> 16 | (word & 0xFFFF) << 16 > last:
                headers.append(_Header(position, 6, "", word, vr, 0, False, data[position : position + 6]))
                return headers, True
            length = length_little(data, position + 8)[0]
            is_wanted = top and word in places
            if (length == ALL_ONES and (vr != SQ or len(inside) >= _MOST_DEPTH)) or (is_wanted and vr in (SQ, UN)):
                raise _Odd
            field = "" if length == ALL_ONES else "I"
            headers.append(_Header(position, 12, field, word, vr, length, is_wanted, data[position : position + 12]))
            position += 12
            if length == ALL_ONES:
                inside.append(False)
            else:
                position += length
        else:
            raise _Odd
    return headers, False


def _run(headers: tuple[_Header, ...]) -> _Run:
    """Make one run of headers that follow one another."""
    start, last = headers[0].position, headers[-1]
    parts, at, need = [], start, 0
    expected: list[bytes] = []
    rows = []
    for header in headers[:-1]:
        parts.append(f"{header.position - at}x{header.size}s")
        at = header.position + header.size
        expected.append(header.raw)
        if header.wanted:
            rows.append((header.word, header.vr, header.length, at - start))
            if header.field == "H" or header.length <= SMALL:
                need = at - start + header.length
    parts.append(f"{last.position - at}x")
    kept = last.size - {"H": 2, "I": 4, "": 0}[last.field]
    parts.append(f"{kept}s{last.field or '0s'}")
    expected.append(last.raw[:kept])
    return _Run(
        headers,
        struct.Struct("<" + "".join(parts)).unpack_from,
        tuple(expected),
        last.position + last.size - start,
        need,
        tuple(rows),
    )
