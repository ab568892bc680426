"""What an archive does: it takes instances, finds them, gives them, and forgets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.opening import Readable, open_source
from dicomkit.query import Query
from dicomkit.sources import Bulk

IRREGULAR = -1
Check: TypeAlias = "Callable[[DataSet], object]"
Buffer: TypeAlias = "bytes | bytearray | memoryview"


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that an archive has.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid, series_instance_uid, study_instance_uid, transfer_syntax_uid
        Who it is, and how it is encoded.
    path
        Its file; None where it has none.
    size, offset
        The number of bytes of its data set, and where it begins in its file; `IRREGULAR` where the file isn't as it
        should be, so that its data set has to be written anew.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    path: str | None
    size: int
    offset: int = 0
    encoded: bytes = field(default=b"", repr=False)

    def data_set(self) -> bytes | Bulk:
        """Give the data set as it is encoded, without the File Meta Information before it."""
        if self.path is None:
            return self.encoded
        if self.offset == IRREGULAR:
            return to_bytes(self.read(), self.transfer_syntax_uid)
        with open_source(self.path) as opened:
            return Bulk(opened.source, self.offset, self.size)

    def read(self) -> DataSet:
        """Read it."""
        if self.path is not None:
            return read(self.path)
        return read(self.encoded, transfer_syntax=self.transfer_syntax_uid)


class Receipt(Protocol):
    """An instance that is being received: nothing of it is in the archive before `commit`."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Take the next bytes of the encoded data set; they are only valid during the call."""

    def commit(self) -> StoredInstance:
        """Put it into the archive."""

    def discard(self) -> None:
        """Leave nothing behind."""


@runtime_checkable
class Archive(Protocol):
    """What the servers ask of an archive; `MemoryArchive` and `FolderArchive` are two."""

    def search(self, query: Query, *, offset: int = 0, limit: int | None = None) -> Iterator[DataSet]:
        """Give a data set for each match on the level of the query, with what it asks for."""

    def fetch(self, query: Query) -> Iterator[StoredInstance]:
        """Give every instance that the keys of a query denote."""

    def receive(
        self,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        *,
        calling_ae: str = "",
        check: Check | None = None,
    ) -> Receipt:
        """Begin to receive an instance; ``check`` raises an error where its data set isn't good enough.

        Raises
        ------
        ArchiveError
            When it isn't taken, here or in the methods of the receipt.
        """

    def store(self, instance: DataSet | Readable) -> StoredInstance:
        """Put an instance of one's own into the archive."""

    def delete(self, query: Query) -> int:
        """Remove every instance that the keys of a query denote, and return how many there were."""
