"""Diffusion series whose b-values stand in private elements become volumes with a dimension b_value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dicomkit as dk

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
