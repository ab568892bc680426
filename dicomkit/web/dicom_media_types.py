"""The media types of DICOM resources and their transfer syntaxes, as PS3.18 8.7 (2024e) has them in tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

INSTANCE = "application/dicom"
JSON = "application/dicom+json"
XML = "application/dicom+xml"
OCTET_STREAM = "application/octet-stream"
METADATA = (JSON, XML)
"""Table 8.7.3-3."""

_UID = "1.2.840.10008.1.2."


def _uids(endings: str) -> tuple[str, ...]:
    return tuple(_UID + ending for ending in endings.split())


PIXEL_DATA: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image/jpeg": _uids("4.70 4.50 4.51 4.57"),
        "image/dicom-rle": _uids("5"),
        "image/jls": _uids("4.80 4.81"),
        "image/jp2": _uids("4.90 4.91"),
        "image/jpx": _uids("4.92 4.93"),
        "image/jphc": _uids("4.201 4.202 4.203"),
        "image/jxl": _uids("4.110 4.111 4.112"),
        "video/mpeg": _uids("4.101 4.101.1 4.100 4.100.1"),
        "video/mp4": _uids("4.102 4.102.1 4.103 4.103.1 4.104 4.104.1 4.105 4.105.1 4.106 4.106.1"),
        "video/h265": _uids("4.107 4.108"),
    }
)
"""Compressed pixel data as bulk data, by media type in lower case: its transfer syntaxes, the default first.

Table 8.7.3-5.
"""

RENDERED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "single frame": ("image/jpeg", "image/gif", "image/png", "image/jp2", "image/jph", "image/jxl"),
        "multi-frame": ("image/gif", "image/jxl"),
        "video": ("video/mpeg", "video/mp4", "video/H265"),
        "text": ("text/html", "text/plain", "text/xml", "text/rtf", "application/pdf"),
    }
)
"""Media types of rendered instances by resource category, the default first where there is one (Table 8.7.4-1)."""

FORMER_NAMES: Mapping[str, str] = MappingProxyType({"image/x-dicom-rle": "image/dicom-rle", "image/x-jls": "image/jls"})
"""Experimental names of earlier editions, which older peers send (8.7.3.3.2)."""


def default_transfer_syntax(essence: str) -> str | None:
    """Give the transfer syntax of a media type that names none; None for a type that has no transfer syntaxes.

    Examples
    --------
    >>> default_transfer_syntax("application/dicom"), default_transfer_syntax("image/jp2")
    ('1.2.840.10008.1.2.1', '1.2.840.10008.1.2.4.90')
    """
    essence = FORMER_NAMES.get(essence, essence)
    if essence in (INSTANCE, OCTET_STREAM):
        return EXPLICIT_VR_LITTLE_ENDIAN
    syntaxes = PIXEL_DATA.get(essence.lower())
    return syntaxes[0] if syntaxes else None


def pixel_media_type(transfer_syntax: str) -> str:
    """Give the media type of pixel data in a transfer syntax, as bulk data or frames; native data are octets.

    Examples
    --------
    >>> pixel_media_type("1.2.840.10008.1.2.4.80"), pixel_media_type("1.2.840.10008.1.2.1")
    ('image/jls', 'application/octet-stream')
    """
    return _by_syntax().get(transfer_syntax, OCTET_STREAM)


@cache
def _by_syntax() -> Mapping[str, str]:
    return MappingProxyType({syntax: essence for essence, syntaxes in PIXEL_DATA.items() for syntax in syntaxes})
