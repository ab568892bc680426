"""The end, from outside, of operations that run in threads of their own, whatever they wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from dicomkit.dimse.steps import Close, Open, Operation, Sleep, Together


class Ending:
    """The end, from outside, of operations that run in threads of their own."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._wires: WeakSet[Any] = WeakSet()  # one that broke is closed by nobody
        self._inner: set[Ending] = set()

    @property
    def has_come(self) -> bool:
        """Whether it was asked for."""
        return self._ended.is_set()

    def end(self) -> None:
        """End the operations at their next step, and wake up those that wait."""
        with self._lock:
            self._ended.set()
            wires, inner = list(self._wires), list(self._inner)
        for wire in wires:
            wire.interrupt()
        for ending in inner:
            ending.end()

    @contextmanager
    def within(self, outer: Ending | None) -> Iterator[None]:
        """Come with the end of an outer one, too."""
        if outer is None:
            yield
            return
        with outer._lock:
            outer._inner.add(self)
        if outer.has_come:
            self.end()
        try:
            yield
        finally:
            with outer._lock:
                outer._inner.discard(self)

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
                    with self._lock:
                        self._wires.add(value)
                elif isinstance(step, Close):
                    with self._lock:
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
