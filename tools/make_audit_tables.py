"""Make the tables of audit messages and of the codes in them in dicomkit/standard/data.

Usage: python -m tools.make_audit_tables FOLDER [OUTPUT]

FOLDER holds ps3.15_tables_2026c.json and context_groups.json, extracted from the standard. A test makes the tables
again and compares.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.make_standard_tables import OUTPUT, table

MESSAGES = "PS3.15 2026c Tables A.5.3.1-1 to A.5.3.15-1, as NEMA's part15.xml has them"
CODES = "PS3.16 CID 400 to 406, and PS3.15 2026c Table A.5.1.2.4-1, whose scheme is called RFC-3881"
GROUPS = ("400", "401", "402", "403", "404", "405", "406")
ID_TYPES = "A.5.1.2.4"

ABOUT = """\
# Tables of audit messages

Written by `tools/make_audit_tables.py`; do not edit by hand. NEMA holds the copyright in the standard; these are facts
taken from it by way of the sources named in the second line of each file.

| File | Rows | Edition |
| --- | --- | --- |
| audit_messages.tsv | 15 messages of A.5.3 | PS3.15 2026c |
| audit_codes.tsv | the codes of CID 400 to 406, and 12 types of identifiers | PS3.16 2026, PS3.15 2026c |

audit_messages.tsv: `actions` are the letters that EventActionCode may be; `types` the codes that EventTypeCode may be,
or the context group that they are of. `participants` and `objects` say how often what occurs: `110153:1-1` is one with
that role, `2:1-` one or more whose identifier has that type, `*` is any role, `|` stands between alternatives.
"""

_CODE = re.compile(r'\((\d+), DCM, "')
_ACTION = re.compile(r"(?<![\w\"])([CRUDE])(?= (?:\(?Create|\(?[Rr]ead|\(?Update|\(?Delete|\(?Execute))")
_COUNT = re.compile(r"\((\d+)(?:\.\.(\w+))?\)$")
_SHALL_BE = re.compile(r"Shall be: (\d+)|Defined Terms: (\d+)")


def audit_codes(folder: Path) -> str:
    """Make the table of codes: the group that they are from, scheme, value and meaning."""
    groups = json.loads((folder / "context_groups.json").read_text(encoding="utf-8"))
    rows = ["\t".join((cid, *code)) for cid in GROUPS for code in groups[cid]["codes"]]
    for entry in _tables(folder):
        if entry["section"] == ID_TYPES:
            rows += [f"{ID_TYPES}\tRFC-3881\t{value}\t{meaning}" for value, meaning, _ in entry["rows"]]
    return table("group scheme code meaning", CODES, rows)


def audit_messages(folder: Path) -> str:
    """Make the table of messages.

    Its columns are section, code, actions, codes of event types (or the group that they are of), and how many
    participants there are by their role, and objects by the type of their identifier; ``*`` is any.
    """
    rows = []
    for entry in _tables(folder):
        if entry["section"].startswith("A.5.3."):
            rows.append(_message(entry))
    return table("section code actions types participants objects", MESSAGES, rows)


def _message(entry: dict[str, Any]) -> str:
    fields: dict[str, dict[str, str]] = {}
    for entity, name, _, text in entry["rows"]:
        fields.setdefault(entity, {})[name] = text
    event = fields.pop("Event: EventIdentification")
    types = event.get("EventTypeCode", "")
    of_group = re.search(r"CID (\d+)", types)
    participants, objects = [], []
    for entity, named in fields.items():
        counted = _counted(entity)
        if "Participant Object" in entity:
            text = named["ParticipantObjectIDTypeCode"]
            found = _CODE.findall(text) + [value for pair in _SHALL_BE.findall(text) for value in pair if value]
            objects.append("|".join(found) + counted)
        else:
            participants.append("|".join(_CODE.findall(named.get("RoleIDCode", ""))) + counted)
    return "\t".join(
        (
            entry["section"],
            *_CODE.findall(event["EventID"]),
            "".join(dict.fromkeys(_ACTION.findall(event["EventActionCode"]))),
            f"CID {of_group[1]}" if of_group else " ".join(_CODE.findall(types)),
            " ".join(participant if participant[0] != ":" else "*" + participant for participant in participants),
            " ".join(objects),
        )
    )


def _counted(entity: str) -> str:
    """Return how often an entity occurs, as ``:least-most``, without a most where there is none."""
    found = _COUNT.search(entity.strip())
    if found is None:
        raise ValueError(f"{entity!r} does not say how often it occurs")
    least, most = found[1], found[2] or found[1]
    return f":{least}-{'' if most == 'N' else most}"


def _tables(folder: Path) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = json.loads((folder / "ps3.15_tables_2026c.json").read_text(encoding="utf-8"))
    return tables


def main(folder: str, output: str = str(OUTPUT)) -> None:
    """Write the tables."""
    Path(output, "audit_codes.tsv").write_text(audit_codes(Path(folder)), encoding="utf-8")
    Path(output, "README_audit.md").write_text(ABOUT, encoding="utf-8")
    Path(output, "audit_messages.tsv").write_text(audit_messages(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
