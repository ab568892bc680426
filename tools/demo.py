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
import xarray as xr

import dicomkit as dk

OUTPUT = Path("demo-output")
NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "01_quickstart.ipynb"
COLUMNS = ["Modality", "SeriesNumber", "SeriesDescription", "instances", "frames", "Rows", "Columns", "size"]
MOST_ROWS = 24
MOST_TRIES = 20


def real_files() -> list[Path]:
    """Find the folders of real files inside the installed wheels."""
    places = {"pydicom": "data/test_files", "data_store": "data"}
    specs = {package: find_spec(package) for package in places}
    return [Path(spec.origin).parent / places[name] for name, spec in specs.items() if spec and spec.origin]


def show_table(files: pd.DataFrame) -> None:
    """Print what a scan found: one line per series, then what could not be read, by the reason."""
    series = dk.series(files).sort_values(["instances", "frames"], ascending=False, kind="stable")
    text = series[[name for name in COLUMNS if name in series]].head(MOST_ROWS)
    print(text.astype("string").fillna("").to_string(index=False, max_colwidth=40))
    if len(series) > MOST_ROWS:
        print(f"... and {len(series) - MOST_ROWS} more series")
    for reason, group in files[files["error"].notna()].groupby("error", sort=False):
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        print(f"not read: {Path(group['path'].iloc[0]).name}{more}: {reason}")


def largest_volume(files: pd.DataFrame) -> xr.DataArray | None:
    """Load the series with the most images that makes a volume of several slices, and say why others don't."""
    series = dk.series(files).sort_values(["frames", "instances"], ascending=False, kind="stable")
    for uid in series["SeriesInstanceUID"].head(MOST_TRIES):
        chosen = files[files["SeriesInstanceUID"] == uid]
        try:
            volume: xr.DataArray = dk.to_volume(chosen)
        except dk.DicomError as error:
            print(f"no volume of {Path(chosen['path'].iloc[0]).name} and its series: {error.message}")
            continue
        if volume.sizes["slice"] > 1:
            return volume
    return None


def main() -> None:
    """Scan, print the table, make a volume, write the pictures."""
    matplotlib.use("Agg")
    OUTPUT.mkdir(exist_ok=True)
    if len(sys.argv) > 1 and sys.argv[1]:
        folders = [Path(sys.argv[1]).expanduser()]
    else:
        dk.samples.write_series(dk.samples.ct_series(slices=60, size=256), OUTPUT / "phantom")
        folders = [*real_files(), OUTPUT / "phantom"]

    start = time.perf_counter()
    try:
        files = dk.scan(folders)
    except dk.DicomError as error:
        sys.exit(str(error))
    print(f"{len(files)} files scanned in {time.perf_counter() - start:.2f} s\n")
    show_table(files)

    print()
    pictures = [OUTPUT / "overview.png"]
    dk.overview(files).savefig(pictures[0], dpi=110)
    volume = largest_volume(files)
    if volume is not None:
        pictures.append(OUTPUT / "montage.png")
        dk.montage(volume).savefig(pictures[1], dpi=150)
        size = ", ".join(f"{count} {name}" for name, count in volume.sizes.items())
        print(f"the largest series that makes a volume: {volume.attrs.get('Modality', '')}, {size}, {volume.dtype}")
    print(f"pictures: {', '.join(map(str, pictures))}")
    print(f"the tutorial to go on with: {NOTEBOOK}")
    print("  pip install jupyterlab && jupyter lab notebooks/01_quickstart.ipynb")


if __name__ == "__main__":
    main()
