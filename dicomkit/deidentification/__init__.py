"""De-identification by the profile and options of PS3.15 annex E.

``dicomkit.deidentify`` and ``dicomkit.deidentify_folder`` do it; here is what goes with them: `plan` tells what would
change, `certify` proves afterwards that nothing is left, and the rules that blank pixels.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_OFFERED = {
    "Blank": "redaction",
    "DetectedText": "redaction",
    "Identifiers": "identifiers",
    "OutsideUltrasoundRegions": "redaction",
    "Profile": "profile",
    "Pseudonyms": "pseudonyms",
    "Rectangle": "redaction",
    "Redaction": "redaction",
    "Replace": "profile",
    "certify": "report",
    "clean_text": "text",
    "new_key": "pseudonyms",
    "plan": "deidentify",
}

__all__ = list(_OFFERED)


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_OFFERED[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
