"""A scan: every file is a row, columns are typed, workers and caches change nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from realdata import DATA, needs_data, real_file

import dicomkit as dk
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import SourceError
from dicomkit.tables.scan_rows import scan_rows


def write(path: Path, **elements) -> Path:
    ds = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID=dk.new_uid(seed=path.name), **elements)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_part10(ds))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        write(
            tmp_path / "Müller Ä" / f"slice {number:02}.dcm",
            PatientID="P1",
            SeriesInstanceUID=f"1.2.{number % 2}",
            Modality="CT",
            InstanceNumber=number,
            StudyDate="20240131",
            StudyTime="101112.5",
            PixelSpacing=(0.5, 0.25),
            ImageType=["ORIGINAL", "PRIMARY"],
        )
    (tmp_path / "notes.txt").write_text("no DICOM here")
    (tmp_path / "empty.dcm").write_bytes(b"")
    return tmp_path


def test_every_file_is_a_row_and_says_why_it_could_not_be_read(folder: Path) -> None:
    table = dk.scan(folder)
    assert len(table) == 14
    assert table["error"].isna().sum() == 12
    assert table.set_index("path")["error"][str(folder / "empty.dcm")] == "0 bytes are no DICOM data set [offset 0]"


def test_columns_are_typed(folder: Path) -> None:
    table = dk.scan(folder / "Müller Ä")
    assert table["StudyDate"].dtype == "datetime64[s]"
    assert table["StudyDate"][0] == pd.Timestamp("2024-01-31")
    assert table["StudyTime"][0] == pd.Timedelta(hours=10, minutes=11, seconds=12.5)
    assert table["InstanceNumber"].dtype == "Int64"
    assert table["InstanceNumber"].tolist() == list(range(12))
    assert table["PixelSpacing"][0] == (0.5, 0.25)
    assert table["ImageType"][0] == "ORIGINAL\\PRIMARY"
    assert table["SliceThickness"].dtype == np.float64
    assert isinstance(table["Modality"].dtype, pd.StringDtype)


def test_values_that_do_not_fit_are_missing_and_told(tmp_path: Path) -> None:
    good = to_part10(dk.DataSet(SOPClassUID="1.2.3", SOPInstanceUID="1.2.4", InstanceNumber=1234, StudyDate="20240101"))
    (tmp_path / "odd.dcm").write_bytes(good.replace(b"1234", b"12A4").replace(b"20240101", b"2024    "))
    row = dk.scan(tmp_path).iloc[0]
    assert row["InstanceNumber"] is pd.NA
    assert row["StudyDate"] is pd.NaT
    assert row["deviations"] == "StudyDate: '2024'; InstanceNumber: '12A4'"


def test_workers_change_nothing(folder: Path) -> None:
    pd.testing.assert_frame_equal(dk.scan(folder, workers=2), dk.scan(folder, workers=1))


def test_columns_asked_for_by_keyword_tag_and_path(folder: Path) -> None:
    write(folder / "sequence.dcm", RequestAttributesSequence=[{"ScheduledProcedureStepID": "S1"}])
    path = ("RequestAttributesSequence", 0, "ScheduledProcedureStepID")
    table = dk.scan(folder / "sequence.dcm", columns=["Modality", 0x00200013, path])
    names = ["Modality", "InstanceNumber", "RequestAttributesSequence.0.ScheduledProcedureStepID"]
    assert list(table.columns[3:6]) == names
    assert table.iloc[0, 5] == "S1"


def test_the_same_from_a_glob_a_list_and_a_zip(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    from_folder = dk.scan(folder / "Müller Ä")
    from_glob = dk.scan(str(folder / "*" / "*.dcm"))
    from_list = dk.scan(sorted((folder / "Müller Ä").iterdir()))
    pd.testing.assert_frame_equal(from_folder, from_glob)
    pd.testing.assert_frame_equal(from_folder, from_list)
    archive = shutil.make_archive(str(tmp_path_factory.mktemp("zip") / "series"), "zip", folder / "Müller Ä")
    from_zip = dk.scan(archive)
    same = [name for name in from_zip.columns if name not in ("path", "size", "modified")]
    pd.testing.assert_frame_equal(from_zip[same], from_folder[same])
    assert dk.read(from_zip["path"][3]).InstanceNumber == 3


def test_a_broken_zip_member_is_a_row(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.dcm", b"A" * 5000)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    assert "zip" in dk.scan(tmp_path / "a.zip")["error"][0]


def test_an_archive_is_opened_once_for_all_its_members(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dicomkit.opening as opening

    first = shutil.make_archive(str(tmp_path / "a"), "zip", folder / "Müller Ä")
    second = shutil.make_archive(str(tmp_path / "b"), "zip", folder / "Müller Ä")
    with zipfile.ZipFile(second, "a") as archive:
        archive.writestr("notes.txt", "no DICOM " * 99)
    paths = [*dk.scan(first)["path"], *dk.scan(second)["path"], f"{second}!/nothing.dcm", f"{tmp_path}/no.zip!/x.dcm"]
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, file: str) -> None:
            opened.append(file)
            super().__init__(file)

    monkeypatch.setattr(opening.zipfile, "ZipFile", Counted)
    rows = scan_rows(paths, (0x00200013, 0x00080060))
    assert opened == [first, second, f"{tmp_path}/no.zip"]
    errors = [row.error for row in rows if row.error is not None]
    assert [row.error is None for row in rows].count(True) == len(paths) - 3
    assert "plain text" in errors[0]
    assert "nothing.dcm" in errors[1]
    assert "can't open the zip member" in errors[2]


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        dk.scan(tmp_path / "nowhere")


def test_a_cache_reads_only_what_changed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    cache, series = tmp_path / "scan.parquet", folder / "Müller Ä"
    first = dk.scan(series, cache=cache)
    read = []
    import dicomkit.tables.scan as module

    original = module.scan_rows
    monkeypatch.setattr(module, "scan_rows", lambda paths, keys: read.extend(paths) or original(paths, keys))
    pd.testing.assert_frame_equal(dk.scan(series, cache=cache), first)
    assert read == []
    write(series / "slice 05.dcm", PatientID="changed")
    (series / "slice 11.dcm").unlink()
    table = dk.scan(series, cache=cache)
    assert [os.path.basename(path) for path in read] == ["slice 05.dcm"]
    assert table["PatientID"].tolist() == ["P1"] * 5 + ["changed"] + ["P1"] * 5


def test_an_interrupted_scan_stops_at_once_and_leaves_no_worker(tmp_path: Path) -> None:
    write(tmp_path / "one.dcm")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, dicomkit as dk\n"
        "print('ready', flush=True)\n"
        f"dk.scan([{str(tmp_path / 'one.dcm')!r}] , workers=1)\n"
        "from dicomkit.tables.workers import scan_in_processes\n"
        f"paths = [{str(tmp_path / 'one.dcm')!r}] * 4_000_000\n"
        "for _ in scan_in_processes(paths, [0x00100020], 2, 250): print('batch', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "batch" in line:
            break
    else:
        pytest.fail(f"the scan ended by itself: {process.communicate()[1]}")
    workers = children(process.pid)
    assert len(workers) == 2
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert process.returncode != 0
    assert not [pid for pid in workers if alive(pid)]


def children(pid: int) -> list[int]:
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc to find the workers")
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@needs_data
def test_real_files_scan_as_pydicom_reads_them() -> None:
    pydicom = pytest.importorskip("pydicom")
    table = dk.scan(DATA / "06_series_mr")
    readable = table[table["error"].isna()]
    assert len(readable) > 150
    for row in readable.iloc[::5].itertuples():
        ds = pydicom.dcmread(row.path, stop_before_pixels=True)
        assert (row.SOPInstanceUID, row.SeriesInstanceUID) == (ds.SOPInstanceUID, ds.SeriesInstanceUID)
        assert row.Rows == ds.Rows
        if "ImagePositionPatient" in ds and ds.ImagePositionPatient:
            assert row.ImagePositionPatient == tuple(map(float, ds.ImagePositionPatient))


@needs_data
def test_no_real_file_is_left_out_or_misread() -> None:
    from realdata import manifest

    table = dk.scan(DATA).set_index("path")
    roles = {str(DATA / row["path"]): row["role"] for row in manifest()}
    assert set(roles) <= set(table.index)
    unread = [path for path in table.index[table["error"].notna()] if roles.get(path) == "dicom"]
    assert all("DICOMDIR" in table["error"][path] for path in unread)
    read = [path for path in table.index[table["error"].isna()] if roles.get(path) != "dicom"]
    assert all("wg04_compsamples" in path for path in read)  # the uncompressed references there are DICOM too


@needs_data
def test_a_dicomdir_is_used_on_request() -> None:
    folder = real_file("12_dicomdir/TINY_ALPHA")
    listed = dk.scan(folder, dicomdir="use")
    assert len(listed) == 50
    assert listed["error"].isna().all()
    everything = dk.scan(folder)
    assert set(listed["path"]) < set(everything["path"])


def test_grouping(folder: Path) -> None:
    table = dk.scan(folder)
    assert dk.series(table)["instances"].tolist() == [6, 6]
    row = dk.patients(table).iloc[0]
    assert (row["PatientID"], row["series"], row["instances"], row["modalities"]) == ("P1", 2, 12, "CT")
