"""The operations of a user, blocking: each runs over sockets in the thread of whoever calls it.

The functions are those of `echo`, `find`, `retrieve` and `store`; `dicomkit.dimse.aio` has them for asyncio.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

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
from dicomkit.dimse.blocking_driver import results_of, run
from dicomkit.dimse.commitments import Commitment
from dicomkit.dimse.explain import Explanation
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.performed_procedure_steps import PerformedStep
from dicomkit.dimse.pool import Pool, Target, close_pool
from dicomkit.dimse.print_report import PrinterStatus, PrintReport
from dicomkit.dimse.results import Arrivals, Matches
from dicomkit.dimse.steps import Operation
from dicomkit.dimse.store_report import Progress, StoreReport
from dicomkit.dimse.worklist import WorklistMatches
from dicomkit.net.events import OnEvent
from dicomkit.standard.statuses import Status

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Matches)


def _verb(operation: Callable[P, Operation], give: Callable[[Operation, object], T], what: type[T]) -> Callable[P, T]:
    """Make a function that runs an operation over a peer, and gives what comes of it."""

    @functools.wraps(operation)
    def verb(*args: P.args, **kwargs: P.kwargs) -> T:
        return give(operation(*args, **kwargs), args[0] if args else kwargs.get("peer"))

    signature = inspect.signature(operation).replace(return_annotation=what.__name__)
    verb.__signature__ = signature  # type: ignore[attr-defined]
    verb.__annotations__ = {**operation.__annotations__, "return": what.__name__}
    documented = inspect.cleandoc(operation.__doc__ or "")
    verb.__doc__ = documented.replace("\nYields\n------", f"\nGives\n-----\n{what.__name__} of:", 1)
    return verb


def _result(operation: Operation, _: object) -> Any:
    return run(operation)


def _arrivals(operation: Operation, _: object) -> Arrivals:
    return Arrivals(results_of(operation))


def _matches(operation: Operation, peer: object) -> Matches:
    """Give the matches as they come; from a pool all of them, so that its association is free again."""
    return _all_of_pool(Matches(Arrivals(results_of(operation))), peer)


def _worklist_matches(operation: Operation, peer: object) -> WorklistMatches:
    return _all_of_pool(WorklistMatches(Arrivals(results_of(operation))), peer)


def _all_of_pool(matches: M, peer: object) -> M:
    if isinstance(peer, Pool):
        len(matches)
    return matches


commit = _verb(_commitment.commit, _result, Commitment)
echo = _verb(_echo.echo, _result, Status)
explain_association = _verb(_explain.explain_association, _result, Explanation)
find = _verb(_find.find, _matches, Matches)
find_identifier = _verb(_find.find_identifier, _matches, Matches)
find_patient_information = _verb(_information.find_patient_information, _result, DataSet)
find_worklist = _verb(_worklist.find_worklist, _worklist_matches, WorklistMatches)
get = _verb(_retrieve.get, _arrivals, Arrivals)
move = _verb(_retrieve.move, _arrivals, Arrivals)
print_films = _verb(_printing.print_films, _result, PrintReport)
printer_status = _verb(_printing.printer_status, _result, PrinterStatus)
mpps_complete = _verb(_steps.mpps_complete, _result, PerformedStep)
mpps_create = _verb(_steps.mpps_create, _result, PerformedStep)
mpps_discontinue = _verb(_steps.mpps_discontinue, _result, PerformedStep)
mpps_get = _verb(_steps.mpps_get, _result, PerformedStep)
mpps_set = _verb(_steps.mpps_set, _result, PerformedStep)
notify_availability = _verb(_availability.notify_availability, _result, list)


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
    operation = _store.store(peer, instances, **options)
    if callable(progress):
        report: StoreReport = run(operation, progress)
    elif progress:
        with _progress_bar() as advance:
            report = run(operation, advance)
    else:
        report = run(operation)
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
    try:
        yield pool
    finally:
        run(close_pool(pool))
