"""Numbers as text: the best 16 characters, and what is and isn't a DS or IS."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomkit.errors import ValueFormatError
from dicomkit.values.numbers import format_ds, format_is, is_legal_ds, is_legal_is, parse_ds, parse_is


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-1.7976931348623157e308)
@example(-5e-324)
@example(-0.99999999999999989)
@example(99999999999999.99)
@example(9999999999999999.0)
@example(-0.0)
def test_a_formatted_number_is_legal_and_close(number: float) -> None:
    text = format_ds(number)
    assert len(text) <= 16
    assert is_legal_ds(text)
    found = float(text)
    if math.isinf(found):
        pytest.fail("rounded to infinity")
    # A sign, a point and an exponent of five characters leave nine digits; above 1e-99 and below 1e100 there are ten.
    assert abs(found - number) <= max(abs(number) * 1e-8, 5e-324)
    if 1e-4 < abs(number) < 1e14:
        assert abs(found - number) <= abs(number) * 1e-10
    if len(repr(number)) <= 16:
        assert found == number


@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(-10, 10) | st.floats(-1e17, 1e17))
@example(0.99999999999999989)
@example(0.00099999999999999989)
@example(-999999999999999.9)
@example(9999999999999999.0)
@example(9.9999999999999999e-5)
def test_no_other_16_characters_are_closer(number: float) -> None:
    texts = [f"{number:.{digits}{form}}" for digits in range(20) for form in "feg"]
    texts += [re.sub(r"\be([+-])0*", r"e\1", text).replace("e+", "e") for text in texts]
    texts += [re.sub(r"^(-?)0\.", r"\1.", text) for text in texts]
    closest = min(abs(float(text) - number) for text in texts if len(text) <= 16 and is_legal_ds(text))
    assert abs(float(format_ds(number)) - number) <= closest


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_as_close_as_pydicom_or_closer(number: float) -> None:
    valuerep = pytest.importorskip("pydicom.valuerep")
    theirs = valuerep.format_number_as_ds(number)
    assert abs(float(format_ds(number)) - number) <= abs(float(theirs) - number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.5, "0.5"),
        (1.0, "1"),
        (0, "0"),
        (1 / 3, ".333333333333333"),
        (-2 / 3, "-.66666666666667"),
        (math.pi, "3.14159265358979"),
        (-math.pi * 1e5, "-314159.26535898"),
        (1e22, "1e22"),
        (1.25e-7, "1.25e-7"),
        (123456789.123456789, "123456789.123457"),
        (1.7976931348623157e308, "1.7976931348e308"),  # rounded, it would be infinite
        (-1.7976931348623157e308, "-1.797693134e308"),
    ],
)
def test_formatted(number: float, text: str) -> None:
    assert format_ds(number) == text


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_no_ds_can_hold(number: float) -> None:
    with pytest.raises(ValueFormatError, match="finite"):
        format_ds(number)


def test_integer_strings() -> None:
    assert format_is(-(2**31)) == "-2147483648"
    for number in (2**31, -(2**31) - 1):
        with pytest.raises(ValueFormatError):
            format_is(number)


@pytest.mark.parametrize("text", ["1", "+1", "-1.", ".5", "-.5e5", "1E+05", "1e-5", " 1 ", "007", "0.0"])
def test_legal_decimal_strings(text: str) -> None:
    assert is_legal_ds(text)
    assert isinstance(parse_ds(text), float)


@pytest.mark.parametrize(
    "text", ["", ".", "e5", "1e", "1,5", "1 5", "nan", "inf", "1_0", "0x1", "١", "--1", "1\t", "+"]
)
def test_illegal_decimal_strings(text: str) -> None:
    assert not is_legal_ds(text)
    assert not is_legal_is(text)


@given(st.text(st.sampled_from("0123456789.+-eE _naif")))
def test_every_legal_text_is_a_number(text: str) -> None:
    if is_legal_ds(text):
        assert isinstance(parse_ds(text), float)
    if is_legal_is(text):
        assert parse_is(text) == int(text)
    assert isinstance(parse_is(text), (int, float, str))
    if not re.search(r"[0-9nif]", text):
        assert parse_ds(text) == parse_is(text) == text
