"""`dicomkit queue`: lists, dead letters, pause and resume, retry, requeue, clear."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomkit.cli.queueing import COMMANDS, add_queue
from dicomkit.delivery.queue import Queue
from dicomkit.dimse.outgoing import Outgoing
from dicomkit.errors import DicomError

CT = "1.2.840.10008.5.1.4.1.1.2"
Run = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A queue with an entry in each state but sending."""
    path = tmp_path / "out.queue"
    with Queue(path) as queue:
        for number, name in enumerate(("PACS", "PACS", "PACS", "BACKUP")):
            item = Outgoing(CT, f"1.2.3.{number}", "1.2.840.10008.1.2.1", bytes, f"/in/{number}.dcm", 100)
            queue.put(item, name)
        queue.delivered(queue.claim(destinations="PACS"))
        queue.failed(queue.claim(destinations="PACS"), "0x0122 refused: SOP class", category="permanent")
        queue.failed(queue.claim(destinations="PACS"), "no answer", category="transient", retry_at=4e9)
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")

    def call(*argv: object) -> str:
        parser = argparse.ArgumentParser()
        add_queue(parser.add_subparsers(dest="command"))
        arguments = parser.parse_args(["queue", *map(str, argv)])
        return "\n".join(COMMANDS["queue"](arguments))

    return call


def counts(path: Path, name: str | None = None) -> list[int]:
    """How many are waiting, deferred, sending, dead and delivered."""
    with Queue(path) as queue:
        return list(queue.counts(name).values())


def test_a_list_counts_or_shows_entries(run: Run, path: Path, tmp_path: Path) -> None:
    text = run("list", path)
    assert text.startswith("Queue out.queue: 2 to deliver")
    assert "BACKUP" in text
    text = run("list", path, "--state", "waiting", "deferred")
    assert "no answer" in text
    assert text.endswith("2 entries")
    assert run("list", path, "--state", "dead", "--to", "BACKUP") == "0 entries"
    run("list", path, "--out", tmp_path / "all.csv")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 5


def test_dead_letters_have_their_reasons_and_can_be_queued_again(run: Run, path: Path) -> None:
    text = run("dead", path)
    assert "0x0122 refused: SOP class" in text
    assert text.endswith("1 entry")
    assert run("requeue", path, "--category", "security").endswith(" 0")
    assert run("requeue", path, "--to", "PACS").endswith(" 1")
    assert counts(path) == [2, 1, 0, 0, 1]


def test_pause_resume_retry_clear(run: Run, path: Path) -> None:
    assert run("pause", path, "--to", "BACKUP") == "paused: BACKUP"
    with Queue(path) as queue:
        assert queue.is_paused("BACKUP")
        assert not queue.is_paused()
    run("resume", path, "--to", "BACKUP")
    run("pause", path)
    assert "paused" in run("list", path)
    run("resume", path)
    assert run("retry", path, "--id", 77).endswith(" 0")
    assert run("retry", path).endswith(" 1")
    assert counts(path) == [2, 0, 0, 1, 1]
    assert run("clear", path, "--state", "waiting", "dead", "--to", "PACS").endswith(" 2")
    assert counts(path) == [1, 0, 0, 0, 1]


def test_what_is_no_queue_is_not_made_one(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DicomError, match="there is no queue"):
        run("list", tmp_path / "nowhere")
    (tmp_path / "text").write_text("no queue" * 100)
    with pytest.raises(DicomError, match="damaged"):
        run("list", tmp_path / "text")
    assert not (tmp_path / "nowhere").exists()
