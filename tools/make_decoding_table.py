"""Write docs/decoding.md: every compressed real file, decoded here and by others, and how far they are apart.

Usage: python tools/make_decoding_table.py DATA > docs/decoding.md

DATA is the folder of test files with its manifest.csv. A file that an oracle can't decode has no line for that oracle.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array

import dicomkit as dk
from dicomkit.errors import DicomError
from dicomkit.pixels.description import describe

PREFIX = "1.2.840.10008.1.2."
PLUGINS = ("pylibjpeg", "gdcm")
DCMTK = {
    **{f"{PREFIX}4.{part}": ("dcmdjpeg", "+cn") for part in (50, 51, 53, 55, 57, 70)},
    **{f"{PREFIX}4.{part}": ("dcmdjpls",) for part in (80, 81)},
    f"{PREFIX}5": ("dcmdrle",),
}
REFERENCE = "wg04_compsamples/REF"
FEW = 3

HEAD = """# Decoding against others

Every compressed file of the test data, decoded by dicomkit and by decoders that share no code with it: the largest
difference of a stored value, over the first, the middle and the last frame. Made by `tools/make_decoding_table.py`
with pydicom {pydicom} (plug-ins {plugins}) and DCMTK; `tests/pixels/test_pixels_oracle.py` asserts 0 where the syntax
is lossless and at most 1 where it is not, against pydicom's choice of plug-in and against DCMTK. pylibjpeg alone is
further off in a few subsampled colour images, whose chrominance it brings to full size otherwise; `sample-op.dcm` holds
a baseline stream in a lossless transfer syntax. *REF* is the uncompressed original of the NEMA WG-04 samples: what
the lossy ones differ from it is their own loss, not that of a decoder.

| File | Transfer syntax | Oracle | Largest difference |
|---|---|---|---:|
"""


def lines(data: Path) -> Iterator[str]:
    """Give the rows of the table."""
    encodings = (f"{PREFIX}4.", f"{PREFIX}5", f"{PREFIX}8")
    with open(data / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["ts_uid"].startswith(encodings)]
    for row in sorted(rows, key=lambda row: (row["ts_uid"], row["path"])):
        if not row["pixel_crosscheck"]:
            continue
        path = data / row["path"]
        for oracle, difference in differences(path, row["ts_uid"], data):
            yield f"| {path.name} | .{row['ts_uid'].removeprefix(PREFIX)} | {oracle} | {difference} |"


def differences(path: Path, uid: str, data: Path) -> Iterator[tuple[str, int]]:
    """Decode a file by every oracle that can."""
    try:
        ds = dk.read(path)
        count = describe(ds).number_of_frames
        indices = sorted({round(index) for index in np.linspace(0, count - 1, FEW)})
        ours = dk.frames(ds, indices).astype(np.int64)
    except DicomError:
        return
    theirs = pydicom.dcmread(path, force=True)
    for plugin in PLUGINS:
        try:
            stack = [pixel_array(theirs, index=index, raw=True, decoding_plugin=plugin) for index in indices]
        except Exception:  # whatever a plug-in raises
            continue
        yield plugin, worst(ours, np.stack(stack))
    if uid in DCMTK:
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder, "plain.dcm")
            command, *options = DCMTK[uid]
            done = subprocess.run([command, "-q", *options, str(path), str(plain)], capture_output=True, check=False)
            if not done.returncode:
                yield command, worst(ours, dk.frames(plain, indices))
    original = data / f"02_pixel_codecs/{REFERENCE}" / f"{path.stem.rpartition('_')[0]}_UNC"
    if "wg04_compsamples" in str(path) and original.exists():
        yield "REF", worst(ours, dk.frames(original, indices))


def worst(ours: np.ndarray, theirs: np.ndarray) -> int:
    """Give the largest difference of two stacks."""
    return int(np.abs(ours - theirs.reshape(ours.shape)).max())


def main() -> None:
    """Print the page."""
    warnings.simplefilter("ignore")
    pylibjpeg, gdcm = version("pylibjpeg"), version("python-gdcm")
    print(HEAD.format(pydicom=version("pydicom"), plugins=f"pylibjpeg {pylibjpeg}, gdcm {gdcm}"), end="")
    for line in lines(Path(sys.argv[1])):
        print(line)


if __name__ == "__main__":
    main()
