"""Policies to try again: how long they wait, when they stop, and for which failures."""

from __future__ import annotations

import pickle

import pytest

from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    CircuitOpenError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    NetworkError,
    PeersFailedError,
    PeerTimeoutError,
    PoolBusyError,
    ProtocolError,
    StatusError,
)
from dicomkit.net.retry import Attempt, Retry, RetryHistory
from dicomkit.standard.statuses import status

LOST = PeerTimeoutError("no answer")


def waits(policy: Retry, count: int = 6) -> list[float | None]:
    return [policy.wait_after(LOST, attempt) for attempt in range(1, count + 1)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Retry("fixed", first=3, jitter=0, attempts=4), [3, 3, 3, None, None, None]),
        (Retry("linear", first=2, jitter=0, longest=7, attempts=None), [2, 4, 6, 7, 7, 7]),
        (Retry("exponential", first=0.5, jitter=0, longest=3), [0.5, 1, 2, 3, None, None]),
        (Retry(first=1, factor=10, jitter=0, attempts=4), [1, 10, 60, None, None, None]),
        (Retry(first=0, jitter=0, attempts=None), [0] * 6),
        (Retry(attempts=1), [None] * 6),
    ],
)
def test_waits_are_exact_without_jitter(policy, expected):
    assert waits(policy) == expected


@pytest.mark.parametrize("strategy", ["fixed", "linear", "exponential"])
def test_jitter_is_added_within_its_bounds_and_never_beyond_the_longest(strategy):
    exact = Retry(strategy, first=1, jitter=0, longest=5, attempts=None)
    policy = Retry(strategy, first=1, jitter=0.5, longest=5, attempts=None)
    drawn = [waits(policy, 8) for _ in range(50)]
    for number, least in enumerate(waits(exact, 8)):
        column = [row[number] for row in drawn]
        assert min(column) >= least
        assert max(column) <= min(least + 0.5, 5)
        assert len(set(column)) > 10 or least == 5


def test_a_very_late_attempt_waits_as_long_as_the_longest():
    assert Retry(jitter=0, attempts=None).wait_after(LOST, 100_000) == 60


def test_the_last_attempt_begins_before_the_time_out():
    policy = Retry("fixed", first=4, jitter=0, attempts=None, timeout=10)
    assert policy.wait_after(LOST, 1, elapsed=0) == 4
    assert policy.wait_after(LOST, 2, elapsed=5.9) == 4
    assert policy.wait_after(LOST, 2, elapsed=6.0) is None


def test_what_asks_for_patience_gets_it():
    policy = Retry("fixed", first=1, longest=2, jitter=0, timeout=50)
    assert policy.wait_after(CircuitOpenError("PACS", 25.0), 1) == 25
    assert policy.wait_after(CircuitOpenError("PACS", 0.3), 1) == 1
    assert policy.wait_after(CircuitOpenError("PACS", 25.0), 1, elapsed=30) is None


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionFailedError("refused"), True),
        (ConnectionFailedError("unknown host", category="configuration"), False),
        (ConnectionFailedError("bad certificate", category="security"), False),
        (PeerTimeoutError("no answer"), True),
        (PoolBusyError("all in use"), True),
        (AssociationAbortedError(0, 0), True),
        (AssociationRejectedError(2, 3, 2), True),
        (AssociationRejectedError(1, 1, 7), False),
        (ContextNotAcceptedError("1.2.840.10008.1.1"), False),
        (ProtocolError("nonsense"), False),
        (StatusError(status(0xA700, "C-STORE")), True),
        (StatusError(status(0xC000, "C-STORE")), False),
        (StatusError(status(0x0122, "C-STORE")), False),
        (StatusError(status(0x0110)), False),
        (StatusError(status(0x0213)), True),
        (StatusError(status(0x0124)), False),
        (DicomError("a file that can't be read"), False),
        (ValueError("a fault"), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_only_what_may_pass_is_tried_again(error, again):
    assert (Retry().wait_after(error, 1) is not None) is again


def test_categories_and_functions_choose_failures():
    configured = NetworkError("x", category="configuration")
    assert Retry(on=("configuration", "security")).is_worth(configured)
    assert not Retry(on=("configuration",)).is_worth(LOST)
    assert Retry(on=lambda error: "x" in error.message).is_worth(configured)
    assert not Retry(on=lambda error: True).is_worth(OSError())


def test_a_sop_class_has_a_policy_of_its_own_by_name_or_uid():
    slow = Retry("fixed", first=9, jitter=0)
    policy = Retry(by_sop_class={"CT Image Storage": slow, "1.2.840.10008.5.1.4.1.1.4": Retry(attempts=1)})
    assert policy.for_sop_class("1.2.840.10008.5.1.4.1.1.2") is slow
    assert policy.for_sop_class("1.2.840.10008.5.1.4.1.1.4").attempts == 1
    assert policy.for_sop_class("1.2.840.10008.1.1") is policy


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "quadratic"},
        {"attempts": 0},
        {"first": -1},
        {"longest": float("nan")},
        {"jitter": float("inf")},
        {"timeout": -0.1},
        {"factor": 0.5},
        {"on": ("sometimes",)},
        {"by_sop_class": {"no such class": Retry()}},
    ],
    ids=str,
)
def test_what_is_no_policy_is_refused(options):
    with pytest.raises(ValueFormatError):
        Retry(**options)


def test_policies_are_values():
    policy = Retry("linear", by_sop_class={"CT Image Storage": Retry(attempts=2)})
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(Retry("linear", by_sop_class={"CT Image Storage": Retry(attempts=2)}))
    assert policy != Retry("linear")
    assert "attempts=5" in repr(policy)


def test_histories_and_the_errors_that_hold_them_can_be_pickled_and_shown():
    error = PeerTimeoutError("again <nothing>")
    error.history = RetryHistory([Attempt(1, LOST, 2.0), Attempt(2, LOST, 4.0)])
    again = pickle.loads(pickle.dumps(error))
    assert [(attempt.number, str(attempt.error), attempt.waited) for attempt in again.history] == [
        (1, "no answer", 2.0),
        (2, "no answer", 4.0),
    ]
    assert again.history.waited == 6
    assert "2 attempts" in repr(again.history)
    assert "no answer" in again.history._repr_html_()
    failed = pickle.loads(pickle.dumps(PeersFailedError([("A", LOST)])))
    assert str(failed) == "none of 1 peers did it: A: no answer"
    assert pickle.loads(pickle.dumps(CircuitOpenError("PACS", 3.0))).retry_after == 3.0
