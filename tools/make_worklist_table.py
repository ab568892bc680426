"""Make the table of the keys of the modality worklist in dicomkit/standard/data.

Usage: python -m tools.make_worklist_table FOLDER [OUTPUT]

FOLDER holds ps3.04_service_attributes_2013.csv, extracted from the standard. A test makes the table again and compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dicomkit.standard.attributes import attribute
from tools.make_standard_tables import OUTPUT, read_csv, table

SOURCE = "PS3.4 2013 Table K.6-1: NEMA's part04.xml, as kept by michal-josef-spacek/dicom-standard (facts only)"


def worklist_keys(folder: Path) -> str:
    """Make the table: path, type as a matching key (R, O or -) and type as a return key of each attribute."""
    rows = []
    path: list[str] = []
    for row in read_csv(folder / "ps3.04_service_attributes_2013.csv"):
        if row["table"] != "K.6-1" or not row["tag"]:
            continue
        entry = attribute(int(row["tag"], 16))
        if entry is not None:
            path = [*path[: int(row["depth"])], entry.keyword]
            types = json.loads(row["columns_json"])
            rows.append("\t".join((".".join(path), types["Matching Key Type"], types["Return Key Type"])))
    return table("path matching type", SOURCE, rows)


def main(folder: str, output: str = str(OUTPUT)) -> None:
    """Write the table."""
    Path(output, "worklist_keys.tsv").write_text(worklist_keys(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
