"""Diffusion series whose b-values stand in private elements become volumes with a dimension b_value."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.volumes.private_b_values import private_b_values

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
    assert private_b_values([ds]) == [b]
    assert private_b_values([ds.drop(0x0019100C)]) == [b]  # only the CSA header is left
