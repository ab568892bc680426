"""A file that grows: whatever the pieces are, it holds all of them, in order, once it has its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomkit.errors import SourceError
from dicomkit.new_file import NewFile

SIZES = st.integers(0, 40) | st.sampled_from([16383, 16384, 16385, 32768, 70_001])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(SIZES, max_size=4) | st.none(), max_size=12))
def test_any_pieces_are_in_it_in_order(tmp_path: Path, writes: list[list[int] | None]) -> None:
    data = os.urandom(sum(sum(sizes) for sizes in writes if sizes))
    file, at = NewFile(str(tmp_path / "folder")), 0
    for sizes in writes:
        if sizes is None:
            file.flush()
            assert Path(file.path).read_bytes() == data[:at]
            continue
        buffers = []
        for size in sizes:
            buffers.append(bytearray(data[at : at + size]))
            at += size
        file.write(buffers)
        for buffer in buffers:  # which belong to whoever reads the next bytes into them
            buffer[:] = bytes(len(buffer))
        assert file.size == at
    file.commit(str(tmp_path / "place" / "it"))
    assert (tmp_path / "place" / "it").read_bytes() == data
    assert os.listdir(tmp_path / "folder") == []


def test_a_system_that_takes_fewer_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, write = os.urandom(100_000), os.write
    monkeypatch.setattr(
        os, "writev", lambda descriptor, buffers: write(descriptor, b"".join(buffers)[:999]), raising=False
    )
    monkeypatch.setattr(os, "write", lambda descriptor, buffer: write(descriptor, buffer[:777]))
    file = NewFile(str(tmp_path))
    file.write([data[:50_000], memoryview(data)[50_000:]])
    file.commit(str(tmp_path / "it"))
    assert (tmp_path / "it").read_bytes() == data


def test_what_is_discarded_or_fails_leaves_nothing(tmp_path: Path) -> None:
    file = NewFile(str(tmp_path))
    file.write([b"ab"])
    file.discard()
    (tmp_path / "folder").mkdir()
    other = NewFile(str(tmp_path))
    other.write([b"ab"])
    with pytest.raises(SourceError):
        other.commit(str(tmp_path / "folder"))
    other.discard()
    assert os.listdir(tmp_path) == ["folder"]
