"""Real images in other transfer syntaxes: what is not refused keeps every value, and shows the same picture."""

from __future__ import annotations

import re
from zlib import crc32

import numpy as np
import pytest
from realdata import manifest, needs_data, real_file

import dicomkit as dk
from dicomkit.errors import DicomError, PixelError
from dicomkit.pixels.frames import frame_with_notes

pytest.importorskip("imagecodecs")

TARGETS = (
    *("RLELossless", "JPEGLossless", "JPEGLosslessSV1", "JPEGLSLossless", "JPEG2000Lossless", "HTJ2KLossless"),
    *("JPEGXLLossless", "DeflatedImageFrameCompression", "1.2.840.10008.1.2.1.98"),
    *("ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "ExplicitVRBigEndian"),
)
MOST_PIXELS = 300_000
REFUSALS = r"holds \d+ to \d+ bits|can't hold YBR_FULL without loss|can't be encapsulated|don't fit BitsStored"


def images() -> list[str]:
    rows = (row for row in manifest() if row["role"] == "dicom" and row["pixel_crosscheck"].startswith("ok"))
    return [row["path"] for row in rows if int(row["size"]) < 300_000 and pixels(row) <= MOST_PIXELS]


def pixels(row: dict[str, str]) -> int:
    rows, _, columns = row["rows_x_cols"].partition("x")
    return int(rows or 0) * int(columns or 0) * int(row["frames"] or 1)


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", images())
def test_nothing_changes(path: str) -> None:
    """Two syntaxes for each file, others for its neighbours."""
    ds = dk.read(real_file(path))
    before, picture = frame_with_notes(ds), rendered(ds)
    first = crc32(path.encode()) % len(TARGETS)
    for syntax in (TARGETS[first], TARGETS[(first + 5) % len(TARGETS)]):
        try:
            new = dk.transcode(ds, syntax)
        except PixelError as error:
            refused = re.search(REFUSALS, str(error))
            if refused is None:
                raise
            continue
        after = frame_with_notes(new)
        assert after.array.dtype.itemsize == before.array.dtype.itemsize
        if after.photometric_interpretation == before.photometric_interpretation:
            np.testing.assert_array_equal(after.array, before.array)
        np.testing.assert_array_equal(rendered(new), picture)


def rendered(ds: dk.DataSet) -> np.ndarray | None:
    """The picture, or None of an image that has none."""
    try:
        return dk.render(ds)
    except DicomError:
        return None
