"""From a DataSet to the bytes of a Part 10 file (PS3.10) or a bare data set (PS3.5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import UNDEFINED_LENGTH, Index, to_word, vr_word
from dicomkit.encoding.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, file_meta, headed
from dicomkit.encoding.splice import pieces
from dicomkit.errors import UnsupportedError, ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.standard.attributes import vr_of
from dicomkit.values.charset import Charset
from dicomkit.values.decode import swapped
from dicomkit.values.encode import encode_value
from dicomkit.values.fragments import Fragments
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from dicomkit.values.vr import VRS

_UNDEFINED = 0xFFFFFFFF
_SMALL = 1 << 16
_META_SYNTAX = TransferSyntax.of(EXPLICIT_VR_LITTLE_ENDIAN)
_DEFAULT = Charset.of(None)
_PIXEL_DATA = 0x7FE00010
_PIXEL_VRS = frozenset(map(vr_word, ("OB", "OW", "ox")))
_IDENTITY = ("SOPClassUID", "SOPInstanceUID")
_GENERATED = frozenset((0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013))
"""The file meta elements that are always written anew."""
_GENERATED_WORDS = frozenset(map(to_word, _GENERATED))


def to_part10(ds: DataSet, transfer_syntax: str | TransferSyntax | None = None, *, anonymous: bool = False) -> bytes:
    """Encode a data set as the bytes of a file: preamble, File Meta Information and data set (PS3.10 7.1).

    Parameters
    ----------
    transfer_syntax
        Its UID or keyword; the data set's own when not given. Pixel data is not transcoded.
    anonymous
        Whether SOP Class UID and SOP Instance UID may be missing, which no conformant file does.

    Raises
    ------
    ValueFormatError
        When SOP Class UID or SOP Instance UID is missing, or a value doesn't fit its VR.
    UnsupportedError
        When pixel data would have to change between native and encapsulated form.

    Examples
    --------
    >>> data = to_part10(DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1", Modality="OT"))
    >>> data[128:132]
    b'DICM'
    """
    return b"".join(iter_part10(ds, transfer_syntax, anonymous=anonymous))


def iter_part10(
    ds: DataSet,
    transfer_syntax: str | TransferSyntax | None = None,
    *,
    anonymous: bool = False,
    source_ae: str | None = None,
) -> Iterator[bytes]:
    """Encode a data set as a file, piece by piece, so that large values never have to be in memory as a whole.

    Parameters
    ----------
    transfer_syntax, anonymous
        As for `to_part10`.
    source_ae
        Source Application Entity Title to write.

    Raises
    ------
    ValueFormatError, UnsupportedError
        As `to_part10`; what can be known at the start is raised before the first piece.
    """
    return in_memory(part10_pieces(ds, transfer_syntax, anonymous=anonymous, source_ae=source_ae))


def part10_pieces(
    ds: DataSet,
    transfer_syntax: str | TransferSyntax | None = None,
    *,
    anonymous: bool = False,
    source_ae: str | None = None,
) -> Iterator[bytes | Bulk]:
    """Encode a data set as a file, in which large slices of the source stand as they are, to be copied.

    Parameters
    ----------
    transfer_syntax, anonymous, source_ae
        As for `iter_part10`.

    Raises
    ------
    ValueFormatError, UnsupportedError
        As `iter_part10`.
    """
    # By its UID: a data set that was read against what its meta information says has elements of another encoding.
    syntax = TransferSyntax.of(TransferSyntax.of(transfer_syntax or ds.transfer_syntax).uid)
    _check_pixel_data(ds, syntax)
    return chain((_meta(ds, syntax, anonymous, source_ae),), data_set_pieces(ds, syntax))


def to_bytes(ds: DataSet, transfer_syntax: str | TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """Encode the elements of a data set, without file meta information.

    Examples
    --------
    >>> to_bytes(DataSet(Rows=512))
    b'(\\x00\\x10\\x00US\\x02\\x00\\x00\\x02'
    """
    syntax = TransferSyntax.of(transfer_syntax)
    _check_pixel_data(ds, syntax)
    return b"".join(iter_bytes(ds, syntax))


def iter_bytes(ds: DataSet, syntax: TransferSyntax) -> Iterator[bytes]:
    """Encode the elements of a data set piece by piece; what nobody touched is taken over as it was read."""
    return in_memory(data_set_pieces(ds, syntax))


def data_set_pieces(ds: DataSet, syntax: TransferSyntax) -> Iterator[bytes | Bulk]:
    """Encode the elements of a data set, in which large slices of the source stand as they are."""
    parts = _data_set(ds, syntax, _DEFAULT)
    return _deflated(in_memory(parts)) if syntax.deflated else parts


def in_memory(parts: Iterable[bytes | Bulk]) -> Iterator[bytes]:
    """Give slices of a source as their bytes, of which only a part is in memory at once."""
    for part in parts:
        if isinstance(part, Bulk):
            yield from part.chunks()
        else:
            yield part


def _deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    machine, size = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
    for chunk in map(machine.compress, chunks):
        size += len(chunk)
        yield chunk
    last = machine.flush()
    yield last + bytes((size + len(last)) % 2)


def _check_pixel_data(ds: DataSet, syntax: TransferSyntax) -> None:
    if syntax.encapsulated is None:
        return
    encapsulated = _is_encapsulated(ds)
    if encapsulated is not None and encapsulated != syntax.encapsulated:
        form = "encapsulated" if syntax.encapsulated else "native"
        raise UnsupportedError(f"{syntax.name} wants {form} pixel data", tag=_PIXEL_DATA, hint="transcode it first")


def _is_encapsulated(ds: DataSet) -> bool | None:
    """Whether pixel data consists of fragments, without reading any of it; None where there is none."""
    if _PIXEL_DATA not in ds._overlay:
        record = ds._records.find(_PIXEL_DATA)
        if record is None:
            return None
        kind = ds._records.index.kind(record)
        if kind & 0xFFFF in _PIXEL_VRS and ds._records.index.length(record):
            return bool(kind & UNDEFINED_LENGTH)
    value = ds.get("PixelData")
    return None if value is None else isinstance(value, Fragments)


def _meta(ds: DataSet, syntax: TransferSyntax, anonymous: bool, source_ae: str | None) -> bytes:
    """Preamble and File Meta Information: what is generated, and what else was there."""
    sop_class, instance = (ds.get(key) or ds.meta.get(f"MediaStorage{key}") for key in _IDENTITY)
    if not (sop_class and instance) and not anonymous:
        missing = [key for key, uid in zip(_IDENTITY, (sop_class, instance), strict=True) if not uid]
        raise ValueFormatError(f"a file needs {' and '.join(missing)}", hint="assign them")
    nothing_else = isinstance(ds._meta, Index) and _GENERATED_WORDS.issuperset(ds._meta.words)
    if nothing_else and sop_class and instance and not source_ae:
        return file_meta(str(sop_class), str(instance), syntax.uid)
    elements: dict[int, tuple[str, bytes]] = {}
    if not nothing_else:
        for kept in ds.meta:
            if kept.group == 2 and kept not in _GENERATED and (element := ds.meta.element(kept)).vr != "SQ":
                elements[kept] = element.vr, _raw(element, _META_SYNTAX, _DEFAULT)
    elements[0x00020001] = "OB", b"\x00\x01"
    for tag, uid in ((0x00020002, sop_class), (0x00020003, instance)):
        if uid:
            elements[tag] = "UI", str(uid).encode("ascii", "replace")
    elements[0x00020010] = "UI", syntax.uid.encode()
    elements[0x00020012] = "UI", IMPLEMENTATION_CLASS_UID.encode()
    elements[0x00020013] = "SH", IMPLEMENTATION_VERSION_NAME.encode()
    if source_ae:
        elements[0x00020016] = "AE", encode_value("AE", source_ae)
    parts: list[bytes] = []
    for tag, (vr, raw) in sorted(elements.items()):
        padded = raw + VRS[vr].pad[: len(raw) % 2]
        parts += (_header(tag, vr, len(padded), _META_SYNTAX), padded)
    return headed(b"".join(parts))


def _data_set(ds: DataSet, syntax: TransferSyntax, outer: Charset) -> Iterator[bytes | Bulk]:
    terms = ds.all("SpecificCharacterSet")
    charset = Charset.of(terms) if terms else outer
    for piece in pieces(ds, syntax, charset):
        if isinstance(piece, Bulk):
            yield piece if piece.length > _SMALL else ds.read_source(piece.offset, piece.length)
        else:
            yield from _element(piece, syntax, charset)


def _element(element: Element, syntax: TransferSyntax, charset: Charset) -> Iterator[bytes | Bulk]:
    value = element.value
    if isinstance(value, Fragments):
        yield _header(element.tag, "OB", _UNDEFINED, syntax)
        for part in (value.offset_table, *value.parts):
            yield _item_header(0xE000, len(part) + len(part) % 2, syntax)
            yield part if isinstance(part, Bulk) else bytes(part)
            yield bytes(len(part) % 2)
        yield _item_header(0xE0DD, 0, syntax)
    elif isinstance(value, Bulk) and _as_stored(element, syntax) and value.length < _UNDEFINED - 1:
        yield _header(element.tag, element.vr, value.length + value.length % 2, syntax)
        yield value
        yield bytes(value.length % 2)
    elif element.vr == "SQ" and syntax.implicit_vr and vr_of(element.tag) != "SQ":
        # No header and no dictionary says that it is a sequence: its undefined length does (PS3.5 6.2.2).
        yield _header(element.tag, "SQ", _UNDEFINED, syntax)
        yield _sequence(value, syntax, charset)
        yield _item_header(0xE0DD, 0, syntax)
    else:
        raw = _sequence(value, syntax, charset) if element.vr == "SQ" else _raw(element, syntax, charset)
        if len(raw) >= _UNDEFINED - 1:
            raise ValueFormatError(f"{len(raw):,} bytes are more than an element can hold", tag=element.tag)
        yield _header(element.tag, element.vr, len(raw) + len(raw) % 2, syntax)
        yield raw
        yield VRS[element.vr].pad[: len(raw) % 2]


def _sequence(items: tuple[DataSet, ...], syntax: TransferSyntax, charset: Charset) -> bytes:
    parts: list[bytes] = []
    for item in items:
        content = b"".join(in_memory(_data_set(item, syntax, charset)))
        parts += (_item_header(0xE000, len(content), syntax), content)
    return b"".join(parts)


def _as_stored(element: Element, syntax: TransferSyntax) -> bool:
    """Whether bulk data is in the byte order in which it is to be written; new values are little-endian."""
    stored_big = element.origin is not None and element.origin.big_endian
    return stored_big == syntax.big_endian or VRS[element.vr].itemsize == 1


def _raw(element: Element, syntax: TransferSyntax, charset: Charset) -> bytes:
    """The bytes of a value: as they were read where they still hold, else encoded."""
    origin, value, vr = element.origin, element.value, element.vr
    if value is None:
        return b""
    if isinstance(value, (bytes, Bulk)):
        return bytes(value) if _as_stored(element, syntax) else _swapped(vr, bytes(value))
    if (
        origin is not None
        and element.raw is not None
        and (origin.charset.terms == charset.terms or not VRS[vr].charset)
    ):
        raw = bytes(element.raw)
        return raw if origin.big_endian == syntax.big_endian else _swapped(vr, raw)
    if origin is None and isinstance(element.raw, bytes):
        return element.raw
    try:
        return encode_value(vr, value, big_endian=syntax.big_endian, charset=charset, strict=origin is None)
    except ValueFormatError as error:
        raise ValueFormatError(error.message, tag=element.tag, hint=error.hint) from None


def _swapped(vr: str, raw: bytes) -> bytes:
    """Turn the byte order of each number; a tag is two numbers."""
    size = 2 if vr == "AT" else VRS[vr].itemsize
    return swapped(raw, size) if size > 1 else raw


def _item_header(element: int, length: int, syntax: TransferSyntax) -> bytes:
    return struct.pack(">HHI" if syntax.big_endian else "<HHI", 0xFFFE, element, length)


def _header(tag: int, vr: str, length: int, syntax: TransferSyntax) -> bytes:
    order = ">" if syntax.big_endian else "<"
    group, element = tag >> 16, tag & 0xFFFF
    if syntax.implicit_vr:
        return struct.pack(order + "HHI", group, element, length)
    if not VRS[vr].long_form:
        if length <= 0xFFFF:
            return struct.pack(order + "HH2sH", group, element, vr.encode(), length)
        vr = "UN"  # a value too long for the short form (PS3.5 6.2.2, CP-1066)
    return struct.pack(order + "HH2sHI", group, element, vr.encode(), 0, length)
