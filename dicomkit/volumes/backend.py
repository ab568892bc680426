"""``xr.open_dataset("folder/", engine="dicomkit")``: series of DICOM files as an xarray Dataset, read when needed.

Importing it registers the accessor ``dicom`` too, and xarray imports it whenever it looks for an engine. So a volume
that was saved has ``.dicom`` as soon as xarray has opened it without being told which of its own engines to take; where
one is named, or with open_zarr, ``import dicomkit`` after xarray, or any use of dicomkit, is what gives it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from dicomkit.volumes.gather import gather
from dicomkit.volumes.load import lazy_volume
from dicomkit.volumes.policy import Policy
from dicomkit.volumes.registration import register

register()


class DicomBackend(BackendEntrypoint):
    """Opens a folder, a file or a list of paths of one series as a Dataset with one variable, named by its modality.

    ``chunks={}`` gives dask arrays of one frame per chunk. All policies of `dicomkit.to_volume` are arguments.
    """

    description = "Open a series of DICOM images as a volume in mm, with dicomkit"
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "rescale",
        "dtype",
        "fill_value",
        "unplaced",
        "orientation",
        "duplicates",
        "incomplete",
        "gaps",
        "jitter",
        "tilt",
        "tolerance",
        "slice_step",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        rescale: bool = True,
        dtype: Any = None,
        fill_value: float | None = None,
        **policies: Any,
    ) -> xr.Dataset:
        """Open a series; see `dicomkit.to_volume` for the arguments."""
        policy = Policy(**policies)
        volume = lazy_volume(gather(filename_or_obj), policy, dtype=dtype, rescale=rescale, fill_value=fill_value)
        dataset = volume.to_dataset()
        planes = ("row", "column", "sample")
        dataset[volume.name].encoding["preferred_chunks"] = {
            d: n if d in planes else 1 for d, n in volume.sizes.items()
        }
        dropped = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
        return dataset.drop_vars(dropped)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell whether a path looks like DICOM: a file with its magic, or a folder with files named .dcm."""
        if not isinstance(filename_or_obj, (str, os.PathLike)):
            return False
        path: str = os.fspath(filename_or_obj)
        try:
            if os.path.isdir(path):
                return any(entry.name.lower().endswith(".dcm") for entry in os.scandir(path))
            with open(path, "rb") as file:
                return file.read(132)[128:] == b"DICM"
        except OSError:
            return False
