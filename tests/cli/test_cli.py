"""The command line: tables, trees and pictures of each command, errors in one line, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import imagecodecs
import numpy as np
import pandas as pd
import pytest

import dicomkit as dk
from dicomkit.cli import main
from dicomkit.cli.printing import frame_text, write_frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files with spaces é")
    dk.samples.write_series(dk.samples.ct_series(slices=5, size=32), folder / "ct")
    dk.samples.write_series(dk.samples.mr_series(slices=3, size=32), folder / "mr")
    dk.samples.write_series([dk.samples.enhanced_ct(frames=4, size=32)], folder / "enhanced")
    (folder / "notes.txt").write_text("no DICOM")
    return folder


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; give its exit code, what it printed, and what it printed to stderr."""
    monkeypatch.setenv("COLUMNS", "110")

    def call(*argv):
        code = main([str(argument) for argument in argv])
        return (code, *capsys.readouterr())

    return call


def test_scan_gives_one_line_per_series_and_what_was_not_read(run, folder):
    code, out, err = run("scan", folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["CT", "CT", "MR"]
    assert all(len(line) <= 110 for line in lines[:5])
    assert "10 files, 3 series, 1 not read" in out
    assert "notes.txt: this is no DICOM data set" in out


@pytest.mark.parametrize(("by", "rows"), [("study", 2), ("patient", 1), ("instance", 9)])
def test_scan_by(run, folder, by, rows):
    code, out, _ = run("scan", folder, "--by", by)
    assert code == 0
    assert len(out.split("\n\n")[0].splitlines()) == rows + 2


def test_scan_columns(run, folder):
    code, out, _ = run("scan", folder / "ct", "--columns", "KVP", "0018,0050")
    assert code == 0
    assert "KVP" in out.splitlines()[0]
    assert out.splitlines()[2].split()[-2:] == ["120", "40"]
    code, _, err = run("scan", folder, "--columns", "KVP", "--by", "series")
    assert code == 1
    assert "SeriesInstanceUID" in err


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_scan_out(run, folder, tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"files.{form}"
    code, out, _ = run("scan", folder, "--by", "instance", "--out", path)
    assert code == 0
    assert f"written: {path}" in out
    if form == "json":
        rows = len(json.loads(path.read_text(encoding="utf-8")))
    else:
        rows = len(pd.read_csv(path) if form == "csv" else pd.read_parquet(path))
    assert rows == 10


def test_scan_out_of_other_kinds_is_refused(run, folder):
    code, _, err = run("scan", folder, "--out", "files.docx")
    assert code == 1
    assert ".csv" in err


def test_dump(run, folder):
    path = next((folder / "enhanced").iterdir())
    code, out, _ = run("dump", path)
    assert code == 0
    assert re.search(r"^\(0002,0010\) +UI +Transfer Syntax UID +1\.2\.840", out, re.MULTILINE)
    assert "Plane Position Sequence" in out
    code, flat, _ = run("dump", path, "--depth", "1")
    assert code == 0
    assert "Per-Frame Functional Groups Sequence" in " ".join(flat.split()) or "Per-Frame" in flat
    assert "Plane Position Sequence" not in flat
    _, short, _ = run("dump", path, "--rows", "5")
    assert "more" in short


def test_dump_tells_of_repairs(run, folder, tmp_path):
    data = bytearray(next((folder / "ct").iterdir()).read_bytes())
    at = data.index(b"\x08\x00\x60\x00CS")
    data[at + 4 : at + 6] = b"C?"
    (tmp_path / "broken.dcm").write_bytes(data)
    _, out, _ = run("dump", tmp_path / "broken.dcm")
    assert "repair: (0008,0060)" in out


def test_show(run, folder, tmp_path):
    path = next((folder / "ct").iterdir())
    code, out, _ = run("show", path, "--out", tmp_path / "a.png")
    assert code == 0
    assert "CT Image Storage" in out
    assert "Chest with contrast" in out
    assert np.array_equal(imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), dk.render(dk.read(path)))


def test_show_of_an_object_without_picture(run, tmp_path):
    report = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11",
        SOPInstanceUID="1.2.3",
        Modality="SR",
        SeriesNumber=1,
        InstanceNumber=1,
        ContentSequence=[{"ValueType": "TEXT", "TextValue": "Unremarkable."}],
    )
    path = dk.samples.write_series([report], tmp_path)[0]
    code, out, _ = run("show", path)
    assert code == 0
    assert "Unremarkable." in out
    code, _, err = run("show", path, "--out", tmp_path / "a.png")
    assert code == 1
    assert "no picture" in err


def test_render(run, folder, tmp_path):
    path = next((folder / "enhanced").iterdir())
    code, _, _ = run("render", path, "--frame", "2", "--window", "-600", "1500", "--out", tmp_path / "a.png")
    assert code == 0
    expected = dk.render(dk.read(path), 2, window=(-600, 1500))
    assert np.array_equal(imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), expected)
    code, _, err = run("render", path, "--frame", "9", "--out", tmp_path / "a.png")
    assert code == 1
    assert "no frame 9" in err


def test_montage(run, folder, tmp_path):
    code, out, _ = run("montage", folder / "ct", "--out", tmp_path / "a.png")
    assert code == 0
    assert "5 slice" in out
    assert imagecodecs.png_decode((tmp_path / "a.png").read_bytes()).ndim == 3


def test_montage_of_several_series_lists_them_and_takes_one(run, folder, tmp_path):
    code, _, err = run("montage", folder, "--out", tmp_path / "a.png")
    assert code == 1
    assert err.splitlines()[0].startswith("dicomkit: there are 3 series")
    assert "SeriesInstanceUID" in err.splitlines()[1]
    code, out, _ = run("montage", folder, "--series", "2", "--out", tmp_path / "a.png")
    assert code == 0
    assert "3 slice" in out
    code, _, err = run("montage", folder, "--series", "1.2.3", "--out", tmp_path / "a.png")
    assert code == 1
    assert "no series '1.2.3'" in err


def test_explain(run, folder, tmp_path):
    code, out, _ = run("explain", folder / "ct", "--out", tmp_path / "a.png")
    assert code == 0
    assert re.search("1 stacks?, 5 slices, regular", out)
    assert (tmp_path / "a.png").stat().st_size > 1000
    incomplete = tmp_path / "ct"
    dk.samples.write_series(
        [ds for ds in dk.samples.ct_series(slices=6, size=16) if ds.InstanceNumber != 3], incomplete
    )
    code, out, _ = run("explain", incomplete)
    assert code == 0
    assert "gaps (stack 0)" in out
    assert "gaps='fill'" in out


def test_errors_are_one_line_without_a_traceback(run, folder, tmp_path):
    for argv in (("scan", tmp_path / "none"), ("dump", tmp_path / "none"), ("show", folder / "notes.txt")):
        code, out, err = run(*argv)
        assert (code, out) == (1, "")
        assert err.startswith("dicomkit: ")
        assert err.count("\n") == 1


def test_wrong_arguments_exit_with_2(capsys):
    for argv in ([], ["unknown"], ["render", "a.dcm"]):
        with pytest.raises(SystemExit) as stopped:
            main(argv)
        assert stopped.value.code == 2
    capsys.readouterr()


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == f"dicomkit {dk.__version__}"


def test_ctrl_c(run, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(dk, "read", interrupted, raising=False)
    assert run("dump", "a.dcm") == (130, "", "dicomkit: interrupted\n")


def test_hostile_text_does_not_reach_the_terminal(run, tmp_path):
    path = dk.samples.write_series(dk.samples.ct_series(slices=1, size=16), tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"Chest with", b"\x1b[31mChest"))
    for argv in (("scan", path), ("dump", path), ("show", path)):
        _, out, _ = run(*argv)
        assert "\x1b" not in out


def test_as_a_module_with_a_reader_that_goes_away(folder):
    command = f'"{sys.executable}" -m dicomkit dump "{next((folder / "enhanced").iterdir())}" | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("Tag")
    assert done.stderr == ""


def test_the_version_needs_nothing_heavy():
    code = "import sys; from dicomkit.cli.main import main\ntry: main(['--version'])\nexcept SystemExit: pass\n"
    heavy = "print(sorted({'numpy', 'pandas', 'xarray', 'matplotlib', 'ipywidgets'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_tables_fit_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    frame = pd.DataFrame(
        {"a": ["x" * 100], "b": [1.0], "c": [None], "d": [(0.5, 0.25)], "e": [pd.Timestamp("2024-05-17")]}
    )
    text = frame_text(frame)
    assert max(map(len, text.splitlines())) <= 50
    assert "0.5\\0.25" in text
    assert "2024-05-17" in text
    assert " c " not in text.splitlines()[0]


def test_a_table_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(dk.errors.SourceError):
        write_frame(pd.DataFrame({"a": [1]}), str(tmp_path / "none" / "a.csv"))
