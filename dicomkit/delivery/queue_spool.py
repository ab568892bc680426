"""The folder beside a queue, with the files that it keeps itself: one folder in it for each process that puts."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from dicomkit.delivery.queue_owner import is_gone
from dicomkit.dimse.messages import Stream
from dicomkit.dimse.outgoing import Outgoing
from dicomkit.encoding.file_meta import file_meta
from dicomkit.errors import SourceError
from dicomkit.replacement import replace_file
from dicomkit.sources import Bulk

_CHUNK = 1 << 20
_A_DAY = 86400.0
_FILE = os.O_RDWR | getattr(os, "O_BINARY", 0)


def spool_folder(path: str) -> str:
    """Return the folder of a queue.

    Examples
    --------
    >>> spool_folder("out.queue")
    'out.queue.files'
    """
    return path + ".files"


def keep(instance: Outgoing, spool: str, owner: str) -> tuple[str, int]:
    """Write a file of an instance, and return its path below the folder and the size of its data set.

    Raises
    ------
    SourceError
        When it can't be written.
    DicomError
        When it can't be read.
    """
    try:
        os.makedirs(os.path.join(spool, owner), exist_ok=True)
    except OSError as error:
        raise SourceError(f"can't make the folder of the queue: {error.strerror}", path=spool) from error
    name = f"{owner}/{secrets.token_hex(12)}.dcm"
    meta = file_meta(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid)
    data = instance.data()
    chunks: Iterable[bytes | Bulk]
    if isinstance(data, Stream):
        chunks = data.pieces
    elif isinstance(data, (bytes, bytearray, memoryview)):
        chunks = (bytes(data),)
    elif isinstance(data, Bulk):
        chunks = (data,)
    else:
        chunks = (data.read(start, _CHUNK) for start in range(0, len(data), _CHUNK))
    where = os.path.join(spool, name)
    sizes: list[int] = []
    replace_file(where, _counted(meta, chunks, sizes))
    return name, sum(sizes)


def _counted(meta: bytes, chunks: Iterable[bytes | Bulk], sizes: list[int]) -> Iterator[bytes | Bulk]:
    """Give what makes a file, and tell the sizes of the chunks of its data set."""
    yield meta
    for chunk in chunks:
        sizes.append(len(chunk))
        yield chunk


def sync(spool: str, names: Sequence[str]) -> None:
    """Wait until files, and the folders that lead to them, are on the disk.

    Raises
    ------
    SourceError
        When the system says that they are not.
    """
    owners = {os.path.join(spool, name.partition("/")[0]) for name in names}
    folders = [*owners, spool, os.path.dirname(spool)] if names and hasattr(os, "O_DIRECTORY") else []
    try:
        for path, flags in [*((os.path.join(spool, name), _FILE) for name in names), *((one, 0) for one in folders)]:
            descriptor = os.open(path, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise SourceError(f"can't write the file: {error.strerror}", path=error.filename or spool) from error


def name_in(spool: str, path: str) -> str:
    """Return the name below the folder, as the tables have it.

    Examples
    --------
    >>> name_in("out.queue.files", os.path.join("out.queue.files", "owner/a.dcm"))
    'owner/a.dcm'
    """
    return path[len(spool) + 1 :]


def orphans(spool: str) -> list[str]:
    """List the files of processes that have ended, as paths below the folder; of others on other hosts the old ones."""
    found: list[str] = []
    with suppress(FileNotFoundError):
        for owner in sorted(os.listdir(spool)):
            gone = is_gone(owner)
            folder = os.path.join(spool, owner)
            if gone is False or not os.path.isdir(folder):
                continue
            for name in sorted(os.listdir(folder)):
                with suppress(OSError):
                    if gone or time.time() - os.path.getmtime(os.path.join(folder, name)) > _A_DAY:
                        found.append(f"{owner}/{name}")
    return found


def remove(spool: str, names: Iterable[str]) -> None:
    """Remove files, and the folders that are empty then and whose process has ended."""
    owners = set()
    for name in names:
        owner, _, file = name.partition("/")
        if not file or "/" in file or ".." in (owner, file):
            continue  # a damaged queue removes nothing elsewhere
        with suppress(OSError):
            os.unlink(os.path.join(spool, owner, file))
        owners.add(owner)
    for owner in owners:
        if is_gone(owner):
            with suppress(OSError):
                os.rmdir(os.path.join(spool, owner))
