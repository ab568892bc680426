"""The libraries that are compared: imported where they are installed, None where they are not."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import dicomkit as dk


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


pydicom = import_module("pydicom")
SimpleITK = _optional("SimpleITK")
dicomanonymizer = _optional("dicomanonymizer")
dicomsdl = _optional("dicomsdl")
fastdicom = _optional("fastdicom")
gdcm = _optional("gdcm")

__all__ = ["SimpleITK", "dicomanonymizer", "dicomsdl", "dk", "fastdicom", "gdcm", "pydicom", "versions"]

_DISTRIBUTIONS = (
    "dicomkit",
    "pydicom",
    "SimpleITK",
    "dicomsdl",
    "fastdicom",
    "dicom-anonymizer",
    "python-gdcm",
    "numpy",
    "pandas",
    "xarray",
)


def versions() -> dict[str, str]:
    """Give the versions of all that take part."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    if found["dicomkit"] == "not installed":
        found["dicomkit"] = import_module("dicomkit._version").__version__
    return found
