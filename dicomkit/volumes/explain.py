"""What is regular about the slices of a series and what is not: as tables, and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.volumes.facts import FrameFacts, collect
from dicomkit.volumes.findings import findings_table
from dicomkit.volumes.gather import VolumeSource, gather
from dicomkit.volumes.geometry import plane_normal
from dicomkit.volumes.policy import Finding, Policy, choices
from dicomkit.volumes.stack import Stack, examine, group

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dicomkit.volumes.figure import Picture


@dataclass(frozen=True, slots=True, repr=False)
class GeometryReport:
    """What `explain_geometry` found.

    Parameters
    ----------
    table
        One row per slice of each stack: position along the normal, step to the next slice, how far it is off an even
        grid (``off``) and off the normal through the first slice (``shift``), frames, InstanceNumbers, findings.
    stacks
        One row per stack: frames, slices, further dimensions, size, spacing, and whether it is a volume as it stands.
    findings
        One row per irregularity, with the policies that deal with it.
    """

    table: pd.DataFrame
    stacks: pd.DataFrame
    findings: pd.DataFrame
    unreadable: tuple[tuple[str, str], ...] = field(default=())

    @property
    def regular(self) -> bool:
        """Whether there is one stack, of which `to_volume` makes a volume with no policy named."""
        return len(self.stacks) == 1 and not len(self.findings)

    def plot(self, *, width: float = 9.0) -> Picture:
        """Draw the step to the next slice, and how far slices are off, by position; one row of axes per stack."""
        from dicomkit.volumes.figure import Picture

        count = max(1, len(self.stacks))
        figure = Picture(figsize=(width, 2.6 * count), layout="constrained")
        for k in range(len(self.stacks)):
            part = self.table[(self.table["stack"] == k)]
            position = part["position"].to_numpy(float)
            left = figure.add_subplot(count, 2, 2 * k + 1)
            right = figure.add_subplot(count, 2, 2 * k + 2)
            steps = part["step"].to_numpy(float)[:-1]
            middle, usual = (position[:-1] + position[1:]) / 2, np.median(steps) if len(steps) else 0
            odd = np.abs(steps - usual) > max(0.01, 0.1 * abs(usual))
            left.plot(middle[~odd], steps[~odd], "o", markersize=4, color="#3b7dd8", label="step")
            left.plot(middle[odd], steps[odd], "D", markersize=6, color="#d8433b", label="irregular")
            left.set_ylim(0, max(1.0, *(steps * 1.25)) if len(steps) else 1)
            left.set_ylabel("step to next slice [mm]")
            left.set_title(f"stack {k}: {self.stacks['size'].iloc[k]}", fontsize=9, loc="left")
            right.axhline(0, color="#999999", linewidth=0.8)
            right.plot(
                position, part["off"].to_numpy(float), "o-", markersize=4, color="#3b7dd8", label="along the normal"
            )
            right.plot(position, part["shift"].to_numpy(float), "s-", markersize=4, color="#e08b2c", label="across it")
            right.set_ylabel("off an even grid [mm]")
            right.legend(fontsize=8, frameon=False)
            for ax in (left, right):
                ax.set_xlabel("position along the normal [mm]")
                ax.spines[["top", "right"]].set_visible(False)
        return figure

    def __repr__(self) -> str:
        state = "regular" if self.regular else _count(len(self.findings), "finding")
        stacks, slices = _count(len(self.stacks), "stack"), _count(len(self.table), "slice")
        return f"<GeometryReport: {stacks}, {slices}, {state}>"

    def _repr_html_(self) -> str:
        from dicomkit.display.html import image, stack, table

        same = ["series"] if self.table["series"].nunique() == 1 else []
        parts = [_html(self.stacks.drop(columns=same), repr(self)[1:-1])]
        if len(self.findings):
            parts.append(_html(self.findings.drop(columns="SOPInstanceUID"), "findings"))
        parts.append(image(self.plot().to_png(dpi=80), alt="steps and offsets of the slices"))
        parts.append(_html(self.table.drop(columns=same), "slices"))
        if self.unreadable:
            parts.append(table(["path", "reason"], self.unreadable, caption="unreadable"))
        return stack(*parts)


def explain_geometry(source: VolumeSource, *, tolerance: float = 0.01) -> GeometryReport:
    """Say what is regular about the slices of a series and what is not, and which policies deal with it.

    Parameters
    ----------
    source
        As for `to_volume`; several series are told one after the other.
    tolerance
        mm by which positions may be off.

    Returns
    -------
    GeometryReport
        With tables, a plot, and a summary in a notebook.

    Raises
    ------
    DicomError
        If a file that was named can't be read.

    Examples
    --------
    >>> import dicomkit as dk
    >>> plane = {"Rows": 2, "Columns": 2, "PixelSpacing": [1, 1], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    ...          "PixelData": bytes(8)}
    >>> report = explain_geometry([dk.DataSet(plane, ImagePositionPatient=[0, 0, z]) for z in (0, 5, 10, 20)])
    >>> report.findings.kind.tolist()
    ['gaps']
    """
    found = gather(source)
    facts = collect(found.images)
    policy = Policy(tolerance=tolerance)
    stacks: list[Stack] = []
    findings: list[Finding] = []
    for uid in dict.fromkeys(facts["series"].tolist()):
        rows = np.flatnonzero(facts["series"] == uid)
        parts, lost = group(facts.taken(rows), tolerance)
        if len(lost):
            what = f"{len(lost)} frames without usable position, orientation or spacing"
            findings.append(Finding("unplaced", None, None, None, tuple(rows[lost].tolist()), what))
        for part in parts:
            stack = examine(facts, rows[part], policy, len(stacks))
            if len(parts) > 1:
                what = f"one of {len(parts)} stacks of a series"
                findings.append(Finding("orientation", stack.number, None, None, tuple(stack.present.tolist()), what))
            stacks.append(stack)
            findings += stack.findings
    found_table = findings_table(facts, findings)
    found_table["policies"] = [choices(f.kind) if stacks else "" for f in findings]
    return GeometryReport(_slices(facts, stacks), _stacks(facts, stacks), found_table, found.unreadable)


def _slices(facts: FrameFacts, stacks: list[Stack]) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for stack in stacks:
        normal = plane_normal(facts["orientation"][stack.present].mean(0))
        along = stack.positions @ normal
        across = stack.positions - np.outer(along, normal)
        pitch = float(stack.geometry.pitch[0]) if stack.geometry else 1.0
        index = (along - along[0]) / pitch
        members = [column[column >= 0] for column in stack.frames.reshape(-1, len(along)).T]
        kinds: list[list[str]] = [[] for _ in along]
        for f in stack.findings:
            if f.slice is not None:
                kinds[f.slice].append(f.kind)
                members[f.slice] = np.union1d(members[f.slice], f.frames).astype(int)
        parts.append(
            pd.DataFrame(
                {
                    "series": facts["series"][stack.present[0]],
                    "stack": stack.number,
                    "slice": np.arange(len(along)),
                    "position": np.round(along, 4),
                    "step": np.round(np.append(np.diff(along), np.nan), 4),
                    "off": np.round((index - np.round(index)) * pitch, 4) + 0.0,
                    "shift": np.round(np.sqrt(((across - across[0]) ** 2).sum(1)), 4),
                    "frames": [len(m) for m in members],
                    "InstanceNumber": [_numbers(facts["number"][m]) for m in members],
                    "finding": [", ".join(dict.fromkeys(k)) for k in kinds],
                }
            )
        )
    columns = ["series", "stack", "slice", "position", "step", "off", "shift", "frames", "InstanceNumber", "finding"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _numbers(values: NDArray[Any]) -> str:
    """Write some numbers, the first three of many."""
    texts = [f"{v:g}" for v in np.sort(values[np.isfinite(values)])]
    return ", ".join(texts) if len(texts) <= 4 else f"{', '.join(texts[:3])}, ... ({len(texts)})"


def _stacks(facts: FrameFacts, stacks: list[Stack]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for stack in stacks:
        g, first = stack.geometry, int(stack.present[0])
        spacing = facts["spacing"][first]
        rows.append(
            (
                facts["series"][first],
                facts.sources[int(facts.source[first])].get("SeriesDescription"),
                stack.number,
                len(
                    {*stack.present.tolist(), *(k for f in stack.findings if f.kind == "duplicates" for k in f.frames)}
                ),
                len(stack.positions),
                ", ".join(f"{d.name} ({len(d)})" for d in stack.dimensions),
                f"{stack.shape[0]} x {stack.shape[1]} of {spacing[0]:.4g} x {spacing[1]:.4g} mm",
                round(float(g.pitch[0]), 4) if g else np.nan,
                round(g.tilt, 2) if g else np.nan,
                "/".join(g.codes) if g else "",
                "; ".join(stack.notes),
            )
        )
    columns = [
        "series",
        "description",
        "stack",
        "frames",
        "slices",
        "dimensions",
        "size",
        "step",
        "tilt",
        "directions",
        "assumed",
    ]
    return pd.DataFrame(rows, columns=columns)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _html(frame: pd.DataFrame, caption: str) -> str:
    from dicomkit.display.html import table

    rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False)
    return table([str(c) for c in frame.columns], rows, caption=caption)
