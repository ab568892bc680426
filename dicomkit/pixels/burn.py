"""What is drawn into a rendered picture on request: overlay planes, and short texts in its corners and at its edges."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import frame_attribute
from dicomkit.display.text import one_line, shorten
from dicomkit.errors import ValueFormatError
from dicomkit.pixels.overlay import overlays
from dicomkit.pixels.resize import resize

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

PLACES = ("top left", "top", "top right", "left", "right", "bottom left", "bottom", "bottom right")
"""Where a text can stand."""

_OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}
_LETTERS = ("L", "P", "H")


def overlay_mask(
    ds: DataSet, frame: int, rows: int, columns: int, groups: Collection[int] | None = None
) -> NDArray[np.bool_]:
    """Join the overlay planes of a frame to one mask over the image.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.
    rows, columns : int
        Of the image; what lies outside it is cut off.
    groups : collection of int, optional
        Overlay groups (0x6000 to 0x601E); all by default.

    Returns
    -------
    ndarray of bool
        ``(rows, columns)``

    Raises
    ------
    PixelError
        If an overlay has too little data.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({0x60000010: 1, 0x60000011: 2, 0x60000040: "G", 0x60000050: (2, 2), 0x60003000: b"\\x03\\x00"})
    >>> overlay_mask(ds, 0, 3, 3).astype(int).tolist()
    [[0, 0, 0], [0, 1, 1], [0, 0, 0]]
    """
    mask = np.zeros((rows, columns), np.bool_)
    for plane in overlays(ds, frame):
        if groups is not None and plane.group not in groups:
            continue
        top, left = (start - 1 for start in plane.origin)
        part = plane.mask[max(-top, 0) : max(rows - top, 0), max(-left, 0) : max(columns - left, 0)]
        top, left = max(top, 0), max(left, 0)
        mask[top : top + part.shape[0], left : left + part.shape[1]] |= part
    return mask


def burn_mask(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_], colour: tuple[int, int, int] | None = None
) -> NDArray[np.uint8]:
    """Draw a mask into a picture: white, or in a colour.

    Parameters
    ----------
    picture : ndarray of uint8
        ``(rows, columns)`` or ``(rows, columns, 3)``.
    mask : ndarray of bool
        ``(rows, columns)`` of any size: it is stretched over the picture, and thin lines fade instead of breaking.
    colour : tuple of int, optional
        Red, green and blue; makes a grey picture a coloured one.

    Returns
    -------
    ndarray of uint8

    Examples
    --------
    >>> burn_mask(np.zeros((1, 2), np.uint8), np.array([[True, False]])).tolist()
    [[255, 0]]
    """
    if not mask.any():
        return picture
    if colour is not None and picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if mask.shape == picture.shape[:2]:
        out = picture.copy()
        out[mask] = colour or 255
        return out
    share = resize(mask * np.uint8(255), *picture.shape[:2]).astype(np.float32) / 255
    return _blend(picture, share, colour or (255, 255, 255))


def annotations_of(ds: DataSet, frame: int = 0, *, window: str = "") -> dict[str, str]:
    """Write what a reader of a picture wants to know, and nothing that tells who the patient is.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0.
    window : str
        How the window is written.

    Returns
    -------
    dict
        Texts by place: modality and series, slice and frame, window, and the sides of the patient.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(Modality="CT", InstanceNumber=7, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    >>> texts = annotations_of(ds, window="W 400 L 40")
    >>> texts["top left"], texts["left"], texts["top"], texts["bottom right"]
    ('CT', 'R', 'A', 'W 400 L 40')
    """
    series, number = ds.get("SeriesNumber"), ds.get("InstanceNumber")
    count = ds.get("NumberOfFrames")
    head = " ".join(str(part) for part in (ds.get("Modality"), series) if part is not None)
    place = [f"image {number}"] if number is not None else []
    if isinstance(count, int) and count > 1:
        place.append(f"frame {frame + 1}/{count}")
    texts = {"top left": head, "top right": "  ".join(place), "bottom right": window}
    position = frame_attribute(ds, frame, "PlanePositionSequence", "ImagePositionPatient")
    orientation = frame_attribute(ds, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
    if isinstance(orientation, tuple) and len(orientation) == 6 and all(isinstance(n, float) for n in orientation):
        right, bottom = _side(orientation[:3]), _side(orientation[3:])
        texts |= {"right": right, "bottom": bottom, "left": _other(right), "top": _other(bottom)}
        if isinstance(position, tuple) and len(position) == 3:
            normal = np.cross(orientation[:3], orientation[3:])
            texts["bottom left"] = f"{float(np.dot(normal, position)):.1f} mm"
    return {where: text for where, text in texts.items() if text}


def burn_text(picture: NDArray[np.uint8], texts: Mapping[str, str], *, height: int | None = None) -> NDArray[np.uint8]:
    """Draw texts into a picture: white on a dark rim, readable on any ground.

    Parameters
    ----------
    picture : ndarray of uint8
        ``(rows, columns)`` or ``(rows, columns, 3)``.
    texts : mapping of str to str
        Texts by place: "top left", "top", "top right", "left", "right", "bottom left", "bottom", "bottom right".
    height : int, optional
        Of the letters in pixels; chosen by the size of the picture by default.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    ValueFormatError
        If there is no such place.

    Examples
    --------
    >>> burned = burn_text(np.zeros((64, 64), np.uint8), {"top left": "CT"})
    >>> burned[:32].max() > 200, burned[32:].max()
    (np.True_, np.uint8(0))
    """
    from PIL import Image, ImageDraw, ImageFont

    unknown = set(texts) - set(PLACES)
    if unknown:
        raise ValueFormatError(f"no place {sorted(unknown)[0]!r} for a text", hint=f"choose of {', '.join(PLACES)}")
    rows, columns = picture.shape[:2]
    size = height or min(max(round(min(rows, columns) / 28), 10), 48)
    font = ImageFont.load_default(size)
    margin = max(2, size // 3)
    canvas, rim = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    for where, text in ((where, shorten(one_line(text), 120)) for where, text in texts.items()):
        x = margin if "left" in where else columns - 1 - margin if "right" in where else columns // 2
        y = margin if "top" in where else rows - 1 - margin if "bottom" in where else rows // 2
        anchor = ("l" if "left" in where else "r" if "right" in where else "m") + (
            "a" if "top" in where else "d" if "bottom" in where else "m"
        )
        ImageDraw.Draw(rim).text((x, y), text, fill=255, font=font, anchor=anchor, stroke_width=max(1, size // 12))
        ImageDraw.Draw(canvas).text((x, y), text, fill=255, font=font, anchor=anchor)
    dark = _blend(picture, np.asarray(rim, np.float32) / 255, (0, 0, 0))
    return _blend(dark, np.asarray(canvas, np.float32) / 255, (255, 255, 255))


def _blend(picture: NDArray[np.uint8], share: NDArray[Any], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Mix a colour into a picture."""
    over: Any = np.array(colour, np.float32) if picture.ndim == 3 else np.float32(colour[0])
    part = share[..., None] if picture.ndim == 3 else share
    mixed: NDArray[np.uint8] = (picture * (1 - part) + over * part + np.float32(0.5)).astype(np.uint8)
    return mixed


def _side(direction: tuple[float, ...]) -> str:
    """The side of the patient that a direction mostly points to (PS3.3 C.7.6.1.1.1)."""
    axis = int(np.argmax(np.abs(direction)))
    letter = _LETTERS[axis]
    return letter if direction[axis] > 0 else _OPPOSITE[letter]


def _other(side: str) -> str:
    """The opposite side."""
    return _OPPOSITE[side]
