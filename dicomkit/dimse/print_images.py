"""The images of films: what is to be printed, one picture for each frame, and as attributes of an image box."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.instances import instances_of
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.objects.film_pixels import COLOUR_SEQUENCE, GREY_SEQUENCE, FilmPicture, make_image_item
from dicomkit.pixels.description import describe
from dicomkit.pixels.frames import frame_with_notes
from dicomkit.pixels.lookup import LookupTable
from dicomkit.pixels.pipeline import GreyPipeline, WindowLike, grey_pipeline
from dicomkit.pixels.render import is_colour_frame, render
from dicomkit.pixels.resize import pixel_aspect
from dicomkit.pixels.window import Window, continuous, window

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_COLOURS = ("RGB", "YBR", "PALETTE", "HSV", "CMYK", "ARGB")


@dataclass(frozen=True, slots=True, eq=False)
class PrintImage:
    """A frame or an array that is to be printed; or why it can't be.

    Attributes
    ----------
    source
        A DataSet or path, or an array.
    frame
        Of a DataSet, from 0.
    name
        Where it comes from.
    """

    source: Any
    frame: int | None = None
    is_colour: bool = False
    name: str = ""
    error: DicomError | None = None


def print_images(images: Any) -> tuple[PrintImage, ...]:
    """List what is to be printed, frame by frame, in the order in which it is given.

    Parameters
    ----------
    images
        A path, folder, DataSet, table of files, or many of them; arrays ``(rows, columns)``, ``(rows, columns, 3)``, or
        stacks of such.

    Examples
    --------
    >>> [image.is_colour for image in print_images([np.zeros((2, 4, 4)), np.zeros((4, 4, 3), np.uint8)])]
    [False, False, True]
    """
    array = hasattr(images, "__array__") and not hasattr(images, "itertuples")
    sources = [images] if array else instances_of(images, one=(np.ndarray,))[0]
    return tuple(image for source in sources for image in _of_source(source))


def _of_source(source: Any) -> Iterator[PrintImage]:
    if hasattr(source, "__array__"):
        yield from _of_array(np.asarray(source))
        return
    is_path = isinstance(source, (str, os.PathLike))
    name = os.fspath(source) if is_path else str(getattr(source, "path", None) or "")
    try:
        ds = source if isinstance(source, DataSet) else read(source)
        description = describe(ds)
        photometric = description.photometric_interpretation
        for frame in range(description.number_of_frames):
            colour = photometric.startswith(_COLOURS) or is_colour_frame(ds, frame)
            yield PrintImage(source if is_path else ds, frame, colour, name or str(ds.get("SOPInstanceUID") or ""))
    except DicomError as error:
        yield PrintImage(None, name=name, error=error)


def _of_array(array: NDArray[Any]) -> Iterator[PrintImage]:
    colour = array.ndim in (3, 4) and array.shape[-1] == 3
    single = array.ndim == 2 + colour
    if array.ndim not in (2 + colour, 3 + colour) or not array.size or (colour and array.dtype != np.uint8):
        hint = "it has (rows, columns), or (rows, columns, 3) of uint8, or is a stack of such"
        error = ValueFormatError(f"an array of shape {array.shape} and type {array.dtype} is no image", hint=hint)
        yield PrintImage(None, name="array", error=error)
        return
    for picture in [array] if single else array:
        yield PrintImage(picture, None, colour, "array")


def image_box(
    image: PrintImage,
    position: int,
    attributes: Mapping[str, Any],
    *,
    colour: bool,
    bits: int = 8,
    window: WindowLike = None,
    overlays: bool = False,
) -> DataSet:
    """Render an image, and make the attributes of the image box that it goes to.

    Raises
    ------
    DicomError
        When it can't be rendered.

    Examples
    --------
    >>> [image] = print_images(np.zeros((2, 3), np.uint8))
    >>> box = image_box(image, 4, {"Polarity": "REVERSE"}, colour=True)
    >>> box.ImageBoxPosition, box["BasicColorImageSequence", 0, "PhotometricInterpretation"]
    (4, 'RGB')
    """
    picture = picture_of(image, colour=colour, bits=bits, window=window, overlays=overlays)
    item = make_image_item(picture)
    return DataSet(
        {"ImageBoxPosition": position, **attributes, COLOUR_SEQUENCE if colour else GREY_SEQUENCE: [item]},
    )


def picture_of(
    image: PrintImage, *, colour: bool, bits: int = 8, window: WindowLike = None, overlays: bool = False
) -> FilmPicture:
    """Render an image for a film in grey of 8 or 12 bits, or in colour.

    Raises
    ------
    DicomError
        When it can't be rendered.
    """
    if image.error is not None:
        raise image.error
    if image.frame is None:
        pixels = _array_pixels(image.source, bits, window)
        aspect = 1.0
    else:
        ds = image.source if isinstance(image.source, DataSet) else read(image.source)
        aspect = min(max(pixel_aspect(ds, image.frame), 1e-3), 1e3)
        if bits == 12 and not colour and not image.is_colour:
            pixels = _fine(ds, image.frame, window)
        else:
            pixels = render(ds, image.frame, window=window, overlays=overlays)
    if colour and pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    elif not colour and pixels.ndim == 3:
        pixels = np.rint(pixels @ _LUMA).astype(np.uint8)
    if bits == 12 and pixels.dtype == np.uint8 and not colour:
        pixels = np.rint(pixels * np.float32(4095 / 255)).astype(np.uint16)
    return FilmPicture(pixels, aspect)


def _fine(ds: DataSet, frame: int, window: WindowLike) -> NDArray[np.uint16]:
    """Bring a grey frame to 12 bits."""
    decoded = frame_with_notes(ds, frame)
    pipeline = grey_pipeline(
        ds, frame, decoded.array, window=window, photometric_interpretation=decoded.photometric_interpretation
    )
    return _twelve_bits(pipeline, decoded.array)


def _twelve_bits(pipeline: GreyPipeline, stored: NDArray[Any]) -> NDArray[np.uint16]:
    """Bring stored values through the stages of a pipeline without rounding them to 8 bits in between."""
    values, voi, presentation = pipeline.modality(stored), pipeline.voi, pipeline.presentation
    if isinstance(voi, Window):
        shares = continuous(values.astype(np.float64), voi.center, voi.width, voi.function) / 255
    else:
        shares = voi(values) / ((1 << voi.bits) - 1)
    if presentation.table is not None:
        table = presentation.table
        shares = table(table.first + np.rint(shares * (len(table.entries) - 1)).astype(np.int64))
        shares = shares / ((1 << table.bits) - 1)
    elif presentation.inverted:
        shares = 1 - shares
    fine: NDArray[np.uint16] = np.rint(np.clip(shares, 0, 1) * 4095).astype(np.uint16)
    return fine


def _array_pixels(array: NDArray[Any], bits: int, wanted: WindowLike) -> NDArray[Any]:
    """Bring an array to 8 bits, or to 12: pictures as they are, other values by a window, or by their whole range."""
    if array.dtype == np.uint8 and wanted is None:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if isinstance(wanted, (str, LookupTable)):
        raise ValueFormatError(f"window={wanted!r} for an array", hint="give (center, width)")
    if wanted is None:
        finite = array[np.isfinite(array)]
        if not finite.size:
            raise ValueFormatError("an array without any number can't be printed")
        low, high = float(finite.min()), float(finite.max())
        chosen = Window((low + high) / 2, max(high - low, 1e-9), "LINEAR_EXACT")
    else:
        chosen = Window(*wanted) if isinstance(wanted, tuple) else wanted
    if bits == 12:
        fine = continuous(array.astype(np.float64), chosen.center, chosen.width, chosen.function)
        scaled: NDArray[np.uint16] = np.rint(np.clip(np.nan_to_num(fine), 0, 255) * (4095 / 255)).astype(np.uint16)
        return scaled
    windowed: NDArray[np.uint8] = window(array, chosen.center, chosen.width, chosen.function)
    return windowed


def presentation_lut(wanted: Any, bits: int) -> DataSet:
    """Make the attributes of a presentation LUT.

    Parameters
    ----------
    wanted
        ``"IDENTITY"``, ``"LIN OD"``; a `LookupTable`; or P-values of 16 bits, one for each value of an image.
    bits
        Of the images.

    Raises
    ------
    ValueFormatError
        When it is none of these.

    Examples
    --------
    >>> presentation_lut(range(0, 65536, 256), 8)["PresentationLUTSequence", 0, "LUTDescriptor"]
    (256, 0, 16)
    """
    if isinstance(wanted, DataSet):
        return wanted
    if isinstance(wanted, str):
        if wanted not in ("IDENTITY", "LIN OD"):
            raise ValueFormatError(f"presentation_lut={wanted!r}", hint='"IDENTITY", "LIN OD", or a table')
        return DataSet(PresentationLUTShape=wanted)
    if not isinstance(wanted, (LookupTable, Iterable)):
        raise ValueFormatError(f"presentation_lut={wanted!r}", hint='"IDENTITY", "LIN OD", or a table')
    table = wanted if isinstance(wanted, LookupTable) else LookupTable(0, np.array(list(wanted)), 16)
    entries, depth = table.entries, table.bits
    if depth < 10:
        entries, depth = np.rint(entries * (65535 / ((1 << depth) - 1))), 16
    values = [int(value) for value in entries]
    if len(values) != 1 << bits or min(values) < 0 or max(values) >= 1 << depth:
        text = f"a presentation LUT of {len(values)} entries up to {max(values, default=0)}"
        raise ValueFormatError(text, hint=f"it has one of up to {depth} bits for each of {1 << bits} values")
    item: dict[str, Any] = {"LUTDescriptor": (len(values), 0, depth), "LUTData": tuple(values)}
    return DataSet(
        PresentationLUTSequence=[
            DataSet(item | ({"LUTExplanation": table.explanation[:64]} if table.explanation else {}))
        ]
    )
