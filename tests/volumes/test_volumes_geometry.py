"""Geometry: affine, coordinates, canonical string, slicing."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dicomkit.errors import GeometryError
from dicomkit.volumes.geometry import AXES, Geometry, plane_normal, rounded

numbers = st.floats(-2000, 2000, allow_nan=False)
angles = st.floats(-math.pi, math.pi)
spacings = st.floats(0.05, 20)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return x @ y @ z


@st.composite
def geometries(draw: st.DrawFn, *, tilted: bool = True) -> Geometry:
    axes = rotation(draw(angles), draw(angles), draw(angles))
    slice_step = axes[0] * draw(spacings)
    if tilted:
        slice_step = slice_step + axes[1] * draw(st.floats(-2, 2))
    row, column = axes[1] * draw(spacings), axes[2] * draw(spacings)
    origin = (draw(numbers), draw(numbers), draw(numbers))
    uid = draw(st.sampled_from(["", "1.2.840.10008.1", "1.2"]))
    return Geometry(origin, tuple(slice_step), tuple(row), tuple(column), uid)


@given(geometries())
def test_the_string_gives_back_the_same_geometry(g: Geometry) -> None:
    again = Geometry.from_string(g.to_string())
    assert again == g
    assert again.to_string() == g.to_string()
    assert "\n" not in g.to_string()
    assert pickle.loads(pickle.dumps(g)) == g


@given(geometries(), st.floats(-1e-9, 1e-9))
def test_noise_in_the_position_doesnt_make_another_grid_coordinate(g: Geometry, noise: float) -> None:
    moved = Geometry(
        (g.origin[0] + noise, g.origin[1], g.origin[2]), g.slice_step, g.row_step, g.column_step, g.frame_of_reference
    )
    # The origin is rounded first, so only noise that crosses its rounding could show, and that is 1e-5 mm.
    assert max(abs(a - b) for a, b in zip(moved.origin, g.origin, strict=True)) in (0.0, pytest.approx(1e-5))
    assert Geometry((0, 0, 1 / 3 + noise), (0, 0, 1), (0, 1, 0), (1, 0, 0)) == Geometry(
        (0, 0, 1 / 3), (0, 0, 1), (0, 1, 0), (1, 0, 0)
    )


@given(geometries(), st.integers(0, 400), st.integers(0, 511), st.integers(0, 511))
def test_points_and_indices_are_inverse(g: Geometry, k: int, i: int, j: int) -> None:
    assert np.allclose(g.indices(g.points([k, i, j])), [k, i, j], atol=1e-4)
    assert np.allclose((g.affine @ [k, i, j, 1])[:3], g.points([k, i, j]))
    assert np.allclose((g.affine_ras @ [k, i, j, 1])[:3], g.points([k, i, j]) * [-1, -1, 1])


@given(
    geometries(),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1, 2, 3, -1, -2])), min_size=3, max_size=3),
)
def test_coordinates_tell_which_part_is_left(g: Geometry, cuts: list[tuple[int, int]]) -> None:
    shape = (14, 15, 16)
    left, start, stride = {}, [], []
    for axis, coordinate, n, (first, step) in zip(AXES, g.coordinates(shape).values(), shape, cuts, strict=True):
        cut = slice(first, None, step) if step > 0 else slice(n - 1 - first, None, step)
        left[axis] = coordinate[cut]
        start.append(first if step > 0 else n - 1 - first)
        stride.append(step)
    part = g.located(left)
    assert np.allclose(part.origin, g.points(start), atol=1e-4)
    assert np.allclose(part.steps, g.steps * np.array(stride)[:, None], atol=1e-5)


@given(geometries(tilted=False))
def test_coordinates_are_positions_projected_on_the_axes(g: Geometry) -> None:
    found = g.coordinates((3, 4, 5))
    for k, axis in enumerate(AXES):
        index = np.zeros((len(found[axis]), 3))
        index[:, k] = np.arange(len(index))
        assert np.allclose(g.points(index) @ g.axes[k], found[axis], atol=2e-4)
        assert (np.diff(found[axis]) > 0).all()
    assert np.allclose(g.axes @ g.axes.T, np.eye(3), atol=1e-6)


def test_noise_at_a_tie_rounds_to_one_number() -> None:
    for tie in (0.00005, 0.00015, -0.00025, 123.45675):
        noisy = tie + np.array([-1e-12, -1e-13, 0, 1e-13, 1e-12])
        assert len(set(rounded(noisy, 4).tolist())) == 1
    assert math.copysign(1, rounded(-1e-7, 4)) == 1


def test_the_affine_is_that_of_the_standard() -> None:
    # PS3.3 equation C.7.6.2.1-1, written out.
    position, iop, spacing = (-11.5, 20.25, 7.0), (0.8, 0.6, 0, 0, 0, -1), (0.5, 0.75)
    g = Geometry.from_plane(position, iop, spacing, 2.5)
    row, column = 3, 5
    expected = np.array(position) + np.array(iop[:3]) * spacing[1] * column + np.array(iop[3:]) * spacing[0] * row
    assert np.allclose(g.points([0, row, column]), expected)
    assert np.allclose(g.slice_step, np.cross(iop[:3], iop[3:]) * 2.5)


def test_cosines_that_are_not_quite_units_are_scaled() -> None:
    g = Geometry.from_plane((0, 0, 0), (0.9995, 0, 0, 0, 1.0005, 0), (2, 3), 1)
    assert g.spacing == (1.0, 2.0, 3.0)


def test_a_tilted_step_is_kept() -> None:
    g = Geometry.from_plane((0, 0, 0), (1, 0, 0, 0, 1, 0), (1, 1), (0, 1.2, 4.85))
    assert g.tilt == pytest.approx(math.degrees(math.atan2(1.2, 4.85)))
    assert g.points([2, 0, 0]).tolist() == [0, 2.4, 9.7]
    assert g.coordinates((3, 1, 1))["slice"].tolist() == [0, 4.85, 9.7]


def test_merged_voxels_have_their_centre_between() -> None:
    g = Geometry((0, 0, 0), (0, 0, 3), (0, 1, 0), (1, 0, 0))
    pairs = g.coordinates((8, 1, 1))["slice"].reshape(4, 2).mean(1)
    part = g.located({"slice": pairs})
    assert part.origin == (0, 0, 1.5)
    assert part.slice_step == (0, 0, 6)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "Expecting value"), ("{}", "space"), ('{"space":"RAS"}', "LPS"), ("[1]", "indices"), ("12", "subscriptable")],
)
def test_a_text_that_is_no_geometry_is_refused(text: str, why: str) -> None:
    with pytest.raises(GeometryError, match=why):
        Geometry.from_string(text)


def test_impossible_geometries_are_refused() -> None:
    with pytest.raises(GeometryError, match="one plane"):
        Geometry((0, 0, 0), (0, 0, 0), (0, 1, 0), (1, 0, 0))
    with pytest.raises(GeometryError, match="finite"):
        Geometry((0, 0, math.nan), (0, 0, 1), (0, 1, 0), (1, 0, 0))
    with pytest.raises(GeometryError, match="no length"):
        plane_normal([1, 0, 0, 1, 0, 0])
    with pytest.raises(GeometryError, match="evenly"):
        Geometry((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)).located({"slice": [0, 1, 3]})


@given(geometries(), st.floats(0.01, 3))
def test_close_to_measures_the_corners(g: Geometry, off: float) -> None:
    assume(off > 0.002)
    moved = Geometry((g.origin[0] + off, *g.origin[1:]), g.slice_step, g.row_step, g.column_step)
    assert g.close_to(g, (3, 3, 3))
    assert not g.close_to(moved, (3, 3, 3))
    assert g.close_to(moved, (3, 3, 3), tolerance=off + 1e-3)
    other = Geometry(g.origin, g.slice_step, g.row_step, g.column_step, "9.9")
    assert g.close_to(other, (1, 1, 1)) is (g.frame_of_reference == "")


def test_codes_name_the_sides_of_the_patient() -> None:
    sagittal = Geometry.from_plane((0, 0, 0), (0, 1, 0, 0, 0, -1), (1, 1), 1)
    assert sagittal.codes == ("R", "I", "P")
    assert "R/I/P" in repr(sagittal)
    assert "length" in sagittal._repr_html_()
