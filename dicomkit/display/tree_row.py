"""The row of a tree, and the cut that keeps any tree small enough to show."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

MAX_DEPTH = 24


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One row of a tree: its cells, the text shown on hover, and the rows below it.

    Parameters
    ----------
    cells : tuple of str
        One text per column; the first carries the indentation and the marker.
    hover : str
        Tooltip of the row.
    children : iterable of TreeRow
        Rows below this one. Anything that can be iterated again; a lazy iterable is only asked for as many rows as are
        shown, and one with a length lets the cut say how many rows are left out.
    open : bool
        Whether the row starts expanded.

    Examples
    --------
    >>> TreeRow(("(0028,0010)", "US", "Rows", "512")).cells[-1]
    '512'
    """

    cells: tuple[str, ...]
    hover: str = ""
    children: Iterable[TreeRow] = ()
    open: bool = False


class Line(NamedTuple):
    """A row that is shown, with the level below it (None for a leaf)."""

    row: TreeRow
    below: Level | None


class Level(NamedTuple):
    """The shown rows of one level, and what was cut: a number of rows, or -1 where the number is unknown."""

    lines: tuple[Line, ...]
    hidden: int

    @property
    def note(self) -> str:
        """What stands in place of the rows that were cut, or an empty text."""
        if not self.hidden:
            return ""
        return f"… {self.hidden:,} more" if self.hidden > 0 else "… more"


def cut(rows: Iterable[TreeRow], *, max_children: int, max_rows: int, max_depth: int = MAX_DEPTH) -> Level:
    """Take as much of a tree as the limits allow.

    Each level first takes its own rows; what is left of the limit goes to the levels below it.

    Parameters
    ----------
    rows : iterable of TreeRow
        The top level.
    max_children : int
        Rows shown of any one level.
    max_rows : int
        Rows shown altogether.
    max_depth : int
        Levels shown.

    Returns
    -------
    Level
        The part to show.

    Examples
    --------
    >>> leaves = tuple(TreeRow((str(n),)) for n in range(5))
    >>> cut(leaves, max_children=3, max_rows=100).note
    '… 2 more'
    """
    return _cut(rows, max_children, max_rows, max_depth)[0]


def _cut(rows: Iterable[TreeRow], max_children: int, budget: int, depth: int) -> tuple[Level, int]:
    """Return the level and how many rows of the budget are left."""
    limit = max(0, min(max_children, budget)) if depth > 0 else 0
    taken = list(islice(rows, limit + 1))
    shown = taken[:limit]
    hidden = 0
    if len(taken) > limit:
        hidden = len(rows) - limit if isinstance(rows, Sized) else -1
    budget -= len(shown)
    lines: list[Line] = []
    for row in shown:
        below, budget = _cut(row.children, max_children, budget, depth - 1)
        lines.append(Line(row, below if below.lines or below.hidden else None))
    return Level(tuple(lines), hidden), budget
