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
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")

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


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_document_becomes_a_file_again(run: Run, folder: Path, file: Path, form: str) -> None:
    assert run(form, file, "--out", folder / "a.txt")[0] == 0
    code, out, _ = run(form, folder / "a.txt", "--read", "--out", folder / "b.dcm")
    assert code == 0
    assert "written" in out
    assert dk.read(folder / "b.dcm") == dk.read(file)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_compressed_pixels_need_their_transfer_syntax(run: Run, folder: Path, file: Path, form: str) -> None:
    run("convert", file, folder / "rle.dcm", "--transfer-syntax", "RLELossless")
    run(form, folder / "rle.dcm", "--out", folder / "a.txt")
    code, _, err = run(form, folder / "a.txt", "--read", "--out", folder / "b.dcm")
    assert code == 1
    assert "Explicit VR Little Endian" in err
    assert not (folder / "b.dcm").exists()
    read = (form, folder / "a.txt", "--read", "--out", folder / "b.dcm", "--transfer-syntax", "RLELossless")
    assert run(*read)[0] == 0
    assert dk.read(folder / "b.dcm") == dk.read(folder / "rle.dcm")
    assert dk.read(folder / "b.dcm").transfer_syntax.name == "RLE Lossless"


def test_an_array_of_instances_becomes_a_folder(run: Run, folder: Path) -> None:
    several = [dk.read(path) for path in sorted((folder / "in").rglob("*.dcm"))]
    (folder / "a.json").write_text(dk.to_json(several), encoding="utf-8")
    code, out, _ = run("json", folder / "a.json", "--read", "--out", folder / "made")
    assert code == 0
    assert out.count("written") == 2
    assert [dk.read(path) for path in sorted((folder / "made").iterdir())] == several


def test_bad_documents_are_one_line(run: Run, folder: Path) -> None:
    (folder / "bad.json").write_text('{"00100010": ')
    (folder / "good.json").write_text("{}")
    for argv, message in (
        (("json", folder / "bad.json", "--read", "--out", folder / "x"), "no JSON"),
        (("xml", folder / "bad.json", "--read", "--out", folder / "x"), "no XML"),
        (("json", folder / "good.json", "--read"), "--out"),
        (("json", folder / "none.json", "--read", "--out", folder / "x"), "none.json"),
    ):
        code, out, err = run(*argv)
        assert (code, out) == (1, "")
        assert message in err
        assert "--out" in err or str(argv[1]) in err
        assert err.count("\n") == 1
    assert not (folder / "x").exists()


def test_convert_to_another_character_set(run: Run, folder: Path, file: Path) -> None:
    dk.write(dk.read(file).assign(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg"), folder / "a.dcm")
    code, _, _ = run("convert", folder / "a.dcm", folder / "b.dcm", "--charset", "ISO_IR 192")
    assert code == 0
    made = dk.read(folder / "b.dcm")
    assert (made.SpecificCharacterSet, made.PatientName) == ("ISO_IR 192", "Müller^Jörg")
    assert made.element("PatientName").raw.rstrip() == "Müller^Jörg".encode()
    assert run("convert", folder / "a.dcm", folder / "a.dcm", "--charset", "ISO_IR 192")[0] == 1
    code, _, err = run("convert", folder / "a.dcm", folder / "c.dcm", "--charset", r"\ISO 2022 IR 87")
    assert code == 1
    assert "'ü'" in err


@pytest.mark.parametrize(
    "verb", ["write", "convert", "json", "xml", "dicomdir", "diff", "validate", "deidentify", "certify", "scan", "show"]
)
def test_every_command_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: dicomkit {'convert' if verb == 'write' else verb}") or verb == "write"
    assert len(text.splitlines()) > 5


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
    more = ("--level", "minimal", "--required", "PatientComments", "--sop-class", "MRImageStorage", "CTImageStorage")
    code, out, _ = run("validate", file, *more)
    assert (code, "PatientComments" in out, "sop class" in out) == (0, True, False)
    code, out, _ = run("validate", file, "--level", "minimal", "--sop-class", "MRImageStorage")
    assert (code, "sop class" in out) == (0, True)
    assert run("validate", file, "--sop-class", "NoSuchStorage")[0] == 1


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


def test_deidentified_files_are_certified(run: Run, folder: Path) -> None:
    (folder / "key").write_bytes(b"a secret\n")
    profile = ("--key", folder / "key", "--blank", 0, 0, 4, 8, "--blank", -2, 0, -1, 8)
    code, _, err = run("deidentify", folder / "in", folder / "out", *profile, "--workers", 1)
    assert (code, err) == (0, "")
    for path in (folder / "out").rglob("*.dcm"):
        frame = dk.frame(dk.read(path))
        assert len(set(frame[:4, :8].ravel().tolist())) == 1
        assert dk.read(path).BurnedInAnnotation == "NO"
    code, out, _ = run("certify", folder / "out", folder / "in", *profile)
    assert (code, out.splitlines()[-1].startswith("0 findings in 2 files")) == (0, True)
    code, out, _ = run("certify", folder / "in", folder / "in", "--out", folder / "left.csv", "--rows", 3)
    assert code == 0
    assert not out.splitlines()[-1].startswith("0 findings")
    assert "PatientName" in (folder / "left.csv").read_text()


def test_dicomdir(run: Run, folder: Path) -> None:
    code, out, _ = run("dicomdir", folder / "in", "--to", folder / "set", "--id", "TEST")
    assert code == 0, out
    code, out, _ = run("dicomdir", folder / "set")
    assert code == 0
    assert "IMAGE" in out
    assert out.splitlines()[0].startswith("path")
    assert out.splitlines()[2].startswith("PT000000")
    assert run("dicomdir", folder / "set", "--out", folder / "set.csv")[0] == 0
    assert "SOPInstanceUID" in (folder / "set.csv").read_text()
    assert run("dicomdir", folder / "in")[0] == 1
