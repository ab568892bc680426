"""The upper layer as events: each PDU that goes either way, and each change of state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dicomkit.dimse.connection import Trace
from dicomkit.dimse.pdu_bytes import P_DATA_TF, PDU_NAMES
from dicomkit.dimse.steps import Buffer
from dicomkit.net.events import Event, OnEvent


def tracing(on_event: OnEvent | None, peer: str, association: str) -> Trace | None:
    """Make what tells a listener of PDUs and states; None where nobody listens.

    Examples
    --------
    >>> seen = []
    >>> tracing(seen.append, "PACS@host:104", "1a")("pdu sent", pdu="A-RELEASE-RQ", bytes=4)
    >>> seen[0].category, seen[0].label, seen[0].direction
    ('pdu', 'A-RELEASE-RQ', 'sent')
    """
    if on_event is None:
        return None

    def tell(name: str, **data: Any) -> None:
        category = "state" if name == "state changed" else "pdu"
        on_event(Event(name, category=category, peer=peer, association=association, data=data))

    return tell


def tell_data_sent(on_event: OnEvent, peer: str, association: str, buffers: Sequence[Buffer]) -> None:
    """Tell of the P-DATA-TF in what is about to be written: headers and, after each, what they announce."""
    for header in buffers[::2]:
        data = {"pdu": PDU_NAMES[P_DATA_TF], "bytes": int.from_bytes(header[2:6], "big")}
        on_event(Event("pdu sent", category="pdu", peer=peer, association=association, data=data))
