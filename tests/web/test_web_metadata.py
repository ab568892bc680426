"""Metadata goes out as JSON or as XML in parts, and comes back one instance at a time, however long the message."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from realdata import all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.errors import DicomError, ReadError, TruncatedError, ValueFormatError
from dicomkit.web.metadata import metadata_message, read_metadata
from dicomkit.web.multipart_writer import NewPart, multipart_related

BOTH = ("application/dicom+json", "application/dicom+xml")


@needs_data
@pytest.mark.parametrize("kind", BOTH)
def test_real_metadata_comes_back(kind: str) -> None:
    datasets = []
    for path in all_dicom_files()[::12]:
        try:
            ds = dk.read(path)
        except DicomError:
            continue
        pixels = [tag for tag in ds if tag in (0x7FE00010, 0x7FE00008, 0x7FE00009)]
        datasets.append(ds.drop(*pixels).map(lambda one: dk.DROP if one.tag.element == 0 else one))
    content_type, chunks = metadata_message(datasets, kind)
    back = list(read_metadata(str(content_type), chunks))
    assert len(back) == len(datasets) > 40
    assert [ds.path for ds, one in zip(datasets, back, strict=True) if one != ds] == []


@pytest.mark.parametrize("kind", BOTH)
def test_a_message_of_any_length_takes_the_memory_of_one_instance(kind: str) -> None:
    one = dk.DataSet(PatientName="DOE^JANE", TextValue="x" * 20_000)

    def many() -> Iterator[dk.DataSet]:
        for number in range(1, 1001):
            yield one.assign(InstanceNumber=number)

    tracemalloc.start()
    content_type, chunks = metadata_message(many(), kind)
    numbers = [ds.InstanceNumber for ds in read_metadata(str(content_type), chunks)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert numbers == list(range(1, 1001))
    assert peak < 8 << 20  # of 20 MB


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunks_of_any_size(kind: str, size: int) -> None:
    content_type, chunks = metadata_message([dk.DataSet(PatientName="Müller"), dk.DataSet(Rows=2)], kind)
    whole = b"".join(chunks)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    expected = [dk.DataSet(PatientName="Müller"), dk.DataSet(Rows=2)]
    assert list(read_metadata(str(content_type), pieces)) == expected
    assert list(read_metadata(str(content_type), whole)) == expected
    assert list(read_metadata(str(content_type), io.BytesIO(whole))) == expected


@pytest.mark.parametrize("kind", BOTH)
def test_bulk_data_by_reference(kind: str) -> None:
    ds = dk.DataSet(SOPInstanceUID="2.25.7", PixelData=b"abcd")
    content_type, chunks = metadata_message([ds], kind, bulk=lambda path, element: f"bulk/{path[-1]:08X}")
    (back,) = read_metadata(str(content_type), chunks, resolve=lambda uri: uri.encode()[:4])
    assert back.PixelData.uri == "bulk/7FE00010"
    assert bytes(back.PixelData) == b"bulk"


def test_what_servers_send_instead() -> None:
    single = dk.to_xml(dk.DataSet(Rows=1))
    assert [ds.Rows for ds in read_metadata("application/dicom+xml", single)] == [1]
    assert [ds.Rows for ds in read_metadata("text/xml; charset=utf-8", [single[:9], single[9:]])] == [1]
    assert list(read_metadata("application/json", b"")) == []
    parts = [NewPart("application/dicom+json", dk.to_json(dk.DataSet(Rows=n)).encode()) for n in (1, 2)]
    content_type, chunks = multipart_related(parts, "application/dicom+json")
    assert [ds.Rows for ds in read_metadata(str(content_type), chunks)] == [1, 2]


def test_errors_come_after_what_was_whole_and_name_the_part() -> None:
    content_type, chunks = metadata_message([dk.DataSet(Rows=1), dk.DataSet(Rows=2)], "application/dicom+xml")
    whole = b"".join(chunks)
    given = read_metadata(str(content_type), whole.replace(b">2<", b">x<"))
    assert next(given).Rows == 1
    with pytest.raises(ReadError, match=r"part 1: .*\(0028,0010\)"):
        next(given)
    given = read_metadata(str(content_type), whole[:-60])
    assert next(given).Rows == 1
    with pytest.raises(TruncatedError):
        next(given)


def test_other_media_types_are_refused() -> None:
    with pytest.raises(ValueFormatError, match="image/png"):
        metadata_message([], "image/png")
    with pytest.raises(ReadError, match="image/png"):
        list(read_metadata("image/png", b""))
    content_type, chunks = multipart_related([NewPart("image/png", b"x")], "image/png")
    with pytest.raises(ReadError, match="part 0: image/png"):
        list(read_metadata(str(content_type), chunks))
