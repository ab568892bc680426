"""Every compressed real file against each decoder that shares no code with ours: docs/decoding.md is what a run finds.

``DICOMKIT_REWRITE=1 pytest tests/pixels/test_pixels_decoding_table.py`` writes the page anew.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from realdata import DATA, manifest, needs_data, peer, real_file

import dicomkit as dk
from dicomkit.pixels.description import describe

PAGE = Path(__file__).parents[2] / "docs" / "decoding.md"
REWRITE = os.environ.get("DICOMKIT_REWRITE") == "1"
HOW = f"run: DICOMKIT_REWRITE=1 pytest tests/pixels/{Path(__file__).name}"

PREFIX = "1.2.840.10008.1.2."
COMPRESSED = (f"{PREFIX}4.", f"{PREFIX}5", f"{PREFIX}8")
LOSSY = {f"{PREFIX}4.{part}" for part in (50, 51, 53, 55, 81, 91, 112, 203)}
PLUGINS = ("pylibjpeg", "gdcm")
DCMTK = {
    **{f"{PREFIX}4.{part}": ("dcmdjpeg", "+cn") for part in (50, 51, 53, 55, 57, 70)},
    **{f"{PREFIX}4.{part}": ("dcmdjpls",) for part in (80, 81)},
    f"{PREFIX}5": ("dcmdrle",),
}
FEW = 3

#: Files of compressed syntaxes without an image that can be compared here, and where they are tested.
ELSEWHERE = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "image width 0xDDE00100: test_broken_is_an_error",
    "will-jxl.dcm": "only its JPEG stream has decoders: test_recompressed_jpeg_equals_its_jpeg",
    "UN_sequence.dcm": "has no pixel data",
}

#: The same image uncompressed, beside those of the WG-04 samples.
ORIGINALS = {
    "emri_small_jpeg_2k_lossless_too_short.dcm": "emri_small.dcm",
    "liver_deflate.dcm": "liver.dcm",
    "liver_rle.dcm": "liver.dcm",
    "liver_nonbyte_aligned_deflate.dcm": "liver_nonbyte_aligned.dcm",
    "liver_nonbyte_aligned_rle.dcm": "liver_nonbyte_aligned.dcm",
}

#: Differences above 0 in a lossless syntax, or above 1 in a lossy one.
FURTHER = {
    ("TestPattern_JPEG-Baseline_YBR422.dcm", "pylibjpeg"): 7,  # chrominance is brought to full size otherwise
    ("multi_frame_jpeg_camelyon_challenge_image.dcm", "pylibjpeg"): 2,
    ("sample-op.dcm", "pylibjpeg"): 1,  # a baseline stream in a lossless syntax
}

HEAD = f"""# Decoding against others

Every compressed file of the test data, decoded by dicomkit and by decoders that share no code with it: the largest
difference of a stored value, over the first, the middle and the last frame. `tests/pixels/{Path(__file__).name}`
finds it, asserts 0 where the syntax is lossless and at most 1 where it is not, and fails where this page says something
else; with `DICOMKIT_REWRITE=1` it writes the page. pylibjpeg is further off in a few subsampled colour images, whose
chrominance it brings to full size otherwise; `sample-op.dcm` holds a baseline stream in a lossless transfer syntax.
*REF* is the uncompressed original, of the NEMA WG-04 samples and others: what the lossy ones differ from it is their
own loss, not that of a decoder.

"""
VERSIONS = "Made with pydicom {}, its plug-ins pylibjpeg {} and gdcm {}, and DCMTK.\n\n"
COLUMNS = "| File | Transfer syntax | Oracle | Largest difference |\n|---|---|---|---:|\n"


@cache
def compressed_files() -> dict[str, str]:
    """Transfer syntaxes by path, in the order of the page."""
    rows = [row for row in manifest() if row["role"] == "dicom" and row["ts_uid"].startswith(COMPRESSED)]
    files = {row["path"]: row["ts_uid"] for row in sorted(rows, key=lambda row: (row["ts_uid"], row["path"]))}
    return {path: uid for path, uid in files.items() if Path(path).name not in ELSEWHERE}


@cache
def differences(path: str) -> dict[str, int]:
    """The largest difference from each oracle that can decode a file."""
    ds = dk.read(real_file(path))
    count = describe(ds).number_of_frames
    indices = sorted({round(index) for index in np.linspace(0, count - 1, FEW)})
    ours = dk.frames(ds, indices)
    uid = compressed_files()[path]
    return {
        **dict(by_pydicom(path, indices, ours)),
        **(dict(by_dcmtk(path, DCMTK[uid], indices, ours)) if uid in DCMTK else {}),
        **dict(by_original(path, indices, ours)),
    }


def by_pydicom(path: str, indices: list[int], ours: NDArray[Any]) -> Iterator[tuple[str, int]]:
    pydicom = pytest.importorskip("pydicom")
    for module in PLUGINS:
        pytest.importorskip(module)
    from pydicom.pixels import pixel_array

    ds = pydicom.dcmread(real_file(path), force=True)
    for plugin in PLUGINS:
        try:
            theirs = np.stack([pixel_array(ds, index=index, raw=True, decoding_plugin=plugin) for index in indices])
        except Exception:  # whatever a plug-in raises: then it has no line
            continue
        assert theirs.dtype.newbyteorder("=") == ours.dtype, plugin
        yield plugin, worst(ours, theirs)


def by_dcmtk(path: str, call: tuple[str, ...], indices: list[int], ours: NDArray[Any]) -> Iterator[tuple[str, int]]:
    command, *options = call
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.dcm")
        done = subprocess.run([peer(command), "-q", *options, real_file(path), plain], capture_output=True, check=False)
        if not done.returncode:
            yield command, worst(ours, dk.frames(plain, indices))


def by_original(path: str, indices: list[int], ours: NDArray[Any]) -> Iterator[tuple[str, int]]:
    name = Path(path).name
    original = Path(path).parent.parent / "REF" / f"{name.rpartition('_')[0]}_UNC"
    if name in ORIGINALS:
        original = next(Path(row["path"]) for row in manifest() if Path(row["path"]).name == ORIGINALS[name])
    if name in ORIGINALS or ("wg04_compsamples" in path and (DATA / original).exists()):
        yield "REF", worst(ours, dk.frames(real_file(str(original)), indices))


def worst(ours: NDArray[Any], theirs: NDArray[Any]) -> int:
    assert ours.shape == theirs.shape
    return int(np.abs(ours.astype(np.int64) - theirs).max())


def lines(path: str) -> list[str]:
    start = f"| {Path(path).name} | .{compressed_files()[path].removeprefix(PREFIX)} |"
    return [f"{start} {oracle} | {difference} |" for oracle, difference in differences(path).items()]


@cache
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", compressed_files())
def test_differences_are_small_and_those_of_the_page(path: str) -> None:
    name = Path(path).name
    lossy = compressed_files()[path] in LOSSY
    found = differences(path)
    assert found, "no oracle decodes it: name it in ELSEWHERE, and test it there"
    further = {oracle: FURTHER.get((name, oracle), int(lossy)) for oracle in found if not (oracle == "REF" and lossy)}
    assert {oracle: found[oracle] for oracle in further if found[oracle] > further[oracle]} == {}
    told = [line for line in page().splitlines() if line.startswith(f"| {name} |")]
    assert REWRITE or told == lines(path), HOW


@needs_data
@pytest.mark.filterwarnings("ignore")
def test_the_page_has_every_file_and_nothing_else() -> None:
    if REWRITE:
        versions = VERSIONS.format(*map(version, ("pydicom", "pylibjpeg", "python-gdcm")))
        table = "".join(f"{line}\n" for path in compressed_files() for line in lines(path))
        PAGE.write_text(HEAD + versions + COLUMNS + table, encoding="utf-8")
        page.cache_clear()
    assert page().startswith(HEAD), HOW
    _, columns, table = page().partition(COLUMNS)
    assert columns, HOW
    names = dict.fromkeys(line.split(" | ")[0].removeprefix("| ") for line in table.splitlines())
    assert list(names) == [Path(path).name for path in compressed_files()], HOW
