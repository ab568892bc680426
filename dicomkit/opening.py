"""Sources that are open for reading: of a path, bytes, a file object, a zip member or a URL."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import IO, Any, NamedTuple, TypeAlias

from dicomkit.descriptors import open_descriptor, read_at
from dicomkit.errors import DicomError, SourceError
from dicomkit.sources import FileSource, MemorySource, Source, UrlSource, filesystem
from dicomkit.zip_members import ZIP_ERRORS, ZipSource

Readable: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | zipfile.Path"

ZIP_MARK = ".zip!/"


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

    def __init__(self, path: str, member: str, archive: zipfile.ZipFile | None = None) -> None:
        self._last = (0, b"")
        self._archive = zipfile.ZipFile(path) if archive is None else nullcontext(archive)
        with ExitStack() as undone:
            opened = undone.enter_context(self._archive)
            info = opened.getinfo(member)
            self.size = info.file_size
            self._stream = opened.open(info)
            self.source = ZipSource.of(path, info)
            undone.pop_all()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        start, data = self._last
        kept = data[offset - start :] if start <= offset <= start + len(data) == self._stream.tell() else b""
        try:
            if not kept:
                self._stream.seek(offset)
            data = kept[:length] + self._stream.read(max(0, min(length, self.size - offset) - len(kept)))
        except ZIP_ERRORS as error:
            path = getattr(self.source, "path", None)
            raise SourceError(f"can't read a member of a zip archive: {error}", path=path) from error
        if len(kept) <= length:
            self._last = (offset, data)
        return data

    def __enter__(self) -> Opened:
        return Opened(self.source, self.size, self.read_at)

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._archive.__exit__(None, None, None)


class OpenedArchive:
    """The zip archive of which a member was opened last: it stays open for the next one, until the context ends."""

    __slots__ = ("_archive", "_path")

    def __init__(self) -> None:
        self._path = ""
        self._archive: zipfile.ZipFile | None = None

    def open(self, path: str) -> OpenedMember | None:
        """Open a member by its path, ``archive.zip!/name``; None where the path isn't one.

        Raises
        ------
        SourceError
            When it can't be opened.
        """
        found = split_member(path)
        if found is None:
            return None
        name, member = found
        try:
            if self._archive is None or name != self._path:
                self.close()
                self._path, self._archive = name, zipfile.ZipFile(name)
            return OpenedMember(name, member, self._archive)
        except ZIP_ERRORS as error:
            raise SourceError(f"can't open the zip member: {error}", path=path) from error

    def close(self) -> None:
        """Close the archive, if one is open."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def __enter__(self) -> OpenedArchive:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def split_member(path: str) -> tuple[str, str] | None:
    """Part the path of a zip member into those of the archive and the member; None where it is another path.

    Examples
    --------
    >>> split_member("a/b.zip!/c/d.dcm"), split_member("a/b.dcm")
    (('a/b.zip', 'c/d.dcm'), None)
    """
    if "!/" not in path or "://" in path or ZIP_MARK not in path.lower() or os.path.exists(path):
        return None
    cut = path.lower().index(ZIP_MARK) + len(ZIP_MARK) - 2
    return path[:cut], path[cut + 2 :]


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
            system, inner = filesystem(name)
            return nullcontext(_opened(UrlSource(name, _url_size(system, inner, name))))
        if "!/" in name and (member := split_member(name)) is not None:
            return _open_member(*member)
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


def _opened(source: Source) -> Opened:
    return Opened(source, source.size, source.read)


def _open_member(archive: str, member: str) -> OpenedMember:
    try:
        return OpenedMember(archive, member)
    except ZIP_ERRORS as error:
        raise SourceError(f"can't open the zip member: {error}", path=f"{archive}!/{member}") from error


def _url_size(system: Any, name: str, url: str) -> int:
    try:
        return int(system.info(name)["size"])
    except DicomError:
        raise
    except Exception as error:
        raise SourceError(f"can't open the URL: {error}", path=url) from error
