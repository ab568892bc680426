"""How evenly the slices of a stack lie, and which step leads from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.policy import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

UNEVEN = 0.1
"""Slices that are off by less than this part of their distance jitter; by more, there is a gap."""


def slice_step(
    positions: Floats, normal: Floats, policy: Policy, facts: FrameFacts, rows: Ints
) -> tuple[Floats | None, bool, list[Any]]:
    """Find the step from slice to slice: the vector, whether all slices keep to it, and findings or notes."""
    count = len(positions)
    if count == 1:
        for value, name in (
            (policy.slice_step, "the argument slice_step"),
            (facts["between"][rows[0]], "SpacingBetweenSlices"),
            (facts["thickness"][rows[0]], "SliceThickness"),
        ):
            if value is not None and 1e-6 <= abs(value) <= 1e4:
                return normal * abs(float(value)), True, [f"a single slice: its step is {abs(value):g} mm, from {name}"]
        return None, True, []
    index, found = _indices(positions @ normal, policy.tolerance)
    step = (positions[-1] - positions[0]) / index[-1]
    residual = positions - positions[0] - index[:, None] * step
    across = residual - np.outer(residual @ normal, normal)
    worst = int(np.abs(across).max(1).argmax())
    if np.abs(across[worst]).max() > policy.tolerance:
        detail = (
            f"the slice is {np.abs(across[worst]).max():.4g} mm off the line from the first to the last, in the plane"
        )
        found.append(("jitter", detail, worst))
    lateral = step - (step @ normal) * normal
    shift = float(np.sqrt(lateral @ lateral)) * float(index[-1])
    spacing = float(facts["spacing"][rows[0]].min())
    if shift > max(policy.tolerance, 0.1 * spacing):
        angle = np.degrees(np.arctan2(np.sqrt(lateral @ lateral), step @ normal))
        found.append(
            ("tilt", f"the slices are stacked {angle:.2f} degrees off their normal, {shift:.4g} mm in all", None)
        )
    uneven = [f for f in found if f[0] in ("gaps", "jitter")]
    return step, not uneven, list(found)


def _indices(along: Floats, tolerance: float) -> tuple[Floats, list[tuple[str, str, int | None]]]:
    """Number slices on an even grid, and say what is between them and that."""
    count = len(along)
    even = np.linspace(along[0], along[-1], count)
    off = np.abs(along - even)
    index = np.arange(count, dtype=float)
    if off.max() <= tolerance:
        return index, []
    steps = np.diff(along)
    pitch = float((along[-1] - along[0]) / (count - 1))
    if off.max() <= UNEVEN * pitch and np.abs(steps - pitch).max() <= 2 * UNEVEN * pitch:
        worst = int(off.argmax())
        return index, [("jitter", f"slices are up to {off.max():.4g} mm off an even distance of {pitch:.6g} mm", worst)]
    nominal = float(np.median(steps[steps <= 1.5 * steps.min()]))
    ratio = steps / nominal
    whole = np.maximum(np.round(ratio), 1)
    found: list[tuple[str, str, int | None]] = []
    regular = bool(np.abs(ratio - whole).max() <= UNEVEN)
    for k in np.flatnonzero(np.abs(ratio - 1) > UNEVEN).tolist():
        missing = f"{int(whole[k]) - 1} missing" if regular else "not a multiple of it"
        found.append(("gaps", f"{steps[k]:.6g} mm to the next slice, where {nominal:.6g} mm is usual: {missing}", k))
    if regular:
        index = np.concatenate([[0.0], np.cumsum(whole)])
        fit = np.abs(along - along[0] - index * (along[-1] - along[0]) / index[-1])
        if fit.max() > tolerance:
            found.append(
                (
                    "jitter",
                    f"slices are up to {fit.max():.4g} mm off an even distance of {nominal:.6g} mm",
                    int(fit.argmax()),
                )
            )
    else:
        index = (along - along[0]) / nominal
    return index, found
