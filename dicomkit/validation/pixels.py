"""Whether the pixel attributes agree with each other, with the transfer syntax and with the pixel data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.sources import Bulk
from dicomkit.standard.compressed_pixels import CompressedPixels, compressed_pixels
from dicomkit.validation.findings import Finding, Severity
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag

_FLOAT_BITS: Mapping[str, int] = MappingProxyType({"FloatPixelData": 32, "DoubleFloatPixelData": 64})
_PIXEL_DATA = ("PixelData", *_FLOAT_BITS)
_NEEDED = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated")
_INTEGERS_NEED = ("BitsStored", "HighBit", "PixelRepresentation")
# Samples per pixel of each photometric interpretation (PS3.3 C.7.6.3.1.2).
_SAMPLES: Mapping[str, int] = MappingProxyType(
    {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3, "HSV": 3, "YBR_FULL": 3, "YBR_FULL_422": 3}
    | {"YBR_PARTIAL_422": 3, "YBR_PARTIAL_420": 3, "YBR_ICT": 3, "YBR_RCT": 3, "XYB": 3, "ARGB": 4, "CMYK": 4}
)
_ONLY_COMPRESSED = frozenset(("YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420", "XYB"))
_ALWAYS_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{ending}" for ending in ("50", "51"))


def check_pixels(ds: DataSet) -> Iterator[Finding]:
    """Check an image; nothing for other objects."""
    found = [keyword for keyword in _PIXEL_DATA if keyword in ds]
    if len(found) > 1:
        yield _finding(found[1], "pixel data", f"beside {found[0]}: only one of them is allowed")
    if not found:
        return
    keyword = found[0]
    for needed in (*_NEEDED, *(_INTEGERS_NEED if keyword == "PixelData" else ())):
        if ds.get(needed) is None:
            rule = "empty" if needed in ds else "missing"
            yield _finding(needed, rule, f"{rule}: it describes the pixels")
    numbers = {name: _number(ds, name) for name in (*_NEEDED, *_INTEGERS_NEED, "PlanarConfiguration")}
    for name in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
        if numbers[name] == 0:
            yield _finding(name, "pixel attributes", "the value is 0")
    yield from _bits(ds, keyword, numbers)
    yield from _samples(ds, numbers)
    yield from _frames(ds)
    value = ds.get(keyword)
    if isinstance(value, Fragments):
        yield from _fragments(ds, value, numbers)
    else:
        yield from _native(ds, keyword, value, numbers)


def _bits(ds: DataSet, keyword: str, numbers: dict[str, int | None]) -> Iterator[Finding]:
    allocated, stored, high = numbers["BitsAllocated"], numbers["BitsStored"], numbers["HighBit"]
    if allocated is None:
        return
    if keyword in _FLOAT_BITS:
        if allocated != _FLOAT_BITS[keyword]:
            message = f"{allocated}, where {keyword} has {_FLOAT_BITS[keyword]}"
            yield _finding("BitsAllocated", "pixel attributes", message)
        return
    if allocated != 1 and allocated % 8:
        yield _finding(
            "BitsAllocated", "pixel attributes", f"{allocated} is neither 1 nor a multiple of 8 (PS3.5 8.1.1)"
        )
    if stored is not None and not 1 <= stored <= allocated:
        yield _finding("BitsStored", "pixel attributes", f"{stored}, with {allocated} bits allocated")
    elif stored is not None and high is not None and high != stored - 1:
        severity: Severity = "error" if high < stored - 1 or high >= allocated else "warning"
        message = f"{high}, where {stored} bits stored make it {stored - 1} (PS3.5 8.1.1)"
        yield _finding("HighBit", "pixel attributes", message, severity)
    if (sign := numbers["PixelRepresentation"]) is not None and sign not in (0, 1):
        yield _finding("PixelRepresentation", "pixel attributes", f"{sign} is neither 0 nor 1")


def _samples(ds: DataSet, numbers: dict[str, int | None]) -> Iterator[Finding]:
    samples, planar = numbers["SamplesPerPixel"], numbers["PlanarConfiguration"]
    photometric = ds.get("PhotometricInterpretation")
    expected = _SAMPLES.get(photometric) if isinstance(photometric, str) else None
    if expected is not None and samples is not None and samples != expected:
        message = f"{samples}, where {photometric} has {expected}"
        yield _finding("SamplesPerPixel", "pixel attributes", message)
    if samples is not None and samples > 1:
        if planar is None:
            yield _finding("PlanarConfiguration", "missing", f"missing: there are {samples} samples per pixel")
        elif planar not in (0, 1):
            yield _finding("PlanarConfiguration", "pixel attributes", f"{planar} is neither 0 nor 1")
    if photometric == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            names = (f"{colour}PaletteColorLookupTableData", f"Segmented{colour}PaletteColorLookupTableData")
            if f"{colour}PaletteColorLookupTableDescriptor" not in ds or not any(name in ds for name in names):
                yield _finding(names[0], "missing", "missing: Photometric Interpretation is PALETTE COLOR")


def _frames(ds: DataSet) -> Iterator[Finding]:
    """Compare Number of Frames with the items of per-frame functional groups and frame vectors."""
    frames = ds.get("NumberOfFrames")
    if frames is not None and (not isinstance(frames, int) or frames < 1):
        yield _finding("NumberOfFrames", "pixel attributes", f"{frames!r} is no number of frames")
        return
    items = ds.get("PerFrameFunctionalGroupsSequence")
    if isinstance(items, tuple) and len(items) != (frames or 1):
        message = f"{len(items)} items, for {frames or 1} frames"
        yield _finding("PerFrameFunctionalGroupsSequence", "functional group", message)


def _fragments(ds: DataSet, value: Fragments, numbers: dict[str, int | None]) -> Iterator[Finding]:
    frames = _number(ds, "NumberOfFrames") or 1
    uid = ds.transfer_syntax.uid
    table = len(value.offset_table) // 4
    if len(value.offset_table) % 4 or (table and table != frames and "8.2.5" not in _sections(uid)):
        yield _finding(
            "PixelData", "pixel data", f"a Basic Offset Table of {len(value.offset_table)} bytes, for {frames} frames"
        )
    extended = ds.get("ExtendedOffsetTable")
    if isinstance(extended, (bytes, Bulk)) and len(extended) != 8 * frames:
        yield _finding("ExtendedOffsetTable", "pixel data", f"{len(extended)} bytes, for {frames} frames")
    if 0 < len(value.parts) < frames and not _is_video(uid):
        yield _finding("PixelData", "pixel data", f"{len(value.parts)} fragments, for {frames} frames")
    if uid in _ALWAYS_LOSSY and ds.get("LossyImageCompression") != "01":
        message = f"not 01, though {ds.transfer_syntax.name} loses something (PS3.3 C.7.6.1.1.5)"
        yield _finding("LossyImageCompression", "compression", message, "warning")
    yield from _compression(ds, compressed_pixels(uid), numbers)


def _sections(uid: str) -> set[str]:
    return {one.section for one in compressed_pixels(uid)}


def _is_video(uid: str) -> bool:
    return any(one.photometric_interpretation == "YBR_PARTIAL_420" for one in compressed_pixels(uid))


def _compression(ds: DataSet, rows: tuple[CompressedPixels, ...], numbers: dict[str, int | None]) -> Iterator[Finding]:
    """Hold the pixel attributes against what PS3.5 8.2 lists for the transfer syntax."""
    photometric, name = ds.get("PhotometricInterpretation"), ds.transfer_syntax.name
    if not rows or not isinstance(photometric, str) or photometric not in _SAMPLES:
        return
    section = rows[0].section
    rows = tuple(row for row in rows if row.photometric_interpretation == photometric)
    if not rows:
        message = f"{photometric} is not for {name} (PS3.5 {section})"
        yield _finding("PhotometricInterpretation", "compression", message)
        return
    for keyword, allowed in (
        ("BitsAllocated", frozenset[int]().union(*(row.bits_allocated for row in rows))),
        ("BitsStored", frozenset[int]().union(*(row.bits_stored for row in rows))),
        ("PixelRepresentation", frozenset[int]().union(*(row.pixel_representation for row in rows))),
        ("PlanarConfiguration", rows[0].planar_configuration),
    ):
        number = numbers[keyword]
        if number is not None and allowed and number not in allowed:
            message = f"{number} is not for {photometric} in {name} (PS3.5 {section})"
            severity: Severity = "warning" if keyword == "PlanarConfiguration" else "error"
            yield _finding(keyword, "compression", message, severity)


def _native(ds: DataSet, keyword: str, value: Any, numbers: dict[str, int | None]) -> Iterator[Finding]:
    """Compare the length of native pixel data with what the attributes make it."""
    photometric = ds.get("PhotometricInterpretation")
    if photometric in _ONLY_COMPRESSED:
        message = f"{photometric} can't be native (PS3.5 8.2)"
        yield _finding("PhotometricInterpretation", "compression", message)
        return
    rows, columns, allocated = numbers["Rows"], numbers["Columns"], numbers["BitsAllocated"]
    frames = ds.get("NumberOfFrames")
    if not rows or not columns or not allocated or not (frames is None or (isinstance(frames, int) and frames > 0)):
        return
    if ds.transfer_syntax.encapsulated or "JPIP" in ds.transfer_syntax.name:
        return
    bits = rows * columns * (numbers["SamplesPerPixel"] or 1) * allocated
    if photometric == "YBR_FULL_422" and numbers["SamplesPerPixel"] == 3:
        bits = rows * ((columns + 1) // 2) * 4 * allocated
    expected = (bits * (frames or 1) + 7) // 8
    length = len(value) if isinstance(value, (bytes, Bulk)) else 0
    if length not in (expected, expected + expected % 2):
        short = "too few" if length < expected else "too many"
        message = f"{length:,} bytes, {short}: the attributes make it {expected:,}"
        yield _finding(keyword, "pixel data", message)


def _number(ds: DataSet, keyword: str) -> int | None:
    value = ds.get(keyword)
    return value if isinstance(value, int) else None


def _finding(keyword: str, rule: str, message: str, severity: Severity = "error") -> Finding:
    return Finding((keyword,), rule, severity, message, Tag.of(keyword))
