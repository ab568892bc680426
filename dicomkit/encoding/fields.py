"""The elements of a data set as plain tuples, for the encoders that turn them into JSON and XML."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from dicomkit.dataset.context import LUT_DESCRIPTORS
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import DICTIONARY_VR, vr_word
from dicomkit.dataset.records import Records
from dicomkit.sources import Bulk
from dicomkit.values.charset import NAME_DELIMITERS, TEXT_DELIMITERS, VALUE_DELIMITERS
from dicomkit.values.decode import swapped
from dicomkit.values.vr import VRS

FILE_META = 0x0002
TEXT_VRS = frozenset(vr.name for vr in VRS.values() if vr.kind in ("text", "number_text"))
_NUMBERS = frozenset(vr.name for vr in VRS.values() if vr.kind == "number_text")
_WORDS = frozenset(vr.name for vr in VRS.values() if vr.kind == "bulk" and vr.itemsize > 1)
_PIXEL_DATA = 0x7FE00010
_PADDING = " \0"
# How the header's VR makes text of bytes: the VR, and the delimiters of its character set or None where it has none.
_DELIMITERS = {"PN": NAME_DELIMITERS, "ST": TEXT_DELIMITERS, "LT": TEXT_DELIMITERS, "UT": TEXT_DELIMITERS}
_TEXTS = {
    vr_word(vr) | flag: (vr, _DELIMITERS.get(vr, VALUE_DELIMITERS) if VRS[vr].charset else None)
    for vr in TEXT_VRS
    for flag in (0, DICTIONARY_VR)
}


def fields(ds: DataSet) -> Iterator[tuple[int, str, Any]]:
    """Yield tag, VR and value of each element in the order of tags.

    The value of a VR of text, DS and IS among them, is all of its text, several values with backslashes between them;
    bulk data is in little-endian order; other values are as in the data set. Group lengths (retired, PS3.5 7.2) and
    File Meta Information are left out, as JSON and XML ask for.

    Examples
    --------
    >>> [(f"{tag:08X}", vr, value) for tag, vr, value in fields(DataSet(Rows=2, PixelSpacing=("1.50", "2")))]
    [('00280010', 'US', 2), ('00280030', 'DS', '1.50\\\\2')]
    """
    records, overlay = ds._records, ds._overlay
    if not overlay and all(earlier < later for earlier, later in pairwise(records.tags())):
        for word, record in records.positions().items():
            if word >> 16 and word & 0xFFFF != FILE_META:
                tag = word >> 16 | (word & 0xFFFF) << 16
                yield tag, *of_record(ds, records, record, tag)
        return
    for tag in ds:
        if tag & 0xFFFF and tag >> 16 != FILE_META:
            element = overlay.get(tag)
            if element is not None:
                yield tag, element.vr, of_element(element)
            else:
                found = records.find(tag)
                assert found is not None
                yield tag, *of_record(ds, records, found, tag)


def of_record(ds: DataSet, records: Records, record: int, tag: int) -> tuple[str, Any]:
    """The VR and value of what was read."""
    index = records.index
    kind, length, offset = index.rows[4 * record + 1 : 4 * record + 4]
    text = _TEXTS.get(kind)
    if text is not None:
        vr, delimiters = text
        raw = index.read(offset, length)
        if delimiters is None:
            return vr, raw.decode("latin-1").rstrip(_PADDING)
        return vr, records.charset(ds).decode(raw, delimiters).rstrip(_PADDING)
    vr = records.vr(record, tag, ds)[0]
    if vr in _NUMBERS:
        return vr, index.read(offset, length).decode("latin-1").rstrip(_PADDING)
    value = ds._value(tag)
    if vr in _WORDS and (records.big_endian or (tag == _PIXEL_DATA and index.transfer_syntax.big_endian_pixels)):
        return vr, _little_endian(vr, value)
    return vr, _as_text(value) if vr in TEXT_VRS else _signed(value) if tag in LUT_DESCRIPTORS and vr == "SS" else value


def of_element(element: Element) -> Any:
    """The value of what was assigned."""
    vr, value = element.vr, element.value
    if vr in TEXT_VRS and not isinstance(value, Bulk):
        if vr in _NUMBERS:
            return element.raw.decode("latin-1") if isinstance(element.raw, bytes) else element.text
        return _as_text(value)
    if vr in _WORDS and element.origin is not None and element.origin.big_endian:
        return _little_endian(vr, value)
    return _signed(value) if element.tag in LUT_DESCRIPTORS and vr == "SS" else value


def _as_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return "\\".join(["" if part is None else part for part in value])
    return "" if value is None else value


def _signed(value: Any) -> Any:
    """The numbers of a look-up table's descriptor in the form that its VR has."""
    if isinstance(value, tuple):
        return tuple([number - 0x10000 if number > 0x7FFF else number for number in value])
    return value


def _little_endian(vr: str, value: Any) -> Any:
    return swapped(bytes(value), VRS[vr].itemsize) if isinstance(value, (bytes, Bulk)) else value
