"""Frames become stacks: grouped by orientation, sorted along the normal, told apart at one place, and checked.

`examine` looks and reports; `resolve` applies the policies that the caller named, or raises a `GeometryError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.volumes.dimensions import Dimension, find_dimensions
from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.geometry import Geometry, plane_normal
from dicomkit.volumes.policy import Finding, Policy
from dicomkit.volumes.regularity import UNEVEN, slice_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FARTHEST, FINEST, COARSEST = 1e6, 1e-6, 1e4
"""mm that a position or a pixel spacing may plausibly have; beyond, it is no position and no spacing."""

SAME_DIRECTION = 5e-4
"""Direction cosines that differ by no more are one orientation."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel frames of one size, in a grid of (further dimensions, slice).

    Parameters
    ----------
    number
        Which stack of the series this is, from 0.
    frames
        Row of the `FrameFacts` in each cell, -1 where there is none; shape (further dimensions, slices).
    positions
        (slices, 3) LPS mm of each slice's first voxel.
    shape
        Rows and columns.
    dimensions
        The further dimensions.
    geometry
        Of the whole, with the slices evenly spaced; None if no slice distance is known.
    even
        Whether the slices lie where ``geometry`` says.
    findings
        What is irregular.
    notes
        What was assumed.
    """

    number: int
    frames: Ints
    positions: Floats
    shape: tuple[int, int]
    dimensions: tuple[Dimension, ...]
    geometry: Geometry | None
    even: bool = True
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def present(self) -> Ints:
        """The rows of the facts that are in the stack."""
        return self.frames[self.frames >= 0]

    def coordinates(self) -> Floats:
        """Give the mm coordinate of each slice."""
        if self.geometry is None:
            return np.zeros(len(self.positions))
        if self.even:
            return self.geometry.coordinate("slice", np.arange(len(self.positions)))
        along = (self.positions - self.geometry.origin) @ self.geometry.axes[0]
        return self.geometry.coordinate("slice", along / self.geometry.pitch[0])


def group(facts: FrameFacts, tolerance: float = 0.01) -> tuple[list[Ints], Ints]:
    """Part frames into stacks: one frame of reference, orientation, spacing, size and StackID each.

    Returns
    -------
    list of int arrays
        The rows of each stack, the largest stack first; equals in the order of their first InstanceNumber.
    int array
        Rows of frames that lack a position, orientation, spacing or size.
    """
    numbers = np.hstack(
        [facts["position"], facts["orientation"], facts["spacing"], facts["rows"][:, None], facts["columns"][:, None]]
    )
    with np.errstate(invalid="ignore"):
        placed = np.isfinite(numbers).all(1) & (np.abs(facts["position"]) <= FARTHEST).all(1)
        placed &= ((facts["spacing"] >= FINEST) & (facts["spacing"] <= COARSEST)).all(1)
        placed &= (facts["rows"] >= 1) & (facts["columns"] >= 1)
    placed &= np.isfinite(_normals(facts["orientation"])).all(1)
    left = np.flatnonzero(placed)
    texts = np.array([f"{a} {b}" for a, b in zip(facts["frame_of_reference"], facts["stack"], strict=True)], object)
    stacks = []
    while len(left):
        first = left[0]
        extent = np.array([facts["rows"][first], facts["columns"][first]])
        same = (
            (np.abs(facts["orientation"][left] - facts["orientation"][first]) <= SAME_DIRECTION).all(1)
            & (np.abs(facts["spacing"][left] - facts["spacing"][first]) * extent <= max(tolerance, 0.01)).all(1)
            & (facts["rows"][left] == facts["rows"][first])
            & (facts["columns"][left] == facts["columns"][first])
            & (texts[left] == texts[first])
        )
        stacks.append(left[same])
        left = left[~same]
    rank = acquisition_order(facts)
    stacks.sort(key=lambda rows: (-len(rows), int(rank[rows].min())))
    return stacks, np.flatnonzero(~placed)


def acquisition_order(facts: FrameFacts) -> Ints:
    """Rank frames by InstanceNumber, then by their number in the instance, then as they came."""
    number = np.nan_to_num(facts["number"], nan=np.inf)
    order = np.lexsort((np.arange(len(facts)), facts.top * 100_000 + facts.left, facts.frame, number))
    rank = np.empty(len(facts), np.int64)
    rank[order] = np.arange(len(facts))
    return rank


def examine(facts: FrameFacts, rows: Ints, policy: Policy | None = None, number: int = 0) -> Stack:
    """Arrange the frames of one stack and find what is irregular about them.

    Parameters
    ----------
    facts
        All frames.
    rows
        Those of the stack, as `group` gives them.
    policy
        For its tolerance, slice_step and duplicates; nothing is an error here.
    number
        Of the stack.
    """
    policy = policy or Policy()
    orientation = facts["orientation"][rows].mean(0)
    normal = plane_normal(orientation)
    positions = facts["position"][rows]
    place, count = _places(positions @ normal, policy.tolerance)
    rank = acquisition_order(facts)[rows]
    along = (positions @ normal).tolist()

    def finding(kind: str, detail: str, members: Sequence[int] = (), at: int | None = None) -> Finding:
        there = [] if at is None else np.flatnonzero(place == at).tolist()
        members = members or there
        position = round(along[there[0]], 4) if there else None
        return Finding(kind, number, at, position, tuple(int(rows[m]) for m in members), detail)

    findings: list[Finding] = []
    notes: list[str] = []
    by_order = "repetition" if policy.duplicates == "stack" else None
    if len(rows) > count:
        temporal = facts["NumberOfTemporalPositions"][rows]
        by_order = "time" if (temporal > 1).all() and np.bincount(place).max() <= temporal.max() else by_order
    columns = _Rows(facts, rows)
    grid = find_dimensions(place, columns, rank, by_order=by_order) if len(rows) > count else None
    dimensions = tuple(_weighted(d, facts, rows, notes) for d in grid.dimensions) if grid else ()
    if any(d.attribute == "InstanceNumber" for d in dimensions):
        notes.append("no attribute tells the frames at one place apart: they are counted by InstanceNumber")
    frames, doubles = _fill(place, count, dimensions, rank)
    for members in doubles:
        uids = {facts["uid"][rows[m]] for m in members}
        what = "the same SOPInstanceUID" if len(uids) == 1 < len(members) else "different SOPInstanceUIDs"
        findings.append(
            finding("duplicates", f"{len(members)} frames at one place, with {what}", members, int(place[members[0]]))
        )
    if policy.duplicates == "last":
        for members in doubles:
            frames[frames == members[0]] = members[-1]
    for cell in np.argwhere(frames < 0).tolist():
        level = ", ".join(f"{d.name}={d.values[i]}" for d, i in zip(dimensions, cell[:-1], strict=True))
        findings.append(finding("incomplete", f"no frame at {level}", (), cell[-1])._replace(frames=()))

    by_slice = (
        np.array([positions[place == k].mean(0) for k in range(count)])
        if len(rows) > count
        else _sorted(positions, place)
    )
    off = np.abs(positions - by_slice[place]).max(1)
    for k in np.unique(place[off > policy.tolerance]).tolist():
        members = np.flatnonzero(place == k).tolist()
        findings.append(
            finding(
                "jitter",
                f"frames of one slice are up to {2 * off[members].max():.4g} mm apart in the plane",
                members,
                k,
            )
        )
    step, even, more = slice_step(by_slice, normal, policy, facts, rows)
    notes += [note for note in more if isinstance(note, str)]
    findings += [finding(f[0], f[1], (), f[2]) for f in more if isinstance(f, tuple)]
    geometry = None
    if step is not None:
        first = by_slice[0]
        geometry = Geometry.from_plane(
            first, orientation, facts["spacing"][rows].mean(0), step, str(facts["frame_of_reference"][rows[0]])
        )
    return Stack(
        number,
        np.where(frames >= 0, rows[frames], -1),
        by_slice,
        (int(facts["rows"][rows[0]]), int(facts["columns"][rows[0]])),
        dimensions,
        geometry,
        even,
        tuple(findings),
        tuple(notes),
    )


def resolve(stack: Stack, policy: Policy) -> Stack:
    """Do what the policies say about the findings of a stack.

    Findings whose policy is "error" stay in the result: the caller raises them, in one table.
    """
    left = [f for f in stack.findings if getattr(policy, f.kind) == "error"]
    done = replace(stack, findings=tuple(left))
    if left:
        return done
    kinds = {f.kind: f for f in reversed(stack.findings)}
    told = [f"{kind} (policy {getattr(policy, kind)!r}): {f.detail}" for kind, f in kinds.items()]
    done = replace(done, notes=(*done.notes, *told))
    if "incomplete" in kinds and policy.incomplete == "drop":
        done = _complete(done)
    if "jitter" in kinds and policy.jitter == "fit":
        done = _fitted(done)
    if "gaps" in kinds and policy.gaps == "fill":
        done = _filled(done, policy)
    return done


def _normals(orientation: Floats) -> Floats:
    """Normals of planes, NaN where the cosines are no two directions."""
    with np.errstate(all="ignore"):
        n = np.cross(orientation[:, :3], orientation[:, 3:])
        length = np.sqrt((n * n).sum(1))
        return np.asarray(np.where((np.abs(length - 1) < 0.05)[:, None], n, np.nan))


def _places(along: Floats, tolerance: float) -> tuple[Ints, int]:
    """Number the slices by their position along the normal: frames no further apart than the tolerance share one."""
    order = np.argsort(along, kind="stable")
    jump = np.diff(along[order]) > tolerance
    place = np.empty(len(along), np.int64)
    place[order] = np.concatenate([[0], np.cumsum(jump)])
    return place, int(jump.sum()) + 1


def _weighted(dimension: Dimension, facts: FrameFacts, rows: Ints, notes: list[str]) -> Dimension:
    """Take original images that state no b-value, beside others that do, for those without diffusion weighting."""
    values = dimension.values
    if dimension.attribute != "DiffusionBValue" or not np.isnan(values).any() or (values == 0).any():
        return dimension
    unstated = rows[np.isnan(values)[dimension.codes]]
    kinds = [facts.sources[source].get("ImageType") for source in np.unique(facts.source[unstated]).tolist()]
    if any("DERIVED" in kind if isinstance(kind, tuple) else kind == "DERIVED" for kind in kinds):
        return dimension
    notes.append(f"{len(unstated)} frames state no b-value: taken as 0 s/mm2")
    return replace(dimension, values=np.nan_to_num(values, nan=0.0))


def _sorted(positions: Floats, place: Ints) -> Floats:
    by_slice = np.empty_like(positions)
    by_slice[place] = positions
    return by_slice


def _fill(place: Ints, count: int, dimensions: Sequence[Dimension], rank: Ints) -> tuple[Ints, list[list[int]]]:
    """Put each frame in its cell: the first by rank where there are several; these are returned too."""
    shape = (*(len(d) for d in dimensions), count)
    cell = np.zeros(len(place), np.int64)
    for d in dimensions:
        cell = cell * len(d) + d.codes
    cell = cell * count + place
    frames = np.full(int(np.prod(shape)), -1, np.int64)
    backwards = np.argsort(-rank)
    frames[cell[backwards]] = backwards
    doubles = []
    times = np.bincount(cell, minlength=len(frames))
    for c in np.flatnonzero(times > 1):
        members = np.flatnonzero(cell == c)
        doubles.append(members[np.argsort(rank[members])].tolist())
    return frames.reshape(shape), doubles


def _complete(stack: Stack) -> Stack:
    """Leave out whole levels of the dimension that loses fewest frames, until no cell is empty."""
    frames, dimensions, positions = stack.frames, list(stack.dimensions), stack.positions
    while (frames < 0).any():
        costs = []
        for axis in range(frames.ndim):
            holes = (frames < 0).sum(tuple(a for a in range(frames.ndim) if a != axis))
            level = int(holes.argmax())
            kept = int((np.take(frames, level, axis) >= 0).sum())
            costs.append((kept, axis, level))
        _, axis, level = min(costs)
        frames = np.delete(frames, level, axis)
        if axis == frames.ndim - 1:
            positions = np.delete(positions, level, 0)
        else:
            d = dimensions[axis]
            dimensions[axis] = replace(d, values=np.delete(d.values, level), codes=np.empty(0, np.int64))
    lost = int((stack.frames >= 0).sum() - (frames >= 0).sum())
    geometry = stack.geometry
    if geometry is not None and len(positions) < len(stack.positions):
        geometry = replace(geometry, origin=tuple(positions[0].tolist()))
    names = ", ".join((*(d.name for d in dimensions), "slice"))
    note = f"{lost} frames left out, because the grid of {names} is incomplete"
    return replace(
        stack,
        frames=frames,
        dimensions=tuple(dimensions),
        positions=positions,
        geometry=geometry,
        notes=(*stack.notes, note),
    )


def _fitted(stack: Stack) -> Stack:
    """Place the slices on the even grid that fits them best."""
    assert stack.geometry is not None
    along = (stack.positions - stack.positions[0]) @ stack.geometry.axes[0]
    index = np.round(along / stack.geometry.pitch[0])
    terms = np.stack([np.ones(len(index)), index], 1)
    (origin, step), *_ = np.linalg.lstsq(terms, stack.positions, rcond=None)
    off = np.abs(stack.positions - terms @ np.stack([origin, step])).max()
    even = bool((np.diff(index) == 1).all())
    geometry = replace(stack.geometry, origin=tuple(origin.tolist()), slice_step=tuple(step.tolist()))
    note = f"slices are up to {off:.4g} mm off the even grid that they were placed on"
    return replace(stack, geometry=geometry, even=even, notes=(*stack.notes, note))


def _filled(stack: Stack, policy: Policy) -> Stack:
    """Put empty slices where some are missing."""
    geometry = stack.geometry
    assert geometry is not None
    along = (stack.positions - stack.positions[0]) @ geometry.axes[0] / geometry.pitch[0]
    index = np.round(along).astype(int)
    slack = max(policy.tolerance / float(geometry.pitch[0]), 1e-6) if policy.jitter == "error" else UNEVEN
    if np.abs(along - index).max() > slack:
        detail = "the gaps are no multiples of the slice distance, so they can't be filled: use gaps='keep'"
        return replace(stack, findings=(Finding("gaps", stack.number, None, None, (), detail),))
    frames = np.full((*stack.frames.shape[:-1], int(index[-1]) + 1), -1, np.int64)
    frames[..., index] = stack.frames
    positions = geometry.points(np.arange(frames.shape[-1])[:, None] * [1, 0, 0])
    positions[index] = stack.positions
    even = policy.jitter != "keep" or stack.even
    note = f"{frames.shape[-1] - len(index)} slices are missing and were filled"
    return replace(stack, frames=frames, positions=positions, even=even, notes=(*stack.notes, note))


class _Rows(dict[str, Any]):
    """The columns of some rows, taken when asked for."""

    def __init__(self, facts: FrameFacts, rows: Ints) -> None:
        super().__init__()
        self._column: Callable[[str], NDArray[Any]] = lambda name: facts[name][rows]

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> NDArray[Any]:
        return self._column(name)
