"""What a caller may decide about slices that don't make one regular volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from dicomkit.errors import GeometryError

Unplaced = Literal["error", "drop"]
Orientation = Literal["error", "largest"] | int
Duplicates = Literal["error", "first", "last", "stack"]
Incomplete = Literal["error", "drop", "fill"]
Gaps = Literal["error", "keep", "fill"]
Jitter = Literal["error", "keep", "fit"]
Tilt = Literal["error", "keep", "deskew"]

CHOICES: dict[str, dict[str, str]] = {
    "unplaced": {"drop": "leave out frames without position, orientation or spacing"},
    "orientation": {"largest": "take the stack with the most frames", "0, 1, ...": "take the stack of this number"},
    "duplicates": {
        "first": "take the first in the order of InstanceNumber",
        "last": "take the last",
        "stack": "make a dimension 'repetition' of them",
    },
    "incomplete": {"drop": "leave out what isn't complete", "fill": "put fill_value where a frame is missing"},
    "gaps": {"keep": "leave the slices unevenly spaced (no affine)", "fill": "put slices of fill_value in the gaps"},
    "jitter": {"fit": "place the slices on the best even grid", "keep": "leave them unevenly spaced (no affine)"},
    "tilt": {"keep": "keep the slanted step in the affine", "deskew": "resample to a grid with right angles"},
}
"""By kind of finding: what can be chosen instead of "error", and what it does."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done about each kind of finding; `CHOICES` explains the words.

    Examples
    --------
    >>> Policy(gaps="keep").gaps
    'keep'
    """

    unplaced: Unplaced = "error"
    orientation: Orientation = "error"
    duplicates: Duplicates = "error"
    incomplete: Incomplete = "error"
    gaps: Gaps = "error"
    jitter: Jitter = "error"
    tilt: Tilt = "error"
    tolerance: float = 0.01
    slice_step: float | None = None

    def __post_init__(self) -> None:
        for kind, choices in CHOICES.items():
            value = getattr(self, kind)
            if value != "error" and value not in choices and not (kind == "orientation" and isinstance(value, int)):
                raise GeometryError(
                    f"{kind}={value!r} is not a policy", hint=f"choose one of 'error', {', '.join(map(repr, choices))}"
                )
        if not self.tolerance > 0:
            raise GeometryError(f"tolerance must be a positive number of mm, not {self.tolerance}")


class Finding(NamedTuple):
    """Something irregular: its kind (a field of `Policy`), where it is, and what it is."""

    kind: str
    stack: int | None
    slice: int | None
    position: float | None
    """mm along the normal of the slices."""
    frames: tuple[int, ...]
    """Rows of the `FrameFacts`."""
    detail: str


def choices(kind: str) -> str:
    """Write what can be passed for a kind of finding.

    Examples
    --------
    >>> choices("gaps")
    "gaps='keep' or gaps='fill'"
    """
    return " or ".join(f"{kind}={word}" if word[0].isdigit() else f"{kind}={word!r}" for word in CHOICES[kind])
