"""An instance that streams into a file of an archive, and is looked at as soon as its header is there."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from dicomkit.archive.cards import Header, is_plain, make_card, plain_header
from dicomkit.archive.errors import ArchiveFullError, NotUnderstoodError
from dicomkit.archive.index_tables import Row
from dicomkit.archive.protocol import Buffer, Check, StoredInstance
from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.file_meta import file_meta
from dicomkit.errors import DicomError, SourceError
from dicomkit.files.read import read
from dicomkit.new_file import NewFile

_HEAD = 1 << 17
"""How much of an instance is kept in memory while it is received, so that its header needn't be read again."""
_FIRST_LOOK = 1 << 14
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TakesFiles(Protocol):
    """What an archive does with the file of an instance that is whole."""

    folder: str

    def place(self, ds: DataSet) -> str:
        """Return where it goes, relative to the folder."""

    def put(self, file: NewFile, row: Row, before: Before) -> StoredInstance:
        """Give it its place, and note its row."""


class Before(NamedTuple):
    """What was known of an instance when it began to come, and how often rows had been written then."""

    row: Row | None
    written: int


class FolderReceipt:
    """An instance that streams into a file of the archive, and is looked at as soon as its header is there."""

    def __init__(self, archive: TakesFiles, check: Check | None, before: Before, *announced: str) -> None:
        self._archive = archive
        self._check = check
        self._before = before
        self._class, self._instance, self._syntax, calling_ae = announced
        with _room():
            self._file = NewFile(archive.folder)
        self._meta = file_meta(self._class, self._instance, self._syntax, source_ae=calling_ae)
        self._offset = len(self._meta)
        self._head = bytearray()
        self._plain = is_plain(self._syntax)
        self._seen: Header | None = None

    def begin(self, meta: bytes) -> None:
        """Begin with a meta information of one's own."""
        self._meta, self._offset = meta, len(meta)

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Take the next bytes, and look at the header once it is there."""
        if self._plain and not self._head and self._file.size == 0 and buffers and len(buffers[0]) >= _FIRST_LOOK:
            self._seen = plain_header(buffers[0], whole=False)  # without keeping it
        if self._seen is None and len(self._head) < _HEAD:
            for buffer in buffers:
                self._head += memoryview(buffer)[: max(_HEAD - len(self._head), 0)]
            if self._plain and len(self._head) >= _FIRST_LOOK:
                self._look(whole=False)
        if self._meta:
            buffers, self._meta = [self._meta, *buffers], b""
        with _room():
            self._file.write(buffers)

    def _look(self, *, whole: bool) -> None:
        """Take the header from what is kept, where it is all there, plainly."""
        self._seen = plain_header(self._head, whole=whole)
        self._plain = self._plain and not whole and len(self._head) < _HEAD

    def commit(self) -> StoredInstance:
        """Check what came, and give its file its place."""
        with _room():
            if self._meta:
                self._file.write([self._meta])
        try:
            header = self._header()
        except DicomError as error:
            raise NotUnderstoodError(error.message, tag=error.tag, offset=error.offset) from error
        if self._check is not None:
            self._check(read(self._whole_file()))
        ds, attributes = (header.ds, header.attributes) if isinstance(header, Header) else (header, None)
        found = make_card(ds, sop_class_uid=self._class, sop_instance_uid=self._instance, attributes=attributes)
        size = self._file.size - self._offset
        row = Row(found, self._syntax, self._archive.place(ds), self._offset, size)
        with _room():
            return self._archive.put(self._file, row, self._before)

    def _header(self) -> Header | DataSet:
        """Return what it is found and placed by, with the bytes of a card where they stand there plainly."""
        whole = self._file.size == self._offset + len(self._head)
        if self._plain and self._seen is None:
            self._look(whole=whole)
        if self._seen is not None:
            return self._seen
        if whole:
            return read(bytes(self._head), transfer_syntax=self._syntax, stop_before="PixelData")
        return read(self._whole_file(), stop_before="PixelData")

    def _whole_file(self) -> str:
        with _room():
            self._file.flush()
        return self._file.path

    def discard(self) -> None:
        """Leave nothing of it."""
        self._file.discard()


@contextmanager
def _room() -> Iterator[None]:
    """Let a disk that is full be told as what it is."""
    try:
        yield
    except SourceError as error:
        if error.errno in _FULL:
            raise ArchiveFullError("the disk of the archive is full") from error
        raise
