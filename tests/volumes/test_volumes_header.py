"""What is picked out of a file is what a DataSet of it has."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from made_series import along_z, made_series, ramp
from realdata import all_dicom_files, needs_data, real_file

import dicomkit as dk
from dicomkit.dataset.private import with_private
from dicomkit.encoding.layout import Layout
from dicomkit.errors import DicomError, PixelError
from dicomkit.pixels.description import describe
from dicomkit.volumes.facts import collect
from dicomkit.volumes.header import Header, dataset_of, read_header
from dicomkit.volumes.places import PLACE, wanted_tags
from dicomkit.volumes.voxels import described


def same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)


@needs_data
def test_every_wanted_value_of_every_real_file() -> None:
    quick = 0
    for path in all_dicom_files():
        try:
            ds = dk.read(path)
        except DicomError:
            with pytest.raises(DicomError):
                read_header(path, wanted_tags())
            continue
        header = read_header(path, wanted_tags())
        quick += isinstance(header, Header)
        assert header.path == ds.path
        assert header.transfer_syntax == ds.transfer_syntax
        for tag in wanted_tags():
            assert same(header.get(tag), ds.get(tag)), (path, tag)
            if tag.keyword:
                assert same(header.get(tag.keyword), ds.get(tag)), (path, tag)
                assert (tag.keyword in header) == (tag in ds), (path, tag)
        try:
            description = describe(ds)
        except DicomError:
            continue
        assert described([header, header]) == [description] * 2, path
    assert quick > 200


@needs_data
def test_facts_of_headers_and_of_data_sets_are_the_same() -> None:
    for folder in ("05_series_ct/philips_head", "06_series_mr/dicom2nifti/siemens", "06_series_mr/siemens_nih/mr_0004"):
        paths = sorted(p for p in real_file(folder).rglob("*") if p.is_file() and p.suffix in ("", ".dcm"))
        headers = collect(read_header(path, wanted_tags()) for path in paths)
        whole = collect(map(dk.read, paths))
        for name in PLACE:
            assert np.array_equal(headers[name], whole[name], equal_nan=headers[name].dtype != object), (folder, name)
        assert np.array_equal(headers.frame, whole.frame)
        assert np.array_equal(headers.top, whole.top)


@needs_data
def test_a_header_can_become_a_data_set_and_be_sent() -> None:
    header = read_header(real_file("03_pet/1.dcm"), wanted_tags())
    ds = dataset_of(header)
    assert ds.Rows == 168
    assert dataset_of(ds) is ds
    assert header.all("ImageType") == ("ORIGINAL", "PRIMARY")
    assert header.element("Rows").vr == "US"
    assert header.get("PatientComments", "none") == "none"
    assert pickle.loads(pickle.dumps(ds)) == ds


def test_a_series_that_changes_midway_is_not_taken_for_alike(tmp_path: Path) -> None:
    from test_volumes_load import write_with_pydicom

    pydicom = pytest.importorskip("pydicom")
    per_slice = [
        {"RescaleSlope": s, "RescaleIntercept": 0, "PixelSpacing": [p, p]} for s, p in [(1, 1), (2, 1), (2, 3), (1, 1)]
    ]
    paths = []
    for k, ds in enumerate(made_series(ramp(4, 2, 2), along_z([0, 1, 2, 3]), per_slice=per_slice)):
        paths.append(tmp_path / f"{k}.dcm")
        write_with_pydicom(pydicom, ds, paths[-1])
    layout = Layout()
    for known in (None, layout, layout):
        headers = [read_header(path, wanted_tags(), known) for path in paths]
        assert all(isinstance(header, Header) for header in headers)
        facts = collect(headers)
        assert facts["slope"].tolist() == [1, 2, 2, 1]
        assert facts["spacing"][:, 0].tolist() == [1, 1, 3, 1]
        assert facts["position"][:, 2].tolist() == [0, 1, 2, 3]


@needs_data
@pytest.mark.parametrize("folder", ["05_series_ct", "06_series_mr", "07_series_irregular"])
def test_a_layout_changes_no_fact(folder: str) -> None:
    paths = sorted(p for p in real_file(folder).rglob("*") if p.is_file() and p.suffix in ("", ".dcm"))
    layout = Layout()
    kept: list[tuple[Header, Header]] = []
    for path in paths:
        try:
            plain, known = read_header(path, wanted_tags()), read_header(path, wanted_tags(), layout)
        except DicomError:
            continue
        assert isinstance(plain, Header) == isinstance(known, Header)
        if isinstance(plain, Header) and isinstance(known, Header):
            kept.append((plain, known))
    assert any(known._found.alike is not None for _, known in kept)
    without, through = (collect(headers) for headers in zip(*kept, strict=True))
    for name in PLACE:
        assert np.array_equal(without[name], through[name], equal_nan=without[name].dtype != object), name


@pytest.mark.parametrize("size", [4, 90, 128, 181, 200])
def test_images_of_every_size_are_picked_and_read(tmp_path: Path, size: int) -> None:
    stored = ramp(3, size, size)
    for k, ds in enumerate(made_series(stored, along_z([0, 1, 2]), RescaleSlope=1, RescaleIntercept=0)):
        dk.write(ds, tmp_path / f"{k}.dcm")
    layout = Layout()
    for k in range(3):
        path = tmp_path / f"{k}.dcm"
        assert isinstance(read_header(path, wanted_tags()), Header)
        header = read_header(path, wanted_tags(), layout)
        assert isinstance(header, Header)
        assert bytes(header.get("PixelData")) == bytes(header.dataset.PixelData) == stored[k].tobytes()
    assert np.array_equal(dk.to_volume(tmp_path), stored)
    cut = (tmp_path / "1.dcm").read_bytes()[:-7]
    (tmp_path / "1.dcm").write_bytes(cut)
    with pytest.raises(PixelError, match="cut short"):
        dk.to_volume(tmp_path)


def test_what_stands_behind_long_private_values_is_not_taken_for_alike(tmp_path: Path) -> None:
    spacings = (1.0, 1.0, 2.0, 2.0)
    per_slice = [{"PixelSpacing": [s, s], "RescaleSlope": s, "RescaleIntercept": 0} for s in spacings]
    for k, ds in enumerate(made_series(ramp(4, 2, 2), along_z(range(4)), per_slice=per_slice)):
        private = with_private(ds, "SOMEBODY", {1: bytes(20_000)}, group=0x0009, vrs={1: "OB"})
        dk.write(private, tmp_path / f"{k}.dcm")
    headers = [read_header(tmp_path / f"{k}.dcm", wanted_tags()) for k in range(4)]
    assert all(isinstance(header, Header) for header in headers)
    facts = collect(headers)
    assert facts["spacing"][:, 0].tolist() == facts["slope"].tolist() == list(spacings)
    assert [d.rows for d in described(headers)] == [2] * 4
