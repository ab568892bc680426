"""Make the tables of the upper layer, the DIMSE commands and the statuses in dicomkit/standard/data.

Usage: python -m tools.make_dimse_tables FOLDER [OUTPUT]

FOLDER holds ps3.08_tables_2013.json, ps3.07_tables_2025e.json, command_elements.csv and status_codes.csv, all extracted
from the standard. A test makes the tables again and compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tools.make_standard_tables import OUTPUT, read_csv, table

Tables: TypeAlias = dict[str, list[list[str]]]

PART7 = "PS3.7 2025e: NEMA's part07.xml, as kept by jas88/SharpDicom on GitHub (facts only)"
PART8 = "PS3.8 2013: NEMA's part08.xml (facts only)"
PART4 = "PS3.4 2013: NEMA's part04.xml, as kept by michal-josef-spacek/dicom-standard on GitHub (facts only)"

# Slips of the pen in the source.
SPELLINGS = {
    "Nest state": "Next state",
    "STA13": "Sta13",
    "Confirmn": "Confirmation",
    "inititat": "initiat",
    "temporary-congestio": "temporary-congestion",
    "source-)": "source)",
    "collision) :-": "collision):",
    "abort) :-": "abort):",
    "service provided": "service-provider",
}


def read_tables(path: Path) -> Tables:
    """Read the rows of every table that has a label, by its label."""
    tables: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {entry["label"]: entry["rows"] for entry in tables if entry["label"]}


def plain(text: str) -> str:
    """Put a text on one line, with the blanks that the source lost where two paragraphs met."""
    for wrong, right in SPELLINGS.items():
        text = text.replace(wrong, right)
    text = re.sub(r"\s*[,;]?\s*Next state is", ". Next state is", text)
    text = re.sub(r"\s*otherwise", "; otherwise", re.sub(r"(?<=\d)- if not", "; if not", text))
    text = re.sub(r"(?<=[):])\s*-\s*(?=issue|if )", " ", text)
    return " ".join(text.split())


def state_rows(part8: Tables) -> list[str]:
    """Lines of event, state, action and next states, for each cell that has an action."""
    rows = []
    for event, cells in enumerate(part8["9-10"], 1):
        for state, cell in enumerate(cells[1:], 1):
            if cell:
                action, next_states = cell.split("\n")
                rows.append(f"{state}\t{event}\t{action}\t{' '.join(re.findall(r'[0-9]+', next_states))}")
    return rows


def text_rows(part8: Tables) -> list[str]:
    """Lines of kind, number or name, and text: states, events and actions."""
    rows = []
    for label in ("9-1", "9-2", "9-3", "9-4", "9-5"):
        rows += [f"state\t{name.replace(' ', '')}\t{plain(text)}" for name, text in part8[label]]
    rows += [f"event\tEvt{number}\t{plain(cells[0])}" for number, cells in enumerate(part8["9-10"], 1)]
    for label in ("9-6", "9-7", "9-8", "9-9"):
        rows += [f"action\t{name}\t{plain(text)}" for name, text in part8[label]]
    return rows


def reason_rows(part8: Tables) -> list[str]:
    """Lines of field, source, number and text: why an association or a presentation context was refused or ended."""
    fields = [
        ("reject result", "9-21", "Result"),
        ("reject source", "9-21", "Source"),
        ("reject reason", "9-21", "Reason/Diag."),
        ("abort source", "9-26", "Source"),
        ("abort reason", "9-26", "Reason/Diag.,"),
        ("context result", "9-18", "Result/Reason"),
    ]
    rows = []
    for field, label, name in fields:
        [text] = [description for _, title, description in part8[label] if title == name]
        source = 0
        text = re.sub(r"(?<=specified)(?=1 - )", "\n", text).partition("\nNote")[0]
        for line in text.split("\n"):
            if heading := re.search(r"If the Source field has the value \((\d)\)", line):
                source = int(heading[1])
            entry = re.match(r"(\d+)(?:-(\d+))? - (.*)", line)
            if entry and (field, source) != ("abort reason", 0):
                for number in range(int(entry[1]), int(entry[2] or entry[1]) + 1):
                    rows.append(f"{field}\t{source}\t{number}\t{plain(entry[3])}")
    return rows


def command_rows(part7: Tables, keywords: dict[str, str]) -> Iterator[str]:
    """Lines of command, command field, tag, keyword, requirement, in the order of the tables.

    The requirement of an element is that of the service parameter of the same name; what only the protocol needs is M.
    """
    for label in (*(f"9.3-{n}" for n in range(1, 14)), *(f"10.3-{n}" for n in range(1, 13))):
        rows = part7[label]
        [said] = [row[4] for row in rows if row[0] == "Command Field"]
        found = re.search(r"set to (?:the value of )?([0-9A-F]{4})H for the (\S+) Message", said)
        if not found:
            raise ValueError(f"{label}: {said}")
        field, name = found.groups()
        service = re.sub(r"-(RQ|RSP)$", "", name).replace("C-CANCEL-", "C-")
        parameters = parameters_of(part7, service)
        column = 2 if name.startswith("C-CANCEL") else 0 if name.endswith("RQ") else 1
        for row in rows:
            tag = re.sub(r"[(),]", "", row[1])
            element = keywords.get(tag, "")
            parameter = parameters.get(SAME_PARAMETER.get(row[0], row[0]))
            requirement = parameter[column].removesuffix("(=)") if parameter else "M"
            yield "\t".join([name, field, tag if element else "", element or row[0].replace(" ", ""), requirement])


SAME_PARAMETER = {
    "Number of Remaining Suboperations": "Number of Remaining Sub-operations",
}


def parameters_of(part7: Tables, service: str) -> dict[str, list[str]]:
    """Give the usage of each parameter of a service, by its name."""
    found = {}
    for label, rows in part7.items():
        if re.fullmatch(r"(9|10)\.1-\d", label) and label in SERVICES and SERVICES[label] == service:
            found = {row[0]: row[1:] for row in rows}
    return found


SERVICES = {
    "9.1-1": "C-STORE",
    "9.1-2": "C-FIND",
    "9.1-3": "C-GET",
    "9.1-4": "C-MOVE",
    "9.1-5": "C-ECHO",
    "10.1-1": "N-EVENT-REPORT",
    "10.1-2": "N-GET",
    "10.1-3": "N-SET",
    "10.1-4": "N-ACTION",
    "10.1-5": "N-CREATE",
    "10.1-6": "N-DELETE",
}


# The service of each table of PS3.4, as "SERVICE CLASS OPERATION"; those of PS3.4 B and C go by their operation alone.
STATUS_TABLES = {
    "B.2-1": "C-STORE",
    "C.4-1": "C-FIND",
    "C.4-2": "C-MOVE",
    "C.4-3": "C-GET",
    "F.7.2-2": "MPPS N-SET",
    "F.8.2-2": "MPPS N-GET",
    "H.4.1.2.1.2-1": "Basic Film Session N-CREATE",
    "H.4-4": "Basic Film Session N-ACTION",
    "H.4.2.2.1.2-1": "Basic Film Box N-CREATE",
    "H.4-9": "Basic Film Box N-ACTION",
    "H.4.3.1.2.1.2-1": "Basic Grayscale Image Box N-SET",
    "H.4.3.2.2.1.2-1": "Basic Color Image Box N-SET",
    "H.4.9.2.1.2-1": "Presentation LUT N-CREATE",
    "K.4-1": "Worklist C-FIND",
    "P.2-3": "Procedural Event Logging N-ACTION",
    "P.3-3": "Substance Administration Logging N-ACTION",
    "Q.2-1": "Relevant Patient Information C-FIND",
    "S.3.2.2.4-1": "Media Creation N-ACTION",
    "S.3.2.3.4-1": "Media Creation N-ACTION",
    "S.3.2.4.4-1": "Media Creation N-GET",
    "T.4-1": "Hanging Protocol C-STORE",
    "V.4-1": "Substance Administration C-FIND",
    "W.4-1": "Color Palette C-STORE",
    "Y.4-1": "Instance Root C-MOVE",
    "Y.4-2": "Instance Root C-GET",
    "Z.4-1": "Composite Instance Root C-GET",
    "CC.2.1-2": "UPS N-ACTION",
    "CC.2.2-2": "UPS N-ACTION",
    "CC.2.3-3": "UPS N-ACTION",
    "CC.2.5-4": "UPS N-CREATE",
    "CC.2.6-1": "UPS N-SET",
    "CC.2.7-1": "UPS N-GET",
    "CC.2.8-2": "UPS C-FIND",
    "DD.3.2.1.2-1": "RT Machine Verification N-CREATE",
    "DD.3.2.1.2-2": "RT Machine Verification N-SET",
    "DD.3.2.2.3-1": "RT Machine Verification N-GET",
    "DD.3.2.3-2": "RT Machine Verification N-ACTION",
}
# Failure Reason (0008,1197) of a storage commitment (PS3.3 C.14.1.1).
COMMITMENT_REASONS = {
    "0110": "Processing failure",
    "0112": "No such object instance",
    "0119": "Class/Instance conflict",
    "0122": "Referenced SOP Class not supported",
    "0131": "Duplicate transaction UID",
    "0213": "Resource limitation",
}
# What a status says of another try, by its meaning; the first that fits.
NATURES = [
    (r"out of resources|resource limitation|queue is full|insufficient memory|cannot be contacted", "transient"),
    (r"cannot currently process", "transient"),
    (r"not authorized", "security"),
    (r"move destination unknown|AE-TITLE is unknown|SOP class not supported|does not support event", "configuration"),
    (r"may no longer be updated", "permanent"),
    (r"unable to process|processing failure|unspecified reason|unable to extract", ""),
    (r".", "permanent"),
]
CATEGORIES = ("Success", "Pending", "Cancel", "Warning", "Failure")
RANGES = [
    ("0000", "Success"),
    ("0001", "Warning"),
    ("0107", "Warning"),
    ("0116", "Warning"),
    ("01xx", "Failure"),
    ("02xx", "Failure"),
    ("Axxx", "Failure"),
    ("Bxxx", "Warning"),
    ("Cxxx", "Failure"),
    ("FE00", "Cancel"),
    ("FF00", "Pending"),
    ("FF01", "Pending"),
]


def nature(category: str, meaning: str) -> str:
    """Tell whether it is worth to try again, where that is evident."""
    if category != "Failure":
        return ""
    return next(kind for pattern, kind in NATURES if re.search(pattern, meaning, re.IGNORECASE))


def cells_of_status(cells: list[str]) -> tuple[str, str]:
    """Give code and meaning of a row of a status table, whatever the order of its columns."""
    codes = [found[0] for cell in cells if (found := re.match(r"[0-9A-F]{4}\b|[ABC][0-9A-F]?xxx?\b", cell))]
    if not codes and any("C000 through CFFF" in cell for cell in cells):
        codes = ["Cxxx"]
    texts = [
        plain(cell)
        for cell in cells
        if re.search("[a-w]{2}", cell)
        and cell not in (*CATEGORIES, "Identifier", "None")
        and "C000 through" not in cell
    ]
    return codes[0], ": ".join(texts)


def status_rows(codes: list[dict[str, str]], tables: Tables) -> list[str]:
    """Lines of service, code, category, nature and meaning: those of PS3.7, by service, and the ranges of PS3.7."""
    found = {
        ("", row["codes"]): (row["class"], row["meaning"])
        for row in codes
        if row["service"] == "general" and row["codes"]
    }
    for label, service in STATUS_TABLES.items():
        category = ""
        for cells in tables[label]:
            category = next((cell for cell in cells if cell in CATEGORIES), category)
            code, meaning = cells_of_status(cells)
            known = found.get((service, code), ("", ""))[1]
            if known and known.rstrip(".") != meaning.rstrip("."):
                meaning = f"{known}; or: {meaning}"
            found[service, code] = category, meaning or category
    found |= {("Storage Commitment", code): ("Failure", meaning) for code, meaning in COMMITMENT_REASONS.items()}
    rows = [
        "\t".join([service, code, category, nature(category, meaning), meaning])
        for (service, code), (category, meaning) in found.items()
    ]
    return rows + [f"range\t{code}\t{category}\t\t" for code, category in RANGES]


ABOUT = """\
# Tables of the upper layer, the DIMSE messages and their statuses

Written by `tools/make_dimse_tables.py`; do not edit by hand. NEMA holds the copyright in the standard; these are facts
taken from it by way of the sources named in the second line of each file.

| File | Rows | Edition |
| --- | --- | --- |
| upper_layer_states.tsv | {states} cells of Table 9-10 that have an action | PS3.8 2013 |
| upper_layer_actions.tsv | 13 states, 19 events, 28 actions | PS3.8 2013 |
| upper_layer_reasons.tsv | {reasons} values of Tables 9-18, 9-21 and 9-26 | PS3.8 2013 |
| dimse_commands.tsv | {elements} elements of 25 messages | PS3.7 2025e |
| statuses.tsv | {statuses} statuses of {services} services, and ranges | PS3.7 2025e, PS3.4 2013, PS3.3 2020b |

upper_layer_states.tsv: an action with two next states (AE-6, AR-8) has both, in the order of its text.

dimse_commands.tsv: an element's requirement is that of the service parameter of the same name; what only the protocol
needs (lengths, command field, data set type) is M. A row without tag is the data set. The three messages that cancel
are listed as the standard has them; the look-up makes one of them.

statuses.tsv: `x` in a code stands for any hexadecimal digit. An empty service is PS3.7 annex C, `range` its convention
of classes; `Storage Commitment` has the values of Failure Reason (0008,1197). Where tables of one service give a code
several meanings, all are given. `nature` is a reading of ours of the meaning, not a fact of the standard.

Slips of the pen in the texts of the source are corrected ({spellings}).
"""


def make_tables(folder: Path) -> dict[str, str]:
    """Make the text of every file, by file name."""
    tables = make_data(folder)
    rows = {name: [line.split("\t") for line in text.splitlines()[2:]] for name, text in tables.items()}
    about = ABOUT.format(
        states=len(rows["upper_layer_states.tsv"]),
        reasons=len(rows["upper_layer_reasons.tsv"]),
        elements=len(rows["dimse_commands.tsv"]),
        statuses=len(rows["statuses.tsv"]),
        services=len({row[0] for row in rows["statuses.tsv"]} - {"", "range"}),
        spellings=len(SPELLINGS),
    )
    return {"README_dimse.md": about, **tables}


def make_data(folder: Path) -> dict[str, str]:
    """Make the text of every table, by file name."""
    part7, part8 = read_tables(folder / "ps3.07_tables_2025e.json"), read_tables(folder / "ps3.08_tables_2013.json")
    keywords = {row["tag"]: row["keyword"] for row in read_csv(folder / "command_elements.csv")}
    return {
        "upper_layer_states.tsv": table("state event action next_states", f"Table 9-10 of {PART8}.", state_rows(part8)),
        "upper_layer_actions.tsv": table("kind name text", f"Tables 9-1 to 9-10 of {PART8}.", text_rows(part8)),
        "upper_layer_reasons.tsv": table(
            "field source number text", f"Tables 9-18, 9-21 and 9-26 of {PART8}.", reason_rows(part8)
        ),
        "dimse_commands.tsv": table(
            "command field tag keyword requirement",
            f"Tables 9.1-x, 9.3-x, 10.1-x and 10.3-x of {PART7}.",
            list(command_rows(part7, keywords)),
        ),
        "statuses.tsv": table(
            "service code category nature meaning",
            f"Annex C of {PART7}. Status tables of {PART4}. Failure Reason: PS3.3 2020b C.14.1.1. nature: ours.",
            status_rows(read_csv(folder / "status_codes.csv"), read_tables(folder / "ps3.04_tables_2013.json")),
        ),
    }


def main() -> None:
    """Write the tables."""
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT
    for name, text in make_tables(Path(sys.argv[1])).items():
        (output / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{output / name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
