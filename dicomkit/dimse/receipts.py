"""Where received instances go: to a function, a folder, or an archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.provider import OUT_OF_RESOURCES, Refused
from dicomkit.dimse.steps import Buffer
from dicomkit.dimse.store_provider import Incoming, Receipt
from dicomkit.encoding.file_meta import file_meta
from dicomkit.files.read import read
from dicomkit.new_file import NewFile

MOST_IN_MEMORY = 1 << 31
"""How long an instance may be that is held in memory."""


class Receives(Protocol):
    """What an archive does with an instance that comes."""

    def receive(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, **more: Any) -> Receipt:
        """Begin to take it."""


Into: TypeAlias = "Receives | Callable[[DataSet], object] | str | os.PathLike[str]"


class _InMemory:
    """Collects the bytes, and gives the DataSet to a function."""

    def __init__(self, incoming: Incoming, take: Callable[[DataSet], object]) -> None:
        self._incoming = incoming
        self._take = take
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._size += sum(map(len, buffers))
        if self._size > MOST_IN_MEMORY:
            raise Refused(f"an instance of more than {MOST_IN_MEMORY} bytes", status=OUT_OF_RESOURCES)
        self._parts.extend(map(bytes, buffers))

    def commit(self) -> None:
        ds = read(b"".join(self._parts), transfer_syntax=self._incoming.transfer_syntax_uid)
        self._take(ds)

    def discard(self) -> None:
        self._parts.clear()


class _InFolder:
    """Writes a file that is called after the instance."""

    def __init__(self, incoming: Incoming, folder: str) -> None:
        self._path = os.path.join(folder, incoming.sop_instance_uid + ".dcm")
        self._file = NewFile(folder)
        self._meta = file_meta(
            incoming.sop_class_uid,
            incoming.sop_instance_uid,
            incoming.transfer_syntax_uid,
            source_ae=incoming.caller.calling_aet,
        )

    def write(self, buffers: Sequence[Buffer]) -> None:
        if self._meta:
            buffers, self._meta = [self._meta, *buffers], b""
        self._file.write(buffers)

    def commit(self) -> None:
        self._file.commit(self._path)

    def discard(self) -> None:
        self._file.discard()


def receiver(into: Into) -> Callable[[Incoming], Receipt]:
    """Make what takes each instance that comes.

    Parameters
    ----------
    into
        An archive; a folder, which gets a file for each instance, called after its UID; or a function of a DataSet,
        which is in memory then.

    Examples
    --------
    >>> from dicomkit.dimse.provider import Caller
    >>> from dicomkit.encoding.writer import to_bytes
    >>> came = []
    >>> them = Caller("THEM", "US", "127.0.0.1", 1)
    >>> receipt = receiver(came.append)(Incoming("1.2.3", "1.2.4", "1.2.840.10008.1.2.1", them, 0, None))
    >>> receipt.write([to_bytes(DataSet(PatientID="A1"))])
    >>> receipt.commit()
    >>> came[0].PatientID
    'A1'
    """
    if isinstance(into, (str, os.PathLike)):
        folder = os.fspath(into)
        return lambda incoming: _InFolder(incoming, folder)
    if hasattr(into, "receive"):
        return lambda incoming: into.receive(
            incoming.sop_class_uid,
            incoming.sop_instance_uid,
            incoming.transfer_syntax_uid,
            calling_ae=incoming.caller.calling_aet,
        )
    return lambda incoming: _InMemory(incoming, into)


class _Noted:
    """Hands all on, and notes that the instance is there."""

    def __init__(self, incoming: Incoming, receipt: Receipt, known: set[str]) -> None:
        self.write = receipt.write
        self.discard = receipt.discard
        self._commit = receipt.commit
        self._note = partial(known.add, incoming.sop_instance_uid)

    def commit(self) -> Any:
        answer = self._commit()
        self._note()
        return answer


class _Forgotten:
    """Takes an instance, and keeps nothing of it."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Take the next bytes."""

    def commit(self) -> None:
        """Say that all is well."""

    def discard(self) -> None:
        """Leave nothing behind."""


def once(take: Callable[[Incoming], Receipt]) -> Callable[[Incoming], Receipt]:
    """Make what takes each instance that comes unless it did already: by its SOP Instance UID."""
    known: set[str] = set()

    def begin(incoming: Incoming) -> Receipt:
        return _Forgotten() if incoming.sop_instance_uid in known else _Noted(incoming, take(incoming), known)

    return begin
