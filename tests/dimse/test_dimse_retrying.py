"""Another attempt: its waits, what it gives, and what it keeps, for every verb but store; under a clock of the test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from clock_driver import REAL, Clock, ClockDriver, under
from dimse_drivers import BLOCKING, DRIVERS, LOCALHOST
from hypothesis import given
from hypothesis import strategies as st
from moody_peer import BREAKS, BUSY, CLOSED, QUICK, STALLED, UNKNOWN, moody_peer
from peers import free_port

from dicomkit.archive.memory import MemoryArchive
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import aio, sync
from dicomkit.dimse.echo import echo
from dicomkit.dimse.explain import explain_association
from dicomkit.dimse.find import find
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import VERIFICATION, Pool, close_pool, echo_on, using
from dicomkit.dimse.retrieve import get, move
from dicomkit.dimse.retrying import Given, retrying
from dicomkit.dimse.steps import Emit, Offload, Open, Read, Sleep
from dicomkit.dimse.sync import connect
from dicomkit.errors import DicomError
from dicomkit.net.breaker import Breaker
from dicomkit.net.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    CircuitOpenError,
    ConnectionFailedError,
    NetworkError,
    PeerTimeoutError,
    StatusError,
)
from dicomkit.net.retry import Retry
from dicomkit.samples import ct_series
from dicomkit.serve.dimse import serve_dimse

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
REFUSED = ConnectionFailedError("can't connect")
LOST = ConnectionFailedError("lost the connection")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def policy(clock: Clock, **options) -> Retry:
    return Retry(**{"first": 1, "jitter": 0, "attempts": 4, "clock": clock, **options})


# ---- the combinator ------------------------------------------------------------------------------------------------


def failing(results, *failures):
    """Make operations that give results, and fail after some of them until they have failed so often."""
    waiting = list(failures)

    def operation():
        count = waiting.pop(0) if waiting else None
        for result in results[:count]:
            yield Emit(result)
        if count is not None:
            raise PeerTimeoutError(f"after {count}")
        return "done"

    return operation


def results(operation) -> list:
    return [step.result if isinstance(step, Emit) else step.seconds for step in operation]


def test_results_come_once_and_equal_ones_of_one_attempt_all():
    operation = retrying(failing("aabc", 3, 1, 2), Retry("fixed", first=1, jitter=0), given=Given())
    assert results(operation) == ["a", "a", "b", 1, 1, 1, "c"]
    assert results(retrying(failing("abc", 2), Retry(first=0, jitter=0))) == ["a", "b", 0, "a", "b", "c"]


@given(st.text("abc", max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_all_results_come_once_wherever_attempts_break(matches, breaks):
    operation = retrying(failing(matches, *breaks), Retry(first=0, jitter=0), given=Given())
    assert [result for result in results(operation) if result != 0] == list(matches)


def test_results_that_come_in_another_order_stay_within_the_limit():
    answers = iter(["abc", "dbefa"])

    def operation():
        given = next(answers)
        yield from map(Emit, given)
        if given == "abc":
            raise LOST

    assert results(retrying(operation, Retry(first=0, jitter=0), given=Given(most=4))) == ["a", "b", "c", 0, "d"]


def test_steps_go_through_and_what_they_bring_comes_back():
    attempts = []

    def operation():
        attempts.append((yield Read("wire")))
        try:
            yield Read("wire")
        except NetworkError as error:
            attempts.append(error.message)
            raise
        return "done"

    running = retrying(operation, Retry("fixed", first=7, jitter=0), given=Given())
    assert running.send(None) == Read("wire")
    assert running.send(b"first") == Read("wire")
    assert running.throw(LOST) == Sleep(7)
    assert running.send(None) == Read("wire")
    assert running.send(b"second") == Read("wire")
    with pytest.raises(StopIteration) as stop:
        running.send(b"third")
    assert stop.value.value == "done"
    assert attempts == [b"first", "lost the connection", b"second"]


@both
def test_the_last_error_has_the_history_of_the_others(driver, clock):
    seen = []
    operation = retrying(failing("", 0, 0, 0, 0, 0), policy(clock), on_event=seen.append, peer="PACS")
    ran = ClockDriver(driver, clock).run(operation)
    assert isinstance(ran.error, PeerTimeoutError)
    assert [(one.number, one.waited, one.error.message) for one in ran.error.history] == [
        (1, 1, "after 0"),
        (2, 2, "after 0"),
        (3, 4, "after 0"),
    ]
    assert ran.slept == [1, 2, 4]
    assert [(e.name, e.level, e.category, e.peer, e.data["attempt"], e.data["wait"]) for e in seen] == [
        ("retry", "warning", "operation", "PACS", number, wait) for number, wait in ((1, 1), (2, 2), (3, 4))
    ]


def test_a_time_out_counts_what_the_attempts_take(clock):
    def operation():
        yield Sleep(2.5)
        raise LOST

    ran = ClockDriver(BLOCKING, clock).run(retrying(operation, policy(clock, attempts=None, timeout=10)))
    assert ran.slept == [2.5, 1, 2.5, 2, 2.5]  # the wait of 4 s would end after 14.5 s
    assert ran.error is LOST
    assert len(ran.error.history) == 2


def test_who_cancels_is_not_kept_waiting(clock):
    asked = iter([False, True])
    operation = retrying(failing("", 0, 0, 0), policy(clock), cancelled=lambda: next(asked))
    ran = ClockDriver(BLOCKING, clock).run(operation)
    assert isinstance(ran.error, PeerTimeoutError)
    assert ran.slept == [1]


def test_other_errors_and_abandonment_end_it_at_once(clock):
    closed = []

    def operation():
        try:
            yield Read("wire")
        finally:
            closed.append(True)

    running = retrying(operation, policy(clock), given=Given())
    next(running)
    running.close()
    running = retrying(operation, policy(clock), given=Given())
    next(running)
    with pytest.raises(ZeroDivisionError):
        running.throw(ZeroDivisionError())
    assert closed == [True, True]


# ---- verbs ---------------------------------------------------------------------------------------------------------


@both
def test_echo_of_a_peer_that_comes_back(driver, clock):
    with moody_peer(driver, [CLOSED, BUSY], retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(echo(moody.peer), {Open: [REFUSED]})
        assert ran.value.category == "Success"
    assert ran.slept == [1, 2, 4]
    assert moody.connections == 3


@both
def test_a_server_that_starts_while_one_waits(driver):
    port = free_port()
    running = []

    class Starting(Clock):
        def sleep(self, seconds):
            super().sleep(seconds)
            if self.now >= 1003:
                running.append(serve_dimse(MemoryArchive(), ae="LATE", port=port))

    clock = Starting()
    try:
        ran = ClockDriver(driver, clock).run(echo(Peer(LOCALHOST, port, "LATE", retry=policy(clock))))
    finally:
        for server in running:
            server.close()
    assert ran.value.category == "Success"
    assert ran.slept == [1, 2]


@both
def test_a_peer_that_accepts_and_stalls(driver, clock):
    with moody_peer(driver, [STALLED] * 9, retry=policy(clock, attempts=3), timeouts=QUICK) as moody:
        ran = ClockDriver(driver, clock).run(echo(moody.peer))
    assert isinstance(ran.error, PeerTimeoutError)
    assert len(ran.error.history) == 2
    assert (moody.connections, ran.slept) == (3, [1, 2])


@both
@pytest.mark.parametrize(
    ("moods", "answers", "error"),
    [
        ([UNKNOWN], [], AssociationRejectedError),
        ([], [0x0122], StatusError),
        ([], [0xC000], StatusError),
        ([], [0x0124], StatusError),
    ],
)
def test_what_is_permanent_is_not_tried_again(driver, clock, moods, answers, error):
    with moody_peer(driver, moods, answers, retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(echo(moody.peer))
    assert isinstance(ran.error, error)
    assert (moody.connections, ran.slept, list(ran.error.history)) == (1, [], [])


def test_without_a_policy_there_is_one_attempt(clock):
    with moody_peer(BLOCKING, [CLOSED]) as moody:
        ran = ClockDriver(BLOCKING, clock).run(echo(moody.peer))
    assert isinstance(ran.error, AssociationAbortedError)
    assert (moody.connections, ran.slept) == (1, [])


def test_a_sop_class_has_its_own_policy(clock):
    often = policy(clock, attempts=6)
    seldom = policy(clock, attempts=1, by_sop_class={"Verification SOP Class": often})
    with moody_peer(BLOCKING, [CLOSED] * 9, retry=seldom) as moody:
        driver = ClockDriver(BLOCKING, clock)
        assert len(driver.run(find(moody.peer, "study")).slept) == 0
        assert len(driver.run(echo(moody.peer)).slept) == 5


def studies(*names: str) -> list[DataSet]:
    return [DataSet(QueryRetrieveLevel="STUDY", PatientName=name) for name in names]


@both
@pytest.mark.parametrize(("limit", "expected"), [(None, "A A B C"), (3, "A A B"), (4, "A A B C")])
def test_find_gives_each_match_once(driver, clock, limit, expected):
    with moody_peer(driver, answers=[BREAKS, 0xA700, BREAKS], retry=policy(clock)) as moody:
        moody.matches = studies(*"A A B C".split())
        ran = ClockDriver(driver, clock).run(find(moody.peer, "study", limit=limit))
    assert ran.error is None
    assert " ".join(str(match.PatientName) for match in ran.results) == expected
    assert moody.asked == ["find"] * 4


@both
def test_find_that_can_not_be_done(driver, clock):
    with moody_peer(driver, answers=[0xC001], retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(find(moody.peer, "study"))
    assert ran.error.status.code == 0xC001
    assert ran.slept == []


@both
@pytest.mark.parametrize("into", [False, True])
def test_get_gives_each_instance_once(driver, clock, into):
    series = ct_series(slices=4, size=16)
    archive = MemoryArchive()
    got = []
    with serve_dimse(archive, ae="PACS", port=0) as server:
        sync.store(server.peer(), series)
        peer = server.peer(retry=policy(clock, first=2))
        operation = get(
            peer,
            "series",
            SeriesInstanceUID=series[0].SeriesInstanceUID,
            into=got.append if into else None,
            sop_classes=["1.2.840.10008.5.1.4.1.1.2"],
        )
        lost_later = [REAL] * 6 + [LOST]
        ran = ClockDriver(driver, clock).run(operation, {Read: lost_later})
    assert ran.error is None
    assert ran.slept == [2]
    assert ran.value.completed == 4
    found = got if into else ran.results
    assert sorted(ds.InstanceNumber for ds in found) == [1, 2, 3, 4]


@both
def test_move_to_a_receiver_gives_each_instance_once(driver, clock):
    series = ct_series(slices=4, size=16)
    port = free_port()
    here = Peer(LOCALHOST, port, "DICOMKIT")
    with serve_dimse(MemoryArchive(), ae="PACS", port=0, destinations={"DICOMKIT": here}) as server:
        sync.store(server.peer(), series)
        operation = move(
            server.peer(retry=policy(clock)),
            "series",
            SeriesInstanceUID=series[0].SeriesInstanceUID,
            port=port,
        )
        ran = ClockDriver(driver, clock).run(operation, {Read: [REAL, REAL, LOST]})
    assert ran.error is None
    assert ran.slept == [1]
    assert sorted(ds.InstanceNumber for ds in ran.results) == [1, 2, 3, 4]


@dataclass
class Picky:
    """Takes instances, but refuses some of them so often."""

    refusing: dict[int, int]
    asked: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def __call__(self, ds: DataSet) -> None:
        number = ds.InstanceNumber
        self.asked.append(number)
        if self.refusing.get(number, 0):
            self.refusing[number] -= 1
            raise DicomError("not now")
        self.taken.append(number)


@both
@pytest.mark.parametrize("level", ["series", "image"])
@pytest.mark.parametrize("verb", [get, move], ids=["get", "move"])
def test_what_the_peer_could_not_send_is_asked_for_again(driver, clock, verb, level):
    series = ct_series(slices=4, size=16)
    picky, events, states, port = Picky({2: 1, 3: 2}), [], [], free_port()
    keys = {"StudyInstanceUID": series[0].StudyInstanceUID, "SeriesInstanceUID": series[0].SeriesInstanceUID}
    if level == "image":
        keys["SOPInstanceUID"] = [ds.SOPInstanceUID for ds in series]
    options = {"port": port} if verb is move else {"sop_classes": ["1.2.840.10008.5.1.4.1.1.2"]}
    here = {"DICOMKIT": Peer(LOCALHOST, port, "DICOMKIT")}
    with serve_dimse(MemoryArchive(), ae="PACS", port=0, destinations=here) as server:
        sync.store(server.peer(), series)
        operation = verb(
            server.peer(),
            level,
            into=picky,
            retry_failed=policy(clock, strategy="linear", first=5),
            on_event=events.append,
            on_progress=states.append,
            **options,
            **keys,
        )
        ran = ClockDriver(driver, clock).run(operation)
    assert ran.error is None
    assert ran.slept == [5, 10]
    assert sorted(picky.taken) == [1, 2, 3, 4]
    assert sorted(picky.asked) == [1, 2, 2, 3, 3, 3, 4]
    assert (ran.value.status.category, ran.value.completed, ran.value.failed) == ("Success", 4, 0)
    told = [state.completed for state in states if state.status.category != "Pending"]
    assert told == ([2, 1, 1] if level == "image" else [2, 3, 4])
    assert [event.data["wait"] for event in events if event.name == "retry"] == [5, 10]


@both
def test_what_the_peer_can_not_send_is_told_at_the_end(driver, clock):
    series = ct_series(slices=3, size=16)
    with serve_dimse(MemoryArchive(), ae="PACS", port=0) as server:
        sync.store(server.peer(), series)

        def getting(picky, **options):
            operation = get(
                server.peer(),
                "series",
                SeriesInstanceUID=series[0].SeriesInstanceUID,
                into=picky,
                sop_classes=["1.2.840.10008.5.1.4.1.1.2"],
                **options,
            )
            return ClockDriver(driver, clock).run(operation)

        failed = (next(ds.SOPInstanceUID for ds in series if ds.InstanceNumber == 2),)
        for attempts, waits in ((3, [1, 2]), (None, [])):
            picky = Picky({2: 9})
            ran = getting(picky, retry_failed=attempts and policy(clock, attempts=attempts))
            assert (ran.error, ran.slept) == (None, waits)
            assert (ran.value.status.code, ran.value.completed, ran.value.failed_uids) == (0xB000, 2, failed)
            assert picky.asked.count(2) == len(waits) + 1
        picky = Picky({2: 9})
        ran = getting(picky, retry_failed=policy(clock), cancelled=lambda: picky.asked.count(2) == 2)
        assert (ran.error, ran.value.failed_uids, ran.slept) == (None, failed, [1])
        ran = getting(Picky({1: 1, 2: 1, 3: 1}), retry_failed=policy(clock))  # A702, and a list of all
        assert (ran.error, ran.value.completed, ran.slept) == (None, 3, [1])


@both
def test_explain_association_is_tried_again(driver, clock):
    with moody_peer(driver, [BUSY], retry=policy(clock)) as moody:
        ran = ClockDriver(driver, clock).run(explain_association(moody.peer, [VERIFICATION]))
    assert len(ran.value.accepted) == 1
    assert ran.slept == [1]


@both
@pytest.mark.parametrize(
    ("moods", "answers", "slept"), [([CLOSED, BUSY], [], 2), ([], [BREAKS], 0), ([], [0x0213, 0x0213], 2)]
)
def test_what_may_not_happen_twice_is_tried_again_only_if_it_did_not_happen(driver, clock, moods, answers, slept):
    def body(association):
        code = yield from echo_on(association)
        if code:
            from dicomkit.standard.statuses import status

            raise StatusError(status(code))
        return code

    with moody_peer(driver, moods, answers, retry=policy(clock)) as moody:
        operation = using(moody.peer, Proposal.of((VERIFICATION, NATIVE)), body, repeatable=False)
        ran = ClockDriver(driver, clock).run(operation)
    assert len(ran.slept) == slept
    assert isinstance(ran.error, AssociationAbortedError) if answers == [BREAKS] else ran.value == 0


@both
def test_a_pool_is_used_again_after_a_failure(driver, clock):
    with moody_peer(driver, answers=[0, BREAKS, 0x0213], retry=policy(clock)) as moody:
        seen = []
        pool = Pool(moody.peer, size=1, on_event=seen.append)
        driver_ = ClockDriver(driver, clock)

        def several():
            for _ in range(3):
                yield from echo(pool)
            counts = pool.counts
            yield from close_pool(pool)
            return counts

        ran = driver_.run(several())
        assert ran.value == (0, 1)
        assert moody.asked == ["echo"] * 5
        assert len([event for event in seen if event.name == "retry"]) == 2
        assert moody.connections == 2


# ---- the breaker ---------------------------------------------------------------------------------------------------


@both
def test_a_breaker_leaves_a_peer_alone_and_tries_it_later(driver, clock):
    seen = []
    breaker = Breaker(failures=2, open_for=30, clock=clock)
    with moody_peer(driver, [CLOSED, STALLED, BUSY], breaker=breaker, timeouts=QUICK) as moody:
        run = ClockDriver(driver, clock).run
        errors = [type(run(echo(moody.peer, on_event=seen.append)).error) for _ in range(3)]
        assert errors == [AssociationAbortedError, PeerTimeoutError, CircuitOpenError]
        clock.sleep(29)
        assert run(echo(moody.peer)).error.retry_after == pytest.approx(1)
        assert moody.connections == 2
        clock.sleep(1)
        assert isinstance(run(echo(moody.peer, on_event=seen.append)).error, AssociationRejectedError)
        assert isinstance(run(echo(moody.peer)).error, CircuitOpenError)
        clock.sleep(30)
        assert run(echo(moody.peer, on_event=seen.append)).value.category == "Success"
        assert run(echo(moody.peer)).value.category == "Success"
    changes = [(event.name, event.level) for event in seen if event.name.startswith("circuit")]
    opened, probing, closed = ("circuit open", "warning"), ("circuit half-open", "info"), ("circuit closed", "info")
    assert changes == [opened, probing, opened, probing, closed]


@both
def test_retries_wait_until_the_breaker_lets_them_through(driver, clock):
    breaker = Breaker(failures=2, open_for=30, clock=clock)
    with moody_peer(driver, [CLOSED, CLOSED], retry=policy(clock), breaker=breaker) as moody:
        ran = ClockDriver(driver, clock).run(echo(moody.peer))
        assert ran.value.category == "Success"
        assert ran.slept == [1, 2, 28]
        assert moody.connections == 3


def test_answers_of_a_peer_close_the_circuit_and_a_busy_pool_is_not_its_fault(clock):
    breaker = Breaker(failures=1, clock=clock)
    with moody_peer(BLOCKING, answers=[0xC000, 0x0122], breaker=breaker) as moody:
        run = ClockDriver(BLOCKING, clock).run
        for _ in range(2):
            assert isinstance(run(echo(moody.peer)).error, StatusError)
        pool = Pool(replace(moody.peer, timeouts=replace(QUICK, read=0.05)), size=1)
        pool.reserve(Proposal.of(VERIFICATION), 1)
        assert isinstance(run(echo(pool)).error, PeerTimeoutError)
        assert breaker.circuit.state == "closed"
        moody.answers.append(0x0213)
        assert isinstance(run(echo(moody.peer)).error, StatusError)
        assert breaker.circuit.state == "open"


def test_peers_with_one_breaker_share_what_it_knows(clock):
    breaker = Breaker(failures=1, clock=clock)
    with moody_peer(BLOCKING, [CLOSED], breaker=breaker) as moody:
        again = replace(moody.peer, calling_aet="OTHER")
        assert again == replace(again, breaker=None)
        run = ClockDriver(BLOCKING, clock).run
        assert isinstance(run(echo(moody.peer)).error, AssociationAbortedError)
        assert isinstance(run(echo(again)).error, CircuitOpenError)


# ---- the drivers, as a user sees them ------------------------------------------------------------------------------


def test_the_verbs_of_both_drivers():
    quick = Retry("fixed", first=0.01, jitter=0)
    with moody_peer(BLOCKING, [CLOSED], [BREAKS], retry=quick) as moody:
        moody.matches = studies("A", "B")
        assert [str(match.PatientName) for match in sync.find(moody.peer, "study")] == ["A", "B"]
        moody.moods.append(CLOSED)
        with connect(moody.peer) as pool:
            assert sync.echo(pool).category == "Success"
        moody.moods.append(BUSY)
        moody.answers.append(BREAKS)

        async def asynchronously():
            assert [str(match.PatientName) async for match in aio.find(moody.peer, "study")] == ["A", "B"]
            moody.moods.append(CLOSED)
            return await aio.echo(moody.peer)

        assert asyncio.run(asynchronously()).category == "Success"


def test_the_clock_driver_gives_steps_to_the_script_first():
    clock = Clock()

    def operation():
        yield Sleep(5)
        first = yield Offload(lambda: "real")
        second = yield Offload(lambda: "real")
        try:
            yield Open("host", 1)
        except NetworkError as error:
            return first, second, error.message

    script = {Offload: ["scripted", REAL], Open: [REFUSED]}
    ran = ClockDriver(BLOCKING, clock).run(operation(), script)
    assert ran.value == ("scripted", "real", "can't connect")
    assert clock() == 1005
    assert list(under(clock, (Emit(number) for number in range(2)))) == [Emit(0), Emit(1)]
