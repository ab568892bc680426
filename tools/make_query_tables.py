"""Make the table of the keys of queries in dicomkit/standard/data.

Usage: python -m tools.make_query_tables FOLDER [OUTPUT]

FOLDER holds ps3.04_service_attributes_2013.csv, extracted from the standard. A test makes the table again and compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dicomkit.standard.attributes import attribute
from tools.make_standard_tables import OUTPUT, read_csv, table

LEVELS = {"C.6-1": "PATIENT", "C.6-2": "STUDY", "C.6-3": "SERIES", "C.6-4": "IMAGE"}
SOURCE = (
    "PS3.4 2013 Tables C.6-1 to C.6-4: NEMA's part04.xml, as kept by michal-josef-spacek/dicom-standard (facts only)"
)


def query_keys(folder: Path) -> str:
    """Make the table: level, keyword and type (U unique, R required, O optional) of the attributes at the top."""
    rows = []
    for row in read_csv(folder / "ps3.04_service_attributes_2013.csv"):
        if row["table"] in LEVELS and row["depth"] == "0" and row["tag"]:
            entry = attribute(int(row["tag"], 16))
            if entry is not None:
                rows.append("\t".join((LEVELS[row["table"]], entry.keyword, json.loads(row["columns_json"])["Type"])))
    return table("level keyword type", SOURCE, rows)


def main(folder: str, output: str = str(OUTPUT)) -> None:
    """Write the table."""
    Path(output, "query_keys.tsv").write_text(query_keys(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
