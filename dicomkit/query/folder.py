"""What matches a query among data sets, or in the table of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast, overload

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.errors import QueryError
from dicomkit.query.key import Keys, key_vr
from dicomkit.query.matching import OF_INSTANCES, matcher
from dicomkit.query.query import Query
from dicomkit.standard.attributes import tag_of
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time

if TYPE_CHECKING:
    import pandas as pd


@overload
def find_in(where: pd.DataFrame, query: Query, *, fuzzy: bool = ...) -> pd.DataFrame: ...


@overload
def find_in(where: Iterable[DataSet], query: Query, *, fuzzy: bool = ...) -> Iterator[DataSet]: ...


def find_in(
    where: pd.DataFrame | Iterable[DataSet], query: Query, *, fuzzy: bool = False
) -> pd.DataFrame | Iterator[DataSet]:
    """Give those data sets, or rows of a table of `dicomkit.scan`, that match a query.

    The level doesn't matter: what is looked at is each data set, or row.

    Parameters
    ----------
    fuzzy
        As for `matches`.

    Raises
    ------
    QueryError
        When the table has no column for a key.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> some = [DataSet(PatientID="A1"), DataSet(PatientID="B1")]
    >>> [ds.PatientID for ds in find_in(some, query("image", PatientID="B?"))]
    ['B1']
    """
    test = matcher(query, fuzzy=fuzzy)
    if not hasattr(where, "columns"):
        return filter(test, where)
    table = cast("pd.DataFrame", where)
    return table[[test(row) for row in _rows(table, query)]]


def _rows(table: pd.DataFrame, query: Query) -> Iterator[DataSet]:
    """Make a data set of what each row says about the keys."""
    import pandas as pd

    columns = {"TimezoneOffsetFromUTC"} & set(table.columns)
    for keyword, key in query.keys:
        column = keyword if keyword in table.columns else OF_INSTANCES.get(keyword, keyword)
        if isinstance(key, Keys) or column not in table.columns:
            if keyword == "TimezoneOffsetFromUTC":
                continue
            hint = "scan with this column, or search data sets"
            raise QueryError(f"the table has no column {column}", tag=tag_of(keyword), hint=hint)
        columns.add(column)
    names = sorted(columns)
    tags = [(Tag.of(name), key_vr(name)) for name in names]
    cells = [table[name].astype(object).where(table[name].notna(), None).tolist() for name in names]
    for row in zip(*cells, strict=True) if cells else ((),) * len(table):
        yield DataSet(
            Element(tag, vr, _value(vr, cell))
            for (tag, vr), cell in zip(tags, row, strict=True)
            if cell is not None and cell is not pd.NaT
        )


def _value(vr: str, cell: Any) -> Any:
    """Write a cell as the value of a data set."""
    if isinstance(cell, datetime):
        return DateTime.of(cell) if vr == "DT" else Date.of(cell.date())
    if isinstance(cell, timedelta):
        return Time.of(cell)
    if isinstance(cell, str) and "\\" in cell:
        return tuple(cell.split("\\"))
    return cell
