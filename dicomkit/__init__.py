"""dicomkit: DICOM for research, where everything is a value."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FACADE = {
    "DEFAULT_COLUMNS": "dicomkit.tables.columns",
    "DROP": "dicomkit.dataset.edit",
    "DataSet": "dicomkit.dataset.dataset",
    "DicomError": "dicomkit.errors",
    "Element": "dicomkit.dataset.element",
    "PersonName": "dicomkit.values.person_name",
    "Tag": "dicomkit.values.tag",
    "TransferSyntax": "dicomkit.values.transfer_syntax",
    "UID": "dicomkit.values.uid",
    "__version__": "dicomkit._version",
    "frame": "dicomkit.pixels.frames",
    "frames": "dicomkit.pixels.frames",
    "new_uid": "dicomkit.values.uid",
    "patients": "dicomkit.tables.grouping",
    "read": "dicomkit.files.read",
    "render": "dicomkit.pixels.render",
    "scan": "dicomkit.tables.scan",
    "series": "dicomkit.tables.grouping",
    "studies": "dicomkit.tables.grouping",
    "to_table": "dicomkit.tables.to_table",
    "window": "dicomkit.pixels.window",
}
_NAMESPACES = ("errors", "samples")

__all__ = [*_FACADE, *_NAMESPACES]


def __getattr__(name: str) -> Any:
    if name in _NAMESPACES:
        return import_module(f"dicomkit.{name}")
    module = _FACADE.get(name)
    if module is None:
        raise AttributeError(f"module 'dicomkit' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
