"""The command that looks at a queue and controls it."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli.printing import frame_text, write_frame
from dicomkit.errors import SourceError

if TYPE_CHECKING:
    from dicomkit.delivery.queue import Queue

EXAMPLES = """  dicomkit queue list out.queue                        what waits, is being sent, was given up, delivered
  dicomkit queue dead out.queue --to PACS              what was given up, and why; requeue tries it again
  dicomkit queue pause out.queue                       pause, resume, retry, requeue, clear: all, or --to one
"""
_STATES = ("waiting", "deferred", "sending", "dead", "delivered")
_SHOWN = ("id", "destination", "state", "priority", "attempts", "next_attempt", "category", "error", "path")
_DEAD = ("id", "destination", "attempts", "updated", "category", "error", "path")


def add_queue(commands: Any) -> None:
    """Add the command and its actions."""
    made = commands.add_parser("queue", help="look at a queue of instances to deliver, and control it")
    actions = made.add_subparsers(dest="action", metavar="ACTION", required=True)
    shown = _action(actions, "list", "count what is in it; --state lists entries")
    shown.add_argument("--state", nargs="+", choices=_STATES, metavar="STATE", help=f"of {', '.join(_STATES)}")
    _table(shown)
    _table(_action(actions, "dead", "list what was given up, and why"))
    _action(actions, "pause", "let nothing more be sent")
    _action(actions, "resume", "go on after a pause")
    _some(_action(actions, "retry", "try now what waits to be tried again later"))
    requeue = _some(_action(actions, "requeue", "try again what was given up"))
    requeue.add_argument(
        "--category",
        choices=("transient", "permanent", "configuration", "security"),
        help="only what was given up for such a reason",
    )
    clear = _some(_action(actions, "clear", "forget entries, and the files that belong to the queue"))
    clear.add_argument("--state", nargs="+", choices=_STATES, required=True, metavar="STATE", help="of which states")


def _action(actions: Any, name: str, text: str) -> ArgumentParser:
    made: ArgumentParser = actions.add_parser(name, help=text, description=text)
    made.add_argument("queue", metavar="FILE", help="the queue")
    made.add_argument("--to", metavar="NAME", help="only what is for this destination")
    return made


def _some(made: ArgumentParser) -> ArgumentParser:
    made.add_argument("--id", nargs="+", type=int, metavar="N", help="only these entries")
    return made


def _table(made: ArgumentParser) -> None:
    made.add_argument("--rows", type=int, default=200, metavar="N", help="lines to print at most (default: 200)")
    made.add_argument("--out", metavar="FILE", help="write the table to a .csv, .parquet or .json file")


def queue(arguments: Namespace) -> Iterator[str]:
    """Do what is asked for with a queue that exists."""
    if not os.path.isfile(arguments.queue):
        raise SourceError("there is no queue", path=arguments.queue, hint="one is made when something is put into it")
    with dk.delivery.Queue(arguments.queue) as opened:
        yield from _ACTIONS[arguments.action](opened, arguments)


def _list(opened: Queue, arguments: Namespace) -> Iterator[str]:
    if arguments.state is None and arguments.out is None:
        yield repr(opened).replace("<", "", 1).replace(">", "", 1)
        return
    yield from _entries(opened, arguments, arguments.state or _STATES, _SHOWN)


def _dead(opened: Queue, arguments: Namespace) -> Iterator[str]:
    yield from _entries(opened, arguments, ("dead",), _DEAD)


def _entries(opened: Queue, arguments: Namespace, states: Any, columns: tuple[str, ...]) -> Iterator[str]:
    table = opened.to_table(states, destination=arguments.to)
    if arguments.out:
        write_frame(table, arguments.out)
    if len(table):
        yield frame_text(
            table, columns=[name for name in columns if table[name].notna().any()], max_rows=arguments.rows
        )
    yield f"{len(table):,} {'entry' if len(table) == 1 else 'entries'}"
    if arguments.out:
        yield f"written: {arguments.out}"


def _pause(opened: Queue, arguments: Namespace) -> Iterator[str]:
    opened.pause(arguments.to)
    yield f"paused: {arguments.to or 'the whole queue'}"


def _resume(opened: Queue, arguments: Namespace) -> Iterator[str]:
    opened.resume(arguments.to)
    yield f"resumed: {arguments.to or 'the whole queue'}"


def _retry(opened: Queue, arguments: Namespace) -> Iterator[str]:
    yield f"tried again now: {opened.retry(arguments.to, ids=arguments.id):,}"


def _requeue(opened: Queue, arguments: Namespace) -> Iterator[str]:
    count = opened.requeue(arguments.to, ids=arguments.id, category=arguments.category)
    yield f"tried again: {count:,}"


def _clear(opened: Queue, arguments: Namespace) -> Iterator[str]:
    yield f"cleared: {opened.clear(arguments.state, destination=arguments.to, ids=arguments.id):,}"


_ACTIONS: dict[str, Callable[[Queue, Namespace], Iterator[str]]] = {
    "list": _list,
    "dead": _dead,
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
    "requeue": _requeue,
    "clear": _clear,
}
COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {"queue": queue}
