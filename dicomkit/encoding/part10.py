"""From the bytes of a file (PS3.10), or of a bare data set, to a DataSet: preamble, meta, transfer syntax, elements."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.index import Index, to_word
from dicomkit.dataset.repairs import Repair
from dicomkit.encoding.headers import ALL_ONES, IMPLICIT, LONG, SHORT, explicit_little, implicit_little, length_little
from dicomkit.encoding.implied_vr import implied_kind
from dicomkit.encoding.other_formats import other_format
from dicomkit.encoding.regular import SMALL, explicit_elements
from dicomkit.encoding.scan_state import FIRST_WINDOW
from dicomkit.encoding.scanner import scan
from dicomkit.errors import DicomError, ReadError, SourceError, TruncatedError
from dicomkit.opening import Opened, OpenedFile
from dicomkit.sources import Bulk, InflatedSource, inflate
from dicomkit.standard.attributes import vr_of, vr_table
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from dicomkit.values.vr import VRS

_VR_LETTERS = frozenset(vr.encode() for vr in VRS)
_TRANSFER_SYNTAX_UID = to_word(0x00020010)
_META = TransferSyntax.of(EXPLICIT_VR_LITTLE_ENDIAN)
_LARGEST_META = 1 << 20
_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_REGULAR_START = b"DICM" + _GROUP_LENGTH


_Meta: TypeAlias = "tuple[Index | None, int, bytes]"
"""The file meta information: its elements, where they end, and the bytes of the transfer syntax UID."""


def parse(
    opened: Opened | OpenedFile, *, stop_before: int | None = None, transfer_syntax: str | None = None
) -> DataSet:
    """Read a data set, with or without preamble and file meta information.

    Parameters
    ----------
    stop_before
        Leave out the elements from this tag on; nothing after it is read.
    transfer_syntax
        UID or keyword to believe instead of what the meta information says, for a bare data set that is known.

    Raises
    ------
    ReadError
        When it is no DICOM, or can't be followed; names tag and offset.
    """
    try:
        return _parse(opened, stop_before, transfer_syntax)
    except DicomError as error:
        error.path = error.path or getattr(opened.source, "path", None)
        raise


def _parse(opened: Opened | OpenedFile, stop_before: int | None, given: str | None) -> DataSet:
    whole = stop_before is None and opened.size <= SMALL
    head = opened.read_at(0, opened.size if whole else FIRST_WINDOW)
    repairs: list[Repair] = []
    start = 132 if head[128:140] == _REGULAR_START else _start(head, repairs)
    if not start and given is None and (other := other_format(head)) is not None:
        raise ReadError(f"this is no DICOM data set: it looks like {other.name}", offset=0, hint=other.hint or None)
    meta, start, uid = _read_meta(opened, head, start, repairs)
    declared = TransferSyntax.of(given) if given is not None else _declared(uid, repairs) if uid else None
    if declared is not None and declared.deflated:
        return _parse_deflated(opened, start, declared, meta, stop_before, repairs)
    if declared is not None and declared is _META and (head[start + 4 : start + 6] in _VR_LETTERS) and head[start]:
        syntax = declared
    else:
        first = head[start : start + 8] or opened.read_at(start, 8)
        syntax = _settle(declared, first, start, repairs, opened.size, has_meta=meta is not None)
    index = scan(opened, start, syntax, stop_before=stop_before, window=(0, head))
    return DataSet.of_index(_with_repairs(index, repairs) if repairs else index, meta)


def _start(head: bytes, repairs: list[Repair]) -> int:
    """Where the first element is: after preamble and prefix, where they are there."""
    if head[128:132] == b"DICM" and len(head) >= 140:
        return 132
    if len(head) < (12 if head[:4] == b"DICM" else 8) or head[128:132] == b"DICM":
        raise TruncatedError(f"{len(head)} bytes are no DICOM data set", offset=0)
    if head[:4] == b"DICM":
        repairs.append(Repair(None, 0, "the prefix DICM without a preamble", "read from there"))
        return 4
    if (found := head.find(_REGULAR_START, 0, 1024)) > 0:
        repairs.append(Repair(None, found, f"a preamble of {found} bytes, not of 128 (PS3.10 7.1)", "read from there"))
        return found + 4
    repairs.append(Repair(None, 0, "no preamble and prefix (PS3.10 7.1)", "read as a bare data set"))
    return 0


def _read_meta(opened: Opened | OpenedFile, head: bytes, start: int, repairs: list[Repair]) -> _Meta:
    """Find the elements of group 0002, regular ones by their group length."""
    if head[start : start + 8] == _GROUP_LENGTH and start + 12 < len(head):
        rows: list[int] = []
        group_end = start + 12 + length_little(head, start + 8)[0]
        end, _, _ = explicit_elements(head, start, group_end, rows, [])
        if end == group_end < len(head) and rows[-4] & 0xFFFF == 2 and head[end : end + 2] != b"\x02\x00":
            try:
                place = rows.index(_TRANSFER_SYNTAX_UID)
            except ValueError:
                place = 1
            if place % 4 == 0:
                length, offset = rows[place + 2 : place + 4]
                return Index(rows, opened.source, ((0, head),), _META), end, head[offset : offset + length]
    return _read_odd_meta(opened, head, start, repairs)


def _read_odd_meta(opened: Opened | OpenedFile, head: bytes, start: int, repairs: list[Repair]) -> _Meta:
    """Walk the elements of group 0002, whatever their group length says."""
    rows: list[int] = []
    at, found, uid = start, [], b""
    while head[at : at + 2] == b"\x02\x00":
        if at + 12 > len(head):
            break
        word, vr, length = explicit_little(head, at)
        if vr in SHORT:
            value = at + 8
        elif vr in LONG:
            (length,) = length_little(head, at + 8)
            value = at + 12
        else:
            word, length = implicit_little(head, at)
            vr, value = implied_kind(to_word(word)), at + 8
            found.append(Repair(Tag(to_word(word)), at, "file meta information in implicit VR", "read as it is"))
        if value + length > opened.size:
            tag = Tag(to_word(word))
            raise ReadError(f"a file meta element of {length} bytes runs past the end", tag=tag, offset=at)
        rows += (word, vr, length, value)
        if word == _TRANSFER_SYNTAX_UID:
            uid = head[value : value + length]
        at = value + length
        if at + 12 > len(head) and len(head) < min(opened.size, _LARGEST_META):
            head = opened.read_at(0, min(2 * at + 1024, opened.size, _LARGEST_META))
    if not rows:
        repairs.append(Repair(None, start, "no file meta information (PS3.10 7.1)", "the bytes tell the encoding"))
        return None, start, uid
    if rows[0] != 0x00000002:
        found.append(Repair(Tag(0x00020000), start, "no group length in the file meta information", "walked instead"))
    elif rows[2] == 4 and (announced := rows[3] + 4 + length_little(head, rows[3])[0]) != at:
        problem = f"the file meta group length leads to {announced}, the group ends at {at}"
        found.append(Repair(Tag(0x00020000), start, problem, "believed the elements"))
    return Index(rows, opened.source, ((0, head),), _META, tuple(found)), at, uid


def _declared(uid: bytes, repairs: list[Repair]) -> TransferSyntax | None:
    if (declared := _syntax_of(uid)) is None:
        repairs.append(Repair(Tag(0x00020010), 0, f"{uid!r} is no UID", "the bytes tell the encoding"))
    return declared


@lru_cache(64)
def _syntax_of(uid: bytes) -> TransferSyntax | None:
    text = uid.decode("latin-1").strip(" \0")
    return TransferSyntax.of(text) if text[:1].isdigit() and len(text) <= 64 else None


def _settle(
    declared: TransferSyntax | None,
    first: bytes,
    start: int,
    repairs: list[Repair],
    size: int,
    *,
    has_meta: bool = True,
) -> TransferSyntax:
    """Hold the declared transfer syntax against the first element; where they contradict, the bytes win."""
    seen = _seen(first, start, size, declared, strict=declared is None and not has_meta)
    if declared is None:
        if seen is None and has_meta:
            seen = TransferSyntax.of(IMPLICIT_VR_LITTLE_ENDIAN)
        if seen is None:
            raise ReadError("this is no DICOM data set", offset=start, hint="no plausible first element is there")
        repairs.append(Repair(None, start, "no transfer syntax is declared", f"read as {seen.name}"))
        return seen
    if seen is None or (seen.implicit_vr, seen.big_endian) == (declared.implicit_vr, declared.big_endian):
        return declared
    problem = f"the transfer syntax is {declared.name}, but the elements are in {seen.name}"
    repairs.append(Repair(Tag(0x00020010), start, problem, "believed the elements"))
    return TransferSyntax(
        declared.uid,
        declared.name,
        seen.implicit_vr,
        seen.big_endian,
        False,
        declared.big_endian_pixels if declared.encapsulated else seen.big_endian,
        declared.encapsulated,
    )


def _seen(
    first: bytes, start: int, size: int, declared: TransferSyntax | None, *, strict: bool
) -> TransferSyntax | None:
    """Tell the encoding from the first eight bytes; None where they tell nothing."""
    if len(first) < 8:
        return None
    big = _is_big_endian(first, declared)
    explicit = (first[4] | first[5] << 8) in SHORT | LONG
    word, length = IMPLICIT[big](first, 0)
    if declared is not None and explicit == declared.implicit_vr and length <= size - start:
        # What looks like a VR may be a length, and the other way round.
        letters = first[4:6].decode("latin-1")
        if explicit:
            explicit = letters in (vr_of(to_word(word)) or letters).split("|")
        else:
            explicit = letters.isascii() and letters.isalpha() and letters.isupper()
    elif declared is not None and not explicit and not declared.implicit_vr:
        explicit = length != ALL_ONES
    if strict:
        if explicit and word & 0xFFFF > 0x7FE0:
            return None
        if not explicit and (vr_of(to_word(word)) is None or length > size - start or word == length == 0):
            return None
    if explicit:
        return TransferSyntax.of(EXPLICIT_VR_BIG_ENDIAN if big else EXPLICIT_VR_LITTLE_ENDIAN)
    plain = TransferSyntax.of(IMPLICIT_VR_LITTLE_ENDIAN)
    return TransferSyntax(plain.uid, "Implicit VR Big Endian", True, True, False, True) if big else plain


def _is_big_endian(first: bytes, declared: TransferSyntax | None) -> bool:
    """The byte order that is declared, unless only the other one makes sense of the first tag."""
    if declared is None:
        return first[0] == 0 and first[1] != 0
    tags = tuple(to_word(header(first, 0)[0]) for header in IMPLICIT)
    own, other = tags[declared.big_endian], tags[not declared.big_endian]
    if own & 0x10000 or (own & 0xFFFF and vr_of(own)):
        return declared.big_endian
    makes_sense = other in vr_table() or (not other & 0xFFFF and other < own)
    return declared.big_endian != makes_sense


def _parse_deflated(
    opened: Opened | OpenedFile,
    start: int,
    syntax: TransferSyntax,
    meta: Index | None,
    stop_before: int | None,
    repairs: list[Repair],
) -> DataSet:
    deflated = Bulk(opened.source, start, opened.size - start)
    try:
        data, problem = inflate(opened.read_at(start, opened.size - start))
    except SourceError as error:
        if _seen(opened.read_at(start, 8), start, opened.size, None, strict=True) is None:
            raise ReadError(error.message, offset=start) from error
        repairs.append(Repair(None, start, "a deflated transfer syntax, but the data set is not", "read as it is"))
        plain = TransferSyntax(syntax.uid, syntax.name)
        return DataSet.of_index(_with_repairs(scan(opened, start, plain, stop_before=stop_before), repairs), meta)
    if problem:
        repairs.append(Repair(None, start, problem, "read what could be inflated"))
    source = InflatedSource(deflated, len(data), [data])
    inner = Opened(source, len(data), source.read)
    settled = _settle(TransferSyntax.of(EXPLICIT_VR_LITTLE_ENDIAN), data[:8], 0, repairs, len(data))
    plain = TransferSyntax(syntax.uid, syntax.name, settled.implicit_vr, settled.big_endian, True)
    return DataSet.of_index(_with_repairs(scan(inner, 0, plain, stop_before=stop_before), repairs), meta)


def _with_repairs(index: Index, repairs: list[Repair]) -> Index:
    return Index(
        index.rows, index.source, index.windows, index.transfer_syntax, (*repairs, *index.repairs), index.whole
    )
