"""What is behind the wires: an archive, and the services beside it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "Hooks": "hooks",
    "PrintLimits": "film_hierarchy",
    "PrintedFilm": "printed_files",
    "Printer": "film_hierarchy",
    "archive_provider": "query_retrieve",
    "commitment": "storage_commitment",
    "instance_availability": "availability_notices",
    "mpps": "performed_steps",
    "patient_information": "relevant_patient_information",
    "performed_step_notices": "performed_steps",
    "printing": "print_management",
    "procedure_steps": "unified_procedure_steps",
    "serve_dimse": "dimse",
    "serve_dimse_async": "dimse",
    "taken_off": "performed_steps",
    "worklist": "modality_worklist",
}
__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"dicomkit.serve.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'dicomkit.serve' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
