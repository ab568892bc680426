"""What PS3.4 asks of the attributes of normalized objects, of which PS3.3 tells only the modules, without types."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dicomkit.standard.attributes import vr_of
from tools.condition_sentences import UNKNOWN, Rule, rule_of

EDITION = "PS3.4 2013 (types), PS3.3 2026b (modules)"
CREATE, FINAL = "Req. Type N-CREATE (SCU/SCP)", "Requirement Type Final State (see Note 1)"
USAGE, STATE, EITHER = "Usage SCU/SCP", "Final State", "Requirement Type SCU/SCP"
_TYPES = {"M": "1", "MC": "1C", "U": "3", "-": "3", "R": "1", "O": "3"}
# The column "Final State" of a Unified Procedure Step (PS3.4 CC.2.5): when something has to be there in the end.
_ENDED = "ProcedureStepState = COMPLETED / CANCELED"
_STATES = {"R": _ENDED, "P": "ProcedureStepState = COMPLETED", "X": "ProcedureStepState = CANCELED"}
# It is an element of Progress Information Sequence, which the extract of the table has lost.
_ONE_DEEPER = {("CC.2.5-3", "00404052")}
# Elements that the table of PS3.4 names with a date's tag: they are date-times (PS3.3 C.30.3).
_TAGS = {("CC.2.5-3", "00400244"): "00404050", ("CC.2.5-3", "00400250"): "00404051"}
_SENT_ONLY = ("00081195",)
"""Locks a Unified Procedure Step, and is never part of one that is given out."""
_COMMON = ("00080005", "00080016", "00080018")
"""Of the SOP Common module; the UIDs are in the message, not in the data set."""


class Service(NamedTuple):
    """A normalized IOD: id, name, SOP class, modules of PS3.3, table of PS3.4, column, and whose type counts."""

    id: str
    name: str
    sop_class: str
    modules: str
    table: str
    column: str
    role: int = 0


_STEP = "unified-procedure-step-"
_FILM = "basic-film-"
SERVICES = (
    Service(
        "modality-performed-procedure-step",
        "Modality Performed Procedure Step",
        "1.2.840.10008.3.1.2.3.3",
        "performed-procedure-step-relationship performed-procedure-step-information image-acquisition-results "
        "radiation-dose billing-and-material-management-code",
        "F.7.2-1",
        CREATE,
    ),
    Service(
        "unified-procedure-step",
        "Unified Procedure Step",
        "1.2.840.10008.5.1.4.34.6.1",
        f"{_STEP}scheduled-procedure-information {_STEP}relationship {_STEP}progress-information "
        f"{_STEP}performed-procedure-information patient-demographic patient-medical visit-identification",
        "CC.2.5-3",
        CREATE,
    ),
    Service("storage-commitment", "Storage Commitment", "1.2.840.10008.1.20.1", "storage-commitment", "J.3-1", EITHER),
    Service(
        "instance-availability-notification",
        "Instance Availability Notification",
        "1.2.840.10008.5.1.4.33",
        "instance-availability-notification",
        "R.3.2-1",
        CREATE,
    ),
    Service(
        "media-creation-management",
        "Media Creation Management",
        "1.2.840.10008.5.1.1.33",
        "media-creation-management",
        "S.3.2.1.1-1",
        EITHER,
    ),
    Service(
        "basic-film-session",
        "Basic Film Session",
        "1.2.840.10008.5.1.1.1",
        f"{_FILM}session-presentation {_FILM}session-relationship",
        "H.4-2",
        USAGE,
    ),
    Service(
        "basic-film-box",
        "Basic Film Box",
        "1.2.840.10008.5.1.1.2",
        f"{_FILM}box-presentation {_FILM}box-relationship",
        "H.4-6",
        USAGE,
    ),
    Service(
        "basic-grayscale-image-box",
        "Basic Grayscale Image Box",
        "1.2.840.10008.5.1.1.4",
        "image-box-pixel-presentation",
        "H.4-10",
        USAGE,
    ),
    Service(
        "basic-color-image-box",
        "Basic Color Image Box",
        "1.2.840.10008.5.1.1.4.1",
        "image-box-pixel-presentation",
        "H.4-11",
        USAGE,
    ),
    Service(
        "basic-annotation-box",
        "Basic Annotation Box",
        "1.2.840.10008.5.1.1.15",
        "basic-annotation-presentation",
        "H.4-13",
        USAGE,
    ),
    Service(
        "presentation-lut-object", "Presentation LUT", "1.2.840.10008.5.1.1.23", "presentation-lut", "H.4-23", USAGE
    ),
    Service("print-job-object", "Print Job", "1.2.840.10008.5.1.1.14", "print-job", "H.4-15", USAGE, 1),
    Service("printer-object", "Printer", "1.2.840.10008.5.1.1.16", "printer", "H.4-17", USAGE, 1),
    Service(
        "printer-configuration-object",
        "Printer Configuration",
        "1.2.840.10008.5.1.1.16.376",
        "printer-configuration",
        "H.4-26",
        USAGE,
        1,
    ),
)


@dataclass
class Needed:
    """One attribute with those of its items."""

    tag: str
    type: str
    rule: Rule | None
    depth: int
    items: list[Needed] = field(default_factory=list)


class ServiceTables:
    """The tables of PS3.4, by number."""

    def __init__(self, folder: Path) -> None:
        self.rows: dict[str, list[dict[str, str]]] = {}
        with (folder / "ps3.04_service_attributes_2013.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                self.rows.setdefault(row["table"], []).append(row)

    def needed(self, service: Service) -> list[Needed]:
        """Give what a service asks of an object, or of what is sent of it."""
        found = tree(self._flat(service.table, service.column, service.role, 0))
        if service.id == "storage-commitment":
            found = _with_failures(found, tree(self._flat("J.3-2", service.column, 1, 0)))
        if service.table == "CC.2.5-3":
            found = [row for row in found if row.tag not in _SENT_ONLY]
        return [*(Needed(tag, "3", None, 0) for tag in _COMMON), *found]

    def final(self, service: Service) -> tuple[str, list[Needed]]:
        """Give what has to be there when a procedure step has come to its end, with the condition for that."""
        if service.table != "F.7.2-1":
            return "", []
        rows = self._flat(service.table, FINAL, 0, 0)
        return "PerformedProcedureStepStatus = COMPLETED / DISCONTINUED", [
            row for row in rows if row.type == "1" and not row.depth
        ]

    def _flat(self, table: str, column: str, role: int, depth: int) -> Iterator[Needed]:
        """Yield the attributes of a table, macros put in."""
        before: Needed | None = None
        for row in self.rows[table]:
            cells = json.loads(row["columns_json"])
            at = depth + int(row["depth"]) + cells.get("Attribute", "").count(">")
            at += (table, row["tag"]) in _ONE_DEEPER
            if macro := re.match(r"Include \[Table ([\w.-]+?)\]", row["name"]):
                inside = before is not None and before.depth == at and vr_of(int(before.tag, 16)) == "SQ"
                yield from self._flat(macro[1], column, role, at + inside)
            elif row["tag"] and (at > depth or row["tag"] not in _COMMON):
                before = _needed(_TAGS.get((table, row["tag"]), row["tag"]), cells, column, role, at)
                yield before


def _needed(tag: str, cells: dict[str, str], column: str, role: int, depth: int) -> Needed:
    cell = cells.get(column, "")
    first, _, remark = cell.partition("\n")
    types = re.split(r"[/ ]", first.strip())
    kind = types[min(role, len(types) - 1)]
    kind = _TYPES.get(kind, kind if kind in ("1", "1C", "2", "2C", "3") else "")
    rule = None
    final = cells.get(STATE, "")
    if kind in ("", "3") and final in (*_STATES, "RC"):
        kind, rule = "1C", Rule(_STATES[final], "*") if final in _STATES else UNKNOWN
    if kind.endswith("C") and rule is None:
        sentence = re.search(r"\(?(Required if .*)", remark or cell.replace("\n", " ") or "", re.DOTALL)
        text = sentence[1].rstrip(") ") if sentence else cells.get("Remark/Matching Type")
        if depth and (text or "").startswith("Required if sequence is present"):
            return Needed(tag, kind[0], None, depth)
        rule = rule_of(text)
        rule = rule._replace(allow="*") if rule.need == UNKNOWN.need else rule
    return Needed(tag, kind or "3", rule, depth)


def tree(rows: Iterable[Needed]) -> list[Needed]:
    """Put each row under the one that it is an item's of; a second row of the same attribute is left out."""
    top: list[Needed] = []
    open_rows: list[Needed] = []
    for row in rows:
        open_rows = open_rows[: row.depth]
        level = open_rows[-1].items if open_rows else top
        if row.tag in {other.tag for other in level}:
            row = next(other for other in level if other.tag == row.tag)
        else:
            level.append(row)
        open_rows.append(row)
    for level in (top, *(row.items for row in walk(top))):
        if "00080100" in {row.tag for row in level}:  # PS3.3 has later rules for codes
            level[:] = [row for row in level if not row.tag.startswith("000801")]
    return top


def walk(rows: list[Needed]) -> Iterator[Needed]:
    """Yield rows and all below them."""
    for row in rows:
        yield row
        yield from walk(row.items)


def _with_failures(request: list[Needed], result: list[Needed]) -> list[Needed]:
    """Join a request of storage commitment with its result: what was committed, what failed, or both."""
    failed = next(row for row in result if row.tag == "00081198")
    for row in request:
        if row.tag == "00081199":
            row.type, row.rule = "1C", Rule("no FailedSOPSequence", "*")
    failed.type, failed.rule = "1C", Rule("no ReferencedSOPSequence", "*")
    return [*request, failed, Needed("00080054", "3", None, 0)]
