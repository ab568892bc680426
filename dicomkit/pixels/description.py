"""What a data set says about the shape and coding of its frames (PS3.3 C.7.6.3, PS3.5 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError, UnsupportedError
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

# Kind and bytes of a cell -> the type that holds it.
_DTYPES = {
    (kind, cell): np.dtype(f"{kind}{size}") for kind in "iu" for cell, size in enumerate((1, 1, 2, 4, 4, 8, 8, 8, 8))
}
_DTYPES |= {("f", size): np.dtype(f"f{size}") for size in (4, 8)}
_PIXEL_ATTRIBUTES = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """The Image Pixel attributes that decide how bytes become a frame.

    Parameters
    ----------
    rows, columns : int
        Size of one frame.
    number_of_frames, samples_per_pixel : int
    photometric_interpretation : str
        As in the data set, e.g. ``"MONOCHROME2"``.
    bits_allocated, bits_stored, high_bit : int
        The layout of a pixel cell (PS3.5 8.1.1).
    pixel_representation : int
        1 for two's complement, 0 for unsigned.
    planar_configuration : int
        1 where native samples are stored plane by plane.
    transfer_syntax_uid : str
    attribute : str
        ``"PixelData"``, ``"FloatPixelData"`` or ``"DoubleFloatPixelData"``.
    big_endian : bool
        Whether native cells have their most significant byte first: in Explicit VR Big Endian and GE's private syntax.
    vr : str
        VR of the pixel attribute; matters only for big-endian cells of 8 bits or fewer, which OW swaps in pairs.
    notes : tuple of str
        What was assumed because the data set doesn't say it or contradicts itself.

    Examples
    --------
    >>> PixelDescription(rows=2, columns=3, bits_allocated=16, bits_stored=12).dtype
    dtype('uint16')
    """

    rows: int
    columns: int
    number_of_frames: int = 1
    samples_per_pixel: int = 1
    photometric_interpretation: str = "MONOCHROME2"
    bits_allocated: int = 8
    bits_stored: int = 0
    high_bit: int = -1
    pixel_representation: int = 0
    planar_configuration: int = 0
    transfer_syntax_uid: str = EXPLICIT_LITTLE
    attribute: str = "PixelData"
    big_endian: bool = False
    vr: str = "OW"
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.bits_stored:
            object.__setattr__(self, "bits_stored", self.bits_allocated)
        if self.high_bit < 0:
            object.__setattr__(self, "high_bit", self.bits_stored - 1)

    @property
    def signed(self) -> bool:
        """Whether stored values are two's complement integers."""
        return self.pixel_representation == 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of a decoded frame, in native byte order."""
        if self.attribute != "PixelData":
            return _DTYPES["f", 4 if self.attribute == "FloatPixelData" else 8]
        if self.bits_allocated == 1:
            return _DTYPES["u", 1]
        return _DTYPES["i" if self.pixel_representation == 1 else "u", min((self.bits_allocated + 7) // 8, 8)]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """``(rows, columns)``, or ``(rows, columns, samples)`` where there are several samples per pixel."""
        if self.samples_per_pixel == 1:
            return self.rows, self.columns
        return self.rows, self.columns, self.samples_per_pixel

    @property
    def subsampled(self) -> bool:
        """Whether native samples are stored as YBR_FULL_422: two luminances, then one pair of chrominances."""
        return self.photometric_interpretation == "YBR_FULL_422" and self.samples_per_pixel == 3

    @property
    def frame_bits(self) -> int:
        """Bits of one frame in native format; frames of 1-bit cells need not end on a byte (PS3.5 8.1.1)."""
        if self.subsampled:
            return self.rows * ((self.columns + 1) // 2) * 4 * self.bits_allocated
        return self.rows * self.columns * self.samples_per_pixel * self.bits_allocated

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in native format, rounded up."""
        return (self.frame_bits + 7) // 8

    @property
    def decoded_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return self.rows * self.columns * self.samples_per_pixel * self.dtype.itemsize


class Decoded(NamedTuple):
    """A decoded frame and what is to be known about it.

    Parameters
    ----------
    array : ndarray
        Stored values: ``(rows, columns)`` or ``(rows, columns, samples)``.
    photometric_interpretation : str
        What the samples mean now, e.g. ``"RGB"`` where a codec undid its own colour transformation.
    notes : tuple of str
        What was mended or contradicts the data set.
    """

    array: NDArray[Any]
    photometric_interpretation: str
    notes: tuple[str, ...] = ()


def describe(ds: DataSet) -> PixelDescription:
    """Collect what a data set says about its pixels.

    Parameters
    ----------
    ds : DataSet
        An image: a data set with Rows, Columns and one of the three pixel attributes.

    Returns
    -------
    PixelDescription

    Raises
    ------
    PixelError
        If an attribute that is needed is missing or makes no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet({"Rows": 2, "Columns": 2, "BitsAllocated": 8, "PixelData": b"\\x00\\x01\\x02\\x03"})
    >>> describe(ds).frame_shape
    (2, 2)
    """
    get = ds.get
    notes: list[str] = []
    attribute = _pixel_attribute(ds)
    syntax = ds.transfer_syntax
    rows, columns = _whole(get("Rows"), "Rows"), _whole(get("Columns"), "Columns")
    photometric = str(get("PhotometricInterpretation") or "").strip()
    samples = get("SamplesPerPixel")
    samples = _whole(samples, "SamplesPerPixel") if samples is not None else (3 if _has_colour(photometric) else 1)
    if not photometric:
        photometric = "RGB" if samples == 3 else "MONOCHROME2"
        notes.append(f"no PhotometricInterpretation: taken as {photometric}")
    default_bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(attribute)
    allocated = default_bits or _whole(get("BitsAllocated"), "BitsAllocated", highest=64)
    stored, high = get("BitsStored"), get("HighBit")
    stored = allocated if stored is None or default_bits else _whole(stored, "BitsStored", lowest=0)
    if not 1 <= stored <= allocated:
        notes.append(f"BitsStored {stored} with BitsAllocated {allocated}: taken as {allocated}")
        stored = allocated
    high = stored - 1 if high is None or default_bits else _whole(high, "HighBit", lowest=0)
    if not stored - 1 <= high < allocated:
        notes.append(f"HighBit {high} with BitsStored {stored}: taken as {stored - 1}")
        high = stored - 1
    frames = get("NumberOfFrames")
    if not isinstance(frames, int) or frames < 1:
        if frames is not None:
            notes.append(f"NumberOfFrames {frames!r}: taken as 1")
        frames = 1
    return PixelDescription(
        rows=rows,
        columns=columns,
        number_of_frames=frames,
        samples_per_pixel=samples,
        photometric_interpretation=photometric,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        pixel_representation=1 if get("PixelRepresentation") == 1 else 0,
        planar_configuration=1 if samples > 1 and get("PlanarConfiguration") == 1 else 0,
        transfer_syntax_uid=syntax.uid,
        attribute=attribute,
        big_endian=syntax.big_endian_pixels,
        vr=ds.element(attribute).vr if syntax.big_endian_pixels else "OW",
        notes=tuple(notes),
    )


def _pixel_attribute(ds: DataSet) -> str:
    """The keyword of the pixel attribute that the data set has."""
    for keyword in _PIXEL_ATTRIBUTES:
        if keyword in ds:
            return keyword
    if "PixelDataProviderURL" in ds:
        raise UnsupportedError(
            "the pixels are behind a Pixel Data Provider URL (JPIP)", tag=Tag.of("PixelDataProviderURL")
        )
    raise PixelError("no pixel data", tag=Tag.of("PixelData"), hint="this data set is not an image")


def _has_colour(photometric: str) -> bool:
    """Whether a photometric interpretation implies three samples."""
    return photometric.startswith(("RGB", "YBR", "HSV", "XYB"))


def _whole(value: object, keyword: str, *, lowest: int = 1, highest: int = 0xFFFF) -> int:
    """The value of an attribute that must be one integer within bounds."""
    if not isinstance(value, int) or not lowest <= value <= highest:
        what = "is missing" if value is None else f"is {value!r}"
        raise PixelError(f"{keyword} {what}", tag=Tag.of(keyword), hint="the frames can't be described without it")
    return value
