"""Frames go from their files into the array of a volume: native ones straight, each scaled while it is in cache."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import PixelError
from dicomkit.pixels.colour import GREY, to_rgb
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frames import frame_with_notes, frames
from dicomkit.pixels.lookup import LookupTable
from dicomkit.pixels.modality import modality_of
from dicomkit.sources import Bulk, FileSource
from dicomkit.values.fragments import Fragments
from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.header import Header, dataset_of
from dicomkit.volumes.quantity import Scale, wide_type
from dicomkit.volumes.rescaling import DoesNotFit, Rescaling
from dicomkit.volumes.stack import Stack
from dicomkit.volumes.straight import Straight, Way, clear_where_used, has_unused_bits, missing, read_straight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomkit.dataset.dataset import DataSet
    from dicomkit.volumes.header import Image


_MODALITY_LUT_SEQUENCE = 0x00283000

THREADED = 1 << 20
"""Bytes from which on a volume is read by several threads: reading, decoding and scaling release the interpreter."""

_PART = 1 << 23
"""Bytes that a thread reads on its own: two in one large page of memory would both have to wait for it."""


@dataclass(frozen=True, slots=True)
class Voxels:
    """Where each slice of a volume comes from, and what is done to it; picklable, so that workers can read slices.

    Parameters
    ----------
    shape
        (further dimensions, slices, rows, columns), and samples for colour.
    dtype
        Of the result.
    fill
        What cells without a frame hold.
    narrow
        Whether ``dtype`` is int16 on the condition that every value fits.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float
    narrow: bool
    paths: tuple[str | None, ...] = field(repr=False)
    datasets: tuple[DataSet | None, ...] = field(repr=False)
    """Of the images that need decoding."""
    descriptions: tuple[PixelDescription, ...] = field(repr=False)
    natives: tuple[tuple[bytes | Bulk, int] | None, ...] = field(repr=False)
    tables: tuple[LookupTable | None, ...] = field(repr=False)
    cells: tuple[tuple[int, int, int, int, float, float], ...] = field(repr=False)
    """Source (-1 for none), frame, top, left, slope and intercept of each slice, in the order of the array."""

    @classmethod
    def of(
        cls,
        facts: FrameFacts,
        stack: Stack,
        descriptions: tuple[PixelDescription, ...],
        scale: Scale,
        fill_value: float | None = None,
    ) -> Voxels:
        """Plan the reading of a stack.

        Raises
        ------
        PixelError
            If frames have different numbers of samples, or the fill value doesn't fit the type.
        """
        rows = stack.frames.reshape(-1)
        present = stack.present
        used, renumbered = np.unique(facts.source[present], return_inverse=True)
        kept = [descriptions[s] for s in used.tolist()]
        distinct = {id(d): d for d in kept}
        samples = {d.samples_per_pixel for d in distinct.values()}
        if len(samples) > 1:
            raise PixelError("some frames of the volume are grey and some in colour")
        (sample,) = samples
        images = [facts.sources[s] for s in used.tolist()]
        sizes = {key: _native_size(d) for key, d in distinct.items()}
        natives = tuple(_native(image, d, sizes[id(d)]) for image, d in zip(images, kept, strict=True))
        tables = tuple(map(_modality_table, images))
        dtype, narrow = scale.dtype, scale.narrow
        empty = len(present) < len(rows)
        if any(t is not None for t in tables):
            dtype, narrow = np.result_type(dtype, *(t.entries.dtype for t in tables if t is not None)), False
        if empty and fill_value is None and dtype.kind in "iu":
            dtype, narrow = np.dtype(np.float32), False
        fill = float("nan") if fill_value is None else fill_value
        if empty and dtype.kind in "iu" and not np.iinfo(dtype).min <= fill <= np.iinfo(dtype).max:
            raise PixelError(f"fill_value {fill_value} doesn't fit {dtype}")
        columns = np.full((len(rows), 4), -1, np.int64)
        columns[rows >= 0, 0] = renumbered.reshape(-1)
        for k, column in enumerate((facts.frame, facts.top, facts.left), 1):
            columns[:, k] = column[rows]
        cells = zip(*columns.T.tolist(), scale.slope[rows].tolist(), scale.intercept[rows].tolist(), strict=True)
        return cls(
            (*stack.frames.shape, *stack.shape, *((sample,) if sample > 1 else ())),
            dtype,
            fill,
            narrow,
            tuple(image.path for image in images),
            tuple(dataset_of(image) if native is None else None for image, native in zip(images, natives, strict=True)),
            tuple(kept),
            natives,
            tables,
            tuple(cells),
        )

    @property
    def slice_shape(self) -> tuple[int, ...]:
        """Rows and columns, and samples for colour."""
        first = len(self.shape) - (3 if self.descriptions[0].samples_per_pixel > 1 else 2)
        return self.shape[first:]

    def read(self) -> NDArray[Any]:
        """Read all slices.

        Returns
        -------
        ndarray
            Of ``shape``, and of ``dtype`` unless int16 turned out too small: then of float32.
        """
        try:
            out = np.empty(self.shape, self.dtype)
        except (MemoryError, ValueError) as error:
            raise PixelError(f"no memory for a volume of {self.shape} {self.dtype}", hint="use chunks={}") from error
        try:
            self.read_cells(range(len(self.cells)), out.reshape(-1, *self.slice_shape))
        except DoesNotFit:
            del out
            stored = np.result_type(*(d.dtype for d in self.descriptions))
            return replace(self, dtype=wide_type(stored), narrow=False).read()
        return out

    def read_cells(self, cells: Iterable[int], out: NDArray[Any]) -> None:
        """Read some slices into an array of (slices, rows, columns[, samples])."""
        numbers = list(cells)
        straight: list[Straight] = []
        others: list[int] = []
        ways: dict[Any, Way | None] = {}
        for place, number in enumerate(numbers):
            found = self._straight(number, out[place], ways)
            if found is None:
                others.append(place)
            else:
                straight.append(found)
        threads = min(os.cpu_count() or 1, 8) if out.nbytes > THREADED else 1
        most = max(1, min(_PART * len(numbers) // max(out.nbytes, 1), len(numbers) // (4 * threads)))
        near = iter([straight[k : k + most] for k in range(0, len(straight), most)])
        far = iter(self._parts(numbers, others, most))

        def work() -> None:
            try:
                self._read_some(numbers, chain.from_iterable(far), out)
                read_straight(chain.from_iterable(near))
            except BaseException:
                deque(chain(far, near), 0)  # the other threads stop, too
                raise

        if threads == 1:
            work()
            return
        with ThreadPoolExecutor(threads - 1) as pool:
            running = [pool.submit(work) for _ in range(threads - 1)]
            work()
            for one in running:
                one.result()

    def _parts(self, numbers: list[int], places: list[int], most: int) -> list[list[int]]:
        """Part slices among threads; those of one stored frame, the tiles of a mosaic, stay together."""
        parts: list[list[int]] = [[]]
        for _, some in groupby(places, lambda place: self.cells[numbers[place]][:2]):
            if len(parts[-1]) >= most:
                parts.append([])
            parts[-1] += some
        return parts

    def _straight(self, number: int, target: NDArray[Any], ways: dict[Any, Way | None]) -> Straight | None:
        """Prepare a slice whose stored values can be read to where it will be; None for another."""
        source, frame, _, _, slope, intercept = self.cells[number]
        native = self.natives[source] if source >= 0 else None
        if native is None or self.tables[source] is not None:
            return None
        (value, size), d = native, self.descriptions[source]
        key = id(d), slope, intercept
        if key not in ways:
            ways[key] = Way.of(d, target, self.narrow, slope, intercept)
        way = ways[key]
        if way is None or isinstance(value, bytes) or not isinstance(value.source, FileSource):
            return None
        stored = target if way.dtype is None else target.view(way.dtype)
        room = stored.data.cast("B")
        return Straight(
            way, value.source.readinto, value.offset + frame * size, room, stored, target, frame, value.path
        )

    def _read_some(self, numbers: list[int], places: Iterable[int], out: NDArray[Any]) -> None:
        """Read slices one after the other, holding the last frame, for the tiles of a mosaic, and one buffer."""
        rows, columns = self.slice_shape[:2]
        buffers: dict[PixelDescription, NDArray[Any]] = {}
        last: tuple[int, int] | None = None
        d: PixelDescription | None = None
        rescaling: Rescaling | None = None
        for place in places:
            target = out[place]
            source, number, top, left, slope, intercept = self.cells[numbers[place]]
            if source < 0:
                target[...] = self.fill
                continue
            if d is not self.descriptions[source]:  # most slices are like the one before
                d, rescaling = self.descriptions[source], None
            if (source, number) != last or d not in buffers:
                if d not in buffers:
                    buffers[d] = np.empty(d.frame_shape, d.dtype)
                self._read_stored(source, number, buffers[d])
                last = (source, number)
            stored = buffers[d][top : top + rows, left : left + columns]
            table = self.tables[source]
            if table is not None:
                target[...] = table(stored)
                continue
            if rescaling is None or rescaling.scale != (slope, intercept):
                rescaling = Rescaling(d, out.dtype, self.narrow, slope, intercept)
            rescaling(stored, target, number, self.paths[source])

    def _read_stored(self, source: int, number: int, out: NDArray[Any]) -> None:
        """Read one frame of stored values."""
        d, native = self.descriptions[source], self.natives[source]
        ds = self.datasets[source]
        if ds is not None or native is None:
            assert ds is not None
            if d.samples_per_pixel == 1:
                frames(ds, [number], out=out[None])
            else:
                decoded = frame_with_notes(ds, number)
                kind = decoded.photometric_interpretation
                out[...] = decoded.array if kind in GREY else to_rgb(decoded.array, kind, bits=d.bits_stored)
            return
        value, size = native
        if isinstance(value, bytes):
            got = value[number * size : (number + 1) * size]
            count = len(got)
            if count == size:
                out.reshape(-1)[:] = np.frombuffer(got, d.dtype.newbyteorder("<"))
        else:
            count = value.readinto(out, number * size)
        if count != size:
            raise missing(count, size, number, self.paths[source])
        if has_unused_bits(d):
            clear_where_used(out, d)


def described(images: Iterable[Image]) -> list[PixelDescription]:
    """Describe the pixels of images; those of equal headers once."""
    found: dict[Any, PixelDescription] = {}
    descriptions = []
    for image in images:
        readable: Any = image
        if not isinstance(image, Header):
            descriptions.append(describe(readable))
            continue
        key = image.likeness
        if key not in found:
            found[key] = describe(readable)
        descriptions.append(found[key])
    return descriptions


def _modality_table(image: Image) -> LookupTable | None:
    """Give the Modality LUT, where there is one."""
    if not image.get(_MODALITY_LUT_SEQUENCE):
        return None
    found = modality_of(dataset_of(image))
    return found if isinstance(found, LookupTable) else None


def _native_size(d: PixelDescription) -> int:
    """Give the bytes of native frames that are arrays as they stand; 0 for frames that need decoding."""
    if d.big_endian or d.subsampled or d.planar_configuration or d.bits_allocated not in (8, 16, 32, 64):
        return 0
    return 0 if d.samples_per_pixel > 1 and d.photometric_interpretation != "RGB" else d.frame_bytes


def _native(image: Image, d: PixelDescription, size: int) -> tuple[bytes | Bulk, int] | None:
    """Tell where frames lie that are arrays as they stand; None where they need decoding."""
    value = image.get(d.attribute) if size else None
    if value is None or isinstance(value, Fragments):
        return None
    if size * d.number_of_frames > len(value):  # too short for what is described: decoding settles or says it
        return None
    return value, size
