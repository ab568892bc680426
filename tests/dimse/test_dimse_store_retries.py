"""Store with a policy to try again: each instance by itself, associations anew, nothing twice that was answered."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

import pytest
from clock_driver import REAL, Clock, ClockDriver
from dimse_drivers import BLOCKING, DRIVERS
from faulty_proxy import TO_SERVER, Fault, faulty_proxy
from moody_peer import BREAKS, BUSY, CLOSED, QUICK, UNKNOWN, Moody, moody_peer

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import aio, store_report, sync
from dicomkit.dimse import store as store_module
from dicomkit.dimse.pool import Pool, close_pool
from dicomkit.dimse.steps import Open
from dicomkit.dimse.store import store
from dicomkit.net.breaker import Breaker
from dicomkit.net.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    CircuitOpenError,
    ConnectionFailedError,
    ProtocolError,
    StatusError,
)
from dicomkit.net.retry import Retry
from dicomkit.samples import ct_series

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
REFUSED = ConnectionFailedError("can't connect")
SERIES = ct_series(slices=5, size=16)
UIDS = [str(ds.SOPInstanceUID) for ds in SERIES]
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def policy(clock: Clock, **options) -> Retry:
    return Retry(**{"first": 1, "jitter": 0, "attempts": 4, "clock": clock, **options})


def kinds(ran) -> list[tuple[str, int]]:
    return [(outcome.kind, outcome.attempts) for outcome in ran.value]


def arrived_once(moody: Moody, uids=UIDS) -> bool:
    return sorted(moody.stored) == sorted(uids)


@both
def test_an_instance_that_is_refused_for_now_waits_while_the_others_go(driver, clock):
    seen = []
    with moody_peer(driver, retry=policy(clock)) as moody:
        moody.answers_for[UIDS[1]] = deque([0xA700, 0xA701])
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES, on_event=seen.append))
    assert kinds(ran) == [("stored", 1), ("stored", 3), ("stored", 1), ("stored", 1), ("stored", 1)]
    assert moody.asked == [*UIDS, UIDS[1], UIDS[1]]
    assert ran.slept == [1, 2]
    assert [(attempt.waited, attempt.error.status.code) for attempt in ran.value[1].history] == [
        (1, 0xA700),
        (2, 0xA701),
    ]
    assert [progress.done for progress in ran.results] == [1, 2, 3, 4, 5]
    assert ran.results[-1].failed == 0
    retries = [event for event in seen if event.name == "retry"]
    assert [event.data["sop_instance_uid"] for event in retries] == [UIDS[1]] * 2
    assert arrived_once(moody)


@both
@pytest.mark.parametrize(
    ("answer", "kind", "level"),
    [
        (0xC000, "failed", "instance"),
        (0x0122, "failed", "instance"),
        (0xA900, "failed", "instance"),
        (0xB000, "warning", ""),
    ],
)
def test_permanent_answers_are_final(driver, clock, answer, kind, level):
    with moody_peer(driver, retry=policy(clock)) as moody:
        moody.answers_for[UIDS[2]] = deque([answer])
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert kinds(ran) == [("stored", 1)] * 2 + [(kind, 1)] + [("stored", 1)] * 2
    assert ran.value[2].level == level
    assert (ran.slept, moody.asked) == ([], UIDS)


@both
def test_an_instance_that_is_refused_each_time_is_given_up(driver, clock):
    with moody_peer(driver, retry=policy(clock, attempts=3)) as moody:
        moody.answers_for[UIDS[0]] = deque([0xA700] * 9)
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert kinds(ran) == [("failed", 3)] + [("stored", 1)] * 4
    assert ran.value[0].level == "instance"
    assert ran.value[0].reason.startswith("0xA700")
    assert moody.asked.count(UIDS[0]) == 3
    assert ran.results[-1].failed == 1
    assert (ran.slept, ran.results[-1].done) == ([1, 2], 5)


@both
@pytest.mark.parametrize("window", [1, 3])
def test_after_a_broken_association_only_what_was_not_answered_goes_again(driver, clock, window):
    with moody_peer(driver, retry=policy(clock), window=window) as moody:
        moody.answers_for[UIDS[2]] = deque([BREAKS, BREAKS])
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert [outcome.kind for outcome in ran.value] == ["stored"] * 5
    assert ran.value[2].attempts == 3
    assert all(isinstance(attempt.error, AssociationAbortedError) for attempt in ran.value[2].history)
    assert arrived_once(moody)
    assert moody.asked[:3] == UIDS[:3]
    if window == 1:
        assert moody.asked == [*UIDS, UIDS[2], UIDS[2]]
        assert moody.connections == 4
        assert ran.slept == [1, 2]


@both
def test_an_instance_that_breaks_each_association_is_given_up_and_the_others_arrive(driver, clock):
    with moody_peer(driver, retry=policy(clock, attempts=3)) as moody:
        moody.answers_for[UIDS[1]] = deque([BREAKS] * 9)
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert kinds(ran) == [("stored", 1), ("not sent", 3), ("stored", 1), ("stored", 1), ("stored", 1)]
    assert ran.value[1].level == "association"
    assert isinstance(ran.value[1].error, AssociationAbortedError)
    assert arrived_once(moody, [UIDS[0], *UIDS[2:]])


@both
def test_a_peer_that_is_away_at_first(driver, clock):
    with moody_peer(driver, [BUSY, CLOSED], retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES), {Open: [REFUSED]})
    assert kinds(ran) == [("stored", 1)] * 5
    assert ran.slept == [1, 2, 4]
    assert arrived_once(moody)


@both
def test_a_peer_that_stays_away_is_an_error_with_its_history(driver, clock):
    with moody_peer(driver, retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES), {Open: [REFUSED] * 9})
    assert isinstance(ran.error, ConnectionFailedError)
    assert len(ran.error.history) == 3
    assert ran.slept == [1, 2, 4]
    assert moody.connections == 0


@both
def test_a_peer_that_does_not_come_back_leaves_the_rest_unsent(driver, clock):
    with moody_peer(driver, answers=[0, BREAKS], retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES), {Open: [REAL] + [REFUSED] * 20})
    assert kinds(ran) == [("stored", 1), ("not sent", 5), ("not sent", 4), ("not sent", 4), ("not sent", 4)]
    assert {outcome.level for outcome in ran.value.failed} == {"association"}
    assert all(isinstance(outcome.error, ConnectionFailedError) for outcome in ran.value.failed)
    assert moody.stored == UIDS[:1]
    assert len(ran.results) == 5


def test_a_peer_that_knows_us_not_is_not_asked_again(clock):
    with moody_peer(BLOCKING, [UNKNOWN], retry=policy(clock)) as moody:
        ran = ClockDriver(BLOCKING, clock).run(store(moody.peer, SERIES))
        assert isinstance(ran.error, AssociationRejectedError)
        moody.moods.extend(["well", UNKNOWN])
        moody.answers.extend([0, BREAKS])
        ran = ClockDriver(BLOCKING, clock).run(store(moody.peer, SERIES))
    assert kinds(ran) == [("stored", 1), ("stored", 2)] + [("not sent", 1)] * 3
    assert ran.slept == [1]  # for the one that was under way


def test_what_can_not_be_read_is_not_tried_again(clock, tmp_path):
    with moody_peer(BLOCKING, retry=policy(clock)) as moody:
        ran = ClockDriver(BLOCKING, clock).run(store(moody.peer, [tmp_path / "missing", SERIES[0]]))
    assert kinds(ran) == [("not sent", 1), ("stored", 1)]
    assert (ran.slept, ran.value[0].level) == ([], "instance")


@both
def test_each_sop_class_has_its_policy(driver, clock):
    mr = [ds.assign(SOPClassUID=MR, SOPInstanceUID=f"2.25.{number}") for number, ds in enumerate(SERIES[:2])]
    never, patient = policy(clock, attempts=1), policy(clock, strategy="fixed", first=30)
    with moody_peer(driver, retry=replace(patient, by_sop_class={"CT Image Storage": never})) as moody:
        for ds in (SERIES[0], mr[1]):
            moody.answers_for[str(ds.SOPInstanceUID)] = deque([0xA700])
        ran = ClockDriver(driver, clock).run(store(moody.peer, [*SERIES[:2], *mr]))
    assert kinds(ran) == [("failed", 1), ("stored", 1), ("stored", 1), ("stored", 2)]
    assert ran.slept == [30]


@both
def test_several_associations_at_once(driver, clock):
    with moody_peer(driver, retry=policy(clock)) as moody:
        for uid in UIDS[:3]:
            moody.answers_for[uid] = deque([0xA700])
        moody.answers_for[UIDS[4]] = deque([BREAKS])
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES, associations=2))
    assert kinds(ran) == [("stored", 2)] * 3 + [("stored", 1), ("stored", 2)]
    assert arrived_once(moody)
    assert len(ran.results) == 5


def test_what_comes_later_does_not_wait_for_what_is_tried_again(clock, monkeypatch):
    monkeypatch.setattr(store_module, "BATCH", 2)
    with moody_peer(BLOCKING, retry=policy(clock, first=50)) as moody:
        moody.answers_for[UIDS[0]] = deque([0xA700])
        ran = ClockDriver(BLOCKING, clock).run(store(moody.peer, (ds for ds in SERIES)))
    assert kinds(ran) == [("stored", 2)] + [("stored", 1)] * 4
    assert moody.asked == [*UIDS, UIDS[0]]
    assert ran.slept == [50]


def test_what_is_due_goes_over_the_association_that_there_is(clock):
    with moody_peer(BLOCKING, retry=policy(clock, first=3)) as moody:
        moody.answers_for[UIDS[0]] = deque([0xA700])
        ran = ClockDriver(BLOCKING, clock).run(store(moody.peer, SERIES, delay=1))
    assert kinds(ran) == [("stored", 2)] + [("stored", 1)] * 4
    assert moody.connections == 1
    assert moody.asked[-1] == UIDS[0]
    assert ran.slept == [1] * 6  # no other wait than those that were asked for


def test_who_cancels_or_fails_fast_waits_for_nothing(clock):
    with moody_peer(BLOCKING, retry=policy(clock)) as moody:
        moody.answers_for[UIDS[0]] = deque([0xA700] * 9)
        run = ClockDriver(BLOCKING, clock).run
        seen = []
        ran = run(store(moody.peer, SERIES, cancelled=lambda: "retry" in seen, on_event=lambda e: seen.append(e.name)))
        assert kinds(ran) == [("failed", 1), ("stored", 1), ("not sent", 0), ("not sent", 0), ("not sent", 0)]
        assert ran.value[0].reason.startswith("0xA700")
        assert [outcome.level for outcome in ran.value] == ["instance", "", "", "", ""]
        assert (ran.slept, len(ran.results)) == ([], 2)
        moody.answers_for[UIDS[2]] = deque([0xC000])
        ran = run(store(moody.peer, SERIES, fail_fast=True))
    assert [outcome.kind for outcome in ran.value] == ["failed", "stored", "failed", "stored", "not sent"]
    assert ran.value.ended_by is not None
    assert (ran.slept, len(ran.results)) == ([], 4)


@both
def test_the_time_out_of_an_instance_counts_from_its_first_attempt(driver, clock):
    with moody_peer(driver, retry=policy(clock, strategy="fixed", attempts=None, first=4, timeout=10)) as moody:
        moody.answers_for[UIDS[0]] = deque([0xA700] * 99)
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert ran.slept == [4, 4]
    assert ran.value[0].attempts == 3


def test_a_fault_in_the_protocol_is_permanent(clock):
    fault = ProtocolError("nonsense")
    with moody_peer(BLOCKING, retry=policy(clock)) as moody:
        ran = ClockDriver(BLOCKING, clock).run(store(moody.peer, SERIES[:1]), {Open: [fault]})
    assert (ran.error, ran.slept) == (fault, [])


@both
def test_over_a_pool(driver, clock):
    with moody_peer(driver, retry=policy(clock)) as moody:
        moody.answers_for[UIDS[1]] = deque([0xA700, BREAKS])
        pool = Pool(moody.peer, size=1)

        def twice():
            report = yield from store(pool, SERIES)
            counts = pool.counts
            yield from close_pool(pool)
            return report, counts

        ran = ClockDriver(driver, clock).run(twice())
    report, counts = ran.value
    assert [outcome.attempts for outcome in report] == [1, 3, 1, 1, 1]
    assert counts == (0, 1)
    assert moody.connections == 2
    assert arrived_once(moody)


@both
@pytest.mark.parametrize("fault", ["cut_after", "stall_after"])
def test_a_line_that_fails_again_and_again_delivers_all_by_and_by(driver, clock, fault):
    series = ct_series(slices=6, size=16)
    with (
        moody_peer(driver, retry=policy(clock), timeouts=QUICK) as moody,
        faulty_proxy(moody.peer.port, Fault(TO_SERVER, **{fault: 8000})) as proxy,
    ):
        ran = ClockDriver(driver, clock).run(store(replace(moody.peer, port=proxy.port), series))
        assert proxy.connections > 2
    assert [outcome.kind for outcome in ran.value] == ["stored"] * 6
    assert set(moody.stored) == {str(ds.SOPInstanceUID) for ds in series}
    assert max(outcome.attempts for outcome in ran.value) >= 2
    assert ran.slept[0] == 1


# ---- without a policy ----------------------------------------------------------------------------------------------


@both
def test_without_a_policy_each_instance_is_tried_once(driver, clock):
    with moody_peer(driver) as moody:
        moody.answers_for |= {UIDS[0]: deque([0xA700]), UIDS[2]: deque([BREAKS])}
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert [outcome.kind for outcome in ran.value] == ["failed", "stored", "not sent", "stored", "stored"]
    assert [outcome.level for outcome in ran.value] == ["instance", "", "association", "", ""]
    assert (ran.slept, moody.asked) == ([], UIDS)


# ---- the breaker ---------------------------------------------------------------------------------------------------


@both
def test_refusals_for_now_open_the_circuit_and_the_rest_is_not_sent(driver, clock):
    seen = []
    breaker = Breaker(failures=2, open_for=30, clock=clock)
    with moody_peer(driver, answers=[0, 0xA700, 0xC000, 0xA700, 0xA700], breaker=breaker) as moody:
        ran = ClockDriver(driver, clock).run(store(moody.peer, [*SERIES, *more(4)], on_event=seen.append))
    assert [outcome.kind for outcome in ran.value] == ["stored"] + ["failed"] * 4 + ["not sent"] * 4
    assert all(isinstance(outcome.error, CircuitOpenError) for outcome in ran.value[5:])
    assert len(moody.asked) == 5
    assert [event.name for event in seen if event.name.startswith("circuit")] == ["circuit open"]


@both
def test_with_a_policy_the_rest_is_sent_when_the_circuit_closes(driver, clock):
    breaker = Breaker(failures=2, open_for=30, clock=clock)
    with moody_peer(driver, answers=[0, 0xA700, 0xA700], retry=policy(clock), breaker=breaker) as moody:
        ran = ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert [outcome.kind for outcome in ran.value] == ["stored"] * 5
    assert [outcome.attempts for outcome in ran.value] == [1, 2, 2, 1, 1]
    assert ran.slept == [30]
    assert arrived_once(moody)
    assert breaker.circuit.state == "closed"


@both
def test_permanent_refusals_leave_the_circuit_closed(driver, clock):
    breaker = Breaker(failures=1, clock=clock)
    with moody_peer(driver, answers=[0xC000] * 4 + [0x0122], breaker=breaker) as moody:
        ClockDriver(driver, clock).run(store(moody.peer, SERIES))
    assert len(moody.asked) == 5
    assert breaker.circuit.state == "closed"


def more(count: int) -> list[DataSet]:
    return [SERIES[0].assign(SOPInstanceUID=f"2.25.{number + 1}") for number in range(count)]


# ---- reports and the drivers, as a user sees them --------------------------------------------------------------------


def test_a_report_shows_attempts_only_where_there_were_several():
    once = store_report.Outcome("a.dcm", CT, "1.2.3", status=store_report.Status(0, "Success", "Success"))
    error = StatusError(store_report.Status(0xA700, "Failure", "Refused", nature="transient"))
    history = store_report.RetryHistory([(1, error, 2.0)])
    twice = replace(once, history=history)
    plain = store_report.StoreReport((once, once), 1.0)
    retried = store_report.StoreReport((once, twice), 1.0)
    assert "attempts" not in plain.to_table().columns
    assert "attempts" not in plain._repr_html_() + repr(plain)
    assert retried.to_table()["attempts"].tolist() == [1, 2]
    assert "attempts" in retried._repr_html_()
    assert "attempts" in repr(retried)


def test_the_verbs_of_both_drivers():
    quick = Retry("fixed", first=0.01, jitter=0)
    with moody_peer(BLOCKING, [CLOSED], [0xA700, BREAKS], retry=quick) as moody:
        report = sync.store(moody.peer, SERIES)
        assert len(report.stored) == 5
        assert arrived_once(moody)
        moody.answers.extend([0xA700, BREAKS])
        report = asyncio.run(aio.store(moody.peer, SERIES))
        assert [outcome.kind for outcome in report] == ["stored"] * 5
