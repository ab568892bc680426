"""Attributes of one frame of an enhanced multi-frame object: its own before shared ones, before the top level."""

from __future__ import annotations

from typing import Any

from dicomkit.dataset.dataset import DataSet

PER_FRAME = "PerFrameFunctionalGroupsSequence"
SHARED = "SharedFunctionalGroupsSequence"


def frame_group(ds: DataSet, frame: int, sequence: str) -> DataSet | None:
    """Return the functional group of a frame (PS3.3 C.7.6.16.1), the frame's own or the shared one.

    Parameters
    ----------
    frame
        Its index, from 0.
    sequence
        The keyword of the functional group's sequence, such as ``"PixelMeasuresSequence"``.

    Examples
    --------
    >>> ds = DataSet(SharedFunctionalGroupsSequence=[{"PixelMeasuresSequence": [{"SliceThickness": 2}]}])
    >>> frame_group(ds, 7, "PixelMeasuresSequence").SliceThickness
    2.0
    """
    per_frame = ds.all(PER_FRAME)
    groups = per_frame[frame].all(sequence) if frame < len(per_frame) else ()
    if not groups:
        shared = ds.all(SHARED)
        groups = shared[0].all(sequence) if shared else ()
    return groups[0] if groups else None


def frame_attribute(ds: DataSet, frame: int, sequence: str, keyword: str, default: Any = None) -> Any:
    """Return an attribute of a frame, from its functional group where it has it, else from the top level.

    Examples
    --------
    >>> frame_attribute(DataSet(SliceThickness=3), 0, "PixelMeasuresSequence", "SliceThickness")
    3.0
    """
    group = frame_group(ds, frame, sequence)
    if group is not None and keyword in group:
        return group.get(keyword, default)
    return ds.get(keyword, default)
