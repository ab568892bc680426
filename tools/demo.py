"""The main job of dicomkit: a folder of DICOM files becomes a table, a volume and pictures.

Usage: python tools/demo.py [FOLDER]

Without a folder it takes the real files that the wheels of pydicom and pydicom-data carry (CT, MR, ultrasound, enhanced
multi-frame, a file-set with DICOMDIR and deliberately broken files), and a phantom of its own making. It writes nothing
but pictures, and the phantom, to demo-output/.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import pandas as pd

import dicomkit as dk

OUTPUT = Path("demo-output")
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "01_quickstart.ipynb"
COLUMNS = ["Modality", "SeriesDescription", "Rows", "Columns", "NumberOfFrames"]


def real_files() -> list[Path]:
    """Find the folders of real files inside the installed wheels."""
    places = {"pydicom": "data/test_files", "data_store": "data"}
    specs = {package: find_spec(package) for package in places}
    return [Path(spec.origin).parent / places[name] for name, spec in specs.items() if spec and spec.origin]


def show_table(files: pd.DataFrame) -> None:
    """Print what a scan found: one line per series, then what could not be read."""
    readable = files[files["error"].isna()]
    counts = readable.groupby("SeriesInstanceUID", dropna=False, sort=False)[COLUMNS].first()
    counts.insert(0, "files", readable.groupby("SeriesInstanceUID", dropna=False, sort=False).size())
    print(counts.reset_index(drop=True).to_string(max_rows=30, max_colwidth=40))
    for row in files[files["error"].notna()].itertuples():
        print(f"not read: {Path(str(row.path)).name}: {row.error}")


def main() -> None:
    """Scan, print the table, make a volume, write the pictures."""
    matplotlib.use("Agg")
    OUTPUT.mkdir(exist_ok=True)
    if len(sys.argv) > 1 and sys.argv[1]:
        folders = [Path(sys.argv[1])]
    else:
        dk.samples.write_series(dk.samples.ct_series(slices=40, size=128), OUTPUT / "phantom")
        folders = [*real_files(), OUTPUT / "phantom"]

    start = time.perf_counter()
    files = dk.scan(folders)
    print(f"{len(files)} files scanned in {time.perf_counter() - start:.2f} s\n")
    show_table(files)

    dk.overview(files).savefig(OUTPUT / "overview.png", dpi=150)
    slices = files.groupby("SeriesInstanceUID").size()
    series = files[files["SeriesInstanceUID"] == slices.idxmax()]
    volume = dk.to_volume(series)
    dk.montage(volume).savefig(OUTPUT / "montage.png", dpi=150)

    print(f"\nThe series with the most files as a volume: {dict(volume.sizes)}, {volume.dtype}")
    print(f"Pictures: {OUTPUT / 'overview.png'}, {OUTPUT / 'montage.png'}")
    print(f"The tutorial to go on with, in Jupyter: {NOTEBOOK}")


if __name__ == "__main__":
    main()
