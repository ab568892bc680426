"""Delivery that is stopped in the middle: by a peer that goes away, Ctrl-C, cancellation or an error."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import peers
import pytest
from clock_driver import ClockDriver
from dimse_drivers import DRIVERS, Driver
from far_peer import DOWN, Far, delivered
from faulty_proxy import TO_SERVER, Fault, faulty_proxy

import dicomkit as dk
from dicomkit.delivery import Queue, QueueError, aio, forward, route
from dicomkit.delivery.forwarding import forward as forwarding
from dicomkit.dimse.steps import Emit, Operation, Sleep, Together
from dicomkit.net.bandwidth import Bandwidth
from dicomkit.net.retry import Retry
from dicomkit.net.timeouts import Timeouts

ONCE = Retry(attempts=1)


@pytest.fixture
def series() -> list[dk.DataSet]:
    return dk.samples.ct_series(4, 8)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> ClockDriver:
    found: Driver = request.param
    return ClockDriver(found)


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
