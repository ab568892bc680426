"""Numbers written as text: Decimal Strings and Integer Strings (PS3.5 Table 6.2-1, DS and IS)."""

from __future__ import annotations

import math
import re

from dicomkit.errors import ValueFormatError

DS_MAX_CHARS = 16
IS_MAX_CHARS = 12
IS_MIN, IS_MAX = -(2**31), 2**31 - 1

_DS = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)? *")
_IS = re.compile(r" *[+-]?[0-9]+ *")


def is_legal_ds(text: str) -> bool:
    """Whether a text is a Decimal String; its length is not looked at.

    Examples
    --------
    >>> is_legal_ds("-1.5E-3"), is_legal_ds("1,5"), is_legal_ds("nan")
    (True, False, False)
    """
    return _DS.fullmatch(text) is not None


def is_legal_is(text: str) -> bool:
    """Whether a text is an Integer String; its length and range are not looked at.

    Examples
    --------
    >>> is_legal_is("-12"), is_legal_is("1.0")
    (True, False)
    """
    return _IS.fullmatch(text) is not None


def parse_ds(text: str) -> float | str:
    """Read a Decimal String as leniently as is safe: a float, or the text itself where it is no number.

    Examples
    --------
    >>> parse_ds(" 1.50 "), parse_ds("1,5"), parse_ds("1_000")
    (1.5, '1,5', '1_000')
    """
    if "_" in text:  # Python takes underscores for grouping
        return text
    try:
        return float(text)
    except ValueError:
        return text


def parse_is(text: str) -> int | float | str:
    """Read an Integer String: an int, a float where it has a fraction, or the text itself where it is no number.

    Examples
    --------
    >>> parse_is("+07"), parse_is("1.5"), parse_is("2.0"), parse_is("x")
    (7, 1.5, 2, 'x')
    """
    if "_" in text:
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def format_ds(number: float) -> str:
    """Write a number as the Decimal String of at most 16 characters that comes closest to it.

    Parameters
    ----------
    number
        Any finite number.

    Raises
    ------
    ValueFormatError
        When it is infinite or not a number, which a DS can't hold.

    Examples
    --------
    >>> format_ds(0.5), format_ds(1 / 3), format_ds(-1.2345678901234567e-7), format_ds(1e22)
    ('0.5', '.333333333333333', '-1.2345678901e-7', '1e22')
    """
    if not math.isfinite(number):
        raise ValueFormatError(f"{number!r} can't be a DS: it must be finite", hint="FD and FL hold such values")
    number = float(number)
    shortest = _tidy(repr(number))
    if len(shortest) <= DS_MAX_CHARS:
        return shortest
    room = DS_MAX_CHARS - (number < 0)
    magnitude = abs(number)
    if 1e-4 <= magnitude < 10.0**room:  # there a fixed point loses least
        whole = len(str(int(magnitude))) if magnitude >= 1 else 0
        form, digits = "f", max(room - whole - 1, 0)
    else:
        exponent = _tidy(f"{magnitude:e}").partition("e")[2]
        form, digits = "e", room - len(exponent) - 3
    text = _tidy(f"{number:.{digits}{form}}")
    while len(text) > DS_MAX_CHARS:  # rounded up to one digit more
        form, digits = (form, digits - 1) if digits else ("e", 8)
        text = _tidy(f"{number:.{digits}{form}}")
    if math.isinf(float(text)):  # rounded up beyond the largest
        text = repr(number)[: DS_MAX_CHARS - 4] + "e308"
    return text


def _tidy(text: str) -> str:
    """Drop zeros that say nothing, and that before the point where the text is too long with it."""
    mantissa, _, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    if len(mantissa) > DS_MAX_CHARS and mantissa.lstrip("-").startswith("0."):
        mantissa = mantissa.replace("0.", ".", 1)
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def format_is(number: int) -> str:
    """Write a number as an Integer String.

    Raises
    ------
    ValueFormatError
        When it is not within 32 bits.

    Examples
    --------
    >>> format_is(-7)
    '-7'
    """
    if not IS_MIN <= number <= IS_MAX:
        raise ValueFormatError(f"an IS must be within {IS_MIN} and {IS_MAX}")
    return str(int(number))
