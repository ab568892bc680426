"""Members of zip archives are read where they lie, with the directory read once for many."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dicomkit as dk
from dicomkit.errors import SourceError
from dicomkit.sources import Bulk

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    dk.samples.write_series(dk.samples.ct_series(slices=6, size=256), folder)
    return folder


def archived(series: Path, out: Path, method: int, **more: str) -> list[str]:
    """Make an archive of a series, and give the paths of its members."""
    with zipfile.ZipFile(out, "w", method) as archive:
        for path in sorted(series.iterdir()):
            archive.write(path, f"häuser/{path.name}")
        for name, text in more.items():
            archive.writestr(name, text)
    return [f"{out}!/häuser/{path.name}" for path in sorted(series.iterdir())]


@pytest.mark.parametrize("method", ["stored", "deflated"])
@pytest.mark.parametrize("chunks", [None, {}])
def test_a_volume_reads_the_directory_once(
    series: Path, method: str, chunks: dict[str, int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chunks is not None:
        pytest.importorskip("dask")
    paths = archived(series, tmp_path / "a.zip", METHODS[method])
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *args: object, **options: object) -> None:
            opened.append(args)
            super().__init__(*args, **options)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    volume = dk.to_volume(paths, chunks=chunks).compute()
    assert opened.count((str(tmp_path / "a.zip"),)) == 1
    assert np.array_equal(volume.values, dk.to_volume(series).values)


@pytest.mark.parametrize("method", METHODS)
def test_slices_of_a_member(series: Path, method: str, tmp_path: Path) -> None:
    path = archived(series, tmp_path / "a.zip", METHODS[method])[2]
    whole = (series / path.rsplit("/", 1)[1]).read_bytes()
    ds = dk.read(path)
    assert ds == dk.read(whole)
    assert ds.PixelData == dk.read(whole).PixelData
    source = pickle.loads(pickle.dumps(ds)).PixelData.source
    for offset, length in ((0, 10), (3000, 70_000), (len(whole) - 5, 99), (len(whole), 1), (0, len(whole))):
        assert source.read(offset, length) == whole[offset : offset + length]


def test_an_archive_that_changed_is_an_error(series: Path, tmp_path: Path) -> None:
    path = archived(series, tmp_path / "a.zip", zipfile.ZIP_STORED)[0]
    ds = dk.read(path)
    archived(series, tmp_path / "a.zip", zipfile.ZIP_STORED, another="x" * 10_000)
    with pytest.raises(SourceError, match="changed"):
        bytes(ds.PixelData)


@pytest.mark.parametrize("method", ["stored", "deflated"])
def test_bytes_that_were_damaged_are_an_error(series: Path, method: str, tmp_path: Path) -> None:
    path = archived(series, tmp_path / "a.zip", METHODS[method])[0]
    ds = dk.read(path)
    bulk = ds.PixelData
    assert isinstance(bulk, Bulk)
    status = os.stat(tmp_path / "a.zip")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    if method == "stored":
        data[:4] = b"none"
    else:
        data[len(data) // 12] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    os.utime(tmp_path / "a.zip", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(SourceError, match="zip archive"):
        bytes(bulk)
