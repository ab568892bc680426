"""What ends a command that goes on for ever: Ctrl-C, and SIGTERM, which containers and service managers send."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Whether somebody asked for the end: that interrupts what is under way, or, on hold, is only noted."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._on_hold = False

    def __call__(self, number: int, frame: object) -> None:
        self._asked.set()
        if not self._on_hold:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From now on let nothing be interrupted: `wait` ends instead."""
        self._on_hold = True

    def wait(self) -> None:
        """Wait until the end is asked for."""
        while not self._asked.wait(1):  # without a time-out Windows would hear no signal
            pass


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Take the signals that ask for the end in a ``with`` block; in the main thread, which alone gets them."""
    stop = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
