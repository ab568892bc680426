"""Another attempt at an operation that failed, after the wait that a policy asks for, without giving a result twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from dicomkit.dimse.interception import intercepted
from dicomkit.dimse.steps import Emit, Operation, Sleep
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import Event, OnEvent
from dicomkit.net.retry import Attempt, Retry, RetryHistory


def never() -> bool:
    """Say no."""
    return False


@dataclass(slots=True)
class Given:
    """The results that attempts have given, so that a later one gives only what is new.

    Equal results of one attempt are different ones: of those that the next attempt has, as many are left out as were
    given before.

    Attributes
    ----------
    key
        What tells that two results are equal.
    most
        How many to give altogether; None for all.
    """

    key: Callable[[Any], Hashable] = lambda result: result
    most: int | None = None
    _given: Counter[Hashable] = field(default_factory=Counter)

    def only_new(self, operation: Operation) -> Operation:
        """Run an attempt, and give those of its results that are new."""
        seen: Counter[Hashable] = Counter()

        def pass_on(result: Any) -> Operation:
            key = self.key(result)
            seen[key] += 1
            if seen[key] > self._given[key] and (self.most is None or self._given.total() < self.most):
                self._given[key] += 1
                yield Emit(result)

        return intercepted(operation, pass_on)


def retrying(
    make_operation: Callable[[], Operation],
    policy: Retry | None,
    *,
    given: Given | None = None,
    worth: Callable[[NetworkError], bool] = lambda _: True,
    cancelled: Callable[[], bool] = never,
    on_event: OnEvent | None = None,
    peer: str = "",
) -> Operation:
    """Run an operation, and again as long as it fails and a policy says so; the waits are steps.

    Parameters
    ----------
    make_operation
        Makes the operation for an attempt.
    policy
        When to try again; None: never.
    given
        Takes care that no result is given twice; None where they can't come twice, or may.
    worth
        May say no to another attempt that the policy would allow.
    cancelled
        Asked before and after each wait; once it says True there are no more attempts.
    on_event
        What is told of each wait, as the event ``"retry"``.
    peer
        The name of the other side, for the event.

    Yields
    ------
    Whatever the operation gives.

    Returns
    -------
    What the operation returns.

    Raises
    ------
    NetworkError
        That of the last attempt; its ``history`` has those of the others.

    Examples
    --------
    >>> from dicomkit.net.errors import PeerTimeoutError
    >>> failures = [PeerTimeoutError("no answer")]
    >>> def operation():
    ...     yield Emit("a match")
    ...     if failures:
    ...         raise failures.pop()
    ...     yield Emit("another one")
    >>> for step in retrying(operation, Retry(first=2, jitter=0), given=Given()):
    ...     print(step)
    Emit(result='a match')
    Sleep(seconds=2.0)
    Emit(result='another one')
    """
    if policy is None:
        return (yield from make_operation())
    began = policy.clock()
    history = RetryHistory()
    while True:
        operation = make_operation()
        try:
            return (yield from (operation if given is None else given.only_new(operation)))
        except NetworkError as error:
            error.history = history
            wait = policy.wait_after(error, len(history) + 1, policy.clock() - began)
            if wait is None or not worth(error) or cancelled():
                raise
            failure = error
        history = followed(history, failure, wait, on_event, peer)
        yield Sleep(wait)
        if cancelled():
            raise failure


def followed(
    history: RetryHistory, error: NetworkError, wait: float, on_event: OnEvent | None, peer: str, **data: Any
) -> RetryHistory:
    """Return the history when another attempt is to follow a failure, and tell whoever listens."""
    number = len(history) + 1
    if on_event is not None:
        known = {"attempt": number, "wait": wait, "error": error, **data}
        on_event(Event("retry", level="warning", category="operation", peer=peer, data=known))
    error.with_traceback(None)  # which would keep what the attempt held
    return RetryHistory((*history, Attempt(number, error, wait)))
