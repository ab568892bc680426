"""Volumes that xarray opens have ``.dicom`` without anything of dicomkit being imported by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dicomkit as dk


def test_opened_volumes_have_the_accessor(tmp_path: Path) -> None:
    plane = {"Rows": 2, "Columns": 2, "BitsAllocated": 16, "PixelSpacing": [1, 1], "PixelData": bytes(8)}
    axes = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    volume = dk.to_volume([dk.DataSet(plane, **axes, ImagePositionPatient=[0, 0, z]) for z in (0, 3)])
    attrs = {name: value for name, value in volume.attrs.items() if isinstance(value, (str, int, float))}
    plain = volume.assign_attrs(attrs).drop_attrs().rename("ct")
    plain.to_netcdf(tmp_path / "v.nc", engine="netcdf4", format="NETCDF3_CLASSIC")
    code = (
        "import sys, xarray as xr; assert 'dicomkit' not in sys.modules;"
        f"v = xr.open_dataset({str(tmp_path / 'v.nc')!r})['ct'];"
        "print(*v.dicom.affine.ravel())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert np.allclose(np.array(done.stdout.split(), float).reshape(4, 4), volume.dicom.affine)


def test_the_accessor_is_registered_before_it_is_loaded() -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('error');"
        "import xarray as xr; from dicomkit.volumes.registration import register; register(); register();"
        "assert 'dicomkit.volumes.accessor' not in sys.modules;"
        "print(xr.DataArray([1]).dicom); print(type(xr.DataArray([1]).dicom).__name__);"
        "print(xr.DataArray([1]).dicom.units)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["DicomAccessor", "None"]


@pytest.mark.parametrize(
    "statements",
    [
        "import xarray as xr, dicomkit",
        "import dicomkit as dk, xarray as xr; assert not hasattr(xr.DataArray, 'dicom'); dk.to_volumes",
        "import dicomkit as dk, xarray as xr; dk.Tag",
    ],
)
def test_plain_imports_give_the_accessor(statements: str) -> None:
    code = f"import warnings; warnings.simplefilter('error'); {statements}; print(repr(xr.DataArray([1]).dicom))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "<dicom accessor: the array has no coordinate 'geometry'>\n"
