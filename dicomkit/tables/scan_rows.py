"""The rows of a scan: for each file the bytes of the wanted elements, or why there are none.

Imports nothing heavy: it also runs in worker processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.index import to_word
from dicomkit.encoding.layout import Layout
from dicomkit.encoding.part10 import parse
from dicomkit.encoding.pick import Picked, Wanted, pick
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.opening import OpenedArchive, OpenedFile
from dicomkit.values.tag import Tag

CHARSET, SIGN, MEDIA_CLASS = 0x00080005, 0x00280103, 0x00020002
DIRECTORY_CLASS = b"1.2.840.10008.1.3.10"
DIRECTORY = 0x00041220
_NO_INSTANCE = "a media directory (DICOMDIR), not an instance"


class Decoded(NamedTuple):
    """A cell that the scanner had to decode, where the others are bytes yet to be."""

    value: Any


class Row(NamedTuple):
    """What a scan keeps of a file.

    Attributes
    ----------
    modified
        In nanoseconds since 1970, None where there is no such thing.
    error
        Why there are no cells.
    cells
        A value for each wanted key: bytes, Decoded or None; then those of Specific Character Set and Pixel
        Representation.
    """

    path: str
    size: int | None
    modified: int | None
    error: str | None
    cells: Sequence[bytes | Decoded | None]


def scan_rows(paths: Iterable[str], keys: Sequence[Any]) -> list[Row]:
    """Read the wanted elements of files; a file that can't be read gives a row that says why."""
    plain = all(isinstance(key, int) for key in keys)
    wanted = Wanted.of(dict.fromkeys((*keys, CHARSET, SIGN, MEDIA_CLASS))) if plain else None
    intern: dict[bytes, bytes] = {}
    layout = Layout()
    with OpenedArchive() as archive:
        return [_row(path, keys, wanted, intern, layout, archive) for path in paths]


def _row(
    path: str,
    keys: Sequence[Any],
    wanted: Wanted | None,
    intern: dict[bytes, bytes],
    layout: Layout,
    archive: OpenedArchive,
) -> Row:
    size = modified = picked = None
    try:
        member = archive.open(path) if "!/" in path else None
        if member is not None:
            with member as inside:
                picked = pick(inside.read_at, inside.size, wanted, layout) if wanted is not None else None
                if picked is None:
                    return _odd_row(path, parse(inside, stop_before=_stop(keys)), keys, None, None)
        elif wanted is not None and "!/" not in path and "://" not in path:
            with OpenedFile(path) as opened:
                size, modified = opened.size, opened.modified
                picked = pick(opened.read_at, size, wanted, layout)
        if picked is None or wanted is None:
            return _odd_row(path, read(path, stop_before=_stop(keys)), keys, size, modified)
        cells = _cells(picked, wanted, intern)
        charset, sign, media_class = (cells[wanted.places[to_word(tag)]] for tag in (CHARSET, SIGN, MEDIA_CLASS))
        if media_class is not None and media_class.rstrip(b"\0 ") == DIRECTORY_CLASS:
            return Row(path, size, modified, _NO_INSTANCE, ())
        return Row(path, size, modified, None, (*cells[: len(keys)], charset, sign))
    except DicomError as error:
        return Row(path, size, modified, error.message if error.offset is None else str(_placed(error)), ())


def _cells(picked: Picked, wanted: Wanted, intern: dict[bytes, bytes]) -> list[bytes | None]:
    """The bytes of each wanted element, equal ones as one object."""
    places = wanted.places
    cells: list[bytes | None] = [None] * len(places)
    rows, windows = picked.rows, picked.windows
    start, data = windows[0]
    later = iter(windows[1:])
    for at in range(0, len(rows), 4):
        length, offset = rows[at + 2], rows[at + 3]
        while offset + length > start + len(data):
            start, data = next(later)
        raw = data[offset - start : offset - start + length]
        cells[places[rows[at]]] = intern.setdefault(raw, raw)
    return cells


def _placed(error: DicomError) -> DicomError:
    """The error without its path, which has a column of its own."""
    error.path = None
    return error


def _stop(keys: Sequence[Any]) -> int:
    """The tag behind the last that matters."""
    tags = [key if isinstance(key, int) else int(Tag.of(key[0])) for key in keys]
    return max((*tags, DIRECTORY, SIGN)) + 1


def _odd_row(path: str, ds: DataSet, keys: Sequence[Any], size: int | None, modified: int | None) -> Row:
    """The row of a file that only the scanner could read."""
    if size is None and "!/" not in path and "://" not in path:
        with suppress(OSError):
            status = os.stat(path)
            size, modified = status.st_size, status.st_mtime_ns
    if not len(ds):
        return Row(path, size, modified, "no data elements", ())
    if DIRECTORY in ds:
        return Row(path, size, modified, _NO_INSTANCE, ())
    cells = tuple(Decoded(_value(ds, key)) for key in keys)
    return Row(path, size, modified, None, (*cells, None, None))


def _value(ds: DataSet, key: Any) -> Any:
    source = ds.meta if isinstance(key, int) and key >> 16 == 2 else ds
    value = source.get(key)
    return tuple(map(repr, value)) if isinstance(value, tuple) and value and isinstance(value[0], DataSet) else value
