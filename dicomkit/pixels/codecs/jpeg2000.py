"""JPEG 2000 and High-Throughput JPEG 2000 frames (PS3.5 8.2.4 and 8.2.14, T.800, T.814)."""

from __future__ import annotations

from functools import cache
from inspect import signature
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.coded import LOSSLESS, Coded, check, encoded, no_parameter, room, run, samples_of, store
from dicomkit.pixels.codecs.jpeg2000_markers import END_OF_CODESTREAM, check_tiles, find_codestream, read_header
from dicomkit.pixels.description import Decoded, PixelDescription

_TRANSFORMED = ("YBR_RCT", "YBR_ICT")
_HIGH_THROUGHPUT = tuple(f"1.2.840.10008.1.2.4.{part}" for part in (201, 202, 203))

_FIRST_USE = Lock()

DEFAULT_QUALITY = 60
"""Decibels of a lossy codestream: PSNR against the largest value of BitsStored."""


def decode(data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
    """Decode one JPEG 2000 frame; its own colour transformation is undone.

    Parameters
    ----------
    data : bytes
        A codestream, or against the standard a JP2 file that holds one.
    description : PixelDescription
    out : ndarray, optional
        Where to put the frame.

    Returns
    -------
    Decoded
        With photometric interpretation RGB where the codestream had a colour transformation. A codestream that lacks
        only its end marker is decoded, and noted.

    Raises
    ------
    PixelError
        If the codestream is cut short, broken, or of another size than the data set says.

    Examples
    --------
    >>> decode(b"\\xff\\x4f\\xff\\x51", PixelDescription(rows=1, columns=1))
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: cut short: the JPEG 2000 codestream ends in its header [offset 4]
    """
    import imagecodecs

    data, boxed = find_codestream(data)
    stream = read_header(data)
    precisions = {precision for precision, _ in stream.components}
    signs = {signed for _, signed in stream.components}
    if len(precisions) > 1 or len(signs) > 1 or stream.subsampled:
        raise PixelError("JPEG 2000 components of different precision, sign or size")
    coded = Coded("JPEG 2000", stream.rows, stream.columns, len(stream.components), precisions.pop(), signs.pop())
    notes = check(coded, description)
    if boxed:
        notes = (*notes, "the JPEG 2000 codestream is in a JP2 file")
    if not check_tiles(data, stream):
        data = data.rstrip(b"\0\xff") + END_OF_CODESTREAM
        notes = (*notes, "the JPEG 2000 codestream has no end marker")
    target = room(coded, description, out)
    # OpenJPH as wrapped wraps values that a lossy stream overshoots (256 becomes 0); OpenJPEG decodes both and clips.
    # Components without a colour transformation come from OpenJPH plane by plane, from OpenJPEG pixel by pixel.
    joined = coded.components == 1 or stream.colour_transform
    lossless = stream.reversible and description.transfer_syntax_uid in LOSSLESS
    exact = stream.high_throughput and lossless and joined
    if exact:
        array = _by_openjph(data, target)
    else:
        array = run(lambda: imagecodecs.jpeg2k_decode(data, out=target), "JPEG 2000")
    photometric = description.photometric_interpretation
    if stream.colour_transform and coded.components >= 3:
        if photometric not in (*_TRANSFORMED, "RGB"):
            notes = (
                *notes,
                f"PhotometricInterpretation is {photometric}, but the codestream transforms from RGB: taken as RGB",
            )
        photometric = "RGB"
    elif photometric in _TRANSFORMED:
        notes = (
            *notes,
            f"PhotometricInterpretation is {photometric}, but the codestream has no transformation: taken as RGB",
        )
        photometric = "RGB"
    return Decoded(store(array, coded, description, out), photometric, notes)


def _by_openjph(data: bytes, out: NDArray[Any] | None) -> NDArray[Any]:
    """Decode by OpenJPH; where it fails, older imagecodecs leave zeros and raise nothing: then OpenJPEG has a look."""
    import imagecodecs

    array: NDArray[Any] = run(lambda: imagecodecs.htj2k_decode(data, out=out), "JPEG 2000")
    if not _precision_is_told() and not array[-1].any():
        array = run(lambda: imagecodecs.jpeg2k_decode(data, out=out), "JPEG 2000")
    return array


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame as a JPEG 2000 or HTJ2K codestream, without a JP2 file around it.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, integers; RGB where PhotometricInterpretation is YBR_RCT or YBR_ICT.
    description : PixelDescription
        YBR_RCT and YBR_ICT ask for the colour transformation, reversible and irreversible; YBR_ICT without quality is
        lossy too. The codestream is signed as PixelRepresentation says.
    quality : float, optional
        Decibels (PSNR against the largest value of BitsStored) of a lossy codestream; lossless when not given.
    near : None
        JPEG 2000 has none.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If there are more bits than the codec keeps (24; 16 of HTJ2K), or a lossless syntax is to lose something.

    Examples
    --------
    >>> import numpy as np
    >>> two = PixelDescription(rows=1, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.4.90")
    >>> decode(encode(np.array([[1, 2]], np.uint8), two), two).array.tolist()
    [[1, 2]]
    """
    import imagecodecs

    no_parameter("JPEG 2000", near=near)
    uid, bits, photometric = (
        description.transfer_syntax_uid,
        description.bits_stored,
        description.photometric_interpretation,
    )
    if photometric == "YBR_ICT" and quality is None:
        quality = DEFAULT_QUALITY
    if quality is not None and uid in LOSSLESS:
        raise PixelError(f"{uid} is lossless and has no quality", hint="name a transfer syntax that can be lossy")
    if quality is not None and not 1 <= quality <= 200:
        raise PixelError(f"a JPEG 2000 quality is from 1 to 200 dB, not {quality}")
    transform = description.samples_per_pixel == 3 and photometric in _TRANSFORMED
    throughput = uid in _HIGH_THROUGHPUT
    most = 16 if throughput else 24
    if bits > most:
        raise PixelError(f"{'HTJ2K' if throughput else 'JPEG 2000'} is written with up to {most} bits, not {bits}")
    samples = samples_of(frame, description, signed=True)
    reversible = quality is None
    options: dict[str, Any]
    if throughput:
        told = _precision_is_told()
        options = {"reversible": reversible, "tlm": True, **({"bitspersample": bits} if told else {})}
        if not reversible:
            options["level"] = _step(quality or 0, bits, bits if told else 8 * samples.dtype.itemsize)
        if description.samples_per_pixel > 1 and not transform:
            samples = samples.transpose(2, 0, 1).copy()
            options |= {"planar": True, "rgb": False}
        _prepare()
        return encoded(lambda: bytes(imagecodecs.htj2k_encode(samples, **options)), "JPEG 2000")
    options = {"level": 0 if reversible else quality, "reversible": reversible, "mct": transform}
    return encoded(
        lambda: bytes(imagecodecs.jpeg2k_encode(samples, codecformat="J2K", bitspersample=bits, **options)),
        "JPEG 2000",
    )


def _prepare() -> None:
    """Have OpenJPH fill its encoder's tables before threads need them.

    Releases without std::call_once guard them by a plain flag, which is set when they are filled: a second thread that
    encodes for the first time meanwhile clears them under the first one. Decoding uses tables filled when loaded.
    """
    with _FIRST_USE:
        _tables_made()


@cache
def _tables_made() -> bool:
    """Encode something small, once: with and without loss, as each may have its own tables."""
    import imagecodecs

    tiny = np.zeros((8, 8), np.uint8)
    imagecodecs.htj2k_encode(tiny, reversible=True)
    imagecodecs.htj2k_encode(tiny, reversible=False, level=0.01)
    return True


def _step(quality: float, bits: int, precision: int) -> float:
    """The quantisation step of OpenJPH, a part of the range of the precision, that gives about so many decibels."""
    decibels = quality + 6.02 * (precision - bits)
    return float(min(0.5, 10 ** ((10.8 - decibels) / 20)))


@cache
def _precision_is_told() -> bool:
    """Whether this imagecodecs can tell OpenJPH the precision; older ones write 8 or 16 bits."""
    import imagecodecs

    return "bitspersample" in signature(imagecodecs.htj2k_encode).parameters
