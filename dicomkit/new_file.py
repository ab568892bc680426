"""A file that grows under a name of its own, and takes its place whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress

from dicomkit.errors import SourceError

PREFIX = ".dicomkit-"
"""How the names of files begin that are not whole yet."""
_UNFINISHED = re.compile(re.escape(PREFIX) + "[0-9a-f]{16}")
_MOST_BUFFERS = 512
_WHOLE = 1 << 14
"""What is written begins and ends at multiples of this, as pages of the system do, which makes it a third quicker."""
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class NewFile:
    """A file that is being written in a folder; nobody finds it under its name before `commit`.

    Parameters
    ----------
    folder
        Where it is written; it is made where it doesn't exist. The place that it takes later is on the same disk.

    Attributes
    ----------
    path
        Where it is now.
    size
        The bytes so far; the last of them may not be in the file before `flush` or `commit`.

    Raises
    ------
    SourceError
        When it can't be made; here and in the methods, with the ``errno`` of the system.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = NewFile(folder)
    ...     file.write([b"ab", memoryview(b"c")])
    ...     file.commit(folder + "/it")
    ...     open(folder + "/it", "rb").read()
    b'abc'
    """

    __slots__ = ("_descriptor", "_held", "path", "size")

    def __init__(self, folder: str) -> None:
        self.size = 0
        self._held = b""
        self.path = os.path.join(folder, PREFIX + secrets.token_hex(8))
        try:
            self._descriptor = os.open(self.path, _FLAGS, 0o666)
        except FileNotFoundError:
            self._make(folder)
        except OSError as error:
            raise _failed(error, self.path) from error

    def _make(self, folder: str) -> None:
        try:
            os.makedirs(folder, exist_ok=True)
            self._descriptor = os.open(self.path, _FLAGS, 0o666)
        except OSError as error:
            raise _failed(error, self.path) from error

    def write(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """Append buffers, which may change afterwards."""
        parts = [self._held, *buffers] if self._held else list(buffers)
        self.size += sum(map(len, buffers))
        left, held = self.size % _WHOLE, []
        while left and parts:
            last = memoryview(parts.pop())
            if len(last) > left:
                parts.append(last[:-left])
            held.append(last[-left:])
            left -= len(held[-1])
        self._held = b"".join(reversed(held))
        self._write(parts)

    def flush(self) -> None:
        """Put all that there is so far into the file."""
        held, self._held = self._held, b""
        self._write([held] if held else [])

    def _write(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        try:
            for start in range(0, len(buffers), _MOST_BUFFERS):
                batch = buffers[start : start + _MOST_BUFFERS]
                expected = sum(map(len, batch))
                written = os.writev(self._descriptor, batch) if hasattr(os, "writev") else 0
                if written < expected:
                    self._write_rest(b"".join(batch)[written:])
        except OSError as error:
            raise _failed(error, self.path) from error

    def _write_rest(self, rest: bytes) -> None:
        view = memoryview(rest)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def commit(self, path: str, *, durable: bool = False) -> None:
        """Give it its place; what was there is replaced.

        Parameters
        ----------
        durable
            Whether to wait until it is on the disk.
        """
        self.flush()
        try:
            if durable:
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            try:
                os.replace(self.path, path)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.replace(self.path, path)
        except OSError as error:
            raise _failed(error, path) from error

    def discard(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError):
            if self._descriptor >= 0:
                os.close(self._descriptor)
        with suppress(OSError):
            os.unlink(self.path)


def remove_unfinished(folder: str, *, older_than: float = 86_400.0) -> int:
    """Remove what a crash left half-written in a folder, and return how many files that were.

    Parameters
    ----------
    older_than
        Seconds for which nobody has written to a file: another process may be writing those that are younger.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = NewFile(folder)
    ...     remove_unfinished(folder), remove_unfinished(folder, older_than=-1), os.listdir(folder)
    (0, 1, [])
    """
    limit, count = time.time() - older_than, 0
    with os.scandir(folder) as entries:
        unfinished = [entry for entry in entries if _UNFINISHED.fullmatch(entry.name)]
    for entry in unfinished:
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_mtime < limit:
                os.unlink(entry.path)
                count += 1
    return count


def _failed(error: OSError, path: str) -> SourceError:
    failure = SourceError(f"can't write a file: {error.strerror}", path=path)
    failure.errno = error.errno
    return failure
