"""Unified procedure steps, blocking: put work on a peer's worklist, find it, claim it, do it, and watch it being done.

The functions are those of `procedure_steps` and `procedure_step_events`; `dicomkit.dimse.ups_aio` has them for asyncio.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import procedure_step_events as _events
from dicomkit.dimse import procedure_steps as _steps
from dicomkit.dimse.blocking_driver import results_of, run
from dicomkit.dimse.blocking_verbs import matches_verb, result_verb
from dicomkit.dimse.normalized import Reply
from dicomkit.dimse.pool import Target
from dicomkit.dimse.procedure_step_requests import Claim, Step
from dicomkit.dimse.procedure_step_watch import Watch, begin_watching, end_watching, events_of
from dicomkit.dimse.step_matches import StepMatches
from dicomkit.net.events import OnEvent
from dicomkit.objects.procedure_step import (
    ProcedureStep,
    discontinued,
    make_procedure_step,
    parse_procedure_step,
    performed,
    progress,
)
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.query import Query

__all__ = [
    "Claim",
    "ProcedureStep",
    "StepEvent",
    "StepMatches",
    "Watching",
    "cancel",
    "claim",
    "complete",
    "create",
    "discontinued",
    "find",
    "get",
    "make_procedure_step",
    "parse_procedure_step",
    "performed",
    "progress",
    "report",
    "request_cancel",
    "subscribe",
    "suspend",
    "unsubscribe",
    "update",
    "watch",
]


cancel = result_verb(_steps.cancel, Reply)
claim = result_verb(_steps.claim, Claim)
complete = result_verb(_steps.complete, Reply)
create = result_verb(_steps.create, Reply)
find = matches_verb(_steps.find, StepMatches)
get = result_verb(_steps.get, DataSet)
report = result_verb(_events.report, tuple)
request_cancel = result_verb(_steps.request_cancel, Reply)
subscribe = result_verb(_events.subscribe, Reply)
suspend = result_verb(_events.suspend, Reply)
unsubscribe = result_verb(_events.unsubscribe, Reply)
update = result_verb(_steps.update, Reply)


class Watching(Iterator[StepEvent]):
    """Events as they come, for as long as somebody iterates.

    Closing it (``close``, or leaving a ``with`` block or the loop early) unsubscribes, and ends the listener.

    Attributes
    ----------
    port
        Where the listener is.
    reply
        What the peer answered to the subscription.
    """

    def __init__(self, begun: Watch, **ends: Any) -> None:
        self.port, self.reply = begun.port, begun.reply
        self._events = _watched(begun, ends)
        next(self._events)

    def __next__(self) -> StepEvent:
        event: StepEvent = next(self._events)
        return event

    def close(self) -> None:
        """Unsubscribe, and listen no more."""
        self._events.close()

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watching on port {self.port}>"


def _watched(begun: Watch, ends: Mapping[str, Any]) -> Generator[Any, None, None]:
    """Give nothing at first, so that the end is sure to come, and then the events."""
    try:
        yield None
        yield from results_of(events_of(begun, **ends))
    finally:
        run(end_watching(begun))


def watch(
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
) -> Watching:
    """Be told of a step, of all that there are and will be, or of those that match, as it happens.

    The parameters are those of `dicomkit.dimse.procedure_step_watch.watch`.

    Returns
    -------
    Watching
        An iterator of StepEvent; the subscription is made when it is returned.

    Raises
    ------
    StatusError
        When the peer refuses the subscription.
    NetworkError
        When there is no association, or nobody can listen there.
    """
    begun: Watch = run(
        begin_watching(
            peer, step, receiver=receiver, lock=lock, keys=keys, host=host, port=port, most=most, on_event=on_event
        )
    )
    return Watching(begun, until=until, idle=idle, cancelled=cancelled)
