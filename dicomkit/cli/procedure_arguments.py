"""The arguments of the commands about what is scheduled and what is performed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from dicomkit.cli.network_arguments import with_peer

EXAMPLES = """  dicomkit worklist RIS@ris.local:104 --modality CT --date today --save items/
  dicomkit mpps create RIS@ris.local:104 items/a.wl    prints the UID of the step
  dicomkit mpps complete RIS@ris.local:104 1.2.3 ct/   what was made is in a folder
"""
_KEYS = r"what has to match: * and ? in texts, a-b in dates, nothing for any; attributes of the step need no path"


def add_procedure(commands: Any) -> None:
    """Add the commands."""
    worklist = with_peer(commands.add_parser("worklist", help="list what is scheduled"))
    worklist.add_argument("keys", nargs="*", default=[], metavar="KEY=VALUE", help=_KEYS)
    worklist.add_argument("--modality", metavar="CS", help="such as CT")
    worklist.add_argument("--station", metavar="AET", help="AE title of the station")
    worklist.add_argument("--date", metavar="DATE", help="a day or a range as 20240101-20240107; today, tomorrow")
    worklist.add_argument("--name", metavar="PN", help="of the patient, such as 'DOE*'")
    worklist.add_argument(
        "--return", dest="returning", nargs="+", metavar="KEYWORD", help="attributes to ask for, instead of the usual"
    )
    worklist.add_argument("--limit", type=int, metavar="N", help="matches after which the peer is asked to stop")
    worklist.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    worklist.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")
    worklist.add_argument("--save", metavar="FOLDER", help="write each item to a file, for `mpps create`")

    mpps = commands.add_parser("mpps", help="tell how a step is performed")
    actions = mpps.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = with_peer(actions.add_parser("create", help="it has begun; prints its UID"))
    create.add_argument("item", metavar="FILE", help="the item of the worklist that is performed")
    create.add_argument("keys", nargs="*", default=[], metavar="KEY=VALUE", help="further attributes")
    create.add_argument(
        "--station", metavar="AET", help="AE title of who performs it (default: whom it is scheduled for)"
    )
    create.add_argument("--step-id", metavar="ID", help="default: that of the item")
    create.add_argument("--uid", metavar="UID", help="of the step (default: a new one)")
    complete = with_peer(actions.add_parser("complete", help="it is completed"))
    discontinue = with_peer(actions.add_parser("discontinue", help="it was given up"))
    for ending, files in ((complete, "+"), (discontinue, "*")):
        _add_end(ending, files)
    discontinue.add_argument("--reason", metavar="CODE", help="why, such as 110513; a wrong one lists them all")
    show = with_peer(actions.add_parser("show", help="what the peer knows of it"))
    show.add_argument("step", metavar="UID", help="of the step")


def _add_end(made: ArgumentParser, files: str) -> None:
    made.add_argument("step", metavar="UID", help="of the step, as `create` printed it")
    made.add_argument("files", nargs=files, metavar="FILE", help="what was made: files and folders")
    made.add_argument("--protocol", metavar="NAME", help="name of the protocol (default: what the files say)")
    made.add_argument("--retrieve-aet", default="", metavar="AET", help="where the instances can be got")
    made.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further attributes")
