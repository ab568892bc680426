"""Where the elements of the last file lay, so that the next one like it is proved in few steps instead of walked."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from dicomkit.dataset.index import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER
from dicomkit.encoding.headers import ALL_ONES, LONG, SHORT, SQ, UN, explicit_little, implicit_little, length_little
from dicomkit.encoding.regular import SMALL

_MOST_HEADERS, _MOST_RUNS, _MOST_DEPTH, _MOST_PLACES = 2000, 96, 100, 64
_LONGEST_VALUE = 256
_START, _META, _SYNTAX = 128, 144, 0x00100002
"""Where the prefix DICM is, and the first element of the file meta information after its length."""


class _Header(NamedTuple):
    """One header of the chain: its place and size, and its length field ("H", "I", or "" where none may differ).

    Bytes other than headers are in the chain, too, where all files must have the same.
    """

    position: int
    size: int
    field: str
    word: int
    vr: int
    length: int
    wanted: bool
    raw: bytes
    located: bool = False
    begins: bool = False
    """Whether the data set begins with it."""
    value: bytes = b""
    """What follows it, as long as that is the same in all files."""

    @property
    def kept(self) -> int:
        """How many bytes come before its length."""
        return self.size - {"H": 2, "I": 4, "": 0}[self.field]

    def in_memory(self, length: int) -> bool:
        """Whether a value of this length must lie in the window."""
        return self.field == "H" or (length <= SMALL and not self.located)


class _Run(NamedTuple):
    """Headers at fixed distances. The length of the last is free: it tells where the next run begins.

    What lies between values that differ is compared in one piece.
    """

    headers: tuple[_Header, ...]
    unpack: Callable[[bytes, int], tuple[Any, ...]]
    expected: tuple[bytes, ...]
    reach: int
    need: int
    rows: tuple[tuple[int, int, int, int], ...]
    placed: dict[int, list[int]]
    """Records of the wanted headers, for each place where the run was found to begin."""
    begin: int
    """Where in it the data set begins, -1 if elsewhere."""

    def records(self, position: int) -> list[int]:
        """Give the records of the wanted headers but the last, where the run begins at this place."""
        found = self.placed.get(position)
        if found is None:
            found = [n for word, vr, length, distance in self.rows for n in (word, vr, length, position + distance)]
            if len(self.placed) < _MOST_PLACES:
                self.placed[position] = found
        return found


class Alike:
    """The elements of which all files that were proved by the same layout have the same values.

    Parameters
    ----------
    words
        Their tags as an Index has them.
    """

    __slots__ = ("words",)

    def __init__(self, words: frozenset[int]) -> None:
        self.words = words


class Layout:
    """What one call remembers of the files that it has read: the chain of headers of the last one that was walked.

    A header of the next file is at the same distance as long as all headers before it are the same. So one comparison
    of all of them proves the whole chain; where only a length differs, the chain goes on behind that value. It changes
    while it learns, so it belongs to one call and one thread.
    """

    __slots__ = ("_alike", "_hits", "_misses", "_open", "_runs", "_wanted", "syntax")

    def __init__(self) -> None:
        self.syntax = b""
        """UID of the transfer syntax that the files have."""
        self._alike: Alike | None = None
        self._runs: list[_Run] = []
        self._wanted: Any = None
        self._open = False
        self._hits = self._misses = 0

    def rows(self, data: bytes, size: int, wanted: Any) -> list[int] | None:
        """Give the records of the wanted elements, or None where the layout is another one.

        Parameters
        ----------
        data
            The beginning of the file.
        size
            Of the whole file.
        wanted
            As `pick` takes it.
        """
        if wanted is not self._wanted:
            return None
        runs = self._runs
        rows: list[int] = []
        k, position = 0, _START
        try:
            begin = _META + length_little(data, _META - 4)[0]
            while k < len(runs):
                run = runs[k]
                found = run.unpack(data, position)
                if found[:-1] != run.expected:
                    if not self._loosen(k, data, position):
                        return None
                    continue
                length = found[-1]
                if position + run.need > len(data) or (run.begin >= 0 and position + run.begin != begin):
                    return None
                rows += run.records(position)
                position += run.reach
                last = run.headers[-1]
                if last.field:
                    if length == ALL_ONES:
                        return None
                    if last.wanted:
                        if position + length > len(data) and last.in_memory(length):
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

    def learn(self, data: bytes, size: int, wanted: Any, syntax: bytes) -> None:
        """Remember the chain of headers of an explicit VR file that was walked, with nothing odd in it."""
        self._misses += 1
        if self._misses > 4 + self._hits // 4:
            return
        self._runs, self._wanted, self.syntax, self._alike = [], wanted, syntax, None
        try:
            headers, position = _meta_chain(data, wanted)
            more, self._open = _chain(data, position, size, wanted)
        except (struct.error, _Odd):
            return
        if more:
            self._runs = [_run((*headers, more[0]._replace(begins=True), *more[1:]))]

    @property
    def alike(self) -> Alike:
        """What is the same in the file that was proved last and in those before, since this is the same object."""
        if self._alike is None:
            same: dict[int, bool] = {}
            for run in self._runs:
                for header in run.headers:
                    if header.wanted:
                        compared = header is not run.headers[-1] and len(header.value) == header.length
                        same[header.word] = compared and same.get(header.word, True)
            self._alike = Alike(frozenset(word for word, is_same in same.items() if is_same))
        return self._alike

    def _loosen(self, k: int, data: bytes, position: int) -> bool:
        """Free the values of a run that differ, up to the first length that differs; tell whether that was all."""
        self._alike = None
        headers = list(self._runs[k].headers)
        position -= headers[0].position
        freed = False
        for i, header in enumerate(headers):
            at = position + header.position
            if data[at : at + header.size] != header.raw and i < len(headers) - 1:
                if not header.field or data[at : at + header.kept] != header.raw[: header.kept]:
                    return False
                if len(self._runs) >= _MOST_RUNS:
                    return False
                self._runs[k : k + 1] = [_run(tuple(headers[: i + 1])), _run(tuple(headers[i + 1 :]))]
                return True
            if not data.startswith(header.value, at + header.size):
                headers[i] = header._replace(value=b"")
                freed = True
        if freed:
            self._runs[k] = _run(tuple(headers))
        return freed


class _Odd(Exception):
    """The chain is none that can be remembered."""


def _meta_chain(data: bytes, wanted: Any) -> tuple[list[_Header], int]:
    """List the headers of the file meta information, with the transfer syntax itself; and tell where it ends."""
    places = wanted[0]
    headers = [_Header(_START, 12, "", 0, 0, 0, False, data[_START : _START + 12])]
    end = _META + length_little(data, _META - 4)[0]
    position = _META
    while position < end:
        word, vr, length = explicit_little(data, position)
        header, field = (8, "H") if vr in SHORT else (12, "I")
        if field == "I":
            length = length_little(data, position + 8)[0]
        raw, position = data[position : position + header], position + header
        value = data[position : position + length]
        headers.append(_Header(position - header, header, field, word, vr, length, word in places, raw, value=value))
        if word == _SYNTAX:
            headers[-1] = headers[-1]._replace(value=b"")
            headers.append(_Header(position, length, "", 0, 0, 0, False, value))
        position += length
    return headers, end


def _chain(data: bytes, position: int, size: int, wanted: Any) -> tuple[list[_Header], bool]:
    """List the headers that `pick` reads, and tell whether it stops at the last one rather than at the end."""
    places, last, located = wanted
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
            raw, value = data[position : position + 8], _short(data, position + 8, length)
            headers.append(_Header(position, 8, "H", word, vr, length, top and word in places, raw, value=value))
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
            raw, value = data[position : position + 12], b"" if vr == SQ else _short(data, position + 12, length)
            headers.append(_Header(position, 12, field, word, vr, length, is_wanted, raw, word in located, value=value))
            position += 12
            if length == ALL_ONES:
                inside.append(False)
            else:
                position += length
        else:
            raise _Odd
    return headers, False


def _short(data: bytes, position: int, length: int) -> bytes:
    """Give a value that is worth comparing."""
    return data[position : position + length] if length <= _LONGEST_VALUE else b""


def _run(headers: tuple[_Header, ...]) -> _Run:
    """Make one run of headers that follow one another."""
    start, last = headers[0].position, headers[-1]
    pieces = [bytearray()]
    parts, at, need = [], start, 0
    rows = []
    for header in headers:
        if header.position > at:
            parts.append(f"{len(pieces[-1])}s{header.position - at}x")
            pieces.append(bytearray())
        pieces[-1] += header.raw[: header.kept] if header is last else header.raw + header.value
        at = header.position + header.size
        if header.wanted and header is not last:
            rows.append((header.word, header.vr, header.length, at - start))
            if header.in_memory(header.length):
                need = at - start + header.length
        at += len(header.value)
    parts.append(f"{len(pieces[-1])}s{last.field or '0s'}")
    return _Run(
        headers,
        struct.Struct("<" + "".join(parts)).unpack_from,
        tuple(map(bytes, pieces)),
        last.position + last.size - start,
        need,
        tuple(rows),
        {},
        next((header.position - start for header in headers if header.begins), -1),
    )
