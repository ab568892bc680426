"""Where bytes come from: files, memory, zip members, URLs and inflated streams, and slices of them.

A source is a frozen value that can be read again at any time; it holds no open descriptor. ``Bulk`` is a slice of one.
``open_source`` gives a source together with a reader that keeps the file open while a header is scanned.
"""

from __future__ import annotations

import io
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple, TypeAlias

from dicomkit.errors import DicomError, MissingFeatureError, SourceError

CHUNK = 1 << 20
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_LARGE = 1 << 17
MAX_INFLATED = 256 << 20
ZIP_MARK = ".zip!/"

_ZIP_ERRORS = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

Readable: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | zipfile.Path"


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


@dataclass(frozen=True, slots=True)
class FileSource:
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
            return _read_into(descriptor, offset, buffer)
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
class ZipSource:
    """A member of a zip archive."""

    archive: str
    member: str
    size: int

    @property
    def path(self) -> str:
        """The archive and the member, as one path."""
        return f"{self.archive}!/{self.member}"

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        try:
            with zipfile.ZipFile(self.archive) as archive, archive.open(self.member) as stream:
                stream.seek(offset)
                return stream.read(max(0, min(length, self.size - offset)))
        except _ZIP_ERRORS as error:
            raise SourceError(f"can't read a member of a zip archive: {error}", path=self.path) from error


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
        system, name = _filesystem(self.url)
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


class Opened(NamedTuple):
    """A source that is open for reading: its value, size, and a function from (offset, length) to bytes."""

    source: Source
    size: int
    read_at: Callable[[int, int], bytes]


class OpenedFile:
    """A file that is open for reading: an ``Opened`` and a context manager in one, for the path that matters most."""

    __slots__ = ("descriptor", "modified", "size", "source")

    source: Source

    def __init__(self, path: str) -> None:
        self.descriptor = open_descriptor(path)
        status = os.fstat(self.descriptor)
        self.size = status.st_size
        self.modified = status.st_mtime_ns
        self.source = FileSource(path, self.size, self.modified)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        return read_at(self.descriptor, offset, length)

    def __enter__(self) -> OpenedFile:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.descriptor)


class OpenedMember:
    """A zip member that stays open while its header is scanned, so that going on inflates nothing again."""

    __slots__ = ("_archive", "_last", "_stream", "size", "source")

    source: Source

    def __init__(self, archive: str, member: str) -> None:
        self._last = (0, b"")
        self._archive = zipfile.ZipFile(archive)
        try:
            self.size = self._archive.getinfo(member).file_size
            self._stream = self._archive.open(member)
            self.source = ZipSource(archive, member, self.size)
        except BaseException:
            self._archive.close()
            raise

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        start, data = self._last
        kept = data[offset - start :] if start <= offset <= start + len(data) == self._stream.tell() else b""
        try:
            if not kept:
                self._stream.seek(offset)
            data = kept[:length] + self._stream.read(max(0, min(length, self.size - offset) - len(kept)))
        except _ZIP_ERRORS as error:
            path = getattr(self.source, "path", None)
            raise SourceError(f"can't read a member of a zip archive: {error}", path=path) from error
        if len(kept) <= length:
            self._last = (offset, data)
        return data

    def __enter__(self) -> Opened:
        return Opened(self.source, self.size, self.read_at)

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._archive.close()


def open_source(where: Readable) -> AbstractContextManager[Opened | OpenedFile]:
    """Open a path, bytes, binary file object, zip member (``archive.zip!/name`` or ``zipfile.Path``) or fsspec URL.

    Raises
    ------
    SourceError
        When it can't be opened or read.
    MissingFeatureError
        For a URL, when fsspec is not installed.
    """
    if isinstance(where, (str, os.PathLike)):
        name = os.fspath(where)
        if "://" in name:
            system, inner = _filesystem(name)
            return nullcontext(_opened(UrlSource(name, _url_size(system, inner, name))))
        if "!/" in name and ZIP_MARK in name.lower() and not os.path.exists(name):
            cut = name.lower().index(ZIP_MARK) + len(ZIP_MARK) - 2
            return _open_member(name[:cut], name[cut + 2 :])
        return OpenedFile(name)
    if isinstance(where, (bytes, bytearray, memoryview)):
        return nullcontext(_opened(MemorySource(bytes(where))))
    if isinstance(where, zipfile.Path):
        if where.root.filename:
            return _open_member(os.fspath(where.root.filename), where.at)
        where = where.open("rb")  # an archive in memory
    if not hasattr(where, "read"):
        raise SourceError(f"can't read from {type(where).__name__}", hint="give a path, bytes, a binary file or a URL")
    data = where.read()
    if not isinstance(data, bytes):
        raise SourceError(f"the file object gave {type(data).__name__}, not bytes", hint="open it in binary mode")
    return nullcontext(_opened(MemorySource(data)))


def open_descriptor(path: str) -> int:
    """Open a file for reading and return its descriptor, or raise SourceError."""
    try:
        return os.open(path, _READ_ONLY)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"can't open the file: {reason}", path=path) from error


def _seek_and_read(descriptor: int, length: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


_pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Read ``length`` bytes from ``offset``, fewer only at the end of the file."""
    try:
        data = _pread(descriptor, length, offset)
        if len(data) == length or not data:
            return data
        parts, got = [data], len(data)
        while got < length and (data := _pread(descriptor, min(length - got, 1 << 30), offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)
    except OSError as error:
        raise SourceError(f"can't read the file: {error.strerror}", offset=offset) from error


def _read_into(descriptor: int, offset: int, buffer: memoryview) -> int:
    """Fill a buffer from a descriptor, without a copy where the platform has preadv."""
    got = 0
    try:
        while got < len(buffer):
            if hasattr(os, "preadv"):
                count = os.preadv(descriptor, [buffer[got : got + (1 << 30)]], offset + got)
            else:
                data = _pread(descriptor, min(CHUNK, len(buffer) - got), offset + got)
                buffer[got : got + len(data)] = data
                count = len(data)
            if not count:
                break
            got += count
    except OSError as error:
        raise SourceError(f"can't read the file: {error.strerror}", offset=offset) from error
    return got


def replace_file(path: str, chunks: Iterable[bytes], *, durable: bool = False) -> None:
    """Write a file so that at any moment there is the old one or the new one, whole.

    Parameters
    ----------
    durable
        Whether to wait until it is on the disk.

    Raises
    ------
    SourceError
        When it can't be written; what was there is intact.
    """
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name[:100]}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb", buffering=0) as file:
            _write_all(file, chunks)
            if durable:
                os.fsync(file.fileno())
        os.replace(partial, path)
        if durable:
            _sync_folder(folder or ".")
    except BaseException as error:
        with suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError) and not isinstance(error, SourceError):
            raise SourceError(f"can't write the file: {error.strerror or error}", path=path) from error
        raise


def _sync_folder(folder: str) -> None:
    """Make a rename durable, where the platform lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(file: IO[bytes], chunks: Iterable[bytes]) -> None:
    """Write chunks, small ones together."""
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        if len(chunk) >= _LARGE:
            _write_whole(file, b"".join(pending))
            _write_whole(file, chunk)
            pending, size = [], 0
            continue
        pending.append(chunk)
        size += len(chunk)
        if size >= CHUNK:
            _write_whole(file, b"".join(pending))
            pending, size = [], 0
    _write_whole(file, b"".join(pending))


def _write_whole(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


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


def _opened(source: Source) -> Opened:
    return Opened(source, source.size, source.read)


def _open_member(archive: str, member: str) -> OpenedMember:
    try:
        return OpenedMember(archive, member)
    except _ZIP_ERRORS as error:
        raise SourceError(f"can't open the zip member: {error}", path=f"{archive}!/{member}") from error


def _filesystem(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise MissingFeatureError("reading from a URL", "remote") from None
    try:
        system, name = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        raise SourceError(f"can't open the URL: {error}", path=url) from error
    return system, name


def _url_size(system: Any, name: str, url: str) -> int:
    try:
        return int(system.info(name)["size"])
    except DicomError:
        raise
    except Exception as error:
        raise SourceError(f"can't open the URL: {error}", path=url) from error
