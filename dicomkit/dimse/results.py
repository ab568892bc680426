"""What an operation gives, as it comes: a stream of DataSets, or the matches of a query, which are also a table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from dicomkit.dataset.dataset import DataSet

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 100
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

    def __init__(self, source: Iterator[DataSet]) -> None:
        self._source = source
        self._known: list[DataSet] = []

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
        try:
            self._known.append(next(self._source))
        except StopIteration:
            return False
        return True

    def _all(self) -> list[DataSet]:
        self._known.extend(self._source)
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
        """Return one row for each match, with typed columns of what was asked for."""
        from dicomkit.tables.to_table import to_table

        keywords = {tag.keyword: None for match in self._all() for tag in match if tag.keyword}
        return to_table(self._all(), [keyword for keyword in keywords if keyword not in _NOT_SHOWN])

    def __repr__(self) -> str:
        return (
            f"<{len(self)} matches>\n{self.to_table().head(20).to_string(max_colwidth=32)}"
            if len(self)
            else "<no matches>"
        )

    def _repr_html_(self) -> str:
        table = self.to_table()
        more = f"<p>{len(table) - _SHOWN} more</p>" if len(table) > _SHOWN else ""
        return f"<p>{len(table)} matches</p>" + table.head(_SHOWN).to_html(border=0, max_cols=None) + more
