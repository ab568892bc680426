"""Where bytes come from: files, memory, zip members, URLs and inflated streams, and slices of them.

A source is a frozen value that can be read again at any time; it holds no open descriptor. ``Bulk`` is a slice of one.
``open_source`` (opening.py) gives a source together with a reader that keeps the file open while a header is scanned.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from dicomkit.descriptors import open_descriptor, read_at, read_into
from dicomkit.errors import DicomError, MissingFeatureError, SourceError
from dicomkit.zip_members import ZipSource

CHUNK = 1 << 20
MAX_INFLATED = 256 << 20


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Bytes in memory."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        return self.data[offset : offset + length]


class FileSource(NamedTuple):
    """A file, by its path and what tells whether it changed."""

    path: str
    size: int
    mtime_ns: int

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end; raises SourceError when the file changed."""
        descriptor = self.open()
        try:
            return read_at(descriptor, offset, length)
        finally:
            os.close(descriptor)

    def readinto(self, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset`` and return how many bytes there were."""
        descriptor = self.open()
        try:
            return read_into(descriptor, offset, buffer)
        finally:
            os.close(descriptor)

    def open(self) -> int:
        """Open the file, make sure that it is the one first read, and return the descriptor."""
        descriptor = open_descriptor(self.path)
        status = os.fstat(descriptor)
        if status.st_size != self.size or status.st_mtime_ns != self.mtime_ns:
            os.close(descriptor)
            hint = "read it again, or ds.load() before it changes"
            raise SourceError("the file changed since it was read", path=self.path, hint=hint)
        return descriptor


@dataclass(frozen=True, slots=True)
class UrlSource:
    """Anything that fsspec can open, by URL."""

    url: str
    size: int

    @property
    def path(self) -> str:
        """The URL."""
        return self.url

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        system, name = filesystem(self.url)
        stop = min(self.size, offset + length)
        try:
            data: bytes = system.cat_file(name, start=offset, end=stop) if stop > offset else b""
        except Exception as error:
            raise SourceError(f"can't read the URL: {error}", path=self.url) from error
        return data


@dataclass(frozen=True, slots=True)
class InflatedSource:
    """What a deflated slice of another source inflates to (PS3.5 A.5); inflated when first read, and kept."""

    deflated: Bulk
    size: int
    _data: list[bytes] = field(default_factory=list, repr=False, compare=False)

    @property
    def path(self) -> str | None:
        """The path of the deflated source."""
        return self.deflated.path

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        if not self._data:
            self._data.append(inflate(bytes(self.deflated))[0])
        return self._data[0][offset : offset + length]

    def __getstate__(self) -> list[Any]:
        return [self.deflated, self.size]

    def __setstate__(self, state: list[Any]) -> None:
        for name, value in zip(("deflated", "size", "_data"), (*state, []), strict=True):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class UriSource:
    """What a BulkDataURI of DICOM JSON or Native XML stands for (PS3.18 F.2.6); fetched when first read, and kept.

    Attributes
    ----------
    resolve
        Gives the bytes of a URI; None where nobody has said how to get them.
    """

    uri: str
    resolve: Callable[[str], bytes] | None = field(default=None, repr=False, compare=False)
    _data: list[bytes] = field(default_factory=list, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The URI."""
        return self.uri

    @property
    def size(self) -> int:
        """The number of bytes, for which they are fetched."""
        return len(self._fetched())

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        return self._fetched()[offset : offset + length]

    def _fetched(self) -> bytes:
        if not self._data:
            if self.resolve is None:
                hint = "say how to get them where the document is read: resolve=function(uri) -> bytes"
                raise SourceError("the bytes of this BulkDataURI are not here", path=self.uri, hint=hint)
            try:
                data = self.resolve(self.uri)
            except DicomError:
                raise
            except Exception as error:
                raise SourceError(f"can't get the bytes of a BulkDataURI: {error}", path=self.uri) from error
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise SourceError(f"resolving a BulkDataURI gave {type(data).__name__}, not bytes", path=self.uri)
            self._data.append(bytes(data))
        return self._data[0]

    def __getstate__(self) -> list[Any]:
        return [self.uri, self.resolve]

    def __setstate__(self, state: list[Any]) -> None:
        for name, value in zip(("uri", "resolve", "_data"), (*state, []), strict=True):
            object.__setattr__(self, name, value)


Source: TypeAlias = MemorySource | FileSource | ZipSource | UrlSource | InflatedSource | UriSource


class Bulk:
    """A slice of a source: a large value that stays where it is until asked for.

    Equal to other bulk data, or to bytes, of the same content; its hash reads none of it.

    Parameters
    ----------
    length
        None for all from ``offset``, of a source that doesn't know its size before it is read.

    Examples
    --------
    >>> bulk = Bulk(MemorySource(b"0123456789"), 2, 4)
    >>> len(bulk), bytes(bulk), bulk.read(1, 2)
    (4, b'2345', b'34')
    """

    __slots__ = ("_length", "offset", "source")

    source: Source
    offset: int
    _length: int | None

    def __init__(self, source: Source, offset: int, length: int | None) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "_length", length)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Bulk is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return Bulk, (self.source, self.offset, self._length)

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.source.size - self.offset if self._length is None else self._length

    @property
    def uri(self) -> str | None:
        """The BulkDataURI that it stands for, or None; a URI can be told without fetching it."""
        return self.source.uri if isinstance(self.source, UriSource) else None

    @property
    def path(self) -> str | None:
        """The path of the source, or None for memory."""
        return getattr(self.source, "path", None)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` within the slice, fewer at its end."""
        length = min(length, self.length - offset)
        return self.source.read(self.offset + offset, length) if length > 0 else b""

    def readinto(self, buffer: Any, offset: int = 0) -> int:
        """Fill a writable buffer from ``offset`` within the slice; return how many bytes there were."""
        view = memoryview(buffer).cast("B")[: max(0, self.length - offset)]
        if isinstance(self.source, FileSource):
            return self.source.readinto(self.offset + offset, view)
        data = self.source.read(self.offset + offset, len(view))
        view[: len(data)] = data
        return len(data)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes."""
        for offset in range(0, self.length, size):
            yield self.read(offset, size)

    def __bytes__(self) -> bytes:
        data = self.read(0, self.length)
        if len(data) != self.length:
            raise SourceError(f"{self.length} bytes expected, {len(data)} found", offset=self.offset, path=self.path)
        return data

    def __len__(self) -> int:
        return self.length

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (bytes, bytearray, memoryview)):
            other = Bulk(MemorySource(bytes(other)), 0, len(other))
        if not isinstance(other, Bulk):
            return NotImplemented
        if (self.offset, self._length, self.source) == (other.offset, other._length, other.source):
            return True
        if self.length != other.length:
            return False
        return all(mine == theirs for mine, theirs in zip(self.chunks(), other.chunks(), strict=True))

    def __hash__(self) -> int:
        return hash(("bulk", self._length))

    def __repr__(self) -> str:
        if self.uri is not None:
            return f"<Bulk of {self.uri}>"
        place = f" at {self.offset} of {os.path.basename(self.path)}" if self.path else ""
        return f"<Bulk {self.length:,} bytes{place}>"


def inflate(data: bytes, limit: int | None = None) -> tuple[bytes, str | None]:
    """Inflate a raw deflate stream (or, leniently, a zlib one); return the bytes and what was wrong, if anything.

    Parameters
    ----------
    limit
        How many bytes to put up with; when not given, 256 MB or 100 times the deflated bytes, whatever is more.

    Raises
    ------
    SourceError
        When it is no deflate stream at all, or inflates to more than ``limit`` bytes.
    """
    limit = max(MAX_INFLATED, 100 * len(data)) if limit is None else limit
    for window_bits in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        machine = zlib.decompressobj(window_bits)
        out, problem = io.BytesIO(), None
        try:
            for start in range(0, len(data), CHUNK):
                pending = data[start : start + CHUNK]
                while pending and not machine.eof:
                    out.write(machine.decompress(pending, CHUNK))
                    pending = machine.unconsumed_tail
                    if out.tell() > limit:
                        hint = "if it is what it seems, inflate it with another program first"
                        raise SourceError(f"the deflated data set inflates to more than {limit} bytes", hint=hint)
            out.write(machine.flush())
            if not machine.eof:
                problem = "the deflate stream ends too early"
            elif window_bits > 0:
                problem = "a zlib stream where PS3.5 A.5 asks for a raw deflate stream"
        except zlib.error as error:
            problem = f"the deflate stream is corrupt: {error}"
        if out.tell() or machine.eof:
            return out.getvalue(), problem
    raise SourceError("the data set is not a deflate stream")


def filesystem(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec that a URL belongs to, and its name there."""
    try:
        import fsspec
    except ImportError:
        raise MissingFeatureError("reading from a URL", "remote") from None
    try:
        system, name = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        raise SourceError(f"can't open the URL: {error}", path=url) from error
    return system, name
