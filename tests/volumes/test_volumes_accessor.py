"""The accessor: geometry after slicing, units, comparing and combining grids, files, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from made_series import made_series, ramp
from realdata import needs_data, real_file

from dicomkit.errors import GeometryError
from dicomkit.volumes.load import to_volume
from dicomkit.volumes.plot import default_window, plot_slice

OBLIQUE = (0.8, 0.6, 0, 0, 0, -1)


def made(origin: tuple[float, float, float] = (10, -20, 30), **attributes: Any) -> xr.DataArray:
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    positions = np.array(origin) + np.arange(6)[:, None] * 2.5 * normal
    hu = {"RescaleType": "HU", "RescaleSlope": 1} | attributes
    return to_volume(made_series(ramp(6, 8, 10), positions, orientation=OBLIQUE, spacing=(0.5, 0.75), **hu))


@pytest.fixture
def volume() -> xr.DataArray:
    return made()


@pytest.mark.parametrize(
    "cut",
    [
        {"slice": slice(None, None, -1)},
        {"slice": slice(1, None, 2), "row": slice(5, 1, -2), "column": slice(3, None)},
        {"slice": 3},
        {"slice": [4]},
        {"row": 2, "column": slice(None, None, -3)},
        {"slice": [0, 2, 4]},
    ],
)
def test_every_voxel_stays_where_it_is(volume: xr.DataArray, cut: dict) -> None:
    part = volume.isel(cut)
    values = np.atleast_1d(part.values)
    for value in values.ravel()[:: max(1, values.size // 7)].tolist():
        (there,) = np.argwhere(volume.values == value)
        here = dict(zip(part.dims, *np.argwhere(part.values == value), strict=True))
        index = [here.get(axis, 0) for axis in ("slice", "row", "column")]
        assert np.allclose(part.dicom.geometry.points(index), volume.dicom.geometry.points(there), atol=2e-4)


def test_selecting_by_mm_and_transposing_keep_the_geometry(volume: xr.DataArray) -> None:
    first = float(volume["slice"][0])
    part = volume.sel(slice=slice(first + 2, first + 8)).transpose("column", "slice", "row")
    assert part.dicom.geometry == volume[1:4].dicom.geometry
    assert volume.sel(slice=first + 2.4, method="nearest").equals(volume[1])
    assert volume.coarsen(row=2, column=5).mean().dicom.spacing == (2.5, 1, 3.75)
    merged = volume.drop_vars("SOPInstanceUID").coarsen(slice=2).mean()
    assert np.allclose(merged.dicom.geometry.origin, volume.dicom.geometry.points([0.5, 0, 0]), atol=1e-4)


def test_affines(volume: xr.DataArray) -> None:
    a = volume.dicom.affine
    assert np.allclose(a @ [0, 0, 0, 1], [10, -20, 30, 1])
    assert np.allclose((a @ [0, 2, 4, 1])[:3], np.array([10, -20, 30]) + np.array([0.8, 0.6, 0]) * 3 + [0, 0, -1])
    assert np.allclose(volume.dicom.affine_ras, np.diag([-1, -1, 1, 1]) @ a)
    assert "P" in repr(volume.dicom) or "A" in repr(volume.dicom)


def test_the_geometry_is_lost_where_it_no_longer_holds(volume: xr.DataArray) -> None:
    for broken, why in [
        (volume.max("slice"), "reduced away"),
        (volume.isel(slice=[0, 1, 4]), "evenly"),
        (volume.drop_vars("row"), "no coordinates"),
        (volume.drop_vars("geometry"), "no coordinate 'geometry'"),
    ]:
        with pytest.raises(GeometryError, match=why):
            _ = broken.dicom.affine
        assert why in repr(broken.dicom)


def test_units_dont_survive_what_changes_them(volume: xr.DataArray) -> None:
    assert volume.dicom.units == "HU"
    assert volume[2].dicom.units == "HU"
    assert (volume - 100).dicom.units == "HU" or "units" not in (volume - 100).attrs
    for changed in (volume > 300, volume / volume, volume.argmax("slice"), volume.isnull(), volume.count("slice")):
        assert changed.dicom.units is None


def test_other_grids_are_told_and_refused(volume: xr.DataArray) -> None:
    assert volume.dicom.check(volume > 3, volume * 2) is volume
    assert volume.dicom.same_grid(volume.copy())
    moved, foreign = made((11, -20, 30)), made(FrameOfReferenceUID="1.2.3.5")
    for other, why in [
        (moved, "up to 1 mm apart"),
        (volume[1:], "5 x 8 x 10 voxels"),
        (volume[::-1], "apart"),
        (foreign, "another frame of reference"),
        (volume + foreign, "no coordinate 'geometry'"),
    ]:
        assert not volume.dicom.same_grid(other)
        assert why in volume.dicom.compare(other)["why"].iloc[-1]
        with pytest.raises(GeometryError, match="not on one grid") as caught:
            volume.dicom.check(other)
        assert caught.value.table is not None
    assert (volume + moved).size == 0  # xarray joins on coordinates, and they differ
    with pytest.raises(GeometryError, match="frames of reference"):
        volume.dicom.resample_like(foreign)
    with pytest.raises(GeometryError, match="2 volumes"):
        _ = xr.concat([volume, foreign], "subject").dicom.geometry


def test_two_readings_of_one_series_can_be_combined(volume: xr.DataArray) -> None:
    again = volume.copy()
    assert (volume + again).dicom.geometry == volume.dicom.geometry
    assert xr.concat([volume, again], "subject").dicom.geometry == volume.dicom.geometry


@pytest.mark.parametrize("kind", ["netcdf4", "h5netcdf", "zarr"])
def test_files_keep_the_geometry(volume: xr.DataArray, kind: str, tmp_path: Path) -> None:
    pytest.importorskip({"netcdf4": "netCDF4", "h5netcdf": "h5netcdf", "zarr": "zarr"}[kind])
    if kind == "h5netcdf":
        pytest.importorskip("h5py")
    path = tmp_path / f"volume.{kind}"
    if kind == "zarr":
        volume.to_zarr(path)
    else:
        volume.to_netcdf(path, engine=kind)
    with xr.open_dataarray(path, engine=kind) as found:
        assert found.equals(volume)
        assert found.dicom.geometry == volume.dicom.geometry
        assert found[1:5:2, ::-1].dicom.geometry == volume[1:5:2, ::-1].dicom.geometry
        assert found.dicom.units == "HU"
        assert found["SOPInstanceUID"].values.tolist() == volume["SOPInstanceUID"].values.tolist()


def test_windows(volume: xr.DataArray) -> None:
    assert volume.dicom.window(40, 400).dtype == np.uint8
    assert "units" not in volume.dicom.window(40, 400).attrs
    assert default_window(volume.assign_attrs(WindowCenter=[40, 60], WindowWidth=[400, 350])) == (40, 400)
    low = volume.dicom.window()
    assert low.min() == 0
    assert low.max() == 255
    assert default_window(volume > 3) == (0.5, 1)
    assert default_window(volume[:0]) == (0, 1)
    # A window that doesn't meet the values any more, say after normalizing, isn't used.
    assert default_window((volume / 1e4).assign_attrs(WindowCenter=40, WindowWidth=400))[0] < 1


def test_pictures_have_true_proportions(volume: xr.DataArray) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    ax = plot_slice(volume, ax=Figure().add_subplot())
    (image,) = ax.get_images()
    left, right, bottom, top = image.get_extent()
    assert right - left == pytest.approx(10 * 0.75, abs=1e-3)
    assert bottom - top == pytest.approx(8 * 0.5, abs=1e-3)
    assert ax.get_aspect() == 1
    letters = [text.get_text() for text in ax.texts]
    assert letters == ["R", "L", "H", "F"]
    backwards = plot_slice(volume[:, ::-1, ::-1], ax=Figure().add_subplot())
    assert [text.get_text() for text in backwards.texts] == ["L", "R", "F", "H"]
    figure = volume.dicom.montage(count=5)
    (sheet,) = figure.axes[0].get_images()
    assert sheet.get_array().shape[0] % 8 == 0
    assert figure.axes[0].get_aspect() == pytest.approx(0.5 / 0.75, abs=1e-3)
    assert len(figure.axes[0].texts) == 5
    assert figure._repr_png_().startswith(b"\x89PNG")
    at = volume.dicom.montage(at=[float(volume["slice"][2]) + 0.1], columns=1)
    assert [t.get_text() for t in at.axes[0].texts] == [f"{float(volume['slice'][2]):.1f}"]
    with pytest.raises(GeometryError, match="slice"):
        volume[0].dicom.montage()
    with pytest.raises(GeometryError, match="row and column"):
        volume[:, 0].dicom.plot()


@needs_data
def test_pictures_of_colour_and_of_further_dimensions() -> None:
    for name in ("generic/rgb/001", "philips/dti/001"):
        volume = to_volume(real_file(f"06_series_mr/dicom2nifti/{name}"))
        assert volume.dicom.montage().to_png(dpi=40).startswith(b"\x89PNG")
