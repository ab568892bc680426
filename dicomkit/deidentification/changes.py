"""What a de-identification does, or would do, as a table: path, action, before, after, reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

Path: TypeAlias = "tuple[int | str, ...]"
_LONGEST = 200


class Change(NamedTuple):
    """One attribute that changes.

    Attributes
    ----------
    path
        As ``DataSet`` takes it: keywords (tags where there is none) and numbers of items.
    action
        ``X Z D K C U``, or what else was done to it.
    before, after
        As text; None where there is none.
    """

    path: Path
    action: str
    before: str | None
    after: str | None
    reason: str


def shown(value: Any) -> str | None:
    """Write a value as text that fits a cell."""
    if value is None:
        return None
    if isinstance(value, tuple) and value and hasattr(value[0], "elements"):
        return f"{len(value)} item{'s' if len(value) != 1 else ''}"
    if isinstance(value, tuple):
        value = "\\".join(map(str, value))
    text = str(value) if isinstance(value, (str, int, float)) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def to_frame(changes: Iterable[Change]) -> pd.DataFrame:
    """Lay the changes out as a table, paths as text."""
    import pandas as pd

    rows = [(".".join(map(str, change.path)), *change[1:]) for change in changes]
    return pd.DataFrame(rows, columns=list(Change._fields), dtype="string")
