"""From frames to a volume: order, further dimensions, what is irregular, and what each policy does about it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_series import along_z, made_series, ramp
from test_volumes_geometry import rotation

import dicomkit as dk
from dicomkit.errors import GeometryError
from dicomkit.volumes.explain import explain_geometry
from dicomkit.volumes.load import to_volume, to_volumes
from dicomkit.volumes.policy import CHOICES, Policy

angles = st.floats(-math.pi, math.pi)


@given(
    st.tuples(angles, angles, angles),
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.floats(0.3, 8),
    st.integers(2, 6),
    st.lists(st.sampled_from(["time", "echo", "b_value"]), max_size=2, unique=True),
    st.randoms(use_true_random=False),
)
def test_any_orientation_order_and_dimensions_give_back_the_volume(
    turn: tuple[float, float, float],
    origin: tuple[float, float, float],
    step: float,
    slices: int,
    names: list[str],
    random: Any,
) -> None:
    axes = rotation(*turn)
    orientation = np.concatenate([axes[0], axes[1]])
    normal = np.cross(axes[0], axes[1])
    levels = {"time": [1, 2, 3], "echo": [2.5, 5.0], "b_value": [0.0, 500.0, 1000.0]}
    attribute = {"time": "TemporalPositionIdentifier", "echo": "EchoTime", "b_value": "DiffusionBValue"}
    names = [name for name in ("time", "b_value", "echo") if name in names]
    shape = [len(levels[name]) for name in names]
    truth = ramp(*shape, slices, 3, 4)
    planes, positions, extra = [], [], []
    for cell in np.ndindex(*shape, slices):
        planes.append(truth[cell])
        positions.append(np.array(origin) + normal * step * cell[-1])
        extra.append({attribute[name]: levels[name][k] for name, k in zip(names, cell[:-1], strict=True)})
    images = made_series(np.array(planes), positions, orientation=orientation, spacing=(0.7, 1.3), per_slice=extra)
    random.shuffle(images)
    volume = to_volume(images)
    assert volume.dims == (*names, "slice", "row", "column")
    assert np.array_equal(volume.values, truth)
    for name in names:
        assert volume[name].values.tolist() == levels[name]
    assert np.allclose(volume.dicom.geometry.origin, origin, atol=1e-4)
    assert np.allclose(volume.dicom.spacing, (step, 0.7, 1.3), atol=1e-4)
    assert np.allclose(np.diff(volume["slice"]), step, atol=3e-4)


def test_slices_are_sorted_along_the_normal_whatever_their_number_and_name() -> None:
    images = made_series(ramp(4, 2, 2), along_z([30, 10, 40, 20]))
    volume = to_volume(images)
    assert volume["slice"].values.tolist() == [10, 20, 30, 40]
    assert volume["InstanceNumber"].values.tolist() == [2, 4, 1, 3]
    assert volume["SOPInstanceUID"].values.tolist() == ["1.2.3.2", "1.2.3.4", "1.2.3.1", "1.2.3.3"]
    assert volume["position_z"].values.tolist() == [10, 20, 30, 40]
    assert volume[1].values.tolist() == [[12, 13], [14, 15]]


def irregular_kinds(images: list[dk.DataSet], **policies: Any) -> list[str]:
    with pytest.raises(GeometryError) as caught:
        to_volume(images, **policies)
    assert caught.value.table is not None
    kinds = sorted(set(caught.value.table["kind"]))
    for kind in kinds:
        assert kind in CHOICES
        assert f"{kind}=" in str(caught.value)
    return kinds


def test_a_gap() -> None:
    images = made_series(ramp(4, 2, 2), along_z([0, 2, 4, 10]))
    assert irregular_kinds(images) == ["gaps"]
    kept = to_volume(images, gaps="keep")
    assert kept["slice"].values.tolist() == [0, 2, 4, 10]
    assert kept.dtype == np.int16
    with pytest.raises(GeometryError, match="not evenly spaced"):
        _ = kept.dicom.affine
    assert kept[:3].dicom.spacing == (2, 1, 1)
    filled = to_volume(images, gaps="fill")
    assert filled["slice"].values.tolist() == [0, 2, 4, 6, 8, 10]
    assert np.isnan(filled[3:5]).all()
    assert np.array_equal(filled[[0, 1, 2, 5]], kept)
    assert filled["SOPInstanceUID"].values.tolist()[3:5] == ["", ""]
    assert any("2 slices are missing" in note for note in filled.attrs["assumptions"])
    minus = to_volume(images, gaps="fill", fill_value=-1000)
    assert minus.dtype == np.int16
    assert (minus[3:5] == -1000).all()


def test_distances_without_a_common_measure_cant_be_filled() -> None:
    images = made_series(ramp(4, 2, 2), along_z([0, 2, 4, 9.2]))
    assert irregular_kinds(images) == ["gaps"]
    with pytest.raises(GeometryError, match="multiples"):
        to_volume(images, gaps="fill")
    assert to_volume(images, gaps="keep")["slice"].values.tolist() == [0, 2, 4, 9.2]


def test_jitter() -> None:
    images = made_series(ramp(4, 2, 2), along_z([0, 2.05, 4, 6]))
    assert irregular_kinds(images) == ["jitter"]
    assert to_volume(images, tolerance=0.1)["slice"].values.tolist() == [0, 2, 4, 6]
    kept = to_volume(images, jitter="keep")
    assert kept["slice"].values.tolist() == [0, 2.05, 4, 6]
    fitted = to_volume(images, jitter="fit")
    steps = np.diff(fitted["slice"])
    assert np.allclose(steps, steps[0], atol=2e-4)
    assert abs(fitted["slice"].values - kept["slice"].values).max() < 0.05
    assert fitted["position_z"].values.tolist() == [0, 2.05, 4, 6]
    assert fitted.dicom.affine is not None


def test_jitter_within_the_plane() -> None:
    positions = along_z([0, 2, 4, 6])
    positions[1, 0] = 0.4
    images = made_series(ramp(4, 2, 2), positions)
    assert irregular_kinds(images) == ["jitter"]
    assert to_volume(images, jitter="fit").sizes["slice"] == 4


def test_positions_rounded_by_the_scanner_are_no_jitter() -> None:
    zs = [round(k * 0.6666667, 3) for k in range(200)]
    volume = to_volume(made_series(ramp(200, 2, 2), along_z(zs)))
    assert volume.dicom.spacing[0] == pytest.approx(0.6666667, abs=1e-5)


def test_a_gap_and_jitter_at_once() -> None:
    images = made_series(ramp(5, 2, 2), along_z([0, 2.05, 4, 8, 10]))
    assert irregular_kinds(images) == ["gaps", "jitter"]
    assert irregular_kinds(images, jitter="fit") == ["gaps"]
    filled = to_volume(images, jitter="fit", gaps="fill")
    assert filled.sizes["slice"] == 6
    assert filled.dicom.spacing[0] == pytest.approx(2, abs=0.02)


def test_duplicates() -> None:
    images = made_series(ramp(4, 2, 2), along_z([0, 2, 2, 4]))
    assert irregular_kinds(images) == ["duplicates"]
    assert to_volume(images, duplicates="first")["InstanceNumber"].values.tolist() == [1, 2, 4]
    assert to_volume(images, duplicates="last")["InstanceNumber"].values.tolist() == [1, 3, 4]
    assert np.array_equal(to_volume(images, duplicates="last")[1], [[8, 9], [10, 11]])


def test_the_same_file_twice_is_a_duplicate_that_says_so() -> None:
    images = made_series(ramp(3, 2, 2), along_z([0, 2, 4]))
    with pytest.raises(GeometryError, match="the same SOPInstanceUID"):
        to_volume([*images, images[1]])
    assert to_volume([*images, images[1]], duplicates="first").sizes["slice"] == 3


def test_repetitions_that_nothing_tells_apart() -> None:
    images = made_series(ramp(6, 2, 2), along_z([0, 2, 4, 0, 2, 4]))
    assert irregular_kinds(images) == ["duplicates"]
    volume = to_volume(images, duplicates="stack")
    assert volume.dims[0] == "repetition"
    assert volume["InstanceNumber"].values.tolist() == [[1, 2, 3], [4, 5, 6]]
    timed = [ds.assign(NumberOfTemporalPositions=2) for ds in images]
    volume = to_volume(timed)
    assert volume.dims[0] == "time"
    assert any("InstanceNumber" in note for note in volume.attrs["assumptions"])


def test_an_incomplete_time_series() -> None:
    zs, times = [0, 2, 4] * 3, [1, 1, 1, 2, 2, 2, 3, 3, 3]
    per_slice = [{"TemporalPositionIdentifier": t} for t in times]
    images = made_series(ramp(9, 2, 2), along_z(zs), per_slice=per_slice)[:8]
    assert irregular_kinds(images) == ["incomplete"]
    dropped = to_volume(images, incomplete="drop")
    assert dropped["time"].values.tolist() == [1, 2]
    assert any("2 frames left out" in note for note in dropped.attrs["assumptions"])
    filled = to_volume(images, incomplete="fill", fill_value=-1)
    assert filled.sizes["time"] == 3
    assert (filled[2, 2] == -1).all()
    assert filled.dtype == np.int16


def test_a_missing_slice_of_every_time_is_a_gap() -> None:
    zs = [0, 2, 6, 8] * 2
    per_slice = [{"TemporalPositionIdentifier": t} for t in [1] * 4 + [2] * 4]
    images = made_series(ramp(8, 2, 2), along_z(zs), per_slice=per_slice)
    assert irregular_kinds(images) == ["gaps"]
    assert to_volume(images, gaps="fill").sizes == {"time": 2, "slice": 5, "row": 2, "column": 2}


def test_diffusion_has_a_level_per_direction() -> None:
    directions = [None, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    per_slice = [
        {"DiffusionBValue": 1000.0 if d else 0.0} | ({"DiffusionGradientOrientation": d} if d else {})
        for d in directions
        for _ in range(2)
    ]
    volume = to_volume(made_series(ramp(8, 2, 2), along_z([0, 2] * 4), per_slice=per_slice))
    assert volume.dims[0] == "diffusion"
    assert volume["DiffusionBValue"].values.tolist() == [0, 1000, 1000, 1000]
    assert volume["gradient_y"].values.tolist()[1:] == [0, 1, 0]
    assert np.isnan(volume["gradient_y"].values[0])


def test_two_facts_that_go_together_are_one_dimension() -> None:
    per_slice = [
        {"EchoTime": e, "ImageType": ["ORIGINAL", "PRIMARY", t]} for e, t in [(2, "M"), (2, "M"), (5, "P"), (5, "P")]
    ]
    volume = to_volume(made_series(ramp(4, 2, 2), along_z([0, 2, 0, 2]), per_slice=per_slice))
    assert volume.dims[0] == "component"
    assert volume["EchoTime"].dims == ("component",)
    assert volume["EchoTime"].values.tolist() == [2, 5]


def tilted(count: int = 6, degrees: float = 12) -> list[dk.DataSet]:
    shift = math.tan(math.radians(degrees)) * 5
    positions = np.array([(0.0, k * shift, k * 5.0) for k in range(count)])
    block = np.zeros((count, 40, 8), np.int16)
    for k in range(count):  # a block that is upright in the patient
        first = round(20 - k * shift)
        block[k, first : first + 10] = 100
    return made_series(block, positions, GantryDetectorTilt=0)


def test_tilt_is_found_in_the_positions() -> None:
    images = tilted()
    assert irregular_kinds(images) == ["tilt"]
    findings = explain_geometry(images).findings
    assert findings["frames"].isna().all()  # it is about all of them, not about none
    kept = to_volume(images, tilt="keep")
    assert kept.dicom.geometry.tilt == pytest.approx(12)
    assert kept["slice"].values.tolist() == [0, 5, 10, 15, 20, 25]
    assert kept.dicom.spacing[0] == pytest.approx(5 / math.cos(math.radians(12)))
    level = [ds.assign(ImagePositionPatient=(0, 0, 5 * k), GantryDetectorTilt=12) for k, ds in enumerate(images)]
    assert to_volume(level).dicom.geometry.tilt == 0


def test_tilt_can_be_resampled_away() -> None:
    level = to_volume(tilted(), tilt="deskew")
    assert level.dicom.geometry.tilt == 0
    assert level.dicom.spacing == (5, 1, 1)
    assert level["slice"].values.tolist() == [0, 5, 10, 15, 20, 25]
    assert level["SOPInstanceUID"].dims == ("slice",)
    assert level.sizes["row"] > 40
    bright = [level["row"].values[np.flatnonzero(np.nan_to_num(level[k, :, 3].values) > 50)] for k in range(6)]
    assert all(len(rows) in (9, 10, 11) for rows in bright)
    assert np.ptp([rows.mean() for rows in bright]) < 1.01  # the block stands upright, to the pixel it was drawn with


def test_mixed_orientations() -> None:
    axial = made_series(ramp(3, 2, 2), along_z([0, 2, 4]))
    sagittal = made_series(ramp(2, 2, 2), [(0, 0, 0), (1, 0, 0)], orientation=(0, 1, 0, 0, 0, -1), SOPInstanceUID="9")
    images = [*sagittal, *axial]
    assert irregular_kinds(images) == ["orientation"]
    assert to_volume(images, orientation="largest").sizes["slice"] == 3
    assert to_volume(images, orientation=1).dicom.geometry.codes == ("R", "I", "P")
    assert any("others left out" in note for note in to_volume(images, orientation=0).attrs["assumptions"])
    with pytest.raises(GeometryError, match="no stack 2"):
        to_volume(images, orientation=2)
    split = to_volumes(images, orientation="split")
    assert [(key, v.sizes["slice"]) for key, v in split.items()] == [("1.2.3#0", 3), ("1.2.3#1", 2)]


@pytest.mark.parametrize(
    "change",
    [{"PixelSpacing": [2, 2]}, {"FrameOfReferenceUID": "1.9"}, {"StackID": "2"}],
)
def test_what_makes_another_stack(change: dict[str, Any]) -> None:
    images = made_series(ramp(4, 2, 2), along_z([0, 2, 4, 6]))
    assert irregular_kinds([*images[:3], images[3].assign(change)]) == ["orientation"]


def test_frames_without_a_place() -> None:
    images = made_series(ramp(4, 2, 2), along_z([0, 2, 4, 6]))
    lost = [*images[:3], images[3].drop("ImagePositionPatient")]
    assert irregular_kinds(lost) == ["unplaced"]
    assert to_volume(lost, unplaced="drop").sizes["slice"] == 3
    with pytest.raises(
        GeometryError,
        match=r"the one frame has no place in the patient: there is no ImagePositionPatient; dicomkit.frames",
    ):
        to_volume([lost[3]], unplaced="drop")
    skewed = [ds.assign(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]) for ds in images]
    with pytest.raises(GeometryError, match=r"none of the 4 frames has a place in the patient: .* that fit together"):
        to_volume(skewed)


def test_one_slice_says_where_its_thickness_is_from() -> None:
    image = made_series(ramp(1, 2, 2), along_z([7]))
    with pytest.raises(GeometryError, match="slice_step"):
        to_volume(image)
    for attributes, step, source in [
        ({"SliceThickness": 3}, 3, "SliceThickness"),
        ({"SliceThickness": 3, "SpacingBetweenSlices": 4}, 4, "SpacingBetweenSlices"),
    ]:
        volume = to_volume([image[0].assign(attributes)])
        assert volume.sizes == {"slice": 1, "row": 2, "column": 2}
        assert volume.dicom.spacing[0] == step
        assert source in volume.attrs["assumptions"][0]
    assert to_volume(image, slice_step=2).dicom.spacing[0] == 2


def test_several_series_are_listed() -> None:
    images = made_series(ramp(2, 2, 2), along_z([0, 2]), SeriesDescription="one")
    others = made_series(ramp(3, 2, 2), along_z([0, 2, 4]), SeriesInstanceUID="1.2.9", SeriesDescription="two")
    report = dk.DataSet(SeriesInstanceUID="1.2.7", Modality="SR")
    with pytest.raises(GeometryError, match="2 series") as caught:
        to_volume([*images, *others])
    assert caught.value.table is not None
    assert caught.value.table["SeriesDescription"].tolist() == ["one", "two"]
    assert caught.value.table["frames"].tolist() == [2, 3]
    broken = made_series(ramp(3, 2, 2), along_z([0, 2, 7]), SeriesInstanceUID="1.2.8")
    volumes = to_volumes([*images, *others, *broken, report])
    assert list(volumes) == ["1.2.3", "1.2.9"]
    assert volumes["1.2.9"].sizes["slice"] == 3
    assert volumes.rejected["SeriesInstanceUID"].tolist() == ["1.2.8", "1.2.7"]
    assert "gaps" in volumes.rejected["reason"][0]
    assert volumes.rejected["reason"][1] == "no images"
    assert "1.2.9" in volumes._repr_html_()
    assert "gaps" in volumes._repr_html_()


def test_policies_are_checked() -> None:
    with pytest.raises(GeometryError, match="gaps='maybe' is not a policy"):
        Policy(gaps="maybe")
    with pytest.raises(GeometryError, match="tolerance"):
        Policy(tolerance=0)
    with pytest.raises(GeometryError, match="no volume can be made of a int"):
        to_volume(3)
    with pytest.raises(GeometryError, match="no images"):
        to_volume([])


def test_the_report_explains() -> None:
    regular = explain_geometry(made_series(ramp(3, 2, 2), along_z([0, 2, 4])))
    assert regular.regular
    assert regular.stacks["step"].tolist() == [2]
    images = made_series(ramp(5, 2, 2), along_z([0, 2, 2, 4, 8]))
    report = explain_geometry(images)
    assert not report.regular
    assert sorted(report.findings["kind"]) == ["duplicates", "gaps"]
    assert report.findings["policies"].str.contains("=").all()
    assert report.table["step"].tolist()[:3] == [2, 2, 4]
    assert report.table["frames"].tolist() == [1, 2, 1, 1]
    html = report._repr_html_()
    assert "duplicates" in html
    assert "data:image/png" in html
    assert "2 findings" in repr(report)
    assert explain_geometry([]).regular is False


def test_an_rt_dose_is_placed_by_its_offsets() -> None:
    dose = dk.DataSet(
        Modality="RTDOSE",
        DoseUnits="GY",
        DoseGridScaling=0.5,
        NumberOfFrames=3,
        GridFrameOffsetVector=[0, 2, 4],
        ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1, 1],
        Rows=2,
        Columns=2,
        SamplesPerPixel=1,
        BitsAllocated=16,
        BitsStored=16,
        PixelRepresentation=0,
        PixelData=ramp(3, 2, 2, dtype=np.uint16).tobytes(),
    )
    volume = to_volume(dose)
    assert volume["slice"].values.tolist() == [3, 5, 7]
    assert volume.attrs["units"] == "Gy"
    assert volume[2, 1, 1] == 5.5
    absolute = dose.assign(GridFrameOffsetVector=[3, 5, 7], ImageOrientationPatient=[1, 0, 0, 0, -1, 0])
    assert to_volume(absolute)["position_z"].values.tolist() == [7, 5, 3]  # the normal points to the feet
