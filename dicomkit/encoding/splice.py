"""Which parts of a data set can be written as the very bytes that were read, and which elements have to be encoded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import BIG_ENDIAN, IMPLICIT_CONTENT, UNDEFINED_LENGTH, vr_word
from dicomkit.sources import Bulk
from dicomkit.values.charset import Charset
from dicomkit.values.transfer_syntax import TransferSyntax
from dicomkit.values.vr import VRS

_FLAGS = [a | b | c for a in (0, UNDEFINED_LENGTH) for b in (0, IMPLICIT_CONTENT) for c in (0, BIG_ENDIAN)]
_HEADERS = {vr_word(vr.name) | flags: 12 if vr.long_form else 8 for vr in VRS.values() for flags in _FLAGS}
"""How long the header of an element is, by its kind, where the header tells the VR."""
_ODD = (1).__and__


def pieces(ds: DataSet, syntax: TransferSyntax, charset: Charset) -> Iterator[Element | Bulk]:
    """Yield, in the order of tags, slices of the source for what nobody touched, and the elements between them.

    Parameters
    ----------
    charset
        In which the data set is to be written.

    Notes
    -----
    Bytes are taken over only from a source without structural deviations, in the same VR kind, byte order and character
    set. Group lengths of edited groups are left out (PS3.5 7.2 has retired them).
    """
    edits = sorted(ds._overlay)
    tags = ds._records.tags()
    if not _same_encoding(ds, tags, syntax, charset):
        edited = {tag >> 16 for tag in edits} if ds._records.implicit_vr == syntax.implicit_vr else None
        for element in ds.elements():
            if element.tag.element or (edited is not None and element.tag.group not in edited):
                yield element
        return
    if edits:
        group_lengths = {tag & 0xFFFF0000 for tag in edits}
        edits = sorted({*edits, *(tag for tag in group_lengths if ds._records.find(tag) is not None)})
    level = _Level.of(ds, tags)
    at = 0
    for tag in edits:
        stop = bisect_left(tags, tag, at)
        yield from level.run(ds, at, stop)
        new = ds._overlay.get(tag)
        if new is not None and tag & 0xFFFF:
            yield new
        at = stop + 1 if stop < len(tags) and tags[stop] == tag else stop
    yield from level.run(ds, at, len(tags))


def _same_encoding(ds: DataSet, tags: list[int], syntax: TransferSyntax, charset: Charset) -> bool:
    """Whether what was read can be taken over: regular, in the same encoding, and each tag once, in order."""
    records = ds._records
    if not len(records.index) or records.index.repairs or syntax.deflated:
        return False
    if (records.implicit_vr, records.big_endian) != (syntax.implicit_vr, syntax.big_endian):
        return False
    if records.charset(ds).terms != charset.terms:
        return False
    return sorted(tags) == tags  # each is there once: they are keys


class _Level(NamedTuple):
    """The elements of one data set, without what is nested in them: tags, and where they are in the source."""

    tags: list[int]
    headers: Sequence[int]
    offsets: Sequence[int]
    lengths: Sequence[int]

    @classmethod
    def of(cls, ds: DataSet, tags: list[int]) -> _Level:
        """Take the columns of its records; the header of an element whose VR is from elsewhere has length 0."""
        records, rows = ds._records, ds._records.index.rows
        numbers = list(records.positions().values())
        kinds, lengths, offsets = rows[1::4], rows[2::4], rows[3::4]
        if len(numbers) < len(kinds):
            of_level = itemgetter(*numbers, -1, -1)  # of one number it would give no tuple
            kinds, lengths, offsets = of_level(kinds)[:-2], of_level(lengths), of_level(offsets)
        headers = [8] * len(numbers) if records.implicit_vr else list(map(_HEADERS.get, kinds, repeat(0)))
        return cls(tags, headers, offsets, lengths)

    def run(self, ds: DataSet, first: int, stop: int) -> Iterator[Element | Bulk]:
        """Untouched elements: one slice, if they follow each other in the source too and have even lengths."""
        if first == stop:
            return
        headers, lengths = self.headers[first:stop], self.lengths[first:stop]
        start = self.offsets[first] - headers[0]
        size = sum(lengths) + sum(headers)
        if start + size == self.offsets[stop - 1] + lengths[-1] and 0 not in headers and not any(map(_ODD, lengths)):
            yield Bulk(ds._records.index.source, start, size)
            return
        for tag in self.tags[first:stop]:
            yield ds.element(tag)
