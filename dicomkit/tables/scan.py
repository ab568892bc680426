"""A folder of DICOM files becomes a table: one row per file, typed columns, nothing left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from dicomkit.errors import ValueFormatError
from dicomkit.tables.cache import load_cache, save_cache
from dicomkit.tables.columns import Column, ColumnLike, columns_of, frame_of
from dicomkit.tables.find_files import Place, find_files
from dicomkit.tables.scan_rows import Decoded, Row, scan_rows
from dicomkit.tables.workers import scan_in_processes
from dicomkit.values.charset import Charset
from dicomkit.values.decode import decode_value
from dicomkit.values.vr import VRS

if TYPE_CHECKING:
    from tqdm import tqdm

LARGE = 4000
"""From so many files on, worker processes are started when not told otherwise."""
BATCH = 250
_MOST_WORKERS = 8


def scan(
    where: Place | Iterable[Place],
    columns: Iterable[ColumnLike] | None = None,
    *,
    workers: int | None = None,
    dicomdir: Literal["ignore", "use"] = "ignore",
    cache: Place | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Scan files and return one row for each, whether it could be read or not.

    Only the headers are read. Rows stand in the order of the paths.

    Parameters
    ----------
    where
        A folder, file, glob pattern, zip archive, or several of these.
    columns
        Keywords, tags or paths such as ``("SharedFunctionalGroupsSequence", 0, ...)``; the most used attributes when
        not given (``dicomkit.DEFAULT_COLUMNS``).
    workers
        How many processes; 1 scans in this one. When not given: one, or for thousands of files one per processor.
    dicomdir
        ``"ignore"``: scan every file. ``"use"``: where a folder has a DICOMDIR, scan the files that it lists.
    cache
        A Parquet file (extra ``parquet``) that keeps the table; files whose size and time of change are in it are not
        read again.
    progress
        Whether to show a progress bar; when not given, when it takes longer than a second.

    Returns
    -------
    DataFrame
        ``path``, ``size`` (bytes), ``modified``, the columns asked for, ``error`` (why a file could not be read) and
        ``deviations`` (values that don't fit the type of their column, and are missing there).

    Raises
    ------
    SourceError
        When a folder or file that was named is not there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = open(f"{folder}/note.txt", "w").write("not DICOM at all")
    ...     scan(folder)["error"][0]
    'this is no DICOM data set: it looks like plain text [offset 0]'
    """
    if workers is not None and workers < 1:
        raise ValueFormatError(f"{workers} workers can't scan", hint="give 1 or more")
    paths = find_files(where, dicomdir=dicomdir)
    chosen = columns_of(columns)
    known = load_cache(cache, chosen, paths) if cache is not None else None
    fresh = paths if known is None else [path for path in paths if path not in known.index]
    rows = _collect(fresh, [column.key for column in chosen], workers, progress)
    table = _table(rows, chosen)
    if known is not None and cache is not None:
        kept = known.loc[[path for path in paths if path in known.index]].reset_index()
        parts = [part for part in (kept, table) if len(part)]
        table = pd.concat(parts, ignore_index=True) if parts else table
        table = table.set_index("path").loc[paths].reset_index()
        save_cache(cache, table)
    return table


def _collect(paths: Sequence[str], keys: Sequence[Any], workers: int | None, progress: bool | None) -> list[Row]:
    """The rows of all paths in order, with a progress bar."""
    count = workers or (min(os.cpu_count() or 1, _MOST_WORKERS) if len(paths) >= LARGE else 1)
    batches: Iterator[tuple[int, list[Row]]]
    if count > 1:
        batches = scan_in_processes(paths, keys, count, BATCH)
    else:
        batches = ((first, scan_rows(paths[first : first + BATCH], keys)) for first in range(0, len(paths), BATCH))
    found: dict[int, list[Row]] = {}
    bar = _progress_bar(len(paths), progress)
    try:
        for first, rows in batches:
            found[first] = rows
            if bar is not None:
                bar.update(len(rows))
    finally:
        if bar is not None:
            bar.close()
    return [row for first in sorted(found) for row in found[first]]


def _progress_bar(total: int, progress: bool | None) -> tqdm[Any] | None:
    if progress is False or (progress is None and total < 2 * BATCH):
        return None
    from tqdm.auto import tqdm

    return tqdm(total=total, unit=" files", desc="scan", leave=False, delay=0 if progress else 1)


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> pd.DataFrame:
    values = [_decoded(column, number, rows) for number, column in enumerate(columns)]
    table, deviations = frame_of(columns, values) if rows else frame_of(columns, [[] for _ in columns])
    sizes = np.array([-1 if row.size is None else row.size for row in rows], np.int64)
    facts = {
        "path": pd.array([row.path for row in rows], dtype="string"),
        "size": pd.arrays.IntegerArray(sizes, sizes < 0),
        "modified": np.array([row.modified for row in rows], dtype="datetime64[ns]"),
    }
    errors = {"error": pd.array([row.error for row in rows], dtype="string"), "deviations": deviations}
    return pd.concat([pd.DataFrame(facts), table, pd.DataFrame(errors)], axis=1)


def _decoded(column: Column, number: int, rows: Sequence[Row]) -> list[Any]:
    """The values of one column; equal bytes are decoded once."""
    vr = column.vr
    by_sign, by_charset = vr == "US|SS", vr in VRS and VRS[vr].charset
    memo: dict[Any, Any] = {}
    values: list[Any] = []
    for _, _, _, error, cells in rows:
        cell = cells[number] if error is None else None
        if cell is None:
            values.append(None)
        elif type(cell) is Decoded:
            values.append(cell.value)
        else:
            key = (cell, cells[-2]) if by_charset else (cell, cells[-1]) if by_sign else cell
            if key not in memo:
                memo[key] = _decode(vr, cell, cells[-2], cells[-1])  # type: ignore[arg-type]
            values.append(memo[key])
    return values


def _decode(vr: str, raw: bytes, charset: bytes | None, sign: bytes | None) -> Any:
    if vr == "US|SS":
        vr = "SS" if sign and sign[0] == 1 else "US"
    terms = charset.decode("latin-1").strip(" \0") if charset else None
    return decode_value(vr, raw, charset=Charset.of(terms))
