"""What is burned in is blanked, and pixels that nobody names stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from realdata import real_file

import dicomkit as dk
from dicomkit.deidentification import Blank, DetectedText, OutsideUltrasoundRegions, Redaction, certify
from dicomkit.deidentification.deidentify import applied
from dicomkit.deidentification.pseudonyms import Pseudonyms
from dicomkit.deidentification.rules import Rules
from dicomkit.deidentification.streams import without_comments
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import PixelError, UnsupportedError, ValueFormatError
from dicomkit.values.fragments import Fragments

KEY = "the secret of a trial"


def image(pixels: NDArray[Any], **more: Any) -> dk.DataSet:
    frames = pixels.shape[0]
    rows, columns = pixels.shape[1:3]
    samples = pixels.shape[3] if pixels.ndim == 4 else 1
    allocated = 8 * pixels.dtype.itemsize
    base = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID="1.2.3",
        Modality="US",
        SamplesPerPixel=samples,
        PhotometricInterpretation="MONOCHROME2" if samples == 1 else "RGB",
        NumberOfFrames=frames,
        Rows=rows,
        Columns=columns,
        BitsAllocated=allocated,
        BitsStored=allocated,
        HighBit=allocated - 1,
        PixelRepresentation=int(pixels.dtype.kind == "i"),
        PixelData=pixels.tobytes(),
        SmallestImagePixelValue=1,
    )
    if samples > 1:
        base = base.assign(PlanarConfiguration=0)
    return base.assign(more)


def blanked(ds: dk.DataSet, *rules: Redaction) -> dk.DataSet:
    return dk.deidentify(ds, dk.BASIC_PROFILE.with_options(clean_pixel_data=rules), key=KEY)


ONES = np.ones((2, 6, 8), np.uint8)


def test_rectangles_are_blanked_in_every_frame() -> None:
    clean = blanked(image(ONES), Blank([(0, 0, 2, 8), (-1, -3, 99, 99)]))
    frames = dk.frames(clean)
    assert (frames[:, :2] == 0).all()
    assert (frames[:, -1, -3:] == 0).all()
    assert frames[:, 2:-1].all()
    assert frames[:, -1, :-3].all()
    assert clean.BurnedInAnnotation == "NO"
    assert "SmallestImagePixelValue" not in clean
    assert "113101" in [item.CodeValue for item in clean.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize(
    ("pixels", "photometric", "black"),
    [
        (np.full((1, 4, 4), 7, np.uint16), "MONOCHROME1", 7),
        (np.full((1, 4, 4), -7, np.int16), "MONOCHROME2", -7),
        (np.full((1, 4, 4, 3), 7, np.uint8), "RGB", (0, 0, 0)),
        (np.full((1, 4, 4, 3), 7, np.uint8), "YBR_FULL", (0, 128, 128)),
    ],
)
def test_black_is_black_in_every_photometric_interpretation(
    pixels: NDArray[Any], photometric: str, black: object
) -> None:
    pixels = pixels.copy()
    pixels[:, 3, 3] = 6 if pixels.dtype.kind == "u" else -6
    clean = blanked(image(pixels, PhotometricInterpretation=photometric), Blank([(0, 0, 2, 2)]))
    assert (dk.frame(clean)[:2, :2] == black).all()
    assert (dk.frame(clean)[3, 3] == pixels[0, 3, 3]).all()


def test_all_but_ultrasound_regions() -> None:
    region = {
        "RegionLocationMinX0": 2,
        "RegionLocationMinY0": 1,
        "RegionLocationMaxX1": 4,
        "RegionLocationMaxY1": 3,
    }
    ds = image(ONES, SequenceOfUltrasoundRegions=[region], BurnedInAnnotation="YES")
    clean = dk.deidentify(ds, dk.BASIC_PROFILE.with_options("clean_pixel_data"), key=KEY)
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:5] = True
    assert (dk.frames(clean).astype(bool) == expected).all()
    wider = blanked(ds, OutsideUltrasoundRegions(margin=1))
    assert dk.frame(wider).sum() == 5 * 5


def bright(frame: NDArray[Any]) -> list[tuple[int, int, int, int]]:
    rows, columns = np.nonzero(frame > 200)
    return [(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)] if len(rows) else []


def test_detected_text_is_blanked_where_it_stands() -> None:
    pixels = ONES.copy()
    pixels[1, 2:4, 3:5] = 255
    clean = blanked(image(pixels), DetectedText(bright))
    assert dk.frame(clean, 0).all()
    assert (dk.frame(clean, 1)[2:4, 3:5] == 0).all()
    assert dk.frame(clean, 1).sum() == 48 - 4
    with pytest.raises(ValueFormatError, match="text detection"):
        blanked(image(pixels), DetectedText(lambda frame: [(1, 2)]))


def test_where_nothing_tells_what_to_blank_it_is_an_error() -> None:
    profile = dk.BASIC_PROFILE.with_options("clean_pixel_data")
    with pytest.raises(PixelError, match="nothing tells where"):
        dk.deidentify(image(ONES), profile, key=KEY)
    with pytest.raises(PixelError, match="nothing tells where"):
        dk.deidentify(image(ONES, Modality="CT", BurnedInAnnotation="YES"), profile, key=KEY)
    with pytest.raises(PixelError, match="nothing tells where"):
        blanked(image(ONES), Blank([(0, 0, 1, 1)], modality="MR"))
    for ds in (image(ONES, Modality="CT"), image(ONES, BurnedInAnnotation="NO")):
        clean = dk.deidentify(ds, profile, key=KEY)
        assert clean.BurnedInAnnotation == "NO"
        assert bytes(clean.PixelData) == ONES.tobytes()
    report = dk.deidentify(dk.DataSet(Modality="SR"), profile, key=KEY)
    assert "BurnedInAnnotation" not in report


def test_rules_for_some_devices_only() -> None:
    rules = (Blank([(0, 0, 1, 8)], model="X"), Blank([(5, 0, 6, 8)], model="Y"))
    clean = blanked(image(ONES, ManufacturerModelName="Y"), *rules)
    assert dk.frame(clean)[0].all()
    assert not dk.frame(clean)[5].any()
    with pytest.raises(ValueFormatError):
        Blank([(1, 2, 3)])  # type: ignore[list-item]


def half(frame: NDArray[Any], ds: dk.DataSet) -> NDArray[Any]:
    assert ds.Modality == "US"
    return frame // 2


def test_recognizable_features_are_changed_by_a_function() -> None:
    profile = dk.BASIC_PROFILE.with_options(clean_recognizable_visual_features=half)
    clean = dk.deidentify(image(4 * ONES), profile, key=KEY)
    assert (dk.frames(clean) == 2).all()
    assert clean.RecognizableVisualFeatures == "NO"
    assert "BurnedInAnnotation" not in clean
    for wrong in (lambda frame, ds: frame[:2], lambda frame, ds: 1 / 0):
        with pytest.raises(PixelError):
            dk.deidentify(image(ONES), dk.BASIC_PROFILE.with_options(clean_recognizable_visual_features=wrong), key=KEY)


def test_overlays_in_unused_bits_are_gone() -> None:
    stored = np.arange(16, dtype=np.uint16).reshape(1, 4, 4)
    ds = image(stored | 0x8000, BitsStored=12, HighBit=11).assign(
        [
            dk.Element.of(0x60000010, 4, "US"),
            dk.Element.of(0x60000011, 4, "US"),
            dk.Element.of(0x60000040, "G", "CS"),
            dk.Element.of(0x60000050, (1, 1), "SS"),
            dk.Element.of(0x60000100, 16, "US"),
            dk.Element.of(0x60000102, 15, "US"),
        ]
    )
    clean = dk.deidentify(ds, key=KEY)
    assert not [tag for tag in clean if tag >> 24 == 0x60]
    assert (np.frombuffer(bytes(clean.PixelData), "<u2").reshape(4, 4) == stored[0]).all()


def test_single_bit_and_float_pixels() -> None:
    bits = np.packbits(np.ones(2 * 3 * 5, np.uint8), bitorder="little").tobytes()
    ds = image(np.ones((2, 3, 5), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=bits)
    clean = blanked(ds, Blank([(0, 0, 1, 5)]))
    assert dk.frames(clean).sum() == 2 * 10
    values = np.full((2, 2), 2.5, "<f4")
    ds = image(np.ones((1, 2, 2), np.uint8), BitsAllocated=32, FloatPixelData=values.tobytes()).drop("PixelData")
    clean = blanked(ds, Blank([(0, 0, 1, 1)]))
    assert dk.frame(clean).dtype == np.float32


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"])
def test_every_native_syntax(syntax: str) -> None:
    pixels = np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8) + 1
    ds = image(pixels, PatientName="Doe^Jane")
    source = dk.read(to_part10(ds, syntax))
    plain = dk.deidentify(source, key=KEY)
    assert plain.transfer_syntax.uid == source.transfer_syntax.uid
    assert (dk.frames(plain) == pixels).all()
    clean = blanked(source, Blank([(0, 0, 1, 8)]))
    assert (dk.frames(clean)[:, 1:] == pixels[:, 1:]).all()
    assert not dk.frames(clean)[:, 0].any()


def test_real_ultrasound_is_blank_outside_of_its_region() -> None:
    path = real_file("22_deidentification/ultrasounds/GREYSCALE_IMAGE.dcm")
    ds = dk.read(path)
    clean = dk.deidentify(ds, dk.BASIC_PROFILE.with_options("clean_pixel_data"), key=KEY)
    before, after = dk.frame(ds), dk.frame(clean)
    assert before[:38].any()
    assert not after[:38].any()
    assert (after[38:759, 14:1011] == before[38:759, 14:1011]).all()
    assert after.sum() == before[38:759, 14:1011].sum()
    assert certify(clean, ds, key=KEY).empty


def test_real_jpeg_loses_nothing_more_where_blanked() -> None:
    pydicom = pytest.importorskip("pydicom")
    from io import BytesIO

    ds = dk.read(real_file("22_deidentification/dicom-cookies/image1.dcm"))
    clean = blanked(ds, Blank([(0, 0, 100, 2048)]))
    assert clean.transfer_syntax.uid == "1.2.840.10008.1.2.4.70"
    assert clean.PhotometricInterpretation == "YBR_FULL"
    assert clean.LossyImageCompression == "01"
    assert (dk.frame(clean)[100:] == dk.frame(ds)[100:]).all()
    assert (dk.frame(clean)[:100] == (0, 128, 128)).all()
    by_pydicom = pydicom.dcmread(BytesIO(to_part10(clean)))
    pytest.importorskip("pylibjpeg")
    assert (pydicom.pixels.pixel_array(by_pydicom, raw=True) == dk.frame(clean)).all()


_LOSSLESS = ["RLELossless", "JPEGLosslessSV1", "JPEGLossless", "JPEG2000Lossless", "JPEGLSLossless"]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("syntax", _LOSSLESS)
def test_what_was_compressed_without_loss_is_so_again(syntax: str, samples: int) -> None:
    pytest.importorskip("imagecodecs")
    shape = (3, 16, 24) if samples == 1 else (3, 16, 24, 3)
    pixels = np.random.default_rng(1).integers(1, 255, shape).astype(np.uint8)
    source = dk.transcode(image(pixels, PatientName="Doe^Jane"), syntax)
    clean = blanked(source, Blank([(0, 0, 4, 24)]))
    assert clean.transfer_syntax.uid == source.transfer_syntax.uid
    assert (dk.frames(clean)[:, 4:] == pixels[:, 4:]).all()
    assert not dk.frames(clean)[:, :4].any()
    assert "LossyImageCompression" not in clean
    again = dk.read(to_part10(clean))
    assert (dk.frames(again) == dk.frames(clean)).all()
    assert certify(clean, source, key=KEY).empty


@pytest.mark.parametrize(
    ("syntax", "without_loss"),
    [
        ("JPEGBaseline8Bit", "1.2.840.10008.1.2.4.70"),
        ("JPEGLSNearLossless", "1.2.840.10008.1.2.4.80"),
        ("JPEG2000", "1.2.840.10008.1.2.4.90"),
    ],
)
def test_what_had_lost_something_loses_no_more(syntax: str, without_loss: str, tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")
    pixels = np.random.default_rng(1).integers(1, 255, (2, 16, 24)).astype(np.uint8)
    source = dk.transcode(image(pixels), syntax, lossy=True)
    (tmp_path / "in").mkdir()
    dk.write(source, tmp_path / "in" / "a.dcm")
    profile = dk.BASIC_PROFILE.with_options(clean_pixel_data=(Blank([(0, 0, 4, 24)]),))
    table = dk.deidentify_folder(tmp_path / "in", tmp_path / "out", profile, key=KEY)
    assert "without further loss" in table["notes"][0]
    clean = dk.read(tmp_path / "out" / table["output"][0])
    assert clean.transfer_syntax.uid == without_loss
    assert clean.LossyImageCompression == "01"
    assert (dk.frames(clean)[:, 4:] == dk.frames(source)[:, 4:]).all()


def test_what_cannot_be_compressed_is_native_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_encoder(*_: object, **__: object) -> None:
        raise UnsupportedError("frames can't be encoded")

    source = dk.transcode(image(ONES), "RLELossless")
    monkeypatch.setattr("dicomkit.deidentification.pixels.transcode", no_encoder)
    profile = dk.BASIC_PROFILE.with_options(clean_pixel_data=(Blank([(0, 0, 1, 8)]),))
    made = applied(source, Rules.of(profile), Pseudonyms.of(KEY))
    assert made.transfer_syntax.uid == "1.2.840.10008.1.2.1"
    assert made.notes == ("the cleaned pixels are not compressed: frames can't be encoded",)


def commented(stream: bytes) -> bytes:
    segment = b"patient Szymborski"
    exif = b"Exif\0\0 taken by Szymborski"
    return b"".join(
        (
            stream[:2],
            b"\xff\xfe" + (len(segment) + 2).to_bytes(2, "big") + segment,
            b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif,
            stream[2:],
        )
    )


def test_comments_of_jpeg_streams_are_removed() -> None:
    ds = dk.read(real_file("22_deidentification/humans/ctbrain1.dcm"))
    stream = bytes(ds.PixelData.parts[0])
    parts = [commented(stream), stream, commented(stream)]
    table = b"".join(offset.to_bytes(4, "little") for offset in Fragments.of(parts).item_offsets)
    for offsets in (b"", table):
        made = dk.Element(dk.Tag.of("PixelData"), "OB", Fragments.of(parts, offsets))
        hidden = ds.assign([made]).assign(NumberOfFrames=3, PatientName="Szymborski^J")
        assert certify(hidden, hidden)["path"].eq("PixelData").any()
        clean = dk.deidentify(hidden, key=KEY)
        assert certify(clean, hidden, key=KEY).empty
        assert [bytes(part) for part in clean.PixelData.parts] == [stream] * 3
        assert (dk.frame(clean, 2) == dk.frame(ds)).all()
    assert without_comments(ds) is ds


def test_sweeping_never_touches_numbers() -> None:
    pixels = np.frombuffer(b"Doe " * 12, np.uint8).reshape(1, 6, 8)
    table = np.frombuffer(b"Doe " * 128, "<u2").tobytes()
    ds = image(pixels, PatientName="Doe^Jane", Manufacturer="for Jane Doe").assign(
        [
            dk.Element.of("RedPaletteColorLookupTableData", table, "OW"),
            dk.Element.of("ICCProfile", bytes(range(256)) + b"Doe\0", "OB"),
        ]
    )
    clean = dk.deidentify(ds, key=KEY)
    assert clean.Manufacturer == "for"
    assert bytes(clean.PixelData) == pixels.tobytes()
    assert clean.RedPaletteColorLookupTableData == table
    assert clean.ICCProfile.endswith(b"Doe\0")
