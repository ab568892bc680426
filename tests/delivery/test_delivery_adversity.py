"""Delivery when much goes wrong: peers lack a class, time jumps, others clear or forward the same queue."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clock_driver import Clock, ClockDriver
from dimse_drivers import DRIVERS, Driver
from far_peer import DOWN, Far, delivered, uids

import dicomkit as dk
from dicomkit.delivery import Queue, QueueError, forward, route
from dicomkit.delivery.forwarding import forward as forwarding
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.steps import Operation
from dicomkit.net.bandwidth import Bandwidth
from dicomkit.net.retry import Retry

QUICK = Retry("fixed", attempts=3, first=7, jitter=0)
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def series() -> list[dk.DataSet]:
    return dk.samples.ct_series(4, 8)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> ClockDriver:
    found: Driver = request.param
    return ClockDriver(found)


# ---- a peer that lacks what another has ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"status": 0x0122}, {"sop_classes": []}], ids=["0122", "context"])
def test_what_one_peer_does_not_support_goes_to_the_next(
    driver: ClockDriver, series: list[dk.DataSet], options: dict[str, Any]
) -> None:
    lacking, far = Far(**options), Far()
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


def test_two_programs_forward_one_queue(series: list[dk.DataSet], tmp_path: Path) -> None:
    many = [dk.new_instance(ds) for ds in series for _ in range(15)]
    far = Far()
    with Queue(tmp_path / "out.queue") as one, Queue(tmp_path / "out.queue") as other, far.up():
        one.put(many, "FAR")
        threads = [
            threading.Thread(target=forward, args=(queue, {"FAR": route(far.peer, batch=4)})) for queue in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert one.counts()["delivered"] == 60
    assert sorted(far.came) == sorted(uids(many))


@pytest.mark.parametrize("associations", [1, 3])
def test_a_disk_that_is_full_ends_it_with_an_error(
    series: list[dk.DataSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, associations: int
) -> None:
    many = [dk.new_instance(ds) for ds in series for _ in range(10)]
    far = Far()
    with Queue(tmp_path / "out.queue") as queue, far.up():
        queue.put(many, "FAR")
        with monkeypatch.context() as patch:
            patch.setattr(Queue, "delivered", _no_room)
            with pytest.raises(QueueError, match="no room"):
                forward(queue, {"FAR": route(far.peer, associations=associations, batch=20)}, forever=True)
        assert queue.counts() == {"waiting": 40, "deferred": 0, "sending": 0, "dead": 0, "delivered": 0}
        assert forward(queue, {"FAR": route(far.peer)}) == {}
        assert queue.counts()["delivered"] == 40


def _no_room(*_: Any) -> int:
    raise QueueError("there is no room for the queue")


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
