"""Frames go from their files into the array of a volume: native ones straight, each scaled while it is in cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.errors import PixelError
from dicomkit.pixels.bits import clear_unused
from dicomkit.pixels.colour import GREY, to_rgb
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frames import frame_with_notes, frames
from dicomkit.pixels.lookup import LookupTable
from dicomkit.pixels.modality import modality_of
from dicomkit.values.fragments import Fragments
from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.header import Header, dataset_of, words
from dicomkit.volumes.quantity import Scale, stored_range, wide_type
from dicomkit.volumes.stack import Stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicomkit.dataset.dataset import DataSet
    from dicomkit.sources import Bulk
    from dicomkit.volumes.header import Image


_MODALITY_LUT_SEQUENCE = 0x00283000

_DESCRIBING = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)

THREADED = 1 << 20
"""Bytes from which on a volume is read by several threads: reading, decoding and scaling release the interpreter."""


class _DoesNotFit(Exception):
    """A value that int16 can't hold."""


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
        samples = {d.samples_per_pixel for d in kept}
        if len(samples) > 1:
            raise PixelError("some frames of the volume are grey and some in colour")
        (sample,) = samples
        images = [facts.sources[s] for s in used.tolist()]
        natives = tuple(map(_native, images, kept))
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
        except _DoesNotFit:
            del out
            stored = np.result_type(*(d.dtype for d in self.descriptions))
            return replace(self, dtype=wide_type(stored), narrow=False).read()
        return out

    def read_cells(self, cells: Iterable[int], out: NDArray[Any]) -> None:
        """Read some slices into an array of (slices, rows, columns[, samples])."""
        numbers = list(cells)
        threads = min(os.cpu_count() or 1, 8)
        if threads > 1 and out.nbytes > THREADED:
            step = -(-len(numbers) // (2 * threads))
            parts = [range(k, min(k + step, len(numbers))) for k in range(0, len(numbers), step)]
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(lambda part: self._read_some(numbers, part, out), parts):
                    pass
        else:
            self._read_some(numbers, range(len(numbers)), out)

    def _read_some(self, numbers: list[int], places: Iterable[int], out: NDArray[Any]) -> None:
        """Read slices one after the other, holding the last frame, for the tiles of a mosaic, and one buffer."""
        rows, columns = self.slice_shape[:2]
        buffers: dict[PixelDescription, NDArray[Any]] = {}
        last: tuple[int, int] | None = None
        stored: NDArray[Any]
        for place in places:
            target = out[place]
            source, number, top, left, slope, intercept = self.cells[numbers[place]]
            if source < 0:
                target[...] = self.fill
                continue
            d = self.descriptions[source]
            straight = (
                d.frame_shape == target.shape and d.dtype.itemsize == target.dtype.itemsize and target.dtype.kind != "f"
            ) or (d.dtype == target.dtype and d.frame_shape == target.shape)
            if straight:
                stored = target.view(d.dtype)
                self._read_stored(source, number, stored)
            else:
                if (source, number) != last or d not in buffers:
                    stored = buffers[d] = buffers[d] if d in buffers else np.empty(d.frame_shape, d.dtype)
                    self._read_stored(source, number, stored)
                    last = (source, number)
                stored = buffers[d][top : top + rows, left : left + columns]
            table = self.tables[source]
            if table is not None:
                target[...] = table(stored)
            else:
                self._rescale(stored, target, slope, intercept, d, (source, number))

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
            raise PixelError(f"{count} of {size} bytes are there", frame=number, path=self.paths[source])
        if d.bits_stored < d.bits_allocated or d.high_bit != d.bits_stored - 1:
            low, high = stored_range(d)
            if d.high_bit != d.bits_stored - 1 or out.max() > high or (low and out.min() < low):
                clear_unused(out, d)

    def _rescale(
        self,
        stored: NDArray[Any],
        out: NDArray[Any],
        slope: float,
        intercept: float,
        d: PixelDescription,
        where: tuple[int, int],
    ) -> None:
        """Scale one slice, in place where it was read in place."""
        kind = out.dtype.type
        if out.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):  # absurd factors give infinities
                if stored.dtype.itemsize > 2 and slope != 1:  # more digits than float32 has: round once, at the end
                    np.multiply(stored, slope, out=out, casting="unsafe")
                else:
                    if not np.shares_memory(stored, out):
                        out[...] = stored
                    if slope != 1:
                        out *= kind(slope)
                if intercept:
                    out += kind(intercept)
            return
        limits = np.iinfo(out.dtype)
        if slope == 1 and limits.min <= intercept <= limits.max:
            low, high = stored_range(d)
            if low + intercept < limits.min or high + intercept > limits.max:
                low = int(stored.min()) if low + intercept < limits.min else low
                high = int(stored.max()) if high + intercept > limits.max else high
                if low + intercept < limits.min or high + intercept > limits.max:
                    self._refuse(low + intercept, high + intercept, where)
            same = stored.dtype.itemsize == out.dtype.itemsize  # then two's complement makes the sign immaterial
            if intercept:
                np.add(stored.view(out.dtype) if same else stored, kind(intercept), out=out, casting="unsafe")
            elif not np.shares_memory(stored, out):
                out[...] = stored
            return
        wide = stored.astype(np.int64) * int(slope) + int(intercept)
        if wide.min() < limits.min or wide.max() > limits.max:
            self._refuse(float(wide.min()), float(wide.max()), where)
        out[...] = wide

    def _refuse(self, low: float, high: float, where: tuple[int, int]) -> None:
        if self.narrow:
            raise _DoesNotFit
        raise PixelError(
            f"values from {low:g} to {high:g} don't fit {self.dtype}",
            frame=where[1],
            path=self.paths[where[0]],
            hint="use dtype='float32'",
        )


def described(images: Iterable[Image]) -> list[PixelDescription]:
    """Describe the pixels of images; those of equal headers once."""
    found: dict[Any, PixelDescription] = {}
    descriptions = []
    for image in images:
        readable: Any = image
        if not isinstance(image, Header):
            descriptions.append(describe(readable))
            continue
        key = image.raw(words(_DESCRIBING)), image.transfer_syntax
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


def _native(image: Image, d: PixelDescription) -> tuple[bytes | Bulk, int] | None:
    """Tell where native frames lie that are arrays as they stand; None where they need decoding."""
    value = image.get(d.attribute)
    if value is None or isinstance(value, Fragments) or d.big_endian or d.subsampled or d.planar_configuration:
        return None
    if d.bits_allocated not in (8, 16, 32, 64) or (d.samples_per_pixel > 1 and d.photometric_interpretation != "RGB"):
        return None
    if d.frame_bytes * d.number_of_frames > len(value):  # too short for what is described: decoding settles or says it
        return None
    return value, d.frame_bytes
