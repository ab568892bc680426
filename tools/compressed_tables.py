"""Find which pixels Pixel Data of each compression may hold (PS3.5 8.2)."""

from __future__ import annotations

import re
from typing import Any

# The tables of PS3.5 8.2 that say which pixels a compression holds; RLE's table does not name its transfer syntax.
COMPRESSED_TABLES = ("8.2.1-1", "8.2.1-2", "8.2.2-1", "8.2.3-1", "8.2.4-1", "8.2.14-1", "8.2.15-1")
RLE = "1.2.840.10008.1.2.5"
# What its sections 8.2.5 to 8.2.11 say of video in prose: the last parts of UIDs, section, photometric interpretation,
# bits allocated, bits stored.
VIDEO = """
100 100.1                   8.2.5  YBR_PARTIAL_420              8  8
101 101.1                   8.2.6  YBR_PARTIAL_420/MONOCHROME2  8  8
102 102.1 103 103.1         8.2.7  YBR_PARTIAL_420              8  8
104 104.1 105 105.1 106 106.1  8.2.8  YBR_PARTIAL_420           8  8
107                         8.2.10 YBR_PARTIAL_420              8  8
108                         8.2.11 YBR_PARTIAL_420              16 10
"""


def compressed_rows(tables: list[dict[str, Any]]) -> list[str]:
    """Write which pixels each compression holds."""
    rows = []
    for found in tables:
        if found["label"] in COMPRESSED_TABLES:
            for cells in found["rows"]:
                photometric, *rest = cells if found["label"] == "8.2.2-1" else (cells[0], *cells[2:])
                uid, rest = (RLE, rest) if found["label"] == "8.2.2-1" else (rest[0], rest[1:])
                samples, planar, representation, allocated, stored, _ = (numbers(cell) for cell in rest)
                for name in photometric.split("\n"):
                    row = (uid, found["section"], name, samples, planar, representation, allocated, stored)
                    rows.append("\t".join(row))
    for line in VIDEO.strip().splitlines():
        *endings, section, photometric, allocated, stored = line.split()
        for ending in endings:
            for name in photometric.split("/"):
                uid = f"1.2.840.10008.1.2.4.{ending}"
                rows.append("\t".join((uid, section, name, "3", "0", "0", allocated, stored)))
    return rows


def numbers(cell: str) -> str:
    """Write a list of numbers: "8, 16 or 24" as "8,16,24", "1-16" as it is, "absent" as nothing."""
    return "" if cell == "absent" else ",".join(re.findall(r"\d+(?:-\d+)?", cell))
