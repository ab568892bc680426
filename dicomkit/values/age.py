"""Ages: three digits and a unit (PS3.5 Table 6.2-1, AS)."""

from __future__ import annotations

import re
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, cast

from dicomkit.errors import ValueFormatError

_PATTERN = re.compile(r"([0-9]{1,3})([DWMY])", re.IGNORECASE)
_YEAR = 365.2425
_DAYS = MappingProxyType({"D": 1.0, "W": 7.0, "M": _YEAR / 12, "Y": _YEAR})
_PER_YEAR = MappingProxyType({"D": _YEAR, "W": _YEAR / 7, "M": 12.0, "Y": 1.0})

AgeUnit = Literal["D", "W", "M", "Y"]


class Age(str):
    """A value of VR AS: the text as it was written.

    Examples
    --------
    >>> Age("018M").number, Age("018M").unit, Age("018M").years
    (18, 'M', 1.5)
    >>> Age.of(3, "W")
    Age('003W')
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int, unit: AgeUnit) -> Age:
        """Make an age of 0 to 999 days (D), weeks (W), months (M) or years (Y).

        Raises
        ------
        ValueFormatError
            When the number or unit is none of these.
        """
        if unit not in _PER_YEAR or not 0 <= number <= 999:
            raise ValueFormatError(f"{number!r} {unit!r} is no age: give 0 to 999 and one of D, W, M, Y")
        return cls(f"{number:03d}{unit}")

    def _match(self) -> re.Match[str] | None:
        return _PATTERN.fullmatch(self.strip())

    @property
    def is_valid(self) -> bool:
        """Whether the text is what the standard asks for."""
        return len(self) == 4 and self.isascii() and self[:3].isdigit() and self[3] in "DWMY"

    @property
    def number(self) -> int | None:
        """How many units; None where the text is no age."""
        match = self._match()
        return int(match[1]) if match else None

    @property
    def unit(self) -> AgeUnit | None:
        """The unit: D, W, M or Y; None where the text is no age."""
        match = self._match()
        return cast(AgeUnit, match[2].upper()) if match else None

    @property
    def years(self) -> float:
        """The age in years of 365.2425 days; NaN where the text is no age."""
        match = self._match()
        if not match:
            return float("nan")
        return int(match[1]) / _PER_YEAR[match[2].upper()]

    def to_timedelta(self) -> timedelta:
        """Return the age as a duration, with months and years of average length (365.2425 days a year).

        Raises
        ------
        ValueFormatError
            When the text is no age.
        """
        number, unit = self.number, self.unit
        if number is None or unit is None:
            raise ValueFormatError(f"{str(self)!r} is no age", hint="an age is three digits and D, W, M or Y")
        return timedelta(days=number * _DAYS[unit])

    def __repr__(self) -> str:
        return f"Age({str.__repr__(self)})"
