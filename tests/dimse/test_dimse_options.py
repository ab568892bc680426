"""What a peer, a pool and a server may be told: each option is seen to do what it says."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, serving, storage
from served_archive import served

import dicomkit as dk
from dicomkit.archive import MemoryArchive
from dicomkit.dimse import aio, association
from dicomkit.dimse.commands import HIGH
from dicomkit.dimse.echo import echo
from dicomkit.dimse.find import find
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import limited
from dicomkit.dimse.pool import Pool, close_pool, release_idle
from dicomkit.dimse.retrieve import move
from dicomkit.dimse.store import store
from dicomkit.net.errors import AssociationRejectedError, NetworkError, PeerTimeoutError
from dicomkit.net.timeouts import Timeouts
from dicomkit.serve import Hooks

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
SERIES = dk.samples.ct_series(3, 8)


def archived() -> MemoryArchive:
    archive = MemoryArchive()
    for ds in SERIES:
        archive.store(ds)
    return archive


@both
def test_priority_and_move_originator_reach_who_receives(driver):
    came: list[Any] = []
    with served(driver, MemoryArchive(), hooks=Hooks(before=came.append)) as third:
        driver.run(store(third, SERIES[:1], priority=HIGH))
        driver.run(store(third, SERIES[1:2], originator=("MOVER", 7)))
        with served(driver, archived(), destinations={"THIRD": third}) as peer:
            asking = Peer(peer.host, peer.port, calling_aet="ASKING")
            driver.run(move(asking, "image", "THIRD", SOPInstanceUID=SERIES[2].SOPInstanceUID))
    assert [(incoming.priority, incoming.originator) for incoming in came] == [
        (HIGH, None),
        (0, ("MOVER", 7)),
        (0, ("ASKING", 1)),
    ]


@both
def test_an_operation_has_a_time_out_of_its_own(driver):
    class Endless(MemoryArchive):
        def search(self, *arguments: Any, **options: Any) -> Any:
            for _ in range(200):
                time.sleep(0.05)
                yield SERIES[0]

    with served(driver, Endless()) as peer:
        hasty = Peer(peer.host, peer.port, timeouts=Timeouts(operation=0.5))
        began = time.monotonic()
        with pytest.raises(PeerTimeoutError):
            driver.run(find(hasty, "image"))
        assert 0.4 < time.monotonic() - began < 4
        assert driver.run(echo(peer)).category == "Success"


@both
def test_a_peer_that_sends_a_trickle_is_dropped(driver, monkeypatch):
    monkeypatch.setattr(association, "PATIENCE", 0.3)
    monkeypatch.setattr(association, "SLOWEST", 1 << 20)
    events: list[Any] = []
    with serving(driver, list, on_event=events.append) as peer:
        report = driver.run(store(peer, dk.samples.ct_series(1, 256), rate_limit=50_000))
        assert not report.stored
        assert driver.run(echo(peer)).category == "Success"
    errors = [event.data["error"] for event in events if event.name == "association failed"]
    assert len(errors) == 1
    assert "less than" in errors[0]


@both
def test_a_host_may_have_so_many_associations(driver):
    with driver.serve(limited(storage(list), most_per_host=2)) as port:
        pools = [Pool(Peer(LOCALHOST, port)) for _ in range(2)]

        def three() -> Any:
            for pool in pools:
                yield from echo(pool)
            try:
                yield from echo(Peer(LOCALHOST, port))
            finally:
                for pool in pools:
                    yield from close_pool(pool)

        with pytest.raises(AssociationRejectedError) as caught:
            driver.run(three())
        assert caught.value.category == "transient"
        peers.wait_until(lambda: _is_there(driver, Peer(LOCALHOST, port)), "the end of the others")


def _is_there(driver: Any, peer: Peer) -> bool:
    try:
        return driver.run(echo(peer)).category == "Success"
    except NetworkError:
        return False


@both
def test_relational_queries_are_negotiated(driver):
    requests: list[Any] = []
    with served(driver, archived(), accept=lambda request, caller: requests.append(request)) as peer:
        assert len(driver.collect(find(peer, "image", relational=True, fuzzy=True))) == 3
        assert len(driver.collect(find(peer, "image"))) == 3
    [extended] = requests[0].user.extended
    assert (extended.sop_class, extended.information) == ("1.2.840.10008.5.1.4.1.2.2.1", b"\x01\x00\x01")
    assert requests[1].user.extended == ()


@both
def test_a_pool_asks_for_an_echo_before_it_uses_what_has_waited(driver):
    events: list[Any] = []
    with served(driver, archived()) as peer:
        pool = Pool(peer, health=-1, on_event=events.append)

        def twice() -> Any:
            for _ in range(2):
                yield from find(pool, "series")
            yield from close_pool(pool)

        driver.run(twice())
    asked = [event.label for event in events if event.name == "message sent"]
    assert asked == ["C-FIND-RQ", "C-ECHO-RQ", "C-FIND-RQ"]


@both
def test_each_operation_over_a_pool_has_its_own_listener(driver):
    first: list[Any] = []
    second: list[Any] = []
    with served(driver, archived()) as peer:
        pool = Pool(peer)

        def twice() -> Any:
            yield from find(pool, "series", on_event=first.append)
            count = len(first)
            yield from find(pool, "series", on_event=second.append)
            assert len(first) == count
            yield from close_pool(pool)

        driver.run(twice())
    assert [event.label for event in second if event.name == "message sent"] == ["C-FIND-RQ"]
    assert any(event.category == "pdu" for event in second)


@both
def test_what_nobody_used_can_be_released(driver):
    with served(driver, archived()) as peer:
        pool = Pool(peer, idle=-1)

        def once() -> Any:
            yield from echo(pool)
            assert pool.counts == (0, 1)
            yield from release_idle(pool)
            assert pool.counts == (0, 0)

        driver.run(once())


def test_a_pool_releases_what_nobody_uses_by_itself():
    events: list[Any] = []
    threads = threading.active_count()
    with dk.serve_dimse(archived(), port=0) as server:
        with dk.connect(server.peer(), idle=0.2, on_event=events.append) as pacs:
            dk.echo(pacs)
            peers.wait_until(lambda: pacs.counts == (0, 0), "the release")
            assert dk.echo(pacs).category == "Success"
        assert not any(thread.name == "dicomkit pool" for thread in threading.enumerate())
    assert [event.name for event in events if event.name.startswith("association re")] == [
        "association requested",
        "association released",
    ] * 2
    peers.wait_until(lambda: threading.active_count() <= threads, "the end of the threads")


@pytest.mark.parametrize("idle", [0, float("inf")])
def test_a_pool_looks_for_what_is_idle_now_and_then(idle):
    assert 0.05 <= Pool(Peer(LOCALHOST, 1), idle=idle).rounds <= 60


def test_a_pool_of_tasks_releases_what_nobody_uses_by_itself():
    async def main(peer: Peer) -> None:
        async with aio.connect(peer, idle=0.2) as pacs:
            await aio.echo(pacs)
            assert pacs.counts == (0, 1)
            async with asyncio.timeout(10):
                while pacs.counts != (0, 0):
                    await asyncio.sleep(0.05)
            assert (await aio.echo(pacs)).category == "Success"

    with dk.serve_dimse(archived(), port=0) as server:
        asyncio.run(main(server.peer()))
