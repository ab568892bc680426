"""The arguments of the command that prints films."""

from __future__ import annotations

from typing import Any

from dicomkit.cli.network_arguments import with_peer

EXAMPLES = """  dicomkit print FILM1@printer.local:104 ct/ --layout 4x3 --film-size 14INX17IN
  dicomkit print FILM1@printer.local:104 --status      how the printer is
"""


def add_print(commands: Any) -> None:
    """Add the command."""
    made = with_peer(commands.add_parser("print", help="print images on films"))
    made.add_argument("where", nargs="*", metavar="FILE", help="files, folders, zip archives or glob patterns")
    made.add_argument("--status", action="store_true", help="only ask the printer how it is")
    made.add_argument(
        "--layout", default="1x1", metavar="ROWSxCOLUMNS", help=r"or a display format such as 'ROW\1,2' (default: 1x1)"
    )
    made.add_argument("--film-size", default="14INX17IN", metavar="ID", help="such as A4 (default: 14INX17IN)")
    made.add_argument("--orientation", type=str.upper, choices=("PORTRAIT", "LANDSCAPE"))
    kind = made.add_mutually_exclusive_group()
    kind.add_argument("--colour", action="store_true", default=None, help="print in colour (default: as images are)")
    kind.add_argument("--grey", dest="colour", action="store_false", help="print in grey")
    made.add_argument("--bits", type=int, choices=(8, 12), default=8, help="of a grey pixel (default: 8)")
    made.add_argument("--window", nargs=2, type=float, metavar=("CENTER", "WIDTH"))
    made.add_argument("--reverse", action="store_true", help="exchange black and white")
    made.add_argument("--lut", metavar="SHAPE", help="presentation LUT: IDENTITY or 'LIN OD'")
    made.add_argument("--text", nargs="+", default=[], metavar="TEXT", help="for the annotation boxes of each film")
    made.add_argument("--text-format", metavar="ID", help="Annotation Display Format ID that makes these boxes")
    made.add_argument("--copies", type=int, default=1, metavar="N")
    made.add_argument("--priority", type=str.upper, choices=("HIGH", "MED", "LOW"))
    made.add_argument("--medium", metavar="TYPE", help="such as PAPER or 'BLUE FILM'")
    made.add_argument("--destination", metavar="WHERE", help="such as MAGAZINE, PROCESSOR or BIN_1")
    made.add_argument("--label", metavar="TEXT", help="of the film session")
    made.add_argument(
        "--film", nargs="+", default=[], metavar="KEY=VALUE", help="more of each film, as BorderDensity=WHITE Trim=YES"
    )
    made.add_argument(
        "--image", nargs="+", default=[], metavar="KEY=VALUE", help="more of each image, as RequestedImageSize=120"
    )
    made.add_argument("--collate", action="store_true", help="print all films at once")
    made.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="for the end of the print jobs")
    made.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    made.add_argument("--out", metavar="FILE", help="write the table of steps to a .csv, .parquet or .json file")
