"""A peer of ours whose associations and answers go wrong as a test says: closed, stalled, rejected, broken, failing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dimse_drivers import LOCALHOST, Driver

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import CALLED_NOT_RECOGNIZED, LOCAL_LIMIT
from dicomkit.dimse.pool import VERIFICATION
from dicomkit.dimse.provider import Provider, provide, respond, skip_data, verification
from dicomkit.dimse.receipts import receiver
from dicomkit.dimse.steps import Close, Operation, Read, Wire
from dicomkit.dimse.storage_classes import COMPRESSED
from dicomkit.dimse.store_provider import storing
from dicomkit.encoding.writer import to_bytes
from dicomkit.net.errors import NetworkError
from dicomkit.net.timeouts import Timeouts

PATIENT, QUICK = Timeouts(connect=10, read=10, write=10, artim=10), Timeouts(connect=10, read=0.5, write=10, artim=10)
WELL, CLOSED, STALLED, BUSY, UNKNOWN = "well", "closed", "stalled", "busy", "unknown"
"""Moods of a connection: all is well; closed without an answer; nothing is said; rejected for now; and for good."""
BREAKS = "breaks"
"""In place of a status: the association is aborted instead of an answer."""
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


@dataclass
class Moody:
    """What goes wrong next, and what came.

    Attributes
    ----------
    moods
        Of the connections that come, in their order; after the last one all is well.
    answers
        To the requests that come, in their order: a status, or `BREAKS`; after the last one all succeed.
    answers_for
        To C-STORE, by the SOP Instance UID; they come before the others.
    matches
        What C-FIND gives before the answer.
    """

    moods: deque[str] = field(default_factory=deque)
    answers: deque[int | str] = field(default_factory=deque)
    answers_for: dict[str, deque[int | str]] = field(default_factory=dict)
    matches: list[DataSet] = field(default_factory=list)
    connections: int = 0
    asked: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    peer: Peer | None = None

    def answer_to(self, uid: str = "") -> int | str:
        """What to say to a request."""
        own = self.answers_for.get(uid)
        return own.popleft() if own else self.answers.popleft() if self.answers else 0


def _store(moody: Moody) -> Callable[[Association, Message], Operation]:
    take = storing(receiver(lambda ds: moody.stored.append(str(ds.SOPInstanceUID))))

    def perform(association: Association, message: Message) -> Operation:
        uid = str(message.command.AffectedSOPInstanceUID)
        moody.asked.append(uid)
        answer = moody.answer_to(uid)
        if answer == 0:
            yield from take(association, message)
        elif answer == BREAKS:
            yield from association.abort()
        else:
            yield from skip_data(association, message)
            yield from respond(association, message, answer)

    return perform


def _find(moody: Moody) -> Callable[[Association, Message], Operation]:
    def perform(association: Association, message: Message) -> Operation:
        yield from skip_data(association, message)
        moody.asked.append("find")
        answer = moody.answer_to()
        given = moody.matches if answer != BREAKS else moody.matches[: max(len(moody.matches) - 1, 0)]
        for match in given:
            data = to_bytes(match, message.context.transfer_syntax)
            yield from respond(association, message, 0xFF00, data=data)
        if answer == BREAKS:
            yield from association.abort()
        else:
            yield from respond(association, message, answer)

    return perform


def _echo(moody: Moody) -> Callable[[Association, Message], Operation]:
    def perform(association: Association, message: Message) -> Operation:
        moody.asked.append("echo")
        answer = moody.answer_to()
        if answer == 0:
            yield from verification(association, message)
        elif answer == BREAKS:
            yield from association.abort()
        else:
            yield from respond(association, message, answer)

    return perform


def _serving(moody: Moody, provider: Provider) -> Callable[[Wire, tuple[str, int]], Operation]:
    rejected = {BUSY: LOCAL_LIMIT, UNKNOWN: CALLED_NOT_RECOGNIZED}

    def serve(wire: Wire, address: tuple[str, int]) -> Operation:
        moody.connections += 1
        mood = moody.moods.popleft() if moody.moods else WELL
        if mood == CLOSED:
            yield Read(wire, 10)
            yield Close(wire)
        elif mood == STALLED:
            try:
                while (yield Read(wire, 10)):
                    pass
            except NetworkError:
                return
        elif mood in rejected:
            yield from provide(replace(provider, accept=lambda _, __: rejected[mood]), wire, address)
        else:
            yield from provide(provider, wire, address)

    return serve


@contextmanager
def moody_peer(
    driver: Driver, moods: Iterable[str] = (), answers: Iterable[int | str] = (), **options: Any
) -> Iterator[Moody]:
    """Serve, with these moods and answers; ``options`` are those of the `Peer` that it is."""
    moody = Moody(deque(moods), deque(answers))
    performers = {
        (VERIFICATION, "C-ECHO-RQ"): _echo(moody),
        ("", "C-STORE-RQ"): _store(moody),
        (STUDY_FIND, "C-FIND-RQ"): _find(moody),
    }
    provider = Provider(performers, lambda _: (*NATIVE, *COMPRESSED))
    with driver.serve(_serving(moody, provider)) as port:
        moody.peer = Peer(LOCALHOST, port, "MOODY", **{"timeouts": PATIENT, **options})
        yield moody
