"""A series of slices to a volume in Hounsfield units, as int16 and as float32."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import SimpleITK, dicomsdl, dk, gdcm, pydicom
from timing import Case, Goal

BEFORE = "preadv of the same bytes"


def _pydicom(paths: list[str]) -> NDArray[np.float32]:
    """Sort by position and fill a float32 volume that is allocated once."""
    series = sorted((pydicom.dcmread(path) for path in paths), key=lambda ds: float(ds.ImagePositionPatient[2]))
    volume = np.empty((len(series), series[0].Rows, series[0].Columns), dtype=np.float32)
    for n, ds in enumerate(series):
        np.multiply(ds.pixel_array, np.float32(ds.RescaleSlope), out=volume[n])
        volume[n] += np.float32(ds.RescaleIntercept)
    return volume


def _dicomsdl(paths: list[str], dtype: type[Any]) -> NDArray[Any]:
    opened = sorted((dicomsdl.open_file(path) for path in paths), key=lambda ds: ds.ImagePositionPatient[2])
    volume = np.empty((len(opened), opened[0].Rows, opened[0].Columns), dtype=dtype)
    stored = volume if dtype is np.int16 else np.empty(volume.shape[1:], dtype=np.int16)
    for n, ds in enumerate(opened):
        out = volume[n] if dtype is np.int16 else stored
        ds.copyFrameData(0, out)
        if dtype is not np.int16:
            volume[n] = out
        volume[n] += dtype(ds.RescaleIntercept)
    return volume


def _simpleitk(paths: list[str]) -> NDArray[Any]:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(paths)
    image: NDArray[Any] = SimpleITK.GetArrayViewFromImage(reader.Execute())
    return image


def _gdcm(paths: list[str]) -> NDArray[Any]:
    slices = []
    for path in paths:
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        if not reader.Read():
            raise OSError(path)
        image = reader.GetImage()
        data = image.GetBuffer().encode("utf-8", "surrogateescape")
        stored = np.frombuffer(data, np.int16).reshape(image.GetDimension(1), image.GetDimension(0))
        slices.append((image.GetOrigin(2), stored))
    slices.sort(key=lambda pair: pair[0])
    volume = np.stack([stored for _, stored in slices])
    volume += np.int16(-1024)
    return volume


def _preadv(paths: list[str]) -> Callable[[], object]:
    """Read the pixel bytes and nothing else, whose places are known before."""
    shape = (pydicom.dcmread(paths[0]).Rows, pydicom.dcmread(paths[0]).Columns)
    offset = os.path.getsize(paths[0]) - 2 * shape[0] * shape[1]

    def work() -> object:
        volume = np.empty((len(paths), *shape), dtype=np.int16)
        for n, path in enumerate(paths):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.preadv(descriptor, [volume[n]], offset)
            finally:
                os.close(descriptor)
        return volume

    return work


def check(paths: list[Path]) -> None:
    """See that dicomkit and pydicom make the same volume before anything is timed."""
    names = [str(path) for path in paths[:5]]
    ours = dk.to_volume(names)
    if not np.array_equal(np.asarray(ours, dtype=np.float32), _pydicom(names)):
        raise AssertionError("the volumes of dicomkit and pydicom differ")


def cases(paths: list[Path]) -> list[Case]:
    """Make the cases of int16 and float32."""
    # The names are given in an order that is not that of the positions.
    names = [str(path) for path in paths[1::2] + paths[0::2]]
    int16: dict[str, Callable[[], object]] = {
        "pydicom": lambda: _pydicom(names),
        "dicomkit": lambda: dk.to_volume(names),
    }
    float32: dict[str, Callable[[], object]] = {
        "pydicom": lambda: _pydicom(names),
        "dicomkit": lambda: dk.to_volume(names, dtype="float32"),
    }
    if hasattr(os, "preadv"):
        int16[BEFORE] = _preadv(names)
    if dicomsdl:
        int16["dicomsdl"] = lambda: _dicomsdl(names, np.int16)
        float32["dicomsdl"] = lambda: _dicomsdl(names, np.float32)
    if SimpleITK:
        int16["SimpleITK"] = lambda: _simpleitk([str(path) for path in paths])
    if gdcm:
        int16["gdcm"] = lambda: _gdcm(names)
    goals = (Goal("pydicom", 8.5), *((Goal(BEFORE, 1 / 1.4),) if BEFORE in int16 else ()))
    return [
        Case(f"{len(paths)} slices to an int16 volume in HU", int16, goals, note="pydicom: float32, allocated once"),
        Case(f"{len(paths)} slices to a float32 volume in HU", float32, (Goal("pydicom", 6.7),)),
    ]
