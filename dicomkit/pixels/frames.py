"""Frames of a data set, one at a time or as a stack, each read without touching the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.errors import PixelError
from dicomkit.pixels.description import Decoded
from dicomkit.pixels.frame_source import FRAME_LIMIT, check_present, decode_from, source_of
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

if TYPE_CHECKING:
    from dicomkit.opening import Readable

_DESCRIBING = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
"""What describes one frame of integers."""


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
    return decode_from(source_of(ds, limit), index, errors=errors)


def frame_of_bytes(
    data: bytes, ds: DataSet, transfer_syntax: str | TransferSyntax, *, errors: str = "raise", limit: int = FRAME_LIMIT
) -> NDArray[Any]:
    """Decode one frame whose bytes came without the data set, as DICOMweb gives them (PS3.18 10.4.1.1.6).

    Parameters
    ----------
    data : bytes
        The frame as the transfer syntax encodes it; native cells for a native one.
    ds : DataSet
        What describes it: the metadata of its instance, with or without pixel data of its own.
    transfer_syntax : str or TransferSyntax
        Of the bytes; UID or keyword.
    errors : {"raise", "partial"}
        As for `frame`.
    limit : int
        Bytes of a decoded frame above which to refuse.

    Returns
    -------
    ndarray
        As `frame` gives it.

    Raises
    ------
    PixelError, UnsupportedError
        As `frame`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> metadata = dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "NumberOfFrames": 7})
    >>> frame_of_bytes(b"\\x01\\x02", metadata, "ExplicitVRLittleEndian").tolist()
    [[1, 2]]
    """
    syntax = TransferSyntax.of(transfer_syntax)
    described = {keyword: ds[keyword] for keyword in _DESCRIBING if keyword in ds}
    vr = "OB" if syntax.encapsulated else "OW"
    pixels = Element(Tag.of("PixelData"), vr, Fragments.of([data]) if syntax.encapsulated else data)
    alone = with_transfer_syntax(DataSet(described), syntax).assign([pixels])
    return frame(alone, errors=errors, limit=limit)


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
    source = source_of(ds, limit)

    def decode(index: int, out: NDArray[Any] | None = None) -> Decoded:
        return decode_from(source, index, out=out, errors=errors)

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
    source = source_of(ds, limit)
    description = source.description
    wanted = range(description.number_of_frames) if indices is None else indices
    if not isinstance(wanted, range):
        wanted = tuple(wanted)
    if not wanted:
        return np.empty((0, *description.frame_shape), description.dtype) if out is None else out
    if errors == "raise":
        check_present(source, max(wanted[0], wanted[-1]) if isinstance(wanted, range) else max(wanted))
    first = None  # decoded before a stack is allocated: a description may promise more than there is
    notes: list[tuple[str, ...]] = []
    if isinstance(source.value, Fragments) and out is None and errors == "raise":
        first = decode_from(source, wanted[0]).array
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
            notes.append(decode_from(source, wanted[place], out=stack[place], errors=errors).notes)
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
    source = source_of(ds, limit)
    for index in range(source.description.number_of_frames) if indices is None else indices:
        yield decode_from(source, index).array
