"""Delivery, blocking: `deliver` and `forward` over sockets in the thread of whoever calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dicomkit.delivery import delivering as _delivering
from dicomkit.delivery import forwarding as _forwarding
from dicomkit.delivery.queue import Queue
from dicomkit.delivery.report import DeliveryReport
from dicomkit.delivery.routes import Route
from dicomkit.dimse.blocking_driver import run
from dicomkit.dimse.blocking_verbs import run_showing
from dicomkit.net.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomkit.delivery.destination import Settled


def deliver(
    instances: Any, to: Any, *, progress: bool | Callable[[Settled], object] = False, **options: Any
) -> DeliveryReport:
    """Deliver instances to a peer or one of several, through a queue; what fails for a while is tried again.

    Parameters
    ----------
    instances, to, options
        Those of `dicomkit.delivery.delivering.deliver`: ``queue``, ``name``, ``priority``, ``again``, ``timeout``,
        ``cancelled``, ``on_event``; and those of `dicomkit.delivery.route`: ``strategy``, ``retry``, ``patience``,
        ``validation``, ``compress``, ``transfer_syntaxes``, ``convert``, ``bandwidth``, ``schedule``, ``associations``,
        ``batch``, ``commitment``, ``check``.
    progress
        Whether to show a progress bar; or what is told of each attempt at an instance.

    Returns
    -------
    DeliveryReport
        What became of each instance.

    Raises
    ------
    ValueFormatError
        When an option makes no sense.
    QueueError
        When the queue can't be used.

    Examples
    --------
    >>> import dicomkit as dk
    >>> archive = dk.MemoryArchive()
    >>> with dk.serve_dimse(archive, port=0) as server:
    ...     down = dk.Peer("127.0.0.1", 1, "DOWN")
    ...     report = dk.deliver(dk.samples.ct_series(3, 8), [down, server.peer()])
    >>> report.is_complete, archive
    (True, <MemoryArchive: 3 instances, 0.0 MB>)
    """
    report: DeliveryReport = run_showing(_delivering.deliver(instances, to, **options), progress, _progress_bar)
    return report


def forward(queue: Queue, routes: Mapping[str, Route], **options: Any) -> dict[str, NetworkError]:
    """Send what is in a queue, until it is empty or nobody can be reached; see `dicomkit.delivery.forwarding.forward`.

    Parameters
    ----------
    queue, routes
        Where the instances wait, and how each destination is reached.
    options
        ``forever``, ``cancelled``, ``clock``, ``on_event``; ``on_settled`` is told of each attempt.

    Returns
    -------
    dict
        By destination: why its peers can't be reached, where they can't.

    Examples
    --------
    >>> import dicomkit as dk, tempfile
    >>> archive = dk.MemoryArchive()
    >>> with tempfile.TemporaryDirectory() as folder, dk.delivery.Queue(folder + "/out.queue") as queue:
    ...     queue.put(dk.samples.ct_series(2, 8), "PACS").added
    ...     with dk.serve_dimse(archive, port=0) as server:
    ...         dk.delivery.forward(queue, {"PACS": dk.delivery.route(server.peer())})
    2
    {}
    """
    on_settled = options.pop("on_settled", lambda _: None)
    errors: dict[str, NetworkError] = run(_forwarding.forward(queue, routes, **options), on_settled)
    return errors


@contextmanager
def _progress_bar() -> Iterator[Callable[[Settled], object]]:
    from tqdm.auto import tqdm

    with tqdm(unit="instance", desc="deliver") as bar:
        failed = 0

        def advance(settled: Settled) -> None:
            nonlocal failed
            failed += not settled.is_delivered
            bar.set_postfix_str(f"{failed} failed attempts", refresh=False)
            bar.update(settled.is_delivered)

        yield advance
