"""Images made from arrays: values come back, attributes agree, dciodvfy finds nothing, peers read the same."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from realdata import needs_data, peer, real_file

import dicomkit as dk
from dicomkit.errors import ValueFormatError
from dicomkit.files.write import write_file
from dicomkit.objects.image import make_image
from dicomkit.pixels.modality import modality_of

RNG = np.random.default_rng(3)
BYTES = RNG.integers(0, 256, (20, 25)).astype(np.uint8)
WORDS = RNG.integers(-1000, 3000, (20, 25)).astype(np.int16)
RGB = RNG.integers(0, 256, (21, 25, 3)).astype(np.uint8)

CAPTURES = {
    "byte": (BYTES, "Secondary Capture Image Storage"),
    "word": (WORDS, "Secondary Capture Image Storage"),
    "colour": (RGB, "Secondary Capture Image Storage"),
    "real": (WORDS / 7, "Secondary Capture Image Storage"),
    "bits": (BYTES > 99, "Multi-frame Single Bit Secondary Capture Image Storage"),
    "bit frames": (np.stack([BYTES[:3] > 99] * 3), "Multi-frame Single Bit Secondary Capture Image Storage"),
    "byte frames": (np.stack([BYTES] * 3), "Multi-frame Grayscale Byte Secondary Capture Image Storage"),
    "word frames": (np.stack([WORDS] * 3), "Multi-frame Grayscale Word Secondary Capture Image Storage"),
    "real frames": (np.stack([WORDS / 7] * 3), "Multi-frame Grayscale Word Secondary Capture Image Storage"),
    "colour frames": (np.stack([RGB] * 3), "Multi-frame True Color Secondary Capture Image Storage"),
}


def values_of(ds: dk.DataSet) -> np.ndarray[Any, Any]:
    stored = dk.frames(ds)
    stored = stored if "NumberOfFrames" in ds else stored[0]
    return stored if ds.SamplesPerPixel == 3 else modality_of(ds)(stored)


def faults(ds: dk.DataSet, path: Path) -> list[str]:
    write_file(ds, path)
    done = subprocess.run([peer("dciodvfy"), "-new", str(path)], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_keep_values_and_are_legal(name: str, tmp_path: Path) -> None:
    array, storage = CAPTURES[name]
    ds = make_image(array, frame_seconds=0.1 if name == "byte frames" else None, window=(100, 200))
    assert ds.SOPClassUID.name == storage
    back = values_of(ds)
    if array.dtype.kind == "f":
        assert np.abs(back - array).max() <= (array.max() - array.min()) / 65535 * 0.51
    else:
        np.testing.assert_array_equal(back.reshape(array.shape), array)
    illegal = faults(ds.drop("WindowCenter", "WindowWidth") if array.ndim > 2 else ds, tmp_path / "made.dcm")
    assert illegal == []
    pydicom = pytest.importorskip("pydicom")
    theirs = pydicom.dcmread(tmp_path / "made.dcm").pixel_array
    np.testing.assert_array_equal(np.squeeze(dk.frames(dk.read(tmp_path / "made.dcm"))), np.squeeze(theirs))


SOURCES = {
    "ct": lambda: dk.samples.ct_series(slices=1, size=32)[0],
    "mr": lambda: dk.samples.mr_series(slices=1, size=32)[0],
    "pet": lambda: dk.samples.pet_series(slices=1, size=32)[0],
    "dx": lambda: dk.samples.xray(size=48),
}


@pytest.mark.parametrize("name", SOURCES)
def test_derived_images_are_legal_and_refer_to_their_source(name: str, tmp_path: Path) -> None:
    source = SOURCES[name]()
    values = modality_of(source)(dk.frame(source))
    changed = values[::-1] if name == "dx" else values * 1.25 + 0.125
    ds = make_image(changed, like=source, derivation="changed")
    assert np.abs(values_of(ds) - changed).max() <= max(np.ptp(changed) / 65535, 1e-6)
    assert faults(ds, tmp_path / "derived.dcm") == []
    for keyword in ("SOPClassUID", "StudyInstanceUID", "PatientID", "FrameOfReferenceUID", "ImagePositionPatient"):
        assert ds.get(keyword) == source.get(keyword)
    assert ds.SOPInstanceUID != source.SOPInstanceUID
    assert ds.SeriesInstanceUID != source.SeriesInstanceUID
    assert ds.SeriesInstanceUID == make_image(changed, like=source, derivation="changed").SeriesInstanceUID
    assert ds.SeriesInstanceUID != make_image(changed, like=source, derivation="other").SeriesInstanceUID
    assert ds["SourceImageSequence", 0, "ReferencedSOPInstanceUID"] == source.SOPInstanceUID
    assert ds.ImageType[0] == "DERIVED"
    assert ds.DerivationDescription == "changed"


def test_integers_keep_the_rescale_of_the_source() -> None:
    source = SOURCES["ct"]()
    values = modality_of(source)(dk.frame(source))
    ds = make_image(values, like=source)
    assert (ds.RescaleSlope, ds.RescaleIntercept) == (source.RescaleSlope, source.RescaleIntercept)
    np.testing.assert_array_equal(values_of(ds), values)
    np.testing.assert_array_equal(dk.render(ds), dk.render(source))


@pytest.mark.parametrize("shift", [-3.5, 0.25, 1e6])
def test_pet_has_no_intercept(shift: float, tmp_path: Path) -> None:
    source = SOURCES["pet"]()
    values = modality_of(source)(dk.frame(source)) + shift
    for changed in (values, np.rint(values).astype(np.int32)):
        ds = make_image(changed, like=source)
        assert ds.RescaleIntercept == 0
        assert np.abs(values_of(ds) - changed).max() <= np.abs(changed).max() / 32767
        assert faults(ds, tmp_path / "derived.dcm") == []


def test_monochrome1_stays_so() -> None:
    source = SOURCES["dx"]()
    np.testing.assert_array_equal(dk.render(make_image(dk.frame(source), like=source)), dk.render(source))
    with pytest.raises(ValueFormatError, match="integers"):
        make_image(dk.frame(source) / 3, like=source)


def test_another_shape_is_a_capture_in_the_study(tmp_path: Path) -> None:
    source = SOURCES["ct"]()
    ds = make_image(RGB, like=source)
    assert ds.SOPClassUID.name == "Secondary Capture Image Storage"
    assert (ds.StudyInstanceUID, ds.PatientName) == (source.StudyInstanceUID, source.PatientName)
    assert "ImagePositionPatient" not in ds
    assert "SourceImageSequence" not in ds
    assert make_image(RGB, like=source, sources=[source]).SourceImageSequence[0].ReferencedSOPClassUID
    assert faults(ds, tmp_path / "capture.dcm") == []


@needs_data
def test_what_was_lossy_stays_known() -> None:
    source = dk.read(real_file("01_pydicom_core/JPEG-lossy.dcm")).drop("LossyImageCompression")
    ds = make_image(dk.frame(source), like=source, derivation="copied")
    assert ds.LossyImageCompression == "01"
    assert ds.transfer_syntax.name != source.transfer_syntax.name


@given(
    hnp.arrays(st.sampled_from([np.uint8, np.int16, np.uint16, np.int32]), hnp.array_shapes(min_dims=2, max_dims=2)),
    st.booleans(),
)
@example(np.array([[1527810209]], np.int32), False)
@example(np.array([[-2147483648, 2147483647]], np.int32), True)
@example(np.array([[-501172868, -501172898]], np.int32), True)
@example(np.array([[0, 0, 0]], np.uint8), True)
def test_integers_come_back(array: np.ndarray[Any, Any], frames: bool) -> None:
    ds = make_image(np.stack([array, array]) if frames else array)
    stored = (dk.frames(ds) if "NumberOfFrames" in ds else dk.frame(ds)).astype(float)
    stored = stored[1] if frames else stored
    spread = int(array.max()) - int(array.min())
    fits = spread <= 65535
    back = stored * ds.get("RescaleSlope", 1) + ds.get("RescaleIntercept", 0)
    assert np.abs(back - array).max() <= (0 if fits else spread / 65535)
    if fits:
        np.testing.assert_array_equal(values_of(ds)[1] if frames else values_of(ds), array)
    assert ds.BitsStored == ds.HighBit + 1 <= ds.BitsAllocated
    assert len(ds.PixelData) % 2 == 0


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(3), np.zeros((2, 0)), np.array([[np.nan]]), np.zeros((2, 2), complex), np.zeros((1, 2, 3, 4))],
)
def test_what_is_no_image(wrong: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ValueFormatError):
        make_image(wrong)


def each_frame(ds: dk.DataSet) -> np.ndarray[Any, Any]:
    return np.stack([modality_of(ds, frame)(dk.frame(ds, frame)) for frame in range(ds.get("NumberOfFrames", 1))])


@pytest.mark.parametrize("encoded", [None, "JPEG2000Lossless", "RLELossless"])
@pytest.mark.parametrize("real", [False, True])
def test_derived_from_an_enhanced_image(encoded: str | None, real: bool, tmp_path: Path) -> None:
    source = dk.samples.enhanced_ct(frames=3, size=32)
    if encoded:
        source = dk.transcode(source, encoded)
    values = each_frame(source)
    changed = values * 0.37 + 0.1 if real else values + 1
    ds = make_image(changed, like=source, derivation="changed", window=(10, 20))
    assert np.abs(each_frame(ds) - changed).max() <= (np.ptp(changed) / 65535 if real else 0)
    assert faults(ds, tmp_path / "derived.dcm") == []
    assert "RescaleSlope" not in ds
    shared = ds["SharedFunctionalGroupsSequence", 0]
    assert shared["PixelValueTransformationSequence", 0, "RescaleType"] == "HU"
    assert shared["CTImageFrameTypeSequence", 0, "FrameType"][0] == ds.ImageType[0] == "DERIVED"
    assert (shared["FrameVOILUTSequence", 0, "WindowCenter"], "WindowCenter" in ds) == (10, False)
    for frame, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        assert group.PlanePositionSequence == source["PerFrameFunctionalGroupsSequence", frame].PlanePositionSequence
        derivation = group["DerivationImageSequence", 0]
        assert derivation.DerivationDescription == "changed"
        assert derivation["SourceImageSequence", 0, "ReferencedFrameNumber"] == frame + 1
        assert derivation["SourceImageSequence", 0, "ReferencedSOPInstanceUID"] == source.SOPInstanceUID
    evidence = ds["SourceImageEvidenceSequence", 0, "ReferencedSeriesSequence", 0]
    assert evidence["ReferencedSOPSequence", 0, "ReferencedSOPInstanceUID"] == source.SOPInstanceUID
    again = make_image(changed, like=ds, derivation="again")
    steps = again["PerFrameFunctionalGroupsSequence", 2, "DerivationImageSequence"]
    assert [step.DerivationDescription for step in steps] == ["changed", "again"]
    assert len(again.SourceImageEvidenceSequence) == 2


def test_rescale_of_each_frame_becomes_one() -> None:
    source = dk.samples.enhanced_ct(frames=2, size=16)
    shared = source["SharedFunctionalGroupsSequence", 0].drop("PixelValueTransformationSequence")
    groups = [
        group.assign(
            PixelValueTransformationSequence=[
                {"RescaleSlope": 2.0 + frame, "RescaleIntercept": 0.5, "RescaleType": "HU"}
            ]
        )
        for frame, group in enumerate(source.PerFrameFunctionalGroupsSequence)
    ]
    source = source.assign(SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=groups)
    values = each_frame(source)
    ds = make_image(values, like=source)
    assert np.abs(each_frame(ds) - values).max() <= np.ptp(values) / 65535
    assert "PixelValueTransformationSequence" not in ds["PerFrameFunctionalGroupsSequence", 0]


def test_losses_of_an_enhanced_source_stay_known() -> None:
    source = dk.samples.enhanced_ct(frames=2, size=32)
    lossy = dk.transcode(source, "JPEGLSNearLossless", near=2)
    assert lossy["SharedFunctionalGroupsSequence", 0, "CTImageFrameTypeSequence", 0, "FrameType"][0] == "DERIVED"
    twice = dk.transcode(make_image(each_frame(lossy), like=lossy), "JPEG2000", quality=50)
    assert twice.LossyImageCompression == "01"
    assert twice.LossyImageCompressionMethod == ("ISO_14495_1", "ISO_15444_1")
    assert len(twice.LossyImageCompressionRatio) == 2
    assert len(lossy.SourceImageEvidenceSequence) == 1
    steps = twice["PerFrameFunctionalGroupsSequence", 1, "DerivationImageSequence"]
    assert [step["DerivationCodeSequence", 0, "CodeMeaning"] for step in steps] == [
        "Image Processing",
        "Lossy Compression",
    ]
    assert steps[1]["SourceImageSequence", 0, "ReferencedFrameNumber"] == 2


def test_values_that_a_radiograph_can_not_hold_go_into_a_capture(tmp_path: Path) -> None:
    source = SOURCES["dx"]()
    with pytest.raises(ValueFormatError, match="capture=True"):
        make_image(dk.frame(source) / 3, like=source)
    ds = make_image(dk.frame(source) / 3, like=source, capture=True, sources=[source])
    assert ds.SOPClassUID.name == "Secondary Capture Image Storage"
    assert (ds.StudyInstanceUID, ds.PatientID) == (source.StudyInstanceUID, source.PatientID)
    assert np.abs(values_of(ds) - dk.frame(source) / 3).max() < 0.02
    assert faults(ds, tmp_path / "capture.dcm") == []
