"""What is no DICOM is named; bare data sets are read as before."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import DATA, needs_data

import dicomkit as dk
from dicomkit.encoding.other_formats import other_format
from dicomkit.errors import DicomError, ReadError


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "text" * 99)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(9))
    return stream.getvalue()


def nifti(magic: bytes, order: str = "<") -> bytes:
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, 3, 4, 5, 6, 1, 1, 1, 1)
    header[344:348] = magic
    return bytes(header)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "JPEG or"),
        (b"II*\0\x08\0\0\0\x0a\0" + bytes(99), "TIFF"),
        (nifti(b"n+1\0"), "NIfTI image"),
        (nifti(b"ni1\0", ">"), "NIfTI image"),
        (nifti(bytes(4)), "Analyze"),
        (b"\x1c\2\0\0n+2\0\r\n\x1a\n" + bytes(540), "NIfTI-2"),
        (zipped(), "zip"),
        (tarred(), "tar"),
        (gzip.compress(bytes(999), mtime=0), "gzip"),
        (bz2.compress(bytes(999)), "bzip2"),
        (lzma.compress(bytes(999)), "xz"),
        (npy(), "NumPy"),
        (b"%PDF-1.7\n" + bytes(99), "PDF"),
        (b"<!doctype html>\n<title>Not found</title>", "HTML"),
        (b"\xef\xbb\xbf<html lang='en'>" + b" " * 600, "HTML"),
        (b"<?xml version='1.0'?><NativeDicomModel/>", "XML"),
        (b'[{"00080060": {"vr": "CS"}}]', "JSON"),
        ("Größe in mm\n".encode() * 99, "plain text"),
        (b"abcdUS\2\0".replace(b"\2\0", b"12") * 99, "plain text"),
    ],
)
def test_what_is_no_dicom_is_named(data: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(ReadError, match=f"no DICOM data set: it looks like .*{name}") as caught:
        dk.read(path)
    assert caught.value.path == str(path)
    if name != "zip":  # of which the members are scanned
        assert "looks like" in dk.scan([path]).error[0]


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRLittleEndian", "ExplicitVRBigEndian"])
def test_bare_data_sets_are_read(syntax: str) -> None:
    text = "<html> " * 200
    stream = io.BytesIO()
    dk.write(dk.DataSet(SOPClassUID="1.2", SOPInstanceUID="1.3", TextComments=text), stream, transfer_syntax=syntax)
    data = stream.getvalue()
    bare = data[144 + struct.unpack_from("<I", data, 140)[0] :]
    assert other_format(bare) is None
    assert dk.read(bare).TextComments == text.rstrip()


def test_who_names_the_encoding_is_believed() -> None:
    data = struct.pack("<HH2sH", 0x4949, 0x002A, b"LO", 2) + b"ab"  # what looks like a TIFF image
    with pytest.raises(ReadError, match="TIFF"):
        dk.read(data)
    assert len(dk.read(data, transfer_syntax="ExplicitVRLittleEndian")) == 1


@given(st.binary(max_size=600))
def test_any_bytes_are_a_format_or_none(data: bytes) -> None:
    found = other_format(data)
    assert found is None or found.name


@needs_data
def test_no_data_set_among_real_files_is_taken_for_something_else() -> None:
    bare = 0
    for path in sorted(DATA.rglob("*")):
        if not path.is_file():
            continue
        head = path.read_bytes()[:1024]
        if head[128:132] == b"DICM" or path.suffix in (".json", ".xml", ".csv", ".txt", ".md", ".html"):
            continue
        try:
            ds = dk.read(path, transfer_syntax="ImplicitVRLittleEndian")  # which no look at the format precedes
        except DicomError:
            continue
        if "SOPClassUID" in ds or "SOPInstanceUID" in ds:
            bare += 1
            assert other_format(head) is None, path
    assert bare >= 5
