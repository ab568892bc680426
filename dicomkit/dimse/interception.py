"""An operation within another one, which takes care of its results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dicomkit.dimse.steps import Emit, Operation


def intercepted(operation: Operation, on_result: Callable[[Any], Operation]) -> Operation:
    """Run an operation, and with each of its results another one; return what the first returns."""
    try:
        step = next(operation)
        while True:
            if isinstance(step, Emit):
                yield from on_result(step.result)
                step = operation.send(None)
                continue
            try:
                value = yield step
            except Exception as error:
                step = operation.throw(error)
            else:
                step = operation.send(value)
    except StopIteration as stop:
        return stop.value
    finally:
        operation.close()
