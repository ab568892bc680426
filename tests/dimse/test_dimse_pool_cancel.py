"""A pool whose users are cancelled while they wait for an association loses none."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import dicomkit as dk
from dicomkit.dimse import aio
from dicomkit.dimse.asyncio_driver import run
from dicomkit.dimse.echo import echo
from dicomkit.dimse.pool import Pool
from dicomkit.dimse.steps import Offload, Operation


def test_a_task_that_is_cancelled_while_it_waits_takes_no_association() -> None:
    async def whole(peer: dk.Peer) -> tuple[float, tuple[int, int]]:
        async with aio.connect(peer, size=1) as pool:
            assert isinstance(pool, Pool)
            await aio.echo(pool)
            await asyncio.to_thread(pool.reserve, pool._kept[0][0], None)  # somebody uses the only one
            waiting = asyncio.ensure_future(run(echo(pool)))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            waiting.cancel()
            await asyncio.wait([waiting])
            took = time.monotonic() - began
            pool.forget()
            await asyncio.sleep(0.1)
            await aio.echo(pool)
            return took, pool.counts

    with dk.serve_dimse(None, port=0) as server:
        took, counts = asyncio.run(whole(server.peer()))
    assert took < 5
    assert counts == (0, 1)


def test_what_a_function_did_is_waited_for_or_undone() -> None:
    done: list[Any] = []

    def work() -> str:
        time.sleep(0.2)
        done.append("done")
        return "result"

    def waits() -> Operation:
        try:
            yield Offload(work)
        finally:
            done.append("closed")

    def undoes() -> Operation:
        try:
            yield Offload(work, undo=done.append)
        finally:
            done.append("closed")

    async def cancelled(operation: Operation) -> None:
        task = asyncio.ensure_future(run(operation))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.4)

    asyncio.run(cancelled(waits()))
    assert done == ["done", "closed"]
    done.clear()
    asyncio.run(cancelled(undoes()))
    assert done == ["closed", "done", "result"]
