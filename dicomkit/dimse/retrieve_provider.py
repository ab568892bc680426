"""The providers of C-GET and C-MOVE: instances as sub-operations, here or to a third party (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.commands import command
from dicomkit.dimse.find_provider import CANCELLED, PENDING, is_cancelled
from dicomkit.dimse.instance_events import (
    InstanceHeader,
    header_of,
    instance_header,
    tell_retrieval,
    tell_sent,
)
from dicomkit.dimse.interception import intercepted
from dicomkit.dimse.outgoing import Outgoing, Source, outgoing
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.provider import Caller, Performer, caller_of, failure_of, respond
from dicomkit.dimse.steps import Offload, Operation
from dicomkit.dimse.store import store
from dicomkit.dimse.store_report import Progress
from dicomkit.dimse.store_sending import prepare
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.net.errors import NetworkError
from dicomkit.standard.statuses import status as status_of

SUBOPERATIONS_FAILED, UNABLE_TO_PERFORM, UNKNOWN_DESTINATION = 0xB000, 0xA702, 0xA801


class RetrieveRequest(NamedTuple):
    """Who asks for instances, in which information model, and to where (empty: to himself)."""

    sop_class_uid: str
    caller: Caller
    destination: str = ""


@dataclass(slots=True)
class _Count:
    """The sub-operations of a retrieval so far."""

    remaining: int
    whose: InstanceHeader | None = None
    told: int = 0
    completed: int = 0
    failed: list[str] = field(default_factory=list)
    warnings: int = 0
    cancelled: bool = False

    def add(self, kind: str, sop_instance_uid: str) -> None:
        """Count one by the category of its status."""
        self.remaining -= 1
        if kind == "Success":
            self.completed += 1
        elif kind == "Warning":
            self.warnings += 1
        else:
            self.failed.append(sop_instance_uid)

    def elements(self, *, final: bool = False) -> dict[str, Any]:
        """Return the counts as elements of a response; only a pending or cancelled one tells what remains."""
        counts = {
            "NumberOfCompletedSuboperations": self.completed,
            "NumberOfFailedSuboperations": len(self.failed),
            "NumberOfWarningSuboperations": self.warnings,
        }
        return counts if final else {"NumberOfRemainingSuboperations": self.remaining, **counts}

    @property
    def status(self) -> int:
        """Return the status at the end."""
        if not self.failed and not self.warnings:
            return 0
        return SUBOPERATIONS_FAILED if self.completed or self.warnings else UNABLE_TO_PERFORM


def getting(fetch: Callable[[DataSet, RetrieveRequest], Iterable[Source]]) -> Performer:
    """Make the performer of C-GET.

    Parameters
    ----------
    fetch
        Gives the instances that an identifier denotes.
    """

    def perform(association: Association, message: Message) -> Operation:
        found, whose = yield from _fetched(association, message, fetch, "")
        if found is None:
            return
        count = _Count(len(found), whose)
        for source in found:
            yield from _suboperation(association, source, count)
            if count.remaining:
                if count.cancelled or (yield from is_cancelled(association, message)):
                    yield from _finish(association, message, count, CANCELLED)
                    return
                yield from respond(association, message, PENDING, **count.elements())
        yield from _finish(association, message, count, count.status)

    return perform


def _suboperation(association: Association, source: Source, count: _Count) -> Operation:
    """Send one instance over the very association, and count what becomes of it."""
    instance = Outgoing("", "", "", bytes)
    try:
        instance = yield Offload(partial(outgoing, source))
        prepared = yield Offload(partial(prepare, association, instance))
    except DicomError as error:
        count.add("Failure", instance.sop_instance_uid)
        count.told += 1
        tell_sent(association, instance, header_of(instance) if association.on_event else None, None, error)
        return
    number = association.next_message_id()
    request = command(
        "C-STORE-RQ",
        has_data_set=True,
        AffectedSOPClassUID=instance.sop_class_uid,
        MessageID=number,
        Priority=0,
        AffectedSOPInstanceUID=instance.sop_instance_uid,
    )
    try:
        yield from association.write(prepared.context, request, prepared.data)
        answer = yield from _answer(association, number, count)
    except NetworkError as error:
        tell_sent(association, instance, prepared.header, None, error)
        raise
    outcome = status_of(answer.command.Status, "C-STORE")
    count.add(outcome.category, instance.sop_instance_uid)
    count.told += 1
    tell_sent(association, instance, prepared.header, outcome)


def _answer(association: Association, number: int, count: _Count) -> Operation:
    """Wait for the response to a sub-operation; a C-CANCEL may come before it."""
    while True:
        answer = yield from association.read()
        if answer is not None and answer.command.name == "C-CANCEL-RQ":
            count.cancelled = True
        elif answer is None or answer.command.get("MessageIDBeingRespondedTo") != number:
            raise (yield from association.unexpected(answer))
        else:
            return answer


def moving(
    fetch: Callable[[DataSet, RetrieveRequest], Iterable[Source]],
    destination: Callable[[str], Peer | None],
) -> Performer:
    """Make the performer of C-MOVE.

    Parameters
    ----------
    fetch
        Gives the instances that an identifier denotes.
    destination
        Gives the peer that has an AE title; None where nobody known has it.
    """

    def perform(association: Association, message: Message) -> Operation:
        title = str(message.command.get("MoveDestination", ""))
        found, whose = yield from _fetched(association, message, fetch, title)
        if found is None:
            return
        peer = destination(title)
        if peer is None:
            _tell(association, message, _Count(0, whose), UNKNOWN_DESTINATION)
            yield from respond(
                association, message, UNKNOWN_DESTINATION, ErrorComment="the move destination is unknown"
            )
            return
        count = _Count(len(found), whose)

        def progressed(progress: Progress) -> Operation:
            outcome = progress.outcome
            count.add(outcome.status.category if outcome.status else "Failure", outcome.sop_instance_uid)
            count.told += 1
            if count.remaining and not count.cancelled:
                count.cancelled = yield from is_cancelled(association, message)
                if not count.cancelled:
                    yield from respond(association, message, PENDING, **count.elements())

        originator = association.request.calling_ae, int(message.command.get("MessageID", 0))
        sending = store(
            peer, found, cancelled=lambda: count.cancelled, originator=originator, on_event=association.on_event
        )
        try:
            yield from intercepted(sending, progressed)
        except NetworkError:
            if not association.is_open:
                raise
            count.failed += [""] * count.remaining
            count.remaining = 0
        yield from _finish(association, message, count, CANCELLED if count.cancelled else count.status)

    return perform


def _fetched(
    association: Association,
    message: Message,
    fetch: Callable[[DataSet, RetrieveRequest], Iterable[Source]],
    destination: str,
) -> Operation:
    """Read the identifier; return the instances that it denotes, None where that failed and was answered, and whose."""
    data = yield from association.read_data(message.context)
    request = RetrieveRequest(message.context.abstract_syntax, caller_of(association), destination)
    whose = instance_header(data, message.context.transfer_syntax) if association.on_event is not None else None
    try:
        identifier = read(data, transfer_syntax=message.context.transfer_syntax)
        found: Sequence[Source] = yield Offload(lambda: list(fetch(identifier, request)))
    except Exception as error:
        status, comment = failure_of(association, error)
        _tell(association, message, _Count(0, whose), status)
        yield from respond(association, message, status, ErrorComment=comment)
        return None, whose
    return found, whose


def _tell(association: Association, message: Message, count: _Count, status: int) -> None:
    service = message.command.name.removesuffix("-RQ")
    tell_retrieval(
        association,
        service,
        count.whose,
        count.told,
        status_of(status, service),
        destination=str(message.command.get("MoveDestination", "")),
        completed=count.completed,
        warnings=count.warnings,
        failed=len(count.failed),
    )


def _finish(association: Association, message: Message, count: _Count, status: int) -> Operation:
    """Write the last response, with the list of what failed (PS3.4 C.4.2.1.4.2)."""
    _tell(association, message, count, status)
    failed = [uid for uid in count.failed if uid]
    data = None
    if failed:
        data = to_bytes(DataSet(FailedSOPInstanceUIDList=failed), message.context.transfer_syntax)
    elements = count.elements(final=status != CANCELLED)
    yield from respond(association, message, status, data=data, **elements)
