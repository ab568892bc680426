"""Latency and throughput, folded out of events by a pure function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomkit.display.html import Markup, table
from dicomkit.net.events import Event
from dicomkit.net.exchanges import Exchange, exchanges
from dicomkit.net.printable import printable

if TYPE_CHECKING:
    import pandas as pd


class OperationMetrics(NamedTuple):
    """What one operation with one peer took.

    Attributes
    ----------
    peer, operation
        Whom with, and what: ``"C-STORE"``.
    role
        ``"user"`` where we asked, ``"provider"`` where the peer did.
    requests, failures, warnings, unanswered
        How many, and what became of them.
    responses
        How many responses, pending ones included.
    median, slowest_twentieth, slowest
        Seconds from a request to its last response: the median, the 95th percentile, the maximum; NaN where none ended.
    first_response
        The median of the seconds to the first response.
    bytes
        Sent and received, as far as events tell.
    seconds
        From the first request to the last response.
    """

    peer: str
    operation: str
    role: str
    requests: int
    failures: int
    warnings: int
    unanswered: int
    responses: int
    median: float
    slowest_twentieth: float
    slowest: float
    first_response: float
    bytes: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Requests that were answered, a second."""
        return (self.requests - self.unanswered) / self.seconds if self.seconds else math.nan

    @property
    def bytes_per_second(self) -> float:
        """Bytes a second, over all associations together."""
        return self.bytes / self.seconds if self.seconds else math.nan


@dataclass(frozen=True, slots=True)
class Metrics:
    """What operations took, by peer, operation and role."""

    rows: tuple[OperationMetrics, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Metrics of {sum(row.requests for row in self.rows):,} requests>"

    def to_table(self) -> pd.DataFrame:
        """Give a DataFrame with a row for each peer, operation and role, and a column for each attribute."""
        import pandas as pd

        columns = [*OperationMetrics._fields, "per_second", "bytes_per_second"]
        return pd.DataFrame([[*row, row.per_second, row.bytes_per_second] for row in self.rows], columns=columns)

    def _repr_html_(self) -> str:
        heads = "Peer Operation Role Requests Failures Median 95% Slowest Requests/s MB/s".split()
        cells = [
            (
                printable(row.peer),
                row.operation,
                row.role,
                row.requests,
                row.failures + row.unanswered,
                _milliseconds(row.median),
                _milliseconds(row.slowest_twentieth),
                _milliseconds(row.slowest),
                _rate(row.per_second),
                _rate(row.bytes_per_second / 1e6) if row.bytes else "",
            )
            for row in self.rows
        ]
        return str(Markup(table(heads, cells, align="lll" + "r" * 7)))


def metrics(events: Iterable[Event]) -> Metrics:
    """Fold events into latencies and throughput.

    Collect them with ``on_event=seen.append``, where ``seen`` is a list, or a ``collections.deque(maxlen=...)`` for a
    window that doesn't grow.

    Examples
    --------
    >>> from dicomkit.dimse.commands import command
    >>> asked = Event("message sent", data={"command": command("C-ECHO-RQ", MessageID=1)}, time=1.0)
    >>> told = {"command": command("C-ECHO-RSP", MessageIDBeingRespondedTo=1, Status=0)}
    >>> metrics([asked, Event("message received", data=told, time=1.5)]).rows[0].median
    0.5
    """
    groups: dict[tuple[str, str, bool], list[Exchange]] = {}
    for exchange in exchanges(events):
        groups.setdefault((exchange.peer, exchange.operation, exchange.is_user), []).append(exchange)
    return Metrics(tuple(_row(*key, group) for key, group in groups.items()))


def _row(peer: str, operation: str, is_user: bool, group: Sequence[Exchange]) -> OperationMetrics:
    categories = [exchange.status.category if exchange.status else None for exchange in group]
    durations = sorted(exchange.seconds for exchange in group if exchange.seconds is not None)
    first = sorted(exchange.answered - exchange.started for exchange in group if exchange.answered is not None)
    ends = [exchange.ended or exchange.answered or exchange.started for exchange in group]
    return OperationMetrics(
        peer,
        operation,
        "user" if is_user else "provider",
        len(group),
        categories.count("Failure"),
        categories.count("Warning"),
        categories.count(None),
        sum(exchange.responses for exchange in group),
        _quantile(durations, 0.5),
        _quantile(durations, 0.95),
        _quantile(durations, 1.0),
        _quantile(first, 0.5),
        sum(exchange.sent + exchange.received for exchange in group),
        max(ends) - min(exchange.started for exchange in group),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Give the smallest value that at least a share of the values doesn't exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.nan


def _milliseconds(seconds: float) -> str:
    return "" if math.isnan(seconds) else f"{seconds * 1e3:,.1f}\N{NO-BREAK SPACE}ms"


def _rate(number: float) -> str:
    return "" if math.isnan(number) else f"{number:,.1f}"
