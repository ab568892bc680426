"""Where received instances go: to a function, a folder, or an archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.provider import OUT_OF_RESOURCES, Refused
from dicomkit.dimse.steps import Buffer
from dicomkit.dimse.store_provider import Incoming, Receipt
from dicomkit.encoding.file_meta import received_meta
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
        self._meta = received_meta(
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
