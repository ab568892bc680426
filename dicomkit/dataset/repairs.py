"""Structural deviations that a reader tolerated, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dicomkit.display.html import table
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    import pandas as pd


class Repair(NamedTuple):
    """One deviation: where it was, what was wrong, and what was assumed instead.

    Attributes
    ----------
    tag
        The element, or None where the deviation belongs to none.
    offset
        The byte offset in the source (in the inflated stream for a deflated data set).
    """

    tag: Tag | None
    offset: int
    problem: str
    assumed: str

    def __str__(self) -> str:
        return f"{self.tag or 'file'} at {self.offset}: {self.problem}; {self.assumed}"


class Repairs(tuple[Repair, ...]):
    """The deviations of one data set, in the order found; shows itself as a table.

    Examples
    --------
    >>> Repairs([Repair(Tag(0x00080005), 132, "a length of 3 is odd", "taken as it is")])
    Repairs(1: (0008,0005) at 132: a length of 3 is odd; taken as it is)
    """

    __slots__ = ()

    def to_table(self) -> pd.DataFrame:
        """Return a DataFrame with the columns tag, keyword, offset, problem and assumed."""
        import pandas as pd

        rows = [(str(r.tag or ""), r.tag.keyword if r.tag else "", r.offset, r.problem, r.assumed) for r in self]
        return pd.DataFrame(rows, columns=["tag", "keyword", "offset", "problem", "assumed"])

    def __repr__(self) -> str:
        return f"Repairs({len(self)}{': ' if self else ''}{' | '.join(map(str, self))})"

    def _repr_html_(self) -> str:
        rows = [(str(r.tag or ""), r.tag.keyword if r.tag else "", str(r.offset), r.problem, r.assumed) for r in self]
        plural = "repair" if len(self) == 1 else "repairs"
        return table(("Tag", "Keyword", "Offset", "Problem", "Assumed"), rows, caption=f"{len(self)} {plural}")
