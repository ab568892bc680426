"""dicomkit: DICOM for research, where everything is a value."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FACADE = {
    "DataSet": "dicomkit.dataset.dataset",
    "Element": "dicomkit.dataset.element",
    "DROP": "dicomkit.dataset.edit",
    "DicomError": "dicomkit.errors",
    "read": "dicomkit.files.read",
    "__version__": "dicomkit._version",
}


def __getattr__(name: str) -> Any:
    module = _FACADE.get(name)
    if module is None:
        raise AttributeError(f"module 'dicomkit' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value
