"""Overlays and curves: which of their groups go as a whole (PS3.15 E.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomkit.deidentification.job import Job

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_OVERLAY_TYPE, _BIT_POSITION, _DATA = 0x0040, 0x0102, 0x3000
_REGION = "R"


def dropped_groups(ds: DataSet, job: Job) -> dict[int, str]:
    """Return the groups of overlays and curves that are removed, with the reason.

    What is left of an overlay plane or a curve without its data is no module of any IOD, so the whole group goes. With
    the option to clean graphics, overlays that are regions of interest stay: bitmaps of graphics may be writing.
    """
    found: dict[int, str] = {}
    for group in {tag >> 16 for tag in ds if tag >> 24 in (0x50, 0x60) and not tag & 0x10000}:
        if group >> 8 == 0x60 and _kept(ds, group, job):
            continue
        what = "curves" if group >> 8 == 0x50 else "overlays"
        found[group] = f"basic profile: {what} may hold writing"
    return found


def overlay_bits(ds: DataSet) -> bool:
    """Whether overlays lie in unused bits of the pixel data (PS3.5 8.1.2), where they stay when their groups go.

    Examples
    --------
    >>> import dicomkit as dk
    >>> overlay_bits(dk.DataSet({0x60000102: 12})), overlay_bits(dk.DataSet({0x60000102: 0, 0x60003000: b"ab"}))
    (True, False)
    """
    return any(
        bool(ds.get(group << 16 | _BIT_POSITION)) and group << 16 | _DATA not in ds
        for group in {tag >> 16 for tag in ds if tag >> 24 == 0x60}
    )


def _kept(ds: DataSet, group: int, job: Job) -> bool:
    return job.rules.profile.clean_graphics and ds.get(group << 16 | _OVERLAY_TYPE) == _REGION
