"""Resampling: identity, turning without loss, oblique planes as SimpleITK has them, bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from made_series import made_series, ramp
from test_volumes_geometry import angles, rotation

from dicomkit.errors import GeometryError
from dicomkit.volumes.export import to_sitk
from dicomkit.volumes.geometry import Geometry
from dicomkit.volumes.interpolate import interpolate, result_type
from dicomkit.volumes.load import to_volume
from dicomkit.volumes.resample import plane_axes


def volume_in(
    orientation: Any, shape: tuple[int, int, int] = (6, 8, 10), step: float = 2.5, dtype: Any = np.int16
) -> xr.DataArray:
    normal = np.cross(orientation[:3], orientation[3:])
    positions = np.array([10, -20, 30]) + np.arange(shape[0])[:, None] * step * normal
    pixels = np.random.default_rng(1).integers(0, 1000, shape).astype(dtype)
    return to_volume(made_series(pixels, positions, orientation=orientation, spacing=(0.5, 0.75)))


AXIAL = np.array([1, 0, 0, 0, 1, 0.0])


@given(st.tuples(angles, angles, angles), st.sampled_from(["linear", "nearest"]))
@settings(max_examples=20)
def test_a_volume_on_its_own_grid_is_itself(turn: tuple[float, float, float], method: Any) -> None:
    axes = rotation(*turn)
    volume = volume_in(np.concatenate([axes[0], axes[1]]))
    same = volume.dicom.resample_like(volume, method=method)
    assert same.dtype == volume.dtype
    assert np.array_equal(same, volume)
    assert same.dicom.geometry == volume.dicom.geometry
    part = volume[1:5:2, ::-1, 2:7]
    assert np.array_equal(volume.dicom.resample_like(part), part)
    own = volume.dicom.reslice(np.concatenate([axes[0], axes[1]]))
    assert np.array_equal(own, volume)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_standard_planes_only_turn_an_aligned_volume(plane: str) -> None:
    for start in ("axial", "coronal", "sagittal"):
        axes = plane_axes(start)
        volume = volume_in(np.concatenate([axes[2], axes[1]]))
        turned = volume.dicom.reslice(plane)
        assert turned.dtype == np.int16
        assert sorted(turned.values.ravel()) == sorted(volume.values.ravel())
        assert (
            turned.dicom.geometry.codes
            == {
                "axial": ("S", "P", "L"),
                "coronal": ("P", "I", "L"),
                "sagittal": ("R", "I", "P"),
            }[plane]
        )
        for index in [(0, 0, 0), (2, 3, 4), (5, 7, 9)]:
            there = np.round(turned.dicom.geometry.indices(volume.dicom.geometry.points(index))).astype(int)
            assert turned.values[tuple(there)] == volume.values[index]
        back = turned.dicom.reslice(start)
        assert np.array_equal(back, volume)
        assert back.dicom.geometry == volume.dicom.geometry


def test_further_dimensions_and_colour_go_along() -> None:
    volume = volume_in(AXIAL)
    series = xr.concat([volume, volume + 1], xr.DataArray([1, 2], dims="time", name="time"))
    assert np.array_equal(series.dicom.reslice("coronal")[1], volume.dicom.reslice("coronal") + 1)
    assert series.dicom.reslice("coronal").dims == ("time", "slice", "row", "column")
    assert series.dicom.reslice("coronal")["time"].values.tolist() == [1, 2]
    oblique = np.concatenate([rotation(0.1, 0.2, 0.3)[0], rotation(0.1, 0.2, 0.3)[1]])
    colour = xr.concat([volume, volume * 2, volume * 3], "sample").transpose("slice", "row", "column", "sample")
    turned = colour.dicom.reslice(oblique)
    assert turned.dims == ("slice", "row", "column", "sample")
    assert np.allclose(turned[..., 1], volume.dicom.reslice(oblique) * 2, equal_nan=True, rtol=1e-5)


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("case", ["oblique", "parallel", "tilted target"])
def test_oblique_grids_are_as_simpleitk_has_them(method: str, case: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    axes = rotation(0.3, -0.2, 0.5)
    volume = volume_in(np.concatenate([axes[0], axes[1]]), (7, 20, 24), dtype=np.float64).astype(np.float64)
    turn = {"oblique": rotation(-0.2, 0.4, 0.1), "parallel": axes, "tilted target": rotation(0.31, -0.2, 0.5)}[case]
    normal = np.cross(turn[0], turn[1])
    center = volume.dicom.geometry.points([3, 9.5, 11.5])
    shape = (9, 15, 13)
    steps = np.array([normal * 1.7, turn[1] * 0.61, turn[0] * 1.13])
    target = Geometry(tuple(center - (np.array(shape) - 1) / 2 @ steps), *(tuple(s) for s in steps))
    from dicomkit.volumes.resample import resample

    ours = resample(volume, target, shape, method=method, fill_value=-7)
    image = to_sitk(volume)
    filter = sitk.ResampleImageFilter()
    filter.SetSize(shape[::-1])
    filter.SetOutputOrigin(target.origin)
    filter.SetOutputSpacing(target.spacing[::-1])
    filter.SetOutputDirection((target.steps / np.array(target.spacing)[:, None])[::-1].T.ravel().tolist())
    filter.SetInterpolator(sitk.sitkLinear if method == "linear" else sitk.sitkNearestNeighbor)
    filter.SetDefaultPixelValue(-7)
    theirs = sitk.GetArrayFromImage(filter.Execute(image))
    differ = ~np.isclose(ours, theirs, atol=0.05)
    assert (theirs != -7).mean() > 0.2
    # Where a point lies within rounding of the border (or of the middle between two voxels), either answer is right.
    assert differ.mean() < 0.002


def test_a_ramp_is_interpolated_exactly() -> None:
    shape = (9, 11, 13)
    k, i, j = np.meshgrid(*map(np.arange, shape), indexing="ij")
    plane = (3.0 * k - 2.0 * i + 0.5 * j).astype(np.float64)
    matrix, offset = rotation(0.2, 0.1, -0.15) * 0.7, np.array([2.0, 2.5, 3.0])
    out = interpolate(plane, matrix, offset, (4, 5, 6))
    index = np.stack(np.meshgrid(*map(np.arange, (4, 5, 6)), indexing="ij"), -1) @ matrix.T + offset
    inside = ((index >= 0) & (index <= np.array(shape) - 1)).all(-1)
    expected = index @ [3.0, -2.0, 0.5]
    assert inside.sum() > 50
    assert np.allclose(out[inside], expected[inside], atol=1e-6)


def test_outside_is_what_was_asked_for() -> None:
    line = ramp(1, 1, 4)
    matrix, offset = np.eye(3), np.array([0.0, 0.0, -2.0])
    outside = interpolate(line, matrix, offset, (1, 1, 8), "nearest")
    assert outside.dtype == np.float32
    assert np.isnan(outside[0, 0]).tolist() == [True, True, False, False, False, False, True, True]
    kept = interpolate(line, matrix, offset, (1, 1, 8), "nearest", -1000)
    assert kept.dtype == np.int16
    assert kept.ravel().tolist() == [-1000, -1000, 0, 1, 2, 3, -1000, -1000]
    mask = interpolate(line > 1, matrix, offset, (1, 1, 8), "nearest")
    assert mask.dtype == bool
    assert mask.ravel().tolist() == [False] * 4 + [True, True, False, False]
    half = interpolate(line, matrix, np.array([0, 0, -0.5]), (1, 1, 5))
    assert half.ravel().tolist() == [0, 0.5, 1.5, 2.5, 3]  # half a voxel beyond a centre is still the voxel
    with pytest.raises(GeometryError, match="fit"):
        result_type(np.dtype("u1"), "nearest", -1)
    with pytest.raises(GeometryError, match="cubic"):
        result_type(np.dtype("u1"), "cubic", None)


def test_a_single_slice_through_a_point() -> None:
    volume = volume_in(AXIAL)
    point = volume.dicom.geometry.points([2, 4, 5])
    cut = volume.dicom.reslice("coronal", through=point)
    assert cut.sizes["slice"] == 1
    assert np.array_equal(cut[0], volume[::-1, 4])
    assert volume.dicom.reslice("coronal", spacing=1).dicom.spacing == (1, 1, 1)
    with pytest.raises(GeometryError, match="transversal"):
        volume.dicom.reslice("transversal")
    with pytest.raises(GeometryError, match="right angles"):
        volume.dicom.reslice([1, 0, 0, 1, 1, 0])
    with pytest.raises(GeometryError, match="six"):
        volume.dicom.reslice([1, 0, 0])
    with pytest.raises(GeometryError, match="positive"):
        volume.dicom.reslice("axial", spacing=(1, 0, 1))


def test_a_slice_can_be_resampled_to() -> None:
    volume = volume_in(AXIAL)
    assert np.array_equal(volume.dicom.resample_like(volume[3]), volume[3])
    assert volume.dicom.resample_like(volume[3]).dims == ("row", "column")
    assert np.array_equal(volume[2:4].dicom.resample_like(volume, fill_value=-1)[2:4], volume[2:4])


def test_memory_is_bounded_by_a_slab() -> None:
    volume = np.zeros((60, 120, 120), np.float32)
    tracemalloc.start()
    interpolate(volume, rotation(0.2, 0.1, 0.1), np.array([5.0, 5, 5]), (120, 120, 120))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    result = 120**3 * 4
    assert most < result + 200e6


def test_simpleitk_images_are_in_the_same_place() -> None:
    pytest.importorskip("SimpleITK")
    axes = rotation(0.3, -0.2, 0.5)
    volume = volume_in(np.concatenate([axes[0], axes[1]]))
    image = to_sitk(volume)
    assert image.GetSize() == (10, 8, 6)
    for index in [(0, 0, 0), (5, 7, 9), (2, 1, 4)]:
        point = image.TransformIndexToPhysicalPoint(index[::-1])
        assert np.allclose(point, volume.dicom.geometry.points(index), atol=1e-6)
        assert image[index[::-1]] == volume.values[index]
    assert to_sitk(volume > 500).GetPixelIDTypeAsString() == "8-bit unsigned integer"
    with pytest.raises(GeometryError, match="dimension"):
        to_sitk(volume.expand_dims("time"))
    tilted = made_series(ramp(3, 2, 2), [(0, 0, 0), (0, 1, 5), (0, 2, 10)])
    with pytest.raises(GeometryError, match="right angles"):
        to_sitk(to_volume(tilted, tilt="keep"))
