"""The accessor ``dicom`` of xarray, in its place before what it does is loaded."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


def register() -> None:
    """Give every DataArray ``.dicom``, where it has none yet.

    Examples
    --------
    >>> import xarray as xr
    >>> register()
    >>> xr.DataArray([1, 2]).dicom
    <dicom accessor: the array has no coordinate 'geometry'>
    """
    import xarray as xr

    if not hasattr(xr.DataArray, "dicom"):
        name: Any = xr.register_dataarray_accessor
        name("dicom")(accessor_of)


def accessor_of(array: xr.DataArray) -> Any:
    """Load the accessor and give that of an array."""
    return import_module("dicomkit.volumes.accessor").DicomAccessor(array)
