"""The operations of a user, blocking: each runs over sockets in the thread of whoever calls it.

The functions are those of `echo`, `find`, `retrieve` and `store`; `dicomkit.dimse.aio` has them for asyncio.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import commitment as _commitment
from dicomkit.dimse import echo as _echo
from dicomkit.dimse import explain as _explain
from dicomkit.dimse import find as _find
from dicomkit.dimse import instance_availability as _availability
from dicomkit.dimse import patient_information as _information
from dicomkit.dimse import performed_procedure_steps as _steps
from dicomkit.dimse import printing as _printing
from dicomkit.dimse import retrieve as _retrieve
from dicomkit.dimse import store as _store
from dicomkit.dimse import worklist as _worklist
from dicomkit.dimse.blocking_driver import run
from dicomkit.dimse.blocking_verbs import arrivals_verb, matches_verb, result_verb, run_showing
from dicomkit.dimse.commitments import Commitment
from dicomkit.dimse.explain import Explanation
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.performed_procedure_steps import PerformedStep
from dicomkit.dimse.pool import Pool, Target, close_pool, release_idle
from dicomkit.dimse.print_report import PrinterStatus, PrintReport
from dicomkit.dimse.results import Matches
from dicomkit.dimse.store_report import Progress, StoreReport
from dicomkit.dimse.worklist import WorklistMatches
from dicomkit.net.events import OnEvent
from dicomkit.standard.statuses import Status

_LONGEST_END = 5.0
"""Seconds at most to wait for associations that are being released."""

commit = result_verb(_commitment.commit, Commitment)
echo = result_verb(_echo.echo, Status)
explain_association = result_verb(_explain.explain_association, Explanation)
find = matches_verb(_find.find, Matches)
find_identifier = matches_verb(_find.find_identifier, Matches)
find_patient_information = result_verb(_information.find_patient_information, DataSet)
find_worklist = matches_verb(_worklist.find_worklist, WorklistMatches)
get = arrivals_verb(_retrieve.get)
move = arrivals_verb(_retrieve.move)
print_films = result_verb(_printing.print_films, PrintReport)
printer_status = result_verb(_printing.printer_status, PrinterStatus)
mpps_complete = result_verb(_steps.mpps_complete, PerformedStep)
mpps_create = result_verb(_steps.mpps_create, PerformedStep)
mpps_discontinue = result_verb(_steps.mpps_discontinue, PerformedStep)
mpps_get = result_verb(_steps.mpps_get, PerformedStep)
mpps_set = result_verb(_steps.mpps_set, PerformedStep)
notify_availability = result_verb(_availability.notify_availability, list)


def store(
    peer: Target,
    instances: Any,
    *,
    progress: bool | Callable[[Progress], object] = False,
    **options: Any,
) -> StoreReport:
    """Send instances to a peer; see `dicomkit.dimse.store.store` for the options.

    Parameters
    ----------
    peer, instances
        To whom, and what: a path, DataSet, bytes or `Outgoing`, a table of files, or many of them.
    progress
        Whether to show a progress bar; or what is told after each instance.
    options
        ``convert``, ``transfer_syntaxes``, ``fail_fast``, ``cancelled``, ``associations``, ``most_per_association``,
        ``priority``, ``originator``, ``delay``, ``rate_limit``, ``on_event``.

    Returns
    -------
    StoreReport
        The outcome of each instance.

    Raises
    ------
    NetworkError
        When no association at all can be established.
    """
    report: StoreReport = run_showing(_store.store(peer, instances, **options), progress, _progress_bar)
    return report


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], object]]:
    from tqdm.auto import tqdm

    with tqdm(unit="B", unit_scale=True, desc="store") as bar:

        def advance(progress: Progress) -> None:
            counts = f"{progress.done}/{progress.total}" if progress.total is not None else str(progress.done)
            bar.set_postfix_str(f"{counts} instances, {progress.failed} failed", refresh=False)
            bar.update(progress.outcome.size)

        yield advance


@contextmanager
def connect(
    peer: Peer, *, size: int = 4, idle: float = 60.0, health: float = 10.0, on_event: OnEvent | None = None
) -> Iterator[Pool]:
    """Keep associations with a peer open for the operations in a ``with`` block, which take it in place of the peer.

    Parameters
    ----------
    peer
        With whom.
    size
        How many associations there may be at once.
    idle
        Seconds after which one that nobody used is released.
    health
        Seconds after which one is asked for an echo before it is used again.
    on_event
        What is told of every event.

    Yields
    ------
    Pool
        Which threads may share.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.archive import MemoryArchive
    >>> with dk.serve_dimse(MemoryArchive(), port=0) as server, connect(server.peer(), size=2) as pacs:
    ...     report = dk.store(pacs, dk.samples.ct_series(3, 8))
    ...     len(report.outcomes), len(dk.find(pacs, "series"))
    (3, 1)
    """
    pool = Pool(peer, size, idle, health, on_event)
    closing = threading.Event()

    def release_in_time() -> None:
        while not closing.wait(pool.rounds):
            run(release_idle(pool))

    thread = threading.Thread(target=release_in_time, name="dicomkit pool", daemon=True)
    thread.start()
    try:
        yield pool
    finally:
        closing.set()
        run(close_pool(pool))
        thread.join(_LONGEST_END)
