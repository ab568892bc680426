"""One call from a data set to a picture: the grey and colour pipelines, end to end (PS3.4 N.2, PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import frame_group
from dicomkit.errors import PixelError, UnsupportedError
from dicomkit.pixels.burn import annotations_of, burn_mask, burn_text, overlay_mask
from dicomkit.pixels.colour import to_8_bits, to_rgb
from dicomkit.pixels.frame_source import decode_from, source_of
from dicomkit.pixels.icc import ColourSpace, icc_profile_of, profile_of_space, to_colour_space
from dicomkit.pixels.palette import Palette, palette_of
from dicomkit.pixels.pipeline import GreyPipeline, WindowLike, grey_pipeline
from dicomkit.pixels.resize import Method, Size, fitted_size, pixel_aspect, resize
from dicomkit.pixels.window import Window

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

__all__ = ["WindowLike", "render"]

_FRAME_TYPES = (
    "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence",
    "MRSpectroscopyFrameTypeSequence",
    "PETFrameTypeSequence",
    "XRay3DFrameTypeSequence",
    "USImageDescriptionSequence",
)


def render(
    ds: DataSet,
    frame: int = 0,
    *,
    window: WindowLike = None,
    voi: int | str = 0,
    size: Size = None,
    enlarge: Method = "linear",
    overlays: bool | Collection[int] = False,
    icc: ColourSpace | bytes | None = None,
    annotations: bool | Mapping[str, str] = False,
) -> NDArray[np.uint8]:
    """Render one frame as a picture for a screen.

    Grey images go through the modality transformation, a window or VOI table, and a presentation table or the inversion
    of MONOCHROME1 or of Presentation LUT Shape INVERSE. Colour images become RGB, palettes (also supplemental ones) are
    applied. Without ``size`` the picture has the rows and columns of the frame; with it, square pixels.

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
    size : int, tuple of int, "square" or None
        The longest side, a box of (rows, columns) to fit in, or ``"square"`` for square pixels without losing a row or
        column; the pixel aspect ratio is respected. What shrinks is averaged, nothing aliases.
    enlarge : str
        How to enlarge: ``"linear"`` or ``"nearest"``.
    overlays : bool or collection of int
        Whether to draw overlay planes, or the groups (0x6000 to 0x601E) to draw.
    icc : str, bytes or None
        Convert colours by the image's ICC profile to ``"sRGB"``, ``"Display P3"``, ``"Adobe RGB"`` or a device's ICC
        profile. Images without a profile are taken as sRGB.
    annotations : bool or mapping of str to str
        True draws series, slice, window and the sides of the patient (nothing that identifies them), a mapping texts of
        your own: see `dicomkit.pixels.burn.burn_text`.

    Returns
    -------
    ndarray of uint8
        ``(rows, columns)`` for grey, ``(rows, columns, 3)`` for colour.

    Raises
    ------
    PixelError
        If the frame can't be decoded, or a table or profile makes no sense.
    UnsupportedError
        For transfer syntaxes without a decoder and retired photometric interpretations.
    ValueFormatError
        If ``window``, ``voi``, ``size`` or ``icc`` make no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> pixels = np.array([[0, 1000], [1040, 2000]], np.uint16)
    >>> ds = dk.DataSet({"Rows": 2, "Columns": 2, "BitsAllocated": 16, "PhotometricInterpretation": "MONOCHROME2",
    ...                  "RescaleIntercept": -1000, "WindowCenter": 40, "WindowWidth": 400, "PixelSpacing": [2, 1],
    ...                  "PixelData": pixels.tobytes()})
    >>> render(ds).tolist()
    [[0, 102], [128, 255]]
    >>> render(ds, size="square").shape
    (4, 2)
    """
    picture, shown = _picture(ds, frame, window, voi, icc)
    rows, columns = picture.shape[:2]
    if size is not None:
        picture = resize(picture, *fitted_size(rows, columns, pixel_aspect(ds, frame), size), enlarge)
    if overlays is not False:
        groups = None if overlays is True else overlays
        picture = burn_mask(picture, overlay_mask(ds, frame, rows, columns, groups))
    if annotations is not False:
        texts = annotations if isinstance(annotations, Mapping) else annotations_of(ds, frame, window=shown)
        picture = burn_text(picture, texts)
    return picture


def _picture(
    ds: DataSet, frame: int, window: WindowLike, voi: int | str, icc: ColourSpace | bytes | None
) -> tuple[NDArray[np.uint8], str]:
    """The picture in the frame's own size, and how its window is written."""
    source = source_of(ds)
    decoded = decode_from(source, frame)
    description, array = source.description, decoded.array
    photometric = decoded.photometric_interpretation
    if array.ndim == 3:
        bits = description.bits_stored
        return _managed(ds, frame, to_8_bits(to_rgb(array, photometric, bits=bits), bits), icc), ""
    if photometric == "PALETTE COLOR":
        palette = palette_of(ds)
        if palette is None:
            raise PixelError("PALETTE COLOR without a palette", frame=frame)
        return palette.converted(lambda colours: _managed(ds, frame, colours, icc))(array), ""
    if photometric.startswith(("RGB", "YBR", "HSV", "ARGB", "CMYK")):
        raise UnsupportedError(f"photometric interpretation {photometric} with one sample per pixel")
    pipeline = grey_pipeline(
        ds,
        frame,
        array,
        window=window,
        voi=voi,
        photometric_interpretation=photometric,
        description=description,
    )
    grey, palette = pipeline(array), palette_of(ds) if is_colour_frame(ds, frame) else None
    if palette is not None:
        return _supplemental(array, grey, palette.converted(lambda colours: _managed(ds, frame, colours, icc))), ""
    return grey, _written(pipeline)


def _managed(ds: DataSet, frame: int, rgb: NDArray[np.uint8], icc: ColourSpace | bytes | None) -> NDArray[np.uint8]:
    """Colours of the image in the colour space that the caller wants."""
    if icc is None:
        return rgb
    profile = icc_profile_of(ds, frame)
    if profile is None:
        if icc == "sRGB":
            return rgb
        profile = profile_of_space("sRGB")
    return to_colour_space(rgb, profile, icc)


def _written(pipeline: GreyPipeline) -> str:
    """Width and level of a pipeline, or the name of its table."""
    if isinstance(pipeline.voi, Window):
        return f"W {pipeline.voi.width:.5g} L {pipeline.voi.center:.5g}"
    return pipeline.voi.explanation or "VOI LUT"


def is_colour_frame(ds: DataSet, frame: int) -> bool:
    """Whether a frame is meant to be coloured by a supplemental palette (PS3.3 C.8.16.2.1.1.1).

    Examples
    --------
    >>> import dicomkit as dk
    >>> is_colour_frame(dk.DataSet(PixelPresentation="COLOR"), 0)
    True
    """
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
