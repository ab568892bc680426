"""Which facts tell apart the frames that lie at one place: time, b-value, echo and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

MOST_DIMENSIONS = 3


class Candidate(NamedTuple):
    """A fact that may be a dimension: its name in the volume, the attribute (its first place), and its unit."""

    dimension: str
    attributes: tuple[str, ...]
    units: str = ""


CANDIDATES = (
    Candidate("b_value", ("DiffusionBValue",), "s/mm2"),
    Candidate("diffusion", ("DiffusionBValue", "DiffusionGradientOrientation")),
    Candidate("component", ("ComplexImageComponent",)),
    Candidate("energy_window", ("EnergyWindowVector",)),
    Candidate("rr_interval", ("RRIntervalVector",)),
    Candidate("echo", ("EchoTime",), "ms"),
    Candidate("time", ("TemporalPositionIndex",)),
    Candidate("trigger_time", ("TriggerTime",), "ms"),
    Candidate("inversion_time", ("InversionTime",), "ms"),
    Candidate("flip_angle", ("FlipAngle",), "deg"),
    Candidate("kvp", ("KVP",), "kV"),
    Candidate("channel", ("ReceiveCoilName",)),
    Candidate("time", ("FrameReferenceTime",), "ms"),
    Candidate("time", ("AcquisitionNumber",)),
    Candidate("time", ("AcquisitionTime",)),
    Candidate("time", ("ContentTime",)),
)
"""In order of preference: what says what a frame is comes before what says when it was made."""

ARRAY_ORDER = (
    "repetition",
    "energy_window",
    "rr_interval",
    "time",
    "trigger_time",
    "diffusion",
    "b_value",
    "inversion_time",
    "flip_angle",
    "kvp",
    "channel",
    "component",
    "echo",
)
"""The order of dimensions in a volume, ahead of slice, row and column."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A further dimension of a stack.

    Parameters
    ----------
    name
        Such as "time".
    attribute
        Keyword of the attribute whose values it holds; "InstanceNumber" when only the order of the images tells.
    values
        One per level, in the order of the levels.
    codes
        The level of each frame.
    units
        Of the values, or "".
    """

    name: str
    attribute: str
    values: NDArray[Any]
    codes: Ints
    units: str = ""

    def __len__(self) -> int:
        return len(self.values)


class Grid(NamedTuple):
    """Dimensions that explain the frames at one place, and how well."""

    dimensions: tuple[Dimension, ...]
    excess: int
    """Frames that share their cell with an earlier one."""
    missing: int
    """Cells without a frame."""


def find_dimensions(
    place: Ints, facts: Mapping[str, NDArray[Any]], order: Ints, *, by_order: str | None = None
) -> Grid:
    """Find the fewest facts that, with the place, give each frame a cell of its own in a full grid.

    Where no facts do, the ones are taken that leave the fewest frames without a cell and cells without a frame.

    Parameters
    ----------
    place : (n,) int array
        Which slice each frame is in, from 0.
    facts
        Columns of length n by keyword (see `CANDIDATES`); those that are not there are not asked for.
    order : (n,) int array
        Rank of each frame in the order of acquisition: levels without a natural order are counted by it.
    by_order : str, optional
        Name of a dimension to make of the order alone, if facts don't suffice.

    Returns
    -------
    Grid

    Examples
    --------
    >>> grid = find_dimensions(np.array([0, 0, 1, 1]), {"EchoTime": np.array([2.0, 4.0, 2.0, 4.0])}, np.arange(4))
    >>> [(d.name, d.values.tolist()) for d in grid.dimensions], grid.excess, grid.missing
    ([('echo', [2.0, 4.0])], 0, 0)
    """
    n, places = len(place), int(place.max()) + 1
    best = Grid((), n - places, 0)
    if not best.excess:
        return best
    candidates = list(_distinct(_dimensions(facts, order)))
    for chosen in _choices(candidates, by_order and _ranked(place, order, by_order)):
        size = places
        for d in chosen:
            size *= len(d)
        if not 0.5 * n <= size <= 2 * n + places:
            continue
        cell = place
        for d in chosen:
            cell = cell * len(d) + d.codes
        taken = len(np.unique(cell))
        grid = Grid(chosen, n - taken, size - taken)
        if grid.excess + grid.missing < best.excess + best.missing:
            best = grid
        if not best.excess + best.missing:
            break
    return best._replace(dimensions=tuple(sorted(best.dimensions, key=lambda d: ARRAY_ORDER.index(d.name))))


def _choices(candidates: list[Dimension], ranked: Dimension | str | None) -> Iterator[tuple[Dimension, ...]]:
    """Give sets of candidates, small ones first; the order of the images last of all."""
    for count in range(1, MOST_DIMENSIONS + 1):
        for chosen in combinations(candidates, count):
            if len({d.name for d in chosen}) == count and not {"b_value", "diffusion"} <= {d.name for d in chosen}:
                yield chosen
    if isinstance(ranked, Dimension):
        yield (ranked,)


def _dimensions(facts: Mapping[str, NDArray[Any]], order: Ints) -> Iterator[Dimension]:
    """Give every candidate of which the frames have at least two levels."""
    for candidate in CANDIDATES:
        columns = [facts[k] for k in candidate.attributes if k in facts]
        if len(columns) < len(candidate.attributes):
            continue
        coded = [_codes(column) for column in columns]
        codes = coded[0]
        for more in coded[1:]:
            codes = codes * (int(more.max()) + 1) + more
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
        if len(first) < 2:
            continue
        if (columns[0].dtype == object and candidate.dimension != "time") or len(columns) > 1:
            earliest = np.full(len(first), len(order))
            np.minimum.at(earliest, codes, order)
            rank = np.argsort(np.argsort(earliest))
            first, codes = first[np.argsort(earliest)], rank[codes]
        values = columns[0][first] if len(columns) == 1 else np.arange(len(first))
        yield Dimension(candidate.dimension, candidate.attributes[-1], values, codes, candidate.units)


def _codes(column: NDArray[Any]) -> Ints:
    """Number the levels of a column in ascending order; numbers that print alike are one level, NaN is one."""
    if column.dtype == object:
        return np.unique(column.astype(str), return_inverse=True)[1]
    flat = np.clip(np.nan_to_num(column.reshape(len(column), -1), nan=-1e30), -1e30, 1e30)
    return np.unique(np.round(flat, 6), axis=0, return_inverse=True)[1].reshape(-1)


def _distinct(candidates: Iterator[Dimension]) -> Iterator[Dimension]:
    """Leave out candidates that part the frames as an earlier one does."""
    seen = set()
    for candidate in candidates:
        _, first, codes = np.unique(candidate.codes, return_index=True, return_inverse=True)
        pattern = np.argsort(np.argsort(first))[codes].tobytes()
        if pattern not in seen:
            seen.add(pattern)
            yield candidate


def _ranked(place: Ints, order: Ints, name: str) -> Dimension:
    """Make a dimension of the order of acquisition within each place."""
    by_place = np.lexsort((order, place))
    starts = np.searchsorted(place[by_place], np.arange(int(place.max()) + 1))
    codes = np.empty(len(place), np.int64)
    codes[by_place] = np.arange(len(place)) - starts[place[by_place]]
    return Dimension(name, "InstanceNumber", np.arange(1, int(codes.max()) + 2), codes)
