"""From data sets in memory to a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.tables.columns import ColumnLike, columns_of, frame_of

if TYPE_CHECKING:
    import pandas as pd


def to_table(datasets: Iterable[DataSet] | DataSet, columns: Iterable[ColumnLike] | None = None) -> pd.DataFrame:
    """Make a table with one row per data set and typed columns.

    Parameters
    ----------
    datasets
        Data sets: instances, query results, items of a sequence.
    columns
        Keywords, tags or paths; when not given, every attribute of a plain type that any of them has.

    Returns
    -------
    DataFrame
        Strings as strings, integers as Int64, DA as datetime64[s], TM as timedelta; several values as one text with
        backslashes, or for numbers as a tuple. A column ``deviations`` tells of values that don't fit, where there
        are any.

    Examples
    --------
    >>> to_table([DataSet(PatientID="1", Rows=2), DataSet(PatientID="2")])[["PatientID", "Rows"]]
      PatientID  Rows
    0         1     2
    1         2  <NA>
    """
    given = [datasets] if isinstance(datasets, DataSet) else list(datasets)
    if columns is None:
        tags = sorted({tag for ds in given for tag in ds})
        chosen = tuple(column for column in columns_of(tags) if column.kind != "object")
    else:
        chosen = columns_of(columns)
    values = [[_value(ds, column.key) for ds in given] for column in chosen]
    table, deviations = frame_of(chosen, values)
    if deviations.notna().any():
        table["deviations"] = deviations
    return table


def _value(ds: DataSet, key: Any) -> Any:
    """The value of a key; elements of group 0002 are in the file meta information."""
    return ds.meta.get(key) if isinstance(key, int) and key >> 16 == 2 else ds.get(key)
