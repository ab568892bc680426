"""Make the tables of the confidentiality profile in dicomkit/standard/data from tables extracted from the standard.

Usage: python tools/make_confidentiality_tables.py FOLDER [OUTPUT]

FOLDER holds confidentiality_profile.csv, deid_safe_private_attributes.csv, deid_clean_structured_content.csv and
context_groups.json. A test makes the tables again and compares.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "dicomkit" / "standard" / "data"

PART15 = "NEMA's part15.xml, as kept by cosyte/dicom on GitHub, vendor/nema/part15 (facts only)"
FHIR = "DICOM WG-06, bvdh/dicom-terminology-in-fhir on GitHub (CC0)"
# The columns of the options in the source, and what they are called in ours.
OPTIONS = {
    "rtn_safe_priv_opt": "retain_safe_private",
    "rtn_uids_opt": "retain_uids",
    "rtn_dev_id_opt": "retain_device_identity",
    "rtn_inst_id_opt": "retain_institution_identity",
    "rtn_pat_chars_opt": "retain_patient_characteristics",
    "rtn_long_full_dates_opt": "retain_full_dates",
    "rtn_long_modif_dates_opt": "retain_modified_dates",
    "clean_desc_opt": "clean_descriptors",
    "clean_struct_cont_opt": "clean_structured_content",
    "clean_graph_opt": "clean_graphics",
}
CONTENT_OPTIONS = {
    "Rtn. UIDs Opt.": "retain_uids",
    "Rtn. Dev. Id. Opt.": "retain_device_identity",
    "Rtn. Inst. Id. Opt.": "retain_institution_identity",
    "Rtn. Pat. Chars. Opt.": "retain_patient_characteristics",
    "Rtn. Long. Full Dates Opt.": "retain_full_dates",
    "Rtn. Long. Modif. Dates Opt.": "retain_modified_dates",
    "Clean Desc. Opt.": "clean_descriptors",
}
PRIVATE_ATTRIBUTES = "ggggeeee(gggg odd)"
METHODS_CID = "7050"

ABOUT = """\
# Tables of the confidentiality profile

Written by `tools/make_confidentiality_tables.py`; do not edit by hand. Lines that start with `#` are remarks; the first
of them names the columns. Values are separated by tabs, the text is UTF-8. NEMA holds the copyright in the standard;
these are facts taken from it by way of the sources named here.

| File | Rows | Edition | Origin (licence) |
| --- | --- | --- | --- |
| confidentiality.tsv | {attributes} attributes (table E.1-1) | PS3.15 2026c | {part15} |
| safe_private.tsv | {privates} private attributes of {creators} creators (table E.3.10-1) | PS3.15 2026c | the same |
| confidentiality_content.tsv | {contents} concept names (table E.3.4-1) | PS3.15 2026c | the same |
| deidentification_methods.tsv | {methods} codes (CID 7050) | PS3.16 2026b | {fhir} |

confidentiality.tsv: the action of the basic profile, then that of each option, empty where it says nothing. `x` in a
tag stands for any hexadecimal digit. The row of all private attributes is left out: they are removed unless the option
to retain the safe ones is taken. Actions: D dummy, Z empty or dummy, X remove, K keep, C clean, U replace a UID; pairs
such as X/Z/D by the type of the attribute in the IOD (table E.1-1a).

safe_private.tsv: `xx` is the block number. The clean pixel data and clean recognizable visual features options have no
column in the standard.
"""


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header row."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(columns: Iterable[str], origin: str, rows: Iterable[Iterable[str]]) -> str:
    """Lay out a table: the names of the columns, where it comes from, the rows."""
    lines = ["# " + "\t".join(columns), f"# {origin}", *("\t".join(row) for row in rows)]
    return "\n".join(lines) + "\n"


def attribute_rows(profile: list[dict[str, str]]) -> list[list[str]]:
    """Tag, name, action of the basic profile, actions of the options."""
    return [
        [
            row["tag"].upper().replace("X", "x"),
            re.sub(r" \(see Note \d+\)", "", row["name"]),
            row["basic_prof"],
            *(row[option] for option in OPTIONS),
        ]
        for row in sorted(profile, key=lambda row: row["tag"].upper())
        if row["tag"] != PRIVATE_ATTRIBUTES
    ]


def private_rows(privates: list[dict[str, str]]) -> list[list[str]]:
    """Creator, tag, VR, VM and meaning."""
    rows = [
        [
            row["Private Creator"],
            re.sub(r"[^0-9A-Fx]", "", row["Data Element"]),
            row["VR"],
            row["VM"],
            " ".join(row["Meaning"].split()),
        ]
        for row in privates
    ]
    return sorted(rows)


def content_rows(contents: list[dict[str, str]]) -> list[list[str]]:
    """Coding scheme, code value, meaning, value type, action of the basic profile, actions of the options."""
    keys = ("Coding Scheme Designator", "Code Value", "Code Meaning", "Value Type", "Basic Prof.", *CONTENT_OPTIONS)
    return sorted([row[key] for key in keys] for row in contents)


def make_tables(folder: Path) -> dict[str, str]:
    """Make the text of every file, by file name."""
    profile = read_csv(folder / "confidentiality_profile.csv")
    privates = read_csv(folder / "deid_safe_private_attributes.csv")
    contents = read_csv(folder / "deid_clean_structured_content.csv")
    groups = json.loads((folder / "context_groups.json").read_text(encoding="utf-8"))
    methods = groups[METHODS_CID]["codes"]
    attributes = attribute_rows(profile)
    return {
        "confidentiality.md": ABOUT.format(
            attributes=len(attributes),
            privates=len(privates),
            creators=len({row["Private Creator"] for row in privates}),
            contents=len(contents),
            methods=len(methods),
            part15=PART15,
            fhir=FHIR,
        ),
        "confidentiality.tsv": table(
            ("tag", "name", "basic", *OPTIONS.values()), f"PS3.15 2026c table E.1-1: {PART15}.", attributes
        ),
        "safe_private.tsv": table(
            ("creator", "tag", "vr", "vm", "meaning"),
            f"PS3.15 2026c table E.3.10-1: {PART15}.",
            private_rows(privates),
        ),
        "confidentiality_content.tsv": table(
            ("scheme", "value", "meaning", "value_type", "basic", *CONTENT_OPTIONS.values()),
            f"PS3.15 2026c table E.3.4-1: {PART15}.",
            content_rows(contents),
        ),
        "deidentification_methods.tsv": table(
            ("scheme", "value", "meaning"), f"PS3.16 2026b CID 7050: {FHIR}.", [list(code) for code in methods]
        ),
    }


def main() -> None:
    """Write the tables."""
    folder = Path(sys.argv[1])
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT
    output.mkdir(parents=True, exist_ok=True)
    for name, text in make_tables(folder).items():
        (output / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{output / name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
