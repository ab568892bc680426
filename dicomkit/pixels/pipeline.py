"""The grey pipeline of a frame: its modality, VOI and presentation stages, and all of them in one go (PS3.4 N.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import ValueFormatError
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.lookup import LookupTable, look_up
from dicomkit.pixels.modality import Modality, Rescale, modality_of
from dicomkit.pixels.padding import padding_of
from dicomkit.pixels.presentation import PLAIN, Presentation, presentation_of
from dicomkit.pixels.ramp import LEAST_PIXELS, PIXELS_FOR_ONE_TRIED, Line, Ramp
from dicomkit.pixels.voi import Voi, voi_of
from dicomkit.pixels.window import Window, continuous

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

WindowLike: TypeAlias = "str | tuple[float, float] | tuple[float, float, str] | Window | LookupTable | None"

AUTO_PERCENTILES = (1.0, 99.0)
"""What ``window="auto"`` maps to black and white."""


@dataclass(frozen=True, slots=True)
class GreyPipeline:
    """The stages that bring stored values of a frame to 8-bit grey.

    Parameters
    ----------
    modality : Rescale or LookupTable
    voi : Window or LookupTable
    presentation : Presentation
    voi_source : str
        Why it is this window or table.

    Examples
    --------
    >>> pipeline = GreyPipeline(Rescale(1, -1000), Window(40, 400), Presentation(inverted=True))
    >>> pipeline(np.array([0, 1040, 2000], np.uint16)).tolist()
    [255, 127, 0]
    """

    modality: Modality
    voi: Voi
    presentation: Presentation = PLAIN
    voi_source: str = ""

    def __call__(self, stored: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring stored values through every stage; those of up to 16 bits by one ramp or table."""
        if stored.dtype.kind in "ui" and stored.dtype.itemsize <= 2 and stored.size:
            ramp = self._ramp(stored)
            if ramp is not None:
                return ramp(stored)
            low, high = int(stored.min()), int(stored.max())
            return look_up(self._through(np.arange(low, high + 1, dtype=np.int32)), low, stored, all_inside=True)
        return self._through(stored)

    def _ramp(self, stored: NDArray[Any]) -> Ramp | None:
        """Find the ramp of a rescale and a linear window, where trying it out costs little beside the frame."""
        if not isinstance(self.modality, Rescale) or not isinstance(self.voi, Window) or self.presentation.table:
            return None
        if stored.size < LEAST_PIXELS:
            return None
        line = Line.of_window(
            self.voi.center,
            self.voi.width,
            self.voi.function,
            slope=self.modality.slope,
            intercept=self.modality.intercept,
            inverted=self.presentation.inverted,
        )
        span = line.span(stored.dtype) if line else None
        if line is None or span is None or span[1] - span[0] > stored.size // PIXELS_FOR_ONE_TRIED:
            return None
        return _proved(self, line, *span)

    def _through(self, stored: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring stored values through one stage after the other."""
        identity = isinstance(self.modality, Rescale) and self.modality.is_identity
        values = stored if identity else self.modality(stored)
        if self.presentation.table is None:
            return self.presentation(self.voi_values(values))
        return self.presentation.scaled(self._unrounded(values))

    def voi_values(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring modality values through the VOI stage alone."""
        return self.voi(values) if isinstance(self.voi, Window) else self.voi.to_8_bits(values)

    def _unrounded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of interest from 0 to 255 before they are rounded."""
        if isinstance(self.voi, Window):
            return continuous(values.astype(np.float64), self.voi.center, self.voi.width, self.voi.function)
        return self.voi(values) * (255 / ((1 << self.voi.bits) - 1))


@lru_cache(64)
def _proved(pipeline: GreyPipeline, line: Line, low: int, high: int) -> Ramp | None:
    return Ramp.proved(pipeline._through(np.arange(low, high + 1, dtype=np.int32)), low, line)


def grey_pipeline(
    ds: DataSet,
    frame: int,
    stored: NDArray[Any],
    *,
    window: WindowLike = None,
    voi: int | str = 0,
    photometric_interpretation: str | None = None,
    description: PixelDescription | None = None,
) -> GreyPipeline:
    """Find the stages that apply to a frame: its functional group before the shared one, that before the top level.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.
    stored : ndarray
        The frame's stored values, from which a window is measured where the image proposes none.
    window, voi
        As for `render`.
    photometric_interpretation : str, optional
        What the decoded samples are, where it isn't what the data set says.
    description : PixelDescription, optional
        Of the data set, where it is at hand.

    Returns
    -------
    GreyPipeline

    Raises
    ------
    PixelError
        If a table makes no sense.
    ValueFormatError
        If ``window`` or ``voi`` make no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\x00\\x63", "RescaleSlope": 2,
    ...                  "RescaleIntercept": 0, "WindowCenter": 99, "WindowWidth": 199})
    >>> grey_pipeline(ds, 0, dk.frame(ds)).voi
    Window(center=99.0, width=199.0, function='LINEAR', explanation='')
    """
    description = description or describe(ds)
    modality = modality_of(ds, frame)
    chosen, source = _choose(ds, frame, stored, description, modality, window, voi)
    return GreyPipeline(modality, chosen, presentation_of(ds, photometric_interpretation), source)


def _choose(
    ds: DataSet,
    frame: int,
    stored: NDArray[Any],
    description: PixelDescription,
    modality: Modality,
    window: WindowLike,
    voi: int | str,
) -> tuple[Voi, str]:
    """The VOI transformation that the caller or the image chose, and why."""
    if isinstance(window, (Window, LookupTable)):
        return window, "given"
    if isinstance(window, tuple):
        return Window(*window), "given"
    if window is None:
        alternatives = voi_of(ds, frame, signed_input=_can_be_negative(description, modality))
        if alternatives:
            number = _number(alternatives, voi)
            kind = "window" if isinstance(alternatives[number], Window) else "table"
            return alternatives[number], f"{kind} {number} of {len(alternatives)} proposals"
        identity = isinstance(modality, Rescale) and modality.is_identity
        if description.bits_stored <= 8 and identity and not description.signed:
            top = float((1 << description.bits_stored) - 1)
            return Window(top / 2, top, "LINEAR_EXACT"), "no proposal: the whole range of the bits stored"
    elif window not in ("auto", "full"):
        raise ValueFormatError(f"window={window!r}", hint='give (center, width), "auto", "full" or None')
    source = {
        "auto": "asked for: 1st to 99th percentile of the frame",
        "full": "asked for: the range of the frame",
        None: "no proposal: the range of the frame",
    }[window]
    values = _measured(ds, stored, modality)
    if not values.size:
        return Window(0.5, 1.0, "LINEAR_EXACT"), source
    ends = np.percentile(values, AUTO_PERCENTILES) if window == "auto" else (values.min(), values.max())
    if window == "auto" and ends[0] == ends[1]:
        ends = values.min(), values.max()
    if isinstance(modality, Rescale):
        ends = modality(np.array(ends, np.float64))
    low, high = sorted(float(end) for end in ends)
    return Window((low + high) / 2, (high - low) or 1.0, "LINEAR_EXACT"), source


def _number(alternatives: tuple[Voi, ...], voi: int | str) -> int:
    """The number of one of the alternatives, by number or explanation."""
    if isinstance(voi, int):
        if not -len(alternatives) <= voi < len(alternatives):
            raise ValueFormatError(f"voi={voi}: the image proposes {len(alternatives)} windows and tables")
        return voi % len(alternatives)
    for number, alternative in enumerate(alternatives):
        if alternative.explanation.strip().upper() == voi.strip().upper():
            return number
    names = ", ".join(repr(alternative.explanation) for alternative in alternatives)
    raise ValueFormatError(f"voi={voi!r}: the image proposes {names}")


def _measured(ds: DataSet, stored: NDArray[Any], modality: Modality) -> NDArray[Any]:
    """Values of the frame without padding and without what is not a number; only a table is applied to them."""
    values = stored.reshape(-1)
    padding = padding_of(ds)
    if padding is not None:
        kept = values[~padding.mask(values)]
        values = kept if kept.size else values
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    return values if isinstance(modality, Rescale) else modality(values)


def _can_be_negative(description: PixelDescription, modality: Modality) -> bool:
    """Whether modality values may be negative (PS3.3 C.11.2.1.1)."""
    if isinstance(modality, LookupTable):
        return False
    bits = description.bits_stored
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if description.signed else (0, (1 << bits) - 1)
    return min(end * modality.slope + modality.intercept for end in ends) < 0
