"""An overview of a scanned folder: one thumbnail per series, and what could not be read, with the reason."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dicomkit.display.html import gallery
from dicomkit.display.text import one_line, shorten
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.pixels.description import describe
from dicomkit.pixels.render import render
from dicomkit.pixels.resize import pixel_aspect
from dicomkit.standard.uids import uid_entry
from dicomkit.widgets.drawing import Drawing
from dicomkit.widgets.reel import has_pixels, title_of

if TYPE_CHECKING:
    import pandas as pd

    from dicomkit.dataset.dataset import DataSet
    from dicomkit.volumes.figure import Picture

SIDE = 192
"""Pixels of a thumbnail, which is a square."""
_SHOWN = 144


@dataclass(frozen=True, slots=True)
class Tile:
    """One thumbnail with its caption.

    Parameters
    ----------
    lines : tuple of str
        The caption.
    picture : Drawing, optional
        None where there is no picture.
    reason : str
        Why there is none.
    path : str
        The file that was drawn.
    """

    lines: tuple[str, ...]
    picture: Drawing | None = field(default=None, repr=False)
    reason: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Overview:
    """Thumbnails of series; in a notebook they show themselves.

    Parameters
    ----------
    tiles : tuple of Tile
        The series first, then what could not be read.
    hidden : int
        How many tiles were left out.
    """

    tiles: tuple[Tile, ...]
    hidden: int = 0

    def savefig(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write a contact sheet, by default as PNG; options are those of `matplotlib.figure.Figure.savefig`."""
        self.figure().savefig(os.fspath(path), **options)

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """The same as `savefig`, by the name that all pictures have."""
        self.savefig(path, **options)

    def to_png(self, **options: Any) -> bytes:
        """Draw the contact sheet as PNG."""
        return self.figure().to_png(**options)

    def figure(self, *, columns: int = 6, width: float = 12.0) -> Picture:
        """Draw the contact sheet as a matplotlib figure.

        Parameters
        ----------
        columns : int
            Thumbnails side by side.
        width : float
            Of the figure, inches.
        """
        from dicomkit.volumes.figure import Picture

        count = max(1, len(self.tiles))
        across = min(columns, count)
        down = math.ceil(count / across)
        cell = width / columns
        text = 0.5
        height = down * (cell + text)
        figure = Picture(figsize=(cell * across, height), facecolor="white")
        for number, tile in enumerate(self.tiles):
            row, column = divmod(number, across)
            left, top = column * cell, height - row * (cell + text)
            box = (
                (left + 0.05) / (cell * across),
                (top - cell + 0.05) / height,
                (cell - 0.1) / (cell * across),
                (cell - 0.1) / height,
            )
            _draw_tile(figure.add_axes(box), tile, int(cell * 14))
        return figure

    def __repr__(self) -> str:
        drawn = sum(tile.picture is not None for tile in self.tiles)
        return f"<Overview: {len(self.tiles)} tiles, {drawn} with a picture>"

    def _repr_html_(self) -> str:
        pictures = (
            (tile.picture.encoded() if tile.picture else None, "\n".join((*tile.lines, tile.reason)))
            for tile in self.tiles
        )
        caption = repr(self)[1:-1] + (f", {self.hidden} more not shown" if self.hidden else "")
        return gallery(pictures, caption=caption, width=_SHOWN, max_pictures=len(self.tiles))


def overview(table: pd.DataFrame, *, limit: int = 60) -> Overview:
    """Draw one thumbnail per series of a scan: its middle slice or frame, with true proportions.

    Files without a series each have a tile; those that could not be read have one for each reason.

    Parameters
    ----------
    table : DataFrame
        What `scan` gives, or a part of it: with the column ``path``.
    limit : int
        How many tiles at most.

    Returns
    -------
    Overview
        Shows itself in a notebook; ``.savefig("sheet.png")`` writes a contact sheet.

    Raises
    ------
    ValueFormatError
        If the table has no column ``path``.

    Examples
    --------
    >>> import tempfile, dicomkit as dk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = dk.samples.write_series(dk.samples.ct_series(slices=3, size=16), folder)
    ...     overview(dk.scan(folder)).tiles[0].lines
    ('CT 3 · Chest with contrast', '3 images of 16 × 16')
    """
    if "path" not in table:
        raise ValueFormatError("the table has no column 'path'", hint="pass what dk.scan gives")
    groups = list(_groups(table))
    tiles = tuple(_tile(paths, error) for paths, error in groups[:limit])
    return Overview(tiles, len(groups) - len(tiles))


def _groups(table: pd.DataFrame) -> Iterator[tuple[list[str], str]]:
    """The files of each series from first to last, then those that could not be read, by the reason."""
    errors = table.get("error")
    readable = table if errors is None else table[errors.isna()]
    order = [name for name in ("InstanceNumber", "path") if name in readable]
    members: dict[str, list[str]] = {}
    uids = readable["SeriesInstanceUID"] if "SeriesInstanceUID" in readable else readable["path"]
    keys = uids.fillna(readable["path"]).astype(str)
    for name in keys:
        members.setdefault(name, [])
    ordered = readable.sort_values(order, kind="stable")
    for name, path in zip(keys.loc[ordered.index], ordered["path"], strict=True):
        members[name].append(str(path))
    yield from ((paths, "") for paths in members.values())
    if errors is not None:
        reasons: dict[str, list[str]] = {}
        for path, error in table.loc[errors.notna(), ["path", "error"]].itertuples(index=False):
            reasons.setdefault(str(error), []).append(str(path))
        yield from ((paths, reason) for reason, paths in reasons.items())


def _tile(paths: list[str], error: str) -> Tile:
    """Draw the middle one of the files of a series."""
    if error:
        more = (f"and {len(paths) - 1:,} more",) if len(paths) > 1 else ()
        return Tile((os.path.basename(paths[0]), *more), reason=f"not read: {error}", path=paths[0])
    path = paths[len(paths) // 2]
    name = os.path.basename(path)
    ds = None
    try:
        ds = read(path)
        if not has_pixels(ds):
            return Tile(_lines(ds, len(paths), name), reason=f"no picture: {_kind(ds)}", path=path)
        index = max(describe(ds).number_of_frames, 1) // 2
        picture = Drawing(render(ds, index), pixel_aspect(ds, index)).squared(SIDE)
        return Tile(_lines(ds, len(paths), name), picture, path=path)
    except DicomError as problem:
        lines = (name,) if ds is None else _lines(ds, len(paths), name)
        return Tile(lines, reason=f"not drawn: {problem.message}", path=path)


def _kind(ds: DataSet) -> str:
    """What an object without a picture is."""
    entry = uid_entry(str(ds.get("SOPClassUID") or ds.meta.get("MediaStorageSOPClassUID") or ""))
    return entry.name if entry and "Image" not in entry.name else "the pixel data is missing"


def _lines(ds: DataSet, files: int, name: str) -> tuple[str, ...]:
    """The caption of a series."""
    rows, columns, frames = (ds.get(keyword) for keyword in ("Rows", "Columns", "NumberOfFrames"))
    size = f"{columns} × {rows}" if rows and columns else ""
    if files > 1:
        count = f"{files} images" if size else f"{files} objects"
    else:
        count = f"{frames} frames" if isinstance(frames, int) and frames > 1 else ""
    title = title_of(ds)
    return tuple(line for line in (title, " of ".join(part for part in (count, size) if part)) if line) or (name,)


def _draw_tile(axes: Any, tile: Tile, chars: int) -> None:
    """Draw a tile into the axes of a figure."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if tile.picture is not None:
        axes.imshow(tile.picture.pixels, cmap="gray", vmin=0, vmax=255)
    else:
        axes.set_facecolor("#e8e8e8")
        text = "\n".join(_wrapped(tile.reason, chars - 2, 8))
        axes.text(
            0.5,
            0.5,
            text,
            ha="center",
            va="center",
            fontsize=7,
            color="#555555",
            transform=axes.transAxes,
            parse_math=False,
        )
    lines = "\n".join(shorten(one_line(line), chars) for line in tile.lines[:3])
    axes.text(0, -0.03, lines, ha="left", va="top", fontsize=8, transform=axes.transAxes, parse_math=False)


def _wrapped(text: str, chars: int, lines: int) -> list[str]:
    import textwrap

    return textwrap.wrap(one_line(text), chars, max_lines=lines, placeholder=" …")
