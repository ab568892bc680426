"""The provider's side of an association: accept or reject it, and perform what is asked until it ends (PS3.8 7)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from dicomkit.dimse.association import Association, Message, Sink
from dicomkit.dimse.commands import Command, response_to
from dicomkit.dimse.connection import Connection, Indication
from dicomkit.dimse.established import LINGER, deadline_after, seconds_until, without_secrets
from dicomkit.dimse.negotiation import Supports, agreed_contexts, answer_request
from dicomkit.dimse.pdu import AssociateAC, AssociateRJ, AssociateRQ
from dicomkit.dimse.steps import Close, Offload, Operation, Read, Step, Wire, Write
from dicomkit.dimse.tracing import tracing
from dicomkit.dimse.user_information import (
    DEFAULT_MAXIMUM_LENGTH,
    AsynchronousOperations,
    UserIdentityResponse,
    UserInformation,
)
from dicomkit.errors import DicomError, SourceError
from dicomkit.net.errors import NetworkError, PeerTimeoutError
from dicomkit.net.events import Event, OnEvent
from dicomkit.net.timeouts import Timeouts

UNRECOGNIZED_OPERATION, SOP_CLASS_NOT_SUPPORTED, PROCESSING_FAILURE = 0x0211, 0x0122, 0x0110
OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000
REFUSED, REFUSED_FOR_NOW = AssociateRJ(1, 1, 1), AssociateRJ(2, 1, 1)
"""By a service user that gives no reason: for good, and for now."""

Answer: TypeAlias = "AssociateRJ | UserIdentityResponse | bool | None"
"""What a policy says of a request: a rejection (False: without a reason), an acceptance that answers the user identity,
or a plain one (None or True)."""
Performer: TypeAlias = "Callable[[Association, Message], Operation]"


class Caller(NamedTuple):
    """Who asks for something, and over what."""

    calling_aet: str
    called_aet: str
    host: str
    port: int
    user: str | None = None


class Refused(DicomError):
    """What a performer won't do; ``status`` is what the peer is answered."""

    def __init__(self, message: str, *, status: int = CANNOT_UNDERSTAND, **where: Any) -> None:
        super().__init__(message, **where)
        self.status = status


def accept_all(request: AssociateRQ, caller: Caller) -> Answer:
    """Accept whoever comes."""
    return None


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider is and does.

    Parameters
    ----------
    performers
        What performs a command, by the SOP class and the name of the command (``("1.2.840.10008.1.1", "C-ECHO-RQ")``);
        an empty SOP class stands for every one that has no performer of its own.
    supports
        Gives the transfer syntaxes that are taken for an abstract syntax, the best first.
    accept
        Says of each request for an association whether it is accepted.
    provided_by_requestor
        Whether the requestor may be the provider of an abstract syntax, as C-GET needs it.
    maximum_length
        How large the PDUs may be that we are ready to receive.
    window
        How many operations a requestor may have under way at once.
    timeouts
        How long to wait for what.
    on_event
        What is told of every event.
    """

    performers: Mapping[tuple[str, str], Performer]
    supports: Supports
    accept: Callable[[AssociateRQ, Caller], Answer] = accept_all
    provided_by_requestor: Callable[[str], bool] = lambda _: False
    maximum_length: int = DEFAULT_MAXIMUM_LENGTH
    window: int = 16
    timeouts: Timeouts = field(default_factory=Timeouts)
    on_event: OnEvent | None = None

    def performer(self, sop_class: str, name: str) -> Performer | None:
        """Return what performs a command of a SOP class."""
        return self.performers.get((sop_class, name)) or self.performers.get(("", name))


def provide(provider: Provider, wire: Wire, address: tuple[str, int]) -> Operation:
    """Serve one transport connection until it ends.

    Raises
    ------
    NetworkError
        When the association ended otherwise than by release.
    """
    if provider.on_event is not None:
        provider = replace(provider, on_event=_guarded(provider.on_event))
    association = yield from _accept(provider, wire, address)
    if association is None:
        return
    try:
        yield from _serve(provider, association)
    except NetworkError as error:
        association.failed_by(error)
        raise
    except GeneratorExit:
        association.emit("association abandoned", level="info", category="association")
        wire.abandon(association.abort_bytes())
        raise
    except BaseException as error:
        association.emit("performer failed", level="error", category="operation", error=repr(error))
        yield from association.abort()
        raise


def _guarded(listener: OnEvent) -> OnEvent:
    """Make a listener whose faults don't end an association: the first is logged."""
    failed: list[Exception] = []

    def listen(event: Event) -> None:
        try:
            listener(event)
        except Exception as error:
            if not failed:
                logging.getLogger("dicomkit.dimse").exception("a listener to events failed")
            failed.append(error)

    return listen


def telling_refusals(listener: OnEvent | None) -> Callable[[str, NetworkError], object]:
    """Make what tells a listener of connections that couldn't be secured."""
    if listener is None:
        return lambda remote, error: None
    listen = _guarded(listener)

    def refused(remote: str, error: NetworkError) -> None:
        data = {"error": str(error), "cause": error.category}
        listen(Event("connection refused", level="warning", category="security", peer=remote, data=data))

    return refused


def caller_of(association: Association) -> Caller:
    """Return who asks."""
    request = association.request
    host, _, port = association.remote.rpartition(":")
    identity = request.user.identity
    return Caller(request.calling_ae, request.called_ae, host, int(port), identity.name if identity else None)


def respond(
    association: Association, message: Message, status: int, *, data: bytes | None = None, **elements: Any
) -> Operation:
    """Write the response to a request."""
    response = response_to(message.command, status, has_data_set=data is not None, **elements)
    yield from association.write(message.context, response, data)


def failure_of(association: Association, error: Exception) -> tuple[int, str]:
    """Return the status and the comment with which an error is answered; the peer learns no path of ours.

    An error says its status itself (attribute ``status``); one of a file means that resources ran out, another
    DicomError that the request can't be understood, and any other is a fault of ours, which goes to the events.
    """
    if not isinstance(error, DicomError):
        association.emit("performer failed", level="error", category="operation", error=repr(error))
        return PROCESSING_FAILURE, "processing failed"
    status = OUT_OF_RESOURCES if isinstance(error, SourceError) else CANNOT_UNDERSTAND
    return getattr(error, "status", status), error.message[:64]


def skip_data(association: Association, message: Message, sink: Sink = lambda _: None) -> Operation:
    """Read the data set of a request that nobody wants, and forget it."""
    if message.command.has_data_set:
        yield from association.data_buffers(message.context, sink)


def _accept(provider: Provider, wire: Wire, address: tuple[str, int]) -> Generator[Step, Any, Association | None]:
    """Read the request for an association within the ARTIM time-out, and answer it."""
    remote = f"{address[0]}:{address[1]}"
    name = f"{id(wire):x}"
    connection = Connection(
        acceptor=True,
        max_pdu=max(provider.maximum_length, 1 << 20),
        trace=tracing(provider.on_event, remote, name),
    )
    request = yield from _request(provider, connection, wire)
    if request is None:
        return None
    identity = request.user.identity
    caller = Caller(request.calling_ae, request.called_ae, *address, identity.name if identity else None)
    association = Association(
        wire,
        connection,
        request,
        AssociateAC("", "", ()),
        {},
        remote,
        provider.timeouts,
        provider.on_event,
        name,
    )
    told = without_secrets(request)
    association.emit("association received", level="info", category="association", request=told)
    decision = yield from _decide(provider, association, caller)
    if isinstance(decision, AssociateRJ):
        association.emit("association refused", level="warning", category="association", answer=decision)
        connection.send(decision)
        yield Write(wire, [connection.take_output()], provider.timeouts.write)
        yield Close(wire, LINGER)
        return None
    user = UserInformation(provider.maximum_length, identity_response=decision)
    answer = answer_request(
        request,
        provider.supports,
        user,
        provided_by_requestor=provider.provided_by_requestor,
        window=AsynchronousOperations(provider.window, 1),
    )
    connection.send(answer)
    association.answer = answer
    association.contexts = agreed_contexts(request, answer, acceptor=True)
    yield from association.write_buffers([connection.take_output()])
    association.emit("association granted", level="info", category="association", answer=answer)
    return association


def _decide(
    provider: Provider, association: Association, caller: Caller
) -> Generator[Step, Any, AssociateRJ | UserIdentityResponse | None]:
    """Ask the policy; where it fails, or gives what is no answer, nobody is taken."""
    try:
        decision = yield Offload(partial(provider.accept, association.request, caller))
    except Exception as error:
        association.emit("policy failed", level="error", category="security", error=repr(error))
        return REFUSED_FOR_NOW
    if decision is None or decision is True:
        return None
    return decision if isinstance(decision, (AssociateRJ, UserIdentityResponse)) else REFUSED


def _request(provider: Provider, connection: Connection, wire: Wire) -> Generator[Step, Any, AssociateRQ | None]:
    """Read until there is a request; None where something else came, or nothing in time."""
    indications: list[Indication] = []
    deadline = deadline_after(provider.timeouts.artim)
    while not indications:
        try:
            data = yield Read(wire, seconds_until(deadline))
            indications = connection.receive(data) if data else connection.closed()
        except PeerTimeoutError:
            connection.expire()
        if connection.state != 3:
            if output := connection.take_output():
                yield Write(wire, [output], provider.timeouts.write)
            if connection.must_close or connection.state in (1, 13):
                _tell(provider, wire, indications)
                yield Close(wire, LINGER)
                return None
    return indications[0] if isinstance(indications[0], AssociateRQ) else None


def _tell(provider: Provider, wire: Wire, indications: Sequence[Indication]) -> None:
    if provider.on_event is not None:
        what = repr(indications[0]) if indications else "nothing in time"
        provider.on_event(
            Event("no association", level="warning", category="association", peer=wire.remote, data={"received": what})
        )


def _serve(provider: Provider, association: Association) -> Operation:
    association.perform = partial(_perform, provider)
    while True:
        message = None
        if not association.release_requested:
            message = yield from association.read_within(provider.timeouts.idle)
        if message is None:
            yield from association.accept_release()
            return
        command = message.command
        if command.name == "C-CANCEL-RQ" or not command.is_request:
            yield from skip_data(association, message)
            continue  # what it is to cancel is done already
        yield from _perform(provider, association, message)


def _perform(provider: Provider, association: Association, message: Message) -> Operation:
    performer, failure = _performer(provider, message)
    if performer is not None:
        yield from performer(association, message)
    else:
        yield from skip_data(association, message)
        yield from respond(association, message, failure)


def _performer(provider: Provider, message: Message) -> tuple[Performer | None, int]:
    """Return what performs a request, or why nothing does."""
    context, command = message
    sop_class = _sop_class(command)
    if sop_class != context.abstract_syntax and (sop_class, command.name) not in provider.performers:
        return None, SOP_CLASS_NOT_SUPPORTED
    return provider.performer(context.abstract_syntax, command.name), UNRECOGNIZED_OPERATION


def _sop_class(command: Command) -> str:
    return str(command.get("AffectedSOPClassUID") or command.get("RequestedSOPClassUID") or "")


def verification(association: Association, message: Message) -> Operation:
    """Perform C-ECHO (PS3.4 Annex A)."""
    yield from respond(association, message, 0)
