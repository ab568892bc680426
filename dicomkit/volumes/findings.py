"""Findings as a table, and as the message of an error; and the error where nothing has a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicomkit.errors import GeometryError
from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.nuclear import projections
from dicomkit.volumes.policy import Finding, choices

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("kind", "stack", "slice", "position", "frames", "detail", "InstanceNumber", "SOPInstanceUID")


def findings_table(facts: FrameFacts, findings: Sequence[Finding]) -> pd.DataFrame:
    """Make a DataFrame of findings: one row each, with the images concerned."""
    import pandas as pd

    rows = []
    for f in findings:
        numbers = [facts["number"][k] for k in f.frames]
        rows.append(
            (
                f.kind,
                f.stack,
                f.slice,
                f.position,
                len(f.frames) if f.frames or f.slice is not None else None,  # None: it is about all of them
                f.detail,
                ", ".join("" if n != n else f"{n:g}" for n in numbers),
                ", ".join(dict.fromkeys(facts["uid"][k] for k in f.frames)),
            )
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"stack": "Int64", "slice": "Int64", "position": "float64", "frames": "Int64"})


def irregular(facts: FrameFacts, findings: Sequence[Finding]) -> GeometryError:
    """Make the error that says what is irregular, and which policies there are."""
    counts = Counter(f.kind for f in findings)
    first = {f.kind: f for f in reversed(findings)}
    told = [f"{kind}: {first[kind].detail}" + (f" (and {n - 1} more)" if n > 1 else "") for kind, n in counts.items()]
    return GeometryError(
        "the slices don't make one regular volume: " + "; ".join(told),
        table=findings_table(facts, findings),
        hint=f"pass {', '.join(map(choices, counts))}; explain_geometry shows more",
    )


_NEEDED = {
    "position": "ImagePositionPatient",
    "orientation": "ImageOrientationPatient",
    "spacing": "PixelSpacing",
}


def placeless(facts: FrameFacts) -> GeometryError:
    """Make the error that says that no frame has a place, and what is missing."""
    nowhere = [keyword for name, keyword in _NEEDED.items() if (facts[name] != facts[name]).any(1).all()]
    what = f"no {', no '.join(nowhere)}" if nowhere else "no position, orientation and spacing that fit together"
    frames = f"none of the {len(facts)} frames has a" if len(facts) > 1 else "the one frame has no"
    kind = projections(facts.sources[int(facts.source[0])]) if len(facts) else ""
    lost = Finding("unplaced", None, None, None, tuple(range(len(facts))), what)
    return GeometryError(
        f"{frames} place in the patient: {kind + ': ' if kind else ''}there is {what}",
        table=findings_table(facts, [lost]),
        hint="dicomkit.frames reads the pixels all the same, dicomkit.show displays them",
    )
