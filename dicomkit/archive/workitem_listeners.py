"""Functions that are told of the events of a worklist, in the order in which these happen."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from dicomkit.objects.procedure_step_event import StepEvent

Listener: TypeAlias = Callable[[tuple[StepEvent, ...]], object]


class Listeners:
    """Those who listen; what one of them raises is logged, and harms neither the worklist nor the others.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> listeners = Listeners()
    >>> end = listeners.add(lambda events: print(len(events)))
    >>> listeners.tell((StepEvent(1, "2.25.1", DataSet()),))
    1
    >>> end()
    >>> listeners.tell((StepEvent(1, "2.25.1", DataSet()),))
    """

    def __init__(self) -> None:
        self._all: list[Listener] = []
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell one more, and return what ends that."""
        with self._lock:
            self._all.append(listener)

        def end() -> None:
            with self._lock, suppress(ValueError):
                self._all.remove(listener)

        return end

    def tell(self, events: tuple[StepEvent, ...]) -> None:
        """Hand events to all of them."""
        with self._lock:
            listeners = tuple(self._all)
        for listener in listeners:
            try:
                listener(events)
            except Exception:
                logging.getLogger("dicomkit.archive").exception("a listener to a worklist failed")
