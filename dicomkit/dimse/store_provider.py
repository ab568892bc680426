"""The provider of C-STORE: each instance streams into a receipt, as it comes (PS3.4 Annex B, PS3.7 9.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.instance_events import InstanceHeader, instance_header, keep_head
from dicomkit.dimse.provider import Caller, Performer, Refused, caller_of, failure_of, respond, skip_data
from dicomkit.dimse.steps import Buffer, Offload, Operation
from dicomkit.net.errors import NetworkError
from dicomkit.values.uid import UID

INVALID_SOP_INSTANCE = 0x0117


class Incoming(NamedTuple):
    """An instance that is about to come, and from whom."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    caller: Caller
    priority: int
    originator: tuple[str, int] | None


class Receipt(Protocol):
    """Where an instance goes: nothing of it may be seen before `commit`."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Take the next bytes of the encoded data set; they are only valid during the call."""

    def commit(self) -> Any:
        """Make it all there is to be seen."""

    def discard(self) -> None:
        """Leave nothing behind; called after a failure, and never after a commit that succeeded."""


def storing(receive: Callable[[Incoming], Receipt]) -> Performer:
    """Make the performer of C-STORE.

    Parameters
    ----------
    receive
        Called before an instance is read. It raises `Refused` for one that isn't wanted; any other error, here or from
        the receipt, is answered as `failure_of` says.
    """

    def perform(association: Association, message: Message) -> Operation:
        incoming = _incoming(association, message)
        status, comment, receipt = 0, None, None
        head = bytearray() if association.on_event is not None else None
        try:
            if not UID(incoming.sop_instance_uid).is_valid:
                raise Refused("the SOP Instance UID is none", status=INVALID_SOP_INSTANCE)
            receipt = yield Offload(partial(receive, incoming))
        except Exception as error:
            status, comment = failure_of(association, error)
        try:
            if receipt is None:
                yield from skip_data(association, message, partial(keep_head, head))
            else:
                status, comment = yield from _take(association, message, receipt, head)
        except NetworkError as error:
            _tell(association, incoming, head, None, str(error))
            raise
        _tell(association, incoming, head, status, comment)
        yield from respond(association, message, status, ErrorComment=comment)

    return perform


def _tell(
    association: Association, incoming: Incoming, head: bytearray | None, status: int | None, comment: str | None
) -> None:
    """Tell what became of an instance; without a status it didn't come to its end."""
    association.emit(
        "instance stored" if status == 0 else "instance refused" if status else "instance lost",
        level="info" if status == 0 else "warning",
        category="storage",
        sop_class_uid=incoming.sop_class_uid,
        sop_instance_uid=incoming.sop_instance_uid,
        status=status,
        **({"error": comment} if comment else {}),
        **({"originator": incoming.originator} if incoming.originator else {}),
        header=instance_header(head, incoming.transfer_syntax_uid) if head else InstanceHeader(),
    )


def _take(association: Association, message: Message, receipt: Receipt, head: bytearray | None) -> Operation:
    """Stream a data set into its receipt; after a failure the rest is read and forgotten."""
    failure: list[tuple[int, str]] = []

    def sink(buffers: list[Buffer]) -> Operation | None:
        keep_head(head, buffers)
        return None if failure else write(buffers)

    def write(buffers: list[Buffer]) -> Operation:
        try:
            yield Offload(partial(receipt.write, buffers))
        except Exception as error:
            failure.append(failure_of(association, error))

    try:
        yield from association.data_buffers(message.context, sink)
        if not failure:
            try:
                yield Offload(receipt.commit)
            except Exception as error:
                failure.append(failure_of(association, error))
    except BaseException:
        receipt.discard()
        raise
    if failure:
        yield Offload(receipt.discard)
        return failure[0]
    return 0, None


def _incoming(association: Association, message: Message) -> Incoming:
    command = message.command
    title = command.get("MoveOriginatorApplicationEntityTitle")
    return Incoming(
        message.context.abstract_syntax,
        command.get("AffectedSOPInstanceUID", ""),
        message.context.transfer_syntax,
        caller_of(association),
        command.get("Priority", 0),
        (title, command.get("MoveOriginatorMessageID", 0)) if title else None,
    )
