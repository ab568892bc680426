"""What an operation gives, as it comes: a stream of DataSets, or the matches of a query, which are also a table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from dicomkit.dataset.dataset import DataSet
from dicomkit.display.html import table
from dicomkit.display.text import table_text
from dicomkit.errors import DicomError
from dicomkit.values.dates import Date
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 100
_SHOWN_AS_TEXT = 20
_NAMING = ("CodeMeaning", "CodeValue", "ReferencedSOPInstanceUID")
_NOT_SHOWN = ("SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle", "InstanceAvailability")


class Arrivals(Iterator[DataSet]):
    """DataSets as they come; each is given once and not kept.

    Abandoning them (``close``, or leaving a ``with`` block early) aborts the association.

    Attributes
    ----------
    outcome
        The result of the operation, once all have come; None before.
    """

    def __init__(self, results: Generator[Any, None, Any]) -> None:
        self._results = results
        self._ready: list[DataSet] = []
        self.outcome: Any = None
        self._advance()  # so that what can't begin fails here

    def _advance(self) -> bool:
        try:
            self._ready.append(next(self._results))
        except StopIteration as stop:
            if stop.value is not None:
                self.outcome = stop.value
            return False
        return True

    def __next__(self) -> DataSet:
        if not self._ready and not self._advance():
            raise StopIteration
        return self._ready.pop()

    def close(self) -> None:
        """Wait for no more."""
        self._results.close()

    def __enter__(self) -> Arrivals:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "to come" if self.outcome is None else f"ended: {self.outcome!r}"
        return f"<{type(self).__name__}: {state}>"


class Matches(Sequence[DataSet]):
    """The matches of a query: iterate over them as they come, or take them as a whole.

    Whatever needs all of them (``len``, ``to_table``, the display in a notebook) waits for all.

    Examples
    --------
    >>> Matches(iter([DataSet(PatientID="A"), DataSet(PatientID="B")]))[1].PatientID
    'B'
    """

    _first: tuple[str, ...] = ()

    def __init__(self, source: Iterator[DataSet]) -> None:
        self._source = source
        self._known: list[DataSet] = []
        self._error: DicomError | None = None

    @property
    def outcome(self) -> Any:
        """The status at the end; None before."""
        return getattr(self._source, "outcome", None)

    def __iter__(self) -> Iterator[DataSet]:
        number = 0
        while number < len(self._known) or self._read():
            yield self._known[number]
            number += 1

    def _read(self) -> bool:
        """Wait for the next; what ended the query early is raised each time, so that a part is never taken for all."""
        if self._error is not None:
            raise self._error
        try:
            self._known.append(next(self._source))
        except StopIteration:
            return False
        except DicomError as error:
            self._error = error
            raise
        return True

    def _all(self) -> list[DataSet]:
        while self._read():
            pass
        return self._known

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> DataSet: ...
    @overload
    def __getitem__(self, index: slice) -> list[DataSet]: ...
    def __getitem__(self, index: int | slice) -> DataSet | list[DataSet]:
        if isinstance(index, int) and index >= 0:
            while index >= len(self._known) and self._read():
                pass
            return self._known[index]
        return self._all()[index]

    def close(self) -> None:
        """Wait for no more."""
        if isinstance(self._source, Arrivals):
            self._source.close()

    def to_table(self) -> pd.DataFrame:
        """Return one row for each match, with typed columns of what was asked for; the items of sequences by name."""
        import pandas as pd

        from dicomkit.tables.to_table import to_table

        rows = self._rows()
        keywords = sorted({tag.keyword: None for row in rows for tag in row if tag.keyword}, key=self._rank)
        found = to_table(rows, [keyword for keyword in keywords if keyword not in _NOT_SHOWN])
        for name in [name for name in found if str(name).endswith("Sequence")]:
            texts = [items_text(items) if isinstance(items, tuple) else None for items in found[name]]
            found[name] = pd.array(texts, dtype="string")
        return found

    def _rows(self) -> list[DataSet]:
        """What the table tells of each match."""
        return self._all()

    def __repr__(self) -> str:
        if not len(self):
            return "<no matches>"
        columns, rows = self._cells()
        shown = [number for number, name in enumerate(columns) if not self._first or name in self._first]
        cells = [[row[number] for number in shown] for row in rows]
        return f"<{self._count}>\n" + table_text([columns[number] for number in shown], cells, max_rows=_SHOWN_AS_TEXT)

    def _repr_html_(self) -> str:
        columns, rows = self._cells()
        return str(table(columns, rows, caption=self._count, max_rows=_SHOWN)) if rows else "<p>no matches</p>"

    def _rank(self, keyword: str) -> int:
        """Where a column comes: those that are named first, then the others."""
        return self._first.index(keyword) if keyword in self._first else len(self._first)

    def _place(self, keyword: str) -> tuple[bool, int]:
        return keyword.endswith("UID"), self._rank(keyword)

    @property
    def _count(self) -> str:
        return f"{len(self):,} match{'' if len(self) == 1 else 'es'}"

    def _cells(self) -> tuple[list[str], list[list[object]]]:
        """The columns that hold anything, UIDs after the others, and the values as the data sets write them."""
        matches = self._rows()
        found = {tag: None for match in matches for tag in match if tag.keyword and tag.keyword not in _NOT_SHOWN}
        rows = [[_shown(match, tag) for tag in found] for match in matches]
        filled = [number for number, _ in enumerate(found) if any(row[number] for row in rows)]
        names = [tag.keyword for tag in found]
        order = sorted(filled, key=lambda number: self._place(names[number]))
        return [names[number] for number in order], [[row[number] for number in order] for row in rows]


def _shown(match: DataSet, tag: Tag) -> str | int | None:
    """A value in a cell."""
    if tag not in match:
        return None
    value = match[tag]
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Date) and value.is_valid and value.day:
        return str(value.to_date())
    if isinstance(value, Time) and value.is_valid:
        return str(value.to_time().replace(microsecond=0))
    if isinstance(value, tuple) and any(isinstance(item, DataSet) for item in value):
        return items_text(value)
    return match.element(tag).text or None


def items_text(items: Sequence[Any]) -> str | None:
    """Name the items of a sequence on a line: codes by their meaning, instances by their UID.

    Examples
    --------
    >>> items_text([DataSet(CodeValue="CTHEAD", CodeMeaning="CT of the head"), DataSet(CodeValue="X")])
    'CT of the head, X'
    """
    found = [next((str(item[word]) for word in _NAMING if item.get(word) is not None), "…") for item in items]
    return ", ".join(found) or None
