"""Members of zip archives: where one lies in its archive is remembered, so that reading it again needs no directory."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

from dicomkit.descriptors import open_descriptor, read_at
from dicomkit.errors import SourceError

ZIP_ERRORS = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

_CHUNK = 1 << 20
_HEADER = struct.Struct("<4s22xHH")
"""Of a member: its signature, and how long its name and its extra field are, which stand before the data."""


class Place(NamedTuple):
    """Where the data of a member lie, and what tells whether the archive changed."""

    header: int
    packed: int
    deflated: bool
    crc: int
    archive_size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ZipSource:
    """A member of a zip archive."""

    archive: str
    member: str
    size: int
    place: Place | None = field(default=None, repr=False, compare=False)
    """None for a member that only `zipfile` can read: encrypted, or compressed by a rare method."""

    @classmethod
    def of(cls, archive: str, info: zipfile.ZipInfo) -> ZipSource:
        """Make the source of a member from its entry in the directory."""
        place = None
        if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 1:
            status = os.stat(archive)
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            place = Place(
                info.header_offset, info.compress_size, deflated, info.CRC, status.st_size, status.st_mtime_ns
            )
        return cls(archive, info.filename, info.file_size, place)

    @property
    def path(self) -> str:
        """The archive and the member, as one path."""
        return f"{self.archive}!/{self.member}"

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end; raises SourceError when the archive changed."""
        length = max(0, min(length, self.size - offset))
        try:
            if self.place is not None:
                return self._read_there(self.place, offset, length)
            with zipfile.ZipFile(self.archive) as archive, archive.open(self.member) as stream:
                stream.seek(offset)
                return stream.read(length)
        except ZIP_ERRORS as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"can't read a member of a zip archive: {error}", path=self.path) from error

    def _read_there(self, place: Place, offset: int, length: int) -> bytes:
        """Read from the place that is remembered."""
        descriptor = open_descriptor(self.archive)
        try:
            status = os.fstat(descriptor)
            if (status.st_size, status.st_mtime_ns) != (place.archive_size, place.mtime_ns):
                hint = "read it again, or ds.load() before it changes"
                raise SourceError("the archive changed since it was read", path=self.path, hint=hint)
            header = read_at(descriptor, place.header, _HEADER.size)
            if len(header) < _HEADER.size or not header.startswith(b"PK\3\4"):
                raise zipfile.BadZipFile("there is no member where the directory says")
            _, name, extra = _HEADER.unpack(header)
            start = place.header + _HEADER.size + name + extra
            if not place.deflated:
                return read_at(descriptor, start + offset, length)
            return self._inflated(descriptor, start, place, offset, length)
        finally:
            os.close(descriptor)

    def _inflated(self, descriptor: int, start: int, place: Place, offset: int, length: int) -> bytes:
        """Inflate as far as is wanted; what reaches the end is checked."""
        machine, crc, at, stop, wanted = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0, offset + length, bytearray()
        for begin in range(0, place.packed, _CHUNK):
            pending = read_at(descriptor, start + begin, min(_CHUNK, place.packed - begin))
            while pending and not machine.eof:
                data = machine.decompress(pending, _CHUNK)
                pending = machine.unconsumed_tail
                wanted += data[max(0, offset - at) : max(0, stop - at)]
                at += len(data)
                if at >= stop and at < self.size:
                    return bytes(wanted)
                crc = zlib.crc32(data, crc)
        if at > self.size or crc != place.crc:
            raise zipfile.BadZipFile(f"bad CRC-32 of the member {self.member!r}")
        return bytes(wanted)
