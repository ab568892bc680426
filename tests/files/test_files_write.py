"""Files are there whole or not at all, whatever goes wrong while they are written."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import SourceError, UnsupportedError, ValueFormatError
from dicomkit.opening import open_source
from dicomkit.replacement import replace_file
from dicomkit.sources import Bulk, MemorySource

IMAGE = DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1", PatientID="old")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "image.dcm"
    dk.write(IMAGE, path)
    return path


def test_a_failure_in_the_middle_leaves_the_old_file(target: Path) -> None:
    before = target.read_bytes()

    def chunks() -> Iterator[bytes]:
        yield b"x" * (1 << 21)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        replace_file(str(target), chunks())
    assert target.read_bytes() == before
    assert os.listdir(target.parent) == ["image.dcm"]


def test_a_value_that_cannot_be_encoded_leaves_the_old_file(target: Path) -> None:
    before = target.read_bytes()
    with pytest.raises(ValueFormatError, match="0010,0010"):
        dk.write(IMAGE.assign(SpecificCharacterSet="ISO_IR 100", PatientName="x=東"), target)
    assert target.read_bytes() == before
    assert os.listdir(target.parent) == ["image.dcm"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
def test_a_killed_process_leaves_the_old_file(target: Path) -> None:
    before = target.read_bytes()
    code = """
        import os, signal, sys
        from dicomkit.replacement import replace_file
        def chunks():
            yield b"x" * (1 << 21)
            os.kill(os.getpid(), signal.SIGKILL)
            yield b"y"
        replace_file(sys.argv[1], chunks())
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(target)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert target.read_bytes() == before


def test_a_full_disk_is_a_source_error_and_leaves_the_old_file(target: Path) -> None:
    pytest.importorskip("resource")
    before = target.read_bytes()
    code = """
        import resource, signal, sys
        import dicomkit as dk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        ds = dk.read(sys.argv[1]).assign(EncapsulatedDocument=bytes(1_000_000))
        try:
            dk.write(ds, sys.argv[1], overwrite=True)
        except dk.errors.SourceError as error:
            sys.exit(7)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(target)], check=False)
    assert run.returncode == 7
    assert target.read_bytes() == before
    assert os.listdir(target.parent) == ["image.dcm"]


def test_a_file_object_that_fails_is_a_source_error() -> None:
    class Full(io.RawIOBase):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(SourceError, match="No space left"):
        dk.write(IMAGE, Full())


def test_a_file_object_that_takes_little_at_a_time_gets_all() -> None:
    class Slow(io.BytesIO):
        def write(self, data: object) -> int:
            return super().write(memoryview(data)[:7])  # type: ignore[arg-type]

    slow, quick = Slow(), io.BytesIO()
    dk.write(IMAGE, slow)
    dk.write(IMAGE, quick)
    assert slow.getvalue() == quick.getvalue()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user who is no administrator")
def test_a_read_only_folder_is_a_source_error(target: Path) -> None:
    target.parent.chmod(0o555)
    try:
        with pytest.raises(SourceError, match=r"image\.dcm"):
            dk.write(IMAGE, target)
    finally:
        target.parent.chmod(0o755)


def test_a_folder_that_is_not_there_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        dk.write(IMAGE, tmp_path / "nowhere" / "a.dcm")


def test_the_source_is_not_overwritten_unasked(target: Path) -> None:
    ds, before = dk.read(target), target.read_bytes()
    with pytest.raises(SourceError, match="overwrite"):
        dk.write(ds.assign(PatientID="new"), target)
    link = target.with_name("link.dcm")
    os.link(target, link)
    with pytest.raises(SourceError, match="overwrite"):
        dk.write(ds, link)
    assert target.read_bytes() == before


def test_overwriting_the_source_returns_a_data_set_over_the_new_file(target: Path) -> None:
    bulk = os.urandom(3_000_000)
    dk.write(IMAGE.assign(EncapsulatedDocument=bulk), target)
    ds = dk.read(target).assign(PatientID="a much longer identifier than before")
    new = dk.write(ds, target, overwrite=True, durable=True)
    assert new.path == str(target)
    assert new.PatientID == "a much longer identifier than before"
    assert bytes(new.EncapsulatedDocument) == bulk
    assert dk.read(target) == new


def test_a_file_larger_than_memory_is_streamed(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    large = tmp_path / "large.dcm"
    dk.write(IMAGE.assign(EncapsulatedDocument=b"12"), large)
    head = large.read_bytes()[:-2]
    size = 200_000_000
    with large.open("wb") as file:
        file.write(head[:-4] + size.to_bytes(4, "little"))
        file.truncate(len(head) + size)
    code = """
        import resource, sys
        import dicomkit as dk
        dk.write
        ds = dk.read(sys.argv[1]).assign(PatientID="changed")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        dk.write(ds, sys.argv[1] + ".copy", transfer_syntax=sys.argv[2] or None)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    for syntax in ("", "ImplicitVRLittleEndian", "DeflatedExplicitVRLittleEndian"):
        run = [sys.executable, "-c", textwrap.dedent(code), str(large), syntax]
        growth = int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
        assert growth < 40_000, syntax  # KiB on Linux
    assert dk.read(f"{large}.copy").PatientID == "changed"


@pytest.mark.parametrize("how", ["by the system", "not on this system", "not between these files"])
def test_slices_of_a_file_are_copied(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "source").write_bytes(data)
    with open_source(str(tmp_path / "source")) as opened:
        slices = Bulk(opened.source, 4102, 2_990_000), Bulk(opened.source, 7, 2_999_000), Bulk(opened.source, 0, 3)
    copied: list[int] = []
    if how == "not on this system":
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    elif how == "not between these files":

        def refuse(*_: object) -> int:
            raise OSError(errno.EXDEV, "other file system")

        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    elif hasattr(os, "copy_file_range"):
        copy = os.copy_file_range
        monkeypatch.setattr(os, "copy_file_range", lambda *a: copied.append(a[3]) or copy(*a))
    replace_file(str(tmp_path / "made"), [b"before", slices[0], b"between", b"", *slices[1:]])
    expected = b"before" + data[4102:2_994_102] + b"between" + data[7:2_999_007] + data[:3]
    assert (tmp_path / "made").read_bytes() == expected
    if how == "by the system" and hasattr(os, "copy_file_range"):
        assert copied[:1] == [4102]  # whose pages are those of the new file
        assert 7 not in copied


def test_a_slice_of_a_file_that_changed_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "source.dcm"
    dk.write(IMAGE.assign(EncapsulatedDocument=bytes(200_000)), path)
    ds = dk.read(path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(SourceError, match="changed since it was read"):
        dk.write(ds.assign(PatientID="x"), tmp_path / "made.dcm")
    assert os.listdir(tmp_path) == ["source.dcm"]
    missing = Bulk(MemorySource(b"abc"), 0, 5)
    with pytest.raises(SourceError, match="5 bytes expected, 3 found"):
        replace_file(str(tmp_path / "made"), [missing])
    assert os.listdir(tmp_path) == ["source.dcm"]


@pytest.mark.parametrize("syntax", ["1.2.3.4", "1.2.840.10008.5.1.4.1.1.2", "CTImageStorage", "JPEG3000"])
def test_what_is_no_transfer_syntax_is_not_written(syntax: str, tmp_path: Path) -> None:
    ds = dk.samples.ct_series(slices=1, size=8)[0]
    with pytest.raises((UnsupportedError, ValueFormatError), match="transfer syntax"):
        dk.write(ds, tmp_path / "a.dcm", transfer_syntax=syntax)
    assert not list(tmp_path.iterdir())


def test_a_file_of_an_unknown_transfer_syntax_is_written_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    dk.write(dk.samples.ct_series(slices=1, size=8)[0], path)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.10"))
    ds = dk.read(path)
    assert ds.transfer_syntax.encapsulated is None
    dk.write(ds, tmp_path / "b.dcm")
    assert dk.read(tmp_path / "b.dcm") == ds


def test_a_link_leads_to_the_file_to_write_but_for_those_who_name_no_path(target: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.dcm"
    link.symlink_to(target.name)
    dk.write(IMAGE.assign(PatientID="new"), link)
    assert link.is_symlink()
    assert dk.read(target).PatientID == "new"
    before = target.read_bytes()
    replace_file(str(link), [b"other"])
    assert not link.is_symlink()
    assert (link.read_bytes(), target.read_bytes()) == (b"other", before)


def test_a_link_to_the_source_is_the_source(target: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.dcm"
    link.symlink_to(target)
    with pytest.raises(SourceError, match="read from this very file"):
        dk.write(dk.read(target).assign(PatientID="new"), link)
    again = dk.write(dk.read(target).assign(PatientID="new"), link, overwrite=True)
    assert again.PatientID == dk.read(target).PatientID == "new"
    assert link.is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no pipes with names")
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_to_and_stays_one(linked: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    where = tmp_path / "link" if linked else pipe
    if linked:
        where.symlink_to(pipe)
    code = "import sys; data = open(sys.argv[1], 'rb').read(); print(len(data), data[128:132])"
    with subprocess.Popen([sys.executable, "-c", code, pipe], stdout=subprocess.PIPE, text=True) as reader:
        dk.write(IMAGE, where)
        told, _ = reader.communicate(timeout=30)
    file = io.BytesIO()
    dk.write(IMAGE, file)
    assert told == f"{len(file.getvalue())} b'DICM'\n"
    assert pipe.is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the platform has no device that is always full")
def test_a_device_that_takes_nothing_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(SourceError, match="No space left"):
        dk.write(IMAGE, link)
    assert not os.path.isfile("/dev/full")
    assert link.is_symlink()
