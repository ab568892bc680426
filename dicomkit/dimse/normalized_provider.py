"""The provider of the normalized services: functions from a request to an answer, made into performers (PS3.7 10)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.instance_events import tell_request
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized import read_data_set
from dicomkit.dimse.provider import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    Caller,
    Performer,
    Provider,
    Refused,
    caller_of,
    failure_of,
    respond,
)
from dicomkit.dimse.steps import Offload, Operation
from dicomkit.encoding.writer import to_bytes
from dicomkit.net.errors import NetworkError
from dicomkit.values.tag import Tag

MOST_TO_FOLLOW = 64
_RESOURCE_LIMITATION = 0x0213
_AS_NORMALIZED: Mapping[int, int] = {OUT_OF_RESOURCES: _RESOURCE_LIMITATION, CANNOT_UNDERSTAND: PROCESSING_FAILURE}
"""Statuses that only storage and queries have, as these services say them (PS3.7 annex C)."""


class NormalizedRequest(NamedTuple):
    """What a peer asks for.

    Attributes
    ----------
    operation
        ``"N-CREATE"``, ``"N-SET"``, ``"N-GET"``, ``"N-ACTION"``, ``"N-DELETE"`` or ``"N-EVENT-REPORT"``.
    sop_class_uid, sop_instance_uid
        What it is about; the instance is empty where N-CREATE leaves its UID to the provider.
    data
        The attribute list, or the information of the action or event; None where none came.
    number
        The type of the action or event, 0 for other operations.
    attributes
        What N-GET asks for; none stand for all.
    caller
        Who asks.
    abstract_syntax
        Of the presentation context.
    association
        A name of the association that lasts as long as it does.
    """

    operation: str
    sop_class_uid: str
    sop_instance_uid: str
    data: DataSet | None
    number: int
    attributes: tuple[Tag, ...]
    caller: Caller
    abstract_syntax: str
    association: str


@dataclass(frozen=True, slots=True)
class NormalizedAnswer:
    """What a peer is answered.

    Parameters
    ----------
    data
        The attribute list, or the reply to the action or event.
    status
        Success or a warning; failures are errors with a ``status``, as `Refused` is.
    sop_instance_uid
        Of the instance that N-CREATE made, where the peer left that to us.
    comment, error_id
        A few words, and the number that a service has for a failure.
    then
        What happens on the association after the answer: a report of an event, or a `Beside`.
    """

    data: DataSet | None = None
    status: int = 0
    sop_instance_uid: str | None = None
    comment: str | None = None
    error_id: int | None = None
    then: Callable[[Association], Operation] | None = None


Perform: TypeAlias = "Callable[[NormalizedRequest], NormalizedAnswer | DataSet | None]"


def performing(perform: Perform) -> Performer:
    """Make a performer of a function, which may take a while and runs beside the wire.

    Parameters
    ----------
    perform
        Gives the answer, or its data set, or None for success without one. An error is answered as `failure_of` says;
        `Refused` has a status of one's own.
    """

    def answer_message(association: Association, message: Message) -> Operation:
        data = None
        try:
            data = yield from read_data_set(association, message)
            if len(association.afterwards) > MOST_TO_FOLLOW:
                raise Refused("too many requests wait for what follows them", status=_RESOURCE_LIMITATION)
            answer = yield Offload(partial(perform, _request(association, message, data)))
        except NetworkError:
            raise
        except Exception as error:
            status, comment = failure_of(association, error)
            status = _AS_NORMALIZED.get(status, status)
            _tell(association, message, status, data)
            yield from respond(association, message, status, ErrorComment=comment)
            return
        if not isinstance(answer, NormalizedAnswer):
            answer = NormalizedAnswer(answer)
        _tell(association, message, answer.status, data, answer)
        encoded = None if answer.data is None else to_bytes(answer.data, message.context.transfer_syntax)
        yield from respond(
            association,
            message,
            answer.status,
            data=encoded,
            ErrorComment=answer.comment,
            ErrorID=answer.error_id,
            **({"AffectedSOPInstanceUID": answer.sop_instance_uid} if answer.sop_instance_uid else {}),
        )
        if answer.then is not None:
            association.afterwards.append(answer.then)
            yield from _what_follows(association)

    return answer_message


def _tell(
    association: Association,
    message: Message,
    status: int,
    data: DataSet | None,
    answer: NormalizedAnswer | None = None,
) -> None:
    get = message.command.get
    sop_class = str(get("RequestedSOPClassUID") or get("AffectedSOPClassUID") or "")
    asked = str(get("RequestedSOPInstanceUID") or get("AffectedSOPInstanceUID") or "")
    uid, reply = (answer.sop_instance_uid, answer.data) if answer else (None, None)
    name = message.command.name.removesuffix("-RQ")
    tell_request(association, name, sop_class, uid or asked, status, data, reply)


def _what_follows(association: Association) -> Operation:
    """Do what is to follow answers, one after the other, also where a request comes in the middle of it."""
    if len(association.afterwards) > 1:
        return  # whoever answered the earlier request goes on with this one
    while association.afterwards:
        yield from association.afterwards[0](association)
        association.afterwards.popleft()


def _request(association: Association, message: Message, data: DataSet | None) -> NormalizedRequest:
    command = message.command
    attributes = command.get("AttributeIdentifierList") or ()
    return NormalizedRequest(
        command.name.removesuffix("-RQ"),
        str(command.get("RequestedSOPClassUID") or command.get("AffectedSOPClassUID") or ""),
        str(command.get("RequestedSOPInstanceUID") or command.get("AffectedSOPInstanceUID") or ""),
        data,
        command.get("ActionTypeID") or command.get("EventTypeID") or 0,
        tuple(attributes) if isinstance(attributes, tuple) else (Tag(attributes),),
        caller_of(association),
        message.context.abstract_syntax,
        association.id,
    )


def selected(data: DataSet, attributes: Sequence[Tag]) -> DataSet:
    """Return what N-GET asks for of a data set: all of it where nothing is named.

    Examples
    --------
    >>> selected(DataSet(PatientID="1", PatientName="DOE"), [Tag.of("PatientID")]).PatientID
    '1'
    """
    if not attributes:
        return data
    wanted = set(attributes)
    return data.drop(*(tag for tag in data if tag not in wanted))


@dataclass(frozen=True, slots=True)
class Service:
    """What a provider does beside others: the performers of a service class, and what they need of negotiation.

    Parameters
    ----------
    performers
        By SOP class and command, as `Provider` has them.
    abstract_syntaxes
        Those that are accepted, each with its transfer syntaxes, the best first.
    provided_by_requestor
        Those whose provider the requestor may be, as who reports an event.
    beside
        Make operations that run from the start of a server to its end, or their own.
    """

    performers: Mapping[tuple[str, str], Performer]
    abstract_syntaxes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    provided_by_requestor: Collection[str] = ()
    beside: Sequence[Callable[[], Operation]] = ()

    @classmethod
    def of(
        cls,
        performers: Mapping[tuple[str, str], Performer],
        *,
        also: Collection[str] = (),
        provided_by_requestor: Collection[str] = (),
        beside: Sequence[Callable[[], Operation]] = (),
    ) -> Service:
        """Make a service whose SOP classes, and some Meta SOP Classes, are accepted in what carries no pixels."""
        accepted = {sop_class: NATIVE for sop_class, _ in performers} | dict.fromkeys(also, NATIVE)
        return cls(performers, accepted, provided_by_requestor, beside)


def with_services(provider: Provider, services: Sequence[Service]) -> Provider:
    """Return a provider that has some services more; of two for the same, the last counts."""
    performers = dict(provider.performers)
    accepted: dict[str, Sequence[str]] = {}
    reversed_roles: set[str] = set()
    for service in services:
        performers |= service.performers
        accepted |= service.abstract_syntaxes
        reversed_roles |= set(service.provided_by_requestor)
    return replace(
        provider,
        performers=performers,
        supports=lambda uid: accepted.get(uid) or provider.supports(uid),
        provided_by_requestor=lambda uid: uid in reversed_roles or provider.provided_by_requestor(uid),
    )
