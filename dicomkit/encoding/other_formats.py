"""Files that are no DICOM, told by how they begin, so that an error can say what it was given."""

from __future__ import annotations

import struct
from typing import NamedTuple


class Format(NamedTuple):
    """A format: its name with an article, how it begins, where that stands, and what to do with it instead."""

    name: str
    mark: bytes
    place: int = 0
    hint: str = ""


_UNPACK = "unpack it first"
FORMATS = (
    Format("a PNG image", b"\x89PNG\r\n\x1a\n"),
    Format("a JPEG or JPEG-LS image", b"\xff\xd8\xff"),
    Format("a JPEG 2000 image", b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
    Format("a JPEG 2000 codestream", b"\xff\x4f\xff\x51"),
    Format("a JPEG XL image", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    Format("a GIF image", b"GIF8"),
    Format("a TIFF image", b"II*\x00"),
    Format("a TIFF image", b"MM\x00*"),
    Format("a BigTIFF image", b"II+\x00\x08\x00"),
    Format("a RIFF file, such as WebP, WAV or AVI", b"RIFF"),
    Format("a PDF document", b"%PDF-"),
    Format("a zip archive", b"PK\x03\x04", hint='scan it, or read a member of it as "archive.zip!/name"'),
    Format("an empty zip archive", b"PK\x05\x06"),
    Format("data compressed by gzip", b"\x1f\x8b\x08", hint=_UNPACK),
    Format("data compressed by bzip2", b"BZh", hint=_UNPACK),
    Format("data compressed by xz", b"\xfd7zXZ\x00", hint=_UNPACK),
    Format("data compressed by Zstandard", b"\x28\xb5\x2f\xfd", hint=_UNPACK),
    Format("a 7-Zip archive", b"7z\xbc\xaf\x27\x1c", hint=_UNPACK),
    Format("a RAR archive", b"Rar!\x1a\x07", hint=_UNPACK),
    Format("a tar archive", b"ustar", 257, _UNPACK),
    Format("an HDF5 file, such as MINC 2 or netCDF 4", b"\x89HDF\r\n\x1a\n"),
    Format("a netCDF file", b"CDF\x01"),
    Format("a netCDF file", b"CDF\x02"),
    Format("a NumPy array", b"\x93NUMPY"),
    Format("a Parquet table", b"PAR1"),
    Format("an SQLite database", b"SQLite format 3\x00"),
    Format("a program", b"\x7fELF"),
    Format("an NRRD image", b"NRRD000"),
    Format("a NIfTI-2 image", b"n+2\x00\r\n\x1a\n", 4),
    Format("a NIfTI-2 image", b"ni2\x00\r\n\x1a\n", 4),
)
"""Those that begin with a mark which no data set can have there."""

_TEXTS = (
    Format(
        "an HTML page", b"<!DOCTYPE HTML", hint="a server may have sent an error or a log-in page in place of the file"
    ),
    Format("an HTML page", b"<HTML", hint="a server may have sent an error or a log-in page in place of the file"),
    Format("XML", b"<", hint="dicomkit.from_xml reads the Native DICOM Model"),
    Format("JSON", b"{", hint="dicomkit.from_json reads the DICOM JSON Model"),
    Format("JSON", b"[", hint="dicomkit.from_json reads the DICOM JSON Model"),
    Format("a MetaImage header", b"OBJECTTYPE"),
    Format("an NRRD image", b"NRRD000"),
    Format("plain text", b""),
)
_SAMPLE = 512
_NO_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_ANALYZE, _NIFTI_MAGIC = 348, (b"n+1\x00", b"ni1\x00")


def other_format(head: bytes) -> Format | None:
    """Tell which other format a file has; None where it may be a data set.

    Parameters
    ----------
    head
        The beginning of a file without the prefix DICM.

    Examples
    --------
    >>> other_format(b"GIF89a...").name, other_format(b"<html><body>404").name
    ('a GIF image', 'an HTML page')
    >>> other_format(bytes.fromhex("080060004353020043540800"))
    """
    for known in FORMATS:
        if head.startswith(known.mark, known.place):
            return known
    return _analyze(head) or _text(head)


def _analyze(head: bytes) -> Format | None:
    """Tell NIfTI-1 and Analyze 7.5: a header of 348 bytes, which begins with its length."""
    for order in "<>":
        if len(head) < _ANALYZE or struct.unpack_from(f"{order}i", head)[0] != _ANALYZE:
            continue
        if head[344:348] in _NIFTI_MAGIC:
            return Format("a NIfTI image", b"")
        dimensions, *sizes = struct.unpack_from(f"{order}8h", head, 40)
        if 1 <= dimensions <= 7 and all(size > 0 for size in sizes[:dimensions]):
            return Format("an Analyze 7.5 header", b"")
    return None


def _text(head: bytes) -> Format | None:
    """Tell texts: every tag below group 0100 has a zero, so that no data set begins with so many bytes of text."""
    sample = head[:_SAMPLE]
    if not sample or sample.translate(None, _NO_TEXT) != sample:
        return None
    begin = sample.removeprefix(b"\xef\xbb\xbf").lstrip().upper()
    return next(known for known in _TEXTS if begin.startswith(known.mark))
