"""Frames of MPEG-2, MPEG-4 AVC/H.264 and HEVC/H.265 video, through FFmpeg (PS3.5 8.2.5 to 8.2.8)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import MissingFeatureError, PixelError
from dicomkit.pixels.description import Decoded, PixelDescription
from dicomkit.values.fragments import Fragments

_PREFIX = "1.2.840.10008.1.2.4."
VIDEO = frozenset(f"{_PREFIX}{part}{end}" for part in range(100, 109) for end in ("", ".1") if not (part > 106 and end))
"""Transfer syntaxes whose fragments make up one stream rather than a frame each."""


class VideoReader:
    """Frames of one stream, decoded from its beginning up to the one that is wanted; going on is cheap, back is not.

    Parameters
    ----------
    fragments : Fragments
        All of the pixel data.
    description : PixelDescription
        Rows, columns and NumberOfFrames are held against the stream.
    """

    __slots__ = ("_description", "_fragments", "_lock", "_next", "_stream")

    def __init__(self, fragments: Fragments, description: PixelDescription) -> None:
        self._fragments = fragments
        self._description = description
        self._lock = Lock()
        self._next = 0
        self._stream: Iterator[tuple[NDArray[Any], bool]] = iter(())

    def frame(self, index: int, *, out: NDArray[Any] | None = None, errors: str = "raise") -> Decoded:
        """Decode one frame to RGB, or to grey for one sample per pixel.

        Parameters
        ----------
        index : int
            From 0, below NumberOfFrames.
        out : ndarray, optional
            Where to put it.
        errors : {"raise", "partial"}
            Whether a frame that FFmpeg calls corrupt, and what comes after it, is an error or comes with a note.

        Returns
        -------
        Decoded

        Raises
        ------
        PixelError
            If the stream is broken, ends before, or has frames of another size.
        MissingFeatureError
            Without PyAV.
        """
        description = self._description
        if not 0 <= index < description.number_of_frames:
            raise PixelError(f"there are {description.number_of_frames} frames, counted from 0", frame=index)
        with self._lock:
            if index < self._next or not self._next:
                self._stream, self._next = _stream(self._fragments, description), 0
            try:
                array, broken = self._forward(index, stop_at_broken=errors == "raise")
            except PixelError as error:
                self._next = 0
                raise PixelError(error.message, frame=index) from error
        notes = description.notes
        if broken:
            notes = (*notes, f"partial: frame {index}: this frame of the video, or one before, is corrupt")
        if array.shape != description.frame_shape:
            wants = description.frame_shape
            raise PixelError(f"the video has frames of {array.shape}, the data set says {wants}", frame=index)
        array = array.astype(description.dtype, copy=False)
        if out is not None:
            out[...] = array
            array = out
        photometric = "RGB" if description.samples_per_pixel == 3 else description.photometric_interpretation
        return Decoded(array, photometric, notes)

    def _forward(self, index: int, *, stop_at_broken: bool) -> tuple[NDArray[Any], bool]:
        """Decode up to a frame; past a corrupt one nobody knows which frame is which."""
        while True:
            found = next(self._stream, None)
            if found is None:
                raise PixelError(f"the video ends after {self._next} frames")
            if found[1] and stop_at_broken:
                raise PixelError(f"the video stream is broken: it is corrupt at its frame {self._next} or before")
            self._next += 1
            if self._next > index:
                return found


def _stream(fragments: Fragments, description: PixelDescription) -> Iterator[tuple[NDArray[Any], bool]]:
    """Decode one frame after the other, and tell whether there was a corrupt one by then."""
    try:
        import av
    except ImportError:
        raise MissingFeatureError("decoding video frames", "video") from None
    data = b"".join(bytes(part) for part in fragments.parts)
    grey = description.samples_per_pixel == 1
    wide = description.bits_stored > 8
    layout = ("gray16le" if wide else "gray") if grey else ("rgb48le" if wide else "rgb24")
    shift = 16 - description.bits_stored if wide else 0
    broken = False
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            video = container.streams.video[0]
            video.codec_context.flags |= av.codec.context.Flags.output_corrupt  # else they are left out, unsaid
            for picture in container.decode(video):
                broken = broken or picture.is_corrupt
                array: NDArray[Any] = picture.to_ndarray(format=layout)
                yield (np.right_shift(array, shift) if shift else array), broken
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PixelError(f"the video stream is broken: {reason}") from error
