"""One call from a data set to a picture: the grey and colour pipelines, end to end (PS3.4 N.2, PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import frame_group
from dicomkit.errors import PixelError, UnsupportedError, ValueFormatError
from dicomkit.pixels.colour import to_8_bits, to_rgb
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frames import frame_with_notes
from dicomkit.pixels.lookup import LookupTable, look_up
from dicomkit.pixels.modality import Modality, Rescale, modality_of
from dicomkit.pixels.palette import Palette, palette_of
from dicomkit.pixels.voi import Voi, voi_of
from dicomkit.pixels.window import Window

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

WindowLike: TypeAlias = "str | tuple[float, float] | tuple[float, float, str] | Window | LookupTable | None"

AUTO_PERCENTILES = (1.0, 99.0)
"""What ``window="auto"`` maps to black and white."""

_FRAME_TYPES = (
    "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence",
    "MRSpectroscopyFrameTypeSequence",
    "PETFrameTypeSequence",
    "XRay3DFrameTypeSequence",
    "USImageDescriptionSequence",
)


def render(ds: DataSet, frame: int = 0, *, window: WindowLike = None, voi: int | str = 0) -> NDArray[np.uint8]:
    """Render one frame as a picture for a screen.

    Grey images go through the modality transformation, a window or VOI table, and the inversion of MONOCHROME1 or of
    Presentation LUT Shape INVERSE. Colour images become RGB, palettes (also supplemental ones) are applied.

    Parameters
    ----------
    ds : DataSet
        An image.
    frame : int
        From 0.
    window : optional
        None for what the image proposes; without a proposal the whole range of images of up to 8 bits, and else the
        range of the frame without its padding. ``"auto"`` for the 1st to 99th percentile, ``"full"`` for the range of
        the frame, or ``(center, width)``, ``(center, width, function)``, a `Window` or a `LookupTable`.
    voi : int or str
        Which proposal of the image: its number among windows and then tables, or its explanation.

    Returns
    -------
    ndarray of uint8
        ``(rows, columns)`` for grey, ``(rows, columns, 3)`` for colour.

    Raises
    ------
    PixelError
        If the frame can't be decoded, or a table makes no sense.
    UnsupportedError
        For transfer syntaxes without a decoder and retired photometric interpretations.
    ValueFormatError
        If ``window`` or ``voi`` make no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> pixels = np.array([[0, 1000], [1040, 2000]], np.uint16)
    >>> ds = dk.DataSet({"Rows": 2, "Columns": 2, "BitsAllocated": 16, "PhotometricInterpretation": "MONOCHROME2",
    ...                  "RescaleIntercept": -1000, "WindowCenter": 40, "WindowWidth": 400,
    ...                  "PixelData": pixels.tobytes()})
    >>> render(ds).tolist()
    [[0, 102], [128, 255]]
    """
    decoded = frame_with_notes(ds, frame)
    description, array = describe(ds), decoded.array
    photometric = decoded.photometric_interpretation
    if array.ndim == 3:
        return to_8_bits(to_rgb(array, photometric, bits=description.bits_stored), description.bits_stored)
    if photometric == "PALETTE COLOR":
        palette = palette_of(ds)
        if palette is None:
            raise PixelError("PALETTE COLOR without a palette", frame=frame)
        return palette(array)
    if photometric.startswith(("RGB", "YBR", "HSV", "ARGB", "CMYK")):
        raise UnsupportedError(f"photometric interpretation {photometric} with one sample per pixel")
    grey = _grey(ds, frame, array, description, photometric, window, voi)
    palette = palette_of(ds) if _is_colour_frame(ds, frame) else None
    return grey if palette is None else _supplemental(array, grey, palette)


def _grey(
    ds: DataSet,
    frame: int,
    array: NDArray[Any],
    description: PixelDescription,
    photometric: str,
    window: WindowLike,
    voi: int | str,
) -> NDArray[np.uint8]:
    """The grey pipeline: modality, values of interest, presentation."""
    modality = modality_of(ds, frame)
    chosen = _chosen(ds, frame, array, description, modality, window, voi)
    inverted = photometric == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE"
    if array.dtype.kind in "ui" and array.dtype.itemsize <= 2 and array.size:  # every stage at once, by one table
        low, high = int(array.min()), int(array.max())
        table = _through(np.arange(low, high + 1, dtype=np.int32), modality, chosen)
        return look_up(255 - table if inverted else table, low, array)
    grey = _through(array, modality, chosen)
    return np.subtract(255, grey, out=grey) if inverted else grey


def _through(values: NDArray[Any], modality: Modality, chosen: Voi) -> NDArray[np.uint8]:
    """Bring stored values through the modality and VOI stages."""
    if not (isinstance(modality, Rescale) and modality.is_identity):
        values = modality(values)
    if isinstance(chosen, Window):
        return chosen(values)
    return to_8_bits(chosen.entries, chosen.bits).take(_indices(chosen, values))


def _indices(table: LookupTable, values: NDArray[Any]) -> NDArray[np.intp]:
    """Positions of values in a table."""
    return look_up(np.arange(len(table.entries), dtype=np.intp), table.first, values)


def _chosen(
    ds: DataSet,
    frame: int,
    array: NDArray[Any],
    description: PixelDescription,
    modality: Modality,
    window: WindowLike,
    voi: int | str,
) -> Voi:
    """The VOI transformation that the caller or the image chose."""
    if isinstance(window, (Window, LookupTable)):
        return window
    if isinstance(window, tuple):
        return Window(*window)
    if window is None:
        signed = _can_be_negative(description, modality)
        alternatives = voi_of(ds, frame, signed_input=signed)
        if alternatives:
            return _pick(alternatives, voi)
        identity = isinstance(modality, Rescale) and modality.is_identity
        if description.bits_stored <= 8 and identity and not description.signed:
            top = float((1 << description.bits_stored) - 1)
            return Window(top / 2, top, "LINEAR_EXACT")
    elif window not in ("auto", "full"):
        raise ValueFormatError(f"window={window!r}", hint='give (center, width), "auto", "full" or None')
    values = _measured(ds, array, description, modality)
    if not values.size:
        return Window(0.5, 1.0, "LINEAR_EXACT")
    ends = np.percentile(values, AUTO_PERCENTILES) if window == "auto" else (values.min(), values.max())
    if window == "auto" and ends[0] == ends[1]:
        ends = values.min(), values.max()
    if isinstance(modality, Rescale):
        ends = modality(np.array(ends, np.float64))
    low, high = sorted(float(end) for end in ends)
    return Window((low + high) / 2, (high - low) or 1.0, "LINEAR_EXACT")


def _pick(alternatives: tuple[Voi, ...], voi: int | str) -> Voi:
    """One of the alternatives, by number or explanation."""
    if isinstance(voi, int):
        if not -len(alternatives) <= voi < len(alternatives):
            raise ValueFormatError(f"voi={voi}: the image proposes {len(alternatives)} windows and tables")
        return alternatives[voi]
    for alternative in alternatives:
        if alternative.explanation.strip().upper() == voi.strip().upper():
            return alternative
    names = ", ".join(repr(alternative.explanation) for alternative in alternatives)
    raise ValueFormatError(f"voi={voi!r}: the image proposes {names}")


def _measured(ds: DataSet, array: NDArray[Any], description: PixelDescription, modality: Modality) -> NDArray[Any]:
    """Values of the frame without padding and without what is not a number; only a table is applied to them."""
    padding, limit = ds.get("PixelPaddingValue"), ds.get("PixelPaddingRangeLimit")
    stored = array.reshape(-1)
    if isinstance(padding, int):
        bits = description.bits_allocated  # the VR of padding values is often wrong about the sign
        ends = [_as_stored(end, bits, description.signed) for end in (padding, limit) if isinstance(end, int)]
        kept = stored[(stored < min(ends)) | (stored > max(ends))]
        stored = kept if kept.size else stored
    if stored.dtype.kind == "f":
        stored = stored[np.isfinite(stored)]
    return stored if isinstance(modality, Rescale) else modality(stored)


def _as_stored(value: int, bits: int, signed: bool) -> int:
    """A padding value in the sign of the stored values."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def _can_be_negative(description: PixelDescription, modality: Modality) -> bool:
    """Whether modality values may be negative (PS3.3 C.11.2.1.1)."""
    if isinstance(modality, LookupTable):
        return False
    bits = description.bits_stored
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if description.signed else (0, (1 << bits) - 1)
    return min(end * modality.slope + modality.intercept for end in ends) < 0


def _is_colour_frame(ds: DataSet, frame: int) -> bool:
    """Whether a frame is meant to be coloured by a supplemental palette (PS3.3 C.8.16.2.1.1.1)."""
    presentation = ds.get("PixelPresentation")
    if presentation == "MIXED":
        groups = (frame_group(ds, frame, name) for name in _FRAME_TYPES)
        presentation = next((group.get("PixelPresentation") for group in groups if group is not None), None)
    return bool(presentation == "COLOR")


def _supplemental(array: NDArray[Any], grey: NDArray[np.uint8], palette: Palette) -> NDArray[np.uint8]:
    """Colour the stored values from the palette's first on; those below stay grey."""
    rgb = np.repeat(grey[..., None], 3, axis=2)
    coloured = array >= palette.first
    rgb[coloured] = palette(array[coloured])
    return rgb
