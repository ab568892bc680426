"""How a retrieval stands or ended, and another attempt at what the peer could not send (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dicomkit.dimse.retrying import never, retrying
from dicomkit.dimse.steps import Operation
from dicomkit.net.errors import NetworkError, StatusError
from dicomkit.net.events import OnEvent
from dicomkit.net.retry import Retry
from dicomkit.query import Key, Keys, Query
from dicomkit.standard.statuses import Status


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How a retrieval stands, or ended.

    Attributes
    ----------
    status
        Pending, until the last response.
    remaining, completed, failed, warnings
        Counts of sub-operations, as the peer tells them.
    failed_uids
        The SOP Instance UIDs that could not be sent, as the last response lists them.
    """

    status: Status
    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warnings: int = 0
    failed_uids: tuple[str, ...] = ()

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{getattr(self, name)} {name}"
            for name in ("completed", "warnings", "failed", "remaining")
            if getattr(self, name)
        )
        return f"<Retrieval: {self.status}{'; ' + counts if counts else ''}>"


class _PartlyFailed(NetworkError):
    """That a peer could not send all; it goes no further than the attempts."""

    def __init__(self, result: Retrieval) -> None:
        self.result = result
        super().__init__(f"{result.failed} instances could not be sent", category="transient")


def asking_again(
    retrieve: Callable[[Query], Operation],
    asked: Query,
    policy: Retry | None,
    *,
    cancelled: Callable[[], bool] = never,
    on_event: OnEvent | None = None,
    peer: str = "",
) -> Operation:
    """Retrieve, and ask again as long as there is what the peer could not send, and a policy says so.

    Where instances are asked for by their UIDs only those that failed are asked for again. Of a study or series the
    peer tells no more than which instances failed, so that it is asked for whole.

    Parameters
    ----------
    retrieve
        Makes the operation for a query, which returns a Retrieval.
    asked
        What is asked for first.
    policy
        When to ask again; None: never.
    cancelled, on_event, peer
        As for `dicomkit.dimse.retrying.retrying`.

    Returns
    -------
    Retrieval
        The last one; where the attempts asked for less and less, its counts are those of all.

    Examples
    --------
    >>> from dicomkit.query import query
    >>> from dicomkit.standard.statuses import status
    >>> failing = [("1.2", "1.3"), ("1.3",), ()]
    >>> def retrieve(asked):
    ...     uids, failed = asked.get("SOPInstanceUID"), failing.pop(0)
    ...     code = 0xB000 if failed else 0
    ...     return Retrieval(status(code, "C-GET"), 0, len(uids) - len(failed), len(failed), 0, failed)
    ...     yield
    >>> asked = query("image", StudyInstanceUID="1", SeriesInstanceUID="2", SOPInstanceUID=["1.1", "1.2", "1.3"])
    >>> attempts = asking_again(retrieve, asked, Retry("fixed", first=1, jitter=0))
    >>> next(attempts), next(attempts)
    (Sleep(seconds=1.0), Sleep(seconds=1.0))
    >>> try:
    ...     next(attempts)
    ... except StopIteration as stop:
    ...     stop.value
    <Retrieval: 0x0000 Success: Sub-operations Complete - No Failures or Warnings; 3 completed>
    """
    waiting, completed, warnings = asked, 0, 0

    def attempt() -> Operation:
        nonlocal waiting, completed, warnings
        got: Retrieval = yield from retrieve(waiting)
        result = replace(got, completed=completed + got.completed, warnings=warnings + got.warnings)
        if not result.failed or result.status.category == "Cancel":
            return result
        if waiting.level == "IMAGE" and len(result.failed_uids) == result.failed:
            waiting = replace(waiting, keys=Keys((name, _left(name, key, result)) for name, key in waiting.keys))
            completed, warnings = result.completed, result.warnings
        raise _PartlyFailed(result)

    if policy is None:
        return (yield from retrieve(asked))
    try:
        return (
            yield from retrying(
                attempt, policy, worth=_is_about_instances, cancelled=cancelled, on_event=on_event, peer=peer
            )
        )
    except _PartlyFailed as error:
        return error.result


def _left(keyword: str, key: Key, result: Retrieval) -> Key:
    """Return a key of a query for what is left."""
    return result.failed_uids if keyword == "SOPInstanceUID" else key


def _is_about_instances(error: NetworkError) -> bool:
    """Whether the peer told what it could not send; for other failures there is the policy of the peer."""
    return isinstance(error, _PartlyFailed) or (isinstance(error, StatusError) and error.data_set is not None)
