"""Archives after a history: replaced, moved and lost instances, hostile names, full disks, and many who ask at once."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomkit import DataSet
from dicomkit.archive import ArchiveFullError, FolderArchive, IndexFailedError, MemoryArchive
from dicomkit.archive.cards import make_card
from dicomkit.archive.index_tables import Row
from dicomkit.archive.place import placing
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.query import Keys, Query, query

EXPLICIT = "1.2.840.10008.1.2.1"
LEVELS = ["patient", "study", "series", "image"]
CT = "1.2.840.10008.5.1.4.1.1.2"


def instance(number: int, **elements: object) -> DataSet:
    return DataSet(
        {
            "SOPClassUID": CT,
            "SOPInstanceUID": f"2.25.{number}",
            "StudyInstanceUID": "1.2.1",
            "SeriesInstanceUID": "1.3.1",
            "PatientID": "P",
            "PatientName": "DOE^JANE",
            "Modality": "CT",
            "StudyDate": "20240101",
            **elements,
        }
    )


def received(archive, ds: DataSet, data: bytes | None = None, uid: str | None = None):
    receipt = archive.receive(CT, uid or ds.SOPInstanceUID, EXPLICIT)
    try:
        receipt.write([to_bytes(ds, EXPLICIT) if data is None else data])
        return receipt.commit()
    except BaseException:
        receipt.discard()
        raise


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".dicomkit-") and "index" not in path.name]


INSTANCES = st.builds(
    lambda number, patient, study, series, name, date, modality: instance(
        number,
        PatientID=patient,
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
        PatientName=name,
        StudyDate=date,
        Modality=modality,
    ),
    st.integers(1, 8),
    st.sampled_from(["P", "Q", None]),
    st.sampled_from(["1.2.1", "1.2.2"]),
    st.sampled_from(["1.3.1", "1.3.2", "1.3.3"]),
    st.sampled_from(["DOE^J", "Roe^J", None]),
    st.sampled_from(["20240101", "20240202", None]),
    st.sampled_from(["CT", "MR"]),
)
KEYS = {
    "PatientName": (0, ["doe*", "R?E*", " DOE*", "=X"]),
    "PatientID": (0, ["P", "Q*", '""']),
    "StudyDate": (1, ["20240101", "20240101-20240131", "-2024", '""']),
    "StudyInstanceUID": (1, ["1.2.1", ["1.2.1", "1.2.2"]]),
    "ModalitiesInStudy": (1, ["MR"]),
    "SeriesInstanceUID": (2, ["1.3.1", ["1.3.3", "1.3.2"]]),
    "Modality": (2, ["CT", ["CT", "MR"]]),
    "SOPInstanceUID": (3, ["2.25.1", ["2.25.2", "2.25.7"]]),
}


@st.composite
def queries(draw):
    level = draw(st.integers(0, 3))
    allowed = {name: st.sampled_from(values) for name, (own, values) in KEYS.items() if own <= level}
    return query(LEVELS[level], **draw(st.fixed_dictionaries({}, optional=allowed)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(INSTANCES, st.booleans()), max_size=16),
    st.lists(queries(), min_size=4, max_size=4),
    st.sampled_from(["keep", "replace"]),
    st.lists(st.integers(1, 8), max_size=2),
)
def test_any_history_gives_the_same_answers(tmp_path_factory, history, asked, duplicates, deleted):
    """Instances contradict each other here, as those of real studies do."""
    folder, memory = tmp_path_factory.mktemp("history"), MemoryArchive(duplicates=duplicates)
    with FolderArchive(folder, duplicates=duplicates) as archive:
        for ds, write_rows in history:
            memory.store(ds)
            archive.store(ds)
            if write_rows:
                len(archive)
        for number in deleted:
            one = query("image", SOPInstanceUID=f"2.25.{number}")
            assert memory.delete(one) == archive.delete(one)
        for each in asked:
            assert list(memory.search(each)) == list(archive.search(each))
            uids = [[stored.sop_instance_uid for stored in one.fetch(each)] for one in (memory, archive)]
            assert uids[0] == uids[1]
        assert len(list(folder.rglob("*.dcm"))) == len(memory)
        before = {stored.sop_instance_uid: stored.path for stored in archive.fetch(query("image"))}
        archive.reindex()
        assert before == {stored.sop_instance_uid: stored.path for stored in archive.fetch(query("image"))}


def test_what_is_replaced_keeps_its_study_findable(tmp_path):
    with FolderArchive(tmp_path, duplicates="replace") as archive:
        for number in (1, 2, 3, 1):
            archive.store(instance(number))
            len(archive)
        assert [len(list(archive.search(query(level)))) for level in LEVELS] == [1, 1, 1, 3]


def test_taking_in_twice_changes_nothing(tmp_path):
    with FolderArchive(tmp_path / "source") as source:
        source.store(instance(1))
        source.store(instance(2))
    with FolderArchive(tmp_path / "archive") as archive:
        archive.take_in(tmp_path / "source")
        archive.store(instance(9, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.3.9"))
        len(archive)
        archive.take_in(tmp_path / "source")
        assert len(list(archive.search(query("study")))) == 2
        archive.reindex()
        assert len(archive) == 3


def test_what_is_replaced_from_elsewhere_leaves_no_file(tmp_path):
    with FolderArchive(tmp_path, duplicates="replace") as archive:
        archive.store(instance(1))
        archive.store(instance(1, PatientID="Q"))
        assert len(list(tmp_path.rglob("*.dcm"))) == 1
        archive.reindex()
        (found,) = archive.search(query("image", return_keys=["PatientID"]))
        assert found.PatientID == "Q"


def test_an_instance_whose_file_went_is_taken_again(tmp_path):
    with FolderArchive(tmp_path) as archive:
        os.unlink(received(archive, instance(1)).path)
        assert os.path.exists(received(archive, instance(1)).path)


def test_a_file_that_gets_no_place_gets_no_row(tmp_path):
    with FolderArchive(tmp_path) as archive:
        (tmp_path / "P").write_bytes(b"a file where a folder should be")
        with pytest.raises(DicomError):
            received(archive, instance(1))
        assert len(archive) == 0
        assert unfinished(tmp_path) == []


def test_a_disk_that_fills_up_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with FolderArchive(tmp_path) as archive:
        for name in ("writev", "replace"):
            with monkeypatch.context() as patched:
                patched.setattr(os, name, full, raising=False)
                patched.setattr(os, "write", full)
                with pytest.raises(ArchiveFullError):
                    received(archive, instance(1))
        assert unfinished(tmp_path) == []
        assert len(archive) == 0


@pytest.mark.parametrize("count", [1500, 40_000])
def test_long_lists_of_uids(tmp_path, count):
    asked = query("image", SOPInstanceUID=[f"2.25.{number}" for number in range(count)])
    with FolderArchive(tmp_path) as archive:
        archive.store(instance(5))
        assert len(list(archive.fetch(asked))) == len(list(archive.search(asked))) == 1


def test_searches_under_way_hold_no_connection(tmp_path):
    with FolderArchive(tmp_path) as archive:
        cards = [make_card(instance(number)) for number in range(1200)]
        archive._index.add([Row(card, EXPLICIT, f"{card.sop_instance_uid}.dcm", 0, 0) for card in cards])
        under_way, done = [], threading.Event()

        def ask() -> None:
            for _ in range(40):
                under_way.append(archive.search(query("image")))
                next(under_way[-1])
            done.set()

        threading.Thread(target=ask, daemon=True).start()
        assert done.wait(20), f"the search after {len(under_way)} others waits for a connection"
        assert sum(1 for _ in under_way[0]) == 1199


@pytest.mark.parametrize("uid", ["1.2.*", "1.2.?", ("1.2.1", "1.2.*"), '""'])
def test_encoded_answers_are_those_of_search(tmp_path, uid):
    with FolderArchive(tmp_path) as archive:
        archive.store(instance(1))
        archive.store(instance(2, StudyInstanceUID="1.2.2", SeriesInstanceUID="1.3.2"))
        asked = Query("IMAGE", Keys([("StudyInstanceUID", uid)]), ("SOPInstanceUID",))
        encoded = archive.search_encoded(asked, {})
        assert encoded is None or len(list(encoded)) == len(list(archive.search(asked)))


@pytest.mark.parametrize("pair", [("1.2." + "1" * 60 + "2", "1.2." + "1" * 60 + "3"), ("1.2/3", "1.2_3")])
def test_what_is_no_uid_takes_the_place_of_no_other(tmp_path, pair):
    whole, start = to_bytes(instance(1), EXPLICIT), b"\x08\x00\x18\x00UI"
    place = whole.index(start) + len(start)
    rest = whole[place + 2 + int.from_bytes(whole[place : place + 2], "little") :]
    with FolderArchive(tmp_path) as archive:
        for uid in pair:
            value = uid.encode() + bytes(len(uid) % 2)
            data = whole[:place] + len(value).to_bytes(2, "little") + value + rest
            received(archive, instance(1), data, uid)
        found = list(archive.fetch(query("image")))
        assert [stored.read().SOPInstanceUID for stored in found] == list(pair)
        assert all(Path(stored.path).is_relative_to(tmp_path) for stored in found)


def test_names_fit_on_any_disk(tmp_path):
    wide = "\U00020000" * 64
    with FolderArchive(tmp_path, template="{PatientID}/{PatientName}{StudyID}{SOPInstanceUID}") as archive:
        ds = instance(1, SpecificCharacterSet="ISO_IR 192", PatientID=wide, PatientName="A=" + wide, StudyID="1" * 16)
        assert os.path.exists(received(archive, ds).path)
    assert all(len(part.encode()) <= 255 for part in placing("{PatientID}/{SOPInstanceUID}")(ds).split("/"))


def test_an_index_that_is_damaged_is_one_of_our_errors(tmp_path):
    (tmp_path / ".dicomkit-index.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(IndexFailedError, match="reindex"):
        FolderArchive(tmp_path)


def test_the_mark_of_one_archive_is_not_taken_away_by_another(tmp_path):
    with FolderArchive(tmp_path) as one, FolderArchive(tmp_path) as other:
        with one._flushing:
            one.store(instance(1))
            other.store(instance(2))
            len(other)
            assert unfinished(tmp_path)
        assert len(one) == 2
        assert unfinished(tmp_path) == []


def test_the_same_instances_from_many_threads(tmp_path):
    with FolderArchive(tmp_path) as archive:
        threads = [
            threading.Thread(target=received, args=(archive, instance(number % 3, PatientID=f"P{number}")))
            for number in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(archive) == len(list(tmp_path.rglob("*.dcm"))) == 3
        assert all(os.path.exists(stored.path) for stored in archive.fetch(query("image")))


def test_threads_that_live_on_hold_no_connection_that_others_need(tmp_path):
    """As those of associations do, which store now and then."""
    with FolderArchive(tmp_path) as archive:
        stored, may_end = threading.Barrier(25), threading.Event()

        def work(number: int) -> None:
            received(archive, instance(number))
            stored.wait(20)
            may_end.wait(20)

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(24)]
        for thread in threads:
            thread.start()
        try:
            stored.wait(20)
        finally:
            may_end.set()
        for thread in threads:
            thread.join()
        assert len(archive) == 24


def test_rows_written_while_an_instance_comes_are_seen(tmp_path):
    with FolderArchive(tmp_path) as archive:
        slow = archive.receive(CT, "2.25.1", EXPLICIT)
        slow.write([to_bytes(instance(1, PatientID="LATER"), EXPLICIT)])
        received(archive, instance(1))
        assert len(archive) == 1
        assert "LATER" not in slow.commit().path
        assert len(list(tmp_path.rglob("*.dcm"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_a_file_whose_name_is_no_text_is_taken_in(tmp_path):
    with FolderArchive(tmp_path / "source") as source:
        path = received(source, instance(1)).path
    odd = os.path.join(os.path.dirname(os.fsencode(path)), b"\xff.dcm")
    os.rename(path, odd)
    with FolderArchive(tmp_path / "archive") as archive:
        assert archive.take_in(tmp_path / "source") == len(archive) == 1
        (found,) = archive.fetch(query("image"))
        assert os.fsencode(found.path) == odd
        assert found.read().SOPInstanceUID == "2.25.1"
        assert archive.reindex() == 1
