"""Which parts of a data set can be written as the very bytes that were read, and which elements have to be encoded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import BIG_ENDIAN, IMPLICIT_CONTENT, UNDEFINED_LENGTH, to_word, vr_word
from dicomkit.dataset.records import Records
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
    in_bulk = _in_bulk(ds._records)
    at = 0
    for tag in edits:
        stop = bisect_left(tags, tag, at)
        yield from _run(ds, tags, at, stop, in_bulk=in_bulk)
        new = ds._overlay.get(tag)
        if new is not None and tag & 0xFFFF:
            yield new
        at = stop + 1 if stop < len(tags) and tags[stop] == tag else stop
    yield from _run(ds, tags, at, len(tags), in_bulk=in_bulk)


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


def _in_bulk(records: Records) -> bool:
    """Whether runs of elements can be taken over: nothing lies between them, each is there once, lengths are even."""
    index, start, stop = records.index, records.start, records.stop
    places = records.positions()
    if not index.whole or records.doubled:
        return False
    lengths = index.lengths if stop - start == len(index) else index.rows[4 * start + 2 : 4 * stop : 4]
    return not any(map(_ODD, lengths)) or not any(index.length(record) & 1 for record in places.values())


def _run(ds: DataSet, tags: list[int], first: int, stop: int, *, in_bulk: bool) -> Iterator[Element | Bulk]:
    """Untouched elements: one slice of the source, or each by itself."""
    if first == stop:
        return
    records, rows = ds._records, ds._records.index.rows
    if in_bulk:
        places = records.positions()
        start, last = (4 * places[to_word(tags[at])] for at in (first, stop - 1))
        header = 8 if records.implicit_vr else _HEADERS.get(rows[start + 1])
        if header is not None:
            offset = rows[start + 3] - header
            yield Bulk(records.index.source, offset, rows[last + 2] + rows[last + 3] - offset)
            return
    yield from map(ds.element, tags[first:stop])
