"""What a volume can be made of: a table, paths, a folder, data sets; all become data sets."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.index import Index
from dicomkit.encoding.part10 import parse
from dicomkit.encoding.pick import Wanted, pick
from dicomkit.errors import DicomError, GeometryError
from dicomkit.files.read import read
from dicomkit.sources import open_source
from dicomkit.values.transfer_syntax import TransferSyntax
from dicomkit.volumes.facts import wanted_tags

if TYPE_CHECKING:
    import pandas as pd

_ROWS, _PIXELS = 0x00280010, (0x7FE00010, 0x7FE00008, 0x7FE00009)

VolumeSource: TypeAlias = "DataSet | str | os.PathLike[str] | pd.DataFrame | Iterable[DataSet | str | os.PathLike[str]]"
"""A DataSet, a file, a folder, a table of `scan` (its column ``path``), or an iterable of paths or DataSets."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The images that were found, and what was left out: (path, reason)."""

    images: tuple[DataSet, ...]
    others: tuple[DataSet, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()


def gather(source: VolumeSource, *, whole: bool = False) -> Gathered:
    """Read the headers of whatever makes a volume.

    Files of a folder that can't be read are listed in the result; a file that was named raises.

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
    images: list[DataSet] = []
    others: list[DataSet] = []
    unreadable: list[tuple[str, str]] = []
    for item, found in _items(source):
        try:
            ds = item if isinstance(item, DataSet) else read(item) if whole else _header(item)
        except DicomError as error:
            if not found:
                raise
            unreadable.append((os.fspath(item), error.message))
            continue
        (images if _is_image(ds) else others).append(ds)
    return Gathered(tuple(images), tuple(others), tuple(unreadable))


def _header(path: str | os.PathLike[str]) -> DataSet:
    """Read what a volume may need of a file: the quick way, or else all of it."""
    with open_source(path) as opened:
        found = pick(opened.read_at, opened.size, _wanted())
        if found is None:
            return parse(opened)
    syntax = TransferSyntax.of(found.syntax.decode("latin-1"))
    return DataSet.of_index(Index(array("Q", found.rows), opened.source, tuple(found.windows), syntax))


@cache
def _wanted() -> Wanted:
    return Wanted.of(wanted_tags())


def _is_image(ds: DataSet) -> bool:
    return ds.get(_ROWS) is not None and any(ds.get(tag) is not None for tag in _PIXELS)


def _items(source: Any) -> Iterator[tuple[Any, bool]]:
    """Give data sets and paths, and whether a path was found in a folder rather than named."""
    if isinstance(source, DataSet):
        yield source, False
    elif isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if os.path.isdir(path):
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    if name != "DICOMDIR":
                        yield os.path.join(folder, name), True
        else:
            yield source, False
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
