"""Times peers against each other in alternating rounds, and keeps the medians."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

OURS = "dicomkit"
_SHORTEST = 0.05


@dataclass(frozen=True)
class Goal:
    """What dicomkit is to reach: so many times the speed of a reference; a factor below 1 allows for being slower."""

    reference: str
    factor: float

    @property
    def text(self) -> str:
        if self.factor >= 1:
            return f"{self.factor:g}x {self.reference}"
        return f"at most {1 / self.factor:.3g} times {self.reference}"


@dataclass(frozen=True)
class Case:
    """A piece of work, who can do it, and what to reach. Each callable does the work once.

    What has to be done before a peer can do it again, and is no part of the work, is in ``before``; it isn't timed.
    """

    title: str
    peers: Mapping[str, Callable[[], object]]
    goals: tuple[Goal, ...]
    reference: str = "pydicom"
    rounds: int = 7
    note: str = ""
    before: Mapping[str, Callable[[], object]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Median seconds of one piece of work by peer, and why a peer has none."""

    case: Case
    seconds: Mapping[str, float]
    failures: Mapping[str, str] = field(default_factory=dict)

    def ratio(self, peer: str, reference: str | None = None) -> float | None:
        """How many times as fast as the reference a peer is; None where one of them has no time."""
        times = [self.seconds.get(name) for name in (reference or self.case.reference, peer)]
        return None if None in times else times[0] / times[1]  # type: ignore[operator]


def measure(case: Case, rounds: int | None = None) -> Outcome:
    """Run all peers in turn, so many rounds, after one unmeasured run each; a peer that fails is left out."""
    failures: dict[str, str] = {}
    repeats: dict[str, int] = {}
    for name, work in case.peers.items():
        try:
            _prepare(case, name)
            work()
            _prepare(case, name)
            once = _timed(work, 1)
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
            continue
        repeats[name] = 1 if name in case.before else max(1, min(1000, round(_SHORTEST / max(once, 1e-7))))
    times: dict[str, list[float]] = {name: [] for name in repeats}
    names = list(repeats)
    for number in range(rounds or case.rounds):
        shift = number % max(1, len(names))
        for name in names[shift:] + names[:shift]:
            _prepare(case, name)
            times[name].append(_timed(case.peers[name], repeats[name]))
    return Outcome(case, {name: median(values) for name, values in times.items()}, failures)


def _prepare(case: Case, name: str) -> None:
    if name in case.before:
        case.before[name]()


def _timed(work: Callable[[], object], repeats: int) -> float:
    """Seconds of one run, averaged over so many; garbage of other peers is collected before, not during."""
    gc.collect()
    start = perf_counter()
    for _ in range(repeats):
        work()
    return (perf_counter() - start) / repeats
