"""The queue: what it keeps, how instances get in and out, what it costs, and what it refuses."""

import os
import pickle
import random
import sqlite3
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.delivery.queue import Queue
from dicomkit.delivery.queue_entry import Entry
from dicomkit.delivery.queue_put import Receipt
from dicomkit.delivery.queue_tables import QueueError, key_of
from dicomkit.dimse.outgoing import Outgoing
from dicomkit.encoding.writer import iter_part10, to_bytes
from dicomkit.errors import DicomError, SourceError, ValueFormatError
from dicomkit.net.errors import PeerTimeoutError

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def instance(number: int, path: str | None = None, size: int = 100) -> Outgoing:
    """An instance that has a file, which nobody reads."""
    return Outgoing(CT, f"1.2.3.{number}", EXPLICIT, bytes, path or f"/in/{number}.dcm", size)


def dataset(number: int = 1, **values: object) -> dk.DataSet:
    return dk.DataSet(SOPClassUID=CT, SOPInstanceUID=f"1.2.3.{number}", **values)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(tmp_path, clock):
    with Queue(tmp_path / "out.queue", clock=clock) as opened:
        yield opened


def files_of(queue: Queue) -> list[Path]:
    return [path for path in Path(queue.spool).rglob("*") if path.is_file()]


# ---- in and out ----------------------------------------------------------------------------------------------------


def test_the_urgent_goes_first_and_among_equals_the_first(queue):
    queue.put([instance(1), instance(2)], "PACS")
    queue.put(instance(3), "PACS", priority=5)
    queue.put(instance(4), "BACKUP", priority=5)
    queue.put(instance(5), "BACKUP", priority=-1)
    assert [entry.sop_instance_uid[-1] for entry in queue.claim(10)] == list("34125")
    assert queue.claim(10) == []


def test_files_are_put_by_their_paths_and_what_is_no_file_is_told(tmp_path, queue):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        dk.write(dataset(number), folder / f"{number}.dcm")
    (folder / "notes.txt").write_text("no DICOM")
    receipt = queue.put(folder, "PACS")
    assert (receipt.added, receipt.merged, receipt.skipped) == (3, 0, 0)
    assert len(receipt.refused) == 1
    assert receipt.refused[0][0].endswith("notes.txt")
    with pytest.raises(DicomError, match=r"1 instances can't be queued.*notes\.txt"):
        receipt.raise_for_refused()
    assert [entry.path for entry in queue.entries()] == [str(folder / f"{number}.dcm") for number in range(3)]
    assert all(entry.size > 0 and not entry.is_spooled for entry in queue.entries())
    assert bytes(queue.entries()[1].outgoing().to_dataset().SOPInstanceUID, "ascii") == b"1.2.3.1"


def test_relative_paths_hold_wherever_the_process_goes(tmp_path, queue, monkeypatch):
    dk.write(dataset(), tmp_path / "a.dcm")
    monkeypatch.chdir(tmp_path)
    queue.put("a.dcm", "PACS")
    assert queue.claim()[0].path == str(tmp_path / "a.dcm")


@pytest.mark.parametrize("form", ["dataset", "bytes", "outgoing"])
def test_what_has_no_file_is_kept_until_it_is_delivered(queue, form):
    ds = dataset(PatientID="A-17", PixelData=b"\1\2" * 50_000, BitsAllocated=16, Rows=1, Columns=1)
    encoded = to_bytes(ds, EXPLICIT)
    sources = {
        "dataset": ds,
        "bytes": b"".join(iter_part10(ds)),
        "outgoing": Outgoing.of_bytes(
            encoded, sop_class_uid=CT, sop_instance_uid="1.2.3.1", transfer_syntax_uid=EXPLICIT
        ),
    }
    queue.put(sources[form], "PACS")
    [entry] = queue.claim()
    assert entry.is_spooled
    assert entry.size == len(encoded)
    assert dk.read(entry.path) == ds
    assert entry.outgoing().to_dataset() == ds
    queue.delivered(entry)
    assert files_of(queue) == []


def test_a_copy_outlives_its_file(tmp_path, queue):
    path = tmp_path / "a.dcm"
    dk.write(dataset(PatientID="A-17"), path)
    queue.put(path, "PACS", copy=True)
    path.unlink()
    [entry] = queue.claim()
    assert dk.read(entry.path).PatientID == "A-17"


def test_a_file_that_holds_another_instance_by_now_is_not_sent_for_it(tmp_path, queue):
    path = tmp_path / "a.dcm"
    dk.write(dataset(1), path)
    queue.put(path, "PACS")
    dk.write(dataset(2), path)
    [entry] = queue.claim()
    with pytest.raises(SourceError, match=r"no longer holds 1\.2\.3\.1"):
        entry.outgoing()


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names of files are text here")
def test_a_file_whose_name_is_no_text_is_refused_or_copied(tmp_path, queue):
    path = os.path.join(os.fsencode(tmp_path), b"M\xfcller.dcm")
    dk.write(dataset(1), os.fsdecode(path))
    receipt = queue.put([os.fsdecode(path), instance(2)], "PACS")
    assert (receipt.added, len(receipt.refused)) == (1, 1)
    assert "copy=True" in str(receipt.refused[0][1])
    assert queue.put(os.fsdecode(path), "PACS", copy=True).added == 1
    queue.failed(queue.claim(), SourceError("gone", path=os.fsdecode(path)))
    assert "\\udcfcller" in queue.entries("dead")[0].error
    with pytest.raises(ValueFormatError):
        queue.put(instance(3), "\udcfc")


def test_a_folder_that_cannot_be_made_is_told_for_each_instance(queue):
    Path(queue.spool).write_text("in the way")
    receipt = queue.put([dataset(1), instance(2)], "PACS")
    assert (receipt.added, len(receipt.refused)) == (1, 1)
    assert isinstance(receipt.refused[0][1], SourceError)


def test_an_interruption_after_the_rows_are_there_takes_no_file_away(queue, monkeypatch):
    from dicomkit.delivery import queue as module

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        queue.put(dataset(1), "PACS")
    monkeypatch.undo()
    [entry] = queue.claim()
    assert dk.read(entry.path).SOPInstanceUID == "1.2.3.1"


def test_a_table_of_files_is_put_as_its_paths(tmp_path, queue):
    for number in range(3):
        dk.write(dataset(number), tmp_path / f"{number}.dcm")
    receipt = queue.put(dk.scan([str(tmp_path / f"{number}.dcm") for number in range(3)]), "PACS")
    assert receipt.added == 3


# ---- the same instance again ---------------------------------------------------------------------------------------


def test_an_instance_waits_once_for_a_destination(queue):
    first = queue.put([instance(1), instance(2)], "PACS")
    second = queue.put([instance(2), instance(3), instance(2)], "PACS", priority=3)
    other = queue.put(instance(2), "BACKUP")
    assert second.ids == (first.ids[1], second.ids[1], first.ids[1])
    assert (second.added, second.merged, other.added) == (1, 2, 1)
    assert [(entry.destination, entry.priority) for entry in queue.entries()] == [
        ("PACS", 0),
        ("PACS", 3),
        ("PACS", 3),
        ("BACKUP", 0),
    ]


def test_a_changed_file_takes_the_place_of_the_one_that_waits(queue):
    queue.put(instance(1, "/in/old.dcm"), "PACS")
    queue.put(instance(1, "/in/new.dcm", 200), "PACS")
    [entry] = queue.entries()
    assert (entry.path, entry.size) == ("/in/new.dcm", 200)
    queue.put(instance(1, "/in/newer.dcm"), "PACS", same="keep")
    assert queue.entries() == [entry]


def test_what_changes_while_it_is_sent_goes_once_more(queue):
    queue.put(instance(1, "/in/old.dcm"), "PACS")
    [entry] = queue.claim()
    queue.put(instance(1, "/in/new.dcm"), "PACS")
    assert queue.claim() == []
    assert queue.delivered(entry) == 1
    [again] = queue.claim()
    assert again.path == "/in/new.dcm"
    assert queue.delivered(again) == 1
    assert queue.counts()["delivered"] == 1


def test_files_of_the_queue_go_when_others_take_their_place(queue):
    queue.put(dataset(PatientID="old"), "PACS")
    queue.put(dataset(PatientID="new"), "PACS")
    [path] = files_of(queue)
    assert dk.read(path).PatientID == "new"
    [entry] = queue.claim()
    queue.put(dataset(PatientID="newer"), "PACS")
    assert dk.read(entry.path).PatientID == "new"  # it is being sent
    queue.failed(entry, "no answer", retry_at=1e12)
    [path] = files_of(queue)
    assert dk.read(path).PatientID == "newer"
    queue.put(dataset(PatientID="unwanted"), "PACS", same="keep")
    queue.put(instance(1), "PACS")
    assert files_of(queue) == []
    queue.put(dataset(2), "PACS")
    queue.clear()
    assert files_of(queue) == []


def test_what_was_delivered_goes_again_only_where_that_is_wanted(queue):
    first = queue.put(instance(1), "PACS")
    queue.delivered(queue.claim())
    skipped = queue.put([instance(1), instance(2)], "PACS", again=False)
    assert (skipped.ids[0], skipped.added, skipped.skipped) == (first.ids[0], 1, 1)
    assert queue.put(dataset(1), "PACS", again=False).skipped == 1
    assert files_of(queue) == []
    assert queue.put(instance(1), "PACS").added == 1
    assert [entry.state for entry in queue.entries()] == ["delivered", "waiting", "waiting"]


def test_instances_whose_keys_are_the_same_are_all_kept(queue):
    uids = ["1.2.5", f"1.2.{5 + (1 << 63)}", f"1.2.{5 + (1 << 64)}"]
    assert len({key_of(uid) for uid in uids}) == 1
    items = [Outgoing(CT, uid, EXPLICIT, bytes, f"/in/{uid}", 1) for uid in uids]
    receipt = queue.put(items, "PACS")
    assert receipt.added == 3
    assert [entry.sop_instance_uid for entry in queue.entries(ids=receipt.ids)] == uids
    assert [entry.path for entry in queue.entries(ids=receipt.ids)] == [f"/in/{uid}" for uid in uids]
    assert queue.find("PACS", uids[0]).sop_instance_uid == uids[0]
    queue.put(items[0], "PACS", same="keep")
    assert len(queue.entries()) == 3


@given(st.text("0123456789.aé", max_size=70))
def test_every_text_has_a_key(text):
    assert 0 <= key_of(text) < 1 << 63


# ---- claims --------------------------------------------------------------------------------------------------------


def test_what_is_not_reported_on_comes_back_after_the_lease(queue, clock):
    queue.put(instance(1), "PACS")
    [entry] = queue.claim(lease=60)
    clock.now += 59
    assert queue.claim() == []
    assert queue.renew(entry, 60) == 1
    clock.now += 59
    assert queue.claim() == []
    clock.now += 1
    [again] = queue.claim()
    assert (again.id, again.attempts) == (entry.id, 2)
    assert queue.delivered(entry) == 0  # it is another's now
    assert queue.delivered(again) == 1


def test_a_failure_is_tried_again_in_time_or_given_up(queue, clock):
    queue.put([instance(1), instance(2)], "PACS")
    one, two = queue.claim(2)
    queue.failed(one, PeerTimeoutError("the peer sent nothing"), retry_at=clock.now + 30)
    queue.failed(two, DicomError("not understood"))
    [later] = queue.entries("deferred")
    assert (later.category, later.error, later.next_attempt) == ("transient", "the peer sent nothing", clock.now + 30)
    [dead] = queue.entries("dead")
    assert (dead.category, dead.error) == ("permanent", "not understood")
    assert queue.next_time() == clock.now + 30
    assert queue.claim() == []
    clock.now += 30
    assert [entry.id for entry in queue.claim(5)] == [one.id]


@pytest.mark.parametrize("opened_again", [False, True])
def test_nothing_waits_for_a_time_that_a_clock_showed_before_it_was_set_back(tmp_path, clock, opened_again):
    queue = Queue(tmp_path / "q", clock=clock)
    queue.put(instance(1), "PACS")
    queue.put(instance(5), "PACS", not_before=clock.now + 100)
    queue.failed(queue.claim(), "no answer", retry_at=clock.now + 30)
    clock.now -= 86400
    if opened_again:
        queue.close()
        queue = Queue(tmp_path / "q", clock=clock)
    with queue:
        assert queue.next_time() == clock.now + 30
        assert queue.claim() == []
        clock.now += 30
        [one] = queue.claim()
        assert one.attempts == 2
        queue.delivered(one)
        assert queue.next_time() == clock.now + 86400 + 70  # a moment that somebody named is still that one


def test_closing_waits_for_who_is_writing(tmp_path):
    queue = Queue(tmp_path / "q")
    writing, go_on, ended = threading.Event(), threading.Event(), []

    def write() -> None:
        with queue._database.writing() as connection:
            writing.set()
            go_on.wait(10)
            connection.execute("UPDATE settings SET keep_count = 7")
        ended.append("written")

    def close() -> None:
        queue.close()
        ended.append("closed")

    threads = [threading.Thread(target=write), threading.Thread(target=close)]
    threads[0].start()
    assert writing.wait(10)
    threads[1].start()
    threads[1].join(0.2)
    assert ended == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert sorted(ended) == ["closed", "written"]
    with Queue(tmp_path / "q") as again, again._database.reading() as connection:
        assert connection.execute("SELECT keep_count FROM settings").fetchone() == (7,)


def test_closing_gives_back_what_was_claimed(tmp_path, clock):
    with Queue(tmp_path / "q", clock=clock) as first, Queue(tmp_path / "q", clock=clock) as second:
        first.put([instance(1), instance(2)], "PACS")
        mine, theirs = first.claim()[0], second.claim()[0]
        first.close()
        assert [entry.id for entry in second.claim(5)] == [mine.id]
        assert second.delivered(theirs) == 1


def test_opening_takes_nothing_from_another_opener_in_this_process(tmp_path):
    with Queue(tmp_path / "q") as first:
        first.put([instance(1), dataset(2)], "PACS")
        claimed = first.claim(2)
        with Queue(tmp_path / "q") as second:
            assert second.claim() == []
        assert first.delivered(claimed) == 2


def test_a_pause_holds_for_all_and_for_a_destination(queue):
    queue.put(instance(1), "PACS")
    queue.put(instance(2), "BACKUP")
    queue.pause("PACS")
    assert [entry.destination for entry in queue.claim(5)] == ["BACKUP"]
    queue.pause()
    queue.resume("PACS")
    assert queue.claim() == []
    assert queue.next_time(destinations="PACS") is None
    queue.resume()
    assert queue.next_time(destinations=["PACS"]) == 0.0
    assert [entry.destination for entry in queue.claim(5)] == ["PACS"]


def test_what_a_peer_missed_goes_when_it_is_back_and_dead_letters_are_queued_again(queue, clock):
    queue.put([instance(number) for number in range(4)], "PACS")
    queue.failed(queue.claim(2), "no answer", category="transient", retry_at=clock.now + 3600)
    queue.failed(queue.claim(1), "refused", category="security")
    queue.failed(queue.claim(1), "unknown", category="permanent")
    assert queue.retry("BACKUP") == 0
    assert queue.retry("PACS") == 2
    assert queue.requeue(category="security") == 1
    assert queue.requeue(ids=[entry.id for entry in queue.entries("dead")]) == 1
    assert [(entry.state, entry.attempts) for entry in queue.entries()] == [("waiting", 1)] * 2 + [("waiting", 0)] * 2


def test_threads_share_a_queue_without_getting_the_same(queue):
    queue.put([instance(number) for number in range(400)], "PACS")
    got: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        while claimed := queue.claim(7):
            with lock:
                got.extend(entry.id for entry in claimed)
            queue.delivered(claimed)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == len(set(got)) == 400
    assert queue.counts()["delivered"] == 400


# ---- what it costs -------------------------------------------------------------------------------------------------


def work_of(queue: Queue, what) -> int:
    """How many instructions of SQLite something takes."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1

    connection = queue._database._connection
    connection.set_progress_handler(tick, 1)
    try:
        what()
    finally:
        connection.set_progress_handler(None, 1)
    return count


def costs_of_operations(path: Path, clock: Clock, size: int) -> dict[str, int]:
    """The work of each operation on a queue of so many entries in all states."""
    with Queue(path, clock=clock, keep_count=size) as queue:
        for number in range(4):
            start = 10 + number * size
            queue.put([instance(start + place) for place in range(size // 4)], f"PEER{number}", priority=number % 2)
        queue.failed(queue.claim(size // 4), "no answer", retry_at=clock.now + 1e6)
        queue.failed(queue.claim(size // 8), "refused")
        queue.delivered(queue.claim(size // 8))
        claimed: list[Entry] = []
        operations = {
            "put": lambda: queue.put([instance(number) for number in range(5)], "PEER1"),
            "claim": lambda: claimed.extend(queue.claim(5)),
            "next": queue.next_time,
            "delivered": lambda: queue.delivered(claimed[:3]),
            "failed": lambda: queue.failed(claimed[3:4], "no", retry_at=clock.now + 1),
            "release": lambda: queue.release(claimed[4:]),
            "find": lambda: queue.find("PEER1", "1.2.3.1"),
            "recover": queue._recover,
        }
        return {name: work_of(queue, operation) for name, operation in operations.items()}


def test_putting_and_claiming_cost_the_same_with_many_entries(tmp_path, clock):
    costs = [costs_of_operations(tmp_path / str(size), clock, size) for size in (1_000, 60_000)]
    few, many = costs
    assert all(few.values())
    assert {name: many[name] for name in few if many[name] > 1.5 * few[name] + 50} == {}


def test_nothing_but_looking_scans_the_entries(tmp_path, clock):
    statements: set[str] = set()
    with Queue(tmp_path / "q", clock=clock) as queue:
        connection = queue._database._connection
        connection.set_trace_callback(statements.add)
        queue.put([instance(number) for number in range(20)], "PACS")
        queue.put([instance(number) for number in range(15, 25)], "PACS", again=False)
        queue.next_time()
        claimed = queue.claim(10)
        queue.renew(claimed)
        queue.delivered(claimed[:4])
        queue.failed(claimed[4:6], "no", retry_at=clock.now + 1)
        queue.failed(claimed[6:8], "no")
        queue.release(claimed[8:])
        queue.retry("PACS")
        queue.requeue("PACS")
        queue.find("PACS", "1.2.3.1")
        queue.counts()
        queue.clear("deferred")
        queue.prune()
        queue._recover()
        connection.set_trace_callback(None)
        verbs = ("SELECT", "UPDATE", "DELETE")
        asked = [statement for statement in statements if statement.startswith(verbs) and "entries" in statement]
        assert len(asked) > 20
        plans = {
            statement: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")] for statement in asked
        }
    scans = {
        statement: plan
        for statement, plan in plans.items()
        if any(step.startswith("SCAN entries") and "INDEX" not in step for step in plan)
    }
    assert scans == {}


def test_what_was_delivered_is_remembered_for_so_long_and_so_many(tmp_path, clock):
    with Queue(tmp_path / "q", clock=clock, keep_days=2, keep_count=10) as queue:
        for number in range(15):
            queue.put(instance(number), "PACS")
            queue.delivered(queue.claim())
            clock.now += 1
        assert queue.prune() == 5
        assert [entry.sop_instance_uid for entry in queue.entries()] == [f"1.2.3.{n}" for n in range(5, 15)]
        clock.now += 2 * 86400 - 5
        assert queue.prune() == 5
        clock.now += 5
        assert queue.prune() == 5
        assert queue.counts()["delivered"] == 0
        queue.put([instance(number) for number in range(1500)], "PACS")
        queue.delivered(queue.claim(1500))
        assert queue.counts()["delivered"] == 10


def test_numbers_never_come_again(queue):
    first = queue.put([instance(1), instance(2)], "PACS")
    [entry] = queue.claim()
    queue.clear(("waiting", "sending"))
    second = queue.put([instance(3), instance(4)], "PACS")
    assert min(second.ids) > max(first.ids)
    queue.claim(2)
    assert queue.delivered(entry) == 0


# ---- to look at ----------------------------------------------------------------------------------------------------


def test_a_table_of_entries(queue, clock):
    pd = pytest.importorskip("pandas")
    queue.put([instance(1), instance(2), instance(3)], "PACS")
    queue.delivered(queue.claim())
    queue.failed(queue.claim(), "no answer", category="transient", retry_at=clock.now + 60)
    table = queue.to_table()
    assert list(table["state"]) == ["delivered", "deferred", "waiting"]
    assert str(table["next_attempt"].dtype) == "datetime64[ms, UTC]"
    assert table["next_attempt"][1] == pd.Timestamp(clock.now + 60, unit="s", tz="UTC")
    assert table["next_attempt"].isna().tolist() == [True, False, True]
    assert str(table["attempts"].dtype) == "Int64"
    assert list(queue.to_table("dead").columns) == list(table.columns)
    assert str(queue.to_table("dead")["delivered"].dtype) == "datetime64[ms, UTC]"
    assert len(queue.to_table(limit=2)) == 2


def test_how_it_looks(queue):
    assert repr(queue) == "<Queue out.queue: 0 to deliver>"
    queue.put([instance(1), instance(2)], "PACS <1>")
    queue.failed(queue.claim(), "because\x1b[31m & so on")
    queue.pause("PACS <1>")
    text = repr(queue)
    assert text.startswith("<Queue out.queue: 1 to deliver>\n")
    assert "paused" in text
    html = queue._repr_html_()
    assert "PACS &lt;1&gt;" in html
    assert "&amp; so on" in html
    assert "\x1b" not in html + text
    queue.pause()
    assert "1 to deliver, paused" in repr(queue)


def test_it_can_be_pickled_and_closed_twice(tmp_path):
    with Queue(tmp_path / "q", keep_count=3) as queue:
        queue.put(instance(1), "PACS")
        with pickle.loads(pickle.dumps(queue)) as other:
            assert other.path == queue.path
            other.put([instance(number) for number in range(2, 7)], "PACS")
            other.delivered(other.claim(5))
            assert other.prune() == 2
            assert len(other.entries()) == 4
        queue.close()
        with pytest.raises(QueueError, match="closed"):
            queue.claim()


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_forks_uses_a_connection_of_its_own(queue):
    queue.put([instance(1), instance(2)], "PACS")
    queue.claim()
    child = os.fork()
    if not child:
        try:
            got = queue.claim()
            os._exit(0 if len(got) == 1 and queue.delivered(got) == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [entry.state for entry in queue.entries()] == ["sending", "delivered"]


# ---- what it refuses -----------------------------------------------------------------------------------------------


def test_a_queue_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "q"
    Queue(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(QueueError, match=r"a queue of version 99.*path.*newer"):
        Queue(path)


def test_another_database_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (value)")
    connection.close()
    with pytest.raises(QueueError, match="is no queue"):
        Queue(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    connection.close()


def test_what_is_no_database_or_has_no_folder_is_told(tmp_path):
    path = tmp_path / "q"
    path.write_bytes(b"no database at all" * 300)
    with pytest.raises(QueueError, match=r"damaged.*path") as caught:
        Queue(path)
    assert caught.value.path == str(path)
    with pytest.raises(QueueError, match="folder"):
        Queue(tmp_path / "nowhere" / "q")


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_is_an_error_of_ours_or_nothing(tmp_path, seed):
    path = tmp_path / "q"
    with Queue(path) as queue:
        queue.put([instance(number) for number in range(300)], "PACS")
        queue.put(dataset(1000), "PACS")
        queue.failed(queue.claim(20), "no")
        queue.delivered(queue.claim(20))
    data = bytearray(path.read_bytes())
    chance = random.Random(seed)
    for _ in range(40):
        data[chance.randrange(100 if seed % 2 else 4096, len(data))] = chance.randrange(256)
    path.write_bytes(data)
    errors = []
    with collected(errors), Queue(path) as queue:
        for operation in (
            queue.claim,
            queue.entries,
            queue.counts,
            queue.next_time,
            queue.requeue,
            queue.retry,
            queue._repr_html_,
            lambda: queue.delivered(queue.claim(100)),
            lambda: queue.put([instance(number) for number in range(200, 500)], "PACS"),
            lambda: queue.clear("delivered"),
        ):
            with collected(errors):
                operation()
    assert {error.path for error in errors} <= {str(path)}


@contextmanager
def collected(errors: list[DicomError]):
    """Keep an error of ours; let any other one through."""
    try:
        yield
    except DicomError as error:
        errors.append(error)


def test_what_makes_no_sense_is_refused(tmp_path, queue):
    for wrong in (
        lambda: queue.put(instance(1), ""),
        lambda: queue.put(instance(1), "PACS", same="both"),
        lambda: queue.put(instance(1), "PACS", priority=1 << 40),
        lambda: queue.put(instance(1), "PACS", not_before=float("nan")),
        lambda: queue.claim(0),
        lambda: queue.claim(lease=-1),
        lambda: queue.entries("lost"),
        lambda: queue.clear("lost"),
        lambda: queue.requeue(category="'; DROP TABLE entries"),
        lambda: queue.failed([], "no", retry_at=float("inf")),
        lambda: queue.renew([], float("nan")),
        lambda: Queue(tmp_path / "other", keep_count=-1),
    ):
        with pytest.raises(ValueFormatError):
            wrong()
    assert queue.put([], "PACS") == Receipt()
    assert queue.entries() == []
