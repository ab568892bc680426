"""The elements of a data set as plain tuples, for the encoders that turn them into text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dicomkit.dataset.context import LUT_DESCRIPTORS
from dicomkit.dataset.dataset import DataSet
from dicomkit.sources import Bulk
from dicomkit.values.decode import swapped
from dicomkit.values.vr import VRS

FILE_META = 0x0002
_NUMBER_TEXT = frozenset(vr.name for vr in VRS.values() if vr.kind == "number_text")
_WORDS = frozenset(vr.name for vr in VRS.values() if vr.kind == "bulk" and vr.itemsize > 1)
_PIXEL_DATA = 0x7FE00010


def fields(ds: DataSet) -> Iterator[tuple[int, str, Any]]:
    """Yield tag, VR and value of each element; of DS and IS the text, of bulk data the little-endian bytes.

    Group lengths (retired, PS3.5 7.2) and File Meta Information are left out, as JSON and XML ask for.

    Examples
    --------
    >>> [(f"{tag:08X}", vr, value) for tag, vr, value in fields(DataSet(Rows=2, SliceThickness="1.50"))]
    [('00180050', 'DS', '1.50'), ('00280010', 'US', 2)]
    """
    overlay, records, value_of = ds._overlay, ds._records, ds._value
    big_endian, big_endian_pixels = records.big_endian, ds.transfer_syntax.big_endian_pixels
    for tag in ds:
        if not tag & 0xFFFF or tag >> 16 == FILE_META:
            continue
        element = overlay.get(tag)
        if element is not None:
            vr, value = element.vr, element.value
            if vr in _NUMBER_TEXT:
                value = value if isinstance(value, Bulk) else element.text
            elif vr in _WORDS and element.origin is not None and element.origin.big_endian:
                value = _little_endian(vr, value)
        else:
            record = records.find(tag)
            assert record is not None
            vr = records.vr(record, tag, ds)[0]
            if vr in _NUMBER_TEXT:
                value = records.index.fetch(record).decode("latin-1").strip(" \0")
            else:
                value = value_of(tag)
                if vr in _WORDS and (big_endian or (big_endian_pixels and tag == _PIXEL_DATA)):
                    value = _little_endian(vr, value)
        if vr == "SS" and tag in LUT_DESCRIPTORS and isinstance(value, tuple):
            value = tuple(number - 0x10000 if number > 0x7FFF else number for number in value)
        yield tag, vr, value


def _little_endian(vr: str, value: Any) -> Any:
    return swapped(bytes(value), VRS[vr].itemsize) if isinstance(value, (bytes, Bulk)) else value
