"""C-ECHO: whether a peer is there, and takes us (PS3.4 Annex A, PS3.7 9.1.5)."""

from __future__ import annotations

from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.pool import VERIFICATION, Target, echo_on, using
from dicomkit.dimse.steps import Operation
from dicomkit.net.errors import StatusError
from dicomkit.net.events import OnEvent
from dicomkit.standard.statuses import Status, status


def echo(peer: Target, *, on_event: OnEvent | None = None) -> Operation:
    """Ask a peer whether it is there.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    on_event
        What is told of every event.

    Returns
    -------
    Status
        Success.

    Raises
    ------
    ConnectionFailedError
        When nobody listens there, or not securely.
    AssociationRejectedError
        When the peer doesn't take us; it says why.
    StatusError
        When it answers with a failure.
    """

    def body(association: Association) -> Operation:
        answer = status((yield from echo_on(association)), "C-ECHO")
        if answer.category != "Success":
            raise StatusError(answer)
        return answer

    result: Status = yield from using(peer, Proposal.of((VERIFICATION, NATIVE)), body, on_event)
    return result
