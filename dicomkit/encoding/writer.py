"""From a DataSet to the bytes of a Part 10 file (PS3.10) or a bare data set (PS3.5)."""

from __future__ import annotations

import struct
import zlib
from array import array

from dicomkit._version import __version__
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.errors import UnsupportedError, ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.values.charset import Charset
from dicomkit.values.encode import encode_value
from dicomkit.values.fragments import Fragments
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from dicomkit.values.vr import VRS

IMPLEMENTATION_CLASS_UID = "2.25.218463183519243236829416205136419219617"
IMPLEMENTATION_VERSION_NAME = f"DICOMKIT_{__version__}"[:16]
_UNDEFINED = 0xFFFFFFFF


def to_part10(ds: DataSet, transfer_syntax: str | TransferSyntax | None = None, *, anonymous: bool = False) -> bytes:
    """Encode a data set as a file: preamble, File Meta Information and data set (PS3.10 7.1).

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
    syntax = TransferSyntax.of(transfer_syntax) if transfer_syntax else _plain(ds.transfer_syntax)
    identity = {key: ds.get(key) or ds.meta.get(f"MediaStorage{key}") for key in ("SOPClassUID", "SOPInstanceUID")}
    missing = [keyword for keyword, uid in identity.items() if not uid]
    if missing and not anonymous:
        raise ValueFormatError(f"a file needs {' and '.join(missing)}", hint="assign them, or use to_bytes")
    generated = {
        "FileMetaInformationVersion": b"\x00\x01",
        **{f"MediaStorage{keyword}": uid for keyword, uid in identity.items() if uid},
        "TransferSyntaxUID": syntax.uid,
        "ImplementationClassUID": IMPLEMENTATION_CLASS_UID,
        "ImplementationVersionName": IMPLEMENTATION_VERSION_NAME,
    }
    meta = to_bytes(ds.meta.drop("FileMetaInformationGroupLength").assign(generated), EXPLICIT_VR_LITTLE_ENDIAN)
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    return b"".join((bytes(128), b"DICM", length, meta, to_bytes(ds, syntax)))


def to_bytes(ds: DataSet, transfer_syntax: str | TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """Encode the elements of a data set, without file meta information.

    Examples
    --------
    >>> to_bytes(DataSet(Rows=512))
    b'(\\x00\\x10\\x00US\\x02\\x00\\x00\\x02'
    """
    syntax = TransferSyntax.of(transfer_syntax)
    native = ds.get("PixelData") is not None and not isinstance(ds.PixelData, Fragments)
    if syntax.encapsulated is not None and syntax.encapsulated == native and ds.get("PixelData") is not None:
        raise UnsupportedError(f"the pixel data is not in the form that {syntax.name} asks for", hint="transcode first")
    parts: list[bytes] = []
    _data_set(ds, syntax, Charset.of(None), parts)
    data = b"".join(parts)
    if not syntax.deflated:
        return data
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = machine.compress(data) + machine.flush()
    return deflated + bytes(len(deflated) % 2)


def _plain(syntax: TransferSyntax) -> TransferSyntax:
    """The syntax as PS3.5 has it: a file whose elements contradict its syntax is not written back that way."""
    return TransferSyntax.of(syntax.uid)


def _data_set(ds: DataSet, syntax: TransferSyntax, outer: Charset, parts: list[bytes]) -> None:
    terms = ds.all("SpecificCharacterSet")
    charset = Charset.of(terms) if terms else outer
    for element in ds.elements():
        if element.tag.element != 0:
            _element(element, syntax, charset, parts)


def _element(element: Element, syntax: TransferSyntax, charset: Charset, parts: list[bytes]) -> None:
    value = element.value
    if isinstance(value, Fragments):
        parts.append(_header(element.tag, "OB", _UNDEFINED, syntax))
        order = ">" if syntax.big_endian else "<"
        for part in (value.offset_table, *map(bytes, value.parts)):
            padded = part + bytes(len(part) % 2)
            parts += (struct.pack(order + "HHI", 0xFFFE, 0xE000, len(padded)), padded)
        parts.append(struct.pack(order + "HHI", 0xFFFE, 0xE0DD, 0))
        return
    raw = _sequence(value, syntax, charset) if element.vr == "SQ" else _raw(element, syntax, charset)
    if len(raw) % 2:
        raw += VRS[element.vr].pad
    parts += (_header(element.tag, element.vr, len(raw), syntax), raw)


def _sequence(items: tuple[DataSet, ...], syntax: TransferSyntax, charset: Charset) -> bytes:
    parts: list[bytes] = []
    for item in items:
        inner: list[bytes] = []
        _data_set(item, syntax, charset, inner)
        content = b"".join(inner)
        parts += (struct.pack((">" if syntax.big_endian else "<") + "HHI", 0xFFFE, 0xE000, len(content)), content)
    return b"".join(parts)


def _raw(element: Element, syntax: TransferSyntax, charset: Charset) -> bytes:
    """The bytes of a value: as they were read where they still hold, else encoded."""
    origin, value = element.origin, element.value
    if origin is not None and (origin.charset == charset or not VRS[element.vr].charset):
        raw = bytes(element.raw) if element.raw is not None else b""
        return raw if origin.big_endian == syntax.big_endian else _swapped(raw, element.vr)
    if value is None:
        return b""
    if isinstance(value, (bytes, Bulk)):
        return _swapped(bytes(value), element.vr) if syntax.big_endian else bytes(value)
    if origin is None and isinstance(element.raw, bytes):
        return element.raw
    return encode_value(element.vr, value, big_endian=syntax.big_endian, charset=charset)


def _swapped(raw: bytes, vr: str) -> bytes:
    """Swap the bytes of each number; those of a tag are two numbers."""
    size = 2 if vr == "AT" else VRS[vr].itemsize
    if size < 2 or len(raw) % size:
        return raw
    numbers = array({2: "H", 4: "I", 8: "Q"}[size], raw)
    numbers.byteswap()
    return numbers.tobytes()


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
