"""The end, from outside, of operations that run in threads of their own, whatever they wait for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from dicomkit.dimse.steps import Close, Open, Operation, Sleep, Together


class Ending:
    """The end, from outside, of operations that run in threads of their own."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._wires: set[Any] = set()
        self.inner: set[Ending] = set()

    @property
    def has_come(self) -> bool:
        """Whether it was asked for."""
        return self._ended.is_set()

    def end(self) -> None:
        """End the operations at their next step, and wake up those that wait."""
        self._ended.set()
        for wire in tuple(self._wires):
            wire.interrupt()
        for ending in tuple(self.inner):
            ending.end()

    def of(self, operation: Operation) -> Operation:
        """Give the steps of an operation, until it or the end comes."""
        error: Exception | None = None
        value: Any = None
        try:
            while True:
                step = operation.send(value) if error is None else operation.throw(error)
                value = error = None
                if isinstance(step, Sleep):
                    self._ended.wait(step.seconds)
                elif not self.has_come:
                    try:
                        value = yield Within(step.operations, self) if isinstance(step, Together) else step
                    except Exception as caught:
                        error = caught
                if isinstance(step, Open) and error is None and value is not None:
                    self._wires.add(value)
                elif isinstance(step, Close):
                    self._wires.discard(step.wire)
                if self.has_come:
                    if isinstance(step, Open) and value is not None:
                        value.abandon(b"")
                    return None
        except StopIteration as stop:
            return stop.value
        finally:
            operation.close()


@dataclass(frozen=True, slots=True)
class Within(Together):
    """Operations that run at the same time within one that may be ended from outside."""

    ending: Ending
