"""Lazy volumes: nothing is read before it is asked for, and what is read is the same."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr
from made_series import along_z, made_series, ramp
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.errors import GeometryError
from dicomkit.volumes.backend import DicomBackend
from dicomkit.volumes.lazy import LazyVoxels
from dicomkit.volumes.load import to_volume
from dicomkit.volumes.voxels import Voxels

HU = {"RescaleSlope": 1, "RescaleIntercept": -1024, "BitsStored": 12, "HighBit": 11}


def images() -> list[dk.DataSet]:
    per_slice = [{"TemporalPositionIdentifier": t} for t in (1, 1, 1, 2, 2, 2)]
    pixels = ramp(6, 8, 10, dtype=np.uint16)
    return made_series(pixels, along_z([0, 1, 2] * 2), per_slice=per_slice, **HU)


def test_a_lazy_volume_equals_one_in_memory() -> None:
    pytest.importorskip("dask")
    eager, lazy = to_volume(images()), to_volume(images(), chunks={})
    assert lazy.chunks == ((1, 1), (1, 1, 1), (8,), (10,))
    assert lazy.dtype == eager.dtype
    assert lazy.identical(eager)
    assert lazy[::-1, 1:, ::3].dicom.geometry == eager[::-1, 1:, ::3].dicom.geometry
    assert lazy[1].mean("slice").compute().equals(eager[1].mean("slice"))
    assert np.array_equal(pickle.loads(pickle.dumps(lazy)), eager)
    assert to_volume(images(), chunks={"slice": 3}).chunks == ((2,), (3,), (8,), (10,))
    assert (
        len(
            {
                to_volume(made_series(ramp(2, 2, 2) + k, along_z([0, 1]), SOPInstanceUID=f"1.{k}"), chunks={}).data.name
                for k in (0, 1)
            }
        )
        == 2
    )


def test_frames_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask")
    read: list[int] = []
    original = Voxels.read_cells

    def counted(self: Voxels, cells, out) -> None:
        cells = list(cells)
        read.extend(cells)
        original(self, cells, out)

    monkeypatch.setattr(Voxels, "read_cells", counted)
    lazy = to_volume(images(), chunks={})
    assert read == []
    assert lazy[1, 2, 3, 4].values == to_volume(images())[1, 2, 3, 4]
    read.clear()
    lazy[1, 2].load()
    assert read == [5]


@pytest.mark.parametrize(
    "key",
    [
        (0, 1, 2, 3),
        (slice(None), slice(None, None, -1), slice(2, 7, 2), [1, 5, 1]),
        ([1, 0], slice(0, 0), slice(None), slice(None)),
        (1, [2, 0], 3, slice(None)),
        (slice(None), 1, slice(None), 4),
        (slice(None), slice(None), slice(0, 0), slice(None)),
    ],
)
def test_every_kind_of_index(key: tuple) -> None:
    eager = to_volume(images())
    lazy = DicomBackend().open_dataset(images())["CT"]
    assert isinstance(lazy.variable._data, object)
    assert lazy.isel(dict(zip(lazy.dims, key, strict=True))).equals(eager.isel(dict(zip(eager.dims, key, strict=True))))


def test_a_type_that_might_not_do_is_not_promised() -> None:
    pixels = ramp(2, 3, 4)  # 16 bits stored: nothing says that -1024 fits
    series = made_series(pixels, along_z([0, 1]), RescaleSlope=1, RescaleIntercept=-1024)
    assert to_volume(series).dtype == np.int16
    lazy = DicomBackend().open_dataset(series)["CT"]
    assert lazy.dtype == np.float32
    assert np.array_equal(lazy, to_volume(series))
    assert DicomBackend().open_dataset(series, dtype="int16")["CT"].dtype == np.int16


def test_the_backend_takes_policies() -> None:
    gap = made_series(ramp(3, 2, 2), along_z([0, 1, 5]))
    backend = DicomBackend()
    with pytest.raises(GeometryError, match="gaps"):
        backend.open_dataset(gap)
    assert backend.open_dataset(gap, gaps="keep", drop_variables="InstanceNumber")["CT"].sizes["slice"] == 3
    assert "InstanceNumber" not in backend.open_dataset(gap, gaps="keep", drop_variables="InstanceNumber")
    with pytest.raises(GeometryError, match="deskew"):
        backend.open_dataset(gap, gaps="keep", tilt="deskew")


@needs_data
def test_xarray_opens_a_folder() -> None:
    folder = real_file("05_series_ct/philips_head")
    eager = to_volume(folder)
    found = xr.open_dataset(folder, engine=DicomBackend)
    assert set(found.data_vars) == {"CT"}
    assert found["CT"][4, 10:12].equals(eager[4, 10:12])
    pytest.importorskip("dask")
    chunked = xr.open_dataset(folder, engine=DicomBackend, chunks={})["CT"]
    assert chunked.chunks == ((1,) * 28, (512,), (512,))
    assert chunked.dicom.geometry == eager.dicom.geometry
    assert chunked.equals(eager)
    assert chunked.dicom.reslice("coronal")[100].equals(eager.dicom.reslice("coronal")[100])


@needs_data
def test_files_that_look_like_dicom_are_guessed() -> None:
    backend = DicomBackend()
    assert backend.guess_can_open(real_file("06_series_mr/ge_nih/mr_0004"))
    assert backend.guess_can_open(real_file("03_pet/1.dcm"))
    assert not backend.guess_can_open(real_file("manifest.csv"))
    assert not backend.guess_can_open("/nowhere")
    assert not backend.guess_can_open(3)


def test_tokens_tell_series_apart() -> None:
    facts = DicomBackend().open_dataset(images())
    inner = facts["CT"].variable._data
    while not isinstance(inner, LazyVoxels):
        inner = inner.array
    again = inner.__dask_tokenize__()
    assert again == inner.__dask_tokenize__()
