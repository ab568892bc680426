"""The directory of a file-set (PS3.3 F) as a tree: its records are linked by byte offsets, which may lie."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.part10 import parse
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import ReadError
from dicomkit.opening import open_source
from dicomkit.standard.directory_records import record_type
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_FIRST, _LAST = 0x00041200, 0x00041202
_NEXT, _IN_USE, _LOWER, _TYPE = 0x00041400, 0x00041410, 0x00041420, 0x00041430
_RECORDS = 0x00041220
_LINKS = frozenset((_NEXT, _IN_USE, _LOWER, _TYPE))
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class DirectoryRecord:
    """One record of a directory, with those of the entity below it.

    Attributes
    ----------
    type
        Directory Record Type (0004,1430), such as ``"PATIENT"`` or ``"IMAGE"``.
    keys
        The elements of the record, without the links that the tree stands for.
    children
        The records of the lower-level directory entity.
    in_use
        False for a record that was switched off (PS3.3 F.3.2.2, retired); what is below it does not count either.
    """

    type: str
    keys: DataSet
    children: tuple[DirectoryRecord, ...] = ()
    in_use: bool = True

    @property
    def file_id(self) -> tuple[str, ...]:
        """The components of Referenced File ID (0004,1500); empty for a record that refers to no file."""
        return tuple(map(str, self.keys.all("ReferencedFileID")))

    def walk(self) -> Iterator[tuple[DirectoryRecord, ...]]:
        """Yield this record and all below it, each as the path of records that leads to it."""
        yield (self,)
        for child in self.children:
            for path in child.walk():
                yield (self, *path)

    def __repr__(self) -> str:
        name = "/".join(self.file_id) or str(self.keys.get("PatientID") or self.keys.get("SeriesInstanceUID") or "")
        below = f", {len(self.children)} below" if self.children else ""
        return f"DirectoryRecord({self.type}{' ' if name else ''}{name}{below})"


class _Links(NamedTuple):
    """The records as they lie in the file, and the number of the one that each leads to."""

    items: tuple[DataSet, ...]
    types: list[str]
    following: list[int | None]
    lower: list[int | None]


def read_directory(ds: DataSet) -> tuple[tuple[DirectoryRecord, ...], tuple[str, ...]]:
    """Build the tree of the records of a DICOMDIR.

    Offsets are followed where they lead to a record that no other has led to. Records that none leads to take the place
    that their type and their order in the file tell.

    Returns
    -------
    records
        Those of the root directory entity.
    problems
        What was wrong with the offsets.

    Raises
    ------
    ReadError
        When the data set is no directory.
    """
    if _RECORDS not in ds and _FIRST not in ds:
        hint = "a DICOMDIR has a Directory Record Sequence (0004,1220)"
        raise ReadError("this is no DICOMDIR", path=ds.path, hint=hint)
    problems: list[str] = []
    links, first = _links(ds, problems)
    order: dict[int | None, list[int]] = {}
    seen: set[int] = set()
    targets = {number for number in (*links.following, *links.lower) if number is not None}
    if first in targets:
        problems.append("the offset of the first root record leads into the middle of the tree")
    else:
        _follow(links, None, first, seen, order, problems)
    if len(seen) < len(links.items):
        problems.append(f"{len(links.items) - len(seen)} records are not reached: placed by their type and order")
        above = _above_by_order(links)
        for number, place in enumerate(above):
            if number not in seen and number not in targets:
                _follow(links, place if place in seen else None, number, seen, order, problems)
        for number, place in enumerate(above):
            if number not in seen:
                seen.add(number)
                order.setdefault(place, []).append(number)
    return _tree(links, order), tuple(problems)


def _links(ds: DataSet, problems: list[str]) -> tuple[_Links, int | None]:
    """The links of all records, and the first record of the root."""
    items = tuple(ds.all(_RECORDS))
    number = {offset: at for at, item in enumerate(items) if (offset := _start(item)) is not None}

    def led_to(holder: DataSet, tag: int) -> int | None:
        offset = holder.get(tag)
        if not offset:
            return None
        if offset not in number:
            problems.append(f"no record starts at offset {offset!s:.20}, to which {Tag(tag)} leads")
        return number.get(offset)

    types = [str(item.get(_TYPE) or "").strip().upper() for item in items]
    following = [led_to(item, _NEXT) for item in items]
    return _Links(items, types, following, [led_to(item, _LOWER) for item in items]), led_to(ds, _FIRST)


def _start(item: DataSet) -> int | None:
    """Where the tag of an item stands in the file, which is what offsets count; None for one that was edited."""
    records = item._records
    return records.index.offset(records.start - 1) - 8 if records.start else None


def _follow(
    links: _Links,
    above: int | None,
    start: int | None,
    seen: set[int],
    order: dict[int | None, list[int]],
    problems: list[str],
) -> None:
    """Walk an entity from its first record, and all entities below it; no record is entered twice."""
    pending = [(above, start, 0)]
    while pending:
        above, number, depth = pending.pop()
        while number is not None:
            if number in seen or depth >= _DEEPEST:
                problems.append(f"record {number}: " + ("linked twice" if number in seen else "nested too deeply"))
                break
            seen.add(number)
            order.setdefault(above, []).append(number)
            pending.append((number, links.lower[number], depth + 1))
            number = links.following[number]


def _above_by_order(links: _Links) -> list[int | None]:
    """For each record the last one before it in the file that is of a higher level."""
    last: dict[int, int] = {}
    found: list[int | None] = []
    for number, type in enumerate(links.types):
        below = links.lower[number]
        kind = record_type(type) or (record_type(links.types[below]) if below is not None else None)
        level = 3 if kind is None else kind.level if kind.name == type else max(kind.level - 1, 0)
        found.append(next((last[up] for up in range(level - 1, -1, -1) if up in last), None))
        last = {up: at for up, at in last.items() if up < level} | {level: number}
    return found


def _tree(links: _Links, order: dict[int | None, list[int]]) -> tuple[DirectoryRecord, ...]:
    def record(number: int) -> DirectoryRecord:
        item = links.items[number]
        children = tuple(record(child) for child in order.get(number, ()))
        in_use = item.get(_IN_USE, 0xFFFF) != 0
        return DirectoryRecord(links.types[number], item.drop(*_LINKS), children, in_use)

    return tuple(record(number) for number in order.get(None, ()))


def encode_directory(
    records: Iterable[DirectoryRecord], *, file_set_id: str = "", uid: str, descriptor: DataSet | None = None
) -> bytes:
    """Encode the tree of a directory as the bytes of a DICOMDIR, with the right offsets (PS3.3 F.3).

    Parameters
    ----------
    file_set_id
        Up to 16 characters.
    uid
        The SOP Instance UID of the directory.
    descriptor
        A directory from which to take what else it says of the file-set (File-set Descriptor File ID, its character
        set).

    Raises
    ------
    ValueFormatError
        When a key can't be encoded.
    """
    roots = tuple(records)
    flat: list[DirectoryRecord] = []
    following: list[int | None] = []
    lower: list[int | None] = []
    first_last = _flatten(roots, flat, following, lower)
    zero = (Element.of(_NEXT, 0), Element.of(_IN_USE, 0xFFFF), Element.of(_LOWER, 0))
    items = [
        record.keys.assign((*zero, Element.of(_TYPE, record.type))).assign({_IN_USE: 0xFFFF if record.in_use else 0})
        for record in flat
    ]
    kept = DataSet() if descriptor is None else descriptor
    keep = [e for e in kept.elements() if e.tag in (0x00041141, 0x00041142) and e.value is not None]
    head = [Element.of("FileSetID", file_set_id), *keep, Element.of(_FIRST, 0), Element.of(_LAST, 0)]
    head.append(Element.of("FileSetConsistencyFlag", 0))
    ds = DataSet([*head, Element(Tag(_RECORDS), "SQ", tuple(items))])
    meta = DataSet(MediaStorageSOPClassUID=MEDIA_STORAGE_DIRECTORY, MediaStorageSOPInstanceUID=uid)
    data = bytearray(to_part10(DataSet._of(ds._records, ds._overlay, {}, meta), EXPLICIT_VR_LITTLE_ENDIAN))
    with open_source(bytes(data)) as opened:
        written = parse(opened)
    read_back = written.all(_RECORDS)
    starts = [_start(item) or 0 for item in read_back]
    first, last = first_last
    _patch(data, written, _FIRST, starts[first] if first is not None else 0)
    _patch(data, written, _LAST, starts[last] if last is not None else 0)
    for item, after, below in zip(read_back, following, lower, strict=True):
        _patch(data, item, _NEXT, starts[after] if after is not None else 0)
        _patch(data, item, _LOWER, starts[below] if below is not None else 0)
    return bytes(data)


def _flatten(
    records: tuple[DirectoryRecord, ...],
    flat: list[DirectoryRecord],
    following: list[int | None],
    lower: list[int | None],
) -> tuple[int | None, int | None]:
    """List the records of an entity, each with all below it behind it; return the numbers of the first and last."""
    numbers: list[int] = []
    for record in records:
        number = len(flat)
        flat.append(replace(record, children=()))
        following.append(None)
        lower.append(None)
        if numbers:
            following[numbers[-1]] = number
        numbers.append(number)
        lower[number] = _flatten(record.children, flat, following, lower)[0]
    return (numbers[0], numbers[-1]) if numbers else (None, None)


def _patch(data: bytearray, ds: DataSet, tag: int, offset: int) -> None:
    """Write an offset over the zero that stands for it."""
    origin = ds.element(tag).origin
    assert origin is not None
    struct.pack_into("<I", data, origin.offset, offset)
