"""dicomkit: DICOM for research, where everything is a value."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_FACADE = {
    "BASIC_PROFILE": "dicomkit.deidentification.profile",
    "DEFAULT_COLUMNS": "dicomkit.tables.columns",
    "DROP": "dicomkit.dataset.edit",
    "DataSet": "dicomkit.dataset.dataset",
    "DicomError": "dicomkit.errors",
    "Element": "dicomkit.dataset.element",
    "FolderArchive": "dicomkit.archive.folder",
    "MemoryArchive": "dicomkit.archive.memory",
    "Peer": "dicomkit.dimse.peer",
    "PersonName": "dicomkit.values.person_name",
    "Tag": "dicomkit.values.tag",
    "TransferSyntax": "dicomkit.values.transfer_syntax",
    "UID": "dicomkit.values.uid",
    "__version__": "dicomkit._version",
    "browse": "dicomkit.widgets.browse",
    "certify": "dicomkit.deidentification.report",
    "commit": "dicomkit.dimse.sync",
    "connect": "dicomkit.dimse.sync",
    "deidentify": "dicomkit.deidentification.deidentify",
    "deidentify_folder": "dicomkit.deidentification.folder",
    "deliver": "dicomkit.delivery.sync",
    "derive": "dicomkit.dataset.make",
    "diff": "dicomkit.dataset.diff",
    "echo": "dicomkit.dimse.sync",
    "explain_association": "dicomkit.dimse.sync",
    "explain_geometry": "dicomkit.volumes.explain",
    "explain_pixels": "dicomkit.pixels.explain",
    "find": "dicomkit.dimse.sync",
    "find_worklist": "dicomkit.dimse.sync",
    "frame": "dicomkit.pixels.frames",
    "frames": "dicomkit.pixels.frames",
    "from_json": "dicomkit.encoding.dicom_json",
    "from_pydicom": "dicomkit.neighbours.pydicom",
    "from_xml": "dicomkit.encoding.dicom_xml",
    "get": "dicomkit.dimse.sync",
    "iter_json": "dicomkit.encoding.dicom_json",
    "make_dataset": "dicomkit.dataset.make",
    "make_fileset": "dicomkit.files.make_fileset",
    "make_image": "dicomkit.objects.image",
    "make_series": "dicomkit.objects.series",
    "montage": "dicomkit.volumes.plot",
    "move": "dicomkit.dimse.sync",
    "new_instance": "dicomkit.dataset.make",
    "new_uid": "dicomkit.values.uid",
    "overview": "dicomkit.widgets.overview",
    "patients": "dicomkit.tables.grouping",
    "print_films": "dicomkit.dimse.sync",
    "private_names": "dicomkit.dataset.private",
    "read": "dicomkit.files.read",
    "read_fileset": "dicomkit.files.fileset",
    "render": "dicomkit.pixels.render",
    "render_series": "dicomkit.pixels.contact_sheet",
    "save_image": "dicomkit.pixels.picture_files",
    "scan": "dicomkit.tables.scan",
    "series": "dicomkit.tables.grouping",
    "serve_dimse": "dicomkit.serve.dimse",
    "show": "dicomkit.widgets.show",
    "siemens_csa": "dicomkit.dataset.siemens_csa",
    "siemens_protocol": "dicomkit.dataset.siemens_csa",
    "store": "dicomkit.dimse.sync",
    "studies": "dicomkit.tables.grouping",
    "to_imaging_study": "dicomkit.neighbours.fhir",
    "to_json": "dicomkit.encoding.dicom_json",
    "to_nifti": "dicomkit.volumes.export",
    "to_png": "dicomkit.pixels.picture_files",
    "to_pydicom": "dicomkit.neighbours.pydicom",
    "to_sitk": "dicomkit.volumes.export",
    "to_suv": "dicomkit.volumes.suv",
    "to_table": "dicomkit.tables.to_table",
    "to_volume": "dicomkit.volumes.load",
    "to_volumes": "dicomkit.volumes.load",
    "to_xml": "dicomkit.encoding.dicom_xml",
    "transcode": "dicomkit.pixels.transcode",
    "transcode_report": "dicomkit.pixels.transcode",
    "ups": "dicomkit.dimse",
    "validate": "dicomkit.validation.validate",
    "window": "dicomkit.pixels.window",
    "with_charset": "dicomkit.dataset.recode",
    "with_private": "dicomkit.dataset.private",
    "without_private": "dicomkit.dataset.private",
    "write": "dicomkit.pixels.write",
}
_NAMESPACES = ("archive", "deidentification", "delivery", "dimse", "errors", "net", "query", "samples", "serve")

__all__ = [*_FACADE, *_NAMESPACES]


def __getattr__(name: str) -> Any:
    if name in _NAMESPACES:
        return import_module(f"dicomkit.{name}")
    module = _FACADE.get(name)
    if module is None:
        raise AttributeError(f"module 'dicomkit' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    _register_accessor()
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _register_accessor() -> None:
    """Give arrays of xarray ``.dicom`` where xarray is loaded; it is not loaded for it."""
    if "xarray" in sys.modules:
        import_module("dicomkit.volumes.registration").register()


_register_accessor()
