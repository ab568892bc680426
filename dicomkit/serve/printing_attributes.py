"""What is kept of the attributes that a peer creates or sets for printing, and which values are refused (PS3.4 H.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.normalized_provider import NormalizedRequest
from dicomkit.dimse.provider import Refused
from dicomkit.errors import DicomError
from dicomkit.serve.printing_rules import INVALID_VALUE, MISSING, NO_SUCH_ACTION, NO_VALUE, OTHER_DENSITY, Rules

_TERMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "PrintPriority": ("HIGH", "MED", "LOW"),
        "Trim": ("YES", "NO"),
        "Polarity": ("NORMAL", "REVERSE"),
        "MagnificationType": ("REPLICATE", "BILINEAR", "CUBIC", "NONE"),
        "RequestedDecimateCropBehavior": ("DECIMATE", "CROP", "FAIL"),
        "RequestedResolutionID": ("STANDARD", "HIGH"),
    }
)
_DENSITIES = ("BorderDensity", "EmptyImageDensity")
SESSION_ATTRIBUTES = """SpecificCharacterSet NumberOfCopies PrintPriority MediumType FilmDestination
    FilmSessionLabel MemoryAllocation OwnerID""".split()
SETTABLE = """SpecificCharacterSet MagnificationType MaxDensity ConfigurationInformation SmoothingType BorderDensity
    EmptyImageDensity MinDensity Trim Illumination ReflectedAmbientLight ICCProfile""".split()
FILM_ATTRIBUTES = [
    *SETTABLE,
    *"""ImageDisplayFormat FilmOrientation FilmSizeID AnnotationDisplayFormatID
    RequestedResolutionID""".split(),
]
BOX_ATTRIBUTES = """SpecificCharacterSet Polarity MagnificationType SmoothingType MinDensity MaxDensity
    ConfigurationInformation RequestedImageSize RequestedDecimateCropBehavior""".split()
PIXEL_ATTRIBUTES = """SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns PixelAspectRatio
    BitsAllocated BitsStored HighBit PixelRepresentation""".split()
"""What is kept of what is created or set (PS3.4 Tables H.4-2, H.4-6, H.4-7, H.4-10 and H.4-11)."""
_LONGEST_TEXT, _LARGEST_PROFILE = 4096, 4 << 20


def checked(data: DataSet, rules: Rules) -> int:
    """Look at the values of what is created or set; return the status that tells of densities out of range."""
    for keyword, allowed in _TERMS.items():
        value = data.get(keyword)
        if value is not None and value not in allowed:
            raise Refused(f"{keyword} is {str(value)[:20]}", status=INVALID_VALUE)
    for keyword in _DENSITIES:
        value = str(data.get(keyword) or "BLACK")
        if value not in ("BLACK", "WHITE") and not (value.isdecimal() and value.isascii()):
            raise Refused(f"{keyword} is {value[:20]}", status=INVALID_VALUE)
    for keyword, most in (
        ("NumberOfCopies", rules.limits.copies),
        ("RequestedImageSize", 2000),
        ("Illumination", 0xFFFF),
    ):
        value = data.get(keyword)
        if value is not None and not (isinstance(value, (int, float)) and 0 < value <= most):
            raise Refused(f"{keyword} is {str(value)[:20]}", status=INVALID_VALUE)
    low, high = data.get("MinDensity"), data.get("MaxDensity")
    printer = rules.printer
    low_outside = isinstance(low, int) and not printer.min_density <= low <= printer.max_density
    high_outside = isinstance(high, int) and not printer.min_density <= high <= printer.max_density
    return OTHER_DENSITY if low_outside or high_outside else 0


def kept_of(data: DataSet, keywords: Sequence[str]) -> DataSet:
    """Return a data set that has some attributes, and nothing else of the message that they came with."""
    values = {keyword: data[keyword] for keyword in keywords if data.get(keyword) is not None}
    profile = values.get("ICCProfile")
    if profile is not None and len(profile) > _LARGEST_PROFILE:
        raise Refused("the ICC profile is too large", status=INVALID_VALUE)
    for keyword, value in values.items():
        if keyword != "ICCProfile" and len(str(value)) > _LONGEST_TEXT:
            raise Refused(f"{keyword} is too long", status=INVALID_VALUE)
    try:
        return DataSet(values if profile is None else values | {"ICCProfile": bytes(profile)})
    except DicomError as error:
        raise Refused(error.message, status=INVALID_VALUE) from error


def reference_in(data: DataSet, sequence: str, sop_class: str) -> str:
    """Return the instance that a sequence of one item refers to."""
    items = data.all(sequence)
    if not items:
        raise Refused(f"there is no {sequence}", status=MISSING if sequence not in data else NO_VALUE)
    if len(items) != 1 or items[0].get("ReferencedSOPClassUID") != sop_class:
        raise Refused(f"{sequence} refers to something else", status=INVALID_VALUE)
    return str(items[0].get("ReferencedSOPInstanceUID") or "")


def items_of(sop_class: str, boxes: tuple[Any, ...]) -> list[DataSet]:
    """Return a reference to each of some boxes."""
    return [item_of(sop_class, box.uid) for box in boxes]


def item_of(sop_class: str, uid: str) -> DataSet:
    """Return a reference to an instance."""
    return DataSet(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)


def check_action(request: NormalizedRequest) -> None:
    """Refuse actions other than printing, which is the only one."""
    if request.number != 1:
        raise Refused(f"there is no action {request.number}", status=NO_SUCH_ACTION)
