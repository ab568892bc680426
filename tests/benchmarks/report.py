"""Writes the outcomes as a Markdown page that can be pasted into docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping

from timing import OURS, Outcome


def page(outcomes: Iterable[Outcome], versions: Mapping[str, str], data: str) -> str:
    """Draw the table of goals, the table of all peers, and what was left out."""
    outcomes = list(outcomes)
    machine = (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    )
    lines = [
        f"{data} Warm page cache, medians of alternating rounds; {machine}.",
        "",
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "| Work | dicomkit | Reference | Ratio | To reach | |",
        "|---|---:|---:|---:|---|---|",
    ]
    for outcome in outcomes:
        lines += [_goal_row(outcome, number) for number in range(len(outcome.case.goals))]
    lines += ["", "| Work | Peer | Time | Speed relative to the reference |", "|---|---|---:|---:|"]
    for outcome in outcomes:
        for name, seconds in sorted(outcome.seconds.items(), key=lambda pair: pair[1]):
            ratio = outcome.ratio(name)
            shown = "" if ratio is None else f"{ratio:.2f}x"
            lines.append(f"| {outcome.case.title} | {name} | {duration(seconds)} | {shown} |")
    notes = [f"- {o.case.title}: {o.case.note}." for o in outcomes if o.case.note]
    failures = [f"- {o.case.title}: {name} left out: {why}" for o in outcomes for name, why in o.failures.items()]
    if notes or failures:
        lines += ["", *notes, *failures]
    return "\n".join(lines)


def _goal_row(outcome: Outcome, number: int) -> str:
    goal = outcome.case.goals[number]
    ratio = outcome.ratio(OURS, goal.reference)
    times = [duration(outcome.seconds[name]) if name in outcome.seconds else "-" for name in (OURS, goal.reference)]
    verdict = "no time" if ratio is None else "reached" if ratio >= goal.factor else "missed"
    shown = "-" if ratio is None else f"{ratio:.2f}x" if goal.factor >= 1 else f"{1 / ratio:.2f} times"
    title = f"{outcome.case.title} (against {goal.reference})" if number else outcome.case.title
    return f"| {title} | {times[0]} | {times[1]} | {shown} | {goal.text} | {verdict} |"


def duration(seconds: float) -> str:
    """Write a time with three digits and a fitting unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
