"""Several peers for one operation: in which order they are tried, and on to the next one when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any, Literal, TypeAlias, get_args

from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import Target, peer_of
from dicomkit.dimse.retrying import Given
from dicomkit.dimse.steps import Operation
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import NetworkError, PeersFailedError
from dicomkit.net.events import Event, OnEvent
from dicomkit.net.retry import TRANSIENT, Worth, is_worth

Selection: TypeAlias = Literal["failover", "priority", "round robin", "weighted", "random"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A peer that may be chosen.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one.
    priority
        Those with the lowest are tried first, where priorities count.
    weight
        How often it is tried first, in proportion to the others, where weights count.

    Raises
    ------
    ValueFormatError
        When the weight is negative.
    """

    peer: Target
    priority: int = 0
    weight: float = 1.0

    def __post_init__(self) -> None:
        peer_of(self.peer)
        if not 0 <= self.weight < float("inf"):
            raise ValueFormatError(f"a weight of {self.weight!r}", hint="0 or more")


@dataclass(frozen=True, slots=True)
class Served:
    """What an operation over several peers came to.

    Attributes
    ----------
    peer
        Who did it.
    result
        What the operation returned.
    failures
        Who was tried before, and why that failed.
    """

    peer: Peer
    result: Any
    failures: tuple[tuple[Peer, NetworkError], ...] = ()


def order(
    peers: Iterable[Candidate | Target],
    strategy: Selection = "failover",
    turn: int = 0,
    rng: Random | None = None,
) -> tuple[Candidate, ...]:
    """Put peers in the order in which they are to be tried.

    Parameters
    ----------
    peers
        Candidates, or peers and pools, which are candidates of equal priority and weight.
    strategy
        ``"failover"``: as they stand. ``"priority"``: the lowest number first, and those of the same take turns.
        ``"round robin"``: all take turns. ``"weighted"``: at random, in proportion to the weights. ``"random"``: at
        random.
    turn
        Whose turn it is: a number that the caller raises from one operation to the next.
    rng
        What draws at random.

    Returns
    -------
    tuple of Candidate
        All of them, each once.

    Raises
    ------
    ValueFormatError
        When there is no peer, or no such strategy.

    Examples
    --------
    >>> peers = [Peer("a.local", 104), Peer("b.local", 104), Peer("c.local", 104)]
    >>> [candidate.peer.host[0] for candidate in order(peers, "round robin", turn=4)]
    ['b', 'c', 'a']
    """
    candidates = [peer if isinstance(peer, Candidate) else Candidate(peer) for peer in peers]
    rng = rng or SystemRandom()
    if not candidates:
        raise ValueFormatError("no peers to choose from")
    if strategy == "priority":
        levels = sorted({candidate.priority for candidate in candidates})
        return tuple(
            candidate
            for level in levels
            for candidate in _rotated([one for one in candidates if one.priority == level], turn)
        )
    if strategy == "round robin":
        return tuple(_rotated(candidates, turn))
    if strategy == "weighted":
        return tuple(sorted(candidates, key=lambda one: rng.expovariate(one.weight) if one.weight else float("inf")))
    if strategy == "random":
        return tuple(rng.sample(candidates, len(candidates)))
    if strategy != "failover":
        raise ValueFormatError(f"no strategy {strategy!r}", hint=f"one of {', '.join(get_args(Selection))}")
    return tuple(candidates)


def _rotated(candidates: list[Candidate], turn: int) -> list[Candidate]:
    first = turn % len(candidates)
    return candidates[first:] + candidates[:first]


def over_peers(
    peers: Iterable[Candidate | Target],
    make_operation: Callable[[Target], Operation],
    *,
    strategy: Selection = "failover",
    turn: int = 0,
    rng: Random | None = None,
    on: Worth = TRANSIENT,
    given: Given | None = None,
    on_event: OnEvent | None = None,
) -> Operation:
    """Run an operation with one of several peers: when one fails, or its breaker is open, with the next.

    What a peer's own policy says about trying again comes first.

    Parameters
    ----------
    peers, strategy, turn, rng
        As for `order`.
    make_operation
        Makes the operation with a peer: ``partial(store, instances=files)``, ``lambda peer: find(peer, "study")``.
    on
        After which failures the next is tried: categories, or a function that is asked about each.
    given
        Takes care that results of one peer are not given again by the next; None where that doesn't matter.
    on_event
        What is told of each peer that failed, as the event ``"failover"``.

    Yields
    ------
    Whatever the operation gives.

    Returns
    -------
    Served
        The result, and from whom.

    Raises
    ------
    PeersFailedError
        When all failed.
    NetworkError
        When one failed so that the next would as well.
    """
    failures: list[tuple[Peer, NetworkError]] = []
    for candidate in order(peers, strategy, turn, rng):
        peer = peer_of(candidate.peer)
        operation = make_operation(candidate.peer)
        try:
            result = yield from (operation if given is None else given.only_new(operation))
        except NetworkError as error:
            if not is_worth(error, on):
                raise
            failures.append((peer, error))
            if on_event is not None:
                data = {"error": error, "failed": len(failures)}
                on_event(Event("failover", level="warning", category="operation", peer=str(peer), data=data))
        else:
            return Served(peer, result, tuple(failures))
    raise PeersFailedError([(str(peer), error) for peer, error in failures]) from failures[-1][1]
