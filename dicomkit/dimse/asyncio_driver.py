"""Runs operations in an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from dicomkit.dimse.asyncio_wire import StreamWire
from dicomkit.dimse.steps import (
    Beside,
    Close,
    Emit,
    Offload,
    Open,
    Operation,
    Read,
    Serve,
    Sleep,
    Step,
    Stop,
    Together,
    Write,
)
from dicomkit.net.errors import ConnectionFailedError, NetworkError, connection_failed
from dicomkit.net.tls import Secure, check_pins

_GRACE = 0.2
"""Seconds in which associations may end by themselves when their server is stopped."""
_NOT_SECURED = "can't secure the connection to"


async def results_of(operation: Operation) -> AsyncIterator[Any]:
    """Run an operation, and give what it emits as it does.

    Abandoning the iterator, or cancelling the task, closes the operation, which aborts its association.
    """
    try:
        step = next(operation)
        while True:
            if isinstance(step, Emit):
                yield step.result
                step = operation.send(None)
                continue
            try:
                if isinstance(step, Together):
                    queue: asyncio.Queue[Any] = asyncio.Queue(64)
                    working = asyncio.ensure_future(_together(step.operations, queue))
                    try:
                        async for result in _until_done(queue, working):
                            yield result
                    finally:
                        working.cancel()
                        await asyncio.wait([working])
                    value = working.result()
                else:
                    value = await _perform(step)
            except Exception as error:
                step = operation.throw(error)
            else:
                step = operation.send(value)
    except StopIteration:
        return
    finally:
        operation.close()


async def run(operation: Operation) -> Any:
    """Run an operation to its end and return its result."""
    returned: list[Any] = [None]

    def keeping() -> Operation:
        returned[0] = yield from operation

    async for _ in results_of(keeping()):
        pass
    return returned[0]


async def _until_done(queue: asyncio.Queue[Any], working: asyncio.Future[Any]) -> AsyncIterator[Any]:
    """Give what is put into a queue until what puts it there is done."""
    while True:
        getting = asyncio.ensure_future(queue.get())
        try:
            await asyncio.wait([getting, working], return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                break
            yield getting.result()
        finally:
            getting.cancel()
    while not queue.empty():
        yield queue.get_nowait()


async def _together(operations: Sequence[Operation], queue: asyncio.Queue[Any]) -> list[Any]:
    """Run operations in tasks of their own; the first error ends them all."""

    async def work(operation: Operation) -> Any:
        returned: list[Any] = [None]

        def keeping() -> Operation:
            returned[0] = yield from operation

        async for result in results_of(keeping()):
            await queue.put(result)
        return returned[0]

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(operation)) for operation in operations]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _perform(step: Step) -> Any:
    match step:
        case Read():
            return await step.wire.read(step.timeout)
        case Write():
            return await step.wire.write(step.buffers, step.timeout)
        case Offload():
            return await _offload(step)
        case Open():
            return await _open(step)
        case Close():
            return await step.wire.close(step.linger)
        case Sleep():
            return await asyncio.sleep(step.seconds)
        case Beside():
            return step.wire.server.beside(step.operation)
        case Serve():
            server = StreamServer(step)
            await server.start()
            return server
        case Stop():
            return await step.server.stop()
    raise TypeError(f"{step!r} is no step")


async def _offload(step: Offload) -> Any:
    """Call a function in a thread, which nothing can stop: what it did is not to be lost with the operation."""
    call = contextvars.copy_context().run
    working = asyncio.get_running_loop().run_in_executor(None, call, step.function)
    try:
        await asyncio.wait([working])
    except asyncio.CancelledError:
        if step.undo is None:
            await asyncio.wait([working])
        working.add_done_callback(partial(_undo, step.undo))
        raise
    return working.result()


def _undo(undo: Callable[[Any], object] | None, done: asyncio.Future[Any]) -> None:
    """Take back what a function returned that nobody waits for any more."""
    if not done.cancelled() and done.exception() is None and undo is not None:
        try:
            undo(done.result())
        except Exception:
            logging.getLogger("dicomkit.dimse").exception("what an abandoned operation did can't be undone")


async def _open(step: Open) -> StreamWire:
    secure = step.secure
    name = None if secure is None else secure.server_name or step.host
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(step.timeout):
            transport, wire = await loop.create_connection(
                StreamWire, step.host, step.port, ssl=secure.context if secure else None, server_hostname=name
            )
        _check_pins(transport, secure)
    except OSError as error:
        raise connection_failed(error, step.host, step.port) from error
    return wire


def _check_pins(transport: asyncio.BaseTransport, secure: Secure | None) -> None:
    if secure is not None:
        check_pins(transport.get_extra_info("ssl_object"), secure)


class StreamServer:
    """Listens, and runs an operation in a task of its own for each connection."""

    def __init__(self, step: Serve) -> None:
        self._step = step
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen."""
        step, loop = self._step, asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Accepted(self), step.host, step.port, backlog=128)
        except OSError as error:
            raise ConnectionFailedError(f"can't listen on {step.host}:{step.port}: {error}") from error
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    def accepted(self, wire: StreamWire) -> None:
        """Begin with a connection that came."""
        if len(self._tasks) >= self._step.most:
            wire.transport.abort()
            return
        if self._step.secure is not None:
            wire.transport.pause_reading()  # what comes is for TLS
        task = asyncio.ensure_future(self._work(wire))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, wire: StreamWire) -> None:
        address = wire.transport.get_extra_info("peername") or ("", 0)
        with suppress(NetworkError, OSError):
            try:
                if self._step.secure is not None:
                    try:
                        await self._secure(wire, self._step.secure)
                    except NetworkError as error:
                        self._step.refused(f"{address[0]}:{address[1]}", error)
                        raise
                await run(self._step.provider(wire, (address[0], address[1])))
            finally:
                await wire.close(0)

    async def _secure(self, wire: StreamWire, secure: Secure) -> None:
        """Make TLS of a connection that came; the server of an event loop would tell nobody of what fails here."""
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                wire.transport,
                wire,
                secure.context,
                server_side=True,
                ssl_handshake_timeout=self._step.handshake,
            )
        except OSError as error:
            raise connection_failed(error, wire.remote, doing=_NOT_SECURED) from error
        if transport is None:
            raise ConnectionFailedError(f"{_NOT_SECURED} {wire.remote}: it was closed")
        wire.take(transport)
        _check_pins(transport, secure)

    def beside(self, operation: Operation) -> None:
        """Run an operation in a task of its own, until it or the server ends."""
        task = asyncio.ensure_future(self._work_beside(operation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_beside(self, operation: Operation) -> None:
        try:
            await run(operation)
        except Exception:
            logging.getLogger("dicomkit.dimse").exception("what a server did beside its associations failed")

    def abandon(self) -> None:
        """Listen no more, and end the associations that there are, without waiting."""
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()

    async def stop(self) -> None:
        """Listen no more, let the associations end that are about to, end the others, and wait for their tasks."""
        self._server.close()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_GRACE)
        self.abandon()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=5.0)


class _Accepted(StreamWire):
    """A connection that came to a server."""

    def __init__(self, server: StreamServer) -> None:
        super().__init__()
        self.server: StreamServer = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.server.accepted(self)
