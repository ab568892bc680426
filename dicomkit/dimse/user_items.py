"""The sub-items of the user information to bytes and back (PS3.7 D.3.3, PS3.8 D.1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from dicomkit.dimse.user_information import (
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserIdentityResponse,
    UserInformation,
)
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import ProtocolError

_ITEM = struct.Struct(">BBH")
_MAXIMUM_LENGTH, _CLASS_UID, _ASYNCHRONOUS, _ROLE, _VERSION_NAME = 0x51, 0x52, 0x53, 0x54, 0x55
_EXTENDED, _COMMON_EXTENDED, _IDENTITY, _IDENTITY_RESPONSE = 0x56, 0x57, 0x58, 0x59


def encode_user_information(user: UserInformation) -> bytes:
    """Write the sub-items in the order of their types."""
    parts = [
        _item(_MAXIMUM_LENGTH, struct.pack(">I", user.maximum_length)),
        _item(_CLASS_UID, user.implementation_class_uid.encode("ascii")),
    ]
    if window := user.asynchronous_operations:
        parts.append(_item(_ASYNCHRONOUS, struct.pack(">HH", window.invoked, window.performed)))
    parts += [_item(_ROLE, _field(role.sop_class.encode()) + bytes((role.user, role.provider))) for role in user.roles]
    if user.implementation_version_name:
        parts.append(_item(_VERSION_NAME, user.implementation_version_name.encode("ascii")))
    parts += [_item(_EXTENDED, _field(entry.sop_class.encode()) + entry.information) for entry in user.extended]
    parts += [_item(_COMMON_EXTENDED, _common(entry)) for entry in user.common_extended]
    if identity := user.identity:
        head = bytes((identity.kind, identity.response_requested))
        parts.append(_item(_IDENTITY, head + _field(identity.primary) + _field(identity.secondary)))
    if user.identity_response is not None:
        parts.append(_item(_IDENTITY_RESPONSE, _field(user.identity_response.response)))
    return b"".join(parts)


def decode_user_information(items: Mapping[int, list[memoryview]]) -> UserInformation:
    """Read them from what each type holds; of a type that may come once the first counts, unknown ones are ignored.

    Raises
    ------
    ProtocolError
        When a length within one runs past its end.
    """

    def first(kind: int) -> memoryview | None:
        return items[kind][0] if kind in items else None

    length, window = first(_MAXIMUM_LENGTH), first(_ASYNCHRONOUS)
    identity, response = first(_IDENTITY), first(_IDENTITY_RESPONSE)
    return UserInformation(
        maximum_length=0 if length is None else struct.unpack_from(">I", length)[0],
        implementation_class_uid=_text(first(_CLASS_UID)),
        implementation_version_name=_text(first(_VERSION_NAME)),
        asynchronous_operations=None if window is None else AsynchronousOperations(*struct.unpack_from(">HH", window)),
        roles=tuple(map(_role, items.get(_ROLE, ()))),
        extended=tuple(map(_extended, items.get(_EXTENDED, ()))),
        common_extended=tuple(map(_common_extended, items.get(_COMMON_EXTENDED, ()))),
        identity=None if identity is None else _identity(identity),
        identity_response=None if response is None else UserIdentityResponse(bytes(_read_field(response, 0)[0])),
    )


def _item(kind: int, body: bytes) -> bytes:
    if len(body) > 0xFFFF:
        raise ValueFormatError(f"a user information item of type 0x{kind:02X} is longer than 65535 bytes")
    # The item of the common extended negotiation has the version of itself, 0, where others have a reserved byte.
    return _ITEM.pack(kind, 0, len(body)) + body


def _field(content: bytes) -> bytes:
    if len(content) > 0xFFFF:
        raise ValueFormatError("a field of the user information is longer than 65535 bytes")
    return struct.pack(">H", len(content)) + content


def _read_field(content: memoryview, position: int) -> tuple[memoryview, int]:
    (length,) = struct.unpack_from(">H", content, position)
    end = position + 2 + length
    if end > len(content):
        raise ProtocolError("a field of the user information runs past its item", offset=position)
    return content[position + 2 : end], end


def _text(content: memoryview | None) -> str:
    return "" if content is None else bytes(content).decode("ascii", "replace").strip(" \0")


def _role(content: memoryview) -> RoleSelection:
    uid, end = _read_field(content, 0)
    return RoleSelection(_text(uid), bool(content[end]), bool(content[end + 1]))


def _extended(content: memoryview) -> ExtendedNegotiation:
    uid, end = _read_field(content, 0)
    return ExtendedNegotiation(_text(uid), bytes(content[end:]))


def _common(entry: CommonExtendedNegotiation) -> bytes:
    related = b"".join(_field(uid.encode("ascii")) for uid in entry.related_sop_classes)
    return _field(entry.sop_class.encode("ascii")) + _field(entry.service_class.encode("ascii")) + _field(related)


def _common_extended(content: memoryview) -> CommonExtendedNegotiation:
    sop_class, end = _read_field(content, 0)
    service_class, end = _read_field(content, end)
    listed, _ = _read_field(content, end)
    related, position = [], 0
    while position < len(listed):
        uid, position = _read_field(listed, position)
        related.append(_text(uid))
    return CommonExtendedNegotiation(_text(sop_class), _text(service_class), tuple(related))


def _identity(content: memoryview) -> UserIdentity:
    primary, end = _read_field(content, 2)
    secondary, _ = _read_field(content, end)
    return UserIdentity(content[0], bytes(primary), bytes(secondary), bool(content[1]))
