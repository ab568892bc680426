"""The beginning of a file: preamble and the File Meta Information that every one has (PS3.10 7.1)."""

from __future__ import annotations

import struct

from dicomkit._version import __version__

IMPLEMENTATION_CLASS_UID = "2.25.218463183519243236829416205136419219617"
IMPLEMENTATION_VERSION_NAME = f"DICOMKIT_{__version__}"[:16]
_SHORT = struct.Struct("<HH2sH")
_START = bytes(128) + b"DICM" + _SHORT.pack(2, 0, b"UL", 4)
_LENGTH = struct.Struct("<I")
_VERSION = struct.pack("<HH2sxxI", 2, 1, b"OB", 2) + b"\0\1"


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, *, source_ae: str = "") -> bytes:
    """Write what comes before the bytes of a data set in a file.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax_uid
        Of the data set; for one that was received, as the command and the presentation context tell.
    source_ae
        AE title of the application that sent it.

    Examples
    --------
    >>> file_meta("1.2", "1.2.3", "1.2.840.10008.1.2")[128:140]
    b'DICM\\x02\\x00\\x00\\x00UL\\x04\\x00'
    """
    body = b"".join(
        (
            _VERSION,
            _element(0x0002, b"UI", sop_class_uid),
            _element(0x0003, b"UI", sop_instance_uid),
            _element(0x0010, b"UI", transfer_syntax_uid),
            _IMPLEMENTATION,
            _element(0x0016, b"AE", source_ae) if source_ae else b"",
        )
    )
    return headed(body)


def headed(body: bytes) -> bytes:
    """Put the preamble, the prefix and the group length before the other elements of the File Meta Information."""
    return b"".join((_START, _LENGTH.pack(len(body)), body))


def _element(number: int, vr: bytes, value: str) -> bytes:
    raw = value.encode("ascii", "replace")
    if len(raw) & 1:
        raw += b"\0" if vr == b"UI" else b" "
    return _SHORT.pack(2, number, vr, len(raw)) + raw


_IMPLEMENTATION = _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID) + _element(
    0x0013, b"SH", IMPLEMENTATION_VERSION_NAME
)
