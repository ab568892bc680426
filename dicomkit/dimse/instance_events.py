"""Events about instances, queries and retrievals, which say whose they are; nothing is looked at unless one listens."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.messages import Stream
from dicomkit.dimse.outgoing import Outgoing
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.steps import Buffer
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.net.events import Event, OnEvent
from dicomkit.standard.statuses import Status
from dicomkit.values.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)

HEAD = 1 << 16
"""How many bytes of an instance are looked at, at most."""
MOST_CHARACTERS = 1024
"""How long a name or an identifier may be; what is longer is cut."""
_STUDY, _LAST = 0x0020000D, 0x0020000E
_KEYS = {0x00100010: "PatientName", 0x00100020: "PatientID", 0x00080050: "AccessionNumber", _STUDY: "StudyInstanceUID"}
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_header = struct.Struct("<HHI").unpack_from
_length = struct.Struct("<I").unpack_from


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """Which study and patient an instance is of; logs show no more of it than the study."""

    study_instance_uid: str = ""
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)

    @classmethod
    def of(cls, ds: DataSet) -> InstanceHeader:
        """Take it from a data set.

        Examples
        --------
        >>> InstanceHeader.of(DataSet(StudyInstanceUID="1.2.3", PatientID="A1"))
        InstanceHeader(study_instance_uid='1.2.3')
        """
        keywords = ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber")
        return cls(*(_cut(str(ds.get(keyword) or "")) for keyword in keywords))

    @classmethod
    def of_step(cls, ds: DataSet | None) -> InstanceHeader:
        """Take it from the attributes of a procedure step, which may have the study in an item.

        Examples
        --------
        >>> InstanceHeader.of_step(DataSet(ScheduledStepAttributesSequence=[DataSet(StudyInstanceUID="1.2.3")]))
        InstanceHeader(study_instance_uid='1.2.3')
        """
        if ds is None:
            return cls()
        own = cls.of(ds)
        for keyword in ("ScheduledStepAttributesSequence", "ReferencedRequestSequence"):
            for item in ds.all(keyword)[:1]:
                inner = cls.of(item)
                return cls(
                    own.study_instance_uid or inner.study_instance_uid,
                    own.patient_id or inner.patient_id,
                    own.patient_name or inner.patient_name,
                    own.accession_number or inner.accession_number,
                )
        return own


@dataclass(frozen=True, slots=True)
class Identifier:
    """The data set of a query or a retrieval, as it went over the wire; logs show only how long it is."""

    transfer_syntax_uid: str
    encoded: bytes = field(repr=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.encoded))


def instance_header(head: Buffer, transfer_syntax_uid: str) -> InstanceHeader:
    """Find out whose an instance is; what its first bytes don't say stays empty.

    Parameters
    ----------
    head
        The first bytes of its data set.
    transfer_syntax_uid
        In which they are.

    Examples
    --------
    >>> from dicomkit.encoding.writer import to_bytes
    >>> encoded = to_bytes(DataSet(PatientName="DOE^JANE", StudyInstanceUID="1.2.3"))
    >>> found = instance_header(encoded, "1.2.840.10008.1.2.1")
    >>> found.study_instance_uid, found.patient_name
    ('1.2.3', 'DOE^JANE')
    >>> instance_header(b"nonsense", "1.2.840.10008.1.2")
    InstanceHeader(study_instance_uid='')
    """
    data = bytes(head[:HEAD])
    syntax = transfer_syntax_uid
    try:
        if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            data, syntax = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, HEAD), EXPLICIT_VR_LITTLE_ENDIAN
        return _quickly(data, syntax) or InstanceHeader.of(
            read(data, transfer_syntax=syntax, only=("SpecificCharacterSet", *_KEYS.values()), stop_before=_LAST)
        )
    except (DicomError, zlib.error):
        return InstanceHeader()


def header_of(instance: Outgoing) -> InstanceHeader:
    """Find out whose an instance is that is to be sent; what can't be read stays empty.

    Examples
    --------
    >>> from dicomkit.dimse.outgoing import outgoing
    >>> ds = DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3")
    >>> header_of(outgoing(ds))
    InstanceHeader(study_instance_uid='1.2.3')
    """
    try:
        if isinstance(instance.source, DataSet):
            return InstanceHeader.of(instance.source)
        data = instance.data()
        if isinstance(data, Stream):
            return InstanceHeader.of(instance.to_dataset())
        if isinstance(data, (bytes, bytearray, memoryview)):
            return instance_header(data, instance.transfer_syntax_uid)
        head = data.read(0, min(len(data), HEAD))
    except (DicomError, OSError):
        return InstanceHeader()
    return instance_header(head, instance.transfer_syntax_uid)


def keep_head(head: bytearray | None, buffers: Sequence[Buffer]) -> None:
    """Keep the first bytes of what comes; none where nobody listens.

    Examples
    --------
    >>> kept = bytearray()
    >>> keep_head(kept, [b"ab", b"cd"])
    >>> kept
    bytearray(b'abcd')
    """
    if head is not None:
        for buffer in buffers:
            if len(head) >= HEAD:
                return
            head += memoryview(buffer)[: HEAD - len(head)]


def tell_sent(
    association: Association,
    instance: Outgoing,
    header: InstanceHeader | None,
    status: Status | None,
    error: DicomError | None = None,
    originator: tuple[str, int] | None = None,
) -> None:
    """Tell what became of an instance that was to go out."""
    if association.on_event is not None:
        done = status is not None and status.category in ("Success", "Warning")
        association.emit(
            "instance delivered" if done else "instance undelivered",
            level="info" if done else "warning",
            category="storage",
            **_told(instance, header, status, error, originator),
        )


def tell_unsent(
    on_event: OnEvent,
    peer: Peer,
    instance: Outgoing,
    header: InstanceHeader | None,
    error: DicomError | None,
    originator: tuple[str, int] | None = None,
) -> None:
    """Tell of an instance for which no association was to be had."""
    data = {"aets": (peer.calling_aet, peer.aet), **_told(instance, header, None, error, originator)}
    on_event(Event("instance undelivered", level="warning", category="storage", peer=str(peer), data=data))


def tell_finished(association: Association | None, on_event: OnEvent | None, peer: Peer) -> None:
    """Tell that nothing more is sent over an association, or that there is none."""
    if association is not None:
        association.emit("storing finished", category="operation")
    elif on_event is not None:
        on_event(Event("storing finished", category="operation", peer=str(peer)))


def _told(
    instance: Outgoing,
    header: InstanceHeader | None,
    status: Status | None,
    error: DicomError | None,
    originator: tuple[str, int] | None,
) -> dict[str, Any]:
    return {
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "status": None if status is None else status.code,
        **({} if error is None else {"error": str(error)}),
        **({} if originator is None else {"originator": originator}),
        "header": header or InstanceHeader(),
    }


def tell_query(association: Association, name: str, sop_class_uid: str, syntax: str, encoded: bytes) -> None:
    """Tell of a query: ``"query issued"`` by us, or ``"query arrived"`` from a peer."""
    if association.on_event is not None:
        association.emit(
            name, category="operation", sop_class_uid=sop_class_uid, identifier=Identifier(syntax, encoded)
        )


def tell_request(
    association: Association,
    operation: str,
    sop_class_uid: str,
    sop_instance_uid: str,
    status: int,
    *data: DataSet | None,
) -> None:
    """Tell of a request of a normalized service that was answered, and of what came with it or with its answer."""
    if association.on_event is not None:
        try:
            found = [InstanceHeader.of_step(ds) for ds in data if ds is not None]
        except DicomError:
            found = []
        association.emit(
            "request answered",
            category="operation",
            operation=operation,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            status=status,
            header=next((header for header in found if header.patient_id), found[0] if found else InstanceHeader()),
        )


def tell_retrieval(
    association: Association,
    service: str,
    header: InstanceHeader | None,
    told: int,
    status: Status | None,
    *,
    destination: str = "",
    **counts: Any,
) -> None:
    """Tell how a retrieval ended; of ``told`` instances other events have told already."""
    if association.on_event is not None:
        association.emit(
            "retrieval finished",
            level="warning" if status is None or status.category == "Failure" else "info",
            category="operation",
            service=service,
            destination=destination,
            status=None if status is None else status.code,
            told=told,
            **counts,
            header=header or InstanceHeader(),
        )


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _quickly(data: bytes, syntax: str) -> InstanceHeader | None:
    """Walk the first elements where they stand plainly, and are ASCII; None where they don't."""
    implicit = syntax == IMPLICIT_VR_LITTLE_ENDIAN
    if not implicit and not _is_plain(syntax):
        return None
    found: dict[str, str] = {}
    position, end = 0, len(data) - 8
    while position <= end:
        group, element, length = _header(data, position)
        tag = group << 16 | element
        if tag >= _LAST:
            break
        position += 8
        if not implicit:
            vr = data[position - 4 : position - 2]
            if vr in _LONG:
                if position > end:
                    return None
                (length,) = _length(data, position)
                position += 4
            elif vr.isalpha():
                length >>= 16
            else:
                return None
        if length == 0xFFFFFFFF:
            return None
        if tag in _KEYS:
            raw = data[position : position + length]
            if not raw.isascii() or b"\x1b" in raw:
                return None
            found[_KEYS[tag]] = _cut(raw.decode("ascii").strip(" \0"))
        position += length
    if "StudyInstanceUID" not in found:
        return None
    get = found.get
    return InstanceHeader(
        found["StudyInstanceUID"], get("PatientID", ""), get("PatientName", ""), get("AccessionNumber", "")
    )


def _is_plain(syntax: str) -> bool:
    known = TransferSyntax.of(syntax)
    return not (known.implicit_vr or known.big_endian or known.deflated)
