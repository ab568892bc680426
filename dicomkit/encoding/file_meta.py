"""The beginning of the file of a received data set: preamble and File Meta Information (PS3.10 7.1)."""

from __future__ import annotations

import struct

from dicomkit.encoding.writer import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_SHORT = struct.Struct("<HH2sH")
_VERSION = struct.pack("<HH2sxxI", 2, 1, b"OB", 2) + b"\0\1"


def received_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, *, source_ae: str = "") -> bytes:
    """Write what comes before the bytes of a data set that arrived as it is.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax_uid
        As the command and the presentation context tell.
    source_ae
        AE title of the application that sent it.

    Examples
    --------
    >>> received_meta("1.2", "1.2.3", "1.2.840.10008.1.2")[128:140]
    b'DICM\\x02\\x00\\x00\\x00UL\\x04\\x00'
    """
    elements = [
        _VERSION,
        _element(0x0002, b"UI", sop_class_uid),
        _element(0x0003, b"UI", sop_instance_uid),
        _element(0x0010, b"UI", transfer_syntax_uid),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    ]
    if source_ae:
        elements.append(_element(0x0016, b"AE", source_ae))
    body = b"".join(elements)
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body


def _element(number: int, vr: bytes, value: str) -> bytes:
    raw = value.encode("ascii", "replace")
    if len(raw) & 1:
        raw += b"\0" if vr == b"UI" else b" "
    return _SHORT.pack(2, number, vr, len(raw)) + raw
