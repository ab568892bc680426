"""Unified procedure steps for asyncio: the same names and arguments as in `dicomkit.dimse.ups`, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from dicomkit.dimse import procedure_step_events as _events
from dicomkit.dimse import procedure_steps as _steps
from dicomkit.dimse.asyncio_driver import results_of, run
from dicomkit.dimse.asyncio_verbs import arriving_verb, result_verb
from dicomkit.dimse.pool import Target
from dicomkit.dimse.procedure_step_requests import Step
from dicomkit.dimse.procedure_step_watch import begin_watching, end_watching, events_of
from dicomkit.dimse.step_matches import StepMatches
from dicomkit.net.events import OnEvent
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Query


def _matches(found: list[Any]) -> StepMatches:
    return StepMatches(iter(found))


cancel = result_verb(_steps.cancel)
claim = result_verb(_steps.claim)
complete = result_verb(_steps.complete)
create = result_verb(_steps.create)
find = arriving_verb(_steps.find, _matches)
get = result_verb(_steps.get)
report = result_verb(_events.report)
request_cancel = result_verb(_steps.request_cancel)
subscribe = result_verb(_events.subscribe)
suspend = result_verb(_events.suspend)
unsubscribe = result_verb(_events.unsubscribe)
update = result_verb(_steps.update)


async def watch(
    peer: Target,
    step: Step | None = None,
    *,
    receiver: str | None = None,
    lock: bool = False,
    keys: Query | Mapping[str, Any] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    until: Callable[[StepEvent], bool] | None = None,
    idle: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    most: int = 10_000,
    on_event: OnEvent | None = None,
) -> AsyncIterator[StepEvent]:
    """Be told of a step, of all that there are and will be, or of those that match, as it happens.

    The parameters are those of `dicomkit.dimse.procedure_step_watch.watch`. The subscription is made when the first
    event is waited for, and ends with the iteration.

    Yields
    ------
    StepEvent
        As it comes.
    """
    begun = await run(
        begin_watching(
            peer, step, receiver=receiver, lock=lock, keys=keys, host=host, port=port, most=most, on_event=on_event
        )
    )
    try:
        async for event in results_of(events_of(begun, until=until, idle=idle, cancelled=cancelled)):
            yield event
    finally:
        await asyncio.shield(run(end_watching(begun)))
