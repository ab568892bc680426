"""The packaged tables are tab-separated text; this module reads them, fast."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "data"


def table_text(name: str) -> str:
    """Read a packaged table without its remarks, which stand in the first two lines, and its last line end.

    Examples
    --------
    >>> table_text("attributes.tsv").partition("\\n")[0].split("\\t")
    ['00000000', 'CommandGroupLength', 'Command Group Length', 'UL', '1', 'N']
    """
    return (_FOLDER / name).read_text(encoding="utf-8").split("\n", 2)[2][:-1]


def table_columns(name: str, count: int) -> tuple[list[str], ...]:
    """Read the columns of a packaged table that has `count` of them in each line.

    One split and a few slices make no list per line: a third of the time.

    Examples
    --------
    >>> [column[0] for column in table_columns("attributes.tsv", 6)]
    ['00000000', 'CommandGroupLength', 'Command Group Length', 'UL', '1', 'N']
    """
    cells = table_text(name).replace("\n", "\t").split("\t")
    return tuple(cells[start::count] for start in range(count))
