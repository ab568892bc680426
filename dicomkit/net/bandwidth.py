"""Bandwidth limits: a token bucket as a value, and a limit that many associations share.

A bucket fills at a rate and is emptied by what is sent. More may be taken than it holds: it is in debt then, and
whoever took waits until the debt is paid. So nothing is too large to be sent, and over any time T no more than
``rate * T + burst`` bytes go out.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from dicomkit.errors import ValueFormatError

BURST_SECONDS = 0.25
"""How much of the time that was lost by waiting too long, on a busy machine, is made good."""
PIECE_SECONDS = 0.02
"""For how long a piece of what is sent keeps the wire busy."""
_SMALLEST_PIECE, _LARGEST_PIECE = 1024, 1 << 20

Buffer: TypeAlias = "bytes | bytearray | memoryview"
Rate: TypeAlias = "float | Callable[[], float]"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as it is at one moment.

    Attributes
    ----------
    rate
        Bytes a second by which it fills; `math.inf` for no limit.
    burst
        The most that it holds, in bytes.
    level
        What it holds; less than nothing where more was taken.
    at
        The moment, in seconds of any clock.

    Raises
    ------
    ValueFormatError
        When the rate isn't above 0, or the burst is below.
    """

    rate: float
    burst: float
    level: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        if not self.rate > 0 or not self.burst >= 0:
            hint = "write bytes a second, above 0, and a burst of 0 or more"
            raise ValueFormatError(f"a rate of {self.rate} with a burst of {self.burst} limits nothing", hint=hint)


def filled(bucket: Bucket, now: float) -> Bucket:
    """Return a bucket as it is at a later moment; a clock that went back fills nothing.

    Examples
    --------
    >>> filled(Bucket(rate=100, burst=50), now=0.25).level
    25.0
    """
    if bucket.rate == math.inf:
        return replace(bucket, level=bucket.burst, at=now)
    gained = bucket.rate * max(now - bucket.at, 0.0)
    return replace(bucket, level=min(bucket.burst, bucket.level + gained), at=now)


def take(bucket: Bucket, size: float, now: float) -> tuple[Bucket, float]:
    """Take bytes out of a bucket.

    Parameters
    ----------
    bucket
        As it was.
    size
        How many bytes are to be sent; more than it holds, or could hold, is allowed.
    now
        The moment, on the clock of the bucket.

    Returns
    -------
    Bucket
        As it is then.
    float
        Seconds to wait before they are sent.

    Examples
    --------
    >>> bucket, wait = take(Bucket(rate=1000, burst=100, level=100), 50, now=0)
    >>> wait, bucket.level
    (0.0, 50)
    >>> take(bucket, 300, now=0)[1]
    0.25
    """
    if size < 0:
        raise ValueFormatError(f"{size} bytes can't be taken", hint="0 or more")
    fuller = filled(bucket, now)
    if fuller.rate == math.inf:
        return fuller, 0.0
    emptier = replace(fuller, level=fuller.level - size)
    return emptier, max(-emptier.level / emptier.rate, 0.0)


class Bandwidth:
    """A limit of bytes a second, which any number of associations and threads may share.

    Parameters
    ----------
    rate
        Bytes a second; or a function that gives them, asked each time, as `Schedule.rate_now` is. A function that gives
        0 keeps the rate that there was: what is under way is sent to its end.
    burst
        Bytes that may go out at once after a pause; by default those of a quarter of a second.
    clock
        Gives seconds, and never goes back.

    Examples
    --------
    >>> limit = Bandwidth(2_000_000, clock=lambda: 0.0)
    >>> limit.take(500_000)
    0.25
    """

    def __init__(self, rate: Rate, *, burst: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = rate if callable(rate) else None
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        first = rate() if callable(rate) else rate
        self._bucket = self._made(first if first > 0 or not callable(rate) else math.inf, clock())

    def _made(self, rate: float, now: float, level: float = 0.0) -> Bucket:
        burst = self._burst if self._burst is not None else 0.0 if rate == math.inf else rate * BURST_SECONDS
        return Bucket(rate, burst, min(level, burst), now)

    @property
    def rate(self) -> float:
        """Bytes a second, as they were when last asked for; `math.inf` for no limit."""
        return self._bucket.rate

    @property
    def piece(self) -> int:
        """How many bytes to take and send at a time, so that they go out evenly."""
        return int(min(max(self._bucket.rate * PIECE_SECONDS, _SMALLEST_PIECE), _LARGEST_PIECE))

    def take(self, size: int) -> float:
        """Take bytes that are about to be sent, and return how many seconds to wait before."""
        with self._lock:
            if self._asked is not None:
                rate = self._asked()
                if rate > 0 and rate != self._bucket.rate:
                    self._change(rate)
            self._bucket, wait = take(self._bucket, size, self._clock())
            return wait

    def _change(self, rate: float) -> None:
        """Go on with another rate: what was gained or owed until now stays, in bytes."""
        now = self._clock()
        self._bucket = self._made(rate, now, filled(self._bucket, now).level)

    def __repr__(self) -> str:
        rate = self.rate
        return f"<Bandwidth: {'no limit' if rate == math.inf else f'{rate / 1e6:g} MB/s'}>"


def pieces(buffers: Sequence[Buffer], most: int) -> Iterator[list[Buffer]]:
    """Cut a list of buffers into lists of at most so many bytes, which follow each other.

    Examples
    --------
    >>> [b"".join(piece) for piece in pieces([b"abc", b"defg", b"h"], 3)]
    [b'abc', b'def', b'gh']
    """
    piece: list[Buffer] = []
    room = most
    for buffer in buffers:
        view = memoryview(buffer)
        while view:
            part = view[:room]
            piece.append(part)
            room -= len(part)
            view = view[len(part) :]
            if not room:
                yield piece
                piece, room = [], most
    if piece:
        yield piece
