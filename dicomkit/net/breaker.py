"""A circuit breaker: a peer that fails again and again is left alone for a while, and then tried with care.

What a circuit is and becomes are pure functions of values. A `Breaker` holds the circuit of one peer, for all threads
and tasks that talk to it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import (
    CircuitOpenError,
    ContextNotAcceptedError,
    NetworkError,
    PoolBusyError,
    StatusError,
)

CircuitState: TypeAlias = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a circuit opens, and for how long.

    Parameters
    ----------
    failures
        So many open it.
    within
        Seconds in which they have to happen, whatever else succeeds; None: they have to happen in a row.
    open_for
        Seconds until the peer is tried again.
    probes
        How many operations may try it at once then.
    """

    failures: int = 5
    within: float | None = None
    open_for: float = 30.0
    probes: int = 1

    def __post_init__(self) -> None:
        if self.failures < 1 or self.probes < 1:
            raise ValueFormatError(f"{self.failures} failures, {self.probes} probes", hint="1 or more")
        for name, value in (("within", self.within), ("open_for", self.open_for)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueFormatError(f"{name} is {value!r}", hint="give seconds")


@dataclass(frozen=True, slots=True)
class Circuit:
    """How it stands with a peer.

    Attributes
    ----------
    state
        ``"closed"``: all may try it. ``"open"``: nobody may. ``"half-open"``: some may, to see whether it is back.
    failed_at
        When failures happened that still count.
    opened_at
        When it opened last.
    probing
        How many operations try the peer while it is half-open.
    """

    state: CircuitState = "closed"
    failed_at: tuple[float, ...] = ()
    opened_at: float = 0.0
    probing: int = 0

    def begun(self, limits: Limits, now: float) -> Circuit | None:
        """Return the circuit when another operation has begun; None where none may.

        Examples
        --------
        >>> Circuit("open", opened_at=100.0).begun(Limits(open_for=30), 129.0)
        >>> Circuit("open", opened_at=100.0).begun(Limits(open_for=30), 130.0)
        Circuit(state='half-open', failed_at=(), opened_at=100.0, probing=1)
        """
        if self.state == "closed":
            return self
        if self.retry_after(limits, now) or (self.state == "half-open" and self.probing >= limits.probes):
            return None
        return replace(self, state="half-open", probing=self.probing + 1)

    def failed(self, limits: Limits, now: float) -> Circuit:
        """Return the circuit after a failure of the peer.

        Examples
        --------
        >>> Circuit().failed(Limits(failures=2), 7.0)
        Circuit(state='closed', failed_at=(7.0,), opened_at=0.0, probing=0)
        >>> Circuit().failed(Limits(failures=2), 7.0).failed(Limits(failures=2), 8.0)
        Circuit(state='open', failed_at=(), opened_at=8.0, probing=0)
        """
        if self.state == "open":
            return self
        count = tuple(at for at in self.failed_at if limits.within is None or at > now - limits.within) + (now,)
        if self.state == "half-open" or len(count) >= limits.failures:
            return Circuit("open", opened_at=now)
        return replace(self, failed_at=count)

    def succeeded(self, limits: Limits) -> Circuit:
        """Return the circuit after the peer did what it was asked for.

        Examples
        --------
        >>> Circuit("half-open", opened_at=8.0, probing=1).succeeded(Limits())
        Circuit(state='closed', failed_at=(), opened_at=0.0, probing=0)
        """
        if self.state == "half-open":
            return Circuit()
        return replace(self, failed_at=()) if limits.within is None and self.failed_at else self

    def left(self) -> Circuit:
        """Return the circuit after an operation that ended without telling anything about the peer."""
        return replace(self, probing=self.probing - 1) if self.state == "half-open" and self.probing else self

    def retry_after(self, limits: Limits, now: float) -> float:
        """Return the seconds for which nobody may try the peer."""
        return max(self.opened_at + limits.open_for - now, 0.0) if self.state == "open" else 0.0


class Breaker:
    """The circuit of one peer, shared by all who talk to it.

    Parameters
    ----------
    failures, within, open_for, probes
        As for `Limits`: ``failures`` in a row, or ``within`` seconds, leave the peer alone for ``open_for`` seconds;
        then ``probes`` operations at once may try it. The first that succeeds closes the circuit, one that fails opens
        it again.
    clock
        What tells the time, in seconds.

    Examples
    --------
    >>> breaker = Breaker(failures=1, open_for=30, clock=lambda: 0.0)
    >>> breaker.ended(NetworkError("no answer", category="transient"))
    'open'
    >>> breaker
    <Breaker: open, for another 30 s>
    >>> breaker.begin("PACS@pacs:104")
    Traceback (most recent call last):
    dicomkit.net.errors.CircuitOpenError: PACS@pacs:104 failed too often: it is left alone for another 30.0 s; try ...
    """

    __slots__ = ("_circuit", "_lock", "clock", "limits")

    def __init__(
        self,
        failures: int = 5,
        within: float | None = None,
        open_for: float = 30.0,
        probes: int = 1,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = Limits(failures, within, open_for, probes)
        self.clock = clock
        self._circuit = Circuit()
        self._lock = threading.Lock()

    @property
    def circuit(self) -> Circuit:
        """How it stands with the peer."""
        return self._circuit

    @property
    def retry_after(self) -> float:
        """The seconds for which nobody may try the peer; 0 where one may."""
        return self._circuit.retry_after(self.limits, self.clock())

    def begin(self, peer: str = "") -> CircuitState | None:
        """Begin an operation; `ended` has to be called at its end.

        Returns
        -------
        str or None
            The state, where it changed.

        Raises
        ------
        CircuitOpenError
            When the peer is left alone.
        """
        with self._lock:
            now = self.clock()
            circuit = self._circuit.begun(self.limits, now)
            if circuit is None:
                raise CircuitOpenError(peer, self._circuit.retry_after(self.limits, now))
            return self._become(circuit)

    def told(self, error: BaseException | None) -> CircuitState | None:
        """Take note of what became of a part of an operation; see `ended`."""
        failure = is_failure_of_peer(error)
        if failure is None:
            return None
        with self._lock:
            now = self.clock()
            return self._become(
                self._circuit.failed(self.limits, now) if failure else self._circuit.succeeded(self.limits)
            )

    def ended(self, error: BaseException | None) -> CircuitState | None:
        """End an operation that was begun.

        Parameters
        ----------
        error
            Why it failed; None for success. Which failures count says `is_failure_of_peer`.

        Returns
        -------
        str or None
            The state, where it changed.
        """
        changed = self.told(error)
        self.left()
        return changed

    def left(self) -> None:
        """End an operation that was begun, and that tells nothing about the peer."""
        with self._lock:
            self._circuit = self._circuit.left()

    def reset(self) -> None:
        """Close the circuit, and forget all failures."""
        with self._lock:
            self._circuit = Circuit()

    def _become(self, circuit: Circuit) -> CircuitState | None:
        changed = circuit.state if circuit.state != self._circuit.state else None
        self._circuit = circuit
        return changed

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the limits: another process has a circuit of its own."""
        limits = self.limits
        return _breaker, (limits, self.clock)

    def __repr__(self) -> str:
        circuit = self._circuit
        more = {
            "closed": f", {len(circuit.failed_at)} of {self.limits.failures} failures" if circuit.failed_at else "",
            "open": f", for another {self.retry_after:.3g} s",
            "half-open": f", {circuit.probing} probing",
        }
        return f"<Breaker: {circuit.state}{more[circuit.state]}>"


def _breaker(limits: Limits, clock: Callable[[], float]) -> Breaker:
    return Breaker(limits.failures, limits.within, limits.open_for, limits.probes, clock=clock)


def is_failure_of_peer(error: BaseException | None) -> bool | None:
    """Tell whether what ended an operation is a failure of the peer as such; None where it tells nothing about it.

    No connection, no association, or one that broke is such a failure, whatever its reason; so is a refusal that may
    pass, as of a peer that is out of resources. A refusal of what was asked for (a SOP class, an instance, a key) is
    none: the peer is there and answers.

    Examples
    --------
    >>> from dicomkit.standard.statuses import status
    >>> [is_failure_of_peer(StatusError(status(code, "C-STORE"))) for code in (0xA700, 0xC000, 0x0122)]
    [True, False, False]
    """
    if error is None or isinstance(error, ContextNotAcceptedError):
        return False
    if isinstance(error, StatusError):
        return error.category == "transient"
    if isinstance(error, NetworkError) and not isinstance(error, PoolBusyError | CircuitOpenError):
        return True
    return None
