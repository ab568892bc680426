"""Delivery as a whole: peers that come and go, refuse, stall and abort; nothing is lost and nothing is sent in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
from clock_driver import Clock, ClockDriver
from dimse_drivers import DRIVERS, Driver
from faulty_proxy import TO_SERVER, Fault, faulty_proxy

import dicomkit as dk
from dicomkit.delivery import COMPRESSIONS, Commitment, Queue, aio, forward, route
from dicomkit.delivery.delivering import deliver
from dicomkit.delivery.destination import Settled
from dicomkit.delivery.forwarding import forward as forwarding
from dicomkit.delivery.report import DeliveryReport
from dicomkit.dimse.commitment_provider import committing
from dicomkit.dimse.provider import Refused
from dicomkit.net import Timeouts
from dicomkit.net.retry import Retry

DOWN = dk.Peer("127.0.0.1", 1, "DOWN")
QUICK = Retry("fixed", attempts=3, first=7, jitter=0)


@pytest.fixture
def series() -> list[dk.DataSet]:
    return dk.samples.ct_series(4, 8)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> ClockDriver:
    found: Driver = request.param
    return ClockDriver(found)


class Peer:
    """An archive behind a port, whose answers to C-STORE a test prescribes by SOP Instance UID; 0 takes it."""

    def __init__(self, answers: dict[str, list[int]] | None = None) -> None:
        self.archive = dk.MemoryArchive()
        self.answers = answers or {}
        self.came: list[str] = []
        self.port = peers.free_port()
        self.services: list[Any] = []

    def before(self, incoming: Any) -> None:
        self.came.append(incoming.sop_instance_uid)
        status = (self.answers.get(incoming.sop_instance_uid) or [0]).pop(0)
        if status:
            raise Refused("as the test says", status=status)

    def up(self) -> dk.serve.DimseServer:
        hooks = dk.serve.Hooks(before=self.before)
        return dk.serve_dimse(self.archive, port=self.port, hooks=hooks, services=self.services)

    @property
    def peer(self) -> dk.Peer:
        return dk.Peer("127.0.0.1", self.port, "PEER")

    @property
    def stored(self) -> set[str]:
        return {str(found.sop_instance_uid) for found in self.archive.fetch(dk.query.query("image"))}


def uids(series: Sequence[dk.DataSet]) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in series]


def delivered(driver: ClockDriver, *arguments: Any, **options: Any) -> tuple[DeliveryReport, list[float]]:
    ran = driver.run(deliver(*arguments, clock=driver.clock, **options))
    assert ran.error is None, ran.error
    return ran.value, ran.slept


def test_all_arrive_and_the_report_is_a_table(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    far = Peer()
    with far.up():
        report, slept = delivered(driver, series, far.peer)
    assert report.is_complete
    assert (slept, far.stored) == ([], set(uids(series)))
    table = report.to_table()
    assert list(table.outcome) == ["delivered"] * 4
    assert list(table.SOPInstanceUID) == uids(series)
    assert set(table.peer) == {str(far.peer)}
    assert "4 of 4 delivered" in repr(report)
    assert "4 of 4 delivered" in report._repr_html_()
    report.raise_for_failures()


def test_what_is_refused_for_a_while_is_tried_again(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    first, second, *_ = uids(series)
    far = Peer({first: [0xA700, 0xA701], second: [0xA700]})
    with far.up():
        report, slept = delivered(driver, series, far.peer, retry=QUICK)
    assert report.is_complete
    assert [one.attempts for one in report] == [3, 2, 1, 1]
    assert sum(slept) == pytest.approx(14)
    assert far.came.count(first) == 3


@pytest.mark.parametrize(
    ("status", "category"), [(0xC000, "permanent"), (0x0122, "configuration"), (0xA900, "permanent")]
)
def test_what_is_refused_for_good_is_a_dead_letter(
    driver: ClockDriver, series: list[dk.DataSet], tmp_path: Path, status: int, category: str
) -> None:
    bad = uids(series)[1]
    far = Peer({bad: [status] * 9})
    with far.up(), Queue(tmp_path / "out.queue", clock=driver.clock) as queue:
        report, slept = delivered(driver, series, far.peer, queue=queue, retry=QUICK)
        [dead] = queue.entries("dead")
        assert (dead.sop_instance_uid, dead.category, dead.attempts) == (bad, category, 1)
        assert (slept, far.came.count(bad)) == ([], 1)
        assert [one.kind for one in report] == ["delivered", "dead", "delivered", "delivered"]
        assert f"0x{status:04X}" in report[1].reason
        with pytest.raises(dk.DicomError, match="1 of 4 instances are not delivered"):
            report.raise_for_failures()
        far.answers.clear()
        queue.requeue(category=category)
        driver.run(forwarding(queue, {str(far.peer): route(far.peer)}, clock=driver.clock))
        assert queue.counts()["delivered"] == 4
    assert far.stored == set(uids(series))


def test_what_stays_refused_dies_after_its_attempts(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    bad = uids(series)[0]
    far = Peer({bad: [0xA700] * 9})
    with far.up():
        report, slept = delivered(driver, series, far.peer, retry=QUICK)
    assert (report[0].kind, report[0].attempts) == ("dead", 3)
    assert sum(slept) == pytest.approx(14)
    assert far.came.count(bad) == 3


def test_an_instance_is_tried_as_long_as_its_policy_says(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    far = Peer({uids(series)[0]: [0xA700] * 99})
    with far.up():
        report, slept = delivered(driver, series, far.peer, retry=Retry("fixed", 99, first=7, jitter=0, timeout=30))
    assert (report[0].kind, report[0].attempts) == ("dead", 5)
    assert sum(slept) == pytest.approx(28)


def test_each_sop_class_has_its_policy(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    once = Retry(attempts=9, by_sop_class={"CTImageStorage": Retry(attempts=1)})
    far = Peer({uid: [0xA700] for uid in uids(series)})
    with far.up():
        report, slept = delivered(driver, series, far.peer, retry=once)
    assert [one.kind for one in report] == ["dead"] * 4
    assert slept == []


def test_another_peer_takes_over(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    far = Peer()
    seen: list[Any] = []
    with far.up():
        report, slept = delivered(driver, series, [DOWN, far.peer], on_event=seen.append)
    assert report.is_complete
    assert slept == []
    assert [event.peer for event in seen if event.name == "failover"] == [str(DOWN)]


def test_one_that_stalls_is_left_for_another(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    slow, far = Peer(), Peer()
    with slow.up(), far.up(), faulty_proxy(slow.port, Fault(TO_SERVER, stall_after=1500)) as proxy:
        stalled = dk.Peer("127.0.0.1", proxy.port, "SLOW", timeouts=Timeouts(read=0.5, write=0.5))
        report, _ = delivered(driver, series, [stalled, far.peer], retry=QUICK)
    assert report.is_complete
    assert far.stored | slow.stored == set(uids(series))
    assert report[0].attempts == 2


def test_a_peer_that_is_down_costs_no_attempts_and_what_waits_goes_when_it_is_back(
    driver: ClockDriver, series: list[dk.DataSet], tmp_path: Path
) -> None:
    far = Peer()
    with Queue(tmp_path / "out.queue", clock=driver.clock) as queue:
        report, slept = delivered(
            driver, series, far.peer, queue=queue, patience=Retry("fixed", attempts=4, first=60, longest=60, jitter=0)
        )
        assert sum(slept) == 180
        assert [one.kind for one in report] == ["waiting"] * 4
        assert "can't connect" in str(report.ended_by)
        assert [entry.attempts for entry in queue.entries()] == [0] * 4
        with far.up():
            assert driver.run(forwarding(queue, {str(far.peer): route(far.peer)}, clock=driver.clock)).value == {}
        assert queue.counts()["delivered"] == 4
    assert sorted(far.came) == sorted(uids(series))


def test_a_peer_that_comes_back_while_we_wait_gets_everything(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    far = Peer()
    with ExitStack() as stack:

        class Waking(Clock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if sum(self.slept) == 60:
                    stack.enter_context(far.up())

        driver.clock = Waking()
        patience = Retry("linear", first=10, longest=100, jitter=0)
        report, slept = delivered(driver, series, far.peer, patience=patience)
    assert report.is_complete
    assert sum(slept) == 60


def test_an_instance_that_breaks_every_association_does_not_stop_the_others(series: list[dk.DataSet]) -> None:
    bad = uids(series)[1]
    pynetdicom = pytest.importorskip("pynetdicom")

    def handle(event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == bad:
            event.assoc.abort()
        return 0

    driver = ClockDriver(DRIVERS[0])
    with peers.pynetdicom_scp(handlers=[(pynetdicom.evt.EVT_C_STORE, handle)]) as server:
        peer = dk.Peer("127.0.0.1", server.port, server.aet)
        report, _ = delivered(driver, series, peer, retry=QUICK)
    assert [one.kind for one in report] == ["delivered", "dead", "delivered", "delivered"]
    assert report[1].attempts == 3


def test_hours_are_kept(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    far = Peer()
    driver.clock.now = 1_900_000_000.0 - 1_900_000_000.0 % 86400 + 12 * 3600  # noon
    with far.up():
        schedule = dk.delivery.Schedule.of("22:00-06:00", zone="UTC")
        report, slept = delivered(driver, series, far.peer, schedule=schedule)
    assert report.is_complete
    assert sum(slept) == pytest.approx(10 * 3600)


def test_what_is_not_valid_is_not_sent(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    broken = series[2].assign(Rows=9)
    far = Peer()
    with far.up():
        report, _ = delivered(driver, [*series[:2], broken, series[3]], far.peer, validation="minimal")
    assert [one.kind for one in report] == ["delivered", "delivered", "dead", "delivered"]
    assert "not valid" in report[2].reason
    assert uids([broken])[0] not in far.came


def test_what_a_check_refuses_is_not_sent(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    def check(ds: dk.DataSet) -> None:
        if ds.PatientID != "ALLOWED":
            raise dk.DicomError("not for this peer")

    allowed, nameless = series[0].assign(PatientID="ALLOWED"), series[1].drop("PatientID")
    far = Peer()
    with far.up():
        report, _ = delivered(driver, [allowed, nameless, series[2]], far.peer, check=check)
    assert [one.kind for one in report] == ["delivered", "dead", "dead"]
    assert "PatientID" in report[1].reason
    assert "not for this peer" in report[2].reason
    assert far.came == uids([allowed])


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_pixels_compressed_on_the_way_arrive_unharmed(driver: ClockDriver, compress: Any) -> None:
    series = dk.samples.ct_series(3, 64)
    far = Peer()
    with far.up():
        report, _ = delivered(driver, series, far.peer, compress=compress)
    assert report.is_complete
    first = dk.TransferSyntax.of(COMPRESSIONS[compress][0])
    assert {one.transfer_syntax for one in report} == {first.name}
    for ds in series:
        [stored] = far.archive.fetch(dk.query.query("image", SOPInstanceUID=ds.SOPInstanceUID))
        assert stored.transfer_syntax_uid == first.uid
        np.testing.assert_array_equal(dk.frame(stored.read()), dk.frame(ds))


def test_only_what_the_peer_commits_to_keep_counts(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    lost = uids(series)[0]
    losses = [0x0110]
    far = Peer()

    def check(references: Any) -> Any:
        return {one: losses.pop() for one in references if one.sop_instance_uid == lost and losses}

    far.services = [committing(check, where_to=lambda _: None, reports=dk.archive.Transactions())]
    with far.up():
        report, _ = delivered(driver, series, far.peer, retry=QUICK, commitment=Commitment(wait=5.0))
    assert report.is_complete
    assert report[0].attempts == 2
    assert far.came.count(lost) == 2


def test_urgent_instances_go_first(series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Peer()
    with Queue(tmp_path / "out.queue") as queue:
        for number, ds in enumerate(series):
            queue.put(ds, "FAR", priority=number)
        with far.up():
            assert forward(queue, {"FAR": route(far.peer)}) == {}
    assert far.came == uids(series)[::-1]


def test_a_delivery_may_be_stopped_and_gone_on_with(series: list[dk.DataSet], tmp_path: Path) -> None:
    far = Peer()
    seen: list[Settled] = []
    with far.up():
        path = tmp_path / "out.queue"
        report = dk.deliver(series, far.peer, queue=path, progress=seen.append, cancelled=lambda: len(seen) >= 2)
        assert "waiting" in [one.kind for one in report]
        assert "cancelled" in str(report.ended_by)
        assert dk.deliver(series, far.peer, queue=path, again=False).is_complete
    assert sorted(far.came) == sorted(uids(series))


def test_time_that_runs_out_ends_it(driver: ClockDriver, series: list[dk.DataSet]) -> None:
    report, slept = delivered(
        driver, series, DOWN, timeout=100, patience=Retry("fixed", attempts=None, first=30, jitter=0)
    )
    assert "not done within 100 s" in str(report.ended_by)
    assert sum(slept) == pytest.approx(101)


def test_what_cannot_be_read_is_in_the_report(tmp_path: Path, series: list[dk.DataSet]) -> None:
    (tmp_path / "no.dcm").write_text("no DICOM at all")
    far = Peer()
    with far.up():
        report = dk.deliver([series[0], tmp_path / "no.dcm"], far.peer)
    assert [one.kind for one in report] == ["delivered", "refused"]
    assert "no.dcm" in report[1].source


def test_files_that_go_away_are_dead_letters(tmp_path: Path, series: list[dk.DataSet]) -> None:
    dk.write(series[0], tmp_path / "a.dcm")
    far = Peer()
    with Queue(tmp_path / "out.queue") as queue, far.up():
        queue.put(tmp_path / "a.dcm", "FAR")
        (tmp_path / "a.dcm").unlink()
        assert forward(queue, {"FAR": route(far.peer)}) == {}
        [dead] = queue.entries("dead")
    assert "a.dcm" in (dead.error or "")


def test_several_associations_share_a_queue(series: list[dk.DataSet]) -> None:
    many = [dk.new_instance(ds) for ds in series for _ in range(10)]
    far = Peer()
    with far.up():
        report = dk.deliver(many, far.peer, associations=3, batch=4)
        assert report.is_complete
        both = asyncio.run(aio.deliver(many, far.peer, associations=2, batch=7))
    assert both.is_complete
    assert len(far.came) == 80
    assert len(far.stored) == 40


@pytest.mark.parametrize(
    "options",
    [{"validation": "loose"}, {"compress": "tiny"}, {"strategy": "nearest"}, {"associations": 0}, {"schedule": "noon"}],
)
def test_options_that_make_no_sense(options: Any, series: list[dk.DataSet]) -> None:
    with pytest.raises(dk.DicomError):
        dk.deliver(series, DOWN, **options)
