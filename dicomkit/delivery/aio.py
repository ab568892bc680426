"""Delivery for asyncio: `deliver` and `forward` with the arguments of the operations, to be awaited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicomkit.delivery import delivering as _delivering
from dicomkit.delivery import forwarding as _forwarding
from dicomkit.delivery.queue import Queue
from dicomkit.delivery.report import DeliveryReport
from dicomkit.delivery.routes import Route
from dicomkit.dimse.asyncio_driver import run
from dicomkit.net.errors import NetworkError


async def deliver(instances: Any, to: Any, **options: Any) -> DeliveryReport:
    """Deliver instances, as `dicomkit.delivery.delivering.deliver` says."""
    report: DeliveryReport = await run(_delivering.deliver(instances, to, **options))
    return report


async def forward(queue: Queue, routes: Mapping[str, Route], **options: Any) -> dict[str, NetworkError]:
    """Send what is in a queue, as `dicomkit.delivery.forwarding.forward` says."""
    errors: dict[str, NetworkError] = await run(_forwarding.forward(queue, routes, **options))
    return errors
