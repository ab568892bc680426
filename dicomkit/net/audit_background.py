"""A handler that another one works behind: a bounded queue, so that nobody waits for a slow destination."""

from __future__ import annotations

import logging
import queue
import threading
import time

from dicomkit.errors import DicomError
from dicomkit.net.audit_consumer import LOGGER

RETRY_AFTER = 5.0
"""Seconds between two attempts to hand on what the handler behind did not take."""


class QueueFullError(DicomError):
    """More records wait than may; the newest is dropped."""


class Background(logging.Handler):
    """Hands records to another handler, in a thread of its own.

    What that handler doesn't take is tried again until it does, or until this one is closed.

    Attributes
    ----------
    failures
        How many attempts failed.
    dropped
        How many records were dropped, because too many waited or there was no more time.
    """

    def __init__(self, behind: logging.Handler, most: int, retry_after: float, patience: float) -> None:
        super().__init__(behind.level)
        self.behind, self.retry_after, self.patience = behind, retry_after, patience
        self.failures = self.dropped = 0
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(most)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dicomkit audit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records wait, or are being handed on."""
        return self._queue.unfinished_tasks

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record.

        Raises
        ------
        QueueFullError
            When too many wait.
        """
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
            raise QueueFullError(f"{self._queue.maxsize} audit messages wait for {self.behind!r}") from None

    def flush(self) -> None:
        """Wait until what was queued is handed on, as long as patience lasts."""
        deadline = time.monotonic() + self.patience
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks and (left := deadline - time.monotonic()) > 0:
                self._queue.all_tasks_done.wait(left)
        if not self.waiting:
            self.behind.flush()

    def close(self) -> None:
        """Hand on what can be handed on while patience lasts, and close the handler behind."""
        if not self._closing.is_set():
            self.flush()
            self._closing.set()
            self._thread.join(self.patience + 1)
            self.dropped += self.waiting
            if self.waiting:
                logging.getLogger(LOGGER).error("%d audit messages were not taken by %r", self.waiting, self.behind)
            self.behind.close()
        super().close()

    def __repr__(self) -> str:
        return f"<Background of {self.behind!r}: {self.waiting:,} waiting, {self.failures:,} failures>"

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                record = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            if record is not None and self._hand_on(record):
                self._queue.task_done()

    def _hand_on(self, record: logging.LogRecord) -> bool:
        """Try until the record is taken; False where there is no more time."""
        is_first = True
        while True:
            try:
                self.behind.handle(record)
                return True
            except Exception as error:
                self.failures += 1
                if is_first:
                    logging.getLogger(LOGGER).error("an audit destination failed: %r: %r", self.behind, error)
                is_first = False
            if self._closing.wait(self.retry_after):
                return False


def in_background(
    handler: logging.Handler, *, most: int = 10_000, retry_after: float = RETRY_AFTER, patience: float = 5.0
) -> Background:
    """Have a handler work in a thread of its own, so that transfers don't wait for it.

    Parameters
    ----------
    handler
        What writes the messages; one that raises, as those of `audit_file` and `audit_syslog`, gets a message again.
    most
        How many messages may wait; those beyond are dropped, which the trail counts as failures.
    retry_after
        Seconds until a message is tried again.
    patience
        Seconds to wait, at the end, for what waits to be handed on.

    Examples
    --------
    >>> from dicomkit.net.audit import audit_syslog
    >>> handler = in_background(audit_syslog("audit.example"))
    >>> handler.waiting
    0
    >>> handler.close()
    """
    return Background(handler, most, retry_after, patience)
