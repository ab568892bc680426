"""The command that delivers: through a queue, to one of several peers, in one go or in several."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import peers
import pytest

import dicomkit as dk
from dicomkit.cli import main

Run: TypeAlias = Callable[..., tuple[int, str, str]]
SERIES = dk.samples.ct_series(3, 8)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")

    def call(*argv: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in argv])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dk.samples.write_series(SERIES, tmp_path / "in")
    return tmp_path / "in"


def test_deliver(run: Run, folder: Path, tmp_path: Path) -> None:
    archive = dk.MemoryArchive()
    with dk.serve_dimse(archive, port=0) as server:
        way = [
            "--to",
            "DOWN@127.0.0.1:1",
            server.peer(),
            "--compress",
            "fast",
            "--rate",
            "50MB",
            "--hours",
            "00:00-24:00",
        ]
        code, out, _ = run("deliver", folder, *way, "--validate", "minimal", "--out", tmp_path / "report.csv")
    assert code == 0
    assert "3 of 3 delivered" in out
    assert (tmp_path / "report.csv").read_text().count("RLE Lossless") == 3
    assert len(list(archive.fetch(dk.query.query("image")))) == 3


def test_what_is_not_delivered_waits_in_the_queue(run: Run, folder: Path, tmp_path: Path) -> None:
    queue = ["--queue", tmp_path / "out.queue", "--name", "PACS"]
    code, out, err = run("deliver", folder, "--to", "127.0.0.1:1", *queue, "--patience", 1)
    assert code == 1
    assert "0 of 3 delivered" in out
    assert out.count("waiting") == 3
    assert "can't connect" in err
    came = 0

    def count(*_: object) -> None:
        nonlocal came
        came += 1

    with dk.serve_dimse(dk.MemoryArchive(), port=0, hooks=dk.serve.Hooks(on_stored=count)) as server:
        code, out, _ = run("deliver", "--to", server.peer(), *queue)
        assert (code, out) == (0, "3 delivered, 0 wait, 0 dead letters\n")
        code, out, _ = run("deliver", folder, "--to", server.peer(), *queue, "--once")
        assert (code, out) == (0, "3 of 3 delivered, 0.00 MB\n")
    assert came == 3


def test_dead_letters_are_told(run: Run, folder: Path, tmp_path: Path) -> None:
    with dk.serve_dimse(dk.MemoryArchive(), port=0, sop_classes=[]) as server:
        code, out, err = run("deliver", folder, "--to", server.peer(), "--queue", tmp_path / "out.queue")
    assert code == 1
    assert out.count("  dead  ") == 3
    assert "3 of 3 instances are not delivered" in err


def test_only_what_is_committed_counts(run: Run, folder: Path) -> None:
    port = peers.free_port()
    archive = dk.MemoryArchive()
    back = {"DICOMKIT": dk.Peer("127.0.0.1", port, "DICOMKIT")}
    service = dk.serve.commitment(archive, destinations=back)
    way = ["--commit", "--commit-port", port, "--commit-listen", "127.0.0.1", "--commit-wait", 20]
    with dk.serve_dimse(archive, ae="PACS", port=0, services=[service]) as server:
        code, out, _ = run("deliver", folder, "--to", server.peer(), *way)
    assert (code, "3 of 3 delivered" in out) == (0, True)


def test_patterns_and_archives(run: Run, folder: Path, tmp_path: Path) -> None:
    names = sorted(folder.rglob("*.dcm"))
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(names[0], "a.dcm")
    with dk.serve_dimse(dk.MemoryArchive(), port=0) as server:
        code, out, _ = run("deliver", tmp_path / "some.zip", folder / "**" / "*.dcm", "--to", server.peer())
        assert (code, "3 of 3 delivered" in out) == (0, True)
        code, _, err = run("deliver", tmp_path / "nothing", "--to", server.peer())
    assert (code, "no such file" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--to", "127.0.0.1:1"], "nothing to deliver"),
        (["x", "--to", "127.0.0.1:1", "--forever"], "nothing to deliver"),
        (["x", "--to", "127.0.0.1:1", "--rate", "fast"], "no rate"),
        (["x", "--to", "127.0.0.1"], "no peer"),
    ],
)
def test_what_makes_no_sense(run: Run, arguments: list[str], what: str) -> None:
    code, _, err = run("deliver", *arguments)
    assert code == 1
    assert what in err
