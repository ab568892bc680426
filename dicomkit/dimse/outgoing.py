"""An instance that is to be sent: who it is, in which transfer syntax, and the bytes of its data set where they are."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.messages import Sendable, Stream
from dicomkit.encoding.writer import iter_bytes
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.opening import Opened, OpenedFile, Readable, open_source
from dicomkit.sources import Bulk
from dicomkit.values.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)

_FIRST = 1024
_START = b"DICM\x02\x00\x00\x00UL\x04\x00"
_LONG = frozenset((b"OB", b"OW", b"UN", b"UT", b"SQ"))
_header = struct.Struct("<2s2s2sH").unpack_from
_implicit = struct.Struct("<II").unpack_from
_CLASS, _INSTANCE = 0x00160008, 0x00180008
_LAST = 0x00180008


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance, ready to be sent.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax_uid
        Who it is, and how its data set is encoded.
    data
        Gives the encoded data set: bytes, a slice of a file, or pieces; called once for each time it is sent.
    source
        What it was made of: a path, or a DataSet.
    size
        The number of bytes, where known.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: Callable[[], Sendable] = field(repr=False)
    source: Any = None
    size: int | None = None

    @classmethod
    def of_bytes(cls, data: bytes, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> Outgoing:
        """Take the bytes of a bare data set, and what they are.

        Examples
        --------
        >>> ct = "1.2.840.10008.5.1.4.1.1.2"
        >>> implicit = "1.2.840.10008.1.2"
        >>> Outgoing.of_bytes(b"..", sop_class_uid=ct, sop_instance_uid="2.25.1", transfer_syntax_uid=implicit).size
        2
        """
        return cls(sop_class_uid, sop_instance_uid, transfer_syntax_uid, lambda: data, None, len(data))

    def to_dataset(self) -> DataSet:
        """Read it as a DataSet, as transcoding needs it."""
        if isinstance(self.source, DataSet):
            return self.source
        if self.source is not None:
            return read(self.source)
        data = self.data()
        whole = (
            b"".join(data.pieces)
            if isinstance(data, Stream)
            else (bytes(data) if isinstance(data, (bytes, bytearray, memoryview)) else data.read(0, len(data)))
        )
        return read(whole, transfer_syntax=self.transfer_syntax_uid)


@runtime_checkable
class StoredInstance(Protocol):
    """An instance in an archive."""

    @property
    def sop_class_uid(self) -> str:
        """What it is."""

    @property
    def sop_instance_uid(self) -> str:
        """Who it is."""

    @property
    def transfer_syntax_uid(self) -> str:
        """How its data set is encoded."""

    @property
    def size(self) -> int:
        """The bytes of its encoded data set."""

    def data_set(self) -> bytes | Bulk:
        """Give the encoded data set."""


Source: TypeAlias = "Readable | DataSet | Outgoing | StoredInstance"


def outgoing(source: Source) -> Outgoing:
    """Find out who an instance is and where its data set begins, reading no more than the first elements.

    Raises
    ------
    DicomError
        When it can't be read, or has no SOP Class or SOP Instance UID.
    """
    if isinstance(source, Outgoing):
        return source
    if isinstance(source, DataSet):
        return _of_dataset(source)
    if isinstance(source, StoredInstance):
        return Outgoing(
            source.sop_class_uid,
            source.sop_instance_uid,
            source.transfer_syntax_uid,
            source.data_set,
            getattr(source, "path", None),
            source.size,
        )
    with open_source(source) as opened:
        found = _quickly(opened)
    if found is not None:
        name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
        return replace(found, source=name)
    return _of_dataset(read(source))


def _of_dataset(ds: DataSet) -> Outgoing:
    identity = [str(ds.get(keyword) or "") for keyword in ("SOPClassUID", "SOPInstanceUID")]
    if not all(identity):
        hint = "assign them, or send its bytes as an Outgoing"
        raise ValueFormatError("a data set needs SOPClassUID and SOPInstanceUID to be sent", path=ds.path, hint=hint)
    syntax = ds.transfer_syntax
    return Outgoing(identity[0], identity[1], syntax.uid, partial(_stream, ds, syntax), ds, None)


def _stream(ds: DataSet, syntax: TransferSyntax) -> Stream:
    return Stream(iter_bytes(ds, syntax))


def _quickly(opened: Opened | OpenedFile) -> Outgoing | None:
    """Walk the meta information and the first elements of a regular file; None where it is anything else."""
    head = opened.read_at(0, _FIRST)
    if head[128:140] != _START:
        return None
    start = 144 + int.from_bytes(head[140:144], "little")
    syntax = uid = sop_class = ""
    position = 144
    try:
        while position < start:
            group, element, vr, length = _header(head, position)
            position += 8
            if vr in _LONG:
                length = int.from_bytes(head[position : position + 4], "little")
                position += 4
            if element == b"\x10\x00":
                syntax = _uid(head[position : position + length])
            elif element == b"\x02\x00":
                sop_class = _uid(head[position : position + length])
            elif element == b"\x03\x00":
                uid = _uid(head[position : position + length])
            position += length
            if group != b"\x02\x00":
                return None
        if position != start or start > len(head) or (opened.size - start) & 1 or not syntax:
            return None
        if syntax != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            sop_class, uid = _first_elements(head, start, implicit=syntax == IMPLICIT_VR_LITTLE_ENDIAN)
    except (struct.error, DicomError, UnicodeDecodeError):
        return None
    if not sop_class or not uid:
        return None
    bulk = Bulk(opened.source, start, opened.size - start)
    return Outgoing(sop_class, uid, syntax, lambda: bulk, None, opened.size - start)


def _first_elements(head: bytes, position: int, *, implicit: bool) -> tuple[str, str]:
    """Return SOP class and instance, which come first in a data set; empty where they don't, or it is odd."""
    found = {_CLASS: "", _INSTANCE: ""}
    tag = 0
    while tag != _LAST:
        tag, rest = _implicit(head, position)
        if tag & 0xFFFF != 8:
            break
        position += 8
        if implicit:
            length = rest
        else:
            vr = head[position - 4 : position - 2]
            length = rest >> 16
            if not vr.isalpha() or vr in _LONG:
                break
        if tag in found:
            found[tag] = _uid(head[position : position + length])
        position += length
        if position > len(head):
            break
    return found[_CLASS], found[_INSTANCE]


def _uid(raw: bytes) -> str:
    return raw.decode("ascii").rstrip("\0 ")
