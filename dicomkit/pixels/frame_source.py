"""Where the frames of a data set come from: its description, its pixel bytes, and where each frame lies in them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

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
from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.opening import Readable

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


class FrameSource(NamedTuple):
    """All that decoding frames of one data set needs."""

    description: PixelDescription
    value: bytes | Bulk | Fragments
    extended_offsets: bytes = b""
    extended_lengths: bytes = b""
    starts: tuple[int, ...] | None = None
    video: VideoReader | None = None


def source_of(ds: DataSet | Readable, limit: int = FRAME_LIMIT) -> FrameSource:
    """Collect what decoding needs, and refuse frames that are too large.

    Parameters
    ----------
    ds : DataSet, path, bytes or file object
        Of a file no more is read than describes and holds its frames.
    limit : int
        Bytes of a decoded frame above which to refuse.

    Returns
    -------
    FrameSource

    Raises
    ------
    PixelError
        If the frames can't be described, are not there, or are too large.

    Examples
    --------
    >>> import dicomkit as dk
    >>> source_of(dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"})).value
    b'\\x01\\x02'
    """
    if not isinstance(ds, DataSet):
        path = os.fspath(ds) if isinstance(ds, (str, os.PathLike)) else None
        try:
            return source_of(read(ds, only=_DESCRIBING), limit)
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
    if not isinstance(value, (bytes, Bulk, Fragments)):
        raise PixelError(f"{description.attribute} holds no bytes", tag=Tag.of(description.attribute))
    if description.decoded_bytes > limit:
        raise PixelError(
            f"a frame of {description.frame_shape} takes {description.decoded_bytes} bytes, the limit is {limit}",
            hint="pass a higher limit if this is meant",
        )
    if isinstance(value, Fragments) and description.transfer_syntax_uid in VIDEO:
        return FrameSource(description, value, video=VideoReader(value, description))
    if isinstance(value, Fragments):
        offsets, lengths = (
            bytes(table) if isinstance(table := ds.get(keyword), (bytes, Bulk)) else b""
            for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
        )
        told = offsets or value.offset_table or len(value.parts) == description.number_of_frames
        starts = None if told else frame_starts(value)
        return FrameSource(description, value, offsets, lengths, starts)
    return FrameSource(native.settle(description, len(value)), value)


def check_present(source: FrameSource, index: int) -> None:
    """Raise where a frame can't be there, whatever its bytes.

    Parameters
    ----------
    source : FrameSource
    index : int
        Frame, from 0.

    Raises
    ------
    PixelError

    Examples
    --------
    >>> import dicomkit as dk
    >>> source = source_of(dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"}))
    >>> check_present(source, 1)
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: frame 1: cut short: it needs bytes 2 to 4, the value has 2
    """
    description, value = source.description, source.value
    if source.video is not None:
        return
    if isinstance(value, Fragments):
        _span(source, value, index)
    elif description.frame_bits * (index + 1) > len(value) * 8:
        native.read_frame(value, description, index)


def _span(source: FrameSource, value: Fragments, index: int) -> FrameSpan:
    """The fragments of a frame."""
    return frame_span(
        value,
        index,
        source.description.number_of_frames,
        extended_offsets=source.extended_offsets,
        extended_lengths=source.extended_lengths,
        starts=source.starts,
    )


def encoded_of(source: FrameSource, value: Fragments, index: int) -> tuple[bytes, tuple[str, ...]]:
    """Read the bytes of an encapsulated frame.

    Parameters
    ----------
    source : FrameSource
    value : Fragments
        Its value.
    index : int
        Frame, from 0.

    Returns
    -------
    tuple of (bytes, tuple of str)
        The fragments of the frame, joined, and remarks on how they were found.

    Examples
    --------
    >>> import dicomkit as dk
    >>> small = dk.transcode(dk.samples.ct_series(slices=1, size=16)[0], "RLELossless")
    >>> encoded_of(source_of(small), small.PixelData, 0)[0][:4]
    b'\\x02\\x00\\x00\\x00'
    """
    span = _span(source, value, index)
    parts = value.parts[span.first : span.last]
    data = bytes(parts[0]) if len(parts) == 1 else b"".join(bytes(part) for part in parts)
    return data[: span.length], span.notes


def decode_from(source: FrameSource, index: int, *, out: NDArray[Any] | None = None, errors: str = "raise") -> Decoded:
    """Decode one frame of a source.

    Parameters
    ----------
    source : FrameSource
    index : int
        Frame, from 0.
    out : ndarray, optional
        Where to put the frame.
    errors : {"raise", "partial"}
        As for `dicomkit.frame`.

    Returns
    -------
    Decoded

    Raises
    ------
    PixelError, UnsupportedError
        They name the frame.

    Examples
    --------
    >>> import dicomkit as dk
    >>> source = source_of(dk.DataSet({"Rows": 1, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\1\\2"}))
    >>> decode_from(source, 0).array.tolist()
    [[1, 2]]
    """
    description, value = source.description, source.value
    if errors not in ("raise", "partial"):
        raise PixelError(f"errors={errors!r} is neither 'raise' nor 'partial'")
    if index < 0 or (not isinstance(value, Fragments) and index >= description.number_of_frames):
        raise PixelError(f"there are {description.number_of_frames} frames, counted from 0", frame=index)
    if source.video is not None:
        return source.video.frame(index, out=out, errors=errors)
    if not isinstance(value, Fragments):
        if errors == "partial" and description.frame_bits * (index + 1) > len(value) * 8:
            return _partial_native(source, value, index, out)
        return native.read_frame(value, description, index, out=out)
    data, notes = encoded_of(source, value, index)
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
    if description.notes or notes:
        return decoded._replace(notes=(*description.notes, *notes, *decoded.notes))
    return decoded


def _partial_native(source: FrameSource, value: bytes | Bulk, index: int, out: NDArray[Any] | None) -> Decoded:
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
