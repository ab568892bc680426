"""The arguments of each command."""

from __future__ import annotations

import argparse

from dicomkit._version import __version__

EXAMPLES = """examples:
  dicomkit scan data/                                  what is in a folder, one line per series
  dicomkit scan data/ --by instance --out files.csv    every file as a table
  dicomkit show a.dcm --out a.png                      what a file is, and its picture
  dicomkit dump a.dcm --depth 1                        its elements as a tree
  dicomkit render a.dcm --frame 3 --window 40 400 --out a.png
  dicomkit montage ct/ --out ct.png                    many slices of a series in one picture
  dicomkit explain ct/                                 whether its slices make a regular volume
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line.

    Examples
    --------
    >>> parser().parse_args(["dump", "a.dcm", "--depth", "1"]).depth
    1
    """
    made = argparse.ArgumentParser(
        prog="dicomkit",
        description="Look at DICOM files: as tables, trees and pictures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"dicomkit {__version__}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)

    scan = commands.add_parser("scan", help="list what is in folders, files, zip archives or glob patterns")
    scan.add_argument("where", nargs="+", metavar="FOLDER")
    scan.add_argument(
        "--by",
        choices=("series", "study", "patient", "instance"),
        help="what a line stands for (default: series, or instance with --columns)",
    )
    scan.add_argument("--columns", nargs="+", metavar="KEYWORD", help="attributes to show instead of the usual ones")
    scan.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")
    scan.add_argument("--workers", type=int, metavar="N", help="worker processes")
    scan.add_argument(
        "--dicomdir", choices=("ignore", "use"), default="ignore", help="take the files that a DICOMDIR lists"
    )
    scan.add_argument("--cache", metavar="FILE", help="a .parquet file that remembers what was scanned")
    scan.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")

    dump = commands.add_parser("dump", help="print all elements of a file as a tree")
    dump.add_argument("file", metavar="FILE")
    dump.add_argument("--depth", type=int, metavar="N", help="levels of sequences to show; 1 for none")
    dump.add_argument("--rows", type=int, default=2000, metavar="N", help="lines to print at most (default: 2000)")

    show = commands.add_parser("show", help="say what a file is, in short, and write its picture")
    show.add_argument("file", metavar="FILE")
    show.add_argument("--out", metavar="FILE.png", help="where to write the picture")

    render = commands.add_parser("render", help="write a frame as a picture")
    render.add_argument("file", metavar="FILE")
    render.add_argument("--frame", type=int, default=0, metavar="N", help="which frame, from 0 (default: 0)")
    render.add_argument(
        "--window", type=float, nargs=2, metavar=("CENTER", "WIDTH"), help="instead of the window of the image"
    )
    render.add_argument("--out", required=True, metavar="FILE.png", help="where to write the picture")

    montage = commands.add_parser("montage", help="write many slices of a series as one picture")
    montage.add_argument("where", metavar="FOLDER")
    montage.add_argument("--series", metavar="UID", help="which series, where there are several")
    montage.add_argument("--count", type=int, default=24, metavar="N", help="slices at most (default: 24)")
    montage.add_argument(
        "--window", type=float, nargs=2, metavar=("CENTER", "WIDTH"), help="instead of the window of the header"
    )
    montage.add_argument("--out", required=True, metavar="FILE.png", help="where to write the picture")

    explain = commands.add_parser("explain", help="say whether slices make a regular volume, and what to do if not")
    explain.add_argument("where", metavar="FOLDER")
    explain.add_argument("--series", metavar="UID", help="only this series")
    explain.add_argument("--out", metavar="FILE.png", help="write a plot of steps and offsets")
    return made
