"""The provider of C-FIND: what matches an identifier, in many responses to a write (PS3.4 C.4.1, PS3.7 9.1.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.commands import encode_command, response_to
from dicomkit.dimse.instance_events import tell_query
from dicomkit.dimse.messages import message_buffers
from dicomkit.dimse.provider import Caller, Performer, caller_of, failure_of, respond
from dicomkit.dimse.steps import Buffer, Offload, Operation
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.net.errors import NetworkError

PENDING, CANCELLED = 0xFF00, 0xFE00
_AT_ONCE, _LONGEST = 64, 0.05
"""How many responses go into a write at most, and the seconds for which they are waited for. The peer may cancel
between two."""


class FindRequest(NamedTuple):
    """Who asks, in which information model, and in which transfer syntax the answers go out."""

    sop_class_uid: str
    caller: Caller
    transfer_syntax_uid: str


def finding(search: Callable[[DataSet, FindRequest], Iterable[DataSet | bytes]]) -> Performer:
    """Make the performer of C-FIND.

    Parameters
    ----------
    search
        Gives a data set for each match of an identifier, or its bytes in the transfer syntax of the answers. An error
        is answered as `failure_of` says.
    """

    def perform(association: Association, message: Message) -> Operation:
        syntax = message.context.transfer_syntax
        data = yield from association.read_data(message.context)
        tell_query(association, "query arrived", message.context.abstract_syntax, syntax, data)
        request = FindRequest(message.context.abstract_syntax, caller_of(association), syntax)
        try:
            identifier = read(data, transfer_syntax=syntax)
            matches = iter((yield Offload(lambda: search(identifier, request))))
            while batch := (yield Offload(partial(_encoded, matches, syntax))):
                yield from _respond_pending(association, message, batch)
                if (yield from is_cancelled(association, message)):
                    yield from respond(association, message, CANCELLED)
                    return
        except NetworkError:
            raise
        except Exception as error:
            status, comment = failure_of(association, error)
            yield from respond(association, message, status, ErrorComment=comment)
            return
        yield from respond(association, message, 0)

    return perform


def is_cancelled(association: Association, message: Message) -> Operation:
    """Look whether the peer has sent a C-CANCEL for a request meanwhile."""
    arrived = yield from association.read_arrived()
    if arrived is None:
        return False
    if arrived.command.name != "C-CANCEL-RQ":
        raise (yield from association.unexpected(arrived))
    return arrived.command.get("MessageIDBeingRespondedTo") == message.command.get("MessageID")


def _encoded(matches: Iterator[DataSet | bytes], syntax: str) -> list[bytes]:
    """Give the next matches: many where they come quickly, and those that there are where the search takes its time."""
    batch: list[bytes] = []
    until = time.monotonic() + _LONGEST
    for match in islice(matches, _AT_ONCE):
        batch.append(match if isinstance(match, bytes) else to_bytes(match, syntax))
        if time.monotonic() > until:
            break
    return batch


def _respond_pending(association: Association, message: Message, batch: list[bytes]) -> Operation:
    """Write a response for each match, all at once."""
    response, context_id = response_to(message.command, PENDING, has_data_set=True), message.context.context_id
    encoded = encode_command(response)
    buffers: list[Buffer] = []
    for data in batch:
        for part in message_buffers(context_id, encoded, data, association.maximum_length):
            buffers += part
    yield from association.write_data(buffers)
    if association.on_event is not None:
        for data in batch:
            association.emit("message sent", command=response, context_id=context_id, bytes=len(data))
