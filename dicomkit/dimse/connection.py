"""One end of an association as a pure machine: bytes and primitives in, bytes and indications out (PS3.8 9.2).

The machine follows the state transition table, knows no socket, and reads fragments of P-DATA as they come: a message
of any size passes through it without being held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, cast

from dicomkit.dimse.framing import Frame, Framer
from dicomkit.dimse.pdu import PDU, Abort, AssociateAC, AssociateRJ, AssociateRQ, ReleaseRP, ReleaseRQ
from dicomkit.dimse.pdu_bytes import HEADER_LENGTH, P_DATA_TF, PDU_NAMES, decode_pdu, encode_pdu
from dicomkit.net.errors import ProtocolError
from dicomkit.standard.upper_layer import transition

IDLE, DATA_TRANSFER = 1, 6
_PROVIDER = 2
_UNSUPPORTED_VERSION = AssociateRJ(result=1, source=2, reason=2)
_UNEXPECTED_PDU, _INVALID_PDU, _UNRECOGNIZED_PDU = 2, 6, 1


class Fragment(NamedTuple):
    """A part of a presentation data value; ``is_last`` ends the command or data set that it belongs to."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association ended at once: by the peer, or by us because of what the peer sent."""

    source: int
    reason: int
    by_peer: bool
    error: ProtocolError | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The transport connection ended where an association still was."""


Indication: TypeAlias = "AssociateRQ | AssociateAC | AssociateRJ | ReleaseRQ | ReleaseRP | Fragment | Aborted | Closed"
Effect: TypeAlias = Literal["connect", "send", "indicate", "abort", "abort indication", "start", "stop", "close"]

EFFECTS: Mapping[str, tuple[Effect, ...]] = {
    "AE-1": ("connect",),
    "AE-2": ("send",),
    "AE-3": ("indicate",),
    "AE-4": ("indicate", "close"),
    "AE-5": ("start",),
    "AE-6": ("stop", "indicate"),
    "AE-7": ("send",),
    "AE-8": ("send", "start"),
    "DT-1": ("send",),
    "DT-2": ("indicate",),
    "AR-1": ("send",),
    "AR-2": ("indicate",),
    "AR-3": ("indicate", "close"),
    "AR-4": ("send", "start"),
    "AR-5": ("stop",),
    "AR-6": ("indicate",),
    "AR-7": ("send",),
    "AR-8": ("indicate",),
    "AR-9": ("send",),
    "AR-10": ("indicate",),
    "AA-1": ("abort", "start"),
    "AA-2": ("stop", "close"),
    "AA-3": ("abort indication", "close"),
    "AA-4": ("abort indication",),
    "AA-5": ("stop",),
    "AA-6": (),
    "AA-7": ("abort",),
    "AA-8": ("abort", "abort indication", "start"),
}
"""What each action of PS3.8 Tables 9-6 to 9-9 does to the world around the machine."""

_RECEIVED = {AssociateAC: 3, AssociateRJ: 4, AssociateRQ: 6, ReleaseRQ: 12, ReleaseRP: 13, Abort: 16}
_SENT = {AssociateAC: 7, AssociateRJ: 8, ReleaseRQ: 11, ReleaseRP: 14, Abort: 15}
_REQUEST, _CONNECTED, _INDICATED, _SEND_DATA, _DATA, _TRANSPORT_CLOSED, _EXPIRED, _INVALID = 1, 2, 5, 9, 10, 17, 18, 19


class Trace(Protocol):
    """What is told of each PDU and each change of state."""

    def __call__(self, name: str, **data: Any) -> object: ...


class Connection:
    """The state of one end.

    Attributes
    ----------
    state
        1 to 13, as Sta1 to Sta13 of PS3.8.
    timer_runs
        Whether the ARTIM timer runs; what keeps the time calls `expire`.
    must_close
        Whether the transport connection is to be closed, once what `take_output` gives has been written.
    trace
        Told of each PDU, P-DATA-TF that goes out excepted, which doesn't pass through here, and each change of state.

    Examples
    --------
    >>> connection = Connection(acceptor=True)
    >>> connection.state, connection.timer_runs
    (2, True)
    >>> connection.receive(encode_pdu(Abort())), connection.state, connection.must_close
    ([], 1, True)
    """

    def __init__(self, *, acceptor: bool, max_pdu: int = 1 << 20, trace: Trace | None = None) -> None:
        self.acceptor = acceptor
        self.state = IDLE
        self.timer_runs = False
        self.must_close = False
        self.trace = trace
        self._request: AssociateRQ | None = None
        self._output: list[bytes] = []
        self._framer = Framer(max_pdu)
        if acceptor:
            self._apply(_INDICATED)

    def request(self, request: AssociateRQ) -> None:
        """Begin as the requestor; the request goes out when the transport is there (`connected`)."""
        self._request = request
        self._apply(_REQUEST)

    def connected(self) -> None:
        """The transport connection is there: the request is put out."""
        self._apply(_CONNECTED, self._request)

    def send(self, pdu: PDU) -> None:
        """Put out a PDU other than P-DATA-TF and A-ASSOCIATE-RQ.

        Raises
        ------
        ProtocolError
            When the state doesn't allow it.
        """
        self._apply(_SENT[type(pdu)], pdu)

    def may_send_data(self) -> None:
        """Check that P-DATA may be sent now; its PDUs are made by `messages` and needn't pass through the machine.

        Raises
        ------
        ProtocolError
            When the state doesn't allow it.
        """
        if self.state != DATA_TRANSFER:
            self._apply(_SEND_DATA)

    def receive(self, data: bytes | bytearray | memoryview) -> list[Indication]:
        """Take bytes as they came and return what they mean; fragments are views of ``data``."""
        indications: list[Indication] = []
        try:
            for frame in self._framer.feed(data):
                if isinstance(frame, Frame):
                    self._tell_of("pdu received", frame.kind, len(frame.body))
                    pdu = decode_pdu(frame.kind, frame.body)
                    indications += self._apply(_RECEIVED[type(pdu)], pdu)
                elif frame is None:
                    self._tell_of("pdu received", P_DATA_TF, self._framer.pdu_length)
                    indications += self._apply(_DATA)
                elif self.state in (DATA_TRANSFER, 7):  # elsewhere the start of its PDU ended the association
                    indications.append(Fragment._make(frame))
                if self.state in (IDLE, 13):
                    break
        except ProtocolError as error:
            indications += self._apply(_INVALID, None, error)
        return indications

    def closed(self) -> list[Indication]:
        """The transport connection was closed by the peer, or broke."""
        return [] if self.state == IDLE else self._apply(_TRANSPORT_CLOSED)

    def expire(self) -> list[Indication]:
        """The ARTIM timer ran out."""
        self.timer_runs = False
        return self._apply(_EXPIRED) if transition(self.state, _EXPIRED) else []

    def take_output(self) -> bytes:
        """Give the bytes that are to be written now, once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def _apply(self, event: int, pdu: PDU | None = None, error: ProtocolError | None = None) -> list[Indication]:
        """Make the transition of an event and return what its action indicates."""
        cell = transition(self.state, event)
        if cell is None:
            raise ProtocolError(f"event {event} can't happen in state {self.state}")
        action, next_states = cell
        if action == "AE-6" and isinstance(pdu, AssociateRQ) and not pdu.protocol_version & 1:
            self._enter(next_states[-1], event, action)
            self.timer_runs = True
            self._put_out(_UNSUPPORTED_VERSION)
            return []
        other = len(next_states) > 1 and action == "AR-8" and self.acceptor
        self._enter(next_states[-1 if other else 0], event, action)
        indications: list[Indication] = []
        for effect in EFFECTS[action]:
            self._perform(effect, event, pdu, error, indications)
        return indications

    def _enter(self, state: int, event: int, action: str) -> None:
        before, self.state = self.state, state
        if self.trace is not None and state != before:
            self.trace("state changed", before=f"Sta{before}", state=f"Sta{state}", event=f"Evt{event}", action=action)

    def _put_out(self, pdu: PDU) -> None:
        encoded = encode_pdu(pdu)
        self._output.append(encoded)
        self._tell_of("pdu sent", encoded[0], len(encoded) - HEADER_LENGTH)

    def _tell_of(self, name: str, kind: int, length: int) -> None:
        if self.trace is not None:
            self.trace(name, pdu=PDU_NAMES[kind], bytes=length)

    def _perform(
        self, effect: Effect, event: int, pdu: PDU | None, error: ProtocolError | None, indications: list[Indication]
    ) -> None:
        if effect == "send" and pdu is not None:
            self._put_out(pdu)
        elif effect == "indicate" and pdu is not None:
            indications.append(cast("Indication", pdu))  # P-DATA-TF, the only other PDU, comes as fragments
        elif effect == "abort":
            user = isinstance(pdu, Abort) and event == _SENT[Abort]
            reason = _INVALID_PDU if event == _INVALID else _UNEXPECTED_PDU
            self._put_out(pdu if user and pdu else Abort(_PROVIDER, reason))
        elif effect == "abort indication":
            indications.append(_ended(event, pdu, error))
        elif effect in ("start", "stop"):
            self.timer_runs = effect == "start"
        elif effect == "close":
            self.must_close, self.timer_runs = True, False


def _ended(event: int, pdu: PDU | None, error: ProtocolError | None) -> Indication:
    """Say how the association came to its end."""
    if event == _TRANSPORT_CLOSED:
        return Closed()
    if isinstance(pdu, Abort):
        return Aborted(pdu.source, pdu.reason, by_peer=True)
    unexpected = ProtocolError(f"the peer sent {type(pdu).__name__ if pdu else 'data'} where it may not come")
    return Aborted(
        _PROVIDER, _UNEXPECTED_PDU if error is None else _INVALID_PDU, by_peer=False, error=error or unexpected
    )
