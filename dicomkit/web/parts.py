"""The parts of a message, multipart or not: small ones in memory, large ones on disk."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO

from dicomkit.errors import ReadError, SourceError
from dicomkit.web.media_types import MediaType
from dicomkit.web.multipart import DEFAULT_LIMITS, Headers, Limits, MultipartParser, PartData, PartEnded, PartStarted

SPOOL_SIZE = 1 << 20
"""Bodies larger than this go to a file, unless told otherwise."""
_CHUNK = 1 << 20


class Part:
    """One part: its headers and its body, which may be read as often as one likes.

    Attributes
    ----------
    headers
        Pairs of name and value, as they were written.
    size
        The number of bytes of the body.
    path
        The file that holds the body, where a folder was given for large ones; it is left to you.
    """

    __slots__ = ("_body", "headers", "path", "size")

    def __init__(self, headers: Headers, body: bytes | IO[bytes], size: int, path: str | None = None) -> None:
        self.headers = headers
        self.size = size
        self.path = path
        self._body = body

    def header(self, name: str) -> str | None:
        """Return a header by its name, in upper or lower case."""
        name = name.lower()
        return next((value for known, value in self.headers if known.lower() == name), None)

    @property
    def media_type(self) -> MediaType:
        """What the part is; octets where it doesn't say, or not so that one can read it."""
        with suppress(ReadError):
            if written := self.header("Content-Type"):
                return MediaType.parse(written)
        return MediaType("application", "octet-stream")

    @property
    def location(self) -> str | None:
        """The Content-Location: which resource this is, such as the BulkDataURI of bulk data."""
        return self.header("Content-Location")

    def read(self) -> bytes:
        """Return the whole body."""
        if isinstance(self._body, bytes):
            return self._body
        self._body.seek(0)
        return self._body.read()

    def chunks(self, size: int = _CHUNK) -> Iterator[bytes]:
        """Yield the body in pieces."""
        for offset in range(0, self.size, size):
            if isinstance(self._body, bytes):
                yield self._body[offset : offset + size]
            else:
                self._body.seek(offset)
                yield self._body.read(size)

    def parts(self, *, spool_size: int = SPOOL_SIZE, limits: Limits = DEFAULT_LIMITS) -> Iterator[Part]:
        """Yield the parts of a body that is multipart itself, as `read_parts` does."""
        return read_parts(str(self.media_type), self.chunks(), spool_size=spool_size, limits=limits)

    def close(self) -> None:
        """Let go of the file of a large body, which is done anyway when the part is no longer used."""
        if not isinstance(self._body, bytes):
            self._body.close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # of a part that was never made
            self.close()

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        where = f" at {self.location}" if self.location else ""
        return f"<Part {self.media_type}, {self.size:,} bytes{where}>"


class PartCollector:
    """Puts parts together from the bytes of a message; for drivers that can't be an iterator.

    Parameters
    ----------
    content_type
        The media type of the message. When it is not multipart, all of the message is one part: some servers answer so
        where multipart was asked for.
    headers
        Those of the message, which become the headers of that one part.
    spool_size
        Bodies of more bytes go to a file.
    folder
        Where these files are made, with names, and left to you; without it they have no name and go with the part.

    Examples
    --------
    >>> collector = PartCollector('multipart/related; boundary="b"')
    >>> collector.feed(b"--b\\r\\nContent-Type: text/plain\\r\\n\\r\\nhello\\r\\n--b--")
    [<Part text/plain, 5 bytes>]
    """

    def __init__(
        self,
        content_type: str,
        *,
        headers: Headers = (),
        spool_size: int = SPOOL_SIZE,
        folder: str | os.PathLike[str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        media_type = MediaType.parse(content_type)
        self._parser = MultipartParser(media_type["boundary"], limits) if media_type.is_multipart else None
        self._limits = limits
        self._spool_size = spool_size
        self._folder = folder
        self._headers: Headers = ()
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._size = 0
        if self._parser is None:
            named = any(name.lower() == "content-type" for name, _ in headers)
            self._headers = headers if named else (("Content-Type", content_type), *headers)

    def feed(self, data: bytes) -> list[Part]:
        """Take the next bytes, and return the parts that they complete.

        Raises
        ------
        ReadError
            As `MultipartParser.feed`.
        SourceError
            When a large part can't be written to disk.
        """
        if self._parser is None:
            if self._size + len(data) > self._limits.part_bytes:
                raise ReadError(f"a message of more than {self._limits.part_bytes} bytes", hint="see Limits")
            self._add(data)
            return []
        complete: list[Part] = []
        for event in self._parser.feed(data):
            if isinstance(event, PartData):
                self._add(event.data)
            elif isinstance(event, PartStarted):
                self._headers = event.headers
            elif isinstance(event, PartEnded):
                complete.append(self._part())
        return complete

    def close(self) -> list[Part]:
        """Take the end of the message, and return what it completes.

        Raises
        ------
        TruncatedError
            When it comes before the closing boundary.
        """
        if self._parser is None:
            return [self._part()] if self._size else []
        self._parser.close()
        return []

    def _add(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        if self._file is None:
            self._pieces.append(bytes(data))
            if self._size <= self._spool_size:
                return
            data, self._pieces = b"".join(self._pieces), []
        try:
            if self._file is None:
                self._file = _file_in(self._folder)
            self._file.write(data)
        except OSError as error:
            where = os.fspath(self._folder or tempfile.gettempdir())
            raise SourceError(f"can't write a large part to disk: {error.strerror}", path=where) from error

    def _part(self) -> Part:
        body: bytes | IO[bytes] = b"".join(self._pieces)
        path = None
        if self._file is not None:
            self._file.flush()
            body = self._file
            path = self._file.name if self._folder is not None else None
        part = Part(self._headers, body, self._size, path)
        self._pieces, self._file, self._size = [], None, 0
        return part


def _file_in(folder: str | os.PathLike[str] | None) -> IO[bytes]:
    """Make a file: in a folder, to stay there, or one that is gone when closed."""
    if folder is None:
        return tempfile.TemporaryFile()
    descriptor, path = tempfile.mkstemp(suffix=".part", dir=folder)
    os.close(descriptor)
    return open(path, "w+b")


def read_parts(
    content_type: str,
    message: IO[bytes] | Iterable[bytes] | bytes,
    *,
    headers: Headers = (),
    spool_size: int = SPOOL_SIZE,
    folder: str | os.PathLike[str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Part]:
    """Read the parts of a message one by one as it comes (PS3.18 8.6.1).

    Parameters
    ----------
    message
        A binary file, chunks of bytes such as those of an HTTP response, or all of it.
    content_type, headers, spool_size, folder, limits
        As for `PartCollector`.

    Raises
    ------
    ReadError
        When the message is no multipart message, ends too early, or goes beyond a limit; what came before was given.

    Examples
    --------
    >>> [part.read() for part in read_parts("multipart/related; boundary=b", b"--b\\r\\n\\r\\none\\r\\n--b--")]
    [b'one']
    >>> list(read_parts("application/dicom+json", [b"[]"]))
    [<Part application/dicom+json, 2 bytes>]
    """
    collector = PartCollector(content_type, headers=headers, spool_size=spool_size, folder=folder, limits=limits)
    if isinstance(message, (bytes, bytearray, memoryview)):
        message = io.BytesIO(message)
    read = getattr(message, "read", None)
    for chunk in iter(lambda: read(_CHUNK), b"") if read is not None else message:
        yield from collector.feed(chunk)
    yield from collector.close()
