"""DICOM message exchange: an upper layer that knows no sockets, operations as generators, and two drivers for them.

The verbs are in `dicomkit.dimse.sync` and, for asyncio, in `dicomkit.dimse.aio`; what else one needs is here by name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "Outgoing": "outgoing",
    "Peer": "peer",
    "Pool": "pool",
    "Refused": "provider",
    "UserIdentity": "user_information",
    "commitment_reports": "commitment",
    "find_identifier": "sync",
    "find_patient_information": "sync",
    "mpps_complete": "sync",
    "mpps_create": "sync",
    "mpps_discontinue": "sync",
    "mpps_get": "sync",
    "mpps_set": "sync",
    "notify_availability": "sync",
    "printer_status": "sync",
}
_MODULES = ("aio", "policies", "sync", "ups", "ups_aio")

__all__ = [*_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"dicomkit.dimse.{name}")
    if name in _NAMES:
        return getattr(import_module(f"dicomkit.dimse.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'dicomkit.dimse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
