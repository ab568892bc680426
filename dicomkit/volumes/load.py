"""Volumes from files: `to_volume` for one series, `to_volumes` for all that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dicomkit.errors import DicomError, GeometryError, MissingFeatureError
from dicomkit.volumes.collection import Volumes, left_out, rejected_table, series_table, series_text
from dicomkit.volumes.facts import FrameFacts, collect
from dicomkit.volumes.findings import irregular, placeless
from dicomkit.volumes.gather import Gathered, VolumeSource, gather
from dicomkit.volumes.labelled import labelled
from dicomkit.volumes.policy import Duplicates, Finding, Gaps, Incomplete, Jitter, Orientation, Policy, Tilt, Unplaced
from dicomkit.volumes.quantity import scale_of
from dicomkit.volumes.registration import register
from dicomkit.volumes.stack import Stack, examine, group, resolve
from dicomkit.volumes.voxels import Voxels, described

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import DTypeLike

    from dicomkit.volumes.header import Image

    Chunks = Mapping[str, int] | int | Literal["auto"]


def to_volume(
    source: VolumeSource,
    *,
    dtype: DTypeLike | None = None,
    chunks: Chunks | None = None,
    rescale: bool = True,
    fill_value: float | None = None,
    unplaced: Unplaced = "error",
    orientation: Orientation = "error",
    duplicates: Duplicates = "error",
    incomplete: Incomplete = "error",
    gaps: Gaps = "error",
    jitter: Jitter = "error",
    tilt: Tilt = "error",
    tolerance: float = 0.01,
    slice_step: float | None = None,
) -> xr.DataArray:
    """Load one series as a volume: sorted by position, in mm, and in Hounsfield units or what else is measured.

    Slices are sorted along their normal (ImagePositionPatient and ImageOrientationPatient), never by name or number.
    Frames at one place become further dimensions (time, b_value, echo, ...) if attributes tell them apart. What is
    irregular is an error that carries a table, unless a policy is named.

    Parameters
    ----------
    source
        A table of `scan`, a folder, zip archive or glob pattern, paths, or DataSets of one series; or one multi-frame
        DataSet.
    dtype
        Type of the result. By default: the stored type if nothing is to be rescaled; int16 if slopes are 1,
        intercepts whole and every value fits; else float32.
    chunks
        For a lazy volume on dask: ``{}`` for one chunk per frame, or sizes by dimension.
    rescale
        False for stored values.
    fill_value
        For cells without a frame; NaN by default, which makes the volume float32.
    unplaced
        Frames without position: "error" or "drop".
    orientation
        More than one stack (orientation, size, spacing): "error", "largest", or the number of one.
    duplicates
        Frames that nothing tells apart: "error", "first", "last", or "stack" for a dimension "repetition".
    incomplete
        Further dimensions that lack frames: "error", "drop", or "fill".
    gaps
        Uneven distances: "error", "keep" (no affine then), or "fill".
    jitter
        Slices a little off their even distance: "error", "fit" to the best even grid, or "keep".
    tilt
        Slices stacked off their normal: "error", "keep" (the affine is slanted), or "deskew" (resampled).
    tolerance
        mm by which positions may be off before it is jitter.
    slice_step
        mm from slice to slice, for a single slice without SliceThickness.

    Returns
    -------
    xarray.DataArray
        Dimensions (further ones, slice, row, column), and sample for colour. Coordinates in mm along each axis;
        ``geometry`` (a string that ``.dicom.affine`` reads), ``position`` (LPS mm), SOPInstanceUID and InstanceNumber
        of each slice. Attributes: ``units``, ``assumptions``, and what the header says of the series.

    Raises
    ------
    GeometryError
        If the slices don't make one regular volume, or there are several series; ``error.table`` lists them.
    PixelError
        If a frame can't be read.

    Examples
    --------
    >>> import dicomkit as dk
    >>> plane = {"Rows": 2, "Columns": 2, "BitsAllocated": 16, "PixelSpacing": [1, 1],
    ...          "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelData": bytes(8)}
    >>> volume = to_volume([dk.DataSet(plane, ImagePositionPatient=[0, 0, z]) for z in (9, 3, 6)])
    >>> volume.dims, volume.slice.values.tolist()
    (('slice', 'row', 'column'), [3.0, 6.0, 9.0])
    """
    policy = Policy(unplaced, orientation, duplicates, incomplete, gaps, jitter, tilt, tolerance, slice_step)
    facts = one_series(gather(source))
    return volume_of(facts, np.arange(len(facts)), policy, dtype, chunks, rescale, fill_value)


def to_volumes(
    source: VolumeSource,
    *,
    dtype: DTypeLike | None = None,
    chunks: Chunks | None = None,
    rescale: bool = True,
    fill_value: float | None = None,
    unplaced: Unplaced = "error",
    orientation: Orientation | Literal["split"] = "error",
    duplicates: Duplicates = "error",
    incomplete: Incomplete = "error",
    gaps: Gaps = "error",
    jitter: Jitter = "error",
    tilt: Tilt = "error",
    tolerance: float = 0.01,
    slice_step: float | None = None,
) -> Volumes:
    """Load every series of a folder, table or list that makes a volume, and say of the others why they make none.

    Parameters
    ----------
    source, dtype, chunks, rescale, fill_value, tolerance, slice_step
        As for `to_volume`.
    unplaced, duplicates, incomplete, gaps, jitter, tilt
        Policies, as for `to_volume`.
    orientation
        As for `to_volume`, or "split" to make a volume of each stack: their keys are "uid#0", "uid#1", ...

    Returns
    -------
    Volumes
        A mapping from SeriesInstanceUID to DataArray; ``.rejected`` is a table of the rest.

    Raises
    ------
    DicomError
        If a file that was named can't be read.

    Examples
    --------
    >>> import dicomkit as dk
    >>> to_volumes([dk.DataSet(SeriesInstanceUID="1.2.3", Modality="SR")]).rejected.reason.tolist()
    ['no images']
    """
    split = orientation == "split"
    single: Orientation = "error" if orientation == "split" else orientation
    policy = Policy(unplaced, single, duplicates, incomplete, gaps, jitter, tilt, tolerance, slice_step)
    found = gather(source)
    facts = collect(found.images)
    volumes: dict[str, xr.DataArray] = {}
    rejected: list[tuple[str, Image, int, str]] = []
    for uid, rows in _series(facts).items():
        parts = [(uid, rows)]
        if split:
            stacks, lost = group(_part(facts, rows), tolerance)
            if len(stacks) > 1:
                parts = [(f"{uid}#{k}", np.sort(rows[stack])) for k, stack in enumerate(stacks)]
                if len(lost) and unplaced == "error":
                    rejected.append((uid, facts.sources[int(facts.source[rows[lost[0]]])], len(lost), _UNPLACED))
        for key, part in parts:
            try:
                volumes[key] = volume_of(facts, part, policy, dtype, chunks, rescale, fill_value)
            except DicomError as error:
                rejected.append((key, facts.sources[int(facts.source[part[0]])], len(part), str(error)))
    others: dict[str, list[Image]] = {}
    for ds in found.others:
        others.setdefault(str(ds.get("SeriesInstanceUID") or ""), []).append(ds)
    rejected += [(uid, group_[0], len(group_), "no images") for uid, group_ in others.items() if uid not in volumes]
    return Volumes(volumes, rejected_table(rejected, found))


_UNPLACED = "no usable ImagePositionPatient, ImageOrientationPatient or PixelSpacing"


def arranged(facts: FrameFacts, rows: Any, policy: Policy) -> Stack:
    """Make the one stack of some frames that the policies want.

    Raises
    ------
    GeometryError
        If a finding's policy is "error", or nothing is left.
    """
    part = _part(facts, rows)
    stacks, lost = group(part, policy.tolerance)
    if not stacks:
        raise placeless(part)
    findings: list[Finding] = []
    notes: list[str] = []
    if len(lost):
        verb = "frame has" if len(lost) == 1 else "frames have"
        lost_finding = Finding(
            "unplaced", None, None, None, tuple(rows[lost].tolist()), f"{len(lost)} {verb} {_UNPLACED}"
        )
        if policy.unplaced == "error":
            findings.append(lost_finding)
        else:
            notes.append(f"unplaced (policy 'drop'): {lost_finding.detail}")
    chosen = policy.orientation if isinstance(policy.orientation, int) else 0
    if len(stacks) > 1:
        details = [_stack_detail(part, k, stack) for k, stack in enumerate(stacks)]
        if policy.orientation == "error":
            findings += [
                Finding("orientation", k, None, None, tuple(rows[stack].tolist()), details[k])
                for k, stack in enumerate(stacks)
            ]
        else:
            notes.append(
                f"orientation (policy {policy.orientation!r}): {details[min(chosen, len(stacks) - 1)]}; others left out"
            )
    if not chosen < len(stacks):
        raise GeometryError(f"there is no stack {chosen}: the series has {len(stacks)}")
    if findings and policy.orientation == "error" and len(stacks) > 1:
        raise irregular(facts, findings)
    stack = examine(facts, rows[stacks[chosen]], policy, chosen)
    if stack.geometry is None:
        raise GeometryError(
            "a single slice with neither SpacingBetweenSlices nor SliceThickness: how thick it is is not known",
            hint="pass slice_step= in mm",
        )
    stack = resolve(stack, policy)
    findings += stack.findings
    if findings:
        raise irregular(facts, findings)
    used = set(facts.source[stack.present].tolist())
    about = dict.fromkeys(note for source, note in facts.notes if source in used)
    return replace(stack, notes=(*about, *notes, *stack.notes))


def lazy_volume(
    found: Gathered, policy: Policy, *, dtype: DTypeLike | None, rescale: bool, fill_value: float | None
) -> xr.DataArray:
    """Make a volume of one series, of which no pixel is read before it is asked for."""
    if policy.tilt == "deskew":
        raise GeometryError(
            "a lazy volume can't be deskewed", hint="use tilt='keep', then .dicom.reslice on what is needed"
        )
    facts = one_series(found)
    return _labelled(facts, np.arange(len(facts)), policy, dtype, rescale, fill_value, lazy=True)


def one_series(found: Gathered) -> FrameFacts:
    """Collect the facts of the images, which must be of one series."""
    if not found.images:
        raise GeometryError("there are no images in the source", table=left_out(found))
    facts = collect(found.images)
    series = _series(facts)
    if len(series) > 1:
        table = series_table(facts, series)
        raise GeometryError(
            f"there are {len(series)} series, and a volume is made of one: {series_text(table)}",
            table=table,
            hint="select one by SeriesInstanceUID, or use to_volumes",
        )
    return facts


def _labelled(
    facts: FrameFacts,
    rows: Any,
    policy: Policy,
    dtype: DTypeLike | None,
    rescale: bool,
    fill_value: float | None,
    *,
    lazy: bool,
) -> xr.DataArray:
    """Make the volume of some frames, read or to be read."""
    register()
    stack = arranged(facts, rows, policy)
    voxels, units, notes = planned(facts, stack, dtype, rescale, fill_value, lazy=lazy)
    stack = replace(stack, notes=(*stack.notes, *notes))
    if not lazy:
        return labelled(facts, stack, voxels.read(), units)
    from dicomkit.volumes.lazy import lazy_variable

    return labelled(facts, stack, lazy_variable(voxels), units)


def volume_of(
    facts: FrameFacts,
    rows: Any,
    policy: Policy,
    dtype: DTypeLike | None,
    chunks: Chunks | None,
    rescale: bool,
    fill_value: float | None,
) -> xr.DataArray:
    """Make the volume of some frames: in memory, or on dask."""
    volume = _labelled(facts, rows, policy, dtype, rescale, fill_value, lazy=chunks is not None)
    if chunks is not None:
        sizes: Any = {d: n if d in _PLANE else 1 for d, n in volume.sizes.items()} if chunks == {} else chunks
        try:
            import_module("dask.array")
        except ImportError:
            raise MissingFeatureError("a lazy volume (chunks=)", "dask") from None
        volume = volume.chunk(sizes)
    if policy.tilt == "deskew" and any(note.startswith("tilt") for note in volume.attrs.get("assumptions", ())):
        from dicomkit.volumes.resample import deskewed

        volume = deskewed(volume, fill_value)
    return volume


_PLANE = ("row", "column", "sample")


def planned(
    facts: FrameFacts, stack: Stack, dtype: DTypeLike | None, rescale: bool, fill_value: float | None, *, lazy: bool
) -> tuple[Voxels, str, tuple[str, ...]]:
    """Plan the reading of a stack: the voxels, their unit and what was assumed."""
    present = stack.present
    used: list[int] = np.unique(facts.source[present]).tolist()
    found = dict(zip(used, described(facts.sources[k] for k in used), strict=True))
    descriptions = tuple(found[k if k in found else used[0]] for k in range(len(facts.sources)))
    scale = scale_of(facts, present, descriptions, dtype=dtype, rescale=rescale, certain=lazy)
    return Voxels.of(facts, stack, descriptions, scale, fill_value), scale.units, scale.notes


def _part(facts: FrameFacts, rows: Any) -> FrameFacts:
    """Take some rows of facts, over the same sources."""
    if len(rows) == len(facts):
        return facts
    return facts.taken(rows)


def _series(facts: FrameFacts) -> dict[str, Any]:
    """Give the rows of each series, in the order of appearance."""
    found: dict[str, list[int]] = {}
    for row, uid in enumerate(facts["series"].tolist()):
        found.setdefault(uid, []).append(row)
    return {uid: np.array(rows) for uid, rows in found.items()}


def _stack_detail(facts: FrameFacts, number: int, rows: Any) -> str:
    from dicomkit.volumes.geometry import plane_normal

    first = rows[0]
    normal = ", ".join(f"{x:.3f}" for x in plane_normal(facts["orientation"][first]))
    rows_mm, columns_mm = facts["spacing"][first]
    size = f"{facts['rows'][first]:g} x {facts['columns'][first]:g} of {rows_mm:.4g} x {columns_mm:.4g} mm"
    identity = f", StackID {facts['stack'][first]}" if facts["stack"][first] else ""
    return f"stack {number}: {len(rows)} frames, {size}, normal ({normal}){identity}"
