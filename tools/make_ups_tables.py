"""Make the tables of the Unified Procedure Step in dicomkit/standard/data.

Usage: python -m tools.make_ups_tables FOLDER [OUTPUT]

FOLDER holds ps3.04_tables_2013.json and ps3.04_service_attributes_2013.csv, extracted from the standard. A test makes
the tables again and compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dicomkit.standard.attributes import vr_of
from tools.make_standard_tables import OUTPUT, read_csv, table

SOURCE = "PS3.4 2013: NEMA's part04.xml, as kept by michal-josef-spacek/dicom-standard on GitHub (facts only)"
NEWER = "PS3.4 2025e; event 5: a later PS3.4, as kept by chsasank/dicom_standard on GitHub (facts only)"
STATES = ("null", "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
SUBSCRIBED = ("null", "not subscribed", "with lock", "without lock")
# It is an element of Progress Information Sequence, which the table has at the top.
ONE_DEEPER = {"00404052"}
# Elements that the table names with a date's tag: they are date-times (PS3.3 C.30.3).
TAGS = {"00400244": "00404050", "00400250": "00404051"}
# Of later editions.
ASSIGNED = ("00404025", "00404009", "00404036")
PROGRESS_PARAMETERS = "00741002.00741007"


class Row(NamedTuple):
    """An attribute: where it is, and what is asked of it."""

    depth: int
    tag: str
    create: str
    set: str
    final: str
    match: str
    returned: str


def state_rows(rows: list[list[str]]) -> Iterator[str]:
    """Lines of event, whether the transaction UID is right, state, status, states that follow, whether it is final."""
    for event, *cells in rows:
        name = "create"
        if found := re.search(r"Change State to (\w+(?: PROGRESS)?)", event):
            name = found[1]
        elif "Request Cancel" in event:
            name = "cancel request"
        right = "N" if "without correct" in event else "Y" if "with correct" in event else ""
        for state, cell in zip(STATES, cells, strict=True):
            code = re.search(r"(?:error|warning)\n(\w{4})", cell)
            if code:
                yield "\t".join((name, right, state, code[1], "", ""))
                continue
            follow = re.findall(r"(?:Change State|Report state change) to (\w+)(?:[ -](PROGRESS))?", cell)
            names = dict.fromkeys(" ".join(filter(None, pair)) for pair in follow)
            otherwise = re.search(r"Else (\w{4})", cell)
            yield "\t".join((name, right, state, "0000", "|".join(names), otherwise[1] if otherwise else ""))


def subscription_rows(rows: list[list[str]]) -> Iterator[str]:
    """Lines of event, subscription of an AE to a step, the one that follows, and whether an initial event is sent."""
    for event, *cells in rows[1:]:
        for state, cell in zip(SUBSCRIBED, cells, strict=True):
            if cell == "N/A":
                continue
            follow = re.search(r"[Gg]o to (.*?)(;|$)", cell)
            then = state if follow is None else _subscription(follow[1])
            yield "\t".join((_event(event), state, then, "Y" if "initial event" in cell else "N"))


def _subscription(text: str) -> str:
    return "not subscribed" if text == "Not Subscribed" else _lock(text)


def _lock(text: str) -> str:
    return "with lock" if re.search(r"with Lock", text, re.IGNORECASE) else "without lock"


def _event(text: str) -> str:
    if "is Created" in text:
        return "create" if "No Global" in text else f"create, global {_lock(text)}"
    where = "global" if "Global" in text else "specific"
    if "Subscribes" in text:
        return f"subscribe {where} {_lock(text)}"
    return f"{'suspend' if 'Suspends' in text else 'unsubscribe'} {where}"


def attribute_rows(rows: list[dict[str, str]]) -> Iterator[str]:
    """Lines of path, what N-CREATE and N-SET ask of the provider's user, final state, type as match and return key."""
    tables: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        tables.setdefault(row["table"], []).append(row)
    path: list[str] = []
    seen: set[str] = set()
    for found in _expanded(tables, "CC.2.5-3", 0):
        path = [*path[: found.depth], found.tag]
        name = ".".join(path)
        if name not in seen:  # a macro that lists one twice
            seen.add(name)
            yield "\t".join((name, *found[2:]))


def _expanded(tables: dict[str, list[dict[str, str]]], name: str, depth: int) -> Iterator[Row]:
    before: Row | None = None
    for entry in tables[name]:
        cells = json.loads(entry["columns_json"])
        if macro := re.match(r"Include \[Table ([\w.-]+?)\]", entry["name"]):
            if before is not None:
                yield from _expanded(tables, macro[1], before.depth + (vr_of(int(before.tag, 16)) == "SQ"))
        elif entry["tag"]:
            tag = entry["tag"] if depth else TAGS.get(entry["tag"], entry["tag"])
            before = Row(
                depth + int(entry["depth"]) + (tag in ONE_DEEPER),
                tag,
                _create(cells.get("Req. Type N-CREATE (SCU/SCP)", "")),
                _type(cells.get("Req. Type N-SET (SCU/SCP)", "")),
                cells.get("Final State", "") or "O",
                cells.get("Match Key Type", "") or "-",
                cells.get("Return Key Type", "") or "-",
            )
            yield before


def _create(cell: str) -> str:
    """The type that the user has to keep to; ``E`` for what has to be there, and empty."""
    return "E" if re.search(r"\nShall be (created )?empty", cell) else _type(cell)


def _type(cell: str) -> str:
    """The type that the user has to keep to; ``N`` for what isn't allowed."""
    if re.match(r"Not allowed", cell, re.IGNORECASE):
        return "N"
    found = re.match(r"([123]C?|-)", cell)
    return found[1] if found else "3"


def event_rows(rows: list[list[str]]) -> Iterator[str]:
    """Lines of event type, name, path of an attribute, and its type."""
    path: list[str] = []
    for name, number, attribute, tag, kind in rows:
        depth = attribute.count(">")
        path = [*path[:depth], re.sub(r"\W", "", tag).upper()]
        yield "\t".join((number, name, ".".join(path), kind.partition("\n")[0].removeprefix("-/")))
        if ".".join(path) == "00741002.00741006":
            yield "\t".join((number, name, PROGRESS_PARAMETERS, "3"))
    yield from ("\t".join(("5", "UPS Assigned", tag, "1C")) for tag in ASSIGNED)


def main(folder: str, output: str = str(OUTPUT)) -> None:
    """Write the tables."""
    tables = {
        entry["label"]: entry["rows"]
        for entry in json.loads(Path(folder, "ps3.04_tables_2013.json").read_text(encoding="utf-8"))
    }
    written = {
        "ups_states.tsv": ("event right state status then otherwise", state_rows(tables["CC.1.1-2"])),
        "ups_subscriptions.tsv": ("event state then initial", subscription_rows(tables["CC.2.3-2"])),
        "ups_attributes.tsv": (
            "path create set final match return",
            attribute_rows(read_csv(Path(folder) / "ps3.04_service_attributes_2013.csv")),
        ),
        "ups_events.tsv": ("number name path type", event_rows(tables["CC.2.4-1"])),
    }
    for name, (columns, rows) in written.items():
        source = f"{SOURCE}; {NEWER}" if name == "ups_events.tsv" else SOURCE
        Path(output, name).write_text(table(columns, source, list(rows)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
