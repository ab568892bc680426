"""Delivery when much goes wrong at once: it is stopped, time jumps, peers lack a class, others clear or forward too."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import peers
import pytest
from clock_driver import Clock, ClockDriver
from dimse_drivers import DRIVERS, Driver
from faulty_proxy import TO_SERVER, Fault, faulty_proxy

import dicomkit as dk
from dicomkit.delivery import Commitment, Queue, QueueError, aio, forward, route
from dicomkit.delivery.delivering import deliver
from dicomkit.delivery.forwarding import forward as forwarding
from dicomkit.delivery.report import DeliveryReport
from dicomkit.dimse.commitment_provider import committing
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.provider import Refused
from dicomkit.dimse.steps import Emit, Operation, Sleep, Together
from dicomkit.net.bandwidth import Bandwidth
from dicomkit.net.errors import ConnectionFailedError
from dicomkit.net.retry import Retry
from dicomkit.net.timeouts import Timeouts

DOWN = dk.Peer("127.0.0.1", 1, "DOWN")
QUICK = Retry("fixed", attempts=3, first=7, jitter=0)
ONCE = Retry(attempts=1)
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def series() -> list[dk.DataSet]:
    return dk.samples.ct_series(4, 8)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> ClockDriver:
    found: Driver = request.param
    return ClockDriver(found)


class Far:
    """An archive behind a port that notes what comes; ``status`` refuses it all."""

    def __init__(self, status: int = 0, **options: Any) -> None:
        self.status, self.options = status, options
        self.archive = dk.MemoryArchive()
        self.came: list[str] = []
        self.port = peers.free_port()
        self.peer = dk.Peer("127.0.0.1", self.port, "FAR")

    def before(self, incoming: Any) -> None:
        self.came.append(incoming.sop_instance_uid)
        if self.status:
            raise Refused("as the test says", status=self.status)

    def up(self) -> dk.serve.DimseServer:
        return dk.serve_dimse(
            self.archive, ae="FAR", port=self.port, hooks=dk.serve.Hooks(before=self.before), **self.options
        )


def uids(series: Sequence[dk.DataSet]) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in series]


def delivered(driver: ClockDriver, *arguments: Any, **options: Any) -> DeliveryReport:
    ran = driver.run(deliver(*arguments, clock=driver.clock, **options))
    assert ran.error is None, ran.error
    report: DeliveryReport = ran.value
    return report


# ---- a peer that lacks what another has ----------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [Far(0x0122), Far(sop_classes=[])], ids=["0122", "context"])
def test_what_one_peer_does_not_support_goes_to_the_next(
    driver: ClockDriver, series: list[dk.DataSet], lacking: Far
) -> None:
    far = Far()
    with lacking.up(), far.up():
        report = delivered(driver, series, [lacking.peer, far.peer], retry=QUICK)
    assert report.is_complete
    assert {one.peer for one in report} == {str(far.peer)}
    assert [one.attempts for one in report] == [1] * 4
    assert driver.clock.slept == []


def test_each_gets_what_it_supports(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    mr = [dk.new_instance(ds).assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.4") for ds in series]
    only_ct, far = Far(sop_classes=[CT]), Far()
    with only_ct.up(), far.up():
        report = delivered(driver, [*series, *mr], [only_ct.peer, far.peer])
    assert report.is_complete
    assert sorted(only_ct.came) == sorted(uids(series))
    assert sorted(far.came) == sorted(uids(mr))


def test_what_no_peer_supports_is_a_dead_letter_that_names_them_all(
    driver: ClockDriver, series: list[dk.DataSet]
) -> None:
    one, other = Far(0x0122), Far(sop_classes=[])
    with one.up(), other.up():
        report = delivered(driver, series, [one.peer, other.peer], retry=QUICK)
    assert [found.kind for found in report] == ["dead"] * 4
    assert str(one.peer) in report[0].reason
    assert str(other.peer) in report[0].reason
    assert [found.attempts for found in report] == [1] * 4


def test_what_one_lacks_and_another_that_is_down_may_take_waits(
    driver: ClockDriver, series: list[dk.DataSet], tmp_path: Path
) -> None:
    lacking, far = Far(0x0122), Far()
    patience = Retry("fixed", attempts=4, first=30, jitter=0)
    with lacking.up(), Queue(tmp_path / "out.queue", clock=driver.clock) as queue:
        ways = {"queue": queue, "name": "FAR", "retry": QUICK, "patience": patience}
        report = delivered(driver, series, [lacking.peer, far.peer], **ways)
        assert [one.kind for one in report] == ["waiting"] * 4
        assert report.ended_by is not None
        with far.up():
            assert delivered(driver, series, [lacking.peer, far.peer], **ways).is_complete


def test_what_is_under_way_beside_one_that_breaks_the_association_is_not_blamed(
    driver: ClockDriver, series: list[dk.DataSet]
) -> None:
    many = [dk.new_instance(ds) for ds in series for _ in range(3)]
    bad = uids(many)[2]
    archive = dk.MemoryArchive()
    store = dk.serve.archive_provider(archive).performers["", "C-STORE-RQ"]

    def perform(association: Any, message: Any) -> Operation:
        if message.command.AffectedSOPInstanceUID == bad:
            yield from association.abort()
        else:
            yield from store(association, message)

    service = Service({(CT, "C-STORE-RQ"): perform}, {CT: NATIVE})
    with dk.serve_dimse(archive, port=0, services=[service]) as server:
        report = delivered(driver, many, server.peer(window=4), retry=replace(QUICK, attempts=2))
    assert [one.sop_instance_uid for one in report if one.kind != "delivered"] == [bad]


# ---- stopping ------------------------------------------------------------------------------------------------------


def test_a_peer_that_goes_away_costs_one_instance_one_attempt(
    driver: ClockDriver, series: list[dk.DataSet], tmp_path: Path
) -> None:
    many = [dk.new_instance(ds) for ds in series for _ in range(5)]
    far = Far()
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue, ExitStack() as stack:
        server = stack.enter_context(far.up())
        proxy = stack.enter_context(faulty_proxy(server.port, Fault(TO_SERVER, cut_after=8000)))
        peer = dk.Peer("127.0.0.1", proxy.port, "FAR")
        seen: list[Any] = []

        def gone(event: Any) -> None:
            seen.append(event)
            if event.name == "association failed":
                stack.close()

        delivered(driver, many, peer, queue=queue, name="FAR", patience=ONCE, on_event=gone)
        attempts = [entry.attempts for entry in queue.entries(("waiting", "deferred", "dead"))]
        assert 0 < queue.counts()["delivered"] < 20
    assert sorted(attempts)[-2:] == [0, 1]
    assert [event.name for event in seen].count("connection failed") == 1


def test_a_task_that_is_cancelled_gives_back_what_it_claimed(series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Far()

    async def whole(queue: Queue) -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def listen(event: Any) -> None:
            if event.name == "instance delivered":
                loop.call_soon_threadsafe(begun.set)

        slow = Bandwidth(5000.0)
        way = route(far.peer, bandwidth=slow)
        task = asyncio.ensure_future(aio.forward(queue, {"FAR": way}, on_event=listen))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Queue(tmp_path / "out.queue") as queue, far.up():
        queue.put(series, "FAR")
        asyncio.run(whole(queue))
        counts = queue.counts()
        assert counts["sending"] == 0
        assert counts["delivered"] >= 1
        assert [entry.attempts for entry in queue.entries("waiting")] == [0] * counts["waiting"]
        assert forward(queue, {"FAR": route(far.peer)}) == {}
        assert queue.counts()["delivered"] == 4


def test_a_claim_that_nobody_waits_for_is_given_back(
    series: list[dk.DataSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, claimed = Queue.claim, threading.Event()

    def slowly(self: Queue, *arguments: Any, **options: Any) -> Any:
        found = claim(self, *arguments, **options)
        claimed.set()
        time.sleep(0.2)
        return found

    async def whole(queue: Queue) -> None:
        task = asyncio.ensure_future(aio.forward(queue, {"FAR": route(DOWN)}))
        await asyncio.to_thread(claimed.wait)
        task.cancel()
        await asyncio.wait([task])

    with Queue(tmp_path / "out.queue") as queue:
        queue.put(series, "FAR")
        monkeypatch.setattr(Queue, "claim", slowly)
        asyncio.run(whole(queue))
        peers.wait_until(lambda: queue.counts()["waiting"] == 4)


@pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")
@pytest.mark.parametrize("stalls", [False, True])
def test_an_interrupt_ends_several_associations_that_wait(
    series: list[dk.DataSet], tmp_path: Path, stalls: bool
) -> None:
    main = threading.main_thread().ident
    assert main is not None
    with Queue(tmp_path / "out.queue") as queue, socket.create_server(("127.0.0.1", 0)) as silent:
        if stalls:
            queue.put(series, "FAR")
        peer = dk.Peer("127.0.0.1", silent.getsockname()[1], timeouts=Timeouts(read=300))
        timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            forward(queue, {"FAR": route(peer, associations=3, batch=1)}, forever=True)
        timer.join()
        assert time.monotonic() - began < 60
        assert queue.counts()["sending"] == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "dicomkit operation"]


@pytest.mark.parametrize("plain", DRIVERS, ids=lambda driver: driver.name)
def test_an_error_ends_what_runs_together_also_where_it_gives_nothing(plain: Driver) -> None:
    ended = []

    def waits() -> Operation:
        try:
            while True:
                yield Sleep(3600)
        finally:
            ended.append("closed")

    def fails() -> Operation:
        yield Emit("a result")
        raise QueueError("no room")

    def both() -> Operation:
        yield Together([waits(), fails()])

    with pytest.raises(QueueError, match="no room"):
        plain.run(both())
    assert ended == ["closed"]


def test_what_was_cancelled_looks_no_longer(driver: ClockDriver, tmp_path: Path) -> None:
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue:
        queue.put(dk.samples.ct_series(1, 8), "FAR", not_before=driver.clock.now + 1e6)
        schedule = dk.delivery.Schedule.of("00:00-23:59", zone="UTC")
        driver.run(
            forwarding(
                queue,
                {"FAR": route(DOWN, schedule=schedule)},
                clock=driver.clock,
                cancelled=lambda: driver.clock.now > 1100,
            )
        )
    assert sum(driver.clock.slept) < 103


# ---- hours, leases and clocks --------------------------------------------------------------------------------------


def test_an_empty_queue_does_not_wait_for_its_hours(driver: ClockDriver, tmp_path: Path) -> None:
    driver.clock.now = 1_900_000_000.0 - 1_900_000_000.0 % 86400 + 12 * 3600  # noon
    schedule = dk.delivery.Schedule.of("22:00-06:00", zone="UTC")
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue:
        ran = driver.run(forwarding(queue, {"FAR": route(DOWN, schedule=schedule)}, clock=driver.clock))
    assert (ran.value, ran.slept) == ({}, [])


def test_hours_that_never_come_are_refused() -> None:
    with pytest.raises(dk.DicomError, match="never opens"):
        route(DOWN, schedule=[])


def test_options_beside_a_route_are_refused(series: list[dk.DataSet]) -> None:
    with pytest.raises(dk.DicomError, match="compress"):
        dk.deliver(series, route(DOWN), compress="fast")


def test_what_takes_long_stays_claimed(driver: ClockDriver, series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Far()
    others: list[Any] = []
    slow = Bandwidth(5.0, clock=driver.clock)
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue, far.up():

        def watch(event: Any) -> None:
            if event.name == "message sent":
                others.extend(queue.claim(9))

        report = delivered(driver, series, far.peer, queue=queue, bandwidth=slow, on_event=watch)
    assert report.is_complete
    assert sum(driver.clock.slept) > 1200
    assert others == []


def test_a_clock_that_jumps_changes_no_waits(series: list[dk.DataSet], tmp_path: Path) -> None:
    class Jumping(Clock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 3:
                self.now -= 86400

    driver = ClockDriver(DRIVERS[0], Jumping(now=1e6))
    report = delivered(driver, series, DOWN, patience=Retry("fixed", attempts=3, first=10, jitter=0))
    assert report.ended_by is not None
    assert sum(driver.clock.slept) == 20


def test_for_ever_outlasts_a_wrong_configuration(driver: ClockDriver, series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Far(only_called=True)
    wrong = replace(far.peer, aet="WRONG")
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue, far.up():
        queue.put(series, "FAR")
        ran = driver.run(
            forwarding(
                queue,
                {"FAR": route(wrong)},
                forever=True,
                clock=driver.clock,
                cancelled=lambda: driver.clock.now > 1300,
            )
        )
    assert ran.value == {}
    assert sum(ran.slept) > 300


# ---- others at the same queue --------------------------------------------------------------------------------------


def test_what_is_cleared_meanwhile_is_told(series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Far()
    with Queue(tmp_path / "out.queue") as queue, far.up():

        def clear(settled: Any) -> None:
            queue.clear(("waiting", "sending"))

        report = dk.deliver(series, far.peer, queue=queue, batch=1, progress=clear)
    assert "cleared" in {one.kind for one in report}
    assert len(report) == 4
    assert not report.is_complete


def test_what_the_queue_has_forgotten_already_is_delivered(series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Far()
    with Queue(tmp_path / "out.queue", keep_count=0) as queue, far.up():
        report = dk.deliver(series, far.peer, queue=queue, batch=1, progress=lambda settled: queue.prune())
        assert queue.counts()["delivered"] < 4
    assert report.is_complete
    assert [one.sop_instance_uid for one in report] == uids(series)
    assert {one.peer for one in report} == {str(far.peer)}


def test_a_queue_that_is_paused_is_told(series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Far()
    with Queue(tmp_path / "out.queue") as queue, far.up():
        queue.pause()
        report = dk.deliver(series, far.peer, queue=queue)
    assert [one.kind for one in report] == ["waiting"] * 4
    assert "paused" in str(report.ended_by)


def test_the_same_instance_twice_in_a_batch(series: list[dk.DataSet], tmp_path: Path) -> None:
    plain, odd = series[0].assign(SOPInstanceUID="1.2.3.5"), series[1].assign(SOPInstanceUID=f"1.2.3.{5 + (1 << 63)}")
    far = Far()
    with Queue(tmp_path / "out.queue") as queue, far.up():
        for ds in (plain, odd, odd):  # whose keys are the same, so that it is there twice
            queue.put(ds, "FAR")
        assert forward(queue, {"FAR": route(far.peer)}) == {}
        counts = queue.counts()
    assert counts["delivered"] == sum(counts.values())
    assert set(far.came) == set(uids([plain, odd]))


def test_the_same_instance_for_several_destinations(series: list[dk.DataSet], tmp_path: Path) -> None:
    one, other = Far(), Far()
    with Queue(tmp_path / "out.queue") as queue, one.up(), other.up():
        for name in ("ONE", "OTHER"):
            queue.put(series, name)
        assert forward(queue, {"ONE": route(one.peer), "OTHER": route(other.peer)}) == {}
    assert sorted(one.came) == sorted(other.came) == sorted(uids(series))


def test_files_of_a_share_that_is_away_wait_for_it(driver: ClockDriver, tmp_path: Path) -> None:
    share, away = tmp_path / "share", tmp_path / "away"
    dk.samples.write_series(dk.samples.ct_series(2, 8), share)
    far = Far()

    class Mounting(Clock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if away.exists():
                away.rename(share)

    driver.clock = Mounting()
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue, far.up():
        queue.put(share, "FAR")
        share.rename(away)
        assert driver.run(forwarding(queue, {"FAR": route(far.peer)}, clock=driver.clock)).error is None
        assert queue.counts()["delivered"] == 2


# ---- commitment ----------------------------------------------------------------------------------------------------


def test_several_associations_share_one_port_for_reports(series: list[dk.DataSet]) -> None:
    port = peers.free_port()
    back = {"DICOMKIT": dk.Peer("127.0.0.1", port, "DICOMKIT", calling_aet="FAR")}
    far = Far()
    far.options["services"] = [dk.serve.commitment(far.archive, destinations=back)]
    many = [dk.new_instance(ds) for ds in series for _ in range(5)]
    with far.up():
        report = dk.deliver(
            many, far.peer, associations=3, batch=3, commitment=Commitment(wait=20.0, port=port), retry=ONCE
        )
    assert report.is_complete
    assert sorted(far.came) == sorted(uids(many))


def test_a_port_that_is_taken_is_told_before_anything_is_sent(series: list[dk.DataSet]) -> None:
    far = Far()
    with far.up(), pytest.raises(ConnectionFailedError, match="can't listen"):
        dk.deliver(series, far.peer, commitment=Commitment(port=far.port))
    assert far.came == []


def test_what_is_not_told_in_time_is_asked_for_again_and_not_sent_again(
    driver: ClockDriver, series: list[dk.DataSet]
) -> None:
    asked: list[int] = []

    def where_to(aet: str) -> dk.Peer | None:
        asked.append(1)
        return DOWN if len(asked) == 1 else None

    far = Far()
    service = committing(lambda _: {}, where_to=where_to, reports=dk.archive.Transactions(), waits=())
    far.options["services"] = [service]
    with far.up():
        report = delivered(driver, series, far.peer, retry=QUICK, commitment=Commitment(wait=0.3))
    assert report.is_complete
    assert len(asked) == 2
    assert sorted(far.came) == sorted(uids(series))


def test_what_the_peer_will_never_keep_is_not_sent_again(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    far = Far()
    service = committing(
        lambda references: dict.fromkeys(references, 0x0119),
        where_to=lambda _: None,
        reports=dk.archive.Transactions(),
    )
    far.options["services"] = [service]
    with far.up():
        report = delivered(driver, series, far.peer, retry=QUICK, commitment=Commitment(wait=5.0))
    assert [one.kind for one in report] == ["dead"] * 4
    assert len(far.came) == 4
