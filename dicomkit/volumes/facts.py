"""What each frame says about its place, its scale and its order, as one column per fact.

Classic images and enhanced multi-frame ones give the same columns: a fact of a frame is looked for in its own
functional groups, then in the shared ones, then at the top level (PS3.3 C.7.6.16). Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicomkit.dataset.path import items_in
from dicomkit.values.tag import Tag
from dicomkit.volumes.geometry import plane_normal
from dicomkit.volumes.header import Header, Image
from dicomkit.volumes.mosaic import mosaic_tiles
from dicomkit.volumes.nuclear import tomogram
from dicomkit.volumes.places import ORDER, OWN, PLACE
from dicomkit.volumes.private_diffusion import Diffusion, private_diffusion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomkit.dataset.dataset import DataSet

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Objects = NDArray[np.object_]

_PER_FRAME, _SHARED, _NUMBER_OF_FRAMES = 0x52009230, 0x52009229, 0x00280008
_PRIVATE = {"DiffusionBValue": 0, "DiffusionGradientOrientation": 1}
"""Facts that may stand in private elements, by their place in a `Diffusion`."""


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """One row per frame, one array per fact. A fact that is missing or unreadable is NaN, or "" for a text.

    Parameters
    ----------
    sources
        The data sets that the frames are in.
    source, frame
        Index into ``sources``, and of the frame in it, from 0.
    top, left
        Where in the stored frame this one begins: not 0 only for the tiles of a mosaic.
    tables
        The other facts by name: (n,) or (n, width) arrays.
    """

    sources: tuple[Image, ...] = field(repr=False)
    source: Ints
    frame: Ints
    top: Ints
    left: Ints
    table: Mapping[str, Any] = field(repr=False)
    notes: tuple[tuple[int, str], ...] = ()
    """What was assumed about a source: its index and a sentence."""

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Give a column: one of PLACE, or one of ORDER, which is collected when first asked for."""
        array: NDArray[Any] = self.table[name]
        return array

    def taken(self, rows: Ints) -> FrameFacts:
        """Give the facts of some rows, over the same sources."""
        return FrameFacts(
            self.sources,
            self.source[rows],
            self.frame[rows],
            self.top[rows],
            self.left[rows],
            _Taken(self.table, rows),
            self.notes,
        )

    def with_columns(self, **columns: NDArray[Any]) -> FrameFacts:
        """Give the same facts with other columns in place of some."""
        return replace(self, table=_Replaced(self.table, columns))


class _Replaced(Mapping[str, Any]):
    """Columns of which some are others."""

    def __init__(self, table: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        self._table = table
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        return self._columns[name] if name in self._columns else self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class _Taken(Mapping[str, Any]):
    """Some rows of every column."""

    def __init__(self, table: Mapping[str, Any], rows: Ints) -> None:
        self._table = table
        self._rows = rows

    def __getitem__(self, name: str) -> Any:
        return self._table[name][self._rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class _Columns(Mapping[str, Any]):
    """Columns that are known, and columns that are collected when first asked for."""

    def __init__(
        self,
        known: dict[str, Any],
        sources: Sequence[Image],
        source: Ints,
        frame: Ints,
        told: Mapping[int, Mapping[str, list[Any]]],
    ) -> None:
        self._known = known
        self._told = told  # of some sources, and in place of what stands at the usual places
        self._sources = sources
        self._source = source
        self._frame = frame
        self._private: list[Diffusion] | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            fact = ORDER[name]
            groups = [_Groups.of(ds) for ds in self._sources]
            paths = _paths()
            per_source = [
                self._told.get(k, {}).get(name) or _values(ds, g, paths(g)[name], g.frames)
                for k, (ds, g) in enumerate(zip(self._sources, groups, strict=True))
            ]
            rows = [per_source[s][f] for s, f in zip(self._source.tolist(), self._frame.tolist(), strict=True)]
            column = _PRIVATE.get(name)
            if column is not None and all(row is None for row in rows) and all(g.frames == 1 for g in groups):
                if self._private is None:
                    self._private = private_diffusion(self._sources)
                rows = [self._private[s][column] for s in self._source.tolist()]
            self._known[name] = _array(rows, fact.width)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._known, **ORDER})

    def __len__(self) -> int:
        return len({**self._known, **ORDER})


def collect(datasets: Iterable[Image]) -> FrameFacts:
    """Collect the facts of every frame of data sets, in the order given.

    Parameters
    ----------
    datasets
        Images of any kind; each needs what `wanted_tags` lists.

    Returns
    -------
    FrameFacts

    Examples
    --------
    >>> import dicomkit as dk
    >>> facts = collect([dk.DataSet({"ImagePositionPatient": [0, 0, z], "Rows": 4, "Columns": 4}) for z in (1, 2)])
    >>> len(facts), facts["position"][:, 2].tolist()
    (2, [1.0, 2.0])
    """
    sources = tuple(datasets)
    rows: dict[str, list[Any]] = {name: [] for name in PLACE}
    row: list[int] = []  # of each frame, in the columns of what frames share
    source: list[int] = []
    frame: list[int] = []
    top: list[int] = []
    left: list[int] = []
    notes: list[tuple[int, str]] = []
    places = _paths()
    own = [(rows[name], places.plain[name][0][0]) for name in OWN]
    told: dict[int, dict[str, list[Any]]] = {}
    count = 0
    alike: dict[Any, int] = {}
    for index, ds in enumerate(sources):
        key = ds.likeness if isinstance(ds, Header) else None
        if key in alike:
            for column, tag in own:
                column.append(ds.get(tag))
            row.append(alike[key])
            top.append(0)
            left.append(0)
            frame.append(0)
            source.append(index)
            continue
        groups = _Groups.of(ds)
        n = groups.frames
        paths = places(groups)
        values = {name: _values(ds, groups, paths[name], n) for name in PLACE}
        if n > 1 and ds.get("GridFrameOffsetVector") is not None:
            values["position"] = _dose_planes(ds, values["position"], values["orientation"])
        if n > 1 and (nuclear := tomogram(ds, values)) is not None:
            values |= nuclear.values
            told[index] = nuclear.order
            notes += [(index, note) for note in nuclear.notes]
        tiles = mosaic_tiles(ds, values) if n == 1 else None
        if tiles is not None:
            n = len(tiles.top)
            values = {name: [column[0]] * n for name, column in values.items()} | tiles.values
            top += tiles.top
            left += tiles.left
            frame += [0] * n
            notes += [(index, note) for note in tiles.notes]
        else:
            if key is not None and n == 1:
                alike[key] = count
            top += [0] * n
            left += [0] * n
            frame += range(n)
        source += [index] * n
        row += range(count, count + n)
        count += n
        for name, column in rows.items():
            column += values[name]
    known: dict[str, Any] = {name: _array(rows[name], fact.width) for name, fact in PLACE.items()}
    known |= {name: known[name][row] for name in PLACE if name not in OWN}
    source_array, frame_array = np.array(source, np.int64), np.array(frame, np.int64)
    return FrameFacts(
        sources,
        source_array,
        frame_array,
        np.array(top, np.int64),
        np.array(left, np.int64),
        _Columns(known, sources, source_array, frame_array, told),
        tuple(notes),
    )


class _Groups(NamedTuple):
    """The functional groups of a data set, and how many frames it has."""

    per_frame: tuple[DataSet, ...]
    shared: DataSet | None
    frames: int

    @classmethod
    def of(cls, ds: Image) -> _Groups:
        """Count the frames: as many as there are functional groups, else what NumberOfFrames says."""
        per_frame = items_in(ds.get(_PER_FRAME))
        shared = items_in(ds.get(_SHARED))
        n = len(per_frame) or ds.get(_NUMBER_OF_FRAMES)
        return cls(per_frame, shared[0] if shared else None, n if isinstance(n, int) and 0 < n < 1_000_000 else 1)


class _Paths(NamedTuple):
    """The places of each fact, with functional groups and without, in tags: they are found quicker than keywords."""

    grouped: dict[str, tuple[tuple[int, ...], ...]]
    plain: dict[str, tuple[tuple[int, ...], ...]]

    def __call__(self, groups: _Groups) -> dict[str, tuple[tuple[int, ...], ...]]:
        return self.grouped if groups.per_frame or groups.shared is not None else self.plain


@cache
def _paths() -> _Paths:
    found = {
        name: tuple(tuple(int(Tag.of(keyword)) for keyword in place) for place in fact.places)
        for name, fact in {**PLACE, **ORDER}.items()
    }
    direction = int(Tag.of("DiffusionGradientDirectionSequence"))
    plain = {name: tuple(p for p in paths if len(p) == 1 or p[0] == direction) for name, paths in found.items()}
    return _Paths(found, plain)


def _values(ds: Image, groups: _Groups, paths: tuple[tuple[int, ...], ...], n: int) -> list[Any]:
    """Give a fact of each of the n frames of a data set, None where it is not stated."""
    grouped = bool(groups.per_frame) or groups.shared is not None
    if not grouped:
        for path in paths:
            value = ds.get(path[0]) if len(path) == 1 else _at(ds, path)
            if value is not None:
                return [value] * n
        return [None] * n
    column: list[Any] = []
    for place in paths:
        if len(place) > 1:
            common = _at(groups.shared, place) if groups.shared is not None else None
            found = [_at(item, place) for item in groups.per_frame]
            found += [None] * (n - len(found))
            if common is not None:
                found = [common if value is None else value for value in found]
        else:
            value = ds.get(place[0])
            if value is None:
                continue
            found = [value] * n
        column = [new if old is None else old for old, new in zip(column, found, strict=True)] if column else found
        if None not in column:
            return column
    return column or [None] * n


def _at(item: Image, place: Sequence[int]) -> Any:
    """Follow a path through first items; None where it ends early."""
    value: Any = item
    for tag in place[:-1]:
        items = items_in(value.get(tag))
        if not items:
            return None
        value = items[0]
    return value.get(place[-1])


def _dose_planes(ds: Image, positions: list[Any], orientations: list[Any]) -> list[Any]:
    """Place the frames of an RT Dose by its GridFrameOffsetVector (PS3.3 C.8.8.3.2)."""
    offsets = _array([ds.get("GridFrameOffsetVector")], len(positions))[0]
    position, orientation = _array(positions[:1], 3)[0], _array(orientations[:1], 6)[0]
    if not (np.isfinite(offsets).all() and np.isfinite(position).all() and np.isfinite(orientation).all()):
        return positions
    if offsets[0] == 0:
        moved = position + offsets[:, None] * plane_normal(orientation)
    else:  # not relative to the first plane: they are z coordinates
        moved = position + (offsets - offsets[0])[:, None] * [0, 0, 1]
    return list(map(tuple, moved.tolist()))


def _array(rows: list[Any], width: int) -> NDArray[Any]:
    """Make a column: texts as objects, numbers as float64 with NaN for whatever isn't the right number of numbers."""
    if width == 0:
        texts = np.empty(len(rows), object)
        texts[:] = ["" if v is None else "\\".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in rows]
        return texts
    if width == 1:
        return np.array([v if isinstance(v, (int, float)) else _first(v) for v in rows], float)
    nothing = (np.nan,) * width
    fits = [v if isinstance(v, tuple) and len(v) == width else nothing for v in rows]
    try:
        return np.array(fits, float).reshape(len(rows), width)
    except (TypeError, ValueError):
        numbers = [v if all(isinstance(x, (int, float)) for x in v) else nothing for v in fits]
        return np.array(numbers, float).reshape(len(rows), width)


def _first(value: Any) -> float:
    """Give a number for a value that isn't one: the first of several, else NaN."""
    if isinstance(value, tuple) and value and isinstance(value[0], (int, float)):
        return float(value[0])
    return float("nan")
