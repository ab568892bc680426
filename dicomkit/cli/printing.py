"""DataFrames as text that fits the terminal, or as a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dicomkit.display.text import table_text
from dicomkit.errors import MissingFeatureError, SourceError, ValueFormatError

if TYPE_CHECKING:
    import pandas as pd

PIPE_WIDTH = 160
"""Cells of a line where there is no terminal."""


def terminal_width() -> int:
    """How many cells a line may have."""
    return max(40, shutil.get_terminal_size((PIPE_WIDTH, 24)).columns)


def frame_text(
    frame: pd.DataFrame, *, max_rows: int = 200, columns: Sequence[str] | None = None, width: int | None = None
) -> str:
    """Write a DataFrame as a table of text; columns without any value are left out.

    Parameters
    ----------
    frame : DataFrame
    max_rows : int
        Rows to write; one more line says how many are left out.
    columns : sequence of str, optional
        Which columns; by default all that hold anything.
    width : int, optional
        Cells of a line; by default those of the terminal.
    """
    names = [str(name) for name in (frame.columns if columns is None else columns) if frame[name].notna().any()]
    cells = [[_cell(value) for value in frame[name]] for name in names]
    return table_text(names, list(zip(*cells, strict=True)), max_rows=max_rows, width=width or terminal_width())


def _cell(value: Any) -> Any:
    """A value as it is written; None for a missing one."""
    import numpy as np
    import pandas as pd

    if isinstance(value, tuple):
        return "\\".join(f"{part:g}" if isinstance(part, (int, float)) else str(part) for part in value)
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    if isinstance(value, pd.Timedelta):
        return str(pd.Timestamp(0) + value)[11:19]
    if isinstance(value, float):
        return f"{value + 0.0:.6g}"
    return int(value) if isinstance(value, np.integer) else value


def write_frame(frame: pd.DataFrame, path: str) -> None:
    """Write a DataFrame to a file, in the form that its name asks for.

    Raises
    ------
    ValueFormatError
        If the name ends with none of .csv, .parquet, .json.
    SourceError
        If it can't be written.
    MissingFeatureError
        If what writes Parquet is not installed.
    """
    form = os.path.splitext(path)[1].lower()
    try:
        if form == ".csv":
            frame.to_csv(path, index=False)
        elif form == ".json":
            frame.to_json(path, orient="records", date_format="iso", indent=1)
        elif form == ".parquet":
            frame.to_parquet(path, index=False)
        else:
            raise ValueFormatError(f"no table can be written as {path!r}", hint="choose .csv, .parquet or .json")
    except OSError as error:
        raise SourceError(f"can't write the table: {error.strerror or error}", path=path) from error
    except ImportError:
        raise MissingFeatureError("writing Parquet", "parquet") from None
