"""Files by their descriptors: opened for reading, and read at a place."""

from __future__ import annotations

import os
from collections.abc import Callable

from dicomkit.errors import SourceError

_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_AT_ONCE = 1 << 30
_WITHOUT_PREADV = 1 << 20


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
        while got < length and (data := _pread(descriptor, min(length - got, _MOST_AT_ONCE), offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)
    except OSError as error:
        raise SourceError(f"can't read the file: {error.strerror}", offset=offset) from error


def read_into(descriptor: int, offset: int, buffer: memoryview) -> int:
    """Fill a buffer from a descriptor, without a copy where the platform has preadv."""
    got = 0
    try:
        while got < len(buffer):
            if hasattr(os, "preadv"):
                count = os.preadv(descriptor, [buffer[got : got + _MOST_AT_ONCE]], offset + got)
            else:
                data = _pread(descriptor, min(_WITHOUT_PREADV, len(buffer) - got), offset + got)
                buffer[got : got + len(data)] = data
                count = len(data)
            if not count:
                break
            got += count
    except OSError as error:
        raise SourceError(f"can't read the file: {error.strerror}", offset=offset) from error
    return got
