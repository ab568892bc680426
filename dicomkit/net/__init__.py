"""What all wires share: errors, time-outs, events and what is made of them, TLS."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "Bandwidth": "bandwidth",
    "Breaker": "breaker",
    "Retry": "retry",
    "Timeouts": "timeouts",
    "about": "events",
    "at_least": "events",
    "ladder": "ladder_diagram",
    "metrics": "measures",
    "to_all": "events",
    "to_logging": "events",
}
_MODULES = ("audit", "tls")

__all__ = [*_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"dicomkit.net.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"dicomkit.net.{name}")
    raise AttributeError(f"module 'dicomkit.net' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
