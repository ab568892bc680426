"""An operation that listens for as long as it runs."""

from __future__ import annotations

from dicomkit.dimse.steps import Operation, Serve, Stop


def while_serving(serve: Serve | None, operation: Operation) -> Operation:
    """Run an operation while a server listens, which ends with it, however that ends; None: nobody listens."""
    if serve is None:
        return (yield from operation)
    server = yield serve
    try:
        result = yield from operation
    except GeneratorExit:  # nothing can be yielded any more
        server.abandon()
        raise
    except BaseException:
        yield Stop(server)
        raise
    yield Stop(server)
    return result
