"""Operations under a clock that a test controls: sleeping advances it at once; other steps are scripted, or real."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dimse_drivers import Driver

from dicomkit.dimse.steps import Emit, Operation, Sleep, Together

REAL = object()
"""In a script: let the driver do it."""


@dataclass
class Clock:
    """A time that passes only when it is told to; it is called as `time.monotonic` is."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and remember it."""
        with self._lock:
            self.now += seconds
            self.slept.append(round(seconds, 6))


class Script:
    """What becomes of steps of some types, one after the other: a value, an error to be raised, or `REAL`.

    When a list has come to its end, its steps are real.
    """

    def __init__(self, outcomes: Mapping[type, Iterable[Any]] | None = None) -> None:
        self._outcomes = {kind: deque(values) for kind, values in (outcomes or {}).items()}

    def next(self, step: object) -> Any:
        waiting = self._outcomes.get(type(step))
        return waiting.popleft() if waiting else REAL


def under(
    clock: Clock, operation: Operation, script: Script | None = None, keep: Callable[[Any], object] | None = None
) -> Operation:
    """Give the steps of an operation but for those that the clock or the script answers; results may be kept."""
    script = script or Script()
    value: Any = None
    error: BaseException | None = None
    try:
        while True:
            step = operation.send(value) if error is None else operation.throw(error)
            value = error = None
            if isinstance(step, Sleep):
                clock.sleep(step.seconds)
                continue
            if isinstance(step, Emit) and keep is not None:
                keep(step.result)
                continue
            if isinstance(step, Together):
                step = Together([under(clock, one, script, keep) for one in step.operations])
            outcome = script.next(step)
            if isinstance(outcome, BaseException):
                error = outcome
            elif outcome is not REAL:
                value = outcome
            else:
                try:
                    value = yield step
                except Exception as caught:
                    error = caught
    except StopIteration as stop:
        return stop.value
    finally:
        operation.close()


class Ran(NamedTuple):
    """What an operation gave and returned, or the error that ended it, and the waits."""

    results: list[Any]
    value: Any
    error: Exception | None
    slept: list[float]


@dataclass
class ClockDriver:
    """One of the two drivers, under a clock."""

    driver: Driver
    clock: Clock = field(default_factory=Clock)

    def run(self, operation: Operation, script: Mapping[type, Iterable[Any]] | None = None) -> Ran:
        """Run an operation to its end, whatever that is."""
        results: list[Any] = []
        before = len(self.clock.slept)
        value, error = None, None
        try:
            value = self.driver.run(under(self.clock, operation, Script(script), results.append))
        except Exception as caught:
            error = caught
        return Ran(results, value, error, self.clock.slept[before:])
