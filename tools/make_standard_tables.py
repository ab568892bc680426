"""Make the tables in dicomkit/standard/data from a folder of tables extracted from the DICOM standard.

Usage: python tools/make_standard_tables.py FOLDER [OUTPUT]

FOLDER holds data_elements.csv, command_elements.csv, uids.csv and private_elements.csv. The output is meant to be
loaded fast and diffed well: tab-separated text in the order of the tags. A test makes the tables again and compares.
"""

from __future__ import annotations

import csv
import itertools
import re
import sys
import textwrap
from operator import itemgetter
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "dicomkit" / "standard" / "data"

COSYTE = "cosyte/dicom on GitHub, src/dictionary/generated/tags.ts (MIT), made from NEMA's part06.xml"
SHARPDICOM = "NEMA's part07.xml, as kept by jas88/SharpDicom on GitHub (facts only)"
FHIR = "DICOM WG-06, bvdh/dicom-terminology-in-fhir on GitHub, CodeSystem-dicom-uids.fsh (CC0)"
PRIVATE_SOURCES = {
    "pydicom-main/GDCM": ("p", "pydicom, main branch, _private_dict (MIT), which took them from GDCM"),
    "dcmtk-3.7.0": ("d", "DCMTK 3.7.0, private.dic (BSD)"),
    "dicom3tools(dcm4che)": ("t", "dicom3tools, elmdict templates as kept by dcm4che-dict (BSD)"),
}
# What the source appends to the names of the standard, and where it has other keywords or types than PS3.6.
NAME_APPENDIX = re.compile(
    r" from IOD specification .*| : .*TemplateID from PS3\.20|(^| )with identifier.*| ?\(Retired\).*"
)
UID_KEYWORDS = Path(__file__).parent / "uid_keywords.tsv"
UID_TYPES = {
    "COLOR_PALLETTE": "Well-known SOP Instance",
    "Wellknown Frame Of Reference": "Well-known Frame of Reference",
}
PRIVATE_VR_SPELLINGS = {"US or SS": "US|SS", "OB_OW": "OB|OW"}

ABOUT = """\
# Tables of the DICOM standard

Written by `tools/make_standard_tables.py`; do not edit by hand. Lines that start with `#` are remarks; the first of
them names the columns. Values are separated by tabs, the text is UTF-8. NEMA holds the copyright in the standard;
these are facts taken from it by way of the sources named here.

{origins}
{notes}
"""

ORIGINS = [
    ("File", "Rows", "Edition", "Origin (licence)"),
    ("---",) * 4,
    ("attributes.tsv", "{elements} data elements (tables 6-1, 7-1, 8-1, 9-1)", "PS3.6 2026c, complete", COSYTE),
    ("attributes.tsv", "{commands} command elements (tables E.1-1, E.2-1)", "PS3.7 2025e, complete", SHARPDICOM),
    ("uids.tsv", "{uids} UIDs (annex A)", "PS3.6 2026b; {late} SOP classes of 2026c, without keyword", FHIR),
    ("directory_records.tsv", "31 kinds of directory records (F.4, F.5)", "PS3.3 2020", "the text of PS3.3, by hand"),
    ("private.tsv", "{privates} private attributes of {creators} creators", "none", "{private_origins}"),
]
NOTES = """
attributes.tsv: `x` in a tag stands for any hexadecimal digit (repeating groups). `US|SS` means "US or SS". The
{nameless} retired tags without name are printed so in PS3.6; items and delimiters (FFFE) have no VR.

uids.tsv: what the source appends to names ("from IOD specification ...", "(Retired)") is removed, "(Retired)" sets the
flag, and "Default Transfer Syntax ..." stands in the note. {corrected} keywords come from pydicom 3.0.2 (MIT;
`tools/uid_keywords.tsv`), because the source has others than PS3.6. Context groups have no keyword; their number is in
the note ("CID 29"). {nameless_uids} UIDs, all but one retired, have lost their name.

directory_records.tsv is the one that no tool writes: for each kind of record of a DICOMDIR its level, keys with their
types, and the SOP classes that it refers to, all others being images. The two letters for file names are our own.

private.tsv: one block of lines a creator, the creator on the first, blocks separated by an empty line. `xx` is the
block number. `source` is p (pydicom and GDCM), d (DCMTK) or t (dicom3tools); the first of them that knows an attribute
wins. Names are as the source has them ("?" and "Unknown" occur); the VRs "US or SS" and "OB_OW" are written `US|SS` and
`OB|OW`. The {blocks} rows with a tag such as `001910xx` describe a block, not an attribute: they are kept, and no
look-up returns them.
"""


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header row."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(columns: str, origin: str, rows: list[str]) -> str:
    """Lay out a table: the names of the columns, where it comes from, the rows."""
    return "\n".join(["# " + "\t".join(columns.split()), f"# {origin}", *rows]) + "\n"


def mask(tag: str) -> str:
    """Write a tag with upper-case digits and a lower-case x."""
    return tag.upper().replace("X", "x")


def attribute_rows(elements: list[dict[str, str]], commands: list[dict[str, str]]) -> list[str]:
    """Lines of tag, keyword, name, VR, VM and retired, in the order of the tags."""
    rows = sorted(commands + elements, key=lambda row: mask(row["tag"]))
    return ["\t".join([mask(row["tag"]), *itemgetter("keyword", "name", "vr", "vm", "retired")(row)]) for row in rows]


def uid_rows(uids: list[dict[str, str]]) -> list[str]:
    """Lines of UID, name, keyword, note, type and retired, in the order of the source."""
    corrections = dict(line.split("\t", 1) for line in UID_KEYWORDS.read_text(encoding="utf-8").splitlines()[2:])
    rows = []
    for row in uids:
        name = NAME_APPENDIX.sub("", row["name"])
        keyword = "" if row["type"] == "Context Group UID" else row["keyword"].strip("-")
        if row["uid"] in corrections:
            keyword, _, better_name = corrections[row["uid"]].partition("\t")
            name = better_name or name
        context_group = re.search(r"CID \d+", row["name"])
        name, _, default = name.partition(": Default")
        note = row["note"] or ("Default" + default if default else context_group[0] if context_group else "")
        retired = "Y" if "(Retired)" in row["name"] else row["retired"]
        rows.append("\t".join([row["uid"], name, keyword, note, UID_TYPES.get(row["type"], row["type"]), retired]))
    return rows


def private_rows(privates: list[dict[str, str]]) -> list[str]:
    """Blocks of lines: the creator, then tag, name, VR, VM and source of each of its attributes."""
    rows: list[str] = []
    ordered = sorted(privates, key=lambda row: (row["creator"], row["tag"].lower()))
    for creator, members in itertools.groupby(ordered, key=lambda row: row["creator"]):
        rows += ["", creator]
        for row in members:
            vr = PRIVATE_VR_SPELLINGS.get(row["vr"], row["vr"])
            source = PRIVATE_SOURCES[row["source"]][0]
            rows.append("\t".join([mask(row["tag"]), row["name"], vr, row["vm"], source]))
    return rows


def make_tables(folder: Path) -> dict[str, str]:
    """Make the text of every file of the data folder, by file name."""
    elements, commands = read_csv(folder / "data_elements.csv"), read_csv(folder / "command_elements.csv")
    uids, privates = read_csv(folder / "uids.csv"), read_csv(folder / "private_elements.csv")
    facts = {
        "elements": f"{len(elements):,}",
        "commands": len(commands),
        "uids": f"{len(uids):,}",
        "late": sum("2026c" in row["note"] for row in uids),
        "corrected": len(UID_KEYWORDS.read_text(encoding="utf-8").splitlines()) - 2,
        "nameless_uids": sum(not NAME_APPENDIX.sub("", row["name"]) for row in uids),
        "privates": f"{len(privates):,}",
        "creators": len({row["creator"] for row in privates}),
        "nameless": sum(not row["name"] for row in elements),
        "blocks": sum(row["tag"].endswith("xx") for row in privates),
        "private_origins": "; ".join(origin for _, origin in PRIVATE_SOURCES.values()),
    }
    origins = "".join(f"| {' | '.join(row)} |\n" for row in ORIGINS).format(**facts)
    notes = "\n\n".join(textwrap.fill(note, 120) for note in NOTES.format(**facts).strip().split("\n\n"))
    about = ABOUT.format(origins=origins, notes=notes)
    return {
        "README.md": about,
        "attributes.tsv": table(
            "tag keyword name vr vm retired",
            f"PS3.6 2026c: {COSYTE}. PS3.7 2025e: {SHARPDICOM}.",
            attribute_rows(elements, commands),
        ),
        "uids.tsv": table("uid name keyword note type retired", f"PS3.6 2026b: {FHIR}.", uid_rows(uids)),
        "private.tsv": table(
            "tag name vr vm source",
            "; ".join(f"{letter}: {origin}" for letter, origin in PRIVATE_SOURCES.values()),
            private_rows(privates),
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
