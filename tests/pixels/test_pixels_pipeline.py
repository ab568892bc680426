"""The stages of the grey and colour pipelines against slow transcriptions of the standard's formulas."""

from __future__ import annotations

import io
import math
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from realdata import manifest, needs_data, real_file

import dicomkit as dk
from dicomkit.dataset.element import Element
from dicomkit.errors import PixelError, UnsupportedError, ValueFormatError
from dicomkit.pixels.colour import to_8_bits, to_rgb
from dicomkit.pixels.frames import frame
from dicomkit.pixels.lookup import LookupTable, look_up, parse_table
from dicomkit.pixels.modality import Rescale, modality_of, rescale
from dicomkit.pixels.palette import expand, palette_of
from dicomkit.pixels.voi import voi_of
from dicomkit.pixels.window import FUNCTIONS, Window, window
from dicomkit.values.tag import Tag

# Windows: PS3.3 C.11.2.1.2.1 and C.11.2.1.3, for an output of 0 to 255.


def linear(x: float, c: float, w: float) -> float:
    if x <= c - 0.5 - (w - 1) / 2:
        return 0
    if x > c - 0.5 + (w - 1) / 2:
        return 255
    return ((x - (c - 0.5)) / (w - 1) + 0.5) * 255


def linear_exact(x: float, c: float, w: float) -> float:
    if x <= c - w / 2:
        return 0
    if x > c + w / 2:
        return 255
    return ((x - c) / w + 0.5) * 255


def sigmoid(x: float, c: float, w: float) -> float:
    exponent = -4 * (x - c) / w
    return 0 if exponent > 700 else 255 / (1 + math.exp(exponent))


TRANSCRIBED = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}

numbers = st.one_of(
    hnp.arrays(st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32]), st.integers(0, 20)),
    hnp.arrays(np.float64, st.integers(0, 20), elements=st.floats(-1e5, 1e5)),
)


@given(numbers, st.floats(-3000, 3000), st.floats(1, 5000), st.sampled_from(FUNCTIONS))
def test_window_against_the_formula(array: np.ndarray, center: float, width: float, function: str) -> None:
    result = window(array, center, width, function)
    assert result.dtype == np.uint8
    for value, got in zip(array.tolist(), result.tolist(), strict=True):
        assert abs(TRANSCRIBED[function](value, center, width) - got) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("center", "width", "x", "y"),
    [(2048, 4096, 0, 0), (2048, 4096, 4096, 255), (2048, 1, 2047, 0), (2048, 1, 2048, 255), (0, 100, 49, 255)],
)
def test_examples_of_the_standard(center: float, width: float, x: int, y: int) -> None:
    assert window(np.array([x]), center, width)[0] == y
    assert window(np.array([float(x)]), center, width)[0] == y


@pytest.mark.parametrize(("width", "function"), [(0.5, "LINEAR"), (0, "LINEAR_EXACT"), (-1, "SIGMOID"), (5, "CUBIC")])
def test_windows_that_make_no_sense(width: float, function: str) -> None:
    with pytest.raises(ValueFormatError):
        window(np.zeros(3), 0, width, function)
    with pytest.raises(ValueFormatError):
        window(np.zeros(3), math.nan, 5)


def test_window_of_large_and_odd_arrays() -> None:
    big = np.arange(700 * 800, dtype=np.int32).reshape(700, 800)
    exact = [[linear(value, 200_000, 300_000) for value in row] for row in big[::100, ::100].tolist()]
    assert np.abs(window(big, 200_000, 300_000)[::100, ::100] - exact).max() <= 0.5 + 1e-9
    small = big.astype(np.int16)
    np.testing.assert_array_equal(window(small[::2, ::3], 40, 400), window(small, 40, 400)[::2, ::3])
    np.testing.assert_array_equal(window(small.astype(">i2"), 40, 400), window(small, 40, 400))
    out = np.empty(small.shape, np.uint8)
    assert window(small, 40, 400, out=out) is out
    assert window(np.array([np.nan, np.inf, -np.inf, 40]), 40, 400).tolist() == [0, 255, 0, 128]
    assert window(np.array(True), 0.5, 1, "LINEAR_EXACT") == 255
    assert window(np.zeros((0, 4), np.int16), 40, 400).shape == (0, 4)


def test_window_keeps_a_data_array() -> None:
    xr = pytest.importorskip("xarray")
    ct = xr.DataArray(
        np.array([[-200, 40], [240, 3000]], np.int16), dims=("row", "column"), coords={"row": [0.0, 0.5]}, name="ct"
    ).assign_attrs(units="HU", patient="1")
    grey = ct.pipe(window, center=40, width=400)
    assert grey.values.tolist() == [[0, 128], [255, 255]]
    assert grey.dims == ct.dims
    assert grey.row.values.tolist() == [0.0, 0.5]
    assert grey.attrs == {"patient": "1", "window": "LINEAR center 40 width 400"}
    assert ct.attrs["units"] == "HU"
    pytest.importorskip("dask")
    lazy = window(ct.chunk(row=1), 40, 400)
    assert lazy.chunks is not None
    assert lazy.dtype == np.uint8
    np.testing.assert_array_equal(lazy, grey)


# Look-up tables.


@given(
    st.integers(-70000, 70000),
    st.integers(1, 300),
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.uint64, np.float32]),
    st.data(),
)
def test_look_up_takes_the_nearest_entry(first: int, count: int, dtype: Any, data: st.DataObject) -> None:
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "ui" else None
    low, high = (limits.min, limits.max) if limits else (-(10**6), 10**6)
    near = st.integers(first - 3, first + count + 3).map(lambda value: min(max(value, int(low)), int(high)))
    values = data.draw(st.lists(st.one_of(near, st.integers(int(low), int(high))), min_size=0, max_size=8))
    array = np.array(values, dtype)
    entries = np.arange(count) * 7
    expected = [7 * min(max(int(value) - first, 0), count - 1) for value in array.tolist()]
    assert look_up(entries, first, array).tolist() == expected


@pytest.mark.parametrize(
    ("descriptor", "data", "signed", "table"),
    [
        ((4, 0, 8), b"\x01\x02\x03\x04", False, LookupTable(0, np.arange(1, 5), 8)),
        ((3, 65535, 8), b"\x01\x02\x03\x00", True, LookupTable(-1, np.arange(1, 4), 8)),
        ((3, 65535, 16), b"\x01\x00\x02\x00\x03\x00", False, LookupTable(65535, np.arange(1, 4), 16)),
        ((4, -2, 8), (1, 2, 3, 4), True, LookupTable(-2, np.arange(1, 5), 8)),
        ((4, 0, 8), (0x0201, 0x0403), False, LookupTable(0, np.arange(1, 5), 8)),
        ((2, 0, 8), b"\x01\x00\x02\x00", False, LookupTable(0, np.array([1, 2]), 8)),
        ((2, 0, 8), (1, 1000), False, LookupTable(0, np.array([1, 1000]), 10)),
    ],
)
def test_ways_to_store_a_table(descriptor: Any, data: Any, signed: bool, table: LookupTable) -> None:
    item = dk.DataSet(
        [
            Element(Tag.of("LUTDescriptor"), "SS" if min(descriptor) < 0 else "US", descriptor),
            Element(Tag.of("LUTData"), "US" if isinstance(data, tuple) else "OW", data),
        ]
    )
    found = parse_table(item, signed_input=signed)
    assert found == table
    assert found.entries.tolist() == table.entries.tolist()


def test_tables_of_65536_entries_and_broken_ones() -> None:
    whole = np.arange(65536, dtype="<u2").tobytes()
    item = dk.DataSet({"LUTDescriptor": (0, 0, 16), "LUTData": tuple(range(65536))})
    assert len(parse_table(item, signed_input=False).entries) == 65536
    assert len(whole) == 131072
    with pytest.raises(PixelError, match="3 entries, its descriptor says 65536"):
        parse_table(item.assign(LUTData=(1, 2, 3)), signed_input=False)
    with pytest.raises(PixelError, match="LUTDescriptor is None"):
        parse_table(item.drop("LUTDescriptor"), signed_input=False)


# Modality.


@given(hnp.arrays(st.sampled_from([np.uint8, np.int16, np.uint16, np.int32]), st.integers(1, 10)), st.data())
def test_rescale_is_exact_for_whole_numbers(array: np.ndarray, data: st.DataObject) -> None:
    slope, intercept = data.draw(st.integers(-9, 9)), data.draw(st.integers(-4000, 4000))
    result = rescale(array, slope, intercept)
    assert result.dtype.kind in "ui"
    assert result.tolist() == [value * slope + intercept for value in array.tolist()]
    half = rescale(array, 0.5, 0.25)
    assert half.dtype == (np.float64 if array.dtype == np.int32 else np.float32)
    np.testing.assert_allclose(half, array * 0.5 + 0.25, rtol=1e-6)


def test_rescale_into_room_and_types() -> None:
    array = np.array([0, 1000, 4095], np.uint16)
    out = np.empty(3, np.int16)
    assert rescale(array, 1, -1024, out=out) is out
    assert out.tolist() == [-1024, -24, 3071]
    assert rescale(array, 1, -1024, dtype=np.float32).dtype == np.float32
    assert rescale(array, 0.3, 0.2, dtype=np.int16).tolist() == [0, 300, 1229]
    assert rescale(array, 1, 0).dtype == np.uint16


def test_frame_before_shared_before_top_level() -> None:
    def group(slope: float) -> list[dict[str, Any]]:
        return [{"RescaleSlope": slope, "RescaleIntercept": 0, "RescaleType": "US"}]

    ds = dk.DataSet(
        RescaleSlope=5,
        SharedFunctionalGroupsSequence=[{"PixelValueTransformationSequence": group(3)}],
        PerFrameFunctionalGroupsSequence=[{"PixelValueTransformationSequence": group(2)}, {}],
    )
    assert [modality_of(ds, index).slope for index in range(2)] == [2, 3]
    assert modality_of(ds.drop("SharedFunctionalGroupsSequence"), 1).slope == 5
    assert modality_of(dk.DataSet(DoseGridScaling="0.001", DoseUnits="GY")) == Rescale(0.001, 0.0, "GY")
    assert modality_of(dk.DataSet()).is_identity


def test_voi_alternatives() -> None:
    ds = dk.DataSet(
        WindowCenter=(40, 0, -600),
        WindowWidth=(400, 0, 1500),
        WindowCenterWidthExplanation=("SOFT", "NONE", "LUNG"),
        VOILUTSequence=[{"LUTDescriptor": (2, 0, 8), "LUTData": (0, 255), "LUTExplanation": "BONE"}],
    )
    assert [alternative.explanation for alternative in voi_of(ds)] == ["SOFT", "LUNG", "BONE"]
    group = [{"FrameVOILUTSequence": [{"WindowCenter": 1, "WindowWidth": 2, "VOILUTFunction": "SIGMOID"}]}]
    assert voi_of(ds.assign(PerFrameFunctionalGroupsSequence=group))[0] == Window(1, 2, "SIGMOID")


# Palettes.


def test_segments_as_in_the_standard() -> None:
    """Discrete, linear, and an indirect segment that repeats the first two (PS3.3 C.7.9.2)."""
    segments = np.array([0, 2, 10, 20, 1, 4, 40, 2, 2, 0, 0, 0, 1, 7], np.uint16)
    once = [10, 20, 25, 30, 35, 40]
    assert expand(segments, 13).tolist() == [*once, *once, 7]


@pytest.mark.parametrize(
    "segments", [[1, 2, 3], [0, 5, 1], [2, 1, 0, 0], [3, 0], [0, 1, 1, 2, 1, 6, 0, 2, 1, 0, 0], [0, 1], []]
)
def test_segments_that_make_no_sense(segments: list[int]) -> None:
    with pytest.raises(PixelError):
        expand(np.array(segments, np.uint16), 10)


@given(hnp.arrays(np.uint16, st.integers(0, 30), elements=st.integers(0, 9)), st.integers(1, 50))
def test_segments_never_hang(segments: np.ndarray, count: int) -> None:
    with suppress(PixelError):
        assert len(expand(segments, count)) == count


def palette_files() -> list[str]:
    return [row["path"] for row in manifest() if row["photometric"] == "PALETTE COLOR" and row["role"] == "dicom"]


@needs_data
@pytest.mark.parametrize("path", palette_files())
def test_palette_equals_pydicoms(path: str) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.pixels import apply_color_lut

    ds = dk.read(real_file(path))
    palette, stored = palette_of(ds), frame(ds)
    assert palette is not None
    little = path.replace("_expb", "")  # pydicom does not turn the words of tables in big-endian files
    theirs = apply_color_lut(stored, pydicom.dcmread(real_file(little), force=True))
    ours = look_up(palette.colours, palette.first, stored)
    np.testing.assert_array_equal(ours, theirs)


# Colour.


@given(hnp.arrays(np.uint8, (st.integers(1, 20)).map(lambda n: (n, 3))))
def test_full_range_there_and_back(rgb: np.ndarray) -> None:
    r, g, b = (rgb[:, index].astype(float) for index in range(3))
    full = np.stack(  # PS3.3 C.7.6.3.1.2
        [
            0.2990 * r + 0.5870 * g + 0.1140 * b,
            -0.1687 * r - 0.3313 * g + 0.5000 * b + 128,
            0.5000 * r - 0.4187 * g - 0.0813 * b + 128,
        ],
        axis=1,
    )
    back = to_rgb(np.clip(np.rint(full), 0, 255).astype(np.uint8), "YBR_FULL")
    assert np.abs(back.astype(int) - rgb).max() <= 2
    partial = np.stack(
        [
            0.2568 * r + 0.5041 * g + 0.0979 * b + 16,
            -0.1482 * r - 0.2910 * g + 0.4392 * b + 128,
            0.4392 * r - 0.3678 * g - 0.0714 * b + 128,
        ],
        axis=1,
    )
    back = to_rgb(np.rint(partial).astype(np.uint8), "YBR_PARTIAL_420")
    assert np.abs(back.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("name", ["RGB", "YBR_RCT", "YBR_ICT"])
def test_what_is_rgb_already(name: str) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert to_rgb(array, name) is array


def test_colour_of_more_bits_and_retired_ones() -> None:
    assert to_rgb(np.array([[65535, 32768, 32768]], np.uint16), "YBR_FULL", bits=16).tolist() == [[65535] * 3]
    assert to_8_bits(np.array([0, 0xFFFFFFFF], np.uint32), 32).tolist() == [0, 255]
    for name in ("HSV", "ARGB", "CMYK", "SOMETHING"):
        with pytest.raises(UnsupportedError, match=name):
            to_rgb(np.zeros((1, 3), np.uint8), name)


@pytest.mark.parametrize("entries", [256, 65536])
@pytest.mark.parametrize("bits", [8, 16])
def test_tables_and_overlays_of_big_endian_files(entries: int, bits: int) -> None:
    rng = np.random.default_rng(entries)
    cell = "u1" if bits == 8 else "<u2"
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID="2.25.1",
        PhotometricInterpretation="PALETTE COLOR",
        SamplesPerPixel=1,
        BitsAllocated=16,
        Rows=9,
        Columns=7,
        PixelData=rng.integers(0, entries, 63).astype("<u2").tobytes(),
    ).assign({0x60000010: 9, 0x60000011: 7, 0x60000040: "G", 0x60000050: (1, 1), 0x60003000: rng.bytes(8)})
    for colour in ("Red", "Green", "Blue"):
        table = rng.integers(0, 1 << bits, entries).astype(cell)
        name = f"{colour}PaletteColorLookupTable"
        ds = ds.assign({f"{name}Descriptor": (entries % 65536, 0, bits)})
        ds = ds.assign([Element(Tag.of(f"{name}Data"), "OW", table.tobytes())])
    modality = Element(Tag.of("LUTData"), "OW", rng.bytes(512))
    table = dk.DataSet(LUTDescriptor=(256, 0, 16), ModalityLUTType="US").assign([modality])
    ds = ds.assign(ModalityLUTSequence=[table])
    for syntax in ("ExplicitVRBigEndian", "ImplicitVRLittleEndian"):
        file = io.BytesIO()
        dk.write(ds, file, transfer_syntax=syntax)
        for same in (dk.transcode(ds, syntax), dk.read(file.getvalue())):
            np.testing.assert_array_equal(palette_of(same).colours, palette_of(ds).colours)
            np.testing.assert_array_equal(dk.render(same, overlays=True), dk.render(ds, overlays=True))
            np.testing.assert_array_equal(modality_of(same).entries, modality_of(ds).entries)
