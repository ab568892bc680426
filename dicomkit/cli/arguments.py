"""The arguments of each command."""

from __future__ import annotations

import argparse
from typing import Any

from dicomkit._version import __version__
from dicomkit.cli.delivering import EXAMPLES as DELIVERY_EXAMPLES
from dicomkit.cli.delivering import add_deliver
from dicomkit.cli.network_arguments import EXAMPLES as NETWORK_EXAMPLES
from dicomkit.cli.network_arguments import add_network
from dicomkit.cli.printing_arguments import EXAMPLES as PRINT_EXAMPLES
from dicomkit.cli.printing_arguments import add_print
from dicomkit.cli.procedure_arguments import EXAMPLES as PROCEDURE_EXAMPLES
from dicomkit.cli.procedure_arguments import add_procedure
from dicomkit.cli.queueing import EXAMPLES as QUEUE_EXAMPLES
from dicomkit.cli.queueing import add_queue
from dicomkit.cli.serving import EXAMPLES as SERVER_EXAMPLES
from dicomkit.cli.serving import add_serve

EXAMPLES = """examples:
  dicomkit scan data/                                  what is in a folder, one line per series
  dicomkit scan data/ --by instance --out files.csv    every file as a table
  dicomkit show a.dcm --out a.png                      what a file is, and its picture
  dicomkit dump a.dcm --depth 1                        its elements as a tree
  dicomkit render a.dcm --frame 3 --window 40 400 --out a.png
  dicomkit montage ct/ --out ct.png                    many slices of a series in one picture
  dicomkit explain ct/                                 whether its slices make a regular volume
  dicomkit convert a.dcm b.dcm --transfer-syntax JPEG2000Lossless
  dicomkit convert a.dcm b.dcm --charset "ISO_IR 192"  with all texts in UTF-8
  dicomkit json a.dcm --out a.json                     as DICOM JSON; --read makes a file of it again
  dicomkit dicomdir cd/ --make                         the DICOMDIR of a folder
  dicomkit validate a.dcm --level strict               what is wrong with it
  dicomkit diff a.dcm b.dcm                            in what two files differ
  dicomkit deidentify in/ out/ --dry-run               what would change
  dicomkit certify out/ in/ --key key                  whether something that identifies is left
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
        description="DICOM files as tables, trees and pictures; convert, check, de-identify, send and get them.",
        epilog=EXAMPLES
        + NETWORK_EXAMPLES
        + SERVER_EXAMPLES
        + PROCEDURE_EXAMPLES
        + PRINT_EXAMPLES
        + DELIVERY_EXAMPLES
        + QUEUE_EXAMPLES,
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
    _add_exchange(commands)
    add_network(commands)
    add_serve(commands)
    add_procedure(commands)
    add_print(commands)
    add_deliver(commands)
    add_queue(commands)
    return made


def _add_exchange(commands: Any) -> None:
    """The commands that write, convert, compare and check."""
    convert = commands.add_parser(
        "convert", aliases=["write"], help="write a file, in another transfer syntax or character set if asked"
    )
    convert.add_argument("file", metavar="FILE")
    convert.add_argument("out", metavar="OUT")
    convert.add_argument("--transfer-syntax", metavar="UID", help="UID or keyword, such as JPEG2000Lossless")
    convert.add_argument(
        "--charset", metavar="TERM", help=r"character set, such as 'ISO_IR 192' for UTF-8; several with \ between them"
    )
    convert.add_argument("--quality", type=float, metavar="Q", help="of a lossy compression")
    convert.add_argument("--lossy", action="store_true", help="allow that something is lost")
    convert.add_argument("--overwrite", action="store_true", help="let OUT be FILE itself")

    for form, name in (("json", "DICOM JSON"), ("xml", "Native DICOM Model XML")):
        document = commands.add_parser(form, help=f"write a file as {name}, or such a document as a file")
        document.add_argument("file", metavar="FILE")
        document.add_argument("--out", metavar="OUT", help="where to write it, instead of printing it")
        document.add_argument(
            "--read", action="store_true", help=f"FILE is {name}: write what it holds as the DICOM file --out"
        )
        document.add_argument(
            "--transfer-syntax", metavar="UID", help="with --read: in what its pixel data is encoded, where compressed"
        )

    diff = commands.add_parser("diff", help="list in what two files differ")
    diff.add_argument("before", metavar="FILE")
    diff.add_argument("after", metavar="FILE")
    diff.add_argument("--rows", type=int, default=2000, metavar="N", help="lines to print at most (default: 2000)")
    diff.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")

    validate = commands.add_parser("validate", help="list what is wrong with a file")
    validate.add_argument("file", metavar="FILE")
    validate.add_argument(
        "--level",
        choices=("minimal", "standard", "strict"),
        default="standard",
        help="what to look for: what keeps it from being used, what is forbidden (default), or what is doubtful too",
    )
    validate.add_argument(
        "--required", nargs="+", default=[], metavar="KEYWORD", help="attributes that must have a value besides"
    )
    validate.add_argument(
        "--sop-class", nargs="+", metavar="UID", help="the SOP classes that are allowed: UID or keyword"
    )
    validate.add_argument("--rows", type=int, default=2000, metavar="N", help="lines to print at most (default: 2000)")
    validate.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")

    deidentify = commands.add_parser("deidentify", help="de-identify a folder into another (PS3.15 E, basic profile)")
    deidentify.add_argument("where", metavar="FOLDER")
    deidentify.add_argument("to", metavar="OUT")
    _add_profile(deidentify)
    deidentify.add_argument("--workers", type=int, metavar="N", help="worker processes")
    deidentify.add_argument("--dry-run", action="store_true", help="write nothing: list what would change")
    deidentify.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    deidentify.add_argument("--out", metavar="FILE", dest="report", help="write the table to a file as well")

    certify = commands.add_parser("certify", help="search de-identified files for what identified the patients")
    certify.add_argument("where", metavar="OUT")
    certify.add_argument("originals", metavar="FOLDER", help="the originals")
    _add_profile(certify)
    certify.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    certify.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")

    dicomdir = commands.add_parser("dicomdir", help="list a file-set, or make the DICOMDIR of a folder")
    dicomdir.add_argument("where", metavar="FOLDER")
    dicomdir.add_argument("--make", action="store_true", help="write the DICOMDIR")
    dicomdir.add_argument("--to", metavar="OUT", help="copy the files to a new file-set (implies --make)")
    dicomdir.add_argument("--id", default="", metavar="TEXT", help="file-set ID, of up to 16 characters")
    dicomdir.add_argument("--update", action="store_true", help="keep the records that are there")
    dicomdir.add_argument("--overwrite", action="store_true", help="replace the DICOMDIR that is there")
    dicomdir.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")
    dicomdir.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")


def _add_profile(command: Any) -> None:
    """What a de-identification was asked to do, or is."""
    command.add_argument("--key", metavar="FILE", help="a file with the secret that pseudonyms are made with")
    command.add_argument("--option", nargs="+", default=[], metavar="NAME", help="such as retain_uids")
    command.add_argument(
        "--retain-dates", choices=("full", "modified"), help="keep dates, or shift those of a patient together"
    )
    command.add_argument(
        "--blank",
        nargs=4,
        type=int,
        action="append",
        metavar=("TOP", "LEFT", "BOTTOM", "RIGHT"),
        help="a rectangle to blank in every frame; several where it is there several times",
    )
