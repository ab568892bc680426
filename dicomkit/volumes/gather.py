"""What a volume can be made of: a table, paths, a folder, data sets; all become data sets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.layout import Layout
from dicomkit.errors import DicomError, GeometryError
from dicomkit.files.read import read
from dicomkit.opening import OpenedArchive
from dicomkit.tables.find_files import find_files
from dicomkit.volumes.header import Image, read_header
from dicomkit.volumes.places import wanted_tags

if TYPE_CHECKING:
    import pandas as pd

VolumeSource: TypeAlias = "DataSet | str | os.PathLike[str] | pd.DataFrame | Iterable[DataSet | str | os.PathLike[str]]"
"""A DataSet, a file, folder, zip archive or glob pattern, a table of `scan` (its column ``path``), or an iterable of
paths or DataSets."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The images that were found, and what was left out: (path, reason)."""

    images: tuple[Image, ...]
    others: tuple[Image, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()


def gather(source: VolumeSource, *, whole: bool = False) -> Gathered:
    """Read the headers of whatever makes a volume.

    Files that were found in a folder and can't be read are listed in the result; one that was named raises.

    Parameters
    ----------
    source
        See `VolumeSource`.
    whole
        Read whole headers, rather than what a volume needs.

    Raises
    ------
    DicomError
        If a file that was named can't be read.
    GeometryError
        If the source is none of these.
    """
    images: list[Image] = []
    others: list[Image] = []
    unreadable: list[tuple[str, str]] = []
    layout, wanted = Layout(), wanted_tags()
    with OpenedArchive() as archive:
        for item, found in _items(source):
            try:
                if isinstance(item, DataSet):
                    ds: Image = item
                else:
                    ds = read(item) if whole else read_header(item, wanted, layout, archive)
            except DicomError as error:
                if not found:
                    raise
                unreadable.append((os.fspath(item), error.message))
                continue
            (images if _is_image(ds) else others).append(ds)
    return Gathered(tuple(images), tuple(others), tuple(unreadable))


def _is_image(ds: Image) -> bool:
    return "Rows" in ds and ("PixelData" in ds or "FloatPixelData" in ds or "DoubleFloatPixelData" in ds)


def _items(source: Any) -> Iterator[tuple[Any, bool]]:
    """Give data sets and paths, and whether a path was found in a folder rather than named."""
    if isinstance(source, DataSet):
        yield source, False
    elif isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        paths = find_files(path)
        for one in paths:
            if paths == [path] or os.path.basename(one) != "DICOMDIR":
                yield one, paths != [path]
    elif hasattr(source, "columns") and hasattr(source, "iloc"):
        if "path" not in source.columns:
            raise GeometryError("the table has no column 'path'", hint="pass what dk.scan gives")
        for path in source["path"]:
            yield path, False
    else:
        try:
            items = iter(source)
        except TypeError:
            raise GeometryError(f"no volume can be made of a {type(source).__name__}") from None
        for item in items:
            if not isinstance(item, (DataSet, str, os.PathLike)):
                raise GeometryError(f"a volume is made of paths or DataSets, not of {type(item).__name__}")
            yield item, False
