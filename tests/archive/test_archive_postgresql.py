"""An archive whose index is in PostgreSQL gives the answers that one in memory gives, and one that many use at once."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator

import peers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_archive import EXPLICIT, QUERIES, asked_of, instance, received
from test_archive_histories import INSTANCES, queries
from test_archive_histories import received as received_bytes

from dicomkit.archive import FolderArchive, IndexFailedError, MemoryArchive
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import MissingFeatureError
from dicomkit.query import Keys, Query, query

psycopg = pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def server() -> Iterator[peers.Server]:
    with peers.postgres() as started:
        yield started


@pytest.fixture
def url(server: peers.Server, tmp_path) -> str:
    return new_database(server)


def new_database(server: peers.Server) -> str:
    """Make an empty database of its own."""
    name = f"archive_{os.urandom(6).hex()}"
    with psycopg.connect(f"host={peers.LOCALHOST} port={server.port} user=dicomkit dbname=postgres") as connection:
        connection.autocommit = True
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://dicomkit@{peers.LOCALHOST}:{server.port}/{name}"


@pytest.fixture(scope="module")
def twins(server, tmp_path_factory):
    memory, folder = MemoryArchive(), FolderArchive(tmp_path_factory.mktemp("twins"), index=new_database(server))
    for number in range(30):
        ds = instance(number, StudyDate=None if number % 5 == 3 else f"202401{number % 5 * 5 + 1:02}")
        memory.store(ds)
        folder.store(ds)
    yield memory, folder
    folder.close()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES)
def test_it_gives_what_memory_gives(twins, given_query):
    asked, keys = asked_of(given_query)
    found = [list(archive.search(asked)) for archive in twins]
    assert found[0] == found[1]
    if "ModalitiesInStudy" not in keys:
        fetched = [[stored.sop_instance_uid for stored in archive.fetch(asked)] for archive in twins]
        assert fetched[0] == fetched[1]


@pytest.fixture(scope="module")
def histories(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("histories")
    with FolderArchive(folder, index=new_database(server), duplicates="replace") as archive:
        yield archive


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(INSTANCES, st.booleans()), max_size=12),
    st.lists(queries(), min_size=4, max_size=4),
    st.lists(st.integers(1, 8), max_size=2),
)
def test_any_history_gives_the_same_answers(histories, history, asked, deleted):
    memory = MemoryArchive(duplicates="replace")
    histories.delete(query("image"))
    assert len(histories) == 0
    for ds, write_rows in history:
        memory.store(ds)
        histories.store(ds)
        if write_rows:
            len(histories)
    for number in deleted:
        one = query("image", SOPInstanceUID=f"2.25.{number}")
        assert memory.delete(one) == histories.delete(one)
    for each in asked:
        assert list(memory.search(each)) == list(histories.search(each))
        uids = [[stored.sop_instance_uid for stored in one.fetch(each)] for one in (memory, histories)]
        assert uids[0] == uids[1]


def test_it_is_there_when_it_is_opened_again(url, tmp_path):
    with FolderArchive(tmp_path, index=url) as archive:
        stored = received(archive, instance(1, PixelData=bytes(300)))
        assert archive.receive(stored.sop_class_uid, "2.25.9", EXPLICIT).discard() is None
    with FolderArchive(tmp_path, index=url, duplicates="refuse") as archive:
        assert len(archive) == 1
        (found,) = archive.fetch(query("image", SOPInstanceUID="2.25.1"))
        assert found == stored
        assert archive.reindex() == 1
        (study,) = archive.search(query("study", return_keys=["NumberOfStudyRelatedInstances", "ModalitiesInStudy"]))
        assert (study.NumberOfStudyRelatedInstances, study.ModalitiesInStudy) == (1, "CT")
        encoded = archive.search_encoded(query("image", StudyInstanceUID="1.2.1"), {"RetrieveAETitle": "X"})
        assert len(list(encoded)) == 1


def test_texts_that_a_database_may_not_like(url, tmp_path):
    names = ["100%^A_B", "Ĝi^Ä", "x'; DROP TABLE instances; --", "DOE#JANE"]
    with FolderArchive(tmp_path, index=url) as archive:
        for number, name in enumerate(names, 1):
            ds = instance(number, SpecificCharacterSet="ISO_IR 192", PatientID=name)
            received_bytes(archive, ds, to_bytes(ds, EXPLICIT).replace(b"#", b"\0"))
        assert len(archive) == len(names)
        for number, name in enumerate(names, 1):
            (found,) = archive.fetch(Query("IMAGE", Keys([("PatientID", name.replace("#", "\0"))]), ()))
            assert found.sop_instance_uid == f"2.25.{number}"


@pytest.mark.parametrize("count", [1500, 40_000])
def test_long_lists_of_uids(url, tmp_path, count):
    asked = query("image", SOPInstanceUID=[f"2.25.{number}" for number in range(count)])
    with FolderArchive(tmp_path, index=url) as archive:
        archive.store(instance(5))
        assert len(list(archive.fetch(asked))) == len(list(archive.search(asked))) == 1


def _store_many(folder: str, url: str, start: int) -> None:
    with FolderArchive(folder, index=url) as archive:
        for number in (*range(start, start + 40), *range(20)):  # some of them are those of others, too
            archive.store(instance(number))
            if number % 7 == 0:
                len(archive)


def test_threads_and_processes_write_and_read_at_once(url, tmp_path):
    with FolderArchive(tmp_path, index=url):
        pass
    processes = [
        multiprocessing.get_context("spawn").Process(target=_store_many, args=(str(tmp_path), url, start))
        for start in (1000, 2000)
    ]
    for process in processes:
        process.start()
    failures = []
    with FolderArchive(tmp_path, index=url) as archive:

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


def test_more_threads_than_a_server_has_connections(url, tmp_path):
    """As those of associations are, which live on."""
    with FolderArchive(tmp_path, index=url) as archive:
        stored, may_end = threading.Barrier(121), threading.Event()

        def work(number: int) -> None:
            received(archive, instance(number))
            stored.wait(30)
            may_end.wait(30)

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(120)]
        for thread in threads:
            thread.start()
        try:
            stored.wait(30)
        finally:
            may_end.set()
        for thread in threads:
            thread.join()
        assert len(archive) == 120


def test_a_server_that_was_started_anew_is_found_again(server, url, tmp_path):
    with FolderArchive(tmp_path, index=url) as archive:
        received(archive, instance(1))
        assert len(archive) == 1
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.autocommit = True
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        received(archive, instance(2))
        assert len(archive) == 2


def test_no_server_is_one_of_our_errors(tmp_path):
    nobody = f"postgresql+psycopg://dicomkit@{peers.LOCALHOST}:{peers.free_port()}/postgres"
    with pytest.raises(IndexFailedError, match="index of the archive"):
        FolderArchive(tmp_path, index=nobody)
    with pytest.raises(IndexFailedError, match="index of the archive"):
        FolderArchive(tmp_path, index="no URL at all")
    with pytest.raises(MissingFeatureError, match="mysql"):
        FolderArchive(tmp_path, index="mysql+mysqlconnector://x@localhost/y")
