"""Whether a failure is worth another attempt, and how long to wait before it: a policy as a frozen value.

What waits is computed by tenacity. stamina, which stands on it, sleeps within its own loop and knows one strategy only;
here the waits are steps of an operation, which a blocking driver, an event loop or the clock of a test performs. Of
tenacity only the parts are used that compute: strategies of waiting and stopping, asked about the state of a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from dicomkit.display.html import table
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import Category, NetworkError
from dicomkit.values.uid import UID

if TYPE_CHECKING:
    from tenacity.wait import wait_base

Strategy: TypeAlias = Literal["fixed", "linear", "exponential"]
Worth: TypeAlias = "Collection[Category] | Callable[[NetworkError], bool]"
"""Which failures are worth another attempt: those of some categories, or those that a function says yes to."""

TRANSIENT: tuple[Category, ...] = ("transient",)


class Attempt(NamedTuple):
    """An attempt that failed: its number, from 1, what went wrong, and the seconds until the next one."""

    number: int
    error: DicomError
    waited: float


class RetryHistory(tuple[Attempt, ...]):
    """The attempts that failed before the last one, which is not among them.

    Examples
    --------
    >>> RetryHistory([Attempt(1, NetworkError("no answer"), 2.0)])
    <RetryHistory: 1 attempt before, 2 s waited>
    """

    __slots__ = ()

    @property
    def waited(self) -> float:
        """The seconds that were waited between the attempts."""
        return sum(attempt.waited for attempt in self)

    def __repr__(self) -> str:
        return f"<RetryHistory: {len(self)} attempt{'' if len(self) == 1 else 's'} before, {self.waited:g} s waited>"

    def _repr_html_(self) -> str:
        rows = [[attempt.number, str(attempt.error), round(attempt.waited, 3)] for attempt in self]
        return str(table(("attempt", "error", "waited (s)"), rows))


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again, and after how long.

    Parameters
    ----------
    strategy
        How the waits grow: ``"fixed"`` ones are all the same, ``"linear"`` ones once, twice, three times the first,
        ``"exponential"`` ones the first times powers of ``factor``.
    attempts
        How many there may be, the first included; None for any number.
    first
        Seconds before the second attempt.
    longest
        Seconds that no wait exceeds, its jitter included.
    factor
        By which exponential waits grow.
    jitter
        Up to so many seconds are added to each wait at random, so that those who failed together don't come back
        together.
    timeout
        Seconds, from the beginning of the first attempt, in which the last one has to begin; None for any time.
    on
        Which failures are worth another attempt: categories of `NetworkError`, or a function that is asked about each.
    by_sop_class
        Other policies for some SOP classes, by UID or name.
    clock
        What tells the time, in seconds.

    Raises
    ------
    ValueFormatError
        When these can't be a policy.

    Examples
    --------
    >>> policy = Retry(first=1, factor=3, longest=10, jitter=0, attempts=5)
    >>> error = NetworkError("no answer", category="transient")
    >>> [policy.wait_after(error, attempt) for attempt in range(1, 6)]
    [1.0, 3.0, 9.0, 10.0, None]
    >>> policy.wait_after(NetworkError("unknown AE title", category="configuration"), 1)
    """

    strategy: Strategy = "exponential"
    attempts: int | None = 5
    first: float = 1.0
    longest: float = 60.0
    factor: float = 2.0
    jitter: float = 1.0
    timeout: float | None = None
    on: Worth = TRANSIENT
    by_sop_class: Mapping[str, Retry] = field(default_factory=dict, repr=False, hash=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise ValueFormatError(f"no strategy {self.strategy!r}", hint=f"one of {', '.join(get_args(Strategy))}")
        if self.attempts is not None and self.attempts < 1:
            raise ValueFormatError(f"{self.attempts} attempts", hint="1 or more, or None for any number")
        seconds = {name: getattr(self, name) for name in ("first", "longest", "jitter", "timeout")}
        for name, value in seconds.items():
            if value is not None and not 0 <= value < float("inf"):
                raise ValueFormatError(f"{name} is {value!r}", hint="give seconds")
        if not 1 <= self.factor < float("inf"):
            raise ValueFormatError(f"waits can't grow by a factor of {self.factor!r}", hint="1 or more")
        if not callable(self.on):
            object.__setattr__(self, "on", tuple(self.on))
            if unknown := set(self.on) - set(get_args(Category)):
                raise ValueFormatError(f"no categories of errors: {', '.join(sorted(unknown))}")
        policies = {str(UID.of(name)): policy for name, policy in self.by_sop_class.items()}
        object.__setattr__(self, "by_sop_class", policies)

    def for_sop_class(self, sop_class_uid: str) -> Retry:
        """Return the policy of a SOP class: the one of its own, or else this one."""
        return self.by_sop_class.get(sop_class_uid, self)

    def is_worth(self, error: BaseException) -> bool:
        """Tell whether a failure is worth another attempt."""
        return is_worth(error, self.on)

    def wait_after(self, error: BaseException, attempt: int, elapsed: float = 0.0) -> float | None:
        """Return how long to wait before the next attempt; None where there is to be none.

        Parameters
        ----------
        error
            Why an attempt failed. One that says when to come back (`NetworkError.retry_after`) is waited for.
        attempt
            Its number, from 1.
        elapsed
            Seconds since the beginning of the first attempt.

        Returns
        -------
        float or None
            Seconds.
        """
        if not self.is_worth(error):
            return None
        from tenacity import RetryCallState, Retrying, stop_after_attempt, stop_any, stop_before_delay, stop_never

        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        state.outcome_timestamp = state.start_time + elapsed
        asked = error.retry_after if isinstance(error, NetworkError) else 0
        state.upcoming_sleep = max(min(self._waits()(state), self.longest), asked)
        stop = stop_any(
            stop_never if self.attempts is None else stop_after_attempt(self.attempts),
            stop_never if self.timeout is None else stop_before_delay(self.timeout),
        )
        return None if stop(state) else float(state.upcoming_sleep)

    def _waits(self) -> wait_base:
        from tenacity import wait_exponential, wait_fixed, wait_incrementing, wait_random

        waits: wait_base = wait_fixed(self.first)
        if self.strategy == "linear":
            waits = wait_incrementing(self.first, self.first)
        elif self.strategy == "exponential":
            waits = wait_exponential(self.first, exp_base=self.factor, max=self.longest)
        return waits + wait_random(0, self.jitter)


def is_worth(error: BaseException, on: Worth) -> bool:
    """Tell whether a failure is one of those for which there is another attempt; what isn't about a peer never is.

    Examples
    --------
    >>> is_worth(NetworkError("no answer", category="transient"), TRANSIENT), is_worth(ValueError(), lambda _: True)
    (True, False)
    """
    if not isinstance(error, NetworkError):
        return False
    return on(error) if callable(on) else error.category in on
