"""Windows by arithmetic give what the table of the window gives, value by value, or step aside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import dicomkit as dk
from dicomkit.pixels.lookup import look_up
from dicomkit.pixels.modality import Rescale
from dicomkit.pixels.pipeline import GreyPipeline
from dicomkit.pixels.presentation import Presentation
from dicomkit.pixels.ramp import Line, Ramp
from dicomkit.pixels.window import FUNCTIONS, Window, table

TYPES = (np.int8, np.uint8, np.int16, np.uint16)
functions = st.sampled_from(FUNCTIONS)
centers = st.one_of(st.integers(-3000, 5000).map(float), st.floats(-70000, 70000))
widths = st.one_of(st.integers(1, 5000).map(float), st.floats(1, 70000))


def every_value(kind: Any) -> NDArray[Any]:
    limits = np.iinfo(kind)
    values = np.arange(limits.min, limits.max + 1).astype(kind)
    return np.tile(values, 64).reshape(64, -1) if values.itemsize == 1 else values.reshape(256, -1)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TYPES), centers, widths, functions)
def test_a_window_is_that_of_its_table(kind: Any, center: float, width: float, function: str) -> None:
    values = every_value(kind)
    first = int(values.min())
    expected = look_up(table(first, int(values.max()), center, width, function), first, values)
    assert np.array_equal(dk.window(values, center, width, function), expected)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(TYPES),
    st.sampled_from((1.0, 2.0, -1.0, 0.5, 0.0123, 1e-9)),
    st.sampled_from((0.0, -1024.0, 0.25, 32768.0)),
    centers,
    widths,
    functions,
    st.booleans(),
)
def test_a_pipeline_is_that_of_its_stages(
    kind: Any, slope: float, intercept: float, center: float, width: float, function: str, inverted: bool
) -> None:
    values = every_value(kind)
    pipeline = GreyPipeline(Rescale(slope, intercept), Window(center, width, function), Presentation(inverted))
    assert np.array_equal(pipeline(values), pipeline._through(values.astype(np.int32)))


@pytest.mark.parametrize(("center", "width"), [(40, 400), (-600, 1500), (40, 80), (50, 350), (300, 2000)])
@pytest.mark.parametrize("inverted", [False, True])
def test_usual_windows_take_the_quick_way(center: float, width: float, inverted: bool) -> None:
    pipeline = GreyPipeline(Rescale(1, -1024), Window(center, width), Presentation(inverted))
    assert pipeline._ramp(every_value(np.int16)) is not None
    assert pipeline._ramp(np.zeros((8, 8), np.int16)) is None  # trying it would take longer


def test_a_line_that_is_off_at_one_value_is_no_ramp() -> None:
    line = Line.of_window(40, 400)
    assert line is not None
    low, high = line.span(np.dtype(np.int16)) or (0, 0)
    entries = table(low, high, 40, 400)
    assert Ramp.proved(entries, low, line) is not None
    entries[200] += 1
    assert Ramp.proved(entries, low, line) is None


@pytest.mark.parametrize("scale", [0.0, 1e-300, float("inf"), float("nan")])
def test_lines_that_are_none_have_no_span(scale: float) -> None:
    assert Line(scale, 128).span(np.dtype(np.int16)) is None
    assert Line(1, float("nan")).span(np.dtype(np.int16)) is None
    assert Line.of_window(0, 1) is None  # a threshold
    assert Line.of_window(0, 5, "SIGMOID") is None
