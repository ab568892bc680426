"""C-STORE: instances to a peer, as many as there are, over as few associations as they need (PS3.4 Annex B)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.commands import MEDIUM, Command, command
from dicomkit.dimse.messages import CHUNK, Sendable, Stream
from dicomkit.dimse.negotiation import Context
from dicomkit.dimse.outgoing import Outgoing, Source, outgoing
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.steps import Emit, Offload, Operation, Sleep, Step, Together
from dicomkit.dimse.store_plan import choose_context, proposals
from dicomkit.dimse.store_report import Outcome, Progress, StoreReport
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import ContextNotAcceptedError, NetworkError
from dicomkit.net.events import OnEvent
from dicomkit.standard.statuses import status
from dicomkit.tables.find_files import find_files
from dicomkit.values.uid import UID

BATCH = 1000
"""How many instances of a generator are looked at before they are sent."""


class Prepared(NamedTuple):
    """An instance as it goes out."""

    instance: Outgoing
    context: Context
    data: Sendable


@dataclass(slots=True)
class _Run:
    """What an operation was asked for, and how far it is."""

    cancelled: Callable[[], bool]
    fail_fast: bool
    convert: bool
    preferred: tuple[str, ...]
    priority: int
    originator: tuple[str, int] | None
    delay: float
    rate_limit: float | None
    total: int | None
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    failed: int = 0
    size: int = 0
    ended_by: DicomError | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.ended_by is not None or self.cancelled()

    def progress(self, outcome: Outcome) -> Progress:
        """Count an outcome."""
        self.done += 1
        self.failed += not outcome.is_stored
        self.size += outcome.size
        if self.fail_fast and not outcome.is_stored and self.ended_by is None:
            self.ended_by = outcome.error or DicomError(outcome.reason)
        return Progress(outcome, self.done, self.total, self.failed, self.size, time.monotonic() - self.began)


def store(
    peer: Target,
    instances: Source | Iterable[Source],
    *,
    convert: bool = True,
    transfer_syntaxes: Sequence[str] = (),
    fail_fast: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    associations: int = 1,
    most_per_association: int | None = None,
    priority: int = MEDIUM,
    originator: tuple[str, int] | None = None,
    delay: float = 0.0,
    rate_limit: float | None = None,
    on_event: OnEvent | None = None,
) -> Operation:
    """Send instances to a peer.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    instances
        A path, folder, DataSet, bytes of a file, or `Outgoing`; or many of them, also from a generator. They are read
        as they are sent.
    convert
        Whether an instance may be converted, without loss, where the peer doesn't take it as it is.
    transfer_syntaxes
        To which to convert what the peer takes in them, the best first; without loss.
    fail_fast
        Whether to stop at the first that isn't stored; otherwise the rest is sent.
    cancelled
        Asked before each instance; once it says True nothing more is sent.
    associations
        How many to use at once.
    most_per_association
        How many instances one association carries at most.
    priority
        LOW, MEDIUM or HIGH of `dicomkit.dimse.commands`.
    originator
        AE title and message ID of the C-MOVE that asks for it.
    delay
        Seconds to wait after each instance.
    rate_limit
        Bytes a second at most, for each association.
    on_event
        What is told of every event.

    Yields
    ------
    Progress
        After each instance.

    Returns
    -------
    StoreReport
        The outcome of each instance. Instances that can't be read or sent are in it, too.

    Raises
    ------
    NetworkError
        When no association at all can be established.
    """
    if associations < 1 or (most_per_association is not None and most_per_association < 1):
        raise ValueFormatError(f"{associations} associations of {most_per_association} instances", hint="1 or more")
    syntaxes = tuple(str(UID.of(syntax)) for syntax in transfer_syntaxes)
    sources, total = _many(instances)
    run = _Run(cancelled, fail_fast, convert, syntaxes, priority, originator, delay, rate_limit, total)
    outcomes: list[Outcome] = []
    while batch := list(islice(sources, BATCH)):
        outcomes += yield from _store_batch(peer, batch, run, associations, most_per_association, on_event)
    return StoreReport(tuple(outcomes), time.monotonic() - run.began, run.ended_by)


def _many(instances: Any) -> tuple[Iterator[Source], int | None]:
    """Return an iterator over one or many sources, and how many there are, where that is known."""
    if hasattr(instances, "path") and hasattr(instances, "itertuples"):  # a table of files
        instances = list(dict.fromkeys(instances.path))
    single = isinstance(instances, (str, bytes, DataSet, Outgoing)) or hasattr(instances, "__fspath__")
    sources = [instances] if single or not isinstance(instances, Iterable) else instances
    if not isinstance(sources, Sequence):
        return _files_of(sources), None
    files = list(_files_of(sources))
    return iter(files), len(files)


def _files_of(sources: Iterable[Source]) -> Iterator[Source]:
    """Give the files of folders in place of them."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
            yield from find_files(source)
        else:
            yield source


def _store_batch(
    peer: Target, batch: list[Source], run: _Run, associations: int, most: int | None, on_event: OnEvent | None
) -> Generator[Step, Any, list[Outcome]]:
    """Look at instances, share them out over associations, and send them."""
    found: list[Outgoing] = []
    places: list[int] = []
    outcomes: list[Outcome | None] = [None] * len(batch)
    for place, source in enumerate(batch):
        try:
            found.append((yield Offload(partial(outgoing, source))))
            places.append(place)
        except DicomError as error:
            outcomes[place] = unread = Outcome(_name(source), error=error)
            yield Emit(run.progress(unread))
    jobs = []
    for proposal, numbers in proposals(found, run.preferred, convert=run.convert):
        size = min(most or len(numbers), -(-len(numbers) // associations))
        for start in range(0, len(numbers), size):
            jobs.append((proposal, numbers[start : start + size]))

    def one_after_another(own: list[Any]) -> Operation:
        for proposal, numbers in own:
            waiting = list(numbers)
            while waiting:
                yield from _one_association(peer, proposal, found, waiting, places, outcomes, run, on_event)

    if associations == 1 or len(jobs) < 2:
        yield from one_after_another(jobs)
    else:
        yield Together(
            [one_after_another(jobs[number::associations]) for number in range(min(associations, len(jobs)))]
        )
    return [
        outcome if outcome is not None else Outcome(_name(source))
        for outcome, source in zip(outcomes, batch, strict=True)
    ]


def _one_association(
    peer: Target,
    proposal: Any,
    found: list[Outgoing],
    waiting: list[int],
    places: list[int],
    outcomes: list[Outcome | None],
    run: _Run,
    on_event: OnEvent | None,
) -> Operation:
    """Send what waits until it is done or the association breaks; then what was under way counts as failed."""
    under_way: dict[int, tuple[int, Outcome, float]] = {}

    def settle(number: int, outcome: Outcome) -> Emit:
        outcomes[places[number]] = outcome
        return Emit(run.progress(outcome))

    def body(association: Association) -> Operation:
        upcoming = yield from _prepare_next(association, found, waiting, run, settle)
        while upcoming is not None or under_way:
            if upcoming is not None:
                number, prepared = upcoming
                message_id = association.next_message_id()
                under_way[message_id] = number, _outcome_of(prepared), time.monotonic()
                yield from association.write(prepared.context, _request(prepared, message_id, run), prepared.data)
                number, outcome, began = under_way[message_id]
                size = prepared.data.size if isinstance(prepared.data, Stream) else len(prepared.data)
                under_way[message_id] = number, replace(outcome, size=size), began
                yield from _slow_down(run, size, began)
                upcoming = yield from _prepare_next(association, found, waiting, run, settle)
            while under_way and (upcoming is None or len(under_way) == association.window):
                message = yield from association.read()
                answered = under_way.pop(message.command.get("MessageIDBeingRespondedTo"), None) if message else None
                if message is None or answered is None:
                    raise (yield from association.unexpected(message))
                number, outcome, began = answered
                answer = status(message.command.Status, "C-STORE")
                yield settle(number, replace(outcome, status=answer, seconds=time.monotonic() - began))

    try:
        yield from using(peer, proposal, body, on_event)
    except NetworkError as error:
        if not under_way and not run.done:
            raise
        broken = [(number, outcome) for number, outcome, _ in under_way.values()]
        if not broken and waiting:
            number = waiting.pop(0)
            broken = [(number, _outcome_of_instance(found[number]))]
        for number, outcome in broken:
            yield settle(number, replace(outcome, error=error))


def _prepare_next(
    association: Association,
    found: list[Outgoing],
    waiting: list[int],
    run: _Run,
    settle: Callable[[int, Outcome], Emit],
) -> Generator[Step, Any, tuple[int, Prepared] | None]:
    """Make the next instance ready while the peer still works on the one before."""
    while waiting and not run.is_over:
        number = waiting.pop(0)
        instance = found[number]
        try:
            prepared = yield Offload(partial(prepare, association, instance, run.preferred, convert=run.convert))
        except DicomError as error:
            yield settle(number, replace(_outcome_of_instance(instance), error=error))
        else:
            return number, prepared
    waiting.clear()
    return None


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
    if context is None:
        association.context_for(instance.sop_class_uid)  # says what is refused, where all is
        raise ContextNotAcceptedError(instance.sop_class_uid, instance.transfer_syntax_uid, association.remote)
    if context.transfer_syntax != instance.transfer_syntax_uid:
        from dicomkit.pixels.transcode import transcode  # here, because it takes longer to import than all the rest

        converted = transcode(instance.to_dataset(), context.transfer_syntax)
        return Prepared(instance, context, outgoing(converted).data())
    data = instance.data()
    if not isinstance(data, (bytes, bytearray, memoryview, Stream)) and len(data) <= CHUNK:
        data = data.read(0, len(data))
    return Prepared(instance, context, data)


def _request(prepared: Prepared, message_id: int, run: _Run) -> Command:
    title, number = run.originator or (None, None)
    return command(
        "C-STORE-RQ",
        has_data_set=True,
        AffectedSOPClassUID=prepared.instance.sop_class_uid,
        MessageID=message_id,
        Priority=run.priority,
        AffectedSOPInstanceUID=prepared.instance.sop_instance_uid,
        MoveOriginatorApplicationEntityTitle=title,
        MoveOriginatorMessageID=number,
    )


def _slow_down(run: _Run, size: int, began: float) -> Generator[Step, Any, None]:
    """Wait as long as the delay and the rate limit ask for."""
    seconds = run.delay
    if run.rate_limit:
        seconds += max(size / run.rate_limit - (time.monotonic() - began), 0)
    if seconds:
        yield Sleep(seconds)


def _outcome_of(prepared: Prepared) -> Outcome:
    converted = prepared.context.transfer_syntax != prepared.instance.transfer_syntax_uid
    return replace(
        _outcome_of_instance(prepared.instance),
        transfer_syntax_uid=prepared.context.transfer_syntax,
        converted=converted,
    )


def _outcome_of_instance(instance: Outgoing) -> Outcome:
    return Outcome(
        _name(instance.source), instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid
    )


def _name(source: Any) -> str:
    if isinstance(source, (str, bytes)):
        return source if isinstance(source, str) else ""
    return str(getattr(source, "path", None) or (source if hasattr(source, "__fspath__") else "") or "")
