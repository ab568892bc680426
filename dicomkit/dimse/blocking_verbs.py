"""Operations as functions that run them in the thread of whoever calls, and give what comes of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from dicomkit.dimse.blocking_driver import results_of, run
from dicomkit.dimse.pool import Pool
from dicomkit.dimse.results import Arrivals, Matches
from dicomkit.dimse.steps import Operation

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Matches)


def result_verb(operation: Callable[P, Operation], kind: type[T]) -> Callable[P, T]:
    """Make a function that runs an operation to its end, and returns its result.

    Parameters
    ----------
    operation
        Makes the operation; its first argument is the peer.
    kind
        Of the result.

    Examples
    --------
    >>> def number_of(peer):
    ...     "Count."
    ...     return 3
    ...     yield
    >>> verb = result_verb(number_of, int)
    >>> verb("a peer"), verb.__doc__, inspect.signature(verb)
    (3, 'Count.', <Signature (peer) -> 'int'>)
    """

    def give(made: Operation, _: object) -> T:
        result: T = run(made)
        return result

    return _verb(operation, give, kind)


def arrivals_verb(operation: Callable[P, Operation]) -> Callable[P, Arrivals]:
    """Make a function that gives the DataSets of an operation as they come."""
    return _verb(operation, lambda made, _: Arrivals(results_of(made)), Arrivals)


def matches_verb(operation: Callable[P, Operation], kind: type[M]) -> Callable[P, M]:
    """Make a function that gives matches as they come; from a pool all of them, which frees its association."""

    def give(made: Operation, peer: object) -> M:
        matches = kind(Arrivals(results_of(made)))
        if isinstance(peer, Pool):
            len(matches)
        return matches

    return _verb(operation, give, kind)


def _verb(operation: Callable[P, Operation], give: Callable[[Operation, object], T], kind: type[T]) -> Callable[P, T]:
    """Make a function with the documentation and the arguments of an operation, and another result."""

    @functools.wraps(operation)
    def verb(*args: P.args, **kwargs: P.kwargs) -> T:
        return give(operation(*args, **kwargs), args[0] if args else kwargs.get("peer"))

    documented = inspect.cleandoc(operation.__doc__ or "")
    verb.__doc__ = documented.replace("\nYields\n------", f"\nGives\n-----\n{kind.__name__} of:", 1)
    verb.__annotations__ = {**operation.__annotations__, "return": kind.__name__}
    verb.__dict__["__signature__"] = inspect.signature(operation).replace(return_annotation=kind.__name__)
    return verb


def run_showing(
    operation: Operation,
    progress: bool | Callable[[Any], object],
    bar: Callable[[], AbstractContextManager[Callable[[Any], object]]],
) -> Any:
    """Run an operation that gives its progress.

    Parameters
    ----------
    operation
        What is run.
    progress
        What is told of each result; or whether to show a progress bar.
    bar
        Shows a progress bar as long as it is entered, and gives what is told of each result.

    Returns
    -------
    What the operation returns.
    """
    if callable(progress):
        return run(operation, progress)
    if not progress:
        return run(operation)
    with bar() as advance:
        return run(operation, advance)
