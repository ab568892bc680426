"""JPEG 2000 and High-Throughput JPEG 2000 frames (PS3.5 8.2.4 and 8.2.14, T.800, T.814)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.coded import LOSSLESS, Coded, check, room, run, store
from dicomkit.pixels.codecs.jpeg2000_markers import END_OF_CODESTREAM, check_tiles, find_codestream, read_header
from dicomkit.pixels.description import Decoded, PixelDescription

_TRANSFORMED = ("YBR_RCT", "YBR_ICT")


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
    exact = stream.high_throughput and stream.reversible and description.transfer_syntax_uid in LOSSLESS
    foreign = imagecodecs.htj2k_decode if exact else imagecodecs.jpeg2k_decode
    array = run(lambda: foreign(data, out=target), "JPEG 2000")
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
