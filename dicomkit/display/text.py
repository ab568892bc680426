"""Trees and tables as plain text with aligned columns, for terminals and reprs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

from dicomkit.display.tree_row import MAX_DEPTH, Level, TreeRow, cut

__all__ = ["TreeRow", "display_width", "fit", "one_line", "shorten", "table_text", "tree_text"]

Row = TypeVar("Row")

GAP = "  "
_SYMBOLS = {code: chr(0x2400 + code) for code in range(32)} | {127: "␡", 10: "↵", 13: "", 9: " "}
_SYMBOLS |= dict.fromkeys(range(128, 160), "�") | {0x2028: "↵", 0x2029: "↵"}
_MIN_COLUMN = 4


def one_line(value: object) -> str:
    """Write any value on one line that is safe to print: control characters as symbols, no lone surrogates.

    Parameters
    ----------
    value : object
        None gives an empty text.

    Returns
    -------
    str
        Text that can be encoded as UTF-8 and holds no line break.

    Examples
    --------
    >>> one_line("first\\r\\nsecond\\x1b[31m")
    'first↵second␛[31m'
    """
    text = "" if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_SYMBOLS).encode("utf-8", "replace").decode("utf-8")


def shorten(text: str, max_chars: int) -> str:
    """Cut a text to a number of characters, the last of which is then an ellipsis.

    Examples
    --------
    >>> shorten("ISO 2022 IR 87", 8)
    'ISO 202…'
    """
    return text if len(text) <= max_chars else text[: max(0, max_chars - 1)] + "…"


def display_width(text: str) -> int:
    """Count the terminal cells that a text takes: two for wide East Asian characters, none for combining marks.

    Examples
    --------
    >>> display_width("Yamada"), display_width("山田"), display_width("é"), display_width("e\\u0301")
    (6, 4, 1, 1)
    """
    return len(text) if text.isascii() else sum(map(_cell_width, text))


def _cell_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, width: int, align: str = "l") -> str:
    """Cut or pad a text to exactly so many terminal cells.

    Parameters
    ----------
    text : str
        Text without line breaks.
    width : int
        Terminal cells.
    align : {"l", "r", "c"}
        Where the text stands in them.

    Examples
    --------
    >>> fit("山田太郎", 5), fit("7", 3, "r")
    ('山田…', '  7')
    """
    room = width - display_width(text)
    if room < 0:
        kept, used = [], 0
        for char in text:
            used += _cell_width(char)
            if used > width - 1:
                break
            kept.append(char)
        text = "".join(kept) + "…" if width > 0 else ""
        room = width - display_width(text)
    if align == "r":
        return " " * room + text
    left = room // 2 if align == "c" else 0
    return " " * left + text + " " * (room - left)


def table_text(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    max_rows: int = 60,
    width: int = 120,
    align: str | None = None,
) -> str:
    """Write a table with aligned columns.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Values, written with `str`; None as an empty cell.
    caption : str
        A line above the table.
    max_rows : int
        Rows shown; one more line says how many are left out.
    width : int
        Terminal cells of a line; the widest columns give way.
    align : str, optional
        One letter of "l", "r", "c" for each column; without it columns that hold only numbers stand to the right.

    Returns
    -------
    str
        Lines joined by newlines, without a last one.

    Examples
    --------
    >>> print(table_text(["Modality", "Images"], [("CT", 120), ("MR", 24)]))
    Modality  Images
    --------  ------
    CT           120
    MR            24
    """
    taken, note = take(rows, max_rows)
    cells = [[one_line(value) for value in row] + [""] * (len(columns) - len(row)) for row in taken]
    align = align or alignment(taken, len(columns))
    header = [one_line(column) for column in columns]
    widths = _widths([header, *cells], width)
    lines = [one_line(caption)] if caption else []
    lines.append(_join(header, widths, align))
    lines.append(GAP.join("-" * w for w in widths))
    lines.extend(_join(row, widths, align) for row in cells)
    if note:
        lines.append(note)
    return "\n".join(lines)


def tree_text(
    rows: Iterable[TreeRow],
    *,
    columns: Sequence[str] = (),
    caption: str = "",
    max_children: int = 200,
    max_rows: int = 1000,
    max_depth: int = MAX_DEPTH,
    width: int = 120,
    indent: int = 2,
) -> str:
    """Write a tree with aligned columns, the first of which is indented.

    Parameters
    ----------
    rows : iterable of TreeRow
        The top level.
    columns : sequence of str
        Headings; none, no heading line.
    caption : str
        A line above the tree.
    max_children, max_rows : int
        Rows shown of one level, and altogether.
    max_depth : int
        Levels shown.
    width : int
        Terminal cells of a line; the last column is cut, and the one before it where it takes more than a third.
    indent : int
        Cells by which each level is indented.

    Returns
    -------
    str
        Lines joined by newlines, without a last one.

    Examples
    --------
    >>> item = TreeRow(("Item 1", "", "", ""), children=(TreeRow(("(0008,0100)", "SH", "CodeValue", "T-D3000")),))
    >>> print(tree_text([TreeRow(("(0008,2218)", "SQ", "AnatomicRegionSequence", "1 item"), children=(item,))]))
    (0008,2218)      SQ  AnatomicRegionSequence  1 item
      Item 1
        (0008,0100)  SH  CodeValue               T-D3000
    """
    lines = list(_flatten(cut(rows, max_children=max_children, max_rows=max_rows, max_depth=max_depth), 0, indent))
    table = [line for line in lines if len(line) > 1]
    count = max([len(columns), *map(len, table)], default=0)
    padded = [[*line, *[""] * (count - len(line))] for line in ([one_line(c) for c in columns], *table)]
    widths = _widths(padded, width, last_only=True)
    out = [one_line(caption)] if caption else []
    if columns:
        out += [_join(padded[0], widths, ""), GAP.join("-" * w for w in widths)]
    for line in lines:
        out.append(_join([*line, *[""] * (count - len(line))], widths, "") if len(line) > 1 else line[0])
    return "\n".join(out)


def take(rows: Iterable[Row], max_rows: int) -> tuple[list[Row], str]:
    """Take the first rows, and say how many more there are."""
    iterator = iter(rows)
    taken = list(islice(iterator, max_rows))
    more = sum(1 for _ in iterator)
    return taken, f"… {more:,} more row{'s' if more > 1 else ''}" if more else ""


def alignment(rows: Sequence[Sequence[object]], count: int) -> str:
    """Put columns that hold only numbers (or nothing) to the right, all others to the left."""
    letters = ""
    for column in range(count):
        values = [row[column] for row in rows if column < len(row) and row[column] is not None]
        numeric = bool(values) and all(isinstance(value, (int, float)) for value in values)
        letters += "r" if numeric else "l"
    return letters


def _flatten(level: Level, depth: int, indent: int) -> Iterable[list[str]]:
    """Give the cells of every line of a tree; a note about cut rows is a line of one cell."""
    lead = " " * (depth * indent)
    for line in level.lines:
        first, *rest = (one_line(cell) for cell in (line.row.cells or ("",)))
        yield [lead + first, *(rest or [""])]
        if line.below is not None:
            yield from _flatten(line.below, depth + 1, indent)
    if level.note:
        yield [lead + level.note]


def _widths(table: Sequence[Sequence[str]], width: int, *, last_only: bool = False) -> list[int]:
    """Find a width for each column so that a line fits; the widest gives way first (or the last two, when asked)."""
    widths = [max(map(display_width, column)) for column in zip(*table, strict=False)]
    excess = sum(widths) + len(GAP) * max(0, len(widths) - 1) - width
    if last_only and widths and excess > 0:
        for column in (-2, -1) if len(widths) > 1 else (-1,):  # names give way to values, but not all of their width
            least = max(24, width // 3) if column == -2 else 24
            given = max(0, min(excess, widths[column] - least))
            widths[column] -= given
            excess -= given
    while excess > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        second = max((w for n, w in enumerate(widths) if n != widest), default=_MIN_COLUMN)
        given = min(excess, max(1, widths[widest] - max(second, _MIN_COLUMN)))
        if widths[widest] - given < _MIN_COLUMN:
            break
        widths[widest] -= given
        excess -= given
    return widths


def _join(cells: Sequence[str], widths: Sequence[int], align: str) -> str:
    letters = align.ljust(len(widths), "l")
    return GAP.join(fit(*cell) for cell in zip(cells, widths, letters, strict=False)).rstrip()
