"""Delivery that counts only what the peer commits to keep: each instance is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peers
import pytest
from clock_driver import ClockDriver
from dimse_drivers import DRIVERS, Driver
from far_peer import DOWN, Far, delivered, uids

import dicomkit as dk
from dicomkit.delivery import Commitment, aio
from dicomkit.dimse.commitment_provider import committing
from dicomkit.net.errors import ConnectionFailedError
from dicomkit.net.retry import Retry

QUICK = Retry("fixed", attempts=3, first=7, jitter=0)
ONCE = Retry(attempts=1)


@pytest.fixture
def series() -> list[dk.DataSet]:
    return dk.samples.ct_series(4, 8)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> ClockDriver:
    found: Driver = request.param
    return ClockDriver(found)


def test_several_associations_share_one_port_for_reports(series: list[dk.DataSet]) -> None:
    port = peers.free_port()
    back = {"DICOMKIT": dk.Peer("127.0.0.1", port, "DICOMKIT", calling_aet="FAR")}
    far = Far()
    far.options["services"] = [dk.serve.commitment(far.archive, destinations=back)]
    many = [dk.new_instance(ds) for ds in series for _ in range(5)]
    with far.up():
        ways = {"associations": 3, "batch": 3, "commitment": Commitment(wait=20.0, port=port), "retry": ONCE}
        reports = [dk.deliver(many, far.peer, **ways), asyncio.run(aio.deliver(many, far.peer, **ways))]
    assert [report.is_complete for report in reports] == [True, True]
    assert sorted(far.came) == sorted(uids(many) * 2)


def test_more_is_sent_while_reports_are_awaited(series: list[dk.DataSet]) -> None:
    port = peers.free_port()
    far, many = Far(), [dk.new_instance(ds) for ds in series for _ in range(2)]
    lost = many[3].SOPInstanceUID

    class OnceAllHasCome(Sequence[float]):
        """The wait before a report."""

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: Any) -> Any:
            peers.wait_until(lambda: len(far.came) >= len(many), "sending the other batches")
            return 0.0

    service = committing(
        lambda references: {one: 0x0119 for one in references if one.sop_instance_uid == lost},
        where_to=lambda _: dk.Peer("127.0.0.1", port, "DICOMKIT", calling_aet="FAR"),
        reports=dk.archive.Transactions(),
        waits=OnceAllHasCome(),
    )
    far.options["services"] = [service]
    seen: list[int] = []
    with far.up():
        report = dk.deliver(
            many,
            far.peer,
            batch=2,
            commitment=Commitment(wait=25.0, port=port),
            retry=ONCE,
            progress=lambda settled: seen.append(len(far.came)),
        )
    assert [one.kind for one in report if one.sop_instance_uid != lost] == ["delivered"] * 7
    assert [one.kind for one in report if one.sop_instance_uid == lost] == ["dead"]
    assert seen == [8] * 8
    assert sorted(far.came) == sorted(uids(many))


def test_what_is_not_told_in_time_over_a_new_association_is_asked_for_again(series: list[dk.DataSet]) -> None:
    port = peers.free_port()
    back = dk.Peer("127.0.0.1", port, "DICOMKIT", calling_aet="FAR")
    asked: list[int] = []

    def where_to(aet: str) -> dk.Peer | None:
        asked.append(1)
        return DOWN if len(asked) <= 2 else back  # it is asked with the request, and before the report

    far = Far()
    service = committing(lambda _: {}, where_to=where_to, reports=dk.archive.Transactions(), waits=(0.0,))
    far.options["services"] = [service]
    with far.up():
        quick = Retry("fixed", attempts=5, first=0.2, jitter=0)
        report = dk.deliver(series, far.peer, retry=quick, commitment=Commitment(wait=1.0, port=port))
    assert report.is_complete
    assert sorted(far.came) == sorted(uids(series))
    assert {one.attempts for one in report} == {2}


def test_what_is_awaited_goes_back_into_the_queue_where_a_delivery_is_abandoned(
    series: list[dk.DataSet], tmp_path: Path
) -> None:
    port = peers.free_port()
    far = Far()
    service = committing(lambda _: {}, where_to=lambda _: DOWN, reports=dk.archive.Transactions(), waits=())
    far.options["services"] = [service]
    with far.up(), dk.delivery.Queue(tmp_path / "q") as queue:
        queue.put(series, "FAR")
        route = dk.delivery.route(far.peer, commitment=Commitment(wait=60.0, port=port), batch=1)

        async def begin() -> None:
            running = asyncio.ensure_future(aio.forward(queue, {"FAR": route}))
            while len(far.came) < len(series):
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            assert queue.counts()["sending"] == len(series)
            running.cancel()
            await asyncio.wait([running])

        asyncio.run(begin())
        assert queue.counts()["waiting"] == len(series)
        assert {entry.attempts for entry in queue.entries()} == {0}


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
