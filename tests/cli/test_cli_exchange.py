"""The commands that write, convert, compare, check and de-identify."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import dicomkit as dk
from dicomkit.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*argv: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in argv])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dk.samples.write_series(dk.samples.ct_series(slices=2, size=16), tmp_path / "in")
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Path:
    return sorted((folder / "in").rglob("*.dcm"))[0]


@pytest.mark.parametrize("verb", ["convert", "write"])
def test_convert(run: Run, folder: Path, file: Path, verb: str) -> None:
    code, out, _ = run(verb, file, folder / "b.dcm", "--transfer-syntax", "RLELossless")
    assert code == 0
    assert "written" in out
    assert dk.read(folder / "b.dcm").transfer_syntax.uid == "1.2.840.10008.1.2.5"


def test_convert_onto_itself_needs_overwrite(run: Run, file: Path) -> None:
    code, _, err = run("convert", file, file)
    assert code == 1
    assert "overwrite" in err
    assert run("convert", file, file, "--overwrite")[0] == 0


def test_json_and_xml(run: Run, folder: Path, file: Path) -> None:
    code, out, _ = run("json", file)
    assert code == 0
    assert json.loads(out)["00080060"]["Value"] == ["CT"]
    assert run("json", file, "--out", folder / "a.json")[0] == 0
    assert dk.from_json((folder / "a.json").read_bytes()).Modality == "CT"
    assert run("xml", file, "--out", folder / "a.xml")[0] == 0
    assert dk.from_xml((folder / "a.xml").read_bytes()).Modality == "CT"


def test_diff(run: Run, folder: Path, file: Path) -> None:
    dk.write(dk.read(file).assign(PatientID="another"), folder / "b.dcm")
    code, out, _ = run("diff", file, folder / "b.dcm")
    assert code == 0
    assert "PatientID" in out
    assert "another" in out
    assert "1 changed" in out
    assert "Differences(0 added" in run("diff", file, file)[1]


def test_validate(run: Run, folder: Path, file: Path) -> None:
    dk.write(dk.read(file).drop("Rows"), folder / "b.dcm")
    code, out, _ = run("validate", folder / "b.dcm", "--out", folder / "findings.csv")
    assert code == 0
    assert "Rows" in out
    assert "Rows" in (folder / "findings.csv").read_text()


def test_deidentify(run: Run, folder: Path) -> None:
    (folder / "key").write_bytes(b"a secret\n")
    code, out, _ = run("deidentify", folder / "in", folder / "out", "--dry-run", "--key", folder / "key")
    assert code == 0
    assert "PatientName" in out
    assert not (folder / "out").exists()
    code, out, _ = run("deidentify", folder / "in", folder / "out", "--key", folder / "key", "--workers", 1)
    assert code == 0
    assert "2 written" in out
    made = [dk.read(path) for path in (folder / "out").rglob("*.dcm")]
    assert len(made) == 2
    assert all(ds.PatientIdentityRemoved == "YES" for ds in made)
    assert run("deidentify", folder / "in", folder / "out2", "--key", folder / "no")[0] == 1


def test_dicomdir(run: Run, folder: Path) -> None:
    code, out, _ = run("dicomdir", folder / "in", "--to", folder / "set", "--id", "TEST")
    assert code == 0, out
    code, out, _ = run("dicomdir", folder / "set")
    assert code == 0
    assert "IMAGE" in out
    assert run("dicomdir", folder / "in")[0] == 1
