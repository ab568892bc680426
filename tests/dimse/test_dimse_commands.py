"""Command sets: all of them, both ways, and beside pynetdicom."""

from __future__ import annotations

import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.dimse.commands import Command, command, decode_command, encode_command, response_to
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.net.errors import ProtocolError
from dicomkit.standard.attributes import attribute
from dicomkit.standard.dimse_commands import dimse_commands

UID = st.from_regex(r"[1-9][0-9]{0,5}(\.[1-9][0-9]{0,5}){1,6}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16)
BY_VR = {
    "UI": UID,
    "US": st.integers(0, 0xFFFF),
    "UL": st.integers(0, 0xFFFFFFFF),
    "AT": st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=3).map(tuple),
    "AE": TEXT,
    "LO": TEXT,
}
FIXED = ("CommandGroupLength", "CommandField", "CommandDataSetType")


@st.composite
def commands(draw):
    kind = draw(st.sampled_from(dimse_commands()))
    elements = {}
    for element in kind.elements:
        if element.keyword not in FIXED and (element.requirement == "M" or draw(st.booleans())):
            elements[element.keyword] = draw(BY_VR[attribute(element.tag).vr])
    return command(kind.name, has_data_set=draw(st.booleans()), **elements)


@given(commands())
def test_what_was_written_is_read(given_command):
    data = encode_command(given_command)
    assert int.from_bytes(data[8:12], "little") == len(data) - 12
    assert decode_command(data) == given_command
    assert pickle.loads(pickle.dumps(given_command)) == given_command
    assert hash(decode_command(data)) == hash(given_command)


@given(commands())
def test_pydicom_reads_what_was_written(given_command):
    pydicom = pytest.importorskip("pydicom")
    from io import BytesIO

    theirs = pydicom.filereader.read_dataset(BytesIO(encode_command(given_command)), True, True)
    for keyword in given_command:
        value = getattr(theirs, keyword)
        ours = given_command[keyword]
        if isinstance(ours, tuple):
            value = tuple(value) if hasattr(value, "__iter__") else (value,)
        assert value == ours


@given(st.binary(max_size=120))
def test_random_bytes_are_a_command_or_an_error(data):
    with suppress(ProtocolError):
        decode_command(data)


@given(commands(), st.data())
def test_a_cut_command_is_a_command_or_an_error(given_command, data):
    raw = encode_command(given_command)
    with suppress(ProtocolError):
        decode_command(raw[: data.draw(st.integers(0, len(raw)))])


def test_there_are_all_of_them():
    names = {entry.name for entry in dimse_commands()}
    services = ("C-STORE", "C-FIND", "C-GET", "C-MOVE", "C-ECHO")
    services += ("N-EVENT-REPORT", "N-GET", "N-SET", "N-ACTION", "N-CREATE", "N-DELETE")
    assert names == {f"{service}-{kind}" for service in services for kind in ("RQ", "RSP")} | {"C-CANCEL-RQ"}


def test_a_response_is_about_what_was_requested():
    request = command(
        "N-SET-RQ", MessageID=3, RequestedSOPClassUID="1.2", RequestedSOPInstanceUID="1.3", has_data_set=True
    )
    response = response_to(request, 0x0110, ErrorComment="no")
    assert response.name == "N-SET-RSP"
    assert (response.AffectedSOPClassUID, response.AffectedSOPInstanceUID) == ("1.2", "1.3")
    assert not response.has_data_set


def test_what_can_not_be_made():
    with pytest.raises(ValueFormatError, match="no DIMSE command"):
        command("C-STORE")
    with pytest.raises(ValueFormatError, match="no element of a command set"):
        command("C-ECHO-RQ", PatientName="X")
    with pytest.raises(ValueFormatError, match="MessageID can't be 'x'"):
        encode_command(command("C-ECHO-RQ", MessageID="x"))
    with pytest.raises(MissingElementError, match="Status"):
        _ = command("C-ECHO-RQ").Status
    with pytest.raises(AttributeError):
        command("C-ECHO-RQ").Status = 1


def test_an_unknown_command_shows_its_number():
    assert Command({"CommandField": 0x7777}).name == "unknown command 0x7777"
