"""The header of one of many files: what a volume asks of a DataSet, answered from a few elements picked out of it."""

from __future__ import annotations

import os
from array import array
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.index import Index, to_word, vr_word
from dicomkit.encoding.layout import Layout
from dicomkit.encoding.part10 import parse
from dicomkit.encoding.pick import Picked, Wanted, pick
from dicomkit.opening import OpenedArchive, open_source
from dicomkit.sources import Bulk, Source
from dicomkit.values.decode import decode_value
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax
from dicomkit.values.vr import VRS
from dicomkit.volumes.places import SHARED_BY_SERIES

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = {
    vr_word(name): name for name in ("AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "TM", "UI", "UL", "US")
}
_TEXT = {vr_word(vr.name): vr.name for vr in VRS.values() if vr.name in ("LO", "SH")}
_PIXEL_DATA = 0x00107FE0


class _Outline:
    """What all headers of the same elements have in common: where the record of each is; two are the same or differ."""

    __slots__ = ("places", "shared", "words")

    def __init__(self, words: tuple[int, ...]) -> None:
        self.places = {word: 4 * k for k, word in enumerate(words)}
        self.words = frozenset(map(_word, SHARED_BY_SERIES)).intersection(words)
        self.shared = sorted(map(self.places.__getitem__, self.words))


class Header:
    """A DataSet of a few elements, as far as `get`, ``in``, `path` and `transfer_syntax` go; `dataset` is the rest.

    Values are decoded each time they are asked for, but equal bytes only once in a series.
    """

    __slots__ = (
        "_data",
        "_dataset",
        "_found",
        "_likeness",
        "_outline",
        "_places",
        "_rows",
        "_source",
        "transfer_syntax",
    )

    def __init__(self, found: Picked, source: Source) -> None:
        self._found = found
        self._rows = rows = found.rows
        self._source = source
        self._outline = outline = _outline(tuple(rows[0::4]))
        self._places = outline.places
        self._data = found.windows[0][1]
        self._dataset: DataSet | None = None
        self._likeness: tuple[Any, ...] | None = None
        self.transfer_syntax = _transfer_syntax(found.syntax)

    @property
    def path(self) -> str | None:
        """The path that it was read from."""
        return getattr(self._source, "path", None)

    @property
    def dataset(self) -> DataSet:
        """The same elements as a DataSet."""
        if self._dataset is None:
            found = self._found
            index = Index(array("Q", found.rows), self._source, tuple(found.windows), self.transfer_syntax)
            self._dataset = DataSet.of_index(index)
        return self._dataset

    def get(self, key: int | str, default: Any = None) -> Any:
        """Return the value of a tag or keyword, or a default."""
        tag = _tag(key) if isinstance(key, str) else key
        word = tag >> 16 | (tag & 0xFFFF) << 16
        place = self._places.get(word)
        if place is None:
            return default
        _, kind, length, position = self._rows[place : place + 4]
        name = _PLAIN.get(kind)
        if name is not None or kind in _TEXT:
            raw = self._data[position : position + length]
            if len(raw) == length and (name is not None or (raw.isascii() and b"\x1b" not in raw)):
                return _decoded(name or _TEXT[kind], raw)
        elif word == _PIXEL_DATA and length and not self.transfer_syntax.encapsulated:
            inside = position + length <= len(self._data)
            return self._data[position : position + length] if inside else Bulk(self._source, position, length)
        return self.dataset.get(tag, default)

    def __contains__(self, keyword: str) -> bool:
        return _word(keyword) in self._places

    @property
    def likeness(self) -> tuple[Any, ...]:
        """What is equal in two headers that say the same of all but `OWN`, to compare and as a key."""
        if self._likeness is None:
            alike = self._found.alike
            if alike is not None and self._outline.words <= alike.words:
                self._likeness = self._outline, alike
                return self._likeness
            rows, data, shared = self._rows, self._data, self._outline.shared
            if shared and rows[shared[-1] + 3] + rows[shared[-1] + 2] > len(data):
                values = [self._found.value(k) for k in shared]
            else:
                values = [data[rows[k + 3] : rows[k + 3] + rows[k + 2]] for k in shared]
            self._likeness = (self._outline, self._found.syntax, *values)
        return self._likeness

    def all(self, keyword: str) -> tuple[Any, ...]:
        """Return the values of a keyword as a tuple."""
        return self.dataset.all(keyword)

    def element(self, keyword: str) -> Any:
        """Return an element."""
        return self.dataset.element(keyword)


Image: TypeAlias = DataSet | Header


def read_header(
    path: str | os.PathLike[str],
    tags: Iterable[int],
    layout: Layout | None = None,
    archive: OpenedArchive | None = None,
) -> Image:
    """Read some elements of a file: the quick way, or else all of it.

    Parameters
    ----------
    path
        Of the file.
    tags
        Which elements.
    layout
        What the caller remembers of the files before.
    archive
        The zip archive of the files before, which stays open.

    Raises
    ------
    DicomError
        If it can't be read.
    """
    name = os.fspath(path)
    member = archive.open(name) if archive is not None and "!/" in name else None
    with open_source(name) if member is None else member as opened:
        wanted = _wanted(frozenset(tags) if not isinstance(tags, frozenset) else tags)
        found = pick(opened.read_at, opened.size, wanted, layout)
        return parse(opened) if found is None else Header(found, opened.source)


def dataset_of(image: Image) -> DataSet:
    """Give the DataSet of an image."""
    return image.dataset if isinstance(image, Header) else image


@lru_cache(4096)
def _decoded(vr: str, raw: bytes) -> Any:
    return decode_value(vr, raw)


@cache
def _tag(keyword: str) -> int:
    return int(Tag.of(keyword))


@cache
def _word(keyword: str) -> int:
    return to_word(_tag(keyword))


_outline = lru_cache(64)(_Outline)


@cache
def _wanted(tags: frozenset[int]) -> Wanted:
    return Wanted.of(tags, (_tag("PixelData"),))


@lru_cache(64)
def _transfer_syntax(uid: bytes) -> TransferSyntax:
    return TransferSyntax.of(uid.decode("latin-1"))
