"""Which parts of a data set can be written as the very bytes that were read, and which elements have to be encoded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import repeat
from operator import itemgetter

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
        groups = {tag >> 16 for tag in edits}
        edits = sorted({*edits, *(tag for tag in tags if not tag & 0xFFFF and tag >> 16 in groups)})
    numbers = list(ds._records.positions().values())
    at = 0
    for tag in edits:
        stop = bisect_left(tags, tag, at)
        yield from _run(ds, tags[at:stop], numbers[at:stop])
        new = ds._overlay.get(tag)
        if new is not None and (tag & 0xFFFF or tag >> 16 not in groups):
            yield new
        at = stop + 1 if stop < len(tags) and tags[stop] == tag else stop
    yield from _run(ds, tags[at:], numbers[at:])


def _same_encoding(ds: DataSet, tags: list[int], syntax: TransferSyntax, charset: Charset) -> bool:
    """Whether what was read can be taken over: regular, in the same encoding, and each tag once, in order."""
    records = ds._records
    if not len(records.index) or records.index.repairs or syntax.deflated:
        return False
    if (records.implicit_vr, records.big_endian) != (syntax.implicit_vr, syntax.big_endian):
        return False
    if records.charset(ds).terms != charset.terms:
        return False
    return all(map(int.__lt__, tags, tags[1:]))


def _run(ds: DataSet, tags: list[int], numbers: list[int]) -> Iterator[Element | Bulk]:
    """Untouched elements that follow each other: one slice, if they do so in the source too and have even lengths."""
    if not numbers:
        return
    index = ds._records.index
    rows = index.rows
    first, last = 4 * numbers[0], 4 * numbers[-1]
    if last - first == 4 * len(numbers) - 4:  # no sequence among them
        kinds, sizes = rows[first + 1 : last + 4 : 4], rows[first + 2 : last + 4 : 4]
    else:
        of_level = itemgetter(*numbers)
        kinds, sizes = of_level(rows[1::4]), of_level(rows[2::4])
    headers = [8] * len(numbers) if ds._records.implicit_vr else list(map(_HEADERS.get, kinds, repeat(0)))
    start, end = rows[first + 3] - headers[0], rows[last + 3] + sizes[-1]
    if 0 not in headers and sum(sizes) + sum(headers) == end - start and not any(map(_ODD, sizes)):
        yield Bulk(index.source, start, end - start)
        return
    for tag in tags:
        yield ds.element(tag)
