"""What the values of a volume measure: its unit, its scale, and the type that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import PixelError
from dicomkit.pixels.description import PixelDescription

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomkit.volumes.facts import FrameFacts

RESCALE_TYPES = {
    "HU": "HU",
    "HU_MOD": "HU",
    "OD": "10^-3 optical density",
    "PCT": "%",
    "MGML": "mg/ml",
    "ED": "10^23/ml",
    "EDW": "10^23/ml relative to water",
    "GY": "Gy",
    "US": "",
    "NORMALIZED": "",
    "RELATIVE": "",
}
"""Units by Rescale Type (PS3.3 C.11.1.1.2) and Dose Units (C.8.8.3)."""

PET_UNITS = {
    "CNTS": "counts",
    "NONE": "",
    "CM2": "cm2",
    "PCNT": "%",
    "CPS": "counts/s",
    "BQML": "Bq/ml",
    "MGMINML": "mg/min/ml",
    "UMOLMINML": "umol/min/ml",
    "MLMING": "ml/min/g",
    "MLG": "ml/g",
    "1CM": "1/cm",
    "UMOLML": "umol/ml",
    "PROPCNTS": "proportional to counts",
    "PROPCPS": "proportional to counts/s",
    "MLMINML": "ml/min/ml",
    "MLML": "ml/ml",
    "GML": "g/ml",
    "STDDEV": "standard deviations",
}
"""Units of positron emission tomography (PS3.3 C.8.9.1.1.3)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How stored values become those of a volume.

    Parameters
    ----------
    slope, intercept
        One per frame.
    dtype
        Of the result.
    units
        What is measured, "" where the data set doesn't say.
    narrow
        Whether ``dtype`` is int16 on the condition that every value fits.
    notes
        What was assumed.
    """

    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    dtype: np.dtype[Any]
    units: str = ""
    narrow: bool = False
    notes: tuple[str, ...] = ()


def stored_range(description: PixelDescription) -> tuple[int, int]:
    """Give the least and the greatest value that BitsStored and PixelRepresentation allow (PS3.5 8.1.1).

    Examples
    --------
    >>> stored_range(PixelDescription(rows=1, columns=1, bits_allocated=16, bits_stored=12))
    (0, 4095)
    """
    bits = description.bits_stored
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if description.signed else (0, (1 << bits) - 1)


def scale_of(
    facts: FrameFacts,
    rows: NDArray[np.int64],
    descriptions: tuple[PixelDescription, ...],
    *,
    dtype: Any = None,
    rescale: bool = True,
    certain: bool = False,
) -> Scale:
    """Decide on scale, unit and type for some frames.

    Parameters
    ----------
    facts
        All frames.
    rows
        Those of the volume.
    descriptions
        One per source of the facts.
    dtype
        What the caller wants; None to choose: the stored type where nothing is rescaled, int16 where slopes are 1
        and intercepts whole and the result fits, else float32 (float64 for double float pixels).
    rescale
        False to keep stored values.
    certain
        Choose int16 only if the declared range of stored values fits, as a lazy volume must.

    Raises
    ------
    PixelError
        If an integer type is asked for that can't hold fractions.
    """
    used = {id(d): d for d in (descriptions[s] for s in np.unique(facts.source[rows]).tolist())}.values()
    stored = np.result_type(*(d.dtype for d in used))
    slope = np.nan_to_num(facts["slope"], nan=1.0)
    intercept = np.nan_to_num(facts["intercept"], nan=0.0)
    if not rescale:
        slope, intercept = np.ones_like(slope), np.zeros_like(intercept)
    units, notes = _units(facts, rows) if rescale else ("", ())
    ones, whole = bool((slope[rows] == 1).all()), bool((intercept[rows] % 1 == 0).all())
    identity = ones and not intercept[rows].any()
    if dtype is not None:
        wanted = np.dtype(dtype)
        if wanted.kind in "iu" and stored.kind == "f":
            raise PixelError(f"floating point values don't fit {wanted}", hint="use dtype='float32'")
        if wanted.kind in "iu" and max(np.abs(slope[rows]).max(), np.abs(intercept[rows]).max()) >= 2**31:
            raise PixelError(f"rescaled values don't fit {wanted}", hint="use dtype='float32'")
        if wanted.kind in "iu" and not (whole and (slope[rows] % 1 == 0).all()):
            raise PixelError(
                f"rescaled values are no whole numbers, so {wanted} can't hold them", hint="use dtype='float32'"
            )
        return Scale(slope, intercept, wanted, units, False, notes)
    if identity:
        return Scale(slope, intercept, stored, units, False, notes)
    narrow = ones and whole and stored.kind in "iu" and stored.itemsize <= 2
    if narrow and (certain or np.abs(intercept[rows]).max() > 32767):
        low, high = (min(stored_range(d)[0] for d in used), max(stored_range(d)[1] for d in used))
        narrow = low + intercept[rows].min() >= -32768 and high + intercept[rows].max() <= 32767
    if narrow:
        return Scale(slope, intercept, np.dtype(np.int16), units, True, notes)
    return Scale(slope, intercept, wide_type(stored), units, False, notes)


def wide_type(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Give the floating point type for rescaled values: float32, or float64 where double values are stored."""
    return np.dtype(np.float64 if stored == np.float64 else np.float32)


def _units(facts: FrameFacts, rows: NDArray[np.int64]) -> tuple[str, tuple[str, ...]]:
    """Name the unit, if all frames have the same."""
    header = facts.sources[int(facts.source[rows[0]])]
    modality = header.get("Modality")
    if modality == "PT" and header.get("Units"):
        units = str(header.get("Units"))
        return PET_UNITS.get(units, units), ()
    kinds = {str(kind).upper() for kind in facts["rescale_type"][rows]}
    if len(kinds) > 1:
        return "", ("the frames have different rescale types: the volume has no one unit",)
    (kind,) = kinds
    if not kind and modality == "CT" and np.isfinite(facts["slope"][rows]).all():
        return "HU", ("no RescaleType: taken as HU, as is so for CT",)
    return RESCALE_TYPES.get(kind, kind), ()
