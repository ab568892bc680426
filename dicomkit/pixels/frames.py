"""Frames of a data set, one at a time or as a stack, each read without touching the others."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import PixelError
from dicomkit.files.read import read
from dicomkit.pixels.codecs import native
from dicomkit.pixels.codecs.partial import decode_partial
from dicomkit.pixels.codecs.registry import decoder, is_encapsulated, sniff
from dicomkit.pixels.codecs.video import VIDEO, VideoReader
from dicomkit.pixels.description import Decoded, PixelDescription, describe
from dicomkit.pixels.offsets import FrameSpan, frame_span, frame_starts
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.sources import Bulk, Readable

FRAME_LIMIT = 2**31
"""Bytes of a decoded frame above which `frame` wants to be asked explicitly."""

_DESCRIBING = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelDataProviderURL",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
)
"""All that frames are read from."""


def frame(ds: DataSet | Readable, index: int = 0, *, errors: str = "raise", limit: int = FRAME_LIMIT) -> NDArray[Any]:
    """Decode one frame.

    Samples are as stored: YBR stays YBR unless the encoding itself undoes its colour transformation (JPEG 2000, JPEG
    XL). Only the bytes of this frame are read.

    Parameters
    ----------
    ds : DataSet, path, bytes or file object
        An image; of a file no more is read than describes and holds the frame.
    index : int
        Frame, from 0.
    errors : {"raise", "partial"}
        What to do with a frame that is cut short or broken: "partial" gives what could be decoded, the rest being 0,
        and a RuntimeWarning that says so.
    limit : int
        Bytes of a decoded frame above which to refuse.

    Returns
    -------
    ndarray
        ``(rows, columns)`` or ``(rows, columns, samples)`` stored values (PS3.5 8.1.1) in native byte order; 1-bit
        cells are uint8 of 0 and 1.

    Raises
    ------
    PixelError
        If the frame can't be described, is not there, is cut short or broken; it names the frame.
    UnsupportedError
        If its transfer syntax can't be decoded.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 2, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\x00\\x01\\x02\\x03"})
    >>> frame(ds).tolist()
    [[0, 1], [2, 3]]
    """
    decoded = frame_with_notes(ds, index, errors=errors, limit=limit)
    _warn_of_partial(decoded.notes)
    return decoded.array


def frame_with_notes(
    ds: DataSet | Readable, index: int = 0, *, errors: str = "raise", limit: int = FRAME_LIMIT
) -> Decoded:
    """Decode one frame and tell what was mended, and what its samples mean.

    Parameters
    ----------
    ds : DataSet, path, bytes or file object
    index : int
        Frame, from 0.
    errors : {"raise", "partial"}
        As for `frame`; notes of a partial frame begin with "partial".
    limit : int
        Bytes of a decoded frame above which to refuse.

    Returns
    -------
    Decoded
        ``array`` as `frame` gives it, ``photometric_interpretation`` of these samples, and ``notes``.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "SamplesPerPixel": 1, "PixelData": b"\\x00\\x01"})
    >>> frame_with_notes(ds).notes
    ('no PhotometricInterpretation: taken as MONOCHROME2',)
    """
    return _decode(_source(ds, limit), index, errors=errors)


def reader(ds: DataSet | Readable, *, errors: str = "raise", limit: int = FRAME_LIMIT) -> Callable[..., Decoded]:
    """Describe an image once, for decoding many of its frames.

    Parameters
    ----------
    ds : DataSet, path, bytes or file object
    errors : {"raise", "partial"}
        As for `frame`.
    limit : int
        Bytes of a decoded frame above which to refuse.

    Returns
    -------
    callable
        ``decode(index, out=None) -> Decoded``; several threads may call it.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "NumberOfFrames": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"})
    >>> decode = reader(ds)
    >>> [int(decode(index).array[0, 0]) for index in range(2)]
    [1, 2]
    """
    source = _source(ds, limit)

    def decode(index: int, out: NDArray[Any] | None = None) -> Decoded:
        return _decode(source, index, out=out, errors=errors)

    return decode


def frames(
    ds: DataSet | Readable,
    indices: Iterable[int] | None = None,
    *,
    out: NDArray[Any] | None = None,
    workers: int = 1,
    errors: str = "raise",
    limit: int = FRAME_LIMIT,
) -> NDArray[Any]:
    """Decode frames into one stack.

    Parameters
    ----------
    ds : DataSet, path, bytes or file object
    indices : iterable of int, optional
        Frames, from 0; all by default.
    out : ndarray, optional
        Where to put them: ``(n, rows, columns[, samples])``, C-contiguous.
    workers : int
        Threads that decode; native frames and video gain nothing from more than one.
    errors : {"raise", "partial"}
        As for `frame`; with "partial" a frame of which nothing could be decoded is 0 everywhere.
    limit : int
        Bytes of one decoded frame above which to refuse.

    Returns
    -------
    ndarray
        ``(n, rows, columns)`` or ``(n, rows, columns, samples)``.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "NumberOfFrames": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"})
    >>> frames(ds).tolist(), frames(ds, [1]).shape
    ([[[1]], [[2]]], (1, 1, 1))
    """
    source = _source(ds, limit)
    description = source.description
    wanted = range(description.number_of_frames) if indices is None else indices
    if not isinstance(wanted, range):
        wanted = tuple(wanted)
    if not wanted:
        return np.empty((0, *description.frame_shape), description.dtype) if out is None else out
    if errors == "raise":
        _check_present(source, max(wanted[0], wanted[-1]) if isinstance(wanted, range) else max(wanted))
    first = None  # decoded before a stack is allocated: a description may promise more than there is
    notes: list[tuple[str, ...]] = []
    if isinstance(source.value, Fragments) and out is None and errors == "raise":
        first = _decode(source, wanted[0]).array
    shape = (len(wanted), *description.frame_shape)
    if out is None:
        try:
            out = np.empty(shape, description.dtype)
        except (MemoryError, ValueError) as error:
            raise PixelError(f"no memory for {len(wanted)} frames", hint="decode fewer frames at once") from error
    elif out.shape != shape or out.dtype != description.dtype or not out.flags.c_contiguous:
        raise PixelError(f"out is not a C-contiguous array of shape {shape} and type {description.dtype}")

    stack = out

    def put(place: int) -> None:
        try:
            notes.append(_decode(source, wanted[place], out=stack[place], errors=errors).notes)
        except PixelError as error:
            if errors == "raise":
                raise
            stack[place] = 0
            notes.append((f"partial: {error}",))

    places = range(len(wanted))
    if first is not None:
        stack[0], places = first, range(1, len(wanted))
    if workers > 1 and len(places) > 1 and source.video is None:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(put, places):
                pass
    else:
        for place in places:
            put(place)
    if errors != "raise":
        _warn_of_partial(note for some in notes for note in some)
    return stack


def _warn_of_partial(notes: Iterable[str]) -> None:
    """Say aloud that frames are not whole."""
    partial = [note for note in notes if note.startswith("partial")]
    if partial:
        more = f" (and {len(partial) - 1} more)" if len(partial) > 1 else ""
        warnings.warn(f"{partial[0]}{more}", RuntimeWarning, stacklevel=3)


def iter_frames(
    ds: DataSet | Readable, indices: Iterable[int] | None = None, *, limit: int = FRAME_LIMIT
) -> Iterator[NDArray[Any]]:
    """Decode frames one after the other, holding one at a time.

    Parameters
    ----------
    ds : DataSet
    indices : iterable of int, optional
        Frames, from 0; all by default.
    limit : int
        Bytes of one decoded frame above which to refuse.

    Yields
    ------
    ndarray
        As `frame` gives it.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "NumberOfFrames": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"})
    >>> [int(frame.sum()) for frame in iter_frames(ds)]
    [1, 2]
    """
    source = _source(ds, limit)
    for index in range(source.description.number_of_frames) if indices is None else indices:
        yield _decode(source, index).array


def encoded_frame(ds: DataSet, index: int = 0) -> bytes:
    """Read the encoded bytes of one frame of encapsulated pixel data, its fragments joined.

    Parameters
    ----------
    ds : DataSet
        An image whose pixel data is encapsulated.
    index : int
        Frame, from 0.

    Returns
    -------
    bytes
        With the padding of the last fragment, unless an Extended Offset Table tells the length.

    Raises
    ------
    PixelError
        If the pixel data is native, or the frame is not there.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "BitsAllocated": 8, "PixelData": b"\\x01\\x00"})
    >>> encoded_frame(ds)
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: frame 0: the pixel data is native, not encapsulated
    """
    source = _source(ds, FRAME_LIMIT)
    if not isinstance(source.value, Fragments):
        raise PixelError("the pixel data is native, not encapsulated", frame=index)
    return _encoded(source, source.value, index)[0]


def native_slices(ds: DataSet) -> tuple[bytes | Bulk, int] | None:
    """Tell where native frames lie that are arrays as they stand: whole little-endian cells, interleaved.

    Frame ``i`` occupies ``frame_bytes`` bytes from ``i * frame_bytes``. Where BitsStored is less than BitsAllocated
    the cells still want `dicomkit.pixels.bits.clear_unused`.

    Parameters
    ----------
    ds : DataSet

    Returns
    -------
    tuple of (bytes or Bulk, int), or None
        The value and the bytes of a frame; None where frames need decoding, or where bytes are missing.

    Raises
    ------
    PixelError
        If the pixels can't be described.

    Examples
    --------
    >>> import dicomkit as dk
    >>> native_slices(dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"}))
    (b'\\x01\\x02', 2)
    """
    description = describe(ds)
    value = ds.get(description.attribute)
    if value is None or isinstance(value, Fragments):
        return None
    if description.bits_allocated not in (8, 16, 32, 64) or description.subsampled or description.planar_configuration:
        return None
    if description.big_endian or description.frame_bytes * description.number_of_frames > len(value):
        return None
    return value, description.frame_bytes


def frame_cells(ds: DataSet, index: int = 0) -> tuple[NDArray[Any], PixelDescription]:
    """Decode whole pixel cells of a frame, with the bits that don't belong to the stored value.

    Parameters
    ----------
    ds : DataSet
    index : int
        Frame, from 0.

    Returns
    -------
    tuple of (ndarray, PixelDescription)
        Unsigned cells as `frame` arranges them, and the data set's description.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 1, "Columns": 1, "BitsAllocated": 16, "BitsStored": 12, "PixelData": b"\\x01\\x80"})
    >>> hex(frame_cells(ds)[0][0, 0]), hex(frame(ds)[0, 0])
    ('0x8001', '0x1')
    """
    source = _source(ds, FRAME_LIMIT)
    allocated = source.description.bits_allocated
    whole = replace(source.description, bits_stored=allocated, high_bit=allocated - 1, pixel_representation=0)
    return _decode(source._replace(description=whole), index).array, source.description


class _Source(NamedTuple):
    """All that decoding frames of one data set needs."""

    description: PixelDescription
    value: bytes | Bulk | Fragments
    extended_offsets: bytes = b""
    extended_lengths: bytes = b""
    starts: tuple[int, ...] | None = None
    video: VideoReader | None = None


def _source(ds: DataSet | Readable, limit: int) -> _Source:
    """Collect what decoding needs, and refuse frames that are too large."""
    if not isinstance(ds, DataSet):
        path = os.fspath(ds) if isinstance(ds, (str, os.PathLike)) else None
        try:
            return _source(read(ds, only=_DESCRIBING), limit)
        except PixelError as error:
            error.path = error.path or path
            raise
    description = describe(ds)
    value = ds.get(description.attribute)
    if description.big_endian:  # a decoded value has had its words swapped, which is wrong for cells of another size
        raw = ds.element(description.attribute).raw
        if raw is None:
            description = replace(description, big_endian=False)
        else:
            value = raw
    if value is None:
        raise PixelError(f"{description.attribute} is empty", tag=Tag.of(description.attribute))
    if description.decoded_bytes > limit:
        raise PixelError(
            f"a frame of {description.frame_shape} takes {description.decoded_bytes} bytes, the limit is {limit}",
            hint="pass a higher limit if this is meant",
        )
    if isinstance(value, Fragments) and description.transfer_syntax_uid in VIDEO:
        return _Source(description, value, video=VideoReader(value, description))
    if isinstance(value, Fragments):
        offsets, lengths = ds.get("ExtendedOffsetTable"), ds.get("ExtendedOffsetTableLengths")
        told = offsets or value.offset_table or len(value.parts) == description.number_of_frames
        starts = None if told else frame_starts(value)
        return _Source(description, value, bytes(offsets or b""), bytes(lengths or b""), starts)
    return _Source(native.settle(description, len(value)), value)


def _check_present(source: _Source, index: int) -> None:
    """Raise where a frame can't be there, whatever its bytes."""
    description, value = source.description, source.value
    if source.video is not None:
        return
    if isinstance(value, Fragments):
        _span(source, value, index)
    elif description.frame_bits * (index + 1) > len(value) * 8:
        native.read_frame(value, description, index)


def _span(source: _Source, value: Fragments, index: int) -> FrameSpan:
    """The fragments of a frame."""
    return frame_span(
        value,
        index,
        source.description.number_of_frames,
        extended_offsets=source.extended_offsets,
        extended_lengths=source.extended_lengths,
        starts=source.starts,
    )


def _encoded(source: _Source, value: Fragments, index: int) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of an encapsulated frame, and remarks on how they were found."""
    span = _span(source, value, index)
    parts = value.parts[span.first : span.last]
    data = bytes(parts[0]) if len(parts) == 1 else b"".join(bytes(part) for part in parts)
    return data[: span.length], span.notes


def _decode(source: _Source, index: int, *, out: NDArray[Any] | None = None, errors: str = "raise") -> Decoded:
    """Decode one frame of a source; errors name the frame."""
    description, value = source.description, source.value
    if errors not in ("raise", "partial"):
        raise PixelError(f"errors={errors!r} is neither 'raise' nor 'partial'")
    if index < 0 or (not isinstance(value, Fragments) and index >= description.number_of_frames):
        raise PixelError(f"there are {description.number_of_frames} frames, counted from 0", frame=index)
    if source.video is not None:
        return source.video.frame(index, out=out)
    if not isinstance(value, Fragments):
        if errors == "partial" and description.frame_bits * (index + 1) > len(value) * 8:
            return _partial_native(source, value, index, out)
        return native.read_frame(value, description, index, out=out)
    data, notes = _encoded(source, value, index)
    uid = description.transfer_syntax_uid
    try:
        if not is_encapsulated(uid):
            guess = sniff(data)
            if guess is not None:
                notes = (*notes, f"encapsulated pixel data in transfer syntax {uid}: decoded as {guess}")
                uid, description = guess, replace(description, transfer_syntax_uid=guess)
        decoded = decoder(uid)(data, description, out=out)
    except PixelError as error:
        named = PixelError(error.message, frame=index, tag=error.tag, offset=error.offset, hint=error.hint)
        if errors == "raise":
            raise named from error
        try:
            decoded = decode_partial(data, description, out=out)
        except PixelError:
            raise named from error
        notes = (*notes, f"partial: {named}")
    return decoded._replace(notes=(*description.notes, *notes, *decoded.notes))


def _partial_native(source: _Source, value: bytes | Bulk, index: int, out: NDArray[Any] | None) -> Decoded:
    """The beginning of a native frame that is cut short; the rest is 0."""
    description = source.description
    start = description.frame_bits * index // 8
    rest = len(value) - start
    if rest <= 0:
        raise PixelError(f"cut short: it begins at byte {start}, the value has {len(value)}", frame=index)
    head = value[start:] if isinstance(value, bytes) else value.read(start, rest)
    skip = description.frame_bits * index % 8
    if skip:
        raise PixelError("cut short, and it does not begin with a byte", frame=index)
    decoded = native.decode(head + bytes(description.frame_bytes - rest), description, out=out)
    note = f"partial: frame {index}: cut short: {rest} of {description.frame_bytes} bytes are there"
    return decoded._replace(notes=(*decoded.notes, note))
