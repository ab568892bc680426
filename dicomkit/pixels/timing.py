"""How long each frame of a cine is shown (PS3.3 C.7.6.5, C.7.6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

USUAL_SECONDS = 0.1
"""What is taken where nothing tells."""

_RATES = ("RecommendedDisplayFrameRate", "CineRate")


def frame_seconds(ds: DataSet) -> float:
    """Tell how long a frame is shown.

    Recommended Display Frame Rate and Cine Rate (both per second) win over Frame Time and the mean of Frame Time Vector
    (both in ms): they say how the frames are meant to be shown, not how they were acquired.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    float
        Seconds; 0.1 where nothing tells.

    Examples
    --------
    >>> import dicomkit as dk
    >>> frame_seconds(dk.DataSet(FrameTime=40.0)), frame_seconds(dk.DataSet(CineRate=50, FrameTime=40.0))
    (0.04, 0.02)
    """
    for keyword in _RATES:
        rate = ds.get(keyword)
        if isinstance(rate, (int, float)) and rate > 0:
            return _sensible(1 / rate)
    time = ds.get("FrameTime")
    if isinstance(time, (int, float)) and time > 0:
        return _sensible(time / 1000)
    steps = [step for step in ds.all("FrameTimeVector")[1:] if isinstance(step, (int, float)) and step > 0]
    return _sensible(sum(steps) / len(steps) / 1000) if steps else USUAL_SECONDS


def _sensible(seconds: float) -> float:
    """A time between a thousandth of a second and a minute."""
    return float(min(max(seconds, 0.001), 60.0))
