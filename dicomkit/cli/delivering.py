"""The command that delivers files through a queue, to one of several peers."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli.network_arguments import with_way
from dicomkit.cli.peers import peer_of
from dicomkit.cli.printing import frame_text, write_frame
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.tables.find_files import find_files

if TYPE_CHECKING:
    from dicomkit.delivery import Route
    from dicomkit.delivery.destination import Settled

EXAMPLES = """  dicomkit deliver ct/ --to A@a.local:104 B@b.local:104 --queue out.queue --compress fast --rate 2MB
  dicomkit deliver --to A@a.local:104 --queue out.queue --forever     sends what others put into the queue
"""
_RATE = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)B?(?:/s)?")
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


def add_deliver(commands: Any) -> None:
    """Add the command and its arguments."""
    made = commands.add_parser("deliver", help="send files through a queue, and again until they have arrived")
    made.add_argument("where", nargs="*", metavar="FILE", help="files, folders, zip archives or glob patterns")
    made.add_argument("--to", nargs="+", required=True, metavar="[AET@]HOST:PORT", help="the peer, or one of several")
    made.add_argument(
        "--strategy",
        default="failover",
        choices=("failover", "round robin", "random"),
        help="which of several peers is tried first (default: as they stand)",
    )
    made.add_argument("--queue", metavar="FILE", help="where what isn't delivered stays for the next time")
    made.add_argument("--name", help="of the destination in the queue (default: the peers)")
    made.add_argument("--forever", action="store_true", help="go on and wait for more in the queue, until Ctrl-C")
    made.add_argument("--priority", type=int, default=0, metavar="N", help="the higher, the sooner (default: 0)")
    made.add_argument("--once", action="store_true", help="leave out what was delivered before")
    made.add_argument("--attempts", type=int, default=10, metavar="N", help="for each instance (default: 10)")
    made.add_argument("--patience", type=int, default=6, metavar="N", help="attempts to reach a peer (default: 6)")
    made.add_argument("--validate", choices=("minimal", "standard", "strict"), help="what not to send: what has errors")
    made.add_argument("--compress", choices=("fast", "balanced", "small"), help="without loss, by time or by size")
    made.add_argument("--rate", metavar="BYTES", help="bytes a second at most: 500kB, 2MB")
    made.add_argument("--hours", nargs="+", metavar="WINDOW", help='when to send: "22:00-06:00", "sat,sun at 1 MB/s"')
    made.add_argument("--associations", type=int, default=1, metavar="N", help="how many at once (default: 1)")
    made.add_argument("--commit", action="store_true", help="count only what the peer commits to keep")
    made.add_argument("--commit-port", type=int, metavar="N", help="where the peer reports to, which it has to know")
    made.add_argument(
        "--commit-listen", default="127.0.0.1", metavar="HOST", help="address to listen on for that; 0.0.0.0 for all"
    )
    made.add_argument("--commit-wait", type=float, default=30.0, metavar="SECONDS", help="for the report (default: 30)")
    made.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    made.add_argument("--out", metavar="FILE", help="write the outcome of each to a .csv, .parquet or .json file")
    with_way(made)


def deliver(arguments: Namespace) -> Iterator[str]:
    """Deliver files, and what a queue holds for the same peers."""
    if arguments.queue is None and (arguments.forever or not arguments.where):
        raise ValueFormatError("there is nothing to deliver", hint="name files, or a queue that holds some")
    how = _route(arguments)
    if not arguments.where:
        yield from _forwarded(how, arguments)
        return
    report = dk.deliver(
        find_files(arguments.where),
        how,
        queue=arguments.queue,
        name=arguments.name,
        priority=arguments.priority,
        again=not arguments.once,
        progress=sys.stderr.isatty(),
    )
    table = report.to_table()
    if arguments.out:
        write_frame(table, arguments.out)
    trouble = table[table["outcome"] != "delivered"]
    if len(trouble):
        yield frame_text(trouble, columns=["source", "outcome", "reason"], max_rows=arguments.rows) + "\n"
    yield f"{len(report.delivered):,} of {len(report):,} delivered, {report.size / 1e6:,.2f} MB"
    if arguments.out:
        yield f"written: {arguments.out}"
    if arguments.forever:
        yield from _forwarded(how, arguments)
    else:
        report.raise_for_failures()


def _forwarded(how: Route, arguments: Namespace) -> Iterator[str]:
    """Send what is in the queue, for ever or until that is nothing."""
    name = arguments.name or how.name
    counts = {"delivered": 0, "failed": 0}

    def count(settled: Settled) -> None:
        counts["delivered" if settled.is_delivered else "failed"] += 1
        if sys.stderr.isatty():
            print(f"\r{counts['delivered']:,} delivered, {counts['failed']:,} failed", end="", file=sys.stderr)

    with dk.delivery.Queue(arguments.queue) as queue:
        try:
            errors = dk.delivery.forward(queue, {name: how}, forever=arguments.forever, on_settled=count)
        except KeyboardInterrupt:
            errors = {}
        left = queue.counts(name)
    waiting = left["waiting"] + left["deferred"]
    yield f"{counts['delivered']:,} delivered, {waiting:,} wait, {left['dead']:,} dead letters"
    if errors:
        raise DicomError(f"{name} can't be reached: {errors[name]}")


def _route(arguments: Namespace) -> Route:
    reporting = dk.delivery.Commitment(arguments.commit_wait, arguments.commit_listen, arguments.commit_port)
    return dk.delivery.route(
        [peer_of(arguments, address) for address in arguments.to],
        strategy=arguments.strategy,
        retry=dk.net.Retry(attempts=arguments.attempts, first=2.0, longest=600.0),
        patience=dk.net.Retry(attempts=arguments.patience, longest=30.0),
        validation=arguments.validate,
        compress=arguments.compress,
        bandwidth=None if arguments.rate is None else _rate(arguments.rate),
        schedule=arguments.hours,
        associations=arguments.associations,
        commitment=reporting if arguments.commit else False,
    )


def _rate(text: str) -> float:
    found = _RATE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueFormatError(f"{text!r} is no rate", hint="write 500kB or 2MB")
    return float(found[1]) * _UNITS[found[2]]


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {"deliver": deliver}
