"""Operations as functions for asyncio: to be awaited, or to be iterated over as results come."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Generic, ParamSpec, TypeVar

from dicomkit.dimse.asyncio_driver import results_of, run
from dicomkit.dimse.steps import Operation

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


def result_verb(operation: Callable[P, Operation]) -> Callable[P, Any]:
    """Make a coroutine function that runs an operation to its end."""

    @functools.wraps(operation)
    async def verb(*args: P.args, **kwargs: P.kwargs) -> Any:
        return await run(operation(*args, **kwargs))

    return verb


def arriving_verb(operation: Callable[P, Operation], collect: Callable[[list[Any]], T]) -> Callable[P, Arriving[T]]:
    """Make a function that gives the results of an operation as they come.

    Parameters
    ----------
    operation
        Makes the operation.
    collect
        Makes one value of all results, for who awaits them at once.
    """

    @functools.wraps(operation)
    def verb(*args: P.args, **kwargs: P.kwargs) -> Arriving[T]:
        return Arriving(operation(*args, **kwargs), collect)

    return verb
