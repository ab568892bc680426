"""An entry of a queue: an instance, where it is to go, and how far it is."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from dicomkit.delivery.queue_tables import DELIVERED, SENDING, STATES, QueueError
from dicomkit.dimse.outgoing import Outgoing, outgoing
from dicomkit.errors import SourceError

COLUMNS = """entries.id, destinations.name, sop_class, sop_instance, transfer_syntax, path, size, priority, state,
    attempts, due, enqueued, updated, error, category, due, owner, due, spooled, turn"""
"""Of the tables of entries and destinations, in the order of the attributes of an entry."""


class Entry(NamedTuple):
    """An instance in a queue, as it was when it was looked at.

    Attributes
    ----------
    id
        Its number in the queue; entries of one priority go in this order.
    destination
        The name of the peer, or group of peers, that it is for.
    sop_class_uid, sop_instance_uid, transfer_syntax_uid
        What it is.
    path
        Its file.
    size
        The bytes of its data set, where they are known; 0 otherwise.
    priority
        The higher, the sooner.
    state
        ``"waiting"``, ``"deferred"`` (to be tried again later), ``"sending"`` (somebody has claimed it), ``"dead"``
        (given up) or ``"delivered"``.
    attempts
        How often somebody claimed it.
    next_attempt
        When it may be tried, in seconds since 1970; None where that is at once, or not at all.
    enqueued, updated, delivered
        When it came in, changed last, and was delivered, in seconds since 1970.
    error, category
        Why the last attempt failed, and whether that may pass: ``"transient"``, ``"permanent"``, ``"configuration"`` or
        ``"security"``; None where none failed.
    owner, lease
        Who claimed it, and until when.
    is_spooled
        Whether the file belongs to the queue, which removes it once it is delivered.
    turn
        How often it was claimed ever; what is told about another turn than the present one is not listened to.
    """

    id: int
    destination: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    path: str
    size: int
    priority: int
    state: str
    attempts: int
    next_attempt: float | None
    enqueued: float
    updated: float
    error: str | None
    category: str | None
    delivered: float | None
    owner: str | None
    lease: float | None
    is_spooled: bool
    turn: int

    def outgoing(self) -> Outgoing:
        """Make it ready to be sent.

        Raises
        ------
        SourceError
            When the file is gone, or holds another instance by now.
        DicomError
            When it can't be read.
        """
        found = outgoing(self.path)
        if found.sop_instance_uid != self.sop_instance_uid:
            hint = "put it into the queue anew"
            raise SourceError(f"the file no longer holds {self.sop_instance_uid}", path=self.path, hint=hint)
        return found


def entry_of(row: tuple[Any, ...], spool: str, path: str) -> Entry:
    """Make an entry of a row of `COLUMNS`.

    Raises
    ------
    QueueError
        When the row is damaged.
    """
    entry = Entry(*row)
    if not all(isinstance(value, kind) for value, kind in zip(entry, _KINDS, strict=True)):
        raise QueueError("the queue is damaged: an entry has values that none may have", path=path)
    number = int(entry.state)
    if not 0 <= number < len(STATES):
        raise QueueError(f"the queue is damaged: an entry is in state {number}", path=path)
    return entry._replace(
        state=STATES[number],
        path=os.path.join(spool, entry.path) if entry.is_spooled else entry.path,
        next_attempt=entry.next_attempt if number < SENDING and entry.next_attempt else None,
        delivered=entry.delivered if number == DELIVERED else None,
        lease=entry.lease if number == SENDING else None,
        is_spooled=bool(entry.is_spooled),
    )


_TEXT, _NUMBER, _PERHAPS_TEXT, _PERHAPS_NUMBER = (str,), (int, float), (str, type(None)), (int, float, type(None))
_KINDS: tuple[tuple[type, ...], ...] = (
    (int,),
    *(_TEXT,) * 5,
    *((int,),) * 4,
    *(_NUMBER,) * 3,
    *(_PERHAPS_TEXT,) * 2,
    _PERHAPS_NUMBER,
    _PERHAPS_TEXT,
    _PERHAPS_NUMBER,
    *((int,),) * 2,
)
