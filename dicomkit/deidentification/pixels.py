"""Pixel data without what is burned in, or hidden in unused bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.element import Element
from dicomkit.deidentification.graphics import overlay_bits
from dicomkit.deidentification.profile import Profile
from dicomkit.deidentification.redaction import OutsideUltrasoundRegions, Redaction
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.errors import DicomError, MissingFeatureError, PixelError, UnsupportedError
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.frames import frame_with_notes
from dicomkit.pixels.history import known_loss
from dicomkit.pixels.transcode import transcode
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

Change = Callable[[NDArray[Any], int, str], NDArray[Any]]
"""Takes a frame, its number and its photometric interpretation once decoded, and returns what takes its place."""

_JPEG = "1.2.840.10008.1.2.4."
LOSSLESS_FOR = {
    f"{_JPEG}{lossy}": f"{_JPEG}{lossless}"
    for lossless, several in ((70, (50, 51, 53, 55)), (80, (81,)), (90, (91,)), (201, (203,)), (110, (111, 112)))
    for lossy in several
}
"""By a transfer syntax that loses something, or may, the one of the same family that doesn't."""
PIXEL_ATTRIBUTES = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_NEVER_BURNED_IN = frozenset(("CT", "MR", "PT", "NM"))
_WHITE_AT_ZERO = "MONOCHROME1"
_BLACK_YBR = (0, 128, 128)


class Cleaned(NamedTuple):
    """A data set whose pixels are cleaned, the transfer syntax to write it in, what was done, and what to know."""

    ds: DataSet
    transfer_syntax: str
    done: tuple[str, ...]
    notes: tuple[str, ...] = ()


def cleaned_pixels(ds: DataSet, profile: Profile) -> Cleaned:
    """Clean the pixels of a data set as the profile says; without pixels, or need, it stays as it is.

    Raises
    ------
    PixelError
        When frames can't be decoded, or nothing tells where in them something is burned in.
    """
    syntax = ds.transfer_syntax.uid
    attribute = next((keyword for keyword in PIXEL_ATTRIBUTES if keyword in ds), None)
    if attribute is None:
        return Cleaned(ds, syntax, ())
    steps: list[Change] = []
    done: list[str] = []
    if profile.clean_pixel_data:
        rules = _rules(profile)
        if _needs_cleaning(ds, rules):
            steps.append(lambda frame, number, meaning: _blanked(ds, frame, number, meaning, rules))
        done.append("clean_pixel_data")
    if profile.clean_recognizable_visual_features is not None:
        change = profile.clean_recognizable_visual_features
        steps.append(lambda frame, number, _: _by_user(change, ds, frame, number))
        done.append("clean_recognizable_visual_features")
    hidden = attribute == "PixelData" and overlay_bits(ds)
    if steps or hidden:
        # Decoding leaves the stored values only: bits of overlays are gone.
        ds, syntax, notes = rewritten(ds, steps)
        done += ["overlay bits"] if hidden else []
        return Cleaned(ds, syntax, tuple(done), notes)
    return Cleaned(ds, syntax, tuple(done))


def rewritten(ds: DataSet, steps: list[Change]) -> tuple[DataSet, str, tuple[str, ...]]:
    """Return a data set whose frames went through functions, its transfer syntax, and notes about that.

    What was compressed without loss is so again, in its own transfer syntax. What had lost something loses no more: it
    is compressed without loss, by the nearest method. What can't be compressed so is native, as is what was native.
    """
    description = describe(ds)
    frames, photometric = [], description.photometric_interpretation
    for number in range(description.number_of_frames):
        decoded = frame_with_notes(ds, number)
        array, photometric = decoded.array, decoded.photometric_interpretation
        for step in steps:
            array = step(array, number, photometric)
        frames.append(array)
    native = ds.assign(_native(description, frames, photometric)).drop(*_gone(ds))
    if not ds.transfer_syntax.encapsulated:
        return native, EXPLICIT_VR_LITTLE_ENDIAN, ()
    return _compressed(with_transfer_syntax(native, EXPLICIT_VR_LITTLE_ENDIAN), ds)


def _compressed(native: DataSet, source: DataSet) -> tuple[DataSet, str, tuple[str, ...]]:
    """The data set compressed without loss, in the transfer syntax of its source or one like it, where that can be."""
    before = source.transfer_syntax
    native = known_loss(native, source, describe(native))
    syntax = TransferSyntax.of(LOSSLESS_FOR.get(before.uid, before.uid))
    try:
        made = transcode(native, syntax)
    except (PixelError, UnsupportedError, MissingFeatureError) as error:
        return native, EXPLICIT_VR_LITTLE_ENDIAN, (f"the cleaned pixels are not compressed: {error.message}",)
    notes = () if syntax.uid == before.uid else (f"the cleaned pixels are in {syntax.name}, without further loss",)
    return made, syntax.uid, notes


def _native(description: PixelDescription, frames: list[NDArray[Any]], photometric: str) -> list[Element]:
    """The elements that describe native frames, and hold them."""
    stack = np.stack(frames)
    if description.attribute != "PixelData":
        return [Element.of(description.attribute, stack.astype(stack.dtype.newbyteorder("<")).tobytes())]
    single_bit = description.bits_allocated == 1
    data = np.packbits(stack.ravel(), bitorder="little") if single_bit else stack.astype(stack.dtype.newbyteorder("<"))
    raw = data.tobytes()
    allocated = 1 if single_bit else 8 * stack.dtype.itemsize
    made = {
        "PhotometricInterpretation": photometric,
        "BitsAllocated": allocated,
        "BitsStored": description.bits_stored,
        "HighBit": description.bits_stored - 1,
    }
    if description.samples_per_pixel > 1:
        made["PlanarConfiguration"] = 0
    vr = "OW" if allocated > 8 else "OB"
    pixels = Element.of("PixelData", raw + bytes(len(raw) % 2), vr)
    return [*(Element.of(keyword, value) for keyword, value in made.items()), pixels]


def _gone(ds: DataSet) -> list[str]:
    """What is no longer true of changed, native pixels."""
    keywords = (
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
    )
    return [keyword for keyword in keywords if keyword in ds]


def _rules(profile: Profile) -> tuple[Redaction, ...]:
    chosen = profile.clean_pixel_data
    if isinstance(chosen, bool):
        return (OutsideUltrasoundRegions(),) if chosen else ()
    return chosen if isinstance(chosen, tuple) else (chosen,)


def _needs_cleaning(ds: DataSet, rules: tuple[Redaction, ...]) -> bool:
    """Whether the frames have to be gone through; an error where that can't be told and no rule applies."""
    probe = np.zeros((int(ds.get("Rows") or 1), int(ds.get("Columns") or 1)), np.uint8)
    static = [rule for rule in rules if type(rule).__name__ != "DetectedText"]
    if len(static) < len(rules) or any(rule.areas(ds, probe) is not None for rule in static):
        return True
    stated, modality = ds.get("BurnedInAnnotation"), ds.get("Modality")
    if stated == "NO" or (stated != "YES" and modality in _NEVER_BURNED_IN):
        return False
    raise PixelError(
        f"nothing tells where in this image of modality {modality} something is burned in",
        tag=Tag.of("BurnedInAnnotation"),
        hint="give clean_pixel_data rectangles or a text detection that fit it",
    )


def _blanked(ds: DataSet, frame: NDArray[Any], number: int, meaning: str, rules: tuple[Redaction, ...]) -> NDArray[Any]:
    """A frame in which all that the rules name is black."""
    masks = [mask for rule in rules if (mask := rule.areas(ds, frame)) is not None]
    if not masks:
        return frame
    mask = np.logical_or.reduce(masks)
    if mask.shape != frame.shape[:2]:
        raise PixelError(f"a rule gave a mask of {mask.shape} for a frame of {frame.shape[:2]}", frame=number)
    blank = frame.copy()
    blank[mask] = _black(meaning, frame)
    return blank


def _black(photometric: str, frame: NDArray[Any]) -> Any:
    """The stored value that shows black, and lies within the values of the frame where zero is not the least."""
    if photometric.startswith("YBR") and frame.ndim == 3:
        return np.array(_BLACK_YBR, frame.dtype)
    if photometric == _WHITE_AT_ZERO:
        return frame.max()
    return frame.min() if frame.dtype.kind in "if" else frame.dtype.type(0)


def _by_user(change: Callable[..., Any], ds: DataSet, frame: NDArray[Any], number: int) -> NDArray[Any]:
    """What the user's function makes of a frame; its errors name the frame."""
    try:
        made = np.asarray(change(frame.copy(), ds))
    except DicomError:
        raise
    except Exception as error:
        raise PixelError(f"clean_recognizable_visual_features failed: {error}", frame=number) from error
    if made.shape != frame.shape or not np.can_cast(made.dtype, frame.dtype, "same_kind"):
        raise PixelError(f"a frame of {frame.shape} {frame.dtype} came back as {made.shape} {made.dtype}", frame=number)
    return made.astype(frame.dtype, copy=False)
