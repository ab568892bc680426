"""Whatever headers say, the result is a volume or a DicomError that can be read."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_series import along_z, made_series, ramp
from realdata import all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.errors import DicomError
from dicomkit.volumes.explain import explain_geometry
from dicomkit.volumes.load import to_volume, to_volumes
from dicomkit.volumes.places import wanted_tags

LIES: dict[str, list[Any]] = {
    "ImagePositionPatient": [None, [0], [0, 0, 1e300], [1e-300, 0, 5], [0, 0, 0, 0], "x"],
    "ImageOrientationPatient": [None, [0] * 6, [1, 0, 0, 1, 0, 0], [1e9, 0, 0, 0, 1, 0], [1, 0, 0], [2, 0, 0, 0, 2, 0]],
    "PixelSpacing": [None, [0, 0], [-1, 1], [1e-12, 1], [1e300, 1], 1],
    "SliceThickness": [None, 0, -3, 1e300],
    "Rows": [None, 0, 1, 65535],
    "Columns": [None, 3],
    "BitsStored": [None, 0, 7, 99],
    "HighBit": [0, 99],
    "RescaleSlope": [None, 0, -1, 1e300, 1e-300],
    "RescaleIntercept": [0.5, -1e300, 70000, -70000],
    "NumberOfFrames": [0, 2, 10**9],
    "SamplesPerPixel": [0, 3, 60000],
    "PhotometricInterpretation": [None, "PALETTE COLOR", "NONSENSE"],
    "PixelData": [b"", b"\0", bytes(10_000)],
    "PerFrameFunctionalGroupsSequence": [[], [{}], [{"PlanePositionSequence": []}, {"PlanePositionSequence": [{}]}]],
    "SharedFunctionalGroupsSequence": [[], [{}], [{"PixelMeasuresSequence": [{"PixelSpacing": [2, 2]}]}]],
    "GridFrameOffsetVector": [0, [0, 1], [5, 6, 7]],
    "InstanceNumber": [None, -1, 10**9],
    "SeriesInstanceUID": [None],
    "DiffusionBValue": [float("nan"), 1e300],
    "ImageType": ["MOSAIC", ["ORIGINAL", "PRIMARY", "MOSAIC"]],
}
ANYTHING = {
    "unplaced": "drop",
    "orientation": "largest",
    "duplicates": "first",
    "incomplete": "fill",
    "gaps": "keep",
    "jitter": "keep",
    "tilt": "keep",
}
lies = st.sampled_from([(keyword, value) for keyword, values in LIES.items() for value in values])


def lying(ds: dk.DataSet, keyword: str, value: Any) -> dk.DataSet:
    try:
        return ds.drop(keyword) if value is None else ds.assign({keyword: value})
    except DicomError:
        return ds  # the data set itself refuses


@given(st.lists(st.tuples(st.integers(0, 4), lies), min_size=1, max_size=4), st.booleans())
@settings(max_examples=150)
def test_a_volume_or_a_dicom_error(changes: list[tuple[int, tuple[str, Any]]], everywhere: bool) -> None:
    images = made_series(ramp(5, 4, 4), along_z([0, 2, 4, 6, 8]), SliceThickness=2)
    for k, (keyword, value) in changes:
        images = [lying(ds, keyword, value) if everywhere or n == k else ds for n, ds in enumerate(images)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explain_geometry(images)
        for options in ({}, ANYTHING):
            try:
                volume = to_volume(images, **options)
            except DicomError:
                continue
            else:
                assert volume.dims[-3:] == ("slice", "row", "column") or volume.dims[-1] == "sample"
                assert np.isfinite(volume["slice"]).all()


OTHER_TYPES = (
    ("OB", b"abc"),
    ("LO", ("a", "b")),
    ("FD", float("nan")),
    ("AT", dk.Tag(0x00100010)),
    ("SQ", (dk.DataSet(),)),
)


@pytest.mark.parametrize("tag", sorted(wanted_tags()), ids=str)
def test_an_element_of_another_type(tag: int) -> None:
    nuclear = {
        "ImageType": ["DERIVED", "PRIMARY", "RECON TOMO"],
        "NumberOfFrames": 1,
        "SpacingBetweenSlices": 2,
        "DetectorInformationSequence": [{"ImagePositionPatient": [0, 0, 0]}],
    }
    series = [*made_series(ramp(2, 2, 2), along_z([0, 2])), *made_series(ramp(2, 2, 2), along_z([0, 2]))]
    for vr, value in OTHER_TYPES:
        element = dk.Element(dk.Tag(tag), vr, value)
        for images in (series, [series[0].assign(nuclear)]):
            for verb in (to_volume, explain_geometry, dk.to_suv):
                with suppress(DicomError):
                    verb(
                        [ds.assign([element]) for ds in images],
                        **({} if verb is explain_geometry else {"duplicates": "first"}),
                    )


@needs_data
def test_every_real_file_is_a_volume_or_says_why() -> None:
    made = 0
    for path in all_dicom_files():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            volumes = to_volumes([path]) if _readable(path) else {}
        made += len(volumes)
    assert made > 150


def _readable(path: Any) -> bool:
    try:
        dk.read(path)
    except DicomError:
        return False
    return True


def test_a_volume_too_large_for_memory_says_so() -> None:
    image = made_series(ramp(1, 2, 2), along_z([0]), SliceThickness=1)[0]
    with pytest.raises(DicomError):
        to_volume(image.assign(Rows=65535, Columns=65535))
