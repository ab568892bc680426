"""Real world values, padding, presentation and profiles: against literal formulas, highdicom, DCMTK and Pillow."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pixel_images import grey
from realdata import needs_data, peer, real_file

import dicomkit as dk
from dicomkit.errors import PixelError, ValueFormatError
from dicomkit.pixels.colour import to_rgb
from dicomkit.pixels.icc import COLOUR_SPACES, icc_profile_of, profile_of_space, to_colour_space
from dicomkit.pixels.lookup import LookupTable
from dicomkit.pixels.modality import Rescale
from dicomkit.pixels.padding import padding_mask, padding_of
from dicomkit.pixels.palette import palette_of
from dicomkit.pixels.pipeline import GreyPipeline
from dicomkit.pixels.presentation import Presentation, presentation_of
from dicomkit.pixels.real_world import RealWorldMapping, real_world_mappings, real_world_values
from dicomkit.pixels.voi import voi_of
from dicomkit.pixels.window import Window, continuous

RNG = np.random.default_rng(5)


# Real world values.


def mapping_item(**changes: Any) -> dict[str, Any]:
    return {
        "RealWorldValueFirstValueMapped": 0,
        "RealWorldValueLastValueMapped": 100,
        "RealWorldValueSlope": 2.0,
        "RealWorldValueIntercept": -1.0,
        "LUTLabel": "LABEL",
    } | changes


def test_several_mappings_by_number_label_and_unit() -> None:
    unit = {"CodeValue": "mm2/s", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "square millimeter per second"}
    second = mapping_item(LUTLabel="ADC", RealWorldValueSlope=0.5, MeasurementUnitsCodeSequence=[unit])
    ds = grey(np.array([[0, 3], [100, 101]], np.uint8), RealWorldValueMappingSequence=[mapping_item(), second])
    first, other = real_world_mappings(ds)
    assert (first.label, first.units, first.source) == ("LABEL", None, "data set")
    assert other.units == ("mm2/s", "UCUM", "square millimeter per second")
    np.testing.assert_array_equal(real_world_values(ds), [[-1, 5], [199, np.nan]])
    for which in (1, "ADC", "mm2/s", -1):
        np.testing.assert_array_equal(real_world_values(ds, which=which), [[-1, 0.5], [49, np.nan]])
    for wrong in (2, "T1"):
        with pytest.raises(ValueFormatError, match="LABEL"):
            real_world_values(ds, which=wrong)


def test_a_table_of_real_world_values_and_its_limits() -> None:
    item = mapping_item(
        RealWorldValueFirstValueMapped=65534,
        RealWorldValueLastValueMapped=1,
        RealWorldValueLUTData=(9.0, 7.5, 1.0, 0.5),
    )
    ds = grey(np.array([[-3, -2, -1], [0, 1, 2]], np.int16), RealWorldValueMappingSequence=[item])
    np.testing.assert_array_equal(real_world_values(ds), [[np.nan, 9, 7.5], [1, 0.5, np.nan]])
    with pytest.raises(PixelError, match="3 entries"):
        real_world_mappings(ds.assign({("RealWorldValueMappingSequence", 0, "RealWorldValueLUTData"): (1.0, 2.0, 3.0)}))
    bare = {"RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 1}
    with pytest.raises(PixelError, match="neither"):
        real_world_mappings(ds.assign(RealWorldValueMappingSequence=[bare]))


def test_a_frame_has_its_own_mapping_before_the_shared_one_before_the_top() -> None:
    def group(slope: float) -> dict[str, Any]:
        return {"RealWorldValueMappingSequence": [mapping_item(RealWorldValueSlope=slope)]}

    ds = grey(np.array([[1, 1]], np.uint8)).assign(
        Rows=1,
        Columns=1,
        NumberOfFrames=2,
        RealWorldValueMappingSequence=[mapping_item(RealWorldValueSlope=9.0)],
        PerFrameFunctionalGroupsSequence=[group(4.0), {}],
    )
    assert [real_world_values(ds, k)[0, 0] for k in range(2)] == [3, 8]
    shared = ds.assign(SharedFunctionalGroupsSequence=[group(6.0)])
    assert [real_world_values(shared, k)[0, 0] for k in range(2)] == [3, 5]


def test_padding_has_no_real_world_value() -> None:
    ds = grey(np.array([[0, 5]], np.uint8), PixelPaddingValue=0, RealWorldValueMappingSequence=[mapping_item()])
    np.testing.assert_array_equal(real_world_values(ds), [[np.nan, 9]])


@needs_data
@pytest.mark.parametrize("name", ["parametric_map_float.dcm", "parametric_map_double_float.dcm"])
def test_parametric_maps(name: str) -> None:
    ds = dk.read(real_file(f"14_parametric_map_rwv/{name}"))
    (mapping,) = real_world_mappings(ds)
    assert mapping.source == "shared functional group"
    np.testing.assert_array_equal(real_world_values(ds), dk.frame(ds).astype(np.float64))


@needs_data
def test_a_mapping_object_applies_to_what_it_refers_to() -> None:
    rwvm = dk.read(real_file("14_parametric_map_rwv/rwvm.dcm"))
    path = ("ReferencedImageRealWorldValueMappingSequence", 0, "ReferencedImageSequence", 0, "ReferencedSOPInstanceUID")
    uid = rwvm[path]
    ds = grey(np.array([[0, 1000]], np.uint16), SOPInstanceUID=uid)
    (mapping,) = real_world_mappings(ds, mapping=rwvm)
    assert mapping.slope == pytest.approx(0.000375125)
    assert mapping.units is not None
    assert mapping.units.scheme == "UCUM"
    assert mapping.quantity
    assert real_world_values(ds, mapping=rwvm)[0, 1] == pytest.approx(0.375125)
    assert real_world_mappings(ds.assign(SOPInstanceUID="1.2.3"), mapping=rwvm) == ()


@given(
    hnp.arrays(np.int16, (2, 5), elements=st.integers(-300, 300)),
    st.integers(-200, 0),
    st.integers(1, 200),
    st.floats(-5, 5),
    st.floats(-100, 100),
)
def test_real_world_values_against_highdicom(
    array: np.ndarray[Any, Any], first: int, last: int, slope: float, intercept: float
) -> None:
    ours = RealWorldMapping(first, last, slope, intercept)(array)
    expected = [[v * slope + intercept if first <= v <= last else np.nan for v in row] for row in array.tolist()]
    np.testing.assert_array_equal(ours, expected)
    pm = pytest.importorskip("highdicom.pm")
    from highdicom import content
    from pydicom.sr.codedict import codes

    del content
    theirs = pm.RealWorldValueMapping("a", "b", codes.UCUM.NoUnits, (first, last), slope, intercept)
    inside = np.clip(array, first, last)
    np.testing.assert_allclose(RealWorldMapping(first, last, slope, intercept)(inside), theirs.apply(inside), atol=1e-9)


# Padding.


def test_padding_in_the_sign_of_the_pixels() -> None:
    ds = grey(np.array([[-2000, 0]], np.int16))
    assert padding_of(ds) is None
    assert not padding_mask(ds, dk.frame(ds)).any()
    assert padding_mask(ds.assign(PixelPaddingValue=63536), dk.frame(ds)).tolist() == [[True, False]]
    between = ds.assign(PixelPaddingValue=-1000, PixelPaddingRangeLimit=-2000)
    assert padding_mask(between, np.array([-2001, -2000, -1500, -1000, -999])).tolist() == [False, *[True] * 3, False]
    floating = dk.DataSet(FloatPixelPaddingValue=-1.0, FloatPixelPaddingRangeLimit=-2.0)
    assert padding_mask(floating, np.array([-1.5, 0])).tolist() == [True, False]


# Presentation.


def test_presentation_table_looks_up_the_whole_output_of_the_window() -> None:
    values = np.arange(-50, 300, dtype=np.int16)
    entries = RNG.integers(0, 1 << 12, 1024).astype(np.uint16)
    window, table = Window(100, 200), LookupTable(0, entries, 12)
    got = GreyPipeline(Rescale(), window, Presentation(table=table))(values)
    for value, grey_value in zip(values.tolist(), got.tolist(), strict=True):
        share = min(max((value - 99.5) / 199 + 0.5, 0), 1)
        assert grey_value == round(int(entries[int(share * 1023 + 0.5)]) * 255 / 4095)


def test_presentation_sources() -> None:
    item = {"LUTDescriptor": (2, 0, 8), "LUTData": b"\xff\x00"}
    ds = grey(np.array([[0, 255]], np.uint8), PhotometricInterpretation="MONOCHROME1")
    assert presentation_of(ds).inverted
    assert presentation_of(ds, "MONOCHROME2").inverted is False
    with_table = ds.assign(PresentationLUTSequence=[item])
    assert presentation_of(with_table).source == "PresentationLUTSequence"
    assert dk.render(with_table).tolist() == [[255, 0]]


@needs_data
def test_modality_voi_and_presentation_tables_of_a_presentation_state_equal_dcmtk(tmp_path: Path) -> None:
    image, state = (real_file(f"15_presentation_state/{name}") for name in ("imageForPrLUTs.dcm", "prLUTs.dcm"))
    pr = dk.read(state)
    ds = dk.read(image).assign(
        ModalityLUTSequence=pr.ModalityLUTSequence,
        PresentationLUTSequence=pr.PresentationLUTSequence,
        VOILUTSequence=pr["SoftcopyVOILUTSequence", 0].VOILUTSequence,
    )
    ours = dk.render(ds.drop("WindowCenter", "WindowWidth"))
    out = tmp_path / "out.pgm"
    done = subprocess.run(
        [peer("dcmp2pgm"), "-q", "-p", str(state), str(image), str(out)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    header = re.match(rb"P5\s(?:\s*#[^\n]*\n)*\s*(\d+)\s+(\d+)\s+(\d+)\s", out.read_bytes())
    assert header is not None
    theirs = np.frombuffer(out.read_bytes(), np.uint8, offset=header.end()).reshape(int(header[2]), int(header[1]))
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_voi_tables_of_a_functional_group() -> None:
    table = {"LUTDescriptor": (2, 0, 8), "LUTData": b"\x07\x09", "LUTExplanation": "MINE"}
    ds = grey(np.array([[0, 1]], np.uint8)).assign(
        SharedFunctionalGroupsSequence=[{"FrameVOILUTSequence": [{"VOILUTSequence": [table]}]}],
    )
    assert [voi.explanation for voi in voi_of(ds)] == ["MINE"]
    assert dk.render(ds).tolist() == [[7, 9]]


@given(hnp.arrays(np.int16, (3, 4)), st.floats(-500, 500), st.floats(1, 900), st.booleans())
def test_one_table_for_all_stages_equals_the_stages(
    array: np.ndarray[Any, Any], center: float, width: float, inverted: bool
) -> None:
    window = Window(center, width)
    pipeline = GreyPipeline(Rescale(0.5, -10.25), window, Presentation(inverted))
    slow = np.floor(continuous(array * 0.5 - 10.25, center, width) + 0.5)
    slow = 255 - slow if inverted else slow
    assert np.abs(pipeline(array) - slow).max() <= 1  # float32 against float64, at a tie
    assert np.mean(pipeline(array) == slow) > 0.7


# Colour.


def test_full_range_colour_is_the_formula_rounded_for_every_combination() -> None:
    cb, cr = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    for y in (0, 1, 77, 128, 200, 255):
        ycc = np.stack([np.full_like(cb, y), cb, cr], axis=-1).astype(np.uint8)
        red = y + 1.402 * (cr - 128.0)
        green = y - 0.344136 * (cb - 128.0) - 0.714136 * (cr - 128.0)
        blue = y + 1.772 * (cb - 128.0)
        exact = np.clip(np.stack([red, green, blue], axis=-1), 0, 255)
        assert np.abs(to_rgb(ycc, "YBR_FULL") - exact).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_PARTIAL_420"])
def test_large_colour_arrays_equal_small_ones(photometric: str) -> None:
    big = RNG.integers(0, 256, (600, 500, 3)).astype(np.uint8)
    np.testing.assert_array_equal(to_rgb(big, photometric)[::97], to_rgb(big[::97], photometric))
    np.testing.assert_array_equal(to_rgb(big[::-1, ::2], photometric), to_rgb(big, photometric)[::-1, ::2])


def pillow_transform(rgb: np.ndarray[Any, Any], profile: bytes, target: bytes, intent: int) -> np.ndarray[Any, Any]:
    from PIL import Image, ImageCms

    source, sink = (ImageCms.ImageCmsProfile(io.BytesIO(data)) for data in (profile, target))
    transform = ImageCms.buildTransform(source, sink, "RGB", "RGB", renderingIntent=intent)
    return np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform))


@pytest.mark.parametrize("intent", ["perceptual", "relative", "saturation", "absolute"])
@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_profiles_equal_pillow(space: Any, intent: Any) -> None:
    rgb = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    source = profile_of_space("Adobe RGB" if space != "Adobe RGB" else "sRGB")
    number = ("perceptual", "relative", "saturation", "absolute").index(intent)
    theirs = pillow_transform(rgb, source, profile_of_space(space), number)
    ours = to_colour_space(rgb, source, space, intent=intent)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_display_p3_is_what_its_numbers_say() -> None:
    encoded = RNG.integers(0, 256, (30, 30, 3)).astype(np.uint8) / 255
    matrix = np.array([[1.2249401, -0.2249404, 0], [-0.0420569, 1.0420571, 0], [-0.0196376, -0.0786361, 1.0982735]])
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4) @ matrix.T
    linear = linear.clip(0, 1)
    expected = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    for kind, top in ((np.uint8, 255), (np.uint16, 65535)):
        ours = to_colour_space(np.rint(encoded * top).astype(kind), profile_of_space("Display P3")) / top
        assert np.abs(ours - expected).max() < 0.004


def test_sixteen_bits_are_finer_than_eight() -> None:
    ramp = np.repeat(np.linspace(20000, 21000, 200).astype(np.uint16)[:, None, None], 3, axis=2)
    out = to_colour_space(ramp, profile_of_space("Adobe RGB"), "Display P3")
    assert out.dtype == np.uint16
    assert len(np.unique(out)) > 150


def test_profiles_that_cannot_be_used() -> None:
    rgb = np.zeros((2, 2, 3), np.uint8)
    for wrong in (b"", b"junk" * 50, profile_of_space("sRGB")[:200]):
        with pytest.raises(PixelError, match="ICC"):
            to_colour_space(rgb, wrong)
    with pytest.raises(ValueFormatError, match="colour space"):
        to_colour_space(rgb, profile_of_space("sRGB"), "Rec. 2020")
    with pytest.raises(ValueFormatError, match="intent"):
        to_colour_space(rgb, profile_of_space("sRGB"), intent="vivid")
    with pytest.raises(PixelError, match="float64"):
        to_colour_space(rgb.astype(float), profile_of_space("sRGB"))


@needs_data
def test_a_slide_and_a_palette_with_profiles() -> None:
    ds = dk.read(real_file("16_wsi/sm_image.dcm"))
    profile = icc_profile_of(ds)
    assert profile is not None
    assert profile[36:40] == b"acsp"
    plain, managed = dk.render(ds), dk.render(ds, icc="sRGB")
    intent = int.from_bytes(profile[64:68], "big")
    assert np.abs(managed.astype(int) - pillow_transform(plain, profile, profile_of_space("sRGB"), intent)).max() <= 1
    np.testing.assert_array_equal(dk.render(ds, icc=profile), to_colour_space(plain, profile, profile))


def test_images_without_a_profile_are_srgb() -> None:
    rgb = np.array([[[200, 30, 30], [10, 200, 90]]], np.uint8)
    ds = dk.DataSet(
        Rows=1, Columns=2, BitsAllocated=8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PixelData=rgb.tobytes()
    )
    np.testing.assert_array_equal(dk.render(ds, icc="sRGB"), rgb)
    converted = to_colour_space(rgb, profile_of_space("sRGB"), "Display P3")
    np.testing.assert_array_equal(dk.render(ds, icc="Display P3"), converted)
    names = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
    palette = {f"{name}Descriptor": (2, 0, 8) for name in names}
    palette |= {f"{name}Data": rgb[0, :, k].tobytes() for k, name in enumerate(names)}
    indexed = grey(np.array([[0, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR", **palette)
    assert palette_of(indexed) is not None
    np.testing.assert_array_equal(dk.render(indexed, icc="Display P3"), converted)
    np.testing.assert_array_equal(dk.render(grey(np.array([[0, 9]], np.uint8)), icc="Display P3"), [[0, 9]])
