"""The normalized services as their user: N-CREATE, N-SET, N-GET, N-ACTION, N-DELETE and N-EVENT-REPORT (PS3.7 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.commands import Command, command
from dicomkit.dimse.instance_events import tell_request
from dicomkit.dimse.negotiation import Context
from dicomkit.dimse.provider import Performer
from dicomkit.dimse.steps import Operation
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.net.errors import StatusError
from dicomkit.standard.statuses import Status, status
from dicomkit.values.tag import Tag

_ABOUT_AN_AFFECTED_INSTANCE = ("N-CREATE", "N-EVENT-REPORT")


class Reply(NamedTuple):
    """What a peer answered.

    Attributes
    ----------
    status
        Success, or a warning.
    sop_instance_uid
        Of the instance that it is about, which the provider of N-CREATE may have chosen; empty where it isn't said.
    data
        What came with it: an attribute list, an action or event reply; None where nothing did.
    """

    status: Status
    sop_instance_uid: str = ""
    data: DataSet | None = None


def request(
    association: Association,
    operation: str,
    sop_class_uid: str,
    sop_instance_uid: str | None = None,
    data: DataSet | None = None,
    *,
    number: int | None = None,
    attributes: Sequence[Any] = (),
    under: str | None = None,
    provider: bool = False,
    service: str = "",
    meanwhile: Performer | None = None,
) -> Operation:
    """Ask for something that is done to one instance, over an association that is there.

    Parameters
    ----------
    operation
        ``"N-CREATE"``, ``"N-SET"``, ``"N-GET"``, ``"N-ACTION"``, ``"N-DELETE"`` or ``"N-EVENT-REPORT"``.
    sop_class_uid, sop_instance_uid
        What it is done to; for N-CREATE None leaves it to the provider to choose a UID.
    data
        The attribute list, or the information of an action or event.
    number
        The type of the action or event.
    attributes
        Tags or keywords that N-GET asks for; none ask for all.
    under
        The abstract syntax of the presentation context, where it isn't the SOP class: a Meta SOP Class, or UPS Push
        for the other classes of its service.
    provider
        Whether we are the provider here, as for N-EVENT-REPORT.
    service
        The service class whose meanings statuses have (``"UPS"``, see `dicomkit.standard.statuses.services`).
    meanwhile
        What performs a request that the peer sends before its answer.

    Returns
    -------
    Reply
        With success or a warning.

    Raises
    ------
    ContextNotAcceptedError
        When the peer didn't accept the abstract syntax.
    StatusError
        When the peer answers with a failure; it has the data set that came with it.
    NetworkError
        When the association ended.
    """
    context = association.context_for(under or sop_class_uid, provider=provider)
    message_id = association.next_message_id()
    asked = _command(operation, sop_class_uid, sop_instance_uid, data, message_id, number, attributes)
    encoded = None if data is None else to_bytes(data, context.transfer_syntax)
    yield from association.write(context, asked, encoded)
    message = yield from _answer(association, message_id, meanwhile)
    answer: Command = message.command
    reply = yield from read_data_set(association, message)
    meaning = status(answer.Status, f"{service} {operation}".strip())
    uid = str(answer.get("AffectedSOPInstanceUID") or sop_instance_uid or "")
    tell_request(association, operation, sop_class_uid, uid, answer.Status, data, reply)
    if meaning.category == "Failure":
        raise StatusError(meaning, reply, comment=str(answer.get("ErrorComment", "")))
    return Reply(meaning, uid, reply)


def read_data_set(association: Association, message: Message) -> Operation:
    """Read the data set that comes with a message, into memory; None where none does."""
    if not message.command.has_data_set:
        return None
    data = yield from association.read_data(message.context)
    return read(data, transfer_syntax=message.context.transfer_syntax) if data else DataSet()


def _command(
    operation: str,
    sop_class_uid: str,
    sop_instance_uid: str | None,
    data: DataSet | None,
    message_id: int,
    number: int | None,
    attributes: Sequence[Any],
) -> Command:
    which = "Affected" if operation in _ABOUT_AN_AFFECTED_INSTANCE else "Requested"
    elements: dict[str, Any] = {
        f"{which}SOPClassUID": sop_class_uid,
        f"{which}SOPInstanceUID": sop_instance_uid,
        "MessageID": message_id,
        "ActionTypeID": number if operation == "N-ACTION" else None,
        "EventTypeID": number if operation == "N-EVENT-REPORT" else None,
        "AttributeIdentifierList": tuple(Tag.of(attribute) for attribute in attributes) or None,
    }
    return command(f"{operation}-RQ", has_data_set=data is not None, **elements)


def _answer(association: Association, message_id: int, meanwhile: Performer | None) -> Operation:
    """Wait for the response; requests that come before it are performed."""
    while True:
        message: Message | None = yield from association.read()
        if message is not None and message.command.get("MessageIDBeingRespondedTo") == message_id:
            return message
        if message is None or meanwhile is None or not message.command.is_request:
            raise (yield from association.unexpected(message))
        yield from meanwhile(association, message)


def accepted_context(association: Association, *abstract_syntaxes: str) -> Context | None:
    """Return the first context that the peer accepted; None where it accepted none of them."""
    for abstract_syntax in abstract_syntaxes:
        for context in association.contexts.values():
            if context.abstract_syntax == abstract_syntax and context.as_user:
                return context
    return None
