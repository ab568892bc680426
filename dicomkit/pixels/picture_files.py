"""Pictures as files: PNG and JPEG of one frame, GIF and MP4 of all of them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import MissingFeatureError, ValueFormatError
from dicomkit.pixels.description import describe
from dicomkit.pixels.render import render
from dicomkit.pixels.timing import USUAL_SECONDS, frame_seconds
from dicomkit.replacement import replace_file

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

Pictured: TypeAlias = Union["DataSet", NDArray[Any]]

_SHORTEST_SECONDS = 0.02  # browsers show a GIF's shorter ones for 0.1 s
_VIDEO_CODECS = ("libx264", "libopenh264", "mpeg4")


def to_png(source: Pictured, frame: int = 0, **options: Any) -> bytes:
    """Write a frame as PNG.

    Parameters
    ----------
    source : DataSet or ndarray
        An image, or a picture of uint8 or uint16: ``(rows, columns)`` or ``(rows, columns, 3)``.
    frame : int
        From 0.
    **options
        For `render`; without ``size`` the pixels are made square.

    Returns
    -------
    bytes

    Raises
    ------
    DicomError
        As for `render`.

    Examples
    --------
    >>> to_png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    import imagecodecs

    picture = np.ascontiguousarray(_rendered(source, frame, options, deep=True))
    return bytes(imagecodecs.png_encode(picture, level=1, strategy=imagecodecs.PNG.STRATEGY.RLE))


def to_jpeg(source: Pictured, frame: int = 0, *, quality: int = 90, **options: Any) -> bytes:
    """Write a frame as JPEG, for a page or a message: it is lossy.

    Parameters
    ----------
    source : DataSet or ndarray
        An image, or a picture of uint8: ``(rows, columns)`` or ``(rows, columns, 3)``.
    frame : int
        From 0.
    quality : int
        1 to 100.
    **options
        For `render`; without ``size`` the pixels are made square.

    Returns
    -------
    bytes

    Raises
    ------
    DicomError
        As for `render`.

    Examples
    --------
    >>> to_jpeg(np.zeros((2, 2), np.uint8))[:2]
    b'\\xff\\xd8'
    """
    import imagecodecs

    if not 1 <= quality <= 100:
        raise ValueFormatError(f"quality={quality}", hint="give 1 to 100")
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(_rendered(source, frame, options)), quality))


def to_gif(
    source: Pictured | Iterable[NDArray[np.uint8]],
    frames: Sequence[int] | None = None,
    *,
    seconds: float | None = None,
    **options: Any,
) -> bytes:
    """Write the frames of an image as an animated GIF that repeats for ever.

    Parameters
    ----------
    source : DataSet, or pictures
        An image, or pictures of uint8 of one size.
    frames : sequence of int, optional
        Which frames of a DataSet, from 0; all by default.
    seconds : float, optional
        How long each is shown; what the file says by default (GIF knows hundredths, from 0.02 on).
    **options
        For `render`; without ``size`` the pixels are made square.

    Returns
    -------
    bytes

    Raises
    ------
    DicomError
        As for `render`.

    Examples
    --------
    >>> to_gif(np.zeros((3, 8, 8), np.uint8))[:6]
    b'GIF89a'
    """
    from PIL import Image

    pictures, shown = _sequence(source, frames, seconds, options)
    images = [Image.fromarray(picture) for picture in pictures]
    if any(image.mode == "RGB" for image in images):  # one palette for all, so that colours do not flicker
        palette = images[len(images) // 2].quantize(256)
        images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    out = io.BytesIO()
    time = round(max(shown, _SHORTEST_SECONDS) * 100) * 10
    images[0].save(out, "GIF", save_all=True, append_images=images[1:], duration=time, loop=0, disposal=1)
    return out.getvalue()


def to_mp4(
    source: Pictured | Iterable[NDArray[np.uint8]],
    frames: Sequence[int] | None = None,
    *,
    seconds: float | None = None,
    quality: int = 20,
    **options: Any,
) -> bytes:
    """Write the frames of an image as an MP4 film (H.264), which every browser plays: it is lossy.

    Parameters
    ----------
    source : DataSet, or pictures
        An image, or pictures of uint8 of one size.
    frames : sequence of int, optional
        Which frames of a DataSet, from 0; all by default.
    seconds : float, optional
        How long each is shown; what the file says by default.
    quality : int
        Constant rate factor: 0 keeps most, 51 least.
    **options
        For `render`; without ``size`` the pixels are made square.

    Returns
    -------
    bytes

    Raises
    ------
    MissingFeatureError
        If PyAV is not installed (extra ``video``).
    DicomError
        As for `render`.

    Examples
    --------
    >>> film = to_mp4(np.zeros((3, 16, 16), np.uint8), seconds=0.1)
    >>> film[4:8]
    b'ftyp'
    """
    try:
        import av
    except ImportError as error:
        raise MissingFeatureError("writing MP4", "video") from error
    pictures, shown = _sequence(source, frames, seconds, options)
    first = next(pictures)
    rate = Fraction(1 / shown).limit_denominator(1000)
    out = io.BytesIO()
    codec = next(name for name in _VIDEO_CODECS if name in av.codecs_available)
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream(codec, rate=rate, options={"crf": str(quality)})
        stream.height, stream.width = (side + side % 2 for side in first.shape[:2])
        stream.pix_fmt = "yuv420p"
        for picture in chain([first], pictures):
            rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
            even = np.pad(rgb, [(0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)], mode="edge")
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return out.getvalue()


def save_image(source: Any, path: str | os.PathLike[str], *, frame: int | None = None, **options: Any) -> None:
    """Write a picture of an image, or a film of its frames, in the format that the name tells.

    Parameters
    ----------
    source : DataSet or ndarray
        An image; or a picture of uint8, for a film several of them.
    path : path
        Ends with .png, .jpg, .jpeg, .gif or .mp4 (extra ``video``).
    frame : int, optional
        From 0; the first by default for PNG and JPEG, all for GIF and MP4.
    **options
        For `to_png`, `to_jpeg`, `to_gif` or `to_mp4`, and `render`: ``quality``, ``seconds``, ``size``, ``window``, ...

    Raises
    ------
    ValueFormatError
        If the name tells no format that can be written.
    SourceError
        If the file can't be written.
    DicomError
        As for `render`.

    Examples
    --------
    >>> import tempfile, dicomkit as dk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_image(dk.samples.ct_series(slices=1, size=16)[0], f"{folder}/slice.png", size=64, annotations=True)
    ...     open(f"{folder}/slice.png", "rb").read(4)
    b'\\x89PNG'
    """
    name = os.fspath(path)
    kind = os.path.splitext(name)[1].lower().lstrip(".")
    if kind in ("gif", "mp4"):
        films = {"gif": to_gif, "mp4": to_mp4}
        data = films[kind](source, None if frame is None else [frame], **options)
    elif kind in ("png", "jpg", "jpeg"):
        data = (to_png if kind == "png" else to_jpeg)(source, frame or 0, **options)
    else:
        raise ValueFormatError(f"no picture format for {name!r}", hint="end the name with .png, .jpg, .gif or .mp4")
    replace_file(name, [data], through_links=True)


def _rendered(source: Pictured, frame: int, options: dict[str, Any], *, deep: bool = False) -> NDArray[Any]:
    """A picture as it is, or a frame of an image rendered with square pixels."""
    if not isinstance(source, np.ndarray):
        return render(source, frame, **{"size": "square", **options})
    if options:
        raise ValueFormatError(f"{', '.join(options)} for a picture", hint="these are options for rendering a DataSet")
    good = source.dtype == np.uint8 or (deep and source.dtype == np.uint16)
    if not good or not (source.ndim == 2 or (source.ndim == 3 and source.shape[2] == 3)) or not source.size:
        raise ValueFormatError(f"a picture of shape {source.shape} and type {source.dtype}", hint="window it to uint8")
    return source


def _sequence(
    source: Any, frames: Sequence[int] | None, seconds: float | None, options: dict[str, Any]
) -> tuple[Iterator[NDArray[np.uint8]], float]:
    """The pictures of a film one after the other, and how long each is shown."""
    if isinstance(source, np.ndarray) or not hasattr(source, "get"):
        pictures = list(source[None] if isinstance(source, np.ndarray) and source.ndim == 2 else source)
        checked = [_rendered(np.asarray(picture), 0, options) for picture in pictures]
        if len({picture.shape for picture in checked}) != 1:
            raise ValueFormatError("a film needs one or more pictures, all of one size")
        return iter(checked), _positive(seconds, USUAL_SECONDS)
    chosen = range(describe(source).number_of_frames) if frames is None else frames
    if not len(chosen):
        raise ValueFormatError("a film needs at least one frame")
    return (_rendered(source, index, options) for index in chosen), _positive(seconds, frame_seconds(source))


def _positive(seconds: float | None, usual: float) -> float:
    """A time that was given, checked, or the usual one."""
    if seconds is None:
        return usual
    if not 0 < seconds <= 3600:
        raise ValueFormatError(f"seconds={seconds}", hint="give how long each frame is shown")
    return seconds
