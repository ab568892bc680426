"""Delivery that loses nothing: queues, schedules and failover.

`deliver` puts these together; what it is made of is here by name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "COMPRESSIONS": "routes",
    "Candidate": "failover",
    "Commitment": "routes",
    "DeliveryReport": "report",
    "Entry": "queue_entry",
    "Queue": "queue",
    "QueueError": "queue_tables",
    "Route": "routes",
    "Receipt": "queue_put",
    "Schedule": "schedule",
    "Served": "failover",
    "Window": "schedule",
    "deliver": "sync",
    "forward": "sync",
    "order": "failover",
    "over_peers": "failover",
    "route": "routes",
}
_MODULES = ("aio",)

__all__ = [*_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"dicomkit.delivery.{name}")
    if name in _NAMES:
        return getattr(import_module(f"dicomkit.delivery.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'dicomkit.delivery' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
