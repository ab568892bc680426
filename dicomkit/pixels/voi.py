"""The values of interest that an image proposes: windows and tables (PS3.3 C.11.2, C.7.6.16.2.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dicomkit.dataset.functional_groups import frame_group
from dicomkit.errors import ValueFormatError
from dicomkit.pixels.lookup import LookupTable, parse_table
from dicomkit.pixels.window import FUNCTIONS, Window, check

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

Voi: TypeAlias = Window | LookupTable


def voi_of(ds: DataSet, frame: int = 0, *, signed_input: bool = True) -> tuple[Voi, ...]:
    """List the alternatives that a frame proposes: its windows, then its VOI tables.

    The frame's functional group wins over the shared one, and that over the top level. Windows that the standard
    forbids (width 0) are left out.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.
    signed_input : bool
        Whether modality values may be negative: decides how a table's first input value is read.

    Returns
    -------
    tuple of Window or LookupTable

    Raises
    ------
    PixelError
        If a table makes no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> voi_of(dk.DataSet({"WindowCenter": (40, -600), "WindowWidth": (400, 1500)}))[1]
    Window(center=-600.0, width=1500.0, function='LINEAR', explanation='')
    """
    group = frame_group(ds, frame, "FrameVOILUTSequence")
    source = group if group is not None and group.get("WindowCenter") is not None else ds
    function = str(source.get("VOILUTFunction") or "LINEAR")
    function = function if function in FUNCTIONS else "LINEAR"
    names = [str(name or "") for name in source.all("WindowCenterWidthExplanation")]
    pairs = list(zip(source.all("WindowCenter"), source.all("WindowWidth"), strict=False))
    names += [""] * (len(pairs) - len(names))
    found: list[Voi] = []
    for (center, width), name in zip(pairs, names, strict=False):
        if isinstance(center, (int, float)) and isinstance(width, (int, float)):
            candidate = Window(float(center), float(width), function, name)
            if _allowed(candidate):
                found.append(candidate)
    tables = (group.all("VOILUTSequence") if group is not None else ()) or ds.all("VOILUTSequence")
    found.extend(parse_table(item, signed_input=signed_input) for item in tables)
    return tuple(found)


def _allowed(window: Window) -> bool:
    """Whether a window can be applied."""
    try:
        check(window.center, window.width, window.function)
    except ValueFormatError:
        return False
    return True
