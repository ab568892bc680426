"""Archives in memory and in a folder: the same answers, whole files or none, and nothing from outside in a path."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realdata import DATA, needs_data

from dicomkit import DataSet, read
from dicomkit.archive import (
    Archive,
    ArchiveFullError,
    DuplicateInstanceError,
    FolderArchive,
    MemoryArchive,
    MismatchError,
    NotUnderstoodError,
)
from dicomkit.archive.place import path_part, placing
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.new_file import PREFIX
from dicomkit.query import query
from dicomkit.samples import ct_series

EXPLICIT = "1.2.840.10008.1.2.1"


def instance(number: int, **elements: object) -> DataSet:
    return DataSet(
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "SOPInstanceUID": f"2.25.{number}",
            "StudyInstanceUID": f"1.2.{number % 5}",
            "SeriesInstanceUID": f"1.3.{number % 10}",
            "PatientID": f"P{number % 5 % 3}",
            "PatientName": ("DOE^JANE", "Roe^Jim", "Doe^Jack")[number % 5 % 3],
            "Modality": ("CT", "MR")[number % 10 // 5],
            "StudyDate": f"202401{number % 5 + 1:02}",
            "InstanceNumber": number,
            **elements,
        }
    )


@pytest.fixture(params=["memory", "folder"])
def archive(request, tmp_path):
    if request.param == "memory":
        yield MemoryArchive()
    else:
        with FolderArchive(tmp_path / "archive") as made:
            yield made


def received(archive, ds: DataSet, **announced: str):
    receipt = archive.receive(
        announced.get("sop_class", ds.SOPClassUID), announced.get("uid", ds.SOPInstanceUID), EXPLICIT, calling_ae="THEM"
    )
    data = to_bytes(ds, EXPLICIT)
    try:
        for start in range(0, len(data), 50):
            receipt.write([memoryview(data)[start : start + 20], data[start + 20 : start + 50]])
        return receipt.commit()
    except DicomError:
        receipt.discard()
        raise


def test_both_are_archives(archive):
    assert isinstance(archive, Archive)
    assert repr(archive)


def test_what_was_received_is_found_and_comes_back(archive):
    ds = instance(1, PixelData=bytes(300), Rows=10, Columns=15, BitsAllocated=16)
    stored = received(archive, ds)
    assert stored.sop_instance_uid == "2.25.1"
    (found,) = archive.fetch(query("image", SOPInstanceUID="2.25.1"))
    assert found.read().drop("PixelData") == ds.drop("PixelData")
    encoded = found.data_set()
    assert bytes(encoded) == to_bytes(ds, EXPLICIT)
    assert found.size == len(bytes(encoded))
    if found.path is not None:
        assert read(found.path).meta.SourceApplicationEntityTitle == "THEM"


def test_levels_and_computed_keys(archive):
    for number in range(20):
        archive.store(instance(number))
    (study,) = archive.search(query("study", StudyInstanceUID="1.2.1"))
    assert study.ModalitiesInStudy == ("CT", "MR")
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 4)
    (series,) = archive.search(query("series", SeriesInstanceUID="1.3.1"))
    assert series.NumberOfSeriesRelatedInstances == 2
    patients = list(archive.search(query("patient", return_keys=["NumberOfPatientRelatedInstances"])))
    assert sorted(patient.NumberOfPatientRelatedInstances for patient in patients) == [4, 8, 8]
    assert len(list(archive.search(query("image"), limit=7))) == 7
    assert len(list(archive.search(query("image"), offset=15))) == 5


def test_duplicates(tmp_path):
    first, second = instance(1, StudyDescription="first"), instance(1, StudyDescription="second")
    for policy, kept in (("keep", "first"), ("replace", "second")):
        for archive in (MemoryArchive(duplicates=policy), FolderArchive(tmp_path / policy, duplicates=policy)):
            received(archive, first)
            received(archive, second)
            (found,) = archive.fetch(query("image"))
            assert found.read().StudyDescription == kept
    for archive in (MemoryArchive(duplicates="refuse"), FolderArchive(tmp_path / "refuse", duplicates="refuse")):
        received(archive, first)
        with pytest.raises(DuplicateInstanceError):
            received(archive, second)
        assert [found.read().StudyDescription for found in archive.fetch(query("image"))] == ["first"]


def test_what_is_not_taken_leaves_nothing(archive, tmp_path):
    ds = instance(1)
    with pytest.raises(MismatchError):
        received(archive, ds, uid="2.25.99")
    with pytest.raises(NotUnderstoodError):
        received(archive, ds.drop("StudyInstanceUID"))
    receipt = archive.receive("1.2", "1.3", EXPLICIT)
    receipt.write([b"\xff" * 100])
    with pytest.raises(DicomError):
        receipt.commit()
    receipt.discard()
    assert list(archive.search(query("image"))) == []
    assert list(tmp_path.rglob("*.dcm")) == []
    assert [path for path in tmp_path.rglob(".dicomkit-*") if "index" not in path.name] == []


def test_limits(tmp_path):
    with pytest.raises(ArchiveFullError):
        MemoryArchive(most_bytes=100).store(instance(1))
    with FolderArchive(tmp_path, min_free=1 << 62) as archive, pytest.raises(ArchiveFullError):
        archive.receive("1.2", "1.3", EXPLICIT)


def test_delete(archive, tmp_path):
    for number in range(10):
        archive.store(instance(number))
    assert archive.delete(query("study", StudyInstanceUID="1.2.1")) == 2
    assert len(archive) == 8
    assert list(archive.search(query("study", StudyInstanceUID="1.2.1"))) == []
    assert len(list(tmp_path.rglob("*.dcm"))) in (0, 8)


TEXTS = st.sampled_from(["DOE*", "doe^ja*", "R?e*", "*", "Doe^Jack", "roe^jim", "X*", "D_E*", "100%"])
DATES = st.sampled_from(["20240105", "20240103-20240110", "-20240104", "20240120-", "2024-", "202401"])
QUERIES = st.builds(
    lambda level, keys: (level, {name: value for name, value in keys.items() if value is not None}),
    st.sampled_from(["patient", "study", "series", "image"]),
    st.fixed_dictionaries(
        {
            "PatientName": st.none() | TEXTS,
            "PatientID": st.none() | st.sampled_from(["P1", "P*", "P?", "Q"]),
            "StudyDate": st.none() | DATES,
            "StudyInstanceUID": st.none() | st.lists(st.sampled_from(["1.2.1", "1.2.3"]), min_size=1, max_size=2),
            "ModalitiesInStudy": st.none() | st.sampled_from(["CT", "MR", "US"]),
            "Modality": st.none() | st.sampled_from(["CT", "MR"]),
            "InstanceNumber": st.none() | st.integers(0, 30),
        }
    ),
)
BELOW = {"patient": ("StudyDate", "StudyInstanceUID", "ModalitiesInStudy"), "study": ("Modality",)}


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    memory, folder = MemoryArchive(), FolderArchive(tmp_path_factory.mktemp("twins"))
    for number in range(30):
        ds = instance(number, StudyDate=None if number % 5 == 3 else f"202401{number % 5 * 5 + 1:02}")
        memory.store(ds)
        folder.store(ds)
    yield memory, folder
    folder.close()


def asked_of(given_query):
    """The query, without the keys that are none on its level."""
    level, keys = given_query
    levels = ["patient", "study", "series", "image"]
    own = {"StudyDate": 1, "StudyInstanceUID": 1, "ModalitiesInStudy": 1, "Modality": 2, "InstanceNumber": 3}
    keys = {name: value for name, value in keys.items() if own.get(name, 0) <= levels.index(level)}
    return query(level, **keys), keys


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES)
def test_both_give_the_same(twins, given_query):
    asked, keys = asked_of(given_query)
    found = [list(archive.search(asked)) for archive in twins]
    assert found[0] == found[1]
    fetched = [sorted(stored.sop_instance_uid for stored in archive.fetch(asked)) for archive in twins]
    if "ModalitiesInStudy" not in keys:
        assert fetched[0] == fetched[1]


# ---- the folder ----------------------------------------------------------------------------------------------------


def test_a_lost_index_is_made_again(tmp_path):
    with FolderArchive(tmp_path) as archive:
        for ds in ct_series(4, 8):
            archive.store(ds)
        before = list(archive.search(query("image")))
    for path in tmp_path.glob(".dicomkit-index*"):
        path.unlink()
    with FolderArchive(tmp_path) as archive:
        assert len(archive) == 0
        assert archive.reindex() == 4
        after = {ds.SOPInstanceUID: ds for ds in archive.search(query("image"))}
        assert after == {ds.SOPInstanceUID: ds for ds in before}


def test_what_a_crash_left_without_a_row_is_found_again(tmp_path):
    script = (
        "import os, sys\nfrom dicomkit.archive import FolderArchive\nfrom dicomkit.samples import ct_series\n"
        "import dicomkit.archive.folder as folder\nfolder._FLUSH_AFTER = 30\n"
        f"archive = FolderArchive({str(tmp_path)!r})\n"
        "for ds in ct_series(5, 8): archive.store(ds)\n"
        "os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 9
    assert len(list(tmp_path.rglob("*.dcm"))) == 5
    with FolderArchive(tmp_path) as archive:
        assert len(archive) == 5


@needs_data
def test_what_a_crash_left_half_written_is_removed_once_it_is_old(tmp_path):
    names = [PREFIX + digit * 16 for digit in "ab"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / names[0], (0, 0))
    with FolderArchive(tmp_path) as archive:
        assert len(archive) == 0
        assert [path.name for path in tmp_path.glob(PREFIX + "[ab]*")] == names[1:]  # somebody may be writing it


def test_an_existing_folder_is_taken_in_without_copying(tmp_path):
    folder = DATA / "05_series_ct"
    with FolderArchive(tmp_path) as archive:
        count = archive.take_in(folder)
        assert count == len(archive) > 0
        for stored in archive.fetch(query("image")):
            assert Path(stored.path).resolve().is_relative_to(folder.resolve())
            assert bytes(stored.data_set())
        assert archive.delete(query("image")) == count
    assert list(tmp_path.rglob("*.dcm")) == []
    assert all(path.exists() for path in folder.iterdir())


def _store_many(folder: str, start: int) -> None:
    with FolderArchive(folder) as archive:
        for number in (*range(start, start + 40), *range(20)):  # some of them are those of others, too
            archive.store(instance(number))
            if number % 7 == 0:
                len(archive)


def test_threads_and_processes_write_and_read_at_once(tmp_path):
    processes = [
        multiprocessing.get_context("spawn").Process(target=_store_many, args=(str(tmp_path), start))
        for start in (1000, 2000)
    ]
    for process in processes:
        process.start()
    failures = []
    with FolderArchive(tmp_path) as archive:

        def work(start: int) -> None:
            try:
                for number in range(start, start + 30):
                    archive.store(instance(number))
                    list(archive.search(query("study")))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(start,)) for start in (100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
        assert not failures
        assert len(archive) == 2 * 40 + 3 * 30 + 20


@given(st.text(max_size=300))
def test_no_text_leads_a_path_astray(text):
    part = path_part(text)
    assert part not in ("", ".", "..")
    assert len(part) <= 65
    assert not set(part) & set('/\\:*?"<>|\0\n')
    assert not part.startswith(".")
    assert os.path.basename(part) == part


def test_no_part_of_a_path_is_hidden_or_an_option():
    assert [path_part(text) for text in (".hidden", "-rf", "--", "a-b")] == ["_hidden", "_rf", "_", "a-b"]


def test_templates():
    place = placing("{Modality}/{PatientName}-{StudyDate}/{SOPInstanceUID}")
    assert place(instance(1)) == "CT/Roe_Jim-20240102/2.25.1"
    with pytest.raises(ValueFormatError, match="no keyword"):
        placing("{Nonsense}/{SOPInstanceUID}")
    with pytest.raises(ValueFormatError, match="SOPInstanceUID"):
        placing("{PatientID}.dcm")
