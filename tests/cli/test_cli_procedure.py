"""The commands `worklist` and `mpps` against our own servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worklist_items import ITEMS

import dicomkit as dk
from dicomkit.archive.performed_steps import MemorySteps
from dicomkit.cli import main
from dicomkit.objects.performed_step import COMPLETED, DISCONTINUED, state_of
from dicomkit.samples import ct_series, write_series
from dicomkit.serve.modality_worklist import worklist
from dicomkit.serve.performed_steps import mpps

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")

    def call(*argv: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in argv])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def steps() -> MemorySteps:
    return MemorySteps()


@pytest.fixture
def peer(steps: MemorySteps) -> Iterator[str]:
    with dk.serve_dimse(None, port=0, services=[worklist(ITEMS), mpps(steps)]) as server:
        yield str(server.peer())


def test_worklist(run: Run, peer: str, tmp_path: Path) -> None:
    code, out, _ = run("worklist", peer, "--modality", "CT", "--date", "20240229-20240301", "--out", tmp_path / "a.csv")
    assert code == 0
    assert "2 matches" in out
    assert "2024-02-29  09:30:00  CT        CT1" in out
    assert "RequestedProcedureCodeSequence" in (tmp_path / "a.csv").read_text(encoding="utf-8")
    code, out, _ = run("worklist", peer, "PatientID=A1", "--station", "CT1", "--name", "DOE^JANE")
    assert (code, "1 match\n" in out) == (0, True)
    code, out, _ = run("worklist", peer, "--date", "today")
    assert (code, out) == (0, "0 matches\n")
    code, out, _ = run("worklist", peer, "--limit", "2", "--return", "PatientName", "PatientSex")
    assert "2 matches" in out
    assert "AccessionNumber" not in out
    code, _, error = run("worklist", peer, "modality=CT")
    assert (code, "KEYWORD=VALUE" in error) == (1, True)


def test_a_step_from_the_worklist_to_its_end(run: Run, peer: str, steps: MemorySteps, tmp_path: Path) -> None:
    write_series(ct_series(3, 8), tmp_path / "ct")
    code, out, _ = run("worklist", peer, "AccessionNumber=ACC1", "--save", tmp_path / "items")
    [saved] = (tmp_path / "items").iterdir()
    assert f"saved: {saved}" in out
    code, out, _ = run(
        "mpps", "create", peer, saved, "PerformedLocation=room 3", "--step-id", "PPS1", "--station", "CTX"
    )
    uid = out.strip()
    assert (code, steps.get(uid).PatientName, steps.get(uid).PerformedProcedureStepID) == (0, "DOE^JANE", "PPS1")
    assert (steps.get(uid).PerformedLocation, steps.get(uid).PerformedStationAETitle) == ("room 3", "CTX")
    code, out, _ = run(
        *("mpps", "complete", peer, uid, tmp_path / "ct", "--protocol", "Thorax", "--retrieve-aet", "ARCHIVE"),
        *("--set", "CommentsOnThePerformedProcedureStep=fine"),
    )
    assert (code, out) == (0, f"{uid} COMPLETED: 1 series, 3 instances\n")
    assert steps.get(uid).CommentsOnThePerformedProcedureStep == "fine"
    code, out, _ = run("mpps", "show", peer, uid)
    assert "COMPLETED" in out
    code, _, error = run("mpps", "discontinue", peer, uid)
    assert (code, "may no longer be updated" in error) == (1, True)
    assert state_of(steps.get(uid)) == COMPLETED


def test_a_step_that_is_given_up(run: Run, peer: str, steps: MemorySteps, tmp_path: Path) -> None:
    run("worklist", peer, "AccessionNumber=ACC2", "--save", tmp_path / "items")
    [saved] = (tmp_path / "items").iterdir()
    assert run("mpps", "create", peer, saved, "--uid", "1.2.3.4")[1] == "1.2.3.4\n"
    code, _, error = run("mpps", "discontinue", peer, "1.2.3.4", "--reason", "1")
    assert (code, "110513: Discontinued for unspecified reason" in error) == (1, True)
    code, out, _ = run("mpps", "discontinue", peer, "1.2.3.4", "--reason", "110513")
    assert (code, out) == (0, "1.2.3.4 DISCONTINUED: 1 series, 0 instances\n")
    assert state_of(steps.get("1.2.3.4")) == DISCONTINUED
    (tmp_path / "no.txt").write_text("no DICOM")
    code, _, error = run("mpps", "complete", peer, "1.2.3.4", tmp_path / "no.txt")
    assert (code, "no DICOM file" in error) == (1, True)
