"""A queue to look at: its entries as a DataFrame, and a short table of what it holds, as text and as HTML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.queue_tables import STATES
from dicomkit.display.html import stack, table
from dicomkit.display.text import table_text
from dicomkit.net.printable import printable
from dicomkit.standard.uids import uid_entry

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("next_attempt", "enqueued", "updated", "delivered", "lease")
_COLUMNS = (
    "id destination state priority attempts next_attempt category error SOPClassUID SOPInstanceUID transfer_syntax path"
    " bytes enqueued updated delivered owner lease spooled"
).split()
_INTEGERS = ("id", "priority", "attempts", "bytes")


def entries_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Make one row for each entry; times are datetime64[ms], in UTC."""
    import pandas as pd

    rows = [
        (
            entry.id,
            entry.destination,
            entry.state,
            entry.priority,
            entry.attempts,
            entry.next_attempt,
            entry.category,
            entry.error,
            entry.sop_class_uid,
            entry.sop_instance_uid,
            entry.transfer_syntax_uid,
            entry.path,
            entry.size,
            entry.enqueued,
            entry.updated,
            entry.delivered,
            entry.owner,
            entry.lease,
            entry.is_spooled,
        )
        for entry in entries
    ]
    made = pd.DataFrame(rows, columns=_COLUMNS)
    for name in _TIMES:
        milliseconds = (made[name].astype("Float64") * 1000).round().astype("Int64")
        made[name] = pd.to_datetime(milliseconds, unit="ms", utc=True).dt.as_unit("ms")
    for name in _INTEGERS:
        made[name] = made[name].astype("Int64")
    made["spooled"] = made["spooled"].astype(bool)
    return made


def overview_text(path: str, paused: tuple[bool, Sequence[str]], counts: Mapping[str, Mapping[str, int]]) -> str:
    """Say in a table of text how many entries each destination has in each state."""
    head = _head(path, paused[0], counts)
    return f"<{head}>\n" + table_text(*_cells(paused[1], counts), max_rows=20) if counts else f"<{head}>"


def overview_html(
    path: str, paused: tuple[bool, Sequence[str]], counts: Mapping[str, Mapping[str, int]], dead: Sequence[Entry]
) -> str:
    """Draw the table of text as HTML, and below it the first of what was given up, with the reasons."""
    shown = table(*_cells(paused[1], counts), caption=_head(path, paused[0], counts))
    if not dead:
        return shown
    rows = [
        (entry.destination, entry.category, entry.error, _class_name(entry.sop_class_uid), os.path.basename(entry.path))
        for entry in dead
    ]
    columns = ("destination", "category", "reason", "SOP class", "file")
    return stack(
        shown, table(columns, [[printable(cell or "", 200) for cell in row] for row in rows], caption="given up")
    )


def _head(path: str, paused: bool, counts: Mapping[str, Mapping[str, int]]) -> str:
    left = sum(count[state] for count in counts.values() for state in STATES[:3])
    return f"Queue {os.path.basename(path)}: {left:,} to deliver" + (", paused" if paused else "")


def _cells(paused: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = [
        [printable(name, 100), *(count[state] for state in STATES), "paused" if name in paused else ""]
        for name, count in counts.items()
    ]
    return ["destination", *STATES, ""], rows


def _class_name(uid: str) -> str:
    entry = uid_entry(uid)
    return entry.name if entry else uid
