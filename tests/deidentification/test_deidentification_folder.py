"""A folder: parallel, resumable, consistent, the originals untouched; and the report finds what was left on purpose."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from realdata import DATA, all_dicom_files, needs_data, real_file

import dicomkit as dk
from dicomkit.deidentification import Replace, certify
from dicomkit.deidentification.folder import deidentify_folder
from dicomkit.deidentification.manifest import NAME
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import DicomError, SourceError, ValueFormatError
from dicomkit.tables.workers import in_processes

KEY = "the secret of a trial"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source" / "Doe Jane"
    folder.mkdir(parents=True)
    for number in range(9):
        ds = dk.DataSet(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
            SOPInstanceUID=f"1.2.3.{number}",
            StudyInstanceUID="1.2.3",
            SeriesInstanceUID=f"1.2.3.{number % 2}.0",
            PatientName="Doe^Jane",
            PatientID="PID4711",
            StudyDate="20240517",
            InstanceNumber=number,
        )
        dk.write(ds, folder / f"Doe {number}.dcm")
    (folder / "letter.txt").write_text("Dear Mrs. Doe")
    return tmp_path / "source"


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != NAME]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_all_files_are_written_and_the_others_told(source: Path, tmp_path: Path) -> None:
    before = digests(source)
    table = dk.deidentify_folder(source, tmp_path / "clean", key=KEY)
    assert table["status"].value_counts().to_dict() == {"written": 9, "skipped": 1}
    assert digests(source) == before
    letter = table[table["status"] == "skipped"].iloc[0]
    assert letter["path"].endswith("letter.txt")
    assert "no DICOM data set" in letter["error"]
    outputs = sorted(digests(tmp_path / "clean"))
    assert outputs == sorted(table["output"].dropna())
    assert all(part.startswith("2.25.") for output in outputs for part in Path(output).parts)
    read = [dk.read(tmp_path / "clean" / output) for output in outputs]
    assert {ds.StudyInstanceUID for ds in read} == {Path(outputs[0]).parts[0]}
    assert {f"{ds.SOPInstanceUID}.dcm" for ds in read} == {Path(output).name for output in outputs}
    assert sorted(ds.InstanceNumber for ds in read) == list(range(9))
    assert certify(tmp_path / "clean", source, key=KEY).empty
    assert "key" not in table.attrs


def test_workers_and_runs_change_nothing(source: Path, tmp_path: Path) -> None:
    one = dk.deidentify_folder(source, tmp_path / "one", key=KEY, workers=1, progress=False)
    two = dk.deidentify_folder(source, tmp_path / "two", key=KEY, workers=2, progress=False)
    pd.testing.assert_frame_equal(one, two)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    other = dk.deidentify_folder(source, tmp_path / "other", key="another secret", progress=False)
    assert not set(one["output"].dropna()) & set(other["output"].dropna())


def test_a_second_run_does_what_is_missing(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean"
    first = dk.deidentify_folder(source, target, key=KEY, progress=False)
    state = digests(target)
    again = dk.deidentify_folder(source, target, key=KEY, progress=False)
    assert again["status"].value_counts().to_dict() == {"present": 9, "skipped": 1}
    (target / first["output"][0]).unlink()
    changed = source / "Doe Jane" / "Doe 5.dcm"
    dk.write(dk.read(changed).load().assign(InstanceNumber=55), changed, overwrite=True)
    third = dk.deidentify_folder(source, target, key=KEY, progress=False)
    assert third["status"].tolist().count("written") == 2
    assert {name for name in digests(target) if digests(target)[name] != state[name]} == {third["output"][5]}
    assert "Doe" not in (target / NAME).read_text()
    assert KEY not in (target / NAME).read_text()


def test_a_target_of_another_key_or_profile_is_refused(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean"
    dk.deidentify_folder(source, target, key=KEY, progress=False)
    with pytest.raises(SourceError, match="another key"):
        dk.deidentify_folder(source, target, key="another secret", progress=False)
    with pytest.raises(SourceError, match="another profile"):
        dk.deidentify_folder(source, target, dk.BASIC_PROFILE.with_options("retain_uids"), key=KEY, progress=False)
    (target / NAME).write_text("garbage")
    with pytest.raises(SourceError):
        dk.deidentify_folder(source, target, key=KEY, progress=False)


def test_a_manifest_that_was_cut_off_loses_its_last_line_only(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean"
    dk.deidentify_folder(source, target, key=KEY, progress=False)
    path = target / NAME
    path.write_bytes(path.read_bytes()[:-20])
    again = dk.deidentify_folder(source, target, key=KEY, progress=False)
    assert again["status"].value_counts().to_dict() == {"present": 8, "written": 1, "skipped": 1}


def test_a_random_key_comes_back(source: Path, tmp_path: Path) -> None:
    table = dk.deidentify_folder(source, tmp_path / "clean", progress=False)
    again = dk.deidentify_folder(source, tmp_path / "clean", key=table.attrs["key"], progress=False)
    assert again["status"].value_counts().to_dict() == {"present": 9, "skipped": 1}
    with pytest.raises(SourceError, match="another key"):
        dk.deidentify_folder(source, tmp_path / "clean", progress=False)


@pytest.mark.parametrize("where", ["source", "source/Doe Jane", "source/new/deep", ".", "link"])
def test_a_target_that_overlaps_the_source_is_refused(source: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / "link").symlink_to(source / "Doe Jane")
    before = digests(source)
    with pytest.raises(SourceError, match="the target is the source"):
        dk.deidentify_folder(source, tmp_path / where, key=KEY)
    with pytest.raises(SourceError, match="the target is the source"):
        dk.deidentify_folder(source / "Doe Jane" / "Doe 1.dcm", source / "Doe Jane", key=KEY)
    assert digests(source) == before


def test_two_files_of_one_instance_are_both_kept(source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "Doe Jane" / "Doe 1.dcm", source / "copy.dcm")
    table = dk.deidentify_folder(source, tmp_path / "clean", key=KEY, progress=False)
    assert table["status"].tolist().count("written") == 10
    assert sum("-2.dcm" in output for output in table["output"].dropna()) == 1


def test_what_fails_fails_alone(source: Path, tmp_path: Path) -> None:
    broken = (source / "Doe Jane" / "Doe 1.dcm").read_bytes()
    (source / "broken.dcm").write_bytes(broken[:-6])
    dk.write(dk.DataSet(SOPInstanceUID="1.2.9", PatientID="x"), source / "no class.dcm", anonymous=True)
    dk.write(
        dk.DataSet(SOPClassUID="1.2.840.10008.1.3.10", SOPInstanceUID="1.2", DirectoryRecordSequence=[]),
        source / "DICOMDIR",
    )
    table = dk.deidentify_folder(source, tmp_path / "clean", key=KEY, progress=False)
    rows = table.set_index(table["path"].map(os.path.basename))
    assert rows.loc["no class.dcm", "status"] == "failed"
    assert "SOPClassUID" in rows.loc["no class.dcm", "error"]
    assert rows.loc["DICOMDIR", "status"] == "skipped"
    assert rows["status"].tolist().count("written") in (9, 10)  # a value that is cut short may be readable
    assert not list((tmp_path / "clean").rglob("*.partial"))


def test_from_a_zip_and_a_list(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(source.rglob("*.dcm")):
            made.write(path, path.name)
    table = dk.deidentify_folder(archive, tmp_path / "clean", key=KEY, progress=False)
    listed = dk.deidentify_folder(sorted(source.rglob("*.dcm")), tmp_path / "listed", key=KEY, progress=False)
    assert table["output"].tolist() == listed["output"].tolist()
    assert digests(tmp_path / "clean") == digests(tmp_path / "listed")


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    table = dk.deidentify_folder(source, tmp_path / "clean", key=KEY, dry_run=True, progress=False)
    assert not (tmp_path / "clean").exists()
    assert list(table.columns) == ["file", "path", "action", "before", "after", "reason"]
    assert table["file"].nunique() == 9
    assert set(table.loc[table["path"] == "PatientName", "before"]) == {"Doe^Jane"}


def test_uids_from_files_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    ds = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="1.2.333333", StudyInstanceUID="1.22")
    data = to_part10(ds).replace(b"1.2.333333", b"../../evil").replace(b"1.22", b"/tmp")
    (tmp_path / "in" / "a.dcm").write_bytes(data)
    profile = dk.BASIC_PROFILE.with_options("retain_uids")
    table = dk.deidentify_folder(tmp_path / "in", tmp_path / "out", profile, key=KEY, progress=False)
    assert table["status"].tolist() == ["written"]
    assert ".." not in table["output"][0]
    assert (tmp_path / "out" / table["output"][0]).exists()


def test_functions_that_no_worker_knows(source: Path, tmp_path: Path) -> None:
    profile = dk.BASIC_PROFILE.with_overrides({"StudyDate": lambda element: "20000101"})
    with pytest.raises(ValueFormatError, match="worker processes"):
        deidentify_folder(source, tmp_path / "clean", profile, key=KEY, workers=2)
    table = deidentify_folder(source, tmp_path / "clean", profile, key=KEY, progress=False)
    assert dk.read(tmp_path / "clean" / table["output"][0]).StudyDate == "20000101"
    portable = dk.BASIC_PROFILE.with_overrides({"StudyDate": Replace("20000101")})
    table = deidentify_folder(source, tmp_path / "other", portable, key=KEY, workers=2, progress=False)
    assert table["status"].tolist().count("written") == 9


def test_a_worker_that_cannot_be_set_up_is_an_error_and_no_hang() -> None:
    with pytest.raises(DicomError, match="worker process ended"):
        list(in_processes(len, lambda: None, [1, 2], 2, 1))  # type: ignore[arg-type]
    with pytest.raises(DicomError, match="worker process ended"):
        list(in_processes(divmod, 0, [1, 2], 2, 1))  # type: ignore[arg-type]


def test_an_interrupted_run_goes_on(source: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nimport dicomkit.deidentification.folder as folder\n"
        "original, count = folder.replace_file, [0]\n"
        "def failing(path, chunks):\n"
        "    count[0] += 1\n"
        "    if count[0] > 4: os._exit(9)\n"
        "    original(path, chunks)\n"
        "folder.replace_file, folder.BATCH = failing, 2\n"
        f"folder.deidentify_folder({str(source)!r}, {str(tmp_path / 'clean')!r}, key={KEY!r}, workers=1)\n"
    )
    assert subprocess.run([sys.executable, str(script)], timeout=60).returncode == 9
    assert len(digests(tmp_path / "clean")) == 4
    table = dk.deidentify_folder(source, tmp_path / "clean", key=KEY, progress=False)
    assert table["status"].value_counts().to_dict() == {"present": 4, "written": 5, "skipped": 1}


def test_the_report_finds_what_was_left(source: Path, tmp_path: Path) -> None:
    profile = dk.BASIC_PROFILE.with_overrides({"PatientName": "K", "StudyDate": "K", "StudyInstanceUID": "K"})
    table = dk.deidentify_folder(source, tmp_path / "clean", profile, key=KEY, progress=False)
    (tmp_path / "clean" / "Doe_Jane.dcm").write_bytes((tmp_path / "clean" / table["output"][0]).read_bytes())
    (tmp_path / "clean" / "broken.dcm").write_bytes(b"x" * 300)
    found = certify(tmp_path / "clean", source, key=KEY)
    assert set(found["path"]) == {"PatientName", "StudyDate", "StudyInstanceUID", "(file name)", "(file)"}
    assert set(found["kind"]) == {"name", "date", "uid", "unread"}
    retained = dk.BASIC_PROFILE.with_options("retain_uids", retain_dates="full")
    assert set(certify(tmp_path / "clean", source, retained, key=KEY)["kind"]) == {"name", "unread"}


def test_shifted_dates_need_the_key_to_be_judged(tmp_path: Path) -> None:
    one = dk.DataSet(SOPInstanceUID="1.1", PatientID="PID0001", StudyDate="20240517")
    profile = dk.BASIC_PROFILE.with_options(retain_dates="modified")
    clean = dk.deidentify(one, profile, key=KEY)
    other = dk.DataSet(SOPInstanceUID="1.2", PatientID="PID0002", StudyDate=clean.StudyDate)
    assert len(certify(clean, [one, other], profile)) == 1
    assert certify(clean, [one, other], profile, key=KEY).empty


@needs_data
def test_real_files_come_out_clean_and_readable(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    files = all_dicom_files()
    table = dk.deidentify_folder(files, tmp_path / "clean", key=KEY, progress=False)
    assert len(files) > 600
    written = table[table["status"] == "written"]
    assert len(written) > 0.85 * len(files), table[table["status"] != "written"][["path", "error"]].values.tolist()
    for row in written.itertuples():
        ds = pydicom.dcmread(tmp_path / "clean" / row.output)
        assert ds.PatientIdentityRemoved == "YES"
        assert not [element for element in ds if element.tag.is_private]
        original = dk.read(row.path)
        if "PixelData" in original and "PixelData" in ds and not any(tag >> 24 == 0x60 for tag in original):
            ours = dk.read(tmp_path / "clean" / row.output)
            before, after = original.PixelData, ours.PixelData
            padded = len(before or b"") + len(before or b"") % 2
            assert len(after or b"") == padded or "JPEG" in original.transfer_syntax.name


@needs_data
def test_real_folder_is_certified(tmp_path: Path) -> None:
    source = real_file("22_deidentification")
    table = dk.deidentify_folder(source, tmp_path / "clean", key=KEY, progress=False)
    assert table["status"].tolist() == ["written"] * 3
    assert table["notes"].notna().sum() == 1  # burned-in annotation is stated, and was not asked to be cleaned
    assert certify(tmp_path / "clean", source, key=KEY).values.tolist() == []
    assert not certify(source, source).empty


@needs_data
def test_the_same_attributes_go_as_with_another_implementation() -> None:
    pytest.importorskip("pydicom")
    anonymizer = pytest.importorskip("dicomanonymizer")
    import pydicom

    path = real_file("22_deidentification/humans/ctbrain1.dcm")
    theirs = pydicom.dcmread(path)
    anonymizer.anonymize_dataset(theirs)
    ours = dk.deidentify(dk.read(path), key=KEY)
    original = pydicom.dcmread(path)
    # What they remove or change of the table of the standard, we remove or change too.
    changed = {
        int(element.tag)
        for element in original
        if element.tag.group % 2 == 0 and (element.tag not in theirs or theirs[element.tag].value != element.value)
    }
    kept_by_us = {tag for tag in changed if tag in ours and ours.get(tag) == dk.read(path).get(tag)}
    assert {dk.Tag(tag).keyword for tag in kept_by_us} <= {"ContentDate"}  # empty before and after
    assert len(changed) > 30
    assert DATA.exists()
