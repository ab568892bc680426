"""Bad bytes give a DataSet with repairs or a DicomError, and nothing else."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import needs_data, real_file

import dicomkit as dk
from dicomkit.errors import DicomError
from dicomkit.sources import inflate

DOZEN = (
    "01_pydicom_core/CT_small.dcm",
    "01_pydicom_core/MR_small_implicit.dcm",
    "01_pydicom_core/MR_small_bigendian.dcm",
    "01_pydicom_core/image_dfl.dcm",
    "01_pydicom_core/JPEG2000.dcm",
    "01_pydicom_core/nested_priv_SQ.dcm",
    "01_pydicom_core/UN_sequence.dcm",
    "01_pydicom_core/ExplVR_BigEndNoMeta.dcm",
    "10_rt/pydicom/rtplan.dcm",
    "10_rt/pydicom/rtstruct.dcm",
    "08_charset/chrSQEncoding.dcm",
    "12_dicomdir/DICOMDIR",
)


def survives(data: bytes, printed: set[object] | None = None) -> bool:
    """Read and look at everything; whether there was a DataSet. Equal elements and problems are printed once."""
    try:
        ds = dk.read(data)
        tags = []
        for _, element in ds.walk():
            _ = element.value, element.text
            tags.append(element.tag)
        structure = tuple(tags), tuple((repair.tag, repair.offset) for repair in ds.repairs)
        if printed is None or structure not in printed:
            repr(ds)
        if printed is not None:
            printed.add(structure)
    except DicomError as error:
        str(error)
        return False
    return True


@needs_data
@pytest.mark.parametrize("name", DOZEN)
def test_every_truncation(name: str) -> None:
    data = real_file(name).read_bytes()
    chance = random.Random(name)
    cuts = [*range(min(len(data), 4096)), *(chance.randrange(len(data)) for _ in range(100))]
    printed: set[object] = set()
    read = [survives(data[:cut], printed) for cut in cuts]
    assert any(read), "a file cut late still gives its beginning"
    assert survives(data)


@needs_data
@pytest.mark.parametrize("name", DOZEN)
def test_changed_bytes(name: str) -> None:
    data = real_file(name).read_bytes()[:20_000]
    chance = random.Random(name)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 12)):
            changed[chance.randrange(len(changed))] = chance.choice((0, 0xFF, chance.randrange(256)))
        survives(bytes(changed))


@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    survives(data)
    survives(bytes(128) + b"DICM" + data)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                (
                    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
                    b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
                    b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
                    b"\xfe\xff\x00\xe0\x08\x00\x00\x00",
                    b"\x40\x00\x55\xa7SQ\x00\x00\xff\xff\xff\xff",
                    b"\x40\x00\x55\xa7SQ\x00\x00\x20\x00\x00\x00",
                    b"\x40\x00\x55\xa7UN\x00\x00\xff\xff\xff\xff",
                    b"\x08\x00\x60\x00CS\x02\x00CT",
                    b"\x09\x00\x10\x00LO\x04\x00ACME",
                    b"\x09\x00\x01\x10UN\x00\x00\x08\x00\x00\x00\xfe\xff\x00\xe0\x00\x00\x00\x00",
                    b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff",
                    b"\x28\x00\x10\x00US\x02\x00\x01\x00",
                )
            ),
        ),
        max_size=14,
    )
)
def test_structure_in_disorder(parts: list[bytes]) -> None:
    survives(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192" + b"".join(parts))


def test_sequences_nested_without_end_are_an_error() -> None:
    level = b"\x40\x00\x55\xa7SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    start = b"\x08\x00\x60\x00CS\x02\x00CT"
    assert dk.read(start + 20 * level).repairs
    with pytest.raises(DicomError, match="deep"):
        dk.read(start + 5000 * level)


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0xFFFFFFF0])
def test_announced_lengths_allocate_nothing(length: int) -> None:
    data = b"\x08\x00\x60\x00CS\x02\x00CT" + b"\xe0\x7f\x10\x00OB\x00\x00" + length.to_bytes(4, "little") + b"abc"
    tracemalloc.start()
    ds = dk.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert ds.PixelData == b"abc"
    assert [repair.problem for repair in ds.repairs if repair.tag] == [f"a value of {length} bytes, 3 present"]


def test_memory_is_a_small_multiple_of_the_file() -> None:
    data = b"\x08\x00\x60\x00CS\x02\x00CT" + b"\x09\x00\x01\x10CS\x00\x00" * 400_000
    tracemalloc.start()
    dk.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(data)


def test_a_deflate_bomb_is_refused() -> None:
    machine = zlib.compressobj(9, wbits=-15)
    bomb = machine.compress(bytes(30_000_000)) + machine.flush()
    with pytest.raises(DicomError, match="more than"):
        inflate(bomb, limit=1_000_000)


def test_a_file_that_changed_is_an_error_not_other_bytes(tmp_path) -> None:
    from dicomkit.encoding.writer import to_part10

    path = tmp_path / "a.dcm"
    ds = dk.DataSet(SOPClassUID="1.2.3", SOPInstanceUID="1.2.4", Rows=1, PixelData=bytes(200_000))
    path.write_bytes(to_part10(ds))
    ds = dk.read(path)
    path.write_bytes(b"x" * 100)
    with pytest.raises(DicomError, match="changed"):
        bytes(ds.PixelData)
