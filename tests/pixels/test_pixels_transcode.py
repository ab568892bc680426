"""From any transfer syntax to any other: pixels, attributes, history, files, memory, and what is refused."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import all_dicom_files, needs_data, peer

import dicomkit as dk
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.encoding.encapsulation import encapsulate
from dicomkit.errors import PixelError, UnsupportedError, ValueFormatError
from dicomkit.pixels.codecs.jpeg_markers import read_markers
from dicomkit.pixels.description import describe
from dicomkit.pixels.frames import frame, frames, reader
from dicomkit.pixels.offsets import frame_span
from dicomkit.pixels.stored_frames import encoded_frame
from dicomkit.pixels.transcode import transcode, transcode_report
from dicomkit.values.fragments import Fragments

pytest.importorskip("imagecodecs")

PREFIX = "1.2.840.10008.1.2.4."
NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
LOSSLESS = (
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.8.1",
    "1.2.840.10008.1.2.1.98",
    *(f"{PREFIX}{part}" for part in (57, 70, 80, 90, 201, 202, 110)),
)
EITHER = tuple(f"{PREFIX}{part}" for part in (81, 91, 203, 112))


def image(bits: int = 12, samples: int = 1, count: int = 3, *, signed: bool = False, size: tuple[int, int] = (19, 27)):
    rng = np.random.default_rng(bits)
    shape = (count, *size, samples) if samples > 1 else (count, *size)
    low = -(1 << (bits - 1)) if signed else 0
    pixels = rng.integers(low, low + (1 << bits), shape)
    allocated = 1 if bits == 1 else 8 if bits <= 8 else 16
    pixels = pixels.astype(f"{'i' if signed else 'u'}{max(1, allocated // 8)}")
    data = np.packbits(pixels, bitorder="little").tobytes() if bits == 1 else pixels.tobytes()
    ds = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3",
        SOPInstanceUID="2.25.7",
        ImageType=("ORIGINAL", "PRIMARY"),
        Modality="CT",
        PatientName="DOE^JANE",
        Rows=size[0],
        Columns=size[1],
        NumberOfFrames=count,
        SamplesPerPixel=samples,
        PhotometricInterpretation="RGB" if samples == 3 else "MONOCHROME2",
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(signed),
        PixelData=data + bytes(len(data) % 2),
    )
    return (ds.assign(PlanarConfiguration=0) if samples > 1 else ds), pixels


@pytest.mark.parametrize(("first", "second"), list(itertools.product((*NATIVE, *LOSSLESS), repeat=2)))
def test_any_to_any_without_loss(first: str, second: str) -> None:
    ds, pixels = image()
    one = transcode(ds, first)
    two = transcode(one, second, workers=2)
    assert two.transfer_syntax.uid == second
    np.testing.assert_array_equal(frames(two), pixels)
    assert (two.SOPInstanceUID, two.PatientName, two.get("LossyImageCompression")) == ("2.25.7", "DOE^JANE", None)
    back = transcode(two, NATIVE[1])
    assert bytes(back.PixelData)[: pixels.nbytes] == pixels.tobytes()
    assert {k: back[k] for k in ("BitsAllocated", "BitsStored", "HighBit")} == {
        "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11
    }  # fmt: skip
    file = io.BytesIO()
    dk.write(two, file)
    np.testing.assert_array_equal(frames(file.getvalue()), pixels)


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize(
    ("bits", "samples", "signed"), [(8, 1, False), (8, 3, False), (10, 1, True), (16, 1, True), (16, 3, False)]
)
def test_kinds_of_pixels(syntax: str, bits: int, samples: int, signed: bool) -> None:
    ds, pixels = image(bits, samples, signed=signed)
    packed = transcode(ds, syntax)
    np.testing.assert_array_equal(frames(packed), pixels)
    expected = "YBR_RCT" if samples == 3 and syntax[-3:] in (".90", "201", "202") else ds.PhotometricInterpretation
    assert packed.PhotometricInterpretation == expected
    native = transcode(packed, NATIVE[1])
    assert native.PhotometricInterpretation == ds.PhotometricInterpretation
    np.testing.assert_array_equal(frames(native), pixels)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_signed_values_in_streams_that_say_otherwise(syntax: str) -> None:
    """As some writers do: an unsigned codestream of 14 bits where the data set says signed, of 16 or of 12 bits."""
    ds, pixels = image(14, count=1, signed=True)
    packed = transcode(ds, f"{PREFIX}90")
    wider = packed.assign(BitsStored=16, HighBit=15)
    np.testing.assert_array_equal(frames(wider), pixels)
    np.testing.assert_array_equal(frames(transcode(wider, syntax)), pixels)
    narrower = packed.assign(BitsStored=12, HighBit=11)
    before = frames(narrower)
    with suppress(PixelError):  # refused, or as it was
        np.testing.assert_array_equal(frames(transcode(narrower, syntax)), before)


@pytest.mark.parametrize("syntax", [NATIVE[1], *(uid for uid in LOSSLESS if uid[-3:] not in (".57", ".70", ".80"))])
def test_single_bits_that_do_not_end_on_bytes(syntax: str) -> None:
    ds, pixels = image(1)
    packed = transcode(ds, syntax)
    np.testing.assert_array_equal(frames(packed), pixels)
    assert packed.BitsAllocated == 1
    assert bytes(transcode(packed, NATIVE[1]).PixelData).rstrip(b"\0") == bytes(ds.PixelData).rstrip(b"\0")


@pytest.mark.parametrize("syntax", [f"{PREFIX}{part}" for part in (57, 70, 80)])
def test_single_bits_are_refused_where_they_cannot_be_held(syntax: str) -> None:
    with pytest.raises(PixelError, match="holds 2 to 16 bits"):
        transcode(image(1)[0], syntax)


@pytest.mark.parametrize("syntax", [f"{PREFIX}50", f"{PREFIX}51", f"{PREFIX}111"])
def test_loss_is_refused_unless_asked_for(syntax: str) -> None:
    ds, _ = image(8)
    with pytest.raises(PixelError, match=r"loses? something"):
        transcode(ds, syntax)


@pytest.mark.parametrize("syntax", EITHER)
def test_syntaxes_that_can_be_either_are_lossless_unless_asked(syntax: str) -> None:
    ds, pixels = image()
    packed = transcode(ds, syntax)
    np.testing.assert_array_equal(frames(packed), pixels)
    assert "LossyImageCompression" not in packed


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_loss_in_a_lossless_syntax_is_refused(syntax: str) -> None:
    with pytest.raises(PixelError, match="lossless"):
        transcode(image(8)[0], syntax, lossy=True)


LOSSY = {
    f"{PREFIX}50": ({"quality": 95}, 8, "ISO_10918_1", "YBR_FULL_422"),
    f"{PREFIX}51": ({"quality": 95}, 12, "ISO_10918_1", "YBR_FULL_422"),
    f"{PREFIX}81": ({"near": 3}, 8, "ISO_14495_1", "RGB"),
    f"{PREFIX}91": ({"quality": 50}, 12, "ISO_15444_1", "YBR_ICT"),
    f"{PREFIX}203": ({"quality": 50}, 12, "ISO_15444_15", "YBR_ICT"),
    f"{PREFIX}112": ({"quality": 95}, 8, "ISO_18181_1", "XYB"),
}


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy(syntax: str, samples: int) -> None:
    parameters, bits, method, photometric = LOSSY[syntax]
    ds, _ = image(bits, samples, size=(64, 80))
    y, x = np.mgrid[:64, :80]
    smooth = ((np.sin(x / 9) * np.cos(y / 11) + 1.2) * ((1 << bits) / 2.5)).astype(f"u{1 if bits == 8 else 2}")
    stack = np.stack([smooth, smooth.T.reshape(64, 80), smooth // 2])
    stack = stack if samples == 1 else np.stack([stack, stack // 2, stack], axis=3)
    ds = ds.assign(PixelData=stack.tobytes(), LossyImageCompressionRatio=4, LossyImageCompressionMethod="ISO_14495_1")
    report = transcode_report(ds, syntax, workers=2, ssim=True, **parameters)
    new = report.dataset
    if samples == 1:
        worst = np.abs(frames(new).astype(int) - stack).max()
        assert worst == report.max_error == report.error_map.max()
        assert worst <= (3 if syntax.endswith("81") else 0.06 * (1 << bits))
    assert report.error_map.shape == (64, 80)
    assert report.psnr > 35
    assert 0.85 < report.ssim <= 1
    assert new.PhotometricInterpretation == (photometric if samples == 3 else "MONOCHROME2")
    assert new.LossyImageCompression == "01"
    assert new.LossyImageCompressionMethod == ("ISO_14495_1", method)
    assert new.LossyImageCompressionRatio[0] == 4
    assert new.LossyImageCompressionRatio[1] == pytest.approx(report.ratio, rel=1e-4)
    assert new.SOPInstanceUID != ds.SOPInstanceUID
    assert new["SourceImageSequence", 0, "ReferencedSOPInstanceUID"] == ds.SOPInstanceUID
    assert new["DerivationCodeSequence", 0, "CodeValue"] == "113040"
    assert new.ImageType == ("DERIVED", "PRIMARY")
    assert "LossyImageCompression" in transcode(new, NATIVE[1])


@pytest.mark.parametrize("syntax", LOSSY)
def test_a_ratio_is_reached(syntax: str) -> None:
    bits = LOSSY[syntax][1]
    ds, pixels = image(bits, size=(64, 64), count=1)
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(pixels.dtype) + pixels[0] // 16
    ds = ds.assign(PixelData=smooth.tobytes())
    report = transcode_report(ds, syntax, ratio=6, new_uid="2.25.99")
    assert report.ratio >= 5.9
    assert report.dataset.SOPInstanceUID == "2.25.99"
    with pytest.raises(PixelError, match="can't be reached"):
        transcode(ds, syntax, ratio=100000)


def test_jpeg_and_jpeg_xl_bit_for_bit() -> None:
    ds, _ = image(8, 3)
    jpeg = transcode(ds, f"{PREFIX}50", quality=90)
    packed = transcode(jpeg, f"{PREFIX}111", workers=2)
    back = transcode(packed, f"{PREFIX}50")
    for number in range(3):
        stream = encoded_frame(jpeg, number)
        assert encoded_frame(back, number)[: read_markers(stream).end] == stream[: read_markers(stream).end]
        np.testing.assert_array_equal(frame(packed, number), frame(jpeg, number))
    assert packed.SOPInstanceUID == jpeg.SOPInstanceUID == back.SOPInstanceUID
    assert packed.PhotometricInterpretation == "YBR_FULL_422"
    direct = transcode(ds, f"{PREFIX}111", lossy=True)
    assert direct.LossyImageCompressionMethod == "ISO_10918_1"
    np.testing.assert_array_equal(frames(direct), frames(transcode(ds, f"{PREFIX}50", lossy=True)))


@pytest.mark.parametrize(
    ("bits", "signed", "syntax", "words"),
    [
        (16, False, "50", "holds 1 to 8 bits"),
        (16, False, "51", "holds 1 to 12 bits"),
        (12, True, "51", "no signed values"),
        (16, True, "81", "could wrap"),
        (16, True, "112", "signed"),
    ],
)
def test_what_a_syntax_cannot_hold(bits: int, signed: bool, syntax: str, words: str) -> None:
    ds, pixels = image(bits, signed=signed)
    pixels[0, 0, 0] = np.iinfo(pixels.dtype).max >> (16 - bits)
    with pytest.raises(PixelError, match=words):
        transcode(ds.assign(PixelData=pixels.tobytes()), f"{PREFIX}{syntax}", lossy=True)


def test_other_refusals() -> None:
    ds, _ = image(8)
    with pytest.raises(UnsupportedError, match="MPEG2"):
        transcode(ds, f"{PREFIX}100")
    with pytest.raises(PixelError, match="palette"):
        transcode(ds.assign(PhotometricInterpretation="PALETTE COLOR"), f"{PREFIX}50", lossy=True)
    with pytest.raises(PixelError, match="has no near"):
        transcode(ds, f"{PREFIX}91", near=2)
    with pytest.raises(PixelError, match="frame 0: a JPEG quality"):
        transcode(ds, f"{PREFIX}50", quality=101)
    floats = ds.drop("PixelData").assign(FloatPixelData=bytes(4 * 19 * 27 * 3), BitsAllocated=32)
    with pytest.raises(PixelError, match="can't be encapsulated"):
        transcode(floats, f"{PREFIX}90")
    assert transcode(floats, NATIVE[3]).transfer_syntax.big_endian


@pytest.mark.parametrize("part", [94, 95, 204, 205])
def test_pixels_behind_a_url_stay_there(part: int, tmp_path: Path) -> None:
    ds, _ = image(8)
    with pytest.raises(UnsupportedError, match="JPIP"):
        transcode(ds, f"{PREFIX}{part}")
    with pytest.raises(UnsupportedError, match="JPIP"):
        dk.write(ds, tmp_path / "image.dcm", transfer_syntax=f"{PREFIX}{part}")
    there = with_transfer_syntax(ds.drop("PixelData").assign(PixelDataProviderURL="https://x/1"), f"{PREFIX}{part}")
    dk.write(there, tmp_path / "image.dcm")
    assert dk.read(tmp_path / "image.dcm").PixelDataProviderURL == "https://x/1"
    assert transcode(there, f"{PREFIX}94").transfer_syntax.uid == f"{PREFIX}94"
    for refused in (frame, lambda ds: transcode(ds, "RLELossless"), lambda ds: transcode(ds, NATIVE[1])):
        with pytest.raises(UnsupportedError, match=r"Pixel Data Provider URL \(JPIP\)"):
            refused(there)
    with pytest.raises(UnsupportedError, match="JPIP"):
        dk.write(there, tmp_path / "other.dcm", transfer_syntax=NATIVE[1])


def test_a_lossless_transcode_that_does_not_come_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicomkit.pixels.codecs.registry import encoder

    ds, _ = image(8)
    real = encoder(f"{PREFIX}90")
    monkeypatch.setattr(
        "dicomkit.pixels.transcode.encoder", lambda uid: lambda frame, *rest, **told: real(frame ^ 1, *rest, **told)
    )
    with pytest.raises(PixelError, match=r"frame 0.*did not give back"):
        transcode(ds, f"{PREFIX}90")
    assert transcode(ds, f"{PREFIX}90", verify=False)


def test_nothing_to_do() -> None:
    ds, _ = image(8)
    assert transcode(ds, NATIVE[1]) is ds
    bare = dk.DataSet(Modality="SR", ContentSequence=[{"ValueType": "TEXT"}])
    implicit = transcode(bare, NATIVE[0])
    assert implicit == bare
    assert implicit.transfer_syntax.implicit_vr


def test_planar_and_subsampled_sources() -> None:
    ds, pixels = image(8, 3)
    planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).tobytes()
    planar = ds.assign(PlanarConfiguration=1, PixelData=planes + b"\0")
    packed = transcode(planar, f"{PREFIX}90")
    np.testing.assert_array_equal(frames(packed), pixels)
    assert packed.PlanarConfiguration == 0
    ybr = ds.assign(PhotometricInterpretation="YBR_FULL")
    for syntax in ("5", "4.80", "4.90", "4.201"):
        kept = transcode(ybr, f"1.2.840.10008.1.2.{syntax}")
        assert kept.PhotometricInterpretation == "YBR_FULL"
        np.testing.assert_array_equal(frames(kept), pixels)
    with pytest.raises(PixelError, match="can't hold YBR_FULL without loss"):
        transcode(ybr, f"{PREFIX}110")


def test_embedded_overlays_are_saved() -> None:
    ds, pixels = image(12, count=1)
    mask = (np.indices(pixels.shape[1:]).sum(0) % 5 == 0).astype(np.uint16)
    ds = ds.assign(PixelData=(pixels[0] | mask << 15).tobytes() + b"")
    ds = ds.assign({0x60000010: 19, 0x60000011: 27, 0x60000100: 16, 0x60000102: 15, 0x60000050: (1, 1)})
    from dicomkit.pixels.overlay import overlays

    packed = transcode(ds, "RLELossless")
    np.testing.assert_array_equal(overlays(packed)[0].mask, mask.astype(bool))
    np.testing.assert_array_equal(frame(packed), pixels[0])


@pytest.mark.parametrize(("size", "parts"), [(None, 3), (100, None), (2, None)])
def test_fragments_and_offset_tables(size: int | None, parts: int | None) -> None:
    data = [bytes([number]) * length for number, length in enumerate((101, 350, 7))]
    packed = encapsulate(data, fragment_size=size)
    assert parts is None or len(packed.fragments.parts) == parts
    for number, whole in enumerate(data):
        span = frame_span(packed.fragments, number, 3)
        assert b"".join(map(bytes, packed.fragments.parts[span.first : span.last])) == whole
    extended = encapsulate(data, table="extended")
    span = frame_span(
        extended.fragments, 1, 3, extended_offsets=extended.extended_offsets, extended_lengths=extended.extended_lengths
    )
    assert span == (1, 2, 350, ())
    for wrong in ({"fragment_size": 3}, {"table": "other"}, {"table": "extended", "fragment_size": 100}):
        with pytest.raises(ValueFormatError):
            encapsulate(data, **wrong)


def test_offsets_beyond_32_bits_get_an_extended_table() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return 3 << 30

    packed = encapsulate([Long(), Long(), Long()])
    assert packed.fragments.offset_table == b""
    assert np.frombuffer(packed.extended_offsets, "<u8").tolist() == [0, (3 << 30) + 8, (6 << 30) + 16]
    assert np.frombuffer(packed.extended_lengths, "<u8").tolist() == [3 << 30] * 3


def test_transcoding_streams() -> None:
    """In a process of its own, so that no thread of another test allocates meanwhile."""
    here = Path(__file__)
    script = f"import sys; sys.path[:0] = [{str(here.parent)!r}, {str(here.parents[1])!r}]; "
    command = [sys.executable, "-c", script + f"from {here.stem} import stream; stream()"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def held(ds: dk.DataSet, syntax: str, **how: Any) -> tuple[dk.DataSet, float]:
    """Transcode, and tell how many frames were in memory at the most, besides what came out."""
    description = describe(ds)
    transcode(ds.assign(NumberOfFrames=1), syntax, **how)
    tracemalloc.start()
    packed = transcode(ds, syntax, **how)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return packed, (peak - len(packed.PixelData)) / description.decoded_bytes


def stream() -> None:
    """Transcode many frames, and see how much of them is in memory at a time: below two for each worker."""
    kinds = ((12, 1, False), (12, 1, True), (16, 1, True), (8, 3, False))
    for (bits, samples, signed), syntax in itertools.product(kinds, LOSSLESS):
        ds, pixels = image(bits, samples, count=1, signed=signed, size=(256, 384))
        ds = ds.assign(NumberOfFrames=4, PixelData=pixels.tobytes() * 4)
        planes = samples == 3 and syntax == f"{PREFIX}90"  # OpenJPEG takes colour by plane, a copy
        for workers in (1, 2) if signed else (1,):
            frames_held = held(ds, syntax, workers=workers)[1]
            assert frames_held < (2.1 if planes else 2) * workers, (bits, samples, signed, syntax, workers, frames_held)
    for syntax, (how, bits, *_) in LOSSY.items():
        ds, pixels = image(bits, count=1, size=(256, 384))
        ds = ds.assign(NumberOfFrames=3, PixelData=pixels.tobytes() * 3)
        assert held(ds, syntax, **how)[1] < 2, syntax
    count = 400
    ds, pixels = image(12, count=1, size=(256, 384))
    packed, frames_held = held(ds.assign(NumberOfFrames=count, PixelData=pixels.tobytes() * count), "RLELossless")
    assert frames_held < 2
    native, frames_held = held(packed, NATIVE[1])
    assert frames_held < 2
    assert len(native.PixelData) == count * pixels.nbytes


@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS])
def test_files_are_read_by_pydicom(syntax: str, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    ds, pixels = image(16)
    path = tmp_path / "image.dcm"
    dk.write(ds, path, transfer_syntax=syntax)
    theirs = pydicom.dcmread(path)
    assert theirs.file_meta.TransferSyntaxUID == syntax
    assert (theirs.PatientName, theirs.Rows) == ("DOE^JANE", 19)
    if syntax[-4:] not in ("2.8.1", ".8.1", ".110", "1.98"):
        np.testing.assert_array_equal(theirs.pixel_array, pixels)


@pytest.mark.parametrize(
    ("syntax", "program"), [("5", "dcmdrle"), ("4.57", "dcmdjpeg"), ("4.70", "dcmdjpeg"), ("4.80", "dcmdjpls")]
)
@pytest.mark.parametrize(("bits", "samples"), [(8, 1), (12, 1), (16, 1), (8, 3)])
def test_files_are_read_by_dcmtk(syntax: str, program: str, bits: int, samples: int, tmp_path: Path) -> None:
    command = peer(program)
    ds, pixels = image(bits, samples)
    path, plain = tmp_path / "image.dcm", tmp_path / "plain.dcm"
    dk.write(ds, path, transfer_syntax=f"1.2.840.10008.1.2.{syntax}", workers=2)
    subprocess.run([command, str(path), str(plain)], check=True, capture_output=True)
    np.testing.assert_array_equal(frames(plain), pixels)


def test_write_refuses_and_keeps_what_is_there(tmp_path: Path) -> None:
    ds, _ = image(8)
    path = tmp_path / "image.dcm"
    dk.write(ds, path)
    before = path.read_bytes()
    with pytest.raises(PixelError):
        dk.write(ds, path, transfer_syntax=f"{PREFIX}50")
    assert path.read_bytes() == before
    written = dk.write(ds, path, transfer_syntax=f"{PREFIX}50", quality=80)
    assert dk.read(path).SOPInstanceUID == written.SOPInstanceUID != ds.SOPInstanceUID
    assert dk.read(path).meta.MediaStorageSOPInstanceUID == written.SOPInstanceUID


def test_frames_of_a_path(tmp_path: Path) -> None:
    ds, pixels = image(12)
    for syntax in (NATIVE[1], "RLELossless"):
        path = tmp_path / f"{syntax}.dcm"
        dk.write(ds, path, transfer_syntax=syntax)
        np.testing.assert_array_equal(frame(path, 2), pixels[2])
        np.testing.assert_array_equal(frame(str(path), 1), pixels[1])
        np.testing.assert_array_equal(frames(path.read_bytes(), [1]), pixels[1:2])
        assert reader(path)(0).photometric_interpretation == "MONOCHROME2"
    with pytest.raises(PixelError, match="frame 9"):
        frame(path, 9)
    dk.write(dk.DataSet(SOPClassUID="1.2", SOPInstanceUID="2.25.3", Modality="SR"), path)
    with pytest.raises(PixelError, match=r"no pixel data.*RLELossless\.dcm"):
        frame(path)


@pytest.mark.parametrize("syntax", [NATIVE[1], *(uid for uid in LOSSLESS if uid[-3:] not in (".80", "110"))])
def test_partial_frames(syntax: str) -> None:
    ds, pixels = image(16, size=(64, 64))
    packed = transcode(ds, syntax)
    if isinstance(packed.PixelData, Fragments):
        parts = list(packed.PixelData.parts)
        cut = packed.assign(PixelData=Fragments.of([parts[0], bytes(parts[1])[: len(parts[1]) // 2], b""]))
    else:
        cut = packed.assign(PixelData=bytes(packed.PixelData)[: pixels.nbytes // 2])
    with pytest.raises(PixelError, match=r"frame [12]"):
        frames(cut)
    with pytest.warns(RuntimeWarning, match="partial: frame 1"):
        got = frames(cut, errors="partial")
    np.testing.assert_array_equal(got[0], pixels[0])
    assert not got[2].any()
    assert got[1].any()
    if syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98", f"{PREFIX}57", f"{PREFIX}70"):
        np.testing.assert_array_equal(got[1][:30], pixels[1][:30])
    with pytest.raises(PixelError, match="frame 2"):
        frame(cut, 2, errors="partial")
    with pytest.raises(PixelError, match="neither"):
        frame(cut, errors="ignore")


@pytest.mark.parametrize("syntax", [f"{PREFIX}90", f"{PREFIX}91"])
def test_partial_jpeg2000_resembles_the_image(syntax: str) -> None:
    y, x = np.mgrid[:128, :128]
    smooth = ((np.sin(x / 20) * np.cos(y / 15) + 1) * 2000).astype(np.uint16)
    ds = image(12, count=1, size=(128, 128))[0].assign(PixelData=smooth.tobytes())
    packed = transcode(ds, syntax)
    data = bytes(packed.PixelData.parts[0])
    with pytest.warns(RuntimeWarning, match="partial: frame 0: cut short"):
        got = frame(packed.assign(PixelData=Fragments.of([data[: len(data) * 2 // 3]])), errors="partial")
    assert np.abs(got.astype(int) - smooth).mean() < 100


def test_rgb_to_ybr_and_back() -> None:
    from dicomkit.pixels.colour import to_rgb, to_ybr

    rgb = np.random.default_rng(1).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    back = to_rgb(to_ybr(rgb), "YBR_FULL")
    assert np.abs(back.astype(int) - rgb).max() <= 2


REAL = (
    "color-pl.dcm",
    "emri_small_big_endian.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
)


@needs_data
@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str, tmp_path: Path) -> None:
    found = [path for path in all_dicom_files() if path.name == name]
    if not found:
        pytest.skip(f"data: no file {name}")
    ds = dk.read(found[0])
    before: Any = frames(ds)
    for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "RLELossless", "JPEGLSLossless"):
        dk.write(ds, tmp_path / "copy.dcm", transfer_syntax=syntax, anonymous=True)
        np.testing.assert_array_equal(frames(tmp_path / "copy.dcm"), before)
