"""From a transfer syntax to the functions that decode and encode its frames, loaded when first used."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

from numpy.typing import NDArray

from dicomkit.errors import UnsupportedError
from dicomkit.pixels.codecs.jpeg_markers import JPEG_LS, read_markers
from dicomkit.pixels.description import Decoded, PixelDescription
from dicomkit.standard.uids import uid_entry

ENTRY_POINTS = "dicomkit.codecs"
"""Group of entry points that add transfer syntaxes: name is the UID, object a function such as `Decoder`."""

ENCODER_ENTRY_POINTS = "dicomkit.encoders"
"""The same for encoding: name is the UID, object a function such as `Encoder`."""

_JPEG = "1.2.840.10008.1.2.4."
_MODULES = {
    "1.2.840.10008.1.2.1.98": "native",
    "1.2.840.10008.1.2.5": "rle",
    "1.2.840.10008.1.2.8.1": "deflate",
    **{f"{_JPEG}{part}": "jpeg" for part in (50, 51, 53, 55, 57, 70)},
    **{f"{_JPEG}{part}": "jpegls" for part in (80, 81)},
    **{f"{_JPEG}{part}": "jpeg2000" for part in (90, 91, 201, 202, 203)},
    **{f"{_JPEG}{part}": "jpegxl" for part in (110, 111, 112)},
}
"""Module of `dicomkit.pixels.codecs` by transfer syntax UID."""

_UNSUPPORTED = {
    **{f"{_JPEG}{part}": "a retired JPEG process, arithmetic or hierarchical" for part in (52, 54, 56, *range(58, 67))},
    **{f"{_JPEG}{part}": "JPEG 2000 part 2 multi-component compression" for part in (92, 93)},
    **{f"{_JPEG}{part}": "JPIP, pixels behind a provider URL" for part in (94, 95, 204, 205)},
    **{f"{_JPEG}{part}": "MPEG-2 video" for part in ("100", "100.1", "101", "101.1")},
    **{f"{_JPEG}{part}{end}": "MPEG-4 AVC/H.264 video" for part in range(102, 107) for end in ("", ".1")},
    **{f"{_JPEG}{part}": "HEVC/H.265 video" for part in (107, 108)},
}
"""What transfer syntaxes need that is known but not there."""


class Decoder(Protocol):
    """A function from the bytes of one encoded frame to its stored values."""

    def __call__(self, data: bytes, description: PixelDescription, *, out: NDArray[Any] | None = None) -> Decoded:
        """Decode one frame, into ``out`` where given."""


class Encoder(Protocol):
    """A function from stored values to the bytes of one encoded frame: what the `Decoder` undoes."""

    def __call__(
        self,
        frame: NDArray[Any],
        description: PixelDescription,
        *,
        quality: float | None = None,
        near: int | None = None,
    ) -> bytes:
        """Encode one frame; ``quality`` or ``near`` where the encoding has such a thing, else PixelError."""


def is_encapsulated(transfer_syntax_uid: str) -> bool:
    """Tell whether a transfer syntax is one whose frames are encapsulated, decodable or not.

    Parameters
    ----------
    transfer_syntax_uid : str

    Returns
    -------
    bool
        False for native and for unknown ones.

    Examples
    --------
    >>> is_encapsulated("1.2.840.10008.1.2.1")
    False
    """
    return transfer_syntax_uid in _MODULES or transfer_syntax_uid in _UNSUPPORTED


@cache
def decoder(transfer_syntax_uid: str) -> Decoder:
    """Find the decoder of a transfer syntax.

    Parameters
    ----------
    transfer_syntax_uid : str

    Returns
    -------
    Decoder
        ``decode(data, description, out=None)`` for one encapsulated frame.

    Raises
    ------
    UnsupportedError
        If there is none; the message names what the transfer syntax needs.

    Examples
    --------
    >>> decoder("1.2.840.10008.1.2.5").__module__
    'dicomkit.pixels.codecs.rle'
    """
    module = _MODULES.get(transfer_syntax_uid)
    if module is not None:
        decode: Decoder = import_module(f"dicomkit.pixels.codecs.{module}").decode
        return decode
    for entry in entry_points(group=ENTRY_POINTS, name=transfer_syntax_uid):
        added: Decoder = entry.load()
        return added
    what = _UNSUPPORTED.get(transfer_syntax_uid, "no decoder is known")
    raise UnsupportedError(f"frames of {_named(transfer_syntax_uid)} can't be decoded: {what}")


_NOT_WRITTEN = {f"{_JPEG}{part}": "retired progressive JPEG" for part in (53, 55)}


@cache
def encoder(transfer_syntax_uid: str) -> Encoder:
    """Find the encoder of a transfer syntax.

    Parameters
    ----------
    transfer_syntax_uid : str

    Returns
    -------
    Encoder
        ``encode(frame, description, quality=None, near=None)`` for one frame.

    Raises
    ------
    UnsupportedError
        If there is none; the message names what the transfer syntax needs.

    Examples
    --------
    >>> encoder("1.2.840.10008.1.2.5").__module__
    'dicomkit.pixels.codecs.rle'
    """
    module = _MODULES.get(transfer_syntax_uid)
    if module is not None and transfer_syntax_uid not in _NOT_WRITTEN:
        encode: Encoder = import_module(f"dicomkit.pixels.codecs.{module}").encode
        return encode
    if module is None:
        for entry in entry_points(group=ENCODER_ENTRY_POINTS, name=transfer_syntax_uid):
            added: Encoder = entry.load()
            return added
    what = _NOT_WRITTEN.get(transfer_syntax_uid) or _UNSUPPORTED.get(transfer_syntax_uid, "no encoder is known")
    raise UnsupportedError(f"frames can't be encoded in {_named(transfer_syntax_uid)}: {what}")


def _named(transfer_syntax_uid: str) -> str:
    """A transfer syntax by name and UID."""
    entry = uid_entry(transfer_syntax_uid)
    return f"{entry.name} ({transfer_syntax_uid})" if entry else f"transfer syntax {transfer_syntax_uid}"


def sniff(data: bytes) -> str | None:
    """Guess the encoding of a frame by how it begins, for data sets whose transfer syntax can't be true.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    str or None
        UID of a transfer syntax that decodes it.

    Examples
    --------
    >>> sniff(b"\\xff\\x4f\\xff\\x51")
    '1.2.840.10008.1.2.4.91'
    """
    if data.startswith(b"\xff\xd8\xff"):
        return f"{_JPEG}{81 if read_markers(data).process == JPEG_LS else 51}"
    if data.startswith((b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")):
        return f"{_JPEG}91"
    if data.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")):
        return f"{_JPEG}112"
    if 1 <= int.from_bytes(data[:4], "little") <= 15 and data[4:8] == b"\x40\0\0\0":
        return "1.2.840.10008.1.2.5"
    return None


def decode(data: bytes, description: PixelDescription) -> NDArray[Any]:
    """Decode the bytes of one encapsulated frame.

    Parameters
    ----------
    data : bytes
        All fragments of the frame, joined.
    description : PixelDescription
        Its ``transfer_syntax_uid`` chooses the decoder.

    Returns
    -------
    ndarray
        Stored values of ``frame_shape`` and ``dtype`` of the description.

    Raises
    ------
    PixelError
        If the bytes are cut short, broken, or not of the size that the description says.
    UnsupportedError
        If there is no decoder.

    Examples
    --------
    >>> plain = PixelDescription(rows=1, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.1.98")
    >>> decode(b"\\x01\\x02", plain).tolist()
    [[1, 2]]
    """
    return decoder(description.transfer_syntax_uid)(data, description).array


def encode(
    frame: NDArray[Any], description: PixelDescription, *, quality: float | None = None, near: int | None = None
) -> bytes:
    """Encode one frame: what `decode` undoes.

    Parameters
    ----------
    frame : ndarray
        Stored values of ``frame_shape`` of the description.
    description : PixelDescription
        Its ``transfer_syntax_uid`` chooses the encoder.
    quality, near : optional
        What may be lost, where the encoding can lose something; nothing by default where that is possible.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If the encoding can't hold the frame, or has no such parameter.
    UnsupportedError
        If there is no encoder.

    Examples
    --------
    >>> import numpy as np
    >>> plain = PixelDescription(rows=1, columns=2, transfer_syntax_uid="1.2.840.10008.1.2.1.98")
    >>> encode(np.array([[1, 2]], np.uint8), plain)
    b'\\x01\\x02'
    """
    return encoder(description.transfer_syntax_uid)(frame, description, quality=quality, near=near)
