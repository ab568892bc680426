"""The command that serves: a process with an archive and all services beside it, each of which is used once."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
import pytest
from worklist_items import ITEMS

import dicomkit as dk
from dicomkit.archive import FolderWorklist, SqliteSteps, Transactions
from dicomkit.dimse import sync, ups
from dicomkit.dimse.commitment import commitment_reports
from dicomkit.new_file import PREFIX
from dicomkit.objects.performed_step import COMPLETED, state_of
from dicomkit.query import query

SERIES = dk.samples.ct_series(3, 8)
UNFINISHED = PREFIX + 16 * "[0-9a-f]"


@contextmanager
def serving(folder: Path, *arguments: object, ended_by: int = signal.SIGINT) -> Iterator[dk.Peer]:
    """A process that serves an archive in a folder; Ctrl-C ends it, or another signal."""
    command = [sys.executable, "-m", "dicomkit", "serve", folder / "archive", "--port", 0, "--ae", "OURS", *arguments]
    # the default action of SIGINT is restored, since background processes may have inherited that it is ignored
    restore = None if os.name == "nt" else (lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None)
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=restore
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"OURS on 127\.0\.0\.1:(\d+)", line)
        assert found, line
        yield dk.Peer("127.0.0.1", int(found[1]), "OURS", "TESTS")
        process.send_signal(ended_by)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "stopped" in out
        assert "Traceback" not in err
    finally:
        process.kill()
        process.wait(10)


def test_all_services_at_once(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="films need Pillow")
    items = FolderWorklist(tmp_path / "items")
    (tmp_path / "items").mkdir(exist_ok=True)
    for item in ITEMS[:2]:
        items.add(item)
    names = {"worklist": "items", "steps": "steps.db", "workitems": "work.db", "print-to": "films"}
    names |= {"audit": "audit.jsonl", "commitments": "commitments.db"}
    arguments = [part for name, path in names.items() for part in (f"--{name}", tmp_path / path)]
    with serving(tmp_path, *arguments) as peer:
        dk.store(peer, SERIES).raise_for_failures()
        assert dk.commit(peer, SERIES).is_committed
        found = list(dk.find_worklist(peer, modality="CT"))
        assert [match.PatientName for match in found] == ["DOE^JANE"]
        step = sync.mpps_create(peer, found)
        sync.mpps_complete(peer, step, SERIES)
        ups.create(peer, ups.make_procedure_step("Read the CT", workitem=("110005", "DCM", "Interpretation")))
        [work] = ups.find(peer)
        assert sync.printer_status(peer)
        dk.print_films(peer, [SERIES[0]], film_size="A4")
    with SqliteSteps(tmp_path / "steps.db") as steps:
        assert state_of(steps.get(str(step))) == COMPLETED
    with Transactions(tmp_path / "commitments.db") as transactions:
        assert list(transactions.to_table().state) == ["reported"]
    with dk.archive.Workitems(tmp_path / "work.db") as workitems:
        assert workitems.get(str(work.SOPInstanceUID)).ProcedureStepState == "SCHEDULED"
    films = {path.suffix for path in (tmp_path / "films").rglob("*") if path.is_file()}
    assert {".png", ".pdf"} <= films
    lines = (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    kinds = {told(json.loads(line)) for line in lines}
    assert {"DICOM Instances Transferred", "Query", "Procedure Record", "Export"} <= kinds
    with dk.FolderArchive(tmp_path / "archive") as archive:
        assert len(list(archive.fetch(query("image")))) == 3


def told(line: dict[str, Any]) -> str:
    """What an audit message is about."""
    return str(line["EventIdentification"]["EventID"]["originalText"])


def test_reports_come_from_the_title_that_was_called(tmp_path: Path) -> None:
    port = peers.free_port()
    ledger = Transactions()
    with serving(tmp_path, "--destination", f"TESTS@127.0.0.1:{port}") as peer:
        dk.store(peer, SERIES).raise_for_failures()
        with dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]):
            assert dk.commit(peer, SERIES, ledger=ledger, listening=True).is_committed


def test_what_was_under_way_is_after_a_restart(tmp_path: Path) -> None:
    port = peers.free_port()
    arguments = ("--destination", f"TESTS@127.0.0.1:{port}", "--commitments", tmp_path / "commitments.db")
    ledger = Transactions()
    with serving(tmp_path, *arguments) as peer:
        dk.store(peer, SERIES).raise_for_failures()
        asked = dk.commit(peer, SERIES, ledger=ledger, wait=0)
        assert asked.state == "pending"
    with dk.serve_dimse(None, port=port, services=[commitment_reports(ledger)]), serving(tmp_path, *arguments):
        peers.wait_until(lambda: ledger.result(asked.transaction_uid) is not None)
    result = ledger.result(asked.transaction_uid)
    assert result is not None
    assert result.is_committed


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_in_the_middle_of_an_instance_leaves_no_half_of_it(tmp_path: Path, ended_by: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        with serving(tmp_path, ended_by=ended_by) as peer:
            dk.store(peer, SERIES[0]).raise_for_failures()
            slowly = pool.submit(dk.store, peer, dk.samples.ct_series(1, 256), rate_limit=20_000)  # takes seconds
            peers.wait_until(lambda: bool(list((tmp_path / "archive").glob(UNFINISHED))), "a part of it")
        with pytest.raises(dk.DicomError, match=r"lost the connection|closed the connection"):
            slowly.result(10).raise_for_failures()
    assert [path.stem for path in (tmp_path / "archive").rglob("*.dcm")] == [SERIES[0].SOPInstanceUID]
    assert not list((tmp_path / "archive").glob(UNFINISHED))
    with dk.FolderArchive(tmp_path / "archive") as archive:
        assert len(archive) == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends a process of Windows at once")
def test_what_is_taken_in_can_be_interrupted(tmp_path: Path) -> None:
    dk.samples.write_series(dk.samples.ct_series(200, 8), tmp_path / "in")
    for number in range(20):
        shutil.copytree(tmp_path / "in", tmp_path / "many" / str(number))
    command = [sys.executable, "-m", "dicomkit", "serve", tmp_path / "archive", "--port", "0"]
    with subprocess.Popen([*map(str, command), "--take-in", str(tmp_path / "many")], stdout=subprocess.PIPE) as process:
        peers.wait_until(lambda: bool(list((tmp_path / "archive").glob("*.sqlite*"))), "the beginning")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.decode().splitlines()[-1] == "stopped"
