"""Diffusion series whose b-values and directions stand in private elements become volumes that have them."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.volumes.private_diffusion import Diffusion, private_diffusion

MAKERS = {
    "GE": ("GEMS_PARM_01", 0x0043, 0x39, lambda b: (b + 1_000_000_000 if b else 0, 8, 0, 0)),
    "Siemens": ("SIEMENS MR HEADER", 0x0019, 0x0C, lambda b: b),
    "Philips": ("Philips Imaging DD 001", 0x2001, 0x03, float),
}


def series(creator: str, group: int, element: int, value: Any, **more: Any) -> list[Any]:
    plane = {"Rows": 2, "Columns": 2, "BitsAllocated": 16, "PixelSpacing": [1, 1], "PixelData": bytes(8)}
    plane |= {
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "Modality": "MR",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
    }
    plane |= {"SeriesInstanceUID": "2.25.1"} | more
    return [
        dk.with_private(
            dk.DataSet(
                plane, ImagePositionPatient=[0, 0, z], InstanceNumber=1 + z + 3 * k, SOPInstanceUID=f"2.25.9{k}{z}"
            ),
            creator,
            {element: value(b)},
            group=group,
        )
        for k, b in enumerate((0, 500, 1000))
        for z in (0, 1, 2)
    ]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("from_files", [False, True])
def test_b_values_of(maker: str, from_files: bool, tmp_path: Path) -> None:
    images = series(*MAKERS[maker])
    source: list[Any] = images
    if from_files:
        source = [tmp_path / f"{k}.dcm" for k in range(len(images))]
        for path, ds in zip(source, images, strict=True):
            dk.write(ds, path)
    volume = dk.to_volume(source)
    assert volume.dims == ("b_value", "slice", "row", "column")
    assert volume.b_value.values.tolist() == [0, 500, 1000]


def test_the_standard_attribute_wins() -> None:
    images = series(*MAKERS["Siemens"])
    images = [ds.assign(DiffusionBValue=2.0 * ds.private("SIEMENS MR HEADER")[0x0C].value) for ds in images]
    assert dk.to_volume(images).b_value.values.tolist() == [0, 1000, 2000]


def test_the_same_tag_of_another_creator_is_no_b_value() -> None:
    images = [ds.assign([dk.Element.of((0x0019, 0x0010), "ACME", "LO")]) for ds in series(*MAKERS["Siemens"])]
    with pytest.raises(dk.errors.GeometryError, match="duplicates"):
        dk.to_volume(images)


def csa(entries: dict[str, tuple[bytes, str]]) -> bytes:
    """Write a CSA header of version 2."""
    made = b"SV10\4\3\2\1" + struct.pack("<2I", len(entries), 77)
    for name, (vr, text) in entries.items():
        value = text.encode() + b"\0"
        made += struct.pack("<64si4siii", name.encode(), 1, vr, 6, 1, 77)
        made += struct.pack("<4i", len(value), len(value), 77, len(value)) + value + bytes(-len(value) % 4)
    return made


@pytest.mark.parametrize("from_files", [False, True])
@pytest.mark.parametrize("first", ["0", None])
def test_b_values_in_csa_headers(first: str | None, from_files: bool, tmp_path: Path) -> None:
    def header(b: int) -> bytes:
        stated = {"B_value": (b"IS\0\0", first if b == 0 else str(b))} if b or first else {}
        return csa({"EchoLinePosition": (b"IS\0\0", "32"), **stated})

    images = series("SIEMENS CSA HEADER", 0x0029, 0x10, header, ImageType=["ORIGINAL", "PRIMARY", "DIFFUSION"])
    source: list[Any] = images
    if from_files:
        source = [tmp_path / f"{k}.dcm" for k in range(len(images))]
        for path, ds in zip(source, images, strict=True):
            dk.write(ds, path)
    volume = dk.to_volume(source)
    assert volume.dims == ("b_value", "slice", "row", "column")
    assert volume.b_value.values.tolist() == [0, 500, 1000]
    assumed = "3 frames state no b-value: taken as 0 s/mm2"
    assert (assumed in volume.attrs.get("assumptions", ())) == (first is None)


def test_the_first_images_may_state_no_b_value() -> None:
    maker = "Siemens"
    creator, group, element, value = MAKERS[maker]
    images = series(creator, group, element, value, ImageType="ORIGINAL")
    images = [dk.without_private(ds) if k < 3 else ds for k, ds in enumerate(images)]
    assert dk.to_volume(images).b_value.values.tolist() == [0, 500, 1000]
    derived = [ds.assign(ImageType=["DERIVED", "PRIMARY", "ADC"]) if k < 3 else ds for k, ds in enumerate(images)]
    volume = dk.to_volume(derived)
    assert np.isnan(volume.b_value.values[0])
    assert volume.b_value.values[1:].tolist() == [500, 1000]


@needs_data
@pytest.mark.parametrize("b", [0, 1000])
def test_b_values_of_real_csa_headers(b: int) -> None:
    ds = dk.read(gzip.decompress(real_file(f"09_private_tags/siemens_dwi_{b}.dcm.gz").read_bytes()))
    stated = Diffusion(b, (0.99997449, 0.00505012, -0.00505012) if b else None)
    assert private_diffusion([ds]) == [stated]
    assert private_diffusion([ds.drop(0x0019100E)]) == [stated]  # its direction is in the CSA header only
    assert private_diffusion([ds.drop(0x0019100C, 0x0019100E)]) == [stated]  # nothing else is left


DIRECTIONS = ((0, 0, 0), (0.6, 0.64, 0.48), (-0.48, 0.6, 0.64), (0.8, 0, 0.6), (0, 0.6, -0.8), (1, 0, 0), (0, 0, 1))
OBLIQUE = [0.933, 0.339, 0.122, -0.358, 0.91, 0.206]
"""Rows and columns that are turned about all three axes, not yet quite at right angles."""


def directional(maker: str, phase: str) -> list[Any]:
    """Make an oblique series of four slices with a private direction in each image."""
    row, column = np.array(OBLIQUE[:3]), np.array(OBLIQUE[3:])
    row /= np.linalg.norm(row)
    column -= column @ row * row
    column /= np.linalg.norm(column)
    images = []
    for k, g in enumerate(DIRECTIONS):
        b = 1000 if any(g) else 0
        for z in range(4):
            position = np.array([-16, -16, 5]) + 2 * z * np.cross(row, column)
            ds = dk.DataSet(
                SOPClassUID="1.2.840.10008.5.1.4.1.1.4",
                SOPInstanceUID=f"2.25.5{k}{z}",
                SeriesInstanceUID="2.25.77",
                StudyInstanceUID="2.25.78",
                Modality="MR",
                Manufacturer={"GE": "GE MEDICAL SYSTEMS", "Philips": "Philips Medical Systems"}.get(maker, maker),
                ManufacturerModelName="X",
                SeriesNumber=3,
                InstanceNumber=4 * k + z + 1,
                AcquisitionNumber=k + 1,
                TemporalPositionIdentifier=k + 1,
                AcquisitionTime=f"10{10 + k}00",
                StudyDate="20200101",
                StudyTime="101010",
                ImageType=["ORIGINAL", "PRIMARY", "M", "SE"],
                ScanningSequence="EP",
                MRAcquisitionType="2D",
                InPlanePhaseEncodingDirection=phase,
                ImageOrientationPatient=[float(f"{v:.9f}") for v in (*row, *column)],
                ImagePositionPatient=[float(f"{v:.7f}") for v in position],
                PixelSpacing=[2, 2],
                SliceThickness=2,
                SpacingBetweenSlices=2,
                Rows=16,
                Columns=16,
                BitsAllocated=16,
                BitsStored=16,
                HighBit=15,
                PixelRepresentation=0,
                SamplesPerPixel=1,
                PhotometricInterpretation="MONOCHROME2",
                PixelData=np.arange(256, dtype=np.uint16).tobytes(),
            )
            images.append(with_direction(ds, maker, b, g))
    return images


def with_direction(ds: Any, maker: str, b: int, g: tuple[float, ...]) -> Any:
    """Write a b-value and a direction as a maker does."""
    if maker == "GE":
        ds = dk.with_private(
            ds,
            "GEMS_ACQU_01",
            dict(zip((0xBB, 0xBC, 0xBD), g, strict=True)),
            group=0x0019,
            vrs=dict.fromkeys((0xBB, 0xBC, 0xBD), "DS"),
        )
        return dk.with_private(ds, "GEMS_PARM_01", {0x39: (b, 8, 0, 0)}, group=0x0043)
    if maker == "Philips":
        ds = dk.with_private(ds, "Philips Imaging DD 001", {0x03: float(b)}, group=0x2001)
        return dk.with_private(
            ds, "Philips MR Imaging DD 001", dict(zip((0xB0, 0xB1, 0xB2), g, strict=True)), group=0x2005
        )
    if maker == "UIH":
        return dk.with_private(
            ds, "Image Private Header", {0x09: float(b), 0x37: g}, group=0x0065, vrs={0x09: "FD", 0x37: "FD"}
        )
    return dk.with_private(ds, "SIEMENS MR HEADER", {0x0C: b, **({0x0E: g} if b else {})}, group=0x0019)


@pytest.mark.parametrize("syntax", ["ExplicitVRLittleEndian", "ImplicitVRLittleEndian"])
@pytest.mark.parametrize("phase", ["COL", "ROW"])
@pytest.mark.parametrize("maker", ["Siemens", "Philips", "UIH", "GE"])
def test_directions_are_those_of_dcm2niix(maker: str, phase: str, syntax: str, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    program = Path(sys.executable).with_name("dcm2niix")
    if not program.exists():
        pytest.skip("dcm2niix is not installed")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for k, ds in enumerate(directional(maker, phase)):
        dk.write(ds, folder / f"{k}.dcm", transfer_syntax=syntax)
    volume = dk.to_volume(folder)
    assert volume.dims == ("diffusion", "slice", "row", "column")
    assert volume.DiffusionBValue.values.tolist() == [0, *[1000] * 6]
    ours = np.stack([volume[f"gradient_{axis}"].values for axis in "xyz"], 1)
    subprocess.run([program, "-z", "n", "-f", "x", "-o", out, folder], check=True, capture_output=True, timeout=60)
    theirs = np.loadtxt(out / "x.bvec").T  # along the axes of the image, the first mirrored if they are right-handed
    turn = nibabel.load(out / "x.nii").affine[:3, :3] / 2
    theirs[:, 0] *= -np.sign(np.linalg.det(turn))
    assert np.allclose(ours, theirs @ turn.T * [-1, -1, 1], atol=1e-4)


def test_what_is_no_direction_tells_nothing() -> None:
    [*images] = directional("Siemens", "COL")[:8]
    long = [dk.with_private(ds, "SIEMENS MR HEADER", {0x0E: (3.0, 0, 0)}, group=0x0019) for ds in images]
    assert all(one.direction is None for one in private_diffusion(long))
    assert [one.b_value for one in private_diffusion(long)] == [0] * 4 + [1000] * 4
    coronal = [ds.assign(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]) for ds in directional("GE", "COL")]
    assert all(one.direction is None for one in private_diffusion(coronal))
