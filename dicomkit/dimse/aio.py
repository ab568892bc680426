"""The operations of a user for asyncio: the same names and arguments as in `dicomkit.dimse.sync`, to be awaited."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any, Generic, ParamSpec, TypeVar

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import commitment as _commitment
from dicomkit.dimse import echo as _echo
from dicomkit.dimse import explain as _explain
from dicomkit.dimse import find as _find
from dicomkit.dimse import instance_availability as _availability
from dicomkit.dimse import patient_information as _information
from dicomkit.dimse import performed_procedure_steps as _steps
from dicomkit.dimse import printing as _printing
from dicomkit.dimse import retrieve as _retrieve
from dicomkit.dimse import store as _store
from dicomkit.dimse import worklist as _worklist
from dicomkit.dimse.asyncio_driver import results_of, run
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import Pool, close_pool
from dicomkit.dimse.results import Matches
from dicomkit.dimse.steps import Operation
from dicomkit.dimse.worklist import WorklistMatches
from dicomkit.net.events import OnEvent

P = ParamSpec("P")
T = TypeVar("T")


class Arriving(Generic[T]):
    """An operation that was not begun yet: ``async for`` gives its results as they come, ``await`` all of them at once.

    Attributes
    ----------
    outcome
        The result of the operation, once all have come; None before.
    """

    def __init__(self, operation: Operation, collect: Callable[[list[Any]], T]) -> None:
        self._operation = operation
        self._collect = collect
        self.outcome: Any = None

    def _keeping(self) -> Operation:
        self.outcome = yield from self._operation

    def __aiter__(self) -> AsyncIterator[Any]:
        return results_of(self._keeping())

    def __await__(self) -> Generator[Any, None, T]:
        async def all_of_them() -> T:
            return self._collect([result async for result in self])

        return all_of_them().__await__()


def _awaited(operation: Callable[P, Operation]) -> Callable[P, Any]:
    """Make a coroutine function that runs an operation to its end."""

    @functools.wraps(operation)
    async def verb(*args: P.args, **kwargs: P.kwargs) -> Any:
        return await run(operation(*args, **kwargs))

    return verb


def _arriving(operation: Callable[P, Operation], collect: Callable[[list[Any]], T]) -> Callable[P, Arriving[T]]:
    """Make a function that gives the results of an operation as they come."""

    @functools.wraps(operation)
    def verb(*args: P.args, **kwargs: P.kwargs) -> Arriving[T]:
        return Arriving(operation(*args, **kwargs), collect)

    return verb


def _matches(found: list[Any]) -> Matches:
    return Matches(iter(found))


def _worklist_matches(found: list[Any]) -> WorklistMatches:
    return WorklistMatches(iter(found))


def _datasets(found: list[Any]) -> list[DataSet]:
    return found


commit = _awaited(_commitment.commit)
echo = _awaited(_echo.echo)
explain_association = _awaited(_explain.explain_association)
find = _arriving(_find.find, _matches)
find_identifier = _arriving(_find.find_identifier, _matches)
find_patient_information = _awaited(_information.find_patient_information)
find_worklist = _arriving(_worklist.find_worklist, _worklist_matches)
get = _arriving(_retrieve.get, _datasets)
move = _arriving(_retrieve.move, _datasets)
print_films = _awaited(_printing.print_films)
printer_status = _awaited(_printing.printer_status)
mpps_complete = _awaited(_steps.mpps_complete)
mpps_create = _awaited(_steps.mpps_create)
mpps_discontinue = _awaited(_steps.mpps_discontinue)
mpps_get = _awaited(_steps.mpps_get)
mpps_set = _awaited(_steps.mpps_set)
notify_availability = _awaited(_availability.notify_availability)
store = _awaited(_store.store)


@asynccontextmanager
async def connect(
    peer: Peer, *, size: int = 4, idle: float = 60.0, health: float = 10.0, on_event: OnEvent | None = None
) -> AsyncIterator[Pool]:
    """Keep associations with a peer open for the operations in an ``async with`` block, as `sync.connect` does.

    Yields
    ------
    Pool
        For the tasks of one event loop.
    """
    pool = Pool(peer, size, idle, health, on_event)
    try:
        yield pool
    finally:
        await run(close_pool(pool))
