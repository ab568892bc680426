"""Files that are replaced whole: at any moment there is the old one or the new one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress

from dicomkit.errors import SourceError
from dicomkit.sources import CHUNK, Bulk, FileSource

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_BUFFERS = 512
_SMALL = 1 << 16
_PAGE = 1 << 12
"""Between positions that differ by less, the system copies the halves of pages, which takes twice as long as to read
and write."""
_NO_COPY = frozenset((errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM))
"""What a system says that can't copy between two files by itself."""


def replace_file(
    path: str, chunks: Iterable[bytes | Bulk], *, durable: bool = False, through_links: bool = False
) -> None:
    """Write a file so that at any moment there is the old one or the new one, whole.

    What is no file, such as ``/dev/stdout`` or a pipe, is written to as it is.

    Parameters
    ----------
    chunks
        What to write. Of a large Bulk only a part is in memory at once; where the pages of a file can be taken over as
        they are, the system copies them.
    durable
        Whether to wait until it is on the disk.
    through_links
        Whether a symbolic link leads to the file to replace; else the link itself is replaced.

    Raises
    ------
    SourceError
        When it can't be written; what was there is intact.
    """
    if through_links and os.path.islink(path):
        path = os.path.realpath(path)
    if _takes_bytes_only(path):
        _write_into(path, chunks)
        return
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name[:40]}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        descriptor = os.open(partial, _NEW, 0o666)
        try:
            _write_all(descriptor, chunks)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial, path)
        if durable:
            _sync_folder(folder or ".")
    except BaseException as error:
        with suppress(OSError, ValueError):
            os.unlink(partial)
        if isinstance(error, (OSError, UnicodeError)) and not isinstance(error, SourceError):
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"can't write the file: {reason}", path=path) from error
        raise


def _takes_bytes_only(path: str) -> bool:
    """Whether a device, a pipe or a socket is there, which a file must not take the place of."""
    try:
        kind = stat.S_IFMT(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
    return kind not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR)


def _write_into(path: str, chunks: Iterable[bytes | Bulk]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            for chunk in chunks:
                for part in chunk.chunks() if isinstance(chunk, Bulk) else (chunk,):
                    _write(descriptor, [part])
        finally:
            os.close(descriptor)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"can't write to it: {error.strerror}", path=path) from error


def _sync_folder(folder: str) -> None:
    """Make a rename durable, where the platform lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, chunks: Iterable[bytes | Bulk]) -> None:
    """Write chunks, as many at once as the system takes."""
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        if isinstance(chunk, Bulk):
            if chunk.length > CHUNK:
                _write(descriptor, pending)
                pending, size = [], 0
                _copy(descriptor, chunk)
                continue
            chunk = bytes(chunk)
        pending.append(chunk)
        size += len(chunk)
        if size >= CHUNK:
            _write(descriptor, pending)
            pending, size = [], 0
    _write(descriptor, pending)


def _write(descriptor: int, buffers: list[bytes]) -> None:
    """Write buffers, also to what takes fewer bytes than it is given."""
    if not buffers:
        return
    size = sum(map(len, buffers))
    if size <= _SMALL or len(buffers) > _MOST_BUFFERS or not hasattr(os, "writev"):
        rest = memoryview(b"".join(buffers))
    else:
        written = os.writev(descriptor, buffers)
        rest = memoryview(b"" if written == size else b"".join(buffers)[written:])
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _copy(descriptor: int, bulk: Bulk) -> None:
    """Append a slice of a source, by the system where that can take whole pages."""
    done, length = 0, bulk.length
    aligned = (bulk.offset - os.lseek(descriptor, 0, os.SEEK_CUR)) % _PAGE == 0
    if aligned and isinstance(bulk.source, FileSource) and hasattr(os, "copy_file_range"):
        incoming = bulk.source.open()
        try:
            while done < length:
                copied = os.copy_file_range(incoming, descriptor, length - done, bulk.offset + done)
                if not copied:
                    break
                done += copied
        except OSError as error:
            if error.errno not in _NO_COPY:
                raise
        finally:
            os.close(incoming)
    while done < length:
        data = bulk.read(done, CHUNK)
        if not data:
            raise SourceError(f"{length} bytes expected, {done} found", offset=bulk.offset, path=bulk.path)
        _write(descriptor, [data])
        done += len(data)
