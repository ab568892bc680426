"""Compares dicomkit with its peers side by side in one run, and prints the ratios as Markdown.

Usage: python tests/benchmarks [--quick] [--full] [--only WORD] [--out FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cases_deidentify
import cases_delivery
import cases_encoding
import cases_frame
import cases_header
import cases_import
import cases_json
import cases_network
import cases_pixels
import cases_render
import cases_scan
import cases_volume
import cases_writing
import generate
from peers import versions
from report import page
from timing import Case, Outcome, measure

GROUPS = (
    "header",
    "scan",
    "volume",
    "frame",
    "render",
    "encoding",
    "pixels",
    "writing",
    "deidentify",
    "network",
    "delivery",
    "import",
)


def main() -> int:
    """Run the groups that were asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small data and few rounds: only to see that all runs")
    parser.add_argument("--full", action="store_true", help="also scan 20,000 files with two processes")
    parser.add_argument("--only", choices=GROUPS, action="append", help="run this group only (may be repeated)")
    parser.add_argument("--out", type=Path, help="write the page to this file as well")
    parser.add_argument("--keep", type=Path, help="keep the data in this folder, and use what is there")
    options = parser.parse_args()
    outcomes = []
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dicomkit-bench-") as temporary:
        for outcome in _outcomes(Path(options.keep or temporary), options):
            outcomes.append(outcome)
            print(f"{outcome.case.title}: {dict(outcome.seconds)}", file=sys.stderr, flush=True)
    slices, size = _size(options.quick)
    elements = f"{generate.TOP_LEVEL} elements ({generate.WITH_NESTED} with nested ones)"
    text = page(outcomes, versions(), f"{slices} slices of {size}x{size} int16 with {elements}.")
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0


def _size(quick: bool) -> tuple[int, int]:
    return (20, 128) if quick else (400, 512)


def _outcomes(folder: Path, options: argparse.Namespace) -> Iterator[Outcome]:
    wanted = options.only or GROUPS
    rounds = 2 if options.quick else None
    if "import" in wanted:
        yield cases_import.outcome(3 if options.quick else 15)
    for case in _cases(folder, options, wanted):
        yield measure(case, rounds)


def _cases(folder: Path, options: argparse.Namespace, wanted: tuple[str, ...]) -> Iterator[Case]:
    """Make the data of a group just before it is measured."""
    slices, size = _size(options.quick)
    if "header" in wanted or "volume" in wanted or "network" in wanted:
        series = _series(folder / "series", slices, size)
        if "header" in wanted:
            yield from cases_header.cases(series)
        if "volume" in wanted:
            cases_volume.check(series)
            yield from cases_volume.cases(series)
        if "network" in wanted:
            yield from cases_network.cases(series, folder / "network")
    if "scan" in wanted:
        files = _series(folder / "scan", 100 if options.quick else 2000, 96)
        large = folder / "scan-large" if options.full else None
        if large is not None and not large.exists():
            generate.links(files, large, 10)
        yield from cases_scan.cases(folder / "scan", large)
    if "frame" in wanted:
        path = folder / "enhanced.dcm"
        if not path.exists():
            generate.enhanced_ct(path, slices, size)
        yield from cases_frame.cases(path, slices, size)
    if "pixels" in wanted:
        yield from cases_pixels.cases(folder / "pixels", slices, size)
    if "render" in wanted:
        yield from cases_render.cases(_series(folder / "render", 2, size)[0])
    if "writing" in wanted or "encoding" in wanted:
        for edge in (96, size):
            files = _series(folder / f"writing{edge}", 20, edge)
            yield from cases_writing.cases(files, folder / f"written{edge}", edge)
        yield from cases_json.cases(_series(folder / "writing96", 20, 96)[0])
    if "deidentify" in wanted:
        files = _series(folder / "deidentify", 100 if options.quick else 1000, 96)
        yield from cases_deidentify.cases(files, folder / "deidentified")
    if "delivery" in wanted:
        few, many = (2_000, 10_000) if options.quick else (100_000, 1_000_000)
        yield from cases_delivery.cases(folder / "delivery", few, many)
    if "encoding" in wanted:
        known = folder / "encodings"
        yield from cases_encoding.cases(generate.encodings(known / str(len(list(folder.glob("encodings/*")))), size))


def _series(folder: Path, slices: int, size: int) -> list[Path]:
    return sorted(folder.glob("*.dcm")) if folder.exists() else generate.ct_series(folder, slices, size)


if __name__ == "__main__":
    sys.exit(main())
