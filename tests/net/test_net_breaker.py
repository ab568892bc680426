"""The circuit breaker: when it opens, how it lets probes through, and what closes it."""

from __future__ import annotations

import pickle
import threading

import pytest

from dicomkit.errors import ValueFormatError
from dicomkit.net.breaker import Breaker, is_failure_of_peer
from dicomkit.net.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    CircuitOpenError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    PeerTimeoutError,
    PoolBusyError,
    ProtocolError,
    StatusError,
)
from dicomkit.standard.statuses import status

LOST = PeerTimeoutError("no answer")
NO_IMAGE = StatusError(status(0xC000, "C-STORE"))


class Time:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def operation(breaker: Breaker, error: BaseException | None = None) -> None:
    breaker.begin("PACS")
    breaker.ended(error)


def test_failures_in_a_row_open_it(time):
    breaker = Breaker(failures=3, open_for=30, clock=time)
    for error in (LOST, LOST, None, LOST, NO_IMAGE, LOST, LOST):
        operation(breaker, error)
        assert breaker.circuit.state == "closed"
    operation(breaker, LOST)
    assert breaker.circuit.state == "open"
    time.now = 12.5
    with pytest.raises(CircuitOpenError, match="PACS failed too often") as caught:
        breaker.begin("PACS")
    assert caught.value.retry_after == 17.5
    assert caught.value.category == "transient"


def test_failures_within_a_time_open_it_whatever_succeeds_between(time):
    breaker = Breaker(failures=3, within=10, clock=time)
    for now, error in ((0, LOST), (4, None), (8, LOST), (10, LOST)):
        time.now = now
        operation(breaker, error)
    assert breaker.circuit.state == "closed"  # the first was 10 s ago
    time.now = 17
    operation(breaker, LOST)
    assert breaker.circuit.state == "open"


def test_half_open_it_lets_so_many_through_and_a_success_closes_it(time):
    breaker = Breaker(failures=1, open_for=30, probes=2, clock=time)
    operation(breaker, LOST)
    time.now = 30
    assert breaker.begin() == "half-open"
    assert breaker.begin() is None
    with pytest.raises(CircuitOpenError, match="somebody else is trying it") as caught:
        breaker.begin("PACS")
    assert caught.value.retry_after == 0
    assert breaker.ended(None) == "closed"
    assert breaker.ended(None) is None
    operation(breaker)


def test_a_probe_that_fails_opens_it_for_as_long_again(time):
    breaker = Breaker(failures=5, open_for=30, clock=time)
    for _ in range(5):
        operation(breaker, LOST)
    time.now = 31
    operation(breaker, LOST)
    time.now = 60.9
    with pytest.raises(CircuitOpenError):
        breaker.begin()
    time.now = 61
    operation(breaker)
    assert breaker.circuit.state == "closed"


def test_a_probe_that_tells_nothing_makes_room_for_another(time):
    breaker = Breaker(failures=1, open_for=30, clock=time)
    operation(breaker, LOST)
    time.now = 30
    for error in (GeneratorExit(), KeyError("a fault of the caller"), PoolBusyError("ours")):
        operation(breaker, error)
        assert breaker.circuit.state == "half-open"
    operation(breaker, NO_IMAGE)  # it answers
    assert breaker.circuit.state == "closed"


def test_what_ends_late_neither_closes_nor_prolongs_it(time):
    breaker = Breaker(failures=1, open_for=30, clock=time)
    breaker.begin()
    breaker.begin()
    breaker.begin()
    breaker.ended(LOST)
    time.now = 20
    breaker.ended(LOST)
    assert breaker.ended(None) is None
    assert breaker.circuit.state == "open"
    assert breaker.retry_after == 10


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ConnectionFailedError("x"), True),
        (ConnectionFailedError("x", category="security"), True),
        (PeerTimeoutError("x"), True),
        (AssociationAbortedError(2, 0), True),
        (AssociationRejectedError(1, 1, 7), True),
        (ProtocolError("x"), True),
        (StatusError(status(0xA700, "C-STORE")), True),
        (StatusError(status(0x0213)), True),
        (StatusError(status(0xC000, "C-STORE")), False),
        (StatusError(status(0x0122)), False),
        (ContextNotAcceptedError("1.2.840.10008.1.1"), False),
        (None, False),
        (CircuitOpenError(), None),
        (PoolBusyError("x"), None),
        (ValueError("x"), None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_only_failures_of_the_peer_count(error, counts):
    assert is_failure_of_peer(error) is counts


def test_threads_share_it():
    breaker = Breaker(failures=1000, open_for=30)
    barrier = threading.Barrier(8)

    def fail() -> None:
        barrier.wait()
        for _ in range(124):
            operation(breaker, LOST)

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(breaker.circuit.failed_at) == 992
    for _ in range(8):
        operation(breaker, LOST)
    assert breaker.circuit.state == "open"
    breaker.reset()
    operation(breaker)


def test_it_is_shown_refused_and_pickled():
    breaker = Breaker(failures=2, within=60, open_for=5, probes=3)
    operation(breaker, LOST)
    assert repr(breaker) == "<Breaker: closed, 1 of 2 failures>"
    copy = pickle.loads(pickle.dumps(breaker))
    assert copy.limits == breaker.limits
    assert repr(copy) == "<Breaker: closed>"
    for options in ({"failures": 0}, {"probes": 0}, {"within": 0}, {"open_for": float("inf")}):
        with pytest.raises(ValueFormatError):
            Breaker(**options)
