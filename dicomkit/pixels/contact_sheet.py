"""A contact sheet: many slices of a series, or frames of an image, in one picture."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError
from dicomkit.files.read import read
from dicomkit.pixels.burn import annotations_of, burn_text
from dicomkit.pixels.description import describe
from dicomkit.pixels.render import render

if TYPE_CHECKING:
    import pandas as pd


def render_series(
    source: DataSet | pd.DataFrame | Iterable[DataSet | str | os.PathLike[str]],
    *,
    count: int = 24,
    columns: int | None = None,
    size: int = 160,
    gap: int = 2,
    labels: bool | Sequence[str] = True,
    **options: Any,
) -> NDArray[np.uint8]:
    """Render a contact sheet of a series: slices in the order of space, evenly chosen, all of one size.

    Parameters
    ----------
    source : DataSet, DataFrame, or iterable of DataSets or paths
        A series (a table of `scan` has its paths), or one image of several frames.
    count : int
        How many pictures at most.
    columns : int, optional
        Pictures side by side; about as many as below each other by default.
    size : int
        Side of the square that each picture fits in.
    gap : int
        Pixels between pictures.
    labels : bool or sequence of str
        Whether to write which slice or frame each is, or what to write.
    **options
        For `render`: ``window``, ``icc``, ...

    Returns
    -------
    ndarray of uint8
        ``(rows, columns)`` for grey, ``(rows, columns, 3)`` where one of the pictures has colour.

    Raises
    ------
    ValueFormatError
        If there is nothing to render, or the sizes make no sense.
    DicomError
        As for `read` and `render`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> render_series(dk.samples.ct_series(slices=6, size=16), size=32, columns=3, gap=0).shape
    (64, 96)
    """
    if count < 1 or not 1 <= size <= 4096 or gap < 0 or (columns is not None and columns < 1):
        raise ValueFormatError(f"a contact sheet of {count} pictures of side {size}, {columns} columns, gap {gap}")
    images = _images(source)
    chosen = [images[int((k + 0.5) * len(images) / count)] for k in range(count)] if len(images) > count else images
    if not chosen:
        raise ValueFormatError("a contact sheet of no images")
    pictures = [render(ds, frame, size=size, **options) for ds, frame in chosen]
    if labels is not False:
        texts = [_label(ds, frame) for ds, frame in chosen] if labels is True else list(labels)
        if len(texts) != len(pictures):
            raise ValueFormatError(f"{len(texts)} labels for {len(pictures)} pictures")
    else:
        texts = []
    across = columns or max(1, math.ceil(math.sqrt(len(pictures) * 1.4)))
    across = min(across, len(pictures))
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    down = math.ceil(len(pictures) / across)
    colour = any(picture.ndim == 3 for picture in pictures)
    sheet = np.zeros((down * (height + gap) - gap, across * (width + gap) - gap, *([3] * colour)), np.uint8)
    for number, picture in enumerate(pictures):
        rows, cols = picture.shape[:2]
        top = number // across * (height + gap) + (height - rows) // 2
        left = number % across * (width + gap) + (width - cols) // 2
        shown = burn_text(picture, {"bottom left": texts[number]}, height=max(9, size // 14)) if texts else picture
        sheet[top : top + rows, left : left + cols] = shown[..., None] if colour and picture.ndim == 2 else shown
    return sheet


def _images(source: Any) -> list[tuple[DataSet, int]]:
    """Data sets and frames, in the order of space or of instance numbers."""
    if isinstance(source, DataSet):
        return [(source, frame) for frame in range(describe(source).number_of_frames)]
    entries = source["path"] if hasattr(source, "columns") and "path" in source.columns else source
    if isinstance(entries, (str, os.PathLike, Mapping)):
        entries = [entries]
    sets = [entry if isinstance(entry, DataSet) else read(entry) for entry in entries]
    sets = [ds for ds in sets if "Rows" in ds]
    places = [_position(ds) for ds in sets]
    if all(place is not None for place in places):
        keys: list[Any] = places
    else:
        numbers = [ds.get("InstanceNumber") for ds in sets]
        keys = [number if isinstance(number, int) else 0 for number in numbers]
    order = sorted(range(len(sets)), key=lambda k: (keys[k], k))
    return [pair for k in order for pair in _images(sets[k])]


def _position(ds: DataSet) -> float | None:
    """How far along its normal a slice lies, in mm."""
    orientation, position = ds.get("ImageOrientationPatient"), ds.get("ImagePositionPatient")
    if not isinstance(orientation, tuple) or not isinstance(position, tuple):
        return None
    if (len(orientation), len(position)) != (6, 3) or not all(isinstance(n, float) for n in (*orientation, *position)):
        return None
    return round(float(np.dot(np.cross(orientation[:3], orientation[3:]), position)), 3)


def _label(ds: DataSet, frame: int) -> str:
    """Which slice or frame it is."""
    count = ds.get("NumberOfFrames")
    if isinstance(count, int) and count > 1:
        return f"frame {frame}"
    number = ds.get("InstanceNumber")
    return annotations_of(ds, frame).get("bottom left") or ("" if number is None else f"image {number}")
