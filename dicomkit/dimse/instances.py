"""One or many instances, in whatever form they are named, as one row of sources."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.outgoing import Outgoing, Source
from dicomkit.tables.find_files import find_files


def instances_of(instances: Any, *, one: tuple[type, ...] = ()) -> tuple[Iterator[Source], int | None]:
    """Return the sources that a path, folder, DataSet, table of files, or many of them stand for, and how many.

    Parameters
    ----------
    instances
        A generator is taken from as its instances are, and nobody knows how many they are.
    one
        Types that are one instance beside those that always are.

    Examples
    --------
    >>> sources, count = instances_of([DataSet(SOPInstanceUID="1.2"), DataSet(SOPInstanceUID="1.3")])
    >>> count, str(next(sources).SOPInstanceUID)
    (2, '1.2')
    """
    if hasattr(instances, "path") and hasattr(instances, "itertuples"):  # a table of files
        instances = list(dict.fromkeys(instances.path))
    single = isinstance(instances, (str, bytes, DataSet, Outgoing, *one)) or hasattr(instances, "__fspath__")
    sources = [instances] if single or not isinstance(instances, Iterable) else instances
    if not isinstance(sources, Sequence):
        return _files_of(sources), None
    files = list(_files_of(sources))
    return iter(files), len(files)


def _files_of(sources: Iterable[Source]) -> Iterator[Source]:
    """Give the files of folders in place of them."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
            yield from find_files(source)
        else:
            yield source
