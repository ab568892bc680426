"""Several peers for one operation: their order, and who serves when some fail."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from functools import partial

import pytest
from clock_driver import Clock, ClockDriver
from dimse_drivers import BLOCKING, DRIVERS
from moody_peer import BREAKS, BUSY, CLOSED, QUICK, STALLED, UNKNOWN, moody_peer

from dicomkit.dataset.dataset import DataSet
from dicomkit.delivery.failover import Candidate, order, over_peers
from dicomkit.dimse.echo import echo
from dicomkit.dimse.find import find
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import Pool
from dicomkit.dimse.retrying import Given
from dicomkit.dimse.store import store
from dicomkit.errors import ValueFormatError
from dicomkit.net.breaker import Breaker
from dicomkit.net.errors import AssociationRejectedError, CircuitOpenError, NetworkError, PeersFailedError, StatusError
from dicomkit.net.retry import Retry
from dicomkit.samples import ct_series

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
PEERS = [Peer(name, 104) for name in "abcd"]


def names(candidates) -> str:
    return "".join(candidate.peer.host for candidate in candidates)


@pytest.mark.parametrize(
    ("strategy", "orders"),
    [
        ("failover", ["abcd", "abcd", "abcd"]),
        ("round robin", ["abcd", "bcda", "cdab", "dabc", "abcd"]),
        ("priority", ["cadb", "acdb", "cadb"]),
    ],
)
def test_orders_that_turns_decide(strategy, orders):
    candidates = [Candidate(peer, priority) for peer, priority in zip(PEERS, (1, 9, 1, 5), strict=True)]
    turned = [names(order(candidates, strategy, turn)) for turn in range(len(orders))]
    if strategy == "priority":
        turned = [names(order(candidates, strategy, turn + 1)) for turn in range(len(orders))]
    assert turned == orders


def test_random_orders_have_each_peer_once_and_first_equally_often():
    rng = random.Random(7)
    drawn = [names(order(PEERS, "random", rng=rng)) for _ in range(2000)]
    assert all(sorted(one) == list("abcd") for one in drawn)
    assert all(400 < count < 600 for count in Counter(one[0] for one in drawn).values())


def test_weights_say_how_often_one_is_first():
    rng = random.Random(7)
    weighted = [Candidate(peer, weight=weight) for peer, weight in zip(PEERS, (6, 3, 1, 0), strict=True)]
    drawn = [names(order(weighted, "weighted", rng=rng)) for _ in range(4000)]
    firsts = Counter(one[0] for one in drawn)
    assert firsts["a"] == pytest.approx(2400, abs=150)
    assert firsts["b"] == pytest.approx(1200, abs=150)
    assert {one[-1] for one in drawn} == {"d"}
    assert all(sorted(one) == list("abcd") for one in drawn)


def test_what_can_not_be_ordered():
    with pytest.raises(ValueFormatError, match="no peers"):
        order([])
    with pytest.raises(ValueFormatError, match="no strategy"):
        order(PEERS, "alphabetical")
    with pytest.raises(ValueFormatError, match="weight"):
        Candidate(PEERS[0], weight=-1)
    with pytest.raises(ValueFormatError, match="neither a Peer nor a pool"):
        order(["a.local"])


def test_a_pool_is_a_candidate():
    assert order([Pool(PEERS[0])])[0].peer.peer is PEERS[0]


@both
def test_the_first_that_is_well_serves(driver):
    clock, seen = Clock(), []
    once_more = Retry("fixed", first=3, jitter=0, attempts=2, clock=clock)
    with ExitStack() as stack:
        closed = stack.enter_context(moody_peer(driver, [CLOSED] * 9, retry=once_more))
        stalled = stack.enter_context(moody_peer(driver, [STALLED], timeouts=QUICK))
        busy = stack.enter_context(moody_peer(driver, [BUSY]))
        well = stack.enter_context(moody_peer(driver))
        unused = stack.enter_context(moody_peer(driver))
        everyone = [one.peer for one in (closed, stalled, busy, well, unused)]
        ran = ClockDriver(driver, clock).run(over_peers(everyone, echo, on_event=seen.append))
    assert ran.error is None
    assert ran.value.peer is well.peer
    assert ran.value.result.category == "Success"
    assert [peer for peer, _ in ran.value.failures] == everyone[:3]
    assert [one.connections for one in (closed, stalled, busy, well, unused)] == [2, 1, 1, 1, 0]
    assert ran.slept == [3]
    assert [(event.name, event.peer) for event in seen] == [("failover", str(peer)) for peer in everyone[:3]]


@both
def test_an_open_circuit_is_passed_over(driver):
    clock = Clock()
    breaker = Breaker(failures=1, open_for=60, clock=clock)
    with moody_peer(driver, [CLOSED], breaker=breaker) as first, moody_peer(driver) as second:
        run = partial(ClockDriver(driver, clock).run)
        served = [run(over_peers([first.peer, second.peer], echo)).value for _ in range(3)]
        assert [one.peer for one in served] == [second.peer] * 3
        assert isinstance(served[2].failures[0][1], CircuitOpenError)
        assert first.connections == 1
        clock.sleep(60)
        assert run(over_peers([first.peer, second.peer], echo)).value.peer is first.peer


@both
def test_turns_share_the_work(driver):
    with ExitStack() as stack:
        moody = [stack.enter_context(moody_peer(driver)) for _ in range(3)]
        for turn in range(6):
            driver.run(over_peers([one.peer for one in moody], echo, strategy="round robin", turn=turn))
    assert [one.connections for one in moody] == [2, 2, 2]


def test_permanent_failures_end_it_unless_one_says_otherwise():
    with moody_peer(BLOCKING, [UNKNOWN] * 2, [0xC000]) as first, moody_peer(BLOCKING) as second:
        peers = [first.peer, second.peer]
        with pytest.raises(AssociationRejectedError):
            BLOCKING.run(over_peers(peers, echo))
        served = BLOCKING.run(over_peers(peers, echo, on=("transient", "configuration")))
        assert served.peer is second.peer
        with pytest.raises(StatusError):
            BLOCKING.run(over_peers(peers, echo, on=("transient", "configuration")))
        first.answers.append(0xC000)
        assert BLOCKING.run(over_peers(peers, echo, on=lambda error: True)).peer is second.peer


def test_all_fail():
    with (
        moody_peer(BLOCKING, [CLOSED]) as first,
        moody_peer(BLOCKING, [BUSY]) as second,
        pytest.raises(PeersFailedError, match="none of 2 peers") as caught,
    ):
        BLOCKING.run(over_peers([first.peer, second.peer], echo))
    assert [peer for peer, _ in caught.value.failures] == [str(first.peer), str(second.peer)]
    assert all(isinstance(error, NetworkError) for _, error in caught.value.failures)
    assert caught.value.category == "transient"


@both
def test_matches_of_one_peer_do_not_come_again_from_the_next(driver):
    matches = [DataSet(QueryRetrieveLevel="STUDY", PatientName=name) for name in "ABC"]
    with moody_peer(driver, answers=[BREAKS]) as first, moody_peer(driver) as second:
        first.matches, second.matches = matches, matches[::-1]
        operation = over_peers([first.peer, second.peer], partial(find, level="study"), given=Given())
        found = driver.collect(operation)
    assert [str(match.PatientName) for match in found] == ["A", "B", "C"]


def test_instances_go_to_the_first_that_is_there():
    series = ct_series(slices=2, size=16)
    with moody_peer(BLOCKING, [CLOSED]) as first, moody_peer(BLOCKING) as second:
        served = BLOCKING.run(over_peers([first.peer, second.peer], partial(store, instances=series)))
    assert len(served.result.stored) == 2
    assert (len(first.stored), len(second.stored)) == (0, 2)
