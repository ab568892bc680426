"""Which parts of a data set can be written as the very bytes that were read, and which elements have to be encoded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import DICTIONARY_VR, vr_word
from dicomkit.sources import Bulk
from dicomkit.values.charset import Charset
from dicomkit.values.transfer_syntax import TransferSyntax
from dicomkit.values.vr import VRS

_HEADERS = {vr_word(vr.name): 12 if vr.long_form else 8 for vr in VRS.values()}


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
    if not _same_encoding(ds, syntax, charset):
        edited = {tag >> 16 for tag in edits} if ds._records.implicit_vr == syntax.implicit_vr else None
        for element in ds.elements():
            if element.tag.element or (edited is not None and element.tag.group not in edited):
                yield element
        return
    records = ds._records
    tags = records.tags()
    if edits:
        groups = {tag >> 16 for tag in edits}
        edits = sorted({*edits, *(tag for tag in tags if not tag & 0xFFFF and tag >> 16 in groups)})
    numbers = list(records.positions().values())
    at = 0
    for tag in edits:
        stop = bisect_left(tags, tag, at)
        yield from _run(ds, tags[at:stop], numbers[at:stop])
        new = ds._overlay.get(tag)
        if new is not None and (tag & 0xFFFF or tag >> 16 not in groups):
            yield new
        at = stop + 1 if stop < len(tags) and tags[stop] == tag else stop
    yield from _run(ds, tags[at:], numbers[at:])


def _same_encoding(ds: DataSet, syntax: TransferSyntax, charset: Charset) -> bool:
    records = ds._records
    if not len(records.index) or records.index.repairs or syntax.deflated:
        return False
    if (records.implicit_vr, records.big_endian) != (syntax.implicit_vr, syntax.big_endian):
        return False
    if records.charset(ds).terms != charset.terms:
        return False
    tags = records.tags()
    return all(map(int.__lt__, tags, tags[1:]))


def _run(ds: DataSet, tags: list[int], numbers: list[int]) -> Iterator[Element | Bulk]:
    """Untouched elements that follow each other: one slice, if they do so in the source too and have even lengths."""
    if not numbers:
        return
    index = ds._records.index
    first, last = numbers[0], numbers[-1]
    if last - first + 1 == len(numbers):  # no sequence among them
        kinds, sizes = index.rows[4 * first + 1 : 4 * last + 4 : 4], index.rows[4 * first + 2 : 4 * last + 4 : 4]
    else:
        kinds, sizes = [index.kind(number) for number in numbers], [index.length(number) for number in numbers]
    if ds._records.implicit_vr:
        headers = [8] * len(numbers)
    else:
        headers = [0 if kind & DICTIONARY_VR else _HEADERS.get(kind & 0xFFFF, 0) for kind in kinds]
    start, end = index.offset(numbers[0]) - headers[0], index.offset(numbers[-1]) + sizes[-1]
    regular = all(headers) and not any(size & 1 for size in sizes)
    if regular and sum(sizes) + sum(headers) == end - start:
        yield Bulk(index.source, start, end - start)
        return
    for tag in tags:
        yield ds.element(tag)
