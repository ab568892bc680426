"""The commands that talk to peers, against our own server, and `serve` against our own user."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dicomkit as dk
from dicomkit.cli import main
from dicomkit.net.certificates import self_signed

Run = Callable[..., tuple[int, str, str]]
SERIES = dk.samples.ct_series(3, 16)
UID = SERIES[0].SeriesInstanceUID


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")

    def call(*argv: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in argv])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def archive() -> dk.MemoryArchive:
    held = dk.MemoryArchive()
    for ds in SERIES:
        held.store(ds)
    return held


@pytest.fixture
def peer(archive: dk.MemoryArchive) -> Iterator[str]:
    with dk.serve_dimse(archive, port=0) as server:
        yield str(server.peer())


def test_echo(run: Run, peer: str) -> None:
    code, out, _ = run("echo", peer)
    assert code == 0
    assert peer in out
    assert "Success" in out
    code, out, _ = run("echo", peer, "--explain")
    assert code == 0
    assert "contexts accepted" in out
    assert "Study Root - FIND" in out or "FIND" in out


def test_find_shows_the_unique_key_whole(run: Run, peer: str, tmp_path: Path) -> None:
    code, out, _ = run("find", peer, "series", "Modality=CT", "--out", tmp_path / "a.csv")
    assert code == 0
    assert UID in out
    assert "1 match" in out
    assert "NumberOfSeriesRelatedInstances" in (tmp_path / "a.csv").read_text()
    for level, wanted in (("patient", "PatientID"), ("study", "StudyInstanceUID"), ("image", "SOPInstanceUID")):
        root = ["--root", "patient"] if level == "patient" else []
        code, out, _ = run("find", peer, level, *root)
        assert code == 0
        assert str(SERIES[0][wanted]) in out
    lines = out.splitlines()
    assert "3 matches" in lines
    assert len({line.index("2.25") for line in lines if "2.25" in line}) == 1  # the UIDs stand below each other


def test_find_takes_lists_return_and_limit(run: Run, peer: str) -> None:
    code, out, _ = run("find", peer, "image", r"InstanceNumber=1\3", "--return", "SOPClassUID")
    assert code == 0
    assert "2 matches" in out
    assert "SOPClassUID" in out
    assert "1.2.840.10008.5.1.4.1.1.2" in out
    assert "0 matches" in run("find", peer, "study", "PatientID=nobody")[1]
    assert "1 match\n" in run("find", peer, "image", "--limit", "1")[1]


def test_get_and_move_into_a_folder(run: Run, peer: str, tmp_path: Path) -> None:
    code, out, _ = run("get", peer, "series", f"SeriesInstanceUID={UID}", "--into", tmp_path / "new" / "got")
    assert code == 0
    assert "3 instances" in out
    got = [dk.read(path) for path in (tmp_path / "new" / "got").iterdir()]
    assert {ds.SOPInstanceUID for ds in got} == {ds.SOPInstanceUID for ds in SERIES}
    code, _, err = run("move", peer, "series", f"SeriesInstanceUID={UID}", "--to", "NOBODY")
    assert code == 1
    assert "Move Destination unknown" in err
    code, _, err = run("move", peer, "series", f"SeriesInstanceUID={UID}")
    assert code == 1
    assert "--into" in err


def test_move_to_another_peer(run: Run, archive: dk.MemoryArchive) -> None:
    other = dk.MemoryArchive()
    with (
        dk.serve_dimse(other, ae="OTHER", port=0) as third,
        dk.serve_dimse(archive, port=0, destinations={"OTHER": third.peer()}) as server,
    ):
        code, out, _ = run("move", server.peer(), "series", f"SeriesInstanceUID={UID}", "--to", "OTHER")
    assert code == 0
    assert "3 instances to OTHER" in out
    assert len(list(other.fetch(dk.query.query("series")))) == 3


def test_move_here(run: Run, archive: dk.MemoryArchive, tmp_path: Path) -> None:
    port = _free_port()
    destinations = {"DICOMKIT": dk.Peer("127.0.0.1", port)}
    with dk.serve_dimse(archive, port=0, destinations=destinations) as server:
        arguments = ["series", f"SeriesInstanceUID={UID}", "--into", tmp_path / "here", "--port", port]
        code, out, _ = run("move", server.peer(), *arguments)
    assert code == 0
    assert "3 instances" in out
    assert len(list((tmp_path / "here").iterdir())) == 3


def test_store(run: Run, tmp_path: Path) -> None:
    dk.samples.write_series(SERIES, tmp_path / "in")
    (tmp_path / "in" / "note.txt").write_text("no DICOM")
    taken = dk.MemoryArchive()
    with dk.serve_dimse(taken, port=0) as server:
        code, out, _ = run("store", server.peer(), tmp_path / "in", "--out", tmp_path / "report.csv")
        assert code == 0
        assert "3 of 3 stored" in out
        assert "1;" in out
        assert (tmp_path / "report.csv").read_text().count("stored") == 3
        code, _, err = run("store", server.peer(), tmp_path / "in" / "note.txt")
        assert code == 1
        assert "no DICOM file" in err
    assert len(list(taken.fetch(dk.query.query("image")))) == 3


def test_commit(run: Run, archive: dk.MemoryArchive, tmp_path: Path) -> None:
    dk.samples.write_series(SERIES, tmp_path / "in")
    dk.write(dk.new_instance(SERIES[0]), tmp_path / "in" / "new.dcm")
    asked = [tmp_path / "in", "--ledger", tmp_path / "ledger.db", "--out", tmp_path / "report.csv"]
    with dk.serve_dimse(archive, port=0, services=[dk.serve.commitment(archive)]) as server:
        code, out, err = run("commit", server.peer(), *asked)
    assert code == 1
    assert "3 of 4 committed" in out
    assert "No such object instance" in out
    assert "1 of 4 instances are not committed" in err
    assert (tmp_path / "report.csv").read_text().count("committed") == 3
    assert list(dk.archive.Transactions(tmp_path / "ledger.db").to_table().state) == ["partly failed"]


def test_store_tells_what_was_refused(run: Run, tmp_path: Path) -> None:
    dk.samples.write_series(SERIES, tmp_path / "in")
    with dk.serve_dimse(dk.MemoryArchive(), port=0, sop_classes=()) as server:
        code, out, err = run("store", server.peer(), tmp_path / "in")
    assert code == 1
    assert "0 of 3 stored" in out
    assert out.count("not sent") == 3
    assert err.startswith("dicomkit: 3 of 3 instances are not stored")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["echo", "127.0.0.1:1"], "check host and port"),
        (["echo", "nowhere"], "HOST:PORT"),
        (["echo", "127.0.0.1:99999"], "1 to 65535"),
        (["echo", "127.0.0.1:1", "--password", "x"], "--user"),
        (["echo", "127.0.0.1:1", "--timeout", "0"], "time-out"),
        (["echo", "127.0.0.1:1", "--tls-authorities", "nothing.pem"], "nothing.pem"),
        (["find", "127.0.0.1:1", "study", "PatientID"], "KEYWORD=VALUE"),
        (["find", "127.0.0.1:1", "study", "Rubbish=1"], "no attribute"),
        (["serve", "{folder}", "--tls-key", "a.key"], "--tls-certificate"),
        (["serve", "{folder}", "--destination", "127.0.0.1:1"], "AET@HOST:PORT"),
    ],
)
def test_errors_are_one_line_with_a_hint(run: Run, tmp_path: Path, argv: list[str], says: str) -> None:
    code, out, err = run(*(part.format(folder=tmp_path / "archive") for part in argv))
    assert code == 1
    assert out == ""
    assert err.startswith("dicomkit: ")
    assert err.count("\n") == 1
    assert says in err


def test_titles_and_identity(run: Run) -> None:
    def check(identity: dk.dimse.UserIdentity, caller: object) -> bool:
        return (identity.name, identity.passcode) == ("jane", "secret")

    policies = dk.dimse.policies
    accept = policies.all_of(policies.calling(["US"]), policies.identified(check))
    with dk.serve_dimse(dk.MemoryArchive(), port=0, accept=accept) as server:
        address = f"127.0.0.1:{server.port}"
        assert run("echo", address, "--calling", "US", "--user", "jane", "--password", "secret")[0] == 0
        code, _, err = run("echo", address, "--calling", "US", "--user", "jane", "--password", "wrong")
        assert code == 1
        assert "wrong" not in err
        code, _, err = run("echo", address)
        assert code == 1
        assert "register our AE title" in err


def test_tls(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    files = self_signed(tmp_path)
    secure = dk.net.tls.server(files.certificate, files.key)
    with dk.serve_dimse(dk.MemoryArchive(), port=0, tls=secure) as server:
        address = f"127.0.0.1:{server.port}"
        assert run("echo", address, "--tls-authorities", files.certificate)[0] == 0
        code, _, err = run("echo", address, "--tls-pin", "00" * 32)
        assert code == 1
        assert "none of those pinned" in err
        assert run("echo", address, "--timeout", "2")[0] == 1


def test_serve_until_interrupted(run: Run, tmp_path: Path) -> None:
    dk.samples.write_series(SERIES, tmp_path / "in")
    command = [sys.executable, "-m", "dicomkit", "serve", str(tmp_path / "archive"), "--port", "0", "--ae", "OURS"]
    command += ["--allow", "DICOMKIT", "--only-called", "--take-in", str(tmp_path / "in"), "--verbose"]
    # the default action of SIGINT is restored, since background processes may have inherited that it is ignored
    restore = None if os.name == "nt" else (lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=restore)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        found = re.search(r"OURS on 127\.0\.0\.1:(\d+)", lines[1])
        assert found, lines
        peer = f"OURS@127.0.0.1:{found[1]}"
        assert "3 instances taken in" in lines[0]
        assert run("echo", peer)[0] == 0
        assert "3 matches" in run("find", peer, "image")[1]
        assert run("echo", peer, "--calling", "STRANGER")[0] == 1
        assert run("echo", peer, "--called", "OTHER")[0] == 1
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "stopped" in out
    assert "association refused" in err
    assert "STRANGER calls OURS" in err
    assert "Traceback" not in err


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
