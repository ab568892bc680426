"""Every element of every real file is what pydicom reads, nested ones too; where it is not, the reason is listed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from realdata import all_dicom_files, needs_data, real_file

import dicomkit as dk
from dicomkit.sources import Bulk
from dicomkit.values.fragments import Fragments

pydicom = pytest.importorskip("pydicom")
filewriter = pytest.importorskip("pydicom.filewriter")

CHUNKS = 24
_PADDED_CODE = "the padding of each CS value is not significant (PS3.5 6.2); pydicom strips that of the last one only"
_EMPTY_GROUP = "an empty last component group is kept as it is written; pydicom drops it (PS3.5 6.2.1.1 allows both)"
_GROUP_LENGTH = "a group length is UL also in a private group (PS3.5 7.2); pydicom reads UN"

_UN_IS_LITTLE = "a value written as UN is little-endian in any data set (PS3.5 6.2.2); pydicom reads it big-endian"

#: Where we read something else than pydicom: reason -> paths -> files.
KNOWN_BY_REASON = (
    (
        _PADDED_CODE,
        ("00080008",),
        (
            "693_J2KI.dcm",
            "693_UNCI.dcm",
            "CTImage.dcm_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm",
            "CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm",
            "SC_rgb_gdcm2k_uncompressed.dcm",
            "SC_rgb_gdcm_KY.dcm",
            "SC_rgb_jpeg_lossy_gdcm.dcm",
        ),
    ),
    (_EMPTY_GROUP, ("00100010",), ("chrX1.dcm", "chrX2.dcm")),
    (
        _GROUP_LENGTH,
        tuple(f"{group:04X}0000" for group in (0x09, 0x11, 0x19, 0x21, 0x23, 0x25, 0x27, 0x29, 0x43)),
        ("CTImage.dcm", "CTImage.dcm_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm"),
    ),
    (
        _UN_IS_LITTLE,
        (
            "00091027",
            "000910E9",
            "00191002",
            "00191017",
            "00191025",
            "0019102C",
            "00191039",
            "00191041",
            "00191047",
            "0019104A",
            "0019104B",
            "00191052",
            "00191057",
            "0019105E",
            "0019105F",
            "00191060",
            "00191061",
            "00191062",
            "0019106A",
            "0019106B",
            "00191070",
            "001910DC",
            "001910DD",
            "00211003",
            "00211015",
            "00211016",
            "00211037",
            "00211090",
            "00231070",
            "00251007",
            "00251019",
            "0027101C",
            "0027101F",
            "00271035",
            "00271041",
            "00271042",
            "00271043",
            "00271044",
            "00271047",
            "00271048",
            "00271049",
            "0027104A",
            "0027104B",
            "0027104C",
            "0027104D",
            "00271050",
            "00271051",
            "00291007",
            "0029100A",
            "00291026",
            "00431010",
            "00431012",
            "00431013",
            "00431014",
            "00431015",
            "00431019",
            "0043101A",
            "0043101D",
            "00431025",
            "00431026",
            "0043102B",
            "00431040",
            "00431041",
            "00431044",
            "00431045",
            "00431046",
            "00431048",
            "0043104A",
            "0043104E",
        ),
        ("CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",),
    ),
    (_GROUP_LENGTH, ("00090000", "00190000", "00210000", "00450000"), ("01.dcm", "02.dcm", "03.dcm")),
)
KNOWN = {name: set(paths) for _, paths, names in KNOWN_BY_REASON for name in names}
#: Its pixel data has no end, at which pydicom gives up the whole data set.
NOT_READ_BY_PYDICOM = ("emri_small_jpeg_2k_lossless_too_short.dcm",)


def of_pydicom(value: Any) -> Any:
    """Turn a value of pydicom into one of ours."""
    if value is None or (isinstance(value, (str, bytes)) and not value):
        return None
    if isinstance(value, (pydicom.multival.MultiValue, list)):
        values = tuple(of_pydicom(part) for part in value)
        if not any(part not in (None, "") for part in values):
            return None
        return values
    if isinstance(value, pydicom.valuerep.PersonName):
        return str(value) or None
    if isinstance(value, pydicom.valuerep.DSfloat):
        return float(value)
    return value


def of_dicomkit(value: Any) -> Any:
    if isinstance(value, Bulk):
        return bytes(value)
    if isinstance(value, Fragments):
        parts = (value.offset_table, *map(bytes, value.parts))
        return b"".join(b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in parts)
    if isinstance(value, tuple):
        return tuple(map(of_dicomkit, value))
    return value


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float) and math.isnan(ours):
        return math.isnan(theirs)
    if (ours or None) is None and (theirs or None) is None and not isinstance(ours, (int, float)):
        return True
    return bool(ours == theirs)


def differences(ours: dk.DataSet, theirs: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield path and description of each element that is not the same."""
    mine, other = {int(tag) for tag in ours}, set(map(int, theirs.keys()))
    for tag in sorted(mine ^ other):
        yield path_text((*where, tag)), "only in dicomkit" if tag in mine else "only in pydicom"
    for tag in sorted(mine & other):
        path = path_text((*where, tag))
        element = ours.element(tag)
        try:
            there = theirs[tag]
        except Exception as error:
            yield path, f"pydicom: {error!r}"
            continue
        if element.vr != there.VR:
            yield path, f"VR {element.vr}, pydicom {there.VR}"
        if element.vr == "SQ" and there.VR == "SQ":
            items = element.value or ()
            if len(items) != len(there.value or ()):
                yield path, f"{len(items)} items, pydicom {len(there.value)}"
            for number, (item, their) in enumerate(zip(items, there.value or (), strict=False)):
                yield from differences(item, their, (*where, tag, number))
        elif element.vr == there.VR:
            mine_value, their_value = of_dicomkit(element.value), of_pydicom(there.value)
            if not same(mine_value, their_value):
                yield path, f"{str(mine_value)[:60]!r}, pydicom {str(their_value)[:60]!r}"


def path_text(path: tuple[int, ...]) -> str:
    return ".".join(f"{step:08X}" if step > 0xFFFF else str(step) for step in path)


def read_both(path: Path) -> tuple[dk.DataSet, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.dcmread(path, force=True)
        filewriter.correct_ambiguous_vr(theirs, theirs.original_encoding[1])
    return dk.read(path), theirs


@needs_data
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_element_is_what_pydicom_reads(chunk: int) -> None:
    found: dict[str, list[tuple[str, str]]] = {}
    for path in all_dicom_files()[chunk::CHUNKS]:
        if path.name in NOT_READ_BY_PYDICOM:
            continue
        ours, theirs = read_both(path)
        known = KNOWN.get(path.name, set())
        here = [*differences(ours, theirs), *differences(ours.meta, theirs.file_meta)]
        unknown = [(where, what) for where, what in here if where not in known]
        assert {where for where, _ in here} >= known, f"{path.name}: a listed difference is none"
        if unknown:
            found[path.name] = unknown
    assert not found


@needs_data
@pytest.mark.parametrize("name", [*KNOWN, *NOT_READ_BY_PYDICOM])
def test_the_exceptions_are_files_that_exist(name: str) -> None:
    assert name in {path.name for path in all_dicom_files()}


@needs_data
def test_pydicom_drops_everything_where_encapsulated_pixels_have_no_end() -> None:
    path = real_file("02_pixel_codecs/pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm")
    ours, theirs = read_both(path)
    assert len(theirs) == 0
    assert ours.Rows == 64
    assert len(ours.PixelData.parts) == 10
    assert "without its end" in ours.repairs[0].problem
