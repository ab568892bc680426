"""A reel is the pictures of one thing in a row: frames of an image, or slices of a volume, drawn when first shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import GeometryError, PixelError
from dicomkit.pixels.description import describe
from dicomkit.pixels.render import WindowLike, render
from dicomkit.pixels.resize import pixel_aspect
from dicomkit.pixels.timing import USUAL_SECONDS, frame_seconds
from dicomkit.pixels.window import window as windowed
from dicomkit.standard.uids import uid_entry
from dicomkit.volumes.plot import default_window
from dicomkit.widgets.drawing import Drawing

if TYPE_CHECKING:
    import xarray as xr

    from dicomkit.dataset.dataset import DataSet

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
QUICKEST_SECONDS, LONGEST_SECONDS = 0.02, 2.0


@dataclass(frozen=True, slots=True)
class Reel:
    """Pictures in a row.

    Parameters
    ----------
    title : str
        What they show.
    captions : callable
        From the number of a picture, from 0, to what is said below it.
    draw : callable
        From the number of a picture to the `Drawing`.
    count : int
        How many there are.
    seconds : float
        How long each is shown when they run.
    """

    title: str
    captions: Callable[[int], str] = field(repr=False, compare=False)
    draw: Callable[[int], Drawing] = field(repr=False, compare=False)
    count: int = 1
    seconds: float = USUAL_SECONDS

    def number(self, index: int | None) -> int:
        """Check the number of a picture; the middle one where none is given, those below 0 count from the end.

        Raises
        ------
        PixelError
            If there is no such picture.
        """
        if index is None:
            return self.count // 2
        if not -self.count <= index < self.count:
            raise PixelError(f"there is no frame {index}: there are {self.count}, counted from 0")
        return index % self.count


def has_pixels(ds: DataSet) -> bool:
    """Whether a data set is an image."""
    return "Rows" in ds and any(keyword in ds for keyword in PIXELS)


def reel_of_frames(ds: DataSet, window: WindowLike = None) -> Reel:
    """Make the reel of an image's frames.

    Parameters
    ----------
    ds : DataSet
    window : optional
        As for `render`.

    Raises
    ------
    PixelError
        If the image can't be described.
    """
    description = describe(ds)
    count = description.number_of_frames
    if count < 1:
        raise PixelError("the image has no frames")
    size = f"{description.columns} × {description.rows}"

    def caption(index: int) -> str:
        return size if count == 1 else f"{size} · {count} frames · frame {index}"

    def draw(index: int) -> Drawing:
        return Drawing(render(ds, index, window=window), pixel_aspect(ds, index))

    return Reel(title_of(ds), caption, draw, count, min(max(frame_seconds(ds), QUICKEST_SECONDS), LONGEST_SECONDS))


def reel_of_slices(volume: xr.DataArray, window: tuple[float, float] | None = None) -> Reel:
    """Make the reel of a volume's slices, or of the one slice there is; the first level of further dimensions.

    Raises
    ------
    GeometryError
        If the array has no rows and columns.
    """
    if not {"row", "column"} <= {*volume.dims}:
        raise GeometryError("a picture needs the dimensions row and column", hint="pass a slice or a volume")
    levels = {d: 0 for d in volume.dims if d not in ("slice", "row", "column", "sample")}
    array = volume.isel(levels).transpose(..., "row", "column", *(["sample"] if "sample" in volume.dims else []))
    chosen = window or volume_window(array)
    aspect = array_aspect(array)
    count = array.sizes.get("slice", 1)
    size = f"{array.sizes['column']} × {array.sizes['row']}"
    if chosen:
        size += f" · window {chosen[0]:g} / {chosen[1]:g}"

    def caption(index: int) -> str:
        place = array["slice"].values if "slice" in array.coords else None
        if place is None:
            return size
        return f"{size} · slice {index}, {float(np.atleast_1d(place)[index]):.1f} mm"

    def draw(index: int) -> Drawing:
        values = np.asarray((array.isel(slice=index) if "slice" in array.dims else array).data)
        return Drawing(grey8(values, chosen), aspect)

    return Reel(volume_title(volume), caption, draw, count)


def grey8(values: np.ndarray[Any, Any], window: tuple[float, float] | None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Window values to 8 bits; without a window they are meant to be shown as they are."""
    if window is not None:
        return windowed(values, *window, "LINEAR_EXACT")
    return values * np.uint8(255) if values.dtype.kind == "b" else values.astype(np.uint8, copy=False)


def volume_window(volume: xr.DataArray) -> tuple[float, float] | None:
    """The window that a volume proposes; None for what is colour, or 8-bit grey already."""
    if volume.dtype.kind == "b" or (volume.dtype == np.uint8 and {"sample", "window"} & {*volume.dims, *volume.attrs}):
        return None
    center, width = default_window(volume)
    return center, max(width, 1e-6)


def array_aspect(array: xr.DataArray) -> float:
    """How much higher than wide a pixel of an array is; 1 where no coordinates tell."""
    steps = []
    for axis in ("row", "column"):
        values = np.asarray(array[axis].values, float) if axis in array.coords else np.arange(2.0)
        steps.append(abs(float(values[-1] - values[0])) / (values.size - 1) if values.size > 1 else 0.0)
    return steps[0] / steps[1] if steps[0] > 0 and steps[1] > 0 else 1.0


def title_of(ds: DataSet) -> str:
    """Modality, number and description of the series; else the kind of object, or the name of the file."""
    modality, number = ds.get("Modality"), ds.get("SeriesNumber")
    what = f"{modality} {number}" if modality and number is not None else modality
    description = ds.get("SeriesDescription") or ds.get("ProtocolName") or ds.get("StudyDescription")
    entry = uid_entry(str(ds.get("SOPClassUID") or ""))
    kind = entry.name.removesuffix(" Storage") if entry else ""
    known = " · ".join(str(part) for part in (what, description) if part)
    return known or kind or os.path.basename(ds.path or "") or "image"


def volume_title(volume: xr.DataArray) -> str:
    """Modality and description of the series."""
    parts = (volume.attrs.get("Modality") or volume.name, volume.attrs.get("SeriesDescription"))
    return " · ".join(str(part) for part in parts if part) or "volume"
