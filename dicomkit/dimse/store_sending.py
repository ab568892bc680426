"""Instances over one association after another: what waits, what is under way, and what is to be tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from dicomkit.dimse.association import Association
from dicomkit.dimse.commands import Command, command
from dicomkit.dimse.guarding import tell_breaker
from dicomkit.dimse.instance_events import InstanceHeader, header_of, tell_finished, tell_sent, tell_unsent
from dicomkit.dimse.messages import CHUNK, Sendable, Stream
from dicomkit.dimse.negotiation import Context, Proposal
from dicomkit.dimse.outgoing import Outgoing, outgoing
from dicomkit.dimse.pool import Target, peer_of, using
from dicomkit.dimse.retrying import followed
from dicomkit.dimse.steps import Emit, Offload, Operation, Sleep, Step
from dicomkit.dimse.store_plan import choose_context
from dicomkit.dimse.store_report import Outcome, Progress
from dicomkit.errors import DicomError
from dicomkit.net.bandwidth import Bandwidth
from dicomkit.net.errors import ContextNotAcceptedError, NetworkError, StatusError
from dicomkit.net.events import OnEvent
from dicomkit.net.retry import Retry, RetryHistory
from dicomkit.standard.statuses import status


class Prepared(NamedTuple):
    """An instance as it goes out."""

    instance: Outgoing
    context: Context
    data: Sendable
    header: InstanceHeader | None = None


@dataclass(slots=True, eq=False)
class Item:
    """An instance that is to be sent: its place in the report, and what was tried so far.

    Attributes
    ----------
    began
        When it was tried first, on the clock of the policy.
    due
        When it is to be tried again.
    """

    place: int
    instance: Outgoing
    history: RetryHistory = field(default_factory=RetryHistory)
    began: float | None = None
    due: float = 0.0
    header: InstanceHeader | None = None


@dataclass(slots=True)
class Run:
    """What an operation was asked for, and how far it is."""

    cancelled: Callable[[], bool]
    fail_fast: bool
    convert: bool
    preferred: tuple[str, ...]
    priority: int
    originator: tuple[str, int] | None
    delay: float
    rate_limit: float | Bandwidth | None
    total: int | None
    outcomes: list[Outcome] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    failed: int = 0
    size: int = 0
    associated: bool = False
    ended_by: DicomError | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.ended_by is not None or self.cancelled()

    def settle(self, place: int, outcome: Outcome) -> Emit:
        """Note what became of an instance for good, and count it."""
        self.outcomes[place] = outcome
        self.done += 1
        self.failed += not outcome.is_stored
        self.size += outcome.size
        if self.fail_fast and not outcome.is_stored and self.ended_by is None:
            self.ended_by = outcome.error or DicomError(outcome.reason)
        return Emit(Progress(outcome, self.done, self.total, self.failed, self.size, time.monotonic() - self.began))


@dataclass(slots=True, eq=False)
class Sending:
    """Instances that need the same contexts, on their way to a peer.

    Attributes
    ----------
    waiting
        What is to be sent now.
    later
        What is to be tried again once it is due.
    """

    target: Target
    proposal: Proposal
    waiting: list[Item]
    run: Run
    on_event: OnEvent | None = None
    later: list[Item] = field(default_factory=list)
    _used: Association | None = None
    _associated: bool = False
    _history: RetryHistory = field(default_factory=RetryHistory)
    _began: float = 0.0

    @property
    def policy(self) -> Retry | None:
        """When to try again."""
        return peer_of(self.target).retry

    def perform(self) -> Generator[Step, Any, list[Item]]:
        """Send what waits, over as many associations as that takes; return what is to be tried again later."""
        while self.waiting and not self.run.is_over:
            yield from self._over_one_association()
        yield from self._leave_the_rest()
        return self.later

    def _over_one_association(self) -> Operation:
        """Send what waits until it is done or the association breaks; then what was under way has failed."""
        under_way: dict[int, tuple[Item, Outcome, float]] = {}
        run = self.run
        limit = Bandwidth(run.rate_limit) if isinstance(run.rate_limit, (int, float)) else run.rate_limit
        self._associated, self._used = False, None
        if not self._history:
            self._began = self._now()

        def body(association: Association) -> Operation:
            self._associated = run.associated = True
            self._used = association
            self._history = RetryHistory()
            upcoming = None
            try:
                upcoming = yield from self._prepare_next(association)
                while upcoming is not None or under_way:
                    if upcoming is not None:
                        item, prepared = upcoming
                        message_id = association.next_message_id()
                        under_way[message_id], upcoming = (item, _outcome_of(prepared), time.monotonic()), None
                        request = self._request(prepared, message_id)
                        yield from association.write(prepared.context, request, prepared.data, limit)
                        item, outcome, began = under_way[message_id]
                        size = prepared.data.size if isinstance(prepared.data, Stream) else len(prepared.data)
                        under_way[message_id] = item, replace(outcome, size=size), began
                        if run.delay:
                            yield Sleep(run.delay)
                        upcoming = yield from self._prepare_next(association)
                    while under_way and (upcoming is None or len(under_way) == association.window):
                        yield from self._read_answer(association, under_way)
                    if upcoming is not None and self._is_left_alone:
                        self.waiting.insert(0, upcoming[0])
                        upcoming = None
            except NetworkError:
                if upcoming is not None:
                    self.waiting.insert(0, upcoming[0])
                while under_way and association.has_more:
                    yield from self._read_answer(association, under_way)
                raise

        try:
            yield from using(self.target, self.proposal, body, self.on_event, in_parts=True)
        except NetworkError as error:
            yield from self._broken(error, [(item, outcome) for item, outcome, _ in under_way.values()])
        except GeneratorExit:
            for item, _, _ in under_way.values():
                if self._used is not None:
                    tell_sent(self._used, item.instance, item.header, None, None, run.originator)
            raise
        finally:
            tell_finished(self._used, self.on_event, peer_of(self.target))

    def _read_answer(self, association: Association, under_way: dict[int, tuple[Item, Outcome, float]]) -> Operation:
        """Wait for the answer to one of the instances that are under way."""
        message = yield from association.read()
        to = message.command.get("MessageIDBeingRespondedTo") if message else None
        answered = under_way.pop(to, None) if to is not None else None
        if message is None or answered is None:
            raise (yield from association.unexpected(message))
        item, outcome, began = answered
        answer = status(message.command.Status, "C-STORE")
        outcome = replace(outcome, status=answer, seconds=time.monotonic() - began, history=item.history)
        yield from self._answered(item, outcome, str(message.command.get("ErrorComment", "")))

    @property
    def _is_left_alone(self) -> bool:
        """Whether the breaker of the peer says that nothing may go there."""
        breaker = peer_of(self.target).breaker
        return breaker is not None and breaker.retry_after > 0

    def _prepare_next(self, association: Association) -> Generator[Step, Any, tuple[Item, Prepared] | None]:
        """Make the next instance ready while the peer still works on the one before."""
        run = self.run
        while not run.is_over:
            if not self.waiting:
                self.waiting += take_due(self.later, self._now())
            if not self.waiting or self._is_left_alone:
                return None
            item = self.waiting.pop(0)
            if item.began is None:
                item.began = self._now()
            try:
                prepared = yield Offload(
                    partial(prepare, association, item.instance, run.preferred, convert=run.convert)
                )
            except DicomError as error:
                yield from self._tell(item, replace(outcome_of(item.instance), error=error))
                yield run.settle(item.place, replace(outcome_of(item.instance), error=error, history=item.history))
            else:
                item.header = prepared.header
                return item, prepared
        yield from self._leave_the_rest()
        return None

    def _leave_the_rest(self) -> Operation:
        """Send nothing more: what was tried before has failed, and the rest was not begun."""
        waiting, self.waiting = self.waiting, []
        for item in waiting:
            if item.history:
                yield self.run.settle(item.place, self.run.outcomes[item.place])

    def _answered(self, item: Item, outcome: Outcome, comment: str) -> Operation:
        """Note an answer; a refusal that may pass is one to try again."""
        yield from self._tell(item, outcome)
        if outcome.is_stored or outcome.status is None:
            tell_breaker(peer_of(self.target), None, self.on_event)
            yield self.run.settle(item.place, outcome)
        else:
            error = StatusError(outcome.status, comment=comment)
            tell_breaker(peer_of(self.target), error, self.on_event)
            yield from self._failed(item, outcome, error)

    def _tell(self, item: Item, outcome: Outcome) -> Operation:
        """Tell what came of an attempt to send an instance."""
        used, originator = self._used, self.run.originator
        listener = self.on_event if used is None else used.on_event
        if listener is None:
            return
        if item.header is None:
            item.header = yield Offload(partial(header_of, item.instance))
        if used is None:
            tell_unsent(listener, peer_of(self.target), item.instance, item.header, outcome.error, originator)
        else:
            tell_sent(used, item.instance, item.header, outcome.status, outcome.error, originator)

    def _failed(self, item: Item, outcome: Outcome, error: NetworkError) -> Operation:
        """Note a failure of one instance, for good or until it is tried again."""
        wait = self._wait_after(item, error)
        if wait is None:
            yield self.run.settle(item.place, outcome)
            return
        peer = str(peer_of(self.target))
        uid = item.instance.sop_instance_uid
        item.history = followed(item.history, error, wait, self.on_event, peer, sop_instance_uid=uid)
        item.due = self._now() + wait
        self.run.outcomes[item.place] = outcome
        self.later.append(item)

    def _wait_after(self, item: Item, error: NetworkError) -> float | None:
        if self.policy is None or self.run.is_over:
            return None
        policy = self.policy.for_sop_class(item.instance.sop_class_uid)
        began = self._now() if item.began is None else item.began
        return policy.wait_after(error, len(item.history) + 1, self._now() - began)

    def _broken(self, error: NetworkError, under_way: list[tuple[Item, Outcome]]) -> Operation:
        """Go on after an association that broke, or was not to be had."""
        if self.policy is not None and not self._associated:
            yield from self._unreachable(error, self.policy)
            return
        if not under_way and not self.run.done and not self.later:
            raise error
        if not under_way and self.waiting:
            item = self.waiting.pop(0)
            under_way = [(item, outcome_of(item.instance))]
        for item, outcome in under_way:
            yield from self._tell(item, replace(outcome, error=error))
            yield from self._failed(item, replace(outcome, error=error, history=item.history), error)

    def _unreachable(self, error: NetworkError, policy: Retry) -> Operation:
        """Wait before another association is tried; after the last one nothing that waits can be sent."""
        wait = policy.wait_after(error, len(self._history) + 1, self._now() - self._began)
        error.history = self._history
        if wait is not None and not self.run.is_over:
            self._history = followed(self._history, error, wait, self.on_event, str(peer_of(self.target)))
            yield Sleep(wait)
            if not self.run.is_over:
                return
        if not self.run.done and not self.run.associated:
            raise error
        for item in self.waiting:
            yield from self._tell(item, replace(outcome_of(item.instance), error=error))
            history = RetryHistory((*item.history, *self._history))
            yield self.run.settle(item.place, replace(outcome_of(item.instance), error=error, history=history))
        self.waiting.clear()

    def _now(self) -> float:
        return self.policy.clock() if self.policy is not None else time.monotonic()

    def _request(self, prepared: Prepared, message_id: int) -> Command:
        title, number = self.run.originator or (None, None)
        return command(
            "C-STORE-RQ",
            has_data_set=True,
            AffectedSOPClassUID=prepared.instance.sop_class_uid,
            MessageID=message_id,
            Priority=self.run.priority,
            AffectedSOPInstanceUID=prepared.instance.sop_instance_uid,
            MoveOriginatorApplicationEntityTitle=title,
            MoveOriginatorMessageID=number,
        )


def take_due(later: list[Item], now: float) -> list[Item]:
    """Take those that are due out of those that are to be tried again, the one that waited longest first."""
    due = sorted((item for item in later if item.due <= now), key=lambda item: item.due)
    later[:] = [item for item in later if item.due > now]
    return due


def prepare(
    association: Association, instance: Outgoing, preferred: Sequence[str] = (), *, convert: bool = True
) -> Prepared:
    """Choose the context of an instance, convert it where it must be, and read it where it is small.

    Raises
    ------
    ContextNotAcceptedError
        When the peer takes it in no transfer syntax that it may be sent in.
    DicomError
        When it can't be read or converted.
    """
    context = choose_context(association.contexts, instance, preferred, convert=convert)
    header = header_of(instance) if association.on_event is not None else None
    if context is None:
        association.context_for(instance.sop_class_uid)  # says what is refused, where all is
        raise ContextNotAcceptedError(instance.sop_class_uid, instance.transfer_syntax_uid, association.remote)
    if context.transfer_syntax != instance.transfer_syntax_uid:
        from dicomkit.pixels.transcode import transcode  # here, because it takes longer to import than all the rest

        converted = transcode(instance.to_dataset(), context.transfer_syntax)
        return Prepared(instance, context, outgoing(converted).data(), header)
    data = instance.data()
    if not isinstance(data, (bytes, bytearray, memoryview, Stream)) and len(data) <= CHUNK:
        data = data.read(0, len(data))
    return Prepared(instance, context, data, header)


def _outcome_of(prepared: Prepared) -> Outcome:
    converted = prepared.context.transfer_syntax != prepared.instance.transfer_syntax_uid
    return replace(
        outcome_of(prepared.instance), transfer_syntax_uid=prepared.context.transfer_syntax, converted=converted
    )


def outcome_of(instance: Outgoing) -> Outcome:
    """Return the outcome of an instance that was not sent yet."""
    return Outcome(
        name_of(instance.source), instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid
    )


def name_of(source: Any) -> str:
    """Return the path of a source, where it has one."""
    if isinstance(source, (str, bytes)):
        return source if isinstance(source, str) else ""
    return str(getattr(source, "path", None) or (source if hasattr(source, "__fspath__") else "") or "")
