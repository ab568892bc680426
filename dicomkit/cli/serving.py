"""The command that is a peer: an archive in a folder, and services beside it."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.cli.network_arguments import with_certificates
from dicomkit.cli.peers import destination_of, server_tls
from dicomkit.cli.stopping import Stopping, stopping

if TYPE_CHECKING:
    from dicomkit.dimse.normalized_provider import Service
    from dicomkit.dimse.peer import Peer
    from dicomkit.net.events import Event, OnEvent

EXAMPLES = """  dicomkit serve archive/ --port 11112 --allow MODALITY1
  dicomkit serve archive/ --worklist items/ --steps steps.db --print-to films/ --audit audit.jsonl
"""


def add_serve(commands: Any) -> None:
    """Add the command and its arguments."""
    serve = commands.add_parser("serve", help="be a peer: an archive in a folder that takes, finds and gives instances")
    serve.add_argument("folder", metavar="FOLDER", help="the archive; it is made where it doesn't exist")
    serve.add_argument("--port", type=int, default=11112, metavar="N", help="0 for any free one (default: 11112)")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all (default: this machine)"
    )
    serve.add_argument("--ae", default="DICOMKIT", metavar="AET", help="its AE title (default: DICOMKIT)")
    serve.add_argument("--allow", nargs="+", metavar="AET", help="calling AE titles that may associate (default: all)")
    serve.add_argument("--only-called", action="store_true", help="refuse who calls another AE title than --ae")
    serve.add_argument(
        "--destination",
        nargs="+",
        default=[],
        metavar="AET@HOST:PORT",
        help="peers that C-MOVE may send to, and that are told what is committed and what becomes of steps",
    )
    serve.add_argument("--take-in", metavar="FOLDER", help="index the files of another folder, where they are")
    serve.add_argument("--commitments", metavar="FILE", help="database of storage commitments that are under way")
    serve.add_argument("--worklist", metavar="FOLDER", help="serve the worklist items in a folder")
    serve.add_argument("--steps", metavar="FILE", help="take performed procedure steps (MPPS) into a database")
    serve.add_argument("--workitems", metavar="FILE", help="serve unified procedure steps (UPS) from a database")
    serve.add_argument("--print-to", metavar="FOLDER", help="print films, as PNG and PDF files")
    serve.add_argument("--audit", metavar="FILE", help="write an audit trail, as lines of JSON")
    serve.add_argument(
        "--verbose", action="store_true", help="tell of every association and instance, not only trouble"
    )
    with_certificates(serve, "authorities that sign the certificates of requestors, who must then have one")


def serve(arguments: Namespace) -> Iterator[str]:
    """Serve the archive in a folder until Ctrl-C or SIGTERM."""
    with stopping() as stop:
        with suppress(KeyboardInterrupt):  # it can only come before there is a server
            yield from _serve(arguments, stop)
        yield "stopped"


def _serve(arguments: Namespace, stop: Stopping) -> Iterator[str]:
    accept: dict[str, Any] = {}
    if arguments.allow:
        accept["accept"] = dk.dimse.policies.calling(arguments.allow)
    destinations = {
        title: replace(peer, calling_aet=arguments.ae) for title, peer in map(destination_of, arguments.destination)
    }
    with (
        _audited(arguments.audit) as audit,
        dk.FolderArchive(arguments.folder) as archive,
        ExitStack() as stack,
    ):
        on_event = dk.net.to_all(dk.net.at_least("info" if arguments.verbose else "warning", _tell), audit)
        server = stack.enter_context(
            dk.serve_dimse(
                archive,
                services=_services(arguments, archive, destinations, stack, on_event),
                ae=arguments.ae,
                host=arguments.host,
                port=arguments.port,
                tls=server_tls(arguments),
                only_called=arguments.only_called,
                destinations=destinations,
                on_event=on_event,
                **accept,
            )
        )
        if arguments.take_in:
            taken = archive.take_in(arguments.take_in)
            yield f"{taken:,} instances taken in"
        stop.hold()
        yield f"serving {arguments.folder} as {server.ae} on {server.host}:{server.port}; Ctrl-C ends it"
        sys.stdout.flush()
        stop.wait()


def _services(
    arguments: Namespace,
    archive: dk.FolderArchive,
    destinations: Mapping[str, Peer],
    stack: ExitStack,
    on_event: OnEvent,
) -> list[Service]:
    """Make what is served beside the archive: commitment always, and what the arguments ask for."""
    told: dict[str, Any] = {"destinations": destinations, "on_event": on_event}
    transactions = stack.enter_context(dk.archive.Transactions(arguments.commitments))
    services = [dk.serve.commitment(archive, transactions=transactions, **told)]
    if arguments.worklist:
        services.append(dk.serve.worklist(dk.archive.FolderWorklist(arguments.worklist)))
    if arguments.steps:
        services.append(dk.serve.mpps(stack.enter_context(dk.archive.SqliteSteps(arguments.steps))))
    if arguments.workitems:
        workitems = stack.enter_context(dk.archive.Workitems(arguments.workitems))
        services.append(dk.serve.procedure_steps(workitems, **told))
    if arguments.print_to:
        services.append(dk.serve.printing(arguments.print_to, formats=("png", "pdf")))
    return services


@contextmanager
def _audited(path: str | None) -> Iterator[OnEvent]:
    """Give what writes an audit trail of events; nothing where none is asked for."""
    if path is None:
        yield lambda _: None
        return
    with dk.net.audit.audit_trail(dk.net.audit.audit_file(path)) as trail:
        yield trail


def _tell(event: Event) -> None:
    """Write an event as a line; what comes from the wire is sanitised."""
    from dicomkit.net.events import MAX_VALUE
    from dicomkit.net.printable import printable

    words = [event.name, printable(event.peer)]
    if (request := event.data.get("request")) is not None:
        words.append(f"{printable(request.calling_ae)} calls {printable(request.called_ae)}")
    for name, value in event.data.items():
        if isinstance(value, int | str):
            shown = f"0x{value:04X}" if name == "status" and isinstance(value, int) else printable(value, MAX_VALUE)
            words.append(f"{name}={shown}")
    print(time.strftime("%H:%M:%S", time.localtime(event.time)), *words, file=sys.stderr, flush=True)


COMMANDS: dict[str, Callable[[Namespace], Iterator[str]]] = {"serve": serve}
