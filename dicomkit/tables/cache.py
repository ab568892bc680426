"""A scan kept in a Parquet file, so that files which did not change are not read again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pandas as pd

from dicomkit.errors import MissingFeatureError, SourceError
from dicomkit.tables.columns import Column
from dicomkit.tables.find_files import Place

_DTYPES = {"date": "datetime64[s]", "time": "timedelta64[us]", "datetime": "datetime64[us]"}
ALWAYS = ("path", "size", "modified", "error", "deviations")


def load_cache(cache: Place, columns: Sequence[Column], paths: Sequence[str]) -> pd.DataFrame:
    """Return the rows, by path, of the files that are still as they were; none where the columns are others.

    Raises
    ------
    MissingFeatureError
        When pyarrow is not installed.
    SourceError
        When there is a file that is no such cache.
    """
    _require_pyarrow()
    names = [*ALWAYS[:3], *(column.name for column in columns), *ALWAYS[3:]]
    empty = pd.DataFrame({name: [] for name in names}).set_index("path")
    if not os.path.exists(cache):
        return empty
    try:
        table = pd.read_parquet(cache)
    except Exception as error:
        raise SourceError(f"the cache can't be read: {error}", path=os.fspath(cache), hint="delete it") from error
    if list(table.columns) != names:
        return empty
    table = table.assign(**{c.name: _restored(table[c.name], c.kind) for c in columns}).set_index("path")
    wanted = set(paths)
    unchanged = [path in wanted and _same(path, row) for path, row in zip(table.index, _facts(table), strict=True)]
    return table[unchanged]


def save_cache(cache: Place, table: pd.DataFrame) -> None:
    """Write the table, replacing the old cache only when it is complete."""
    _require_pyarrow()
    partial = f"{os.fspath(cache)}.{os.getpid()}.partial"
    try:
        table.to_parquet(partial, index=False)
        os.replace(partial, cache)
    except OSError as error:
        raise SourceError(f"the cache can't be written: {error.strerror}", path=os.fspath(cache)) from error
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


def _restored(cells: Any, kind: str) -> Any:
    """A column as it was: Parquet knows no seconds and no tuples."""
    if kind == "numbers":
        return [None if cell is None else tuple(cell) for cell in cells]
    return cells.astype(_DTYPES[kind]) if kind in _DTYPES else cells


def _facts(table: pd.DataFrame) -> list[tuple[Any, Any]]:
    return list(zip(table["size"], table["modified"].astype("int64"), strict=True))


def _same(path: str, facts: tuple[Any, Any]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return not pd.isna(facts[0]) and (status.st_size, status.st_mtime_ns) == (int(facts[0]), int(facts[1]))


def _require_pyarrow() -> None:
    try:
        import_module("pyarrow")
    except ImportError:
        raise MissingFeatureError("the cache of a scan", "parquet") from None
