"""Colour by ICC profile: from what a profile describes to a colour space that screens show (PS3.3 C.11.15)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import frame_group
from dicomkit.errors import PixelError, ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

ColourSpace: TypeAlias = Literal["sRGB", "Display P3", "Adobe RGB"]
Intent: TypeAlias = Literal["perceptual", "relative", "saturation", "absolute"]

COLOUR_SPACES = ("sRGB", "Display P3", "Adobe RGB")
INTENTS = ("perceptual", "relative", "saturation", "absolute")
"""Rendering intents in the order of their numbers (ISO 15076-1 7.2.15)."""

_EXACT = 0x0100  # cmsFLAGS_NOOPTIMIZE: Little CMS resamples 16-bit curves otherwise, and dark colours are 4 % off
_D65 = (0.3127, 0.3290, 1.0)
_P3_PRIMARIES = (0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0)


def icc_profile_of(ds: DataSet, frame: int = 0) -> bytes | None:
    """Find the ICC profile that describes the colours of a frame.

    Parameters
    ----------
    ds : DataSet
    frame : int
        From 0. Whole slide images have a profile for each optical path.

    Returns
    -------
    bytes or None

    Examples
    --------
    >>> import dicomkit as dk
    >>> icc_profile_of(dk.DataSet(OpticalPathSequence=[{"OpticalPathIdentifier": "1", "ICCProfile": b"profile!"}]))
    b'profile!'
    """
    group = frame_group(ds, frame, "OpticalPathIdentificationSequence")
    wanted = None if group is None else group.get("OpticalPathIdentifier")
    paths = ds.all("OpticalPathSequence")
    chosen = [path for path in paths if wanted is not None and path.get("OpticalPathIdentifier") == wanted]
    for holder in (*chosen, ds, *paths[:1]):
        value = holder.get("ICCProfile")
        if value and isinstance(value, (bytes, Bulk)):
            return bytes(value)
    return None


@cache
def profile_of_space(space: str) -> bytes:
    """Give the ICC profile of a colour space by name: ``"sRGB"``, ``"Display P3"`` or ``"Adobe RGB"``.

    Raises
    ------
    ValueFormatError
        If the name is none of these.

    Examples
    --------
    >>> profile_of_space("sRGB")[36:40]
    b'acsp'
    """
    import imagecodecs

    if space == "sRGB":
        return bytes(imagecodecs.cms_profile("srgb"))
    if space == "Adobe RGB":
        return bytes(imagecodecs.cms_profile("adobergb"))
    if space == "Display P3":  # sRGB's curve with other primaries (SMPTE EG 432-1)
        return bytes(
            imagecodecs.cms_profile("rgb", whitepoint=_D65, primaries=_P3_PRIMARIES, transferfunction=_srgb_curve())
        )
    raise ValueFormatError(f"colour space {space!r}", hint=f"choose one of {', '.join(COLOUR_SPACES)}")


def to_colour_space(
    rgb: NDArray[Any], profile: bytes, space: ColourSpace | bytes = "sRGB", *, intent: Intent | None = None
) -> NDArray[Any]:
    """Convert RGB from what an ICC profile describes.

    Parameters
    ----------
    rgb : ndarray of uint8 or uint16
        ``(..., 3)`` over the whole range of the type.
    profile : bytes
        The ICC profile of the samples.
    space : str or bytes
        ``"sRGB"``, ``"Display P3"``, ``"Adobe RGB"``, or the ICC profile of a device.
    intent : str, optional
        ``"perceptual"``, ``"relative"``, ``"saturation"`` or ``"absolute"``; that of the profile by default.

    Returns
    -------
    ndarray
        Of the same shape and type.

    Raises
    ------
    PixelError
        If the profile can't be used.
    ValueFormatError
        If space or intent are unknown.

    Examples
    --------
    >>> red = np.array([[[200, 30, 30]]], np.uint8)
    >>> to_colour_space(red, profile_of_space("Adobe RGB")).tolist()
    [[[233, 24, 24]]]
    """
    import imagecodecs

    if rgb.dtype not in (np.uint8, np.uint16) or rgb.shape[-1] != 3:
        raise PixelError(f"colours of shape {rgb.shape} and type {rgb.dtype}: uint8 or uint16 RGB is converted")
    if intent is not None and intent not in INTENTS:
        raise ValueFormatError(f"rendering intent {intent!r}", hint=f"choose one of {', '.join(INTENTS)}")
    number = INTENTS.index(intent) if intent is not None else _intent_of(profile)
    target = space if isinstance(space, bytes) else profile_of_space(space)
    flat = np.ascontiguousarray(rgb).reshape(-1, rgb.shape[-2] if rgb.ndim > 1 else 1, 3)
    if not flat.size:
        return rgb
    flags = _EXACT if rgb.dtype == np.uint16 else 0
    try:
        out: NDArray[Any] = imagecodecs.cms_transform(
            flat, profile, target, colorspace="rgb", outcolorspace="rgb", intent=number, flags=flags
        )
    except (imagecodecs.CmsError, ValueError, RuntimeError) as error:
        raise PixelError(f"the ICC profile can't be used: {error}", tag=Tag.of("ICCProfile")) from error
    return out.reshape(rgb.shape)


def _intent_of(profile: bytes) -> int:
    """The rendering intent in a profile's header, or perceptual."""
    number = int.from_bytes(profile[64:68], "big")
    return number if number < len(INTENTS) else 0


def _srgb_curve() -> NDArray[np.uint16]:
    """The transfer function of sRGB, encoded to linear, as a table (IEC 61966-2-1)."""
    encoded = np.linspace(0, 1, 4096)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    curve: NDArray[np.uint16] = np.rint(linear * 65535).astype(np.uint16)
    return curve
