"""C-STORE: instances to a peer, as many as there are, over as few associations as they need (PS3.4 Annex B)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from dicomkit.dimse.commands import MEDIUM
from dicomkit.dimse.instances import instances_of
from dicomkit.dimse.outgoing import Source, outgoing
from dicomkit.dimse.pool import Target, peer_of
from dicomkit.dimse.steps import Offload, Operation, Sleep, Step, Together
from dicomkit.dimse.store_plan import proposals
from dicomkit.dimse.store_report import Outcome, StoreReport
from dicomkit.dimse.store_sending import Item, Run, Sending, name_of, take_due
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.bandwidth import Bandwidth
from dicomkit.net.events import OnEvent
from dicomkit.values.uid import UID

BATCH = 1000
"""How many instances of a generator are looked at before they are sent."""


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
    rate_limit: float | Bandwidth | None = None,
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
        Bytes a second at most, for each association; or a `Bandwidth` that all of them share, also those of others.
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
    sources, total = instances_of(instances)
    policy = peer_of(peer).retry
    clock = time.monotonic if policy is None else policy.clock
    run = Run(cancelled, fail_fast, convert, syntaxes, priority, originator, delay, rate_limit or None, total)
    later: list[Item] = []
    while (batch := list(islice(sources, BATCH))) or later:
        if not batch and not run.is_over:
            yield Sleep(max(min(item.due for item in later) - clock(), 0.0))
        if run.is_over:
            for item in later:
                yield run.settle(item.place, run.outcomes[item.place])
            later = []
        items = take_due(later, clock())
        items += yield from _looked_at(batch, run)
        later += yield from _send(peer, items, run, associations, most_per_association, on_event)
    return StoreReport(tuple(run.outcomes), time.monotonic() - run.began, run.ended_by)


def _looked_at(batch: list[Source], run: Run) -> Generator[Step, Any, list[Item]]:
    """Look at instances before they are sent; those that can't be read have failed."""
    items = []
    for source in batch:
        place = len(run.outcomes)
        run.outcomes.append(Outcome(name_of(source)))
        try:
            items.append(Item(place, (yield Offload(partial(outgoing, source)))))
        except DicomError as error:
            yield run.settle(place, Outcome(name_of(source), error=error))
    return items


def _send(
    peer: Target, items: list[Item], run: Run, associations: int, most: int | None, on_event: OnEvent | None
) -> Generator[Step, Any, list[Item]]:
    """Share instances out over associations, and send them; return those that are to be tried again later."""
    jobs = []
    for proposal, numbers in proposals([item.instance for item in items], run.preferred, convert=run.convert):
        size = min(most or len(numbers), -(-len(numbers) // associations))
        for start in range(0, len(numbers), size):
            waiting = [items[number] for number in numbers[start : start + size]]
            jobs.append(Sending(peer, proposal, waiting, run, on_event))

    def one_after_another(own: list[Sending]) -> Operation:
        later: list[Item] = []
        for job in own:
            later += yield from job.perform()
        return later

    if associations == 1 or len(jobs) < 2:
        again: list[Item] = yield from one_after_another(jobs)
        return again
    lanes = [one_after_another(jobs[number::associations]) for number in range(min(associations, len(jobs)))]
    return [item for later in (yield Together(lanes)) for item in later or ()]
