"""Elements and data sets put together from what a JSON or XML document says."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from dicomkit.dataset.context import LUT_DESCRIPTORS
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import EMPTY_INDEX, Index
from dicomkit.dataset.records import BULK_SIZE, Records
from dicomkit.dataset.repairs import Repair
from dicomkit.encoding.fields import FILE_META
from dicomkit.encoding.text_values import shown
from dicomkit.encoding.value_field import fragments_of
from dicomkit.sources import Bulk, MemorySource, UriSource
from dicomkit.standard.attributes import vr_of
from dicomkit.standard.private import private_attribute
from dicomkit.values.charset import Charset
from dicomkit.values.decode import decode_value
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

Elements: TypeAlias = "dict[int, Element | None]"
Resolver: TypeAlias = Callable[[str], bytes]
"""From a BulkDataURI to the bytes of the value field."""

BULK_VRS = frozenset(vr.name for vr in VRS.values() if vr.kind == "bulk")
MOST_STEPS = 8
"""Of how many levels an error tells the item, from the outermost on."""
URN_UUID = "urn:uuid:"
"""What makes a URI of a UUID (RFC 9562), by which Native XML may name bulk data."""
_PIXEL_DATA = 0x7FE00010
_NOTHING_READ = DataSet()._records


# The slots of Element are set through their descriptors, which takes a third of the time of its frozen __init__.
_put_tag, _put_vr, _put_value, _put_raw, _put_origin = (
    Element.__dict__[name].__set__ for name in ("tag", "vr", "value", "raw", "origin")
)


def new_element(tag: Tag, vr: str, value: Any, raw: bytes | None = None) -> Element:
    """Make the Element of a value that is in the form that its VR asks for."""
    element = object.__new__(Element)
    _put_tag(element, tag)
    _put_vr(element, vr)
    _put_value(element, value)
    _put_raw(element, raw)
    _put_origin(element, None)
    return element


def new_data_set(elements: Elements, repairs: Sequence[Repair] = ()) -> DataSet:
    """Make a data set of elements; those of group 0002 become its File Meta Information.

    Parameters
    ----------
    repairs
        What about the document was tolerated.
    """
    records, meta = _NOTHING_READ, None
    if repairs:
        empty = EMPTY_INDEX
        index = Index(empty.rows, empty.source, empty.windows, empty.transfer_syntax, tuple(repairs))
        records = Records(index, 0, 0, None, 0, DataSet)
    if elements and min(elements) >> 16 <= FILE_META:
        in_meta = {tag: elements.pop(tag) for tag in list(elements) if tag >> 16 == FILE_META}
        meta = new_item(in_meta) if in_meta else None
    return DataSet._of(records, elements, {}, meta)


def new_item(elements: Elements) -> DataSet:
    """Make an item of a sequence."""
    return DataSet._of(_NOTHING_READ, elements, {}, None)


def implied_vr(tag: Tag, creator: str | None, *, binary: bool) -> str | None:
    """Find the VR that a document should have told; of those that the dictionary leaves open, what the content allows.

    Parameters
    ----------
    creator
        The private creator of a private tag, where known.
    binary
        Whether the content is bytes or a reference to some.
    """
    if tag.is_private and not tag.is_private_creator:
        known = private_attribute(creator, tag) if creator else None
        found = known.vr if known else "UN" if binary else ""
    else:
        found = vr_of(tag) or ""
    choices = [vr for vr in found.split("|") if vr in VRS]
    fitting = [vr for vr in choices if (vr in BULK_VRS) == binary] or choices
    return fitting[-1 if binary else 0] if fitting else None


def unsigned_ends(tag: int, vr: str, value: Any) -> Any:
    """Take the outer numbers of a look-up table's descriptor as unsigned, whatever its VR (PS3.3 C.11.1.1)."""
    if vr == "SS" and tag in LUT_DESCRIPTORS and isinstance(value, tuple) and len(value) == 3:
        return value[0] & 0xFFFF, value[1], value[2] & 0xFFFF
    return value


def inline_value(tag: int, vr: str, base64: object, charset: Callable[[], Charset]) -> Any:
    """Decode InlineBinary: the whole value field in little-endian order (PS3.18 F.2.7).

    Parameters
    ----------
    charset
        Gives the character set of the bytes, for a VR of text.

    Raises
    ------
    ValueError
        When it is not base64.
    """
    if not isinstance(base64, str):
        raise ValueError(f"InlineBinary is a text, not {shown(base64)}")
    try:
        raw = a2b_base64(base64, strict_mode=True)
    except Base64Error:
        try:  # base64 in lines
            raw = a2b_base64("".join(base64.split()), strict_mode=True)
        except Base64Error as error:
            raise ValueError(f"InlineBinary is no base64: {error}") from None
    if vr not in BULK_VRS:
        return decode_value(vr, raw, charset=charset())
    if tag == _PIXEL_DATA and raw.startswith(b"\xfe\xff\x00\xe0") and (fragments := fragments_of(raw)) is not None:
        return fragments
    return Bulk(MemorySource(raw), 0, len(raw)) if len(raw) > BULK_SIZE else raw or None


def uri_value(vr: str, uri: object, resolve: Resolver | None, charset: Callable[[], Charset]) -> Any:
    """Turn a BulkDataURI into bulk data that is fetched when needed; texts and numbers are fetched at once."""
    if not isinstance(uri, str) or not uri:
        raise ValueError(f"BulkDataURI is a text, not {shown(uri)}")
    bulk = Bulk(UriSource(uri, resolve), 0, None)
    if vr in BULK_VRS or resolve is None:
        return bulk
    return decode_value(vr, bytes(bulk), charset=charset())
