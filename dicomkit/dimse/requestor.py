"""The requestor's side of an association: ask for it, and see what comes of that (PS3.8 7.1)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from dicomkit.dimse.association import Association
from dicomkit.dimse.connection import Connection
from dicomkit.dimse.established import without_secrets
from dicomkit.dimse.negotiation import Proposal, agreed_contexts
from dicomkit.dimse.pdu import AssociateAC, AssociateRJ, AssociateRQ
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.steps import Close, Open, Step
from dicomkit.dimse.tracing import tracing
from dicomkit.dimse.user_information import AsynchronousOperations, UserInformation
from dicomkit.net.errors import AssociationRejectedError, NetworkError
from dicomkit.net.events import Event, OnEvent


def associate(peer: Peer, proposal: Proposal, on_event: OnEvent | None = None) -> Generator[Step, Any, Association]:
    """Establish an association with a peer.

    Raises
    ------
    ConnectionFailedError, AssociationRejectedError, AssociationAbortedError, PeerTimeoutError, ProtocolError
        When there is none.
    """
    try:
        wire = yield Open(peer.host, peer.port, peer.secure, peer.timeouts.connect)
    except NetworkError as error:
        if on_event is not None:
            data = {"error": str(error), "cause": error.category, "aets": (peer.calling_aet, peer.aet)}
            on_event(Event("connection failed", level="warning", category="association", peer=str(peer), data=data))
        raise
    window = None if peer.window == 1 else AsynchronousOperations(peer.window, 1)
    user = UserInformation(
        peer.maximum_length,
        asynchronous_operations=window,
        roles=proposal.roles,
        extended=proposal.extended,
        identity=peer.identity,
    )
    request = AssociateRQ(peer.aet, peer.calling_aet, proposal.contexts, user)
    name = f"{id(wire):x}"
    connection = Connection(acceptor=False, trace=tracing(on_event, str(peer), name))
    connection.request(request)
    connection.connected()
    association = Association(
        wire, connection, request, AssociateAC("", "", ()), {}, str(peer), peer.timeouts, on_event, name
    )
    association.emit("association requested", level="info", category="association", request=without_secrets(request))
    try:
        yield from association.write_buffers([connection.take_output()])
        answer = yield from _answer(association, peer)
    except NetworkError as error:
        if not isinstance(error, AssociationRejectedError):
            association.failed_by(error)
        raise
    association.answer = answer
    association.contexts = agreed_contexts(request, answer, acceptor=False)
    association.emit("association accepted", level="info", category="association", answer=answer)
    return association


def _answer(association: Association, peer: Peer) -> Generator[Step, Any, AssociateAC]:
    indication = yield from association.next_indication()
    if isinstance(indication, AssociateRJ):
        association.emit("association rejected", level="warning", category="association", answer=indication)
        yield Close(association.wire)
        raise AssociationRejectedError(indication.result, indication.source, indication.reason, str(peer))
    if not isinstance(indication, AssociateAC):
        raise (yield from association.ended(indication))
    return indication
