"""PDUs to bytes and back, with limits on every length (PS3.8 9.3, PS3.7 Annex D)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dicomkit.dimse.pdu import (
    PDU,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ContextResult,
    PDataTF,
    PresentationContext,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
)
from dicomkit.dimse.user_items import decode_user_information, encode_user_information
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import ProtocolError

MAX_ASSOCIATE_LENGTH = 1 << 20
"""The longest A-ASSOCIATE PDU that we read: 128 contexts and a long token fit many times."""
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
PDU_NAMES = "? A-ASSOCIATE-RQ A-ASSOCIATE-AC A-ASSOCIATE-RJ P-DATA-TF A-RELEASE-RQ A-RELEASE-RP A-ABORT".split()
"""What PS3.8 9.3.1 calls the types, by their numbers."""
HEADER_LENGTH = 6
"""The bytes of a PDU before those that its length counts."""

_HEADER = struct.Struct(">BxI")
_ITEM = struct.Struct(">BxH")
_PDV = struct.Struct(">IBB")
_FIXED = struct.Struct(">H2x16s16s32x")
_APPLICATION, _PROPOSED, _ANSWERED, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50


def encode_pdu(pdu: PDU) -> bytes:
    """Write a PDU.

    Raises
    ------
    ValueFormatError
        When an AE title, UID or length can't be written (an AE title has 1 to 16 characters of ASCII).

    Examples
    --------
    >>> encode_pdu(Abort(source=2, reason=1)).hex(" ")
    '07 00 00 00 00 04 00 00 02 01'
    """
    kind, body = _ENCODERS[type(pdu)](pdu)
    return _HEADER.pack(kind, len(body)) + body


def decode_pdu(kind: int, body: bytes) -> PDU:
    """Read the PDU of a type from what follows its header.

    Raises
    ------
    ProtocolError
        When the type is unknown, or the body isn't one of it.

    Examples
    --------
    >>> decode_pdu(7, bytes([0, 0, 2, 1]))
    Abort(source=2, reason=1)
    """
    try:
        decoder = _DECODERS[kind]
    except KeyError:
        raise ProtocolError(f"there is no PDU type 0x{kind:02X}") from None
    try:
        return decoder(memoryview(body))
    except (struct.error, IndexError):
        raise ProtocolError(f"a PDU of type {kind} ends too early", offset=len(body)) from None


def ae_title(text: str) -> str:
    """Check an AE title (PS3.5 6.2) and return it without the spaces that mean nothing.

    Raises
    ------
    ValueFormatError
        When it is empty, longer than 16 characters, or holds a backslash or what isn't printable ASCII.

    Examples
    --------
    >>> ae_title(" STORE ")
    'STORE'
    """
    title = text.strip(" ")
    if not 0 < len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        hint = "an AE title has 1 to 16 characters of ASCII, no backslash"
        raise ValueFormatError(f"{text!r} is no AE title", hint=hint)
    return title


def _title(text: str) -> bytes:
    return ae_title(text).encode("ascii").ljust(16)


def _text(raw: bytes | memoryview) -> str:
    return bytes(raw).decode("ascii", "replace").strip(" \0")


def item(kind: int, body: bytes) -> bytes:
    """Write an item or sub-item: type, length, body."""
    if len(body) > 0xFFFF:
        raise ValueFormatError(f"an item of type 0x{kind:02X} is longer than 65535 bytes")
    return _ITEM.pack(kind, len(body)) + body


def items(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Read the items of a body: type and what each holds."""
    position = 0
    while position < len(body):
        kind, length = _ITEM.unpack_from(body, position)
        position += 4
        if length > len(body) - position:
            raise ProtocolError(f"an item of type 0x{kind:02X} runs past what holds it", offset=position)
        yield kind, body[position : position + length]
        position += length


def _uid(kind: int, uid: str) -> bytes:
    return item(kind, uid.encode("ascii"))


def _encode_rq(pdu: AssociateRQ) -> tuple[int, bytes]:
    contexts = [
        item(
            _PROPOSED,
            bytes((context.context_id, 0, 0, 0))
            + _uid(_ABSTRACT, context.abstract_syntax)
            + b"".join(_uid(_TRANSFER, uid) for uid in context.transfer_syntaxes),
        )
        for context in pdu.contexts
    ]
    return ASSOCIATE_RQ, _associate(pdu, contexts)


def _encode_ac(pdu: AssociateAC) -> tuple[int, bytes]:
    contexts = [
        item(_ANSWERED, bytes((answer.context_id, 0, answer.result, 0)) + _uid(_TRANSFER, answer.transfer_syntax))
        for answer in pdu.contexts
    ]
    return ASSOCIATE_AC, _associate(pdu, contexts)


def _associate(pdu: AssociateRQ | AssociateAC, contexts: list[bytes]) -> bytes:
    fixed = _FIXED.pack(pdu.protocol_version, _title(pdu.called_ae), _title(pdu.calling_ae))
    application = _uid(_APPLICATION, pdu.application_context)
    return b"".join((fixed, application, *contexts, item(_USER, encode_user_information(pdu.user))))


def _decode_rq(body: memoryview) -> AssociateRQ:
    version, called, calling = _FIXED.unpack_from(body)
    application, contexts, user = _associate_items(body[_FIXED.size :], _PROPOSED, _proposed)
    return AssociateRQ(_text(called), _text(calling), contexts, user, application, version)


def _decode_ac(body: memoryview) -> AssociateAC:
    version, called, calling = _FIXED.unpack_from(body)
    application, contexts, user = _associate_items(body[_FIXED.size :], _ANSWERED, _answered)
    return AssociateAC(_text(called), _text(calling), contexts, user, application, version)


def _associate_items(
    body: memoryview, context_kind: int, decode_context: Callable[[memoryview], Any]
) -> tuple[str, tuple[Any, ...], Any]:
    """Read the variable items; those of an unknown type are to be ignored (PS3.8 9.3.1)."""
    application, contexts, user = "", [], None
    for kind, content in items(body):
        if kind == _APPLICATION:
            application = _text(content)
        elif kind == context_kind:
            contexts.append(decode_context(content))
        elif kind == _USER:
            user = decode_user_information(dict_of_lists(items(content)))
    if user is None:
        raise ProtocolError("an A-ASSOCIATE PDU has no user information")
    return application, tuple(contexts), user


def dict_of_lists(pairs: Iterator[tuple[int, memoryview]]) -> dict[int, list[memoryview]]:
    """Collect items by their type."""
    collected: dict[int, list[memoryview]] = {}
    for kind, content in pairs:
        collected.setdefault(kind, []).append(content)
    return collected


def _proposed(content: memoryview) -> PresentationContext:
    collected = dict_of_lists(items(content[4:]))
    abstract = collected.get(_ABSTRACT, ())
    if len(abstract) != 1:
        raise ProtocolError(f"presentation context {content[0]} has {len(abstract)} abstract syntaxes, not one")
    return PresentationContext(content[0], _text(abstract[0]), tuple(map(_text, collected.get(_TRANSFER, ()))))


def _answered(content: memoryview) -> ContextResult:
    """Read an answer; a rejected context may lack its transfer syntax, or have one that means nothing."""
    transfer = dict_of_lists(items(content[4:])).get(_TRANSFER, ())
    return ContextResult(content[0], content[2], _text(transfer[0]) if transfer else "")


def _decode_rj(body: memoryview) -> AssociateRJ:
    return AssociateRJ(body[1], body[2], body[3])


def _encode_data(pdu: PDataTF) -> tuple[int, bytes]:
    return P_DATA_TF, b"".join(
        _PDV.pack(len(value.data) + 2, value.context_id, value.is_command | value.is_last << 1) + value.data
        for value in pdu.values
    )


def _decode_data(body: memoryview) -> PDataTF:
    values, position = [], 0
    while position < len(body):
        length, context_id, control = _PDV.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolError("a presentation data value runs past its PDU", offset=position)
        data = bytes(body[position + 6 : end])
        values.append(PresentationDataValue(context_id, bool(control & 1), bool(control & 2), data))
        position = end
    return PDataTF(tuple(values))


_ENCODERS: Mapping[type, Callable[[Any], tuple[int, bytes]]] = {
    AssociateRQ: _encode_rq,
    AssociateAC: _encode_ac,
    AssociateRJ: lambda pdu: (ASSOCIATE_RJ, bytes((0, pdu.result, pdu.source, pdu.reason))),
    PDataTF: _encode_data,
    ReleaseRQ: lambda _: (RELEASE_RQ, bytes(4)),
    ReleaseRP: lambda _: (RELEASE_RP, bytes(4)),
    Abort: lambda pdu: (ABORT, bytes((0, 0, pdu.source, pdu.reason))),
}
_DECODERS: Mapping[int, Callable[[memoryview], PDU]] = {
    ASSOCIATE_RQ: _decode_rq,
    ASSOCIATE_AC: _decode_ac,
    ASSOCIATE_RJ: _decode_rj,
    P_DATA_TF: _decode_data,
    RELEASE_RQ: lambda _: ReleaseRQ(),
    RELEASE_RP: lambda _: ReleaseRP(),
    ABORT: lambda body: Abort(body[2], body[3]),
}
