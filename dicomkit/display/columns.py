"""Which columns of a table are worth showing."""

from __future__ import annotations

from collections.abc import Sequence


def filled_columns(names: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[str], list[list[object]]]:
    """Leave out the columns that hold nothing: no text, no number but 0, None in every row.

    Examples
    --------
    >>> filled_columns(["name", "error", "size"], [["a", None, 3], ["b", "", 0]])
    (['name', 'size'], [['a', 3], ['b', 0]])
    """
    filled = [number for number in range(len(names)) if any(row[number] for row in rows)]
    return [names[number] for number in filled], [[row[number] for number in filled] for row in rows]
