"""PDUs: bytes and back, against pynetdicom, and whatever bytes come."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.dimse.pdu import (
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
from dicomkit.dimse.pdu_bytes import ae_title, decode_pdu, encode_pdu
from dicomkit.dimse.user_information import (
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserIdentityResponse,
    UserInformation,
)
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import ProtocolError

TITLES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16)
UIDS = st.from_regex(r"[1-9][0-9]{0,5}(\.[1-9][0-9]{0,5}){1,6}", fullmatch=True)
BYTE = st.integers(0, 255)
SHORT = st.integers(0, 0xFFFF)
IDENTITIES = st.builds(UserIdentity, BYTE, st.binary(max_size=40), st.binary(max_size=40), st.booleans())
USERS = st.builds(
    UserInformation,
    maximum_length=st.integers(0, 0xFFFFFFFF),
    implementation_class_uid=UIDS,
    implementation_version_name=TITLES,
    asynchronous_operations=st.none() | st.builds(AsynchronousOperations, SHORT, SHORT),
    roles=st.lists(st.builds(RoleSelection, UIDS, st.booleans(), st.booleans()), max_size=3).map(tuple),
    extended=st.lists(st.builds(ExtendedNegotiation, UIDS, st.binary(max_size=9)), max_size=3).map(tuple),
    common_extended=st.lists(
        st.builds(CommonExtendedNegotiation, UIDS, UIDS, st.lists(UIDS, max_size=3).map(tuple)), max_size=2
    ).map(tuple),
    identity=st.none() | IDENTITIES,
    identity_response=st.none() | st.builds(UserIdentityResponse, st.binary(max_size=40)),
)
CONTEXTS = st.lists(st.builds(PresentationContext, BYTE, UIDS, st.lists(UIDS, max_size=4).map(tuple)), max_size=4).map(
    tuple
)
RESULTS = st.lists(st.builds(ContextResult, BYTE, BYTE, UIDS), max_size=4).map(tuple)
VALUES = st.lists(
    st.builds(PresentationDataValue, BYTE, st.booleans(), st.booleans(), st.binary(max_size=50)), min_size=1, max_size=4
).map(tuple)
PDUS = st.one_of(
    st.builds(AssociateRQ, TITLES, TITLES, CONTEXTS, USERS, UIDS, SHORT),
    st.builds(AssociateAC, TITLES, TITLES, RESULTS, USERS, UIDS, SHORT),
    st.builds(AssociateRJ, BYTE, BYTE, BYTE),
    st.builds(PDataTF, VALUES),
    st.builds(ReleaseRQ),
    st.builds(ReleaseRP),
    st.builds(Abort, BYTE, BYTE),
)


@given(PDUS)
def test_what_was_written_is_read(pdu):
    data = encode_pdu(pdu)
    kind, length = struct.unpack_from(">BxI", data)
    assert length == len(data) - 6
    assert decode_pdu(kind, data[6:]) == pdu


@given(st.integers(0, 9), st.binary(max_size=300))
def test_random_bytes_are_a_pdu_or_an_error(kind, body):
    with suppress(ProtocolError):
        decode_pdu(kind, body)


@given(PDUS, st.data())
def test_a_cut_or_changed_pdu_is_a_pdu_or_an_error(pdu, data):
    raw = bytearray(encode_pdu(pdu))
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(6, max(len(raw) - 1, 6)))] = data.draw(BYTE)
    cut = data.draw(st.integers(6, len(raw)))
    with suppress(ProtocolError):
        decode_pdu(raw[0], bytes(raw[6:cut]))


def test_items_of_unknown_types_are_ignored():
    request = AssociateRQ("A", "B", (PresentationContext(1, "1.2", ("1.3",)),))
    raw = encode_pdu(request)
    unknown = b"\x77\x00\x00\x03abc"
    user = raw.rindex(b"\x50\x00", 0, raw.index(b"\x51\x00\x00\x04"))
    length = int.from_bytes(raw[user + 2 : user + 4], "big") + len(unknown)
    longer = raw[6:user] + unknown + b"\x50\x00" + length.to_bytes(2, "big") + raw[user + 4 :] + unknown
    assert decode_pdu(1, longer) == request


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "ÄBC", "A\\B", "A\nB"])
def test_what_is_no_ae_title(title):
    with pytest.raises(ValueFormatError, match="AE title"):
        ae_title(title)


def test_a_token_is_in_no_repr():
    assert "secret" not in repr(UserInformation(identity=UserIdentity.username("a", passcode="secret")))
    assert "secret" not in repr(UserIdentity.jwt("secret"))


@given(
    st.builds(
        AssociateRQ, TITLES, TITLES, CONTEXTS.filter(lambda contexts: all(c.context_id % 2 for c in contexts)), USERS
    )
)
def test_pynetdicom_reads_our_request(request_pdu):
    pdu_module = pytest.importorskip("pynetdicom.pdu")
    if not request_pdu.contexts or not all(context.transfer_syntaxes for context in request_pdu.contexts):
        return
    theirs = pdu_module.A_ASSOCIATE_RQ()
    theirs.decode(encode_pdu(request_pdu))
    assert theirs.called_ae_title.strip() == request_pdu.called_ae
    assert [item.context_id for item in theirs.presentation_context] == [c.context_id for c in request_pdu.contexts]
    assert [str(item.abstract_syntax) for item in theirs.presentation_context] == [
        c.abstract_syntax for c in request_pdu.contexts
    ]
    assert theirs.user_information.maximum_length == request_pdu.user.maximum_length
    assert [str(role.uid) for role in theirs.user_information.role_selection.values()] == list(
        dict.fromkeys(role.sop_class for role in request_pdu.user.roles)
    )


def test_we_read_the_request_of_pynetdicom():
    pynetdicom = pytest.importorskip("pynetdicom")
    from pynetdicom.pdu import A_ASSOCIATE_RQ
    from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation, UserIdentityNegotiation

    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "THEM", "US"
    context = pynetdicom.build_context("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = "1.2.840.10008.1.1", True, True
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.secondary_field = 2, b"me", b"pass"
    identity.positive_response_requested = True
    length, implementation = (
        pynetdicom.pdu_primitives.MaximumLengthNotification(),
        pynetdicom.pdu_primitives.ImplementationClassUIDNotification(),
    )
    length.maximum_length_received, implementation.implementation_class_uid = 16382, "1.2.3"
    primitive.user_information = [length, implementation, role, identity]
    theirs = A_ASSOCIATE_RQ()
    theirs.from_primitive(primitive)
    ours = decode_pdu(1, theirs.encode()[6:])
    assert (ours.calling_ae, ours.called_ae) == ("THEM", "US")
    assert ours.contexts == (PresentationContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),)
    assert ours.user.roles == (RoleSelection("1.2.840.10008.1.1", True, True),)
    assert (ours.user.identity.name, ours.user.identity.passcode) == ("me", "pass")
    assert ours.user.identity.response_requested


def test_what_can_not_be_written_is_an_error():
    with pytest.raises(DicomError):
        encode_pdu(AssociateRQ("A", "B", (), UserInformation(identity=UserIdentity.saml("x" * 70000))))
