"""The machine of one end: every cell of the table, any chunking, and bytes that break the protocol."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.dimse.connection import EFFECTS, Aborted, Closed, Connection, Fragment
from dicomkit.dimse.messages import message_buffers, payload_size
from dicomkit.dimse.negotiation import Proposal
from dicomkit.dimse.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
)
from dicomkit.dimse.pdu_bytes import encode_pdu
from dicomkit.net.errors import ProtocolError
from dicomkit.standard.upper_layer import actions, events, states, transition

REQUEST = AssociateRQ("THEM", "US", Proposal.of("1.2.840.10008.1.1").contexts)
ACCEPT = AssociateAC("THEM", "US", ())
REJECT = AssociateRJ(1, 1, 1)
DATA = PDataTF((PresentationDataValue(1, True, True, b"abcd"),))
RECEIVED = {3: ACCEPT, 4: REJECT, 6: REQUEST, 10: DATA, 12: ReleaseRQ(), 13: ReleaseRP(), 16: Abort(0, 0)}
SENT = {7: ACCEPT, 8: REJECT, 11: ReleaseRQ(), 14: ReleaseRP(), 15: Abort()}


def in_state(state: int) -> Connection:
    """Drive a connection to a state by a way that real ones take."""
    acceptor = state in (2, 3, 8, 10, 12)
    connection = Connection(acceptor=acceptor)
    if acceptor:
        if state != 2:
            connection.receive(encode_pdu(REQUEST))
        if state in (8, 10, 12):
            connection.send(ACCEPT)
        if state == 8:
            connection.receive(encode_pdu(ReleaseRQ()))
        if state in (10, 12):
            connection.send(ReleaseRQ())
            connection.receive(encode_pdu(ReleaseRQ()))
        if state == 12:
            connection.receive(encode_pdu(ReleaseRP()))
    elif state != 1:
        connection.request(REQUEST)
        if state > 4:
            connection.connected()
        if state > 5:
            connection.receive(encode_pdu(ACCEPT))
        if state in (7, 9, 11):
            connection.send(ReleaseRQ())
        if state in (9, 11):
            connection.receive(encode_pdu(ReleaseRQ()))
        if state == 11:
            connection.send(ReleaseRP())
        if state == 13:
            connection.send(Abort())
    connection.take_output()
    assert connection.state == state
    return connection


def fire(connection: Connection, event: int) -> list:
    if event in RECEIVED:
        return connection.receive(encode_pdu(RECEIVED[event]))
    if event in SENT:
        connection.send(SENT[event])
    elif event == 1:
        connection.request(REQUEST)
    elif event == 2:
        connection.connected()
    elif event == 9:
        connection.may_send_data()
    elif event == 17:
        return connection.closed()
    elif event == 18:
        return connection.expire()
    elif event == 19:
        return connection.receive(b"\x99\x00\x00\x00\x00\x04abcd")
    return []


def test_every_action_has_its_effects():
    assert set(EFFECTS) == set(actions())


CELLS = [cell for cell in itertools.product(states(), events()) if cell[1] != 5]
"""All but those of the connection indication, by which an acceptor is made; the next test has it."""


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_every_cell(state, event):
    cell = transition(state, event)
    connection = in_state(state)
    if cell is None:
        if event in (17, 18) or event in RECEIVED or event == 19:
            return  # bytes that come where no transport connection is
        with pytest.raises(ProtocolError):
            fire(connection, event)
        return
    action, next_states = cell
    indications = fire(connection, event)
    expected = next_states[-1] if action == "AR-8" and connection.acceptor else next_states[0]
    assert connection.state == expected
    effects = EFFECTS[action]
    output = connection.take_output()
    if event != 9:  # data goes out beside the machine
        assert bool(output) == ("send" in effects or "abort" in effects)
    assert bool(indications) == ("indicate" in effects or "abort indication" in effects)
    if "close" in effects:
        assert connection.must_close
    if "start" in effects:
        assert connection.timer_runs
    if "stop" in effects or "close" in effects:
        assert not connection.timer_runs
    if "abort" in effects:
        assert output[0] == 7
    if action == "AA-8":
        assert isinstance(indications[0], Aborted)
        assert not indications[0].by_peer
        assert output[8] == 2, "the source is the service provider"
    if action == "AA-4":
        assert indications == [Closed()]


def test_the_table_is_that_of_pynetdicom():
    fsm = pytest.importorskip("pynetdicom.fsm")
    theirs = {
        (int(state[3:]), int(event[3:])): action.replace("_", "-")
        for (event, state), action in fsm.TRANSITION_TABLE.items()
    }
    ours = {cell: found[0] for cell in itertools.product(states(), events()) if (found := transition(*cell))}
    assert ours == theirs
    assert len(ours) == 123


def test_an_acceptor_begins_with_the_timer():
    connection = Connection(acceptor=True)
    assert (connection.state, connection.timer_runs) == (2, True)


def test_a_protocol_version_that_nobody_knows_is_rejected():
    connection = Connection(acceptor=True)
    request = AssociateRQ("THEM", "US", REQUEST.contexts, protocol_version=2)
    assert connection.receive(encode_pdu(request)) == []
    assert (connection.state, connection.timer_runs) == (13, True)
    assert connection.take_output() == encode_pdu(AssociateRJ(1, 2, 2))


def established() -> Connection:
    return in_state(6)


def stream_of(messages: list[tuple[bytes, bytes | None]], maximum: int) -> bytes:
    parts = [message_buffers(1, command, data, maximum) for command, data in messages]
    return b"".join(bytes(buffer) for lists in parts for buffers in lists for buffer in buffers)


MESSAGES = st.lists(
    st.tuples(st.binary(min_size=1, max_size=60), st.none() | st.binary(max_size=200)), min_size=1, max_size=4
)


@given(MESSAGES, st.integers(8, 80) | st.just(0), st.data())
def test_messages_survive_any_pdu_size_and_any_chunking(messages, maximum, data):
    stream = stream_of(messages, maximum) + encode_pdu(ReleaseRQ())
    connection, position, got = established(), 0, []
    while position < len(stream):
        size = data.draw(st.integers(1, 40))
        # A fragment is a view of what was received: it is copied before the next bytes.
        got += [
            entry._replace(data=bytes(entry.data)) if isinstance(entry, Fragment) else entry
            for entry in connection.receive(stream[position : position + size])
        ]
        position += size
    assert got.pop() == ReleaseRQ()
    expected = [part for command, rest in messages for part in ((True, command), (False, rest)) if part[1] is not None]
    collected, current = [], b""
    for fragment in got:
        current += fragment.data
        if fragment.is_last:
            collected.append((fragment.is_command, current))
            current = b""
    assert collected == expected
    assert current == b""


@given(MESSAGES, st.integers(8, 80))
def test_no_pdu_is_longer_than_the_peer_takes(messages, maximum):
    stream, position = stream_of(messages, maximum), 0
    while position < len(stream):
        length = int.from_bytes(stream[position + 2 : position + 6], "big")
        assert length <= maximum
        position += 6 + length


@given(st.binary(max_size=200), st.integers(1, 13))
def test_random_bytes_end_the_association_or_mean_something(data, state):
    connection = in_state(state)
    if state in (1, 4):
        return
    for start in range(0, len(data), 7):
        connection.receive(data[start : start + 7])
    assert connection.state in range(1, 14)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x04\x00\xff\xff\xff\xff",  # a PDU of 4 GB
        b"\x04\x00\x00\x00\x00\x05",  # shorter than any value
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\xff\x01\x03",  # a value longer than its PDU
        b"\x04\x00\x00\x00\x00\x09\x00\x00\x00\x02\x01\x03abc",  # a rest that holds no value
        b"\x05\x00\x00\x00\x00\x05",  # a release of another length
    ],
)
def test_lengths_that_can_not_be(stream):
    connection = established()
    (indication,) = connection.receive(stream)
    assert isinstance(indication, Aborted)
    assert isinstance(indication.error, ProtocolError)
    assert connection.take_output() == encode_pdu(Abort(2, 6))


def test_several_values_in_one_pdu():
    values = (
        PresentationDataValue(1, True, True, b"C"),
        PresentationDataValue(1, False, False, b""),
        PresentationDataValue(1, False, True, b"D"),
    )
    got = established().receive(encode_pdu(PDataTF(values)))
    assert [(fragment.is_command, fragment.is_last, bytes(fragment.data)) for fragment in got] == [
        (True, True, b"C"),
        (False, False, b""),
        (False, True, b"D"),
    ]


def test_payload_sizes():
    assert payload_size(8) == 2
    with pytest.raises(ProtocolError, match="at most 7 bytes"):
        payload_size(7)
