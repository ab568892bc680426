"""Whose an instance is, is found in its first bytes, however they are encoded, and nothing in them is an error."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import DATA, needs_data

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.instance_events import (
    HEAD,
    MOST_CHARACTERS,
    Identifier,
    InstanceHeader,
    header_of,
    instance_header,
    keep_head,
)
from dicomkit.dimse.outgoing import Outgoing, outgoing
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.net.events import Event, describe

IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
ITEM = DataSet(PatientID="another", StudyInstanceUID="9.9")
DS = DataSet(
    SpecificCharacterSet="ISO_IR 192",
    AccessionNumber="A7",
    ReferencedImageSequence=[ITEM],
    PatientName="Müller^Jörg",
    PatientID="4711",
    StudyInstanceUID="1.2.3",
    SeriesInstanceUID="1.2.3.4",
)
WANTED = InstanceHeader("1.2.3", "4711", "Müller^Jörg", "A7")


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED, "1.2.840.10008.1.2.4.90"])
@pytest.mark.parametrize("name", ["Müller^Jörg", "Doe^Jane"])
def test_it_is_found_in_every_encoding(syntax: str, name: str) -> None:
    ds = DS.assign(PatientName=name)
    data = to_bytes(ds, EXPLICIT if syntax.endswith("4.90") else syntax)
    found = instance_header(data, syntax)
    assert (found.study_instance_uid, found.patient_id, found.patient_name) == ("1.2.3", "4711", name)
    assert found == InstanceHeader.of(ds)


def test_a_sequence_of_undefined_length_before_it_is_stepped_over() -> None:
    inner = to_bytes(ITEM, IMPLICIT)
    sequence = b"\x08\x00\x40\x11\xff\xff\xff\xff\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    sequence += b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    data = sequence + to_bytes(DataSet(PatientID="4711", StudyInstanceUID="1.2.3"), IMPLICIT)
    assert instance_header(data, IMPLICIT) == InstanceHeader("1.2.3", "4711")


def test_names_in_japanese_are_read_in_their_character_set() -> None:
    ds = DataSet(
        SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎", StudyInstanceUID="1.2.3"
    )
    assert instance_header(to_bytes(ds), EXPLICIT).patient_name == "Yamada^Tarou=山田^太郎"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([IMPLICIT, EXPLICIT, DEFLATED, BIG, "1.2.3", ""]))
def test_nonsense_is_no_error(data: bytes, syntax: str) -> None:
    assert isinstance(instance_header(data, syntax), InstanceHeader)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED]), st.booleans())
def test_damage_and_cuts_are_no_error(position: int, value: int, syntax: str, is_cut: bool) -> None:
    data = bytearray(to_bytes(DS, syntax))
    position %= len(data)
    if is_cut:
        del data[position:]
    else:
        data[position] = value
    assert isinstance(instance_header(bytes(data), syntax), InstanceHeader)


def test_long_values_are_cut_and_bombs_do_not_go_off() -> None:
    long = b"\x10\x00\x20\x00" + (60_000).to_bytes(4, "little") + b"A" * 60_000
    data = long + b"\x20\x00\x0d\x00" + (4).to_bytes(4, "little") + b"1.2\x00"
    found = instance_header(data, IMPLICIT)
    assert (found.study_instance_uid, len(found.patient_id)) == ("1.2", MOST_CHARACTERS)
    deflate = zlib.compressobj(9, wbits=-15)
    bomb = deflate.compress(b"\x00" * (64 << 20)) + deflate.flush()
    assert instance_header(bomb, DEFLATED) == InstanceHeader()


def test_only_the_head_is_kept() -> None:
    head = bytearray()
    for _ in range(10):
        keep_head(head, [b"x" * 5000, bytearray(b"y" * 5000)])
    assert len(head) == HEAD
    keep_head(None, [b"x"])


def test_logs_show_no_patient() -> None:
    event = Event("x", data={"header": WANTED, "identifier": Identifier(EXPLICIT, to_bytes(DS))})
    text = describe(event) + repr(event)
    assert "1.2.3" in text
    assert not any(word in text for word in ("4711", "ller", "A7"))


def test_what_goes_out_is_looked_at_wherever_it_is(tmp_path: object) -> None:
    ds = dk.samples.ct_series(1, 64)[0]
    path = f"{tmp_path}/a.dcm"
    dk.write(ds, path)
    wanted = InstanceHeader.of(ds)
    bare = {"sop_class_uid": "1.2", "sop_instance_uid": "1.3", "transfer_syntax_uid": EXPLICIT}
    archive = dk.MemoryArchive()
    sources = [ds, path, archive.store(ds), Outgoing.of_bytes(to_bytes(ds), **bare)]
    assert [header_of(outgoing(source)) for source in sources] == [wanted] * 4

    def gone() -> bytes:
        raise OSError("the disk is gone")

    assert header_of(Outgoing(*bare.values(), gone)) == InstanceHeader()


@needs_data
def test_real_files_say_the_same_as_when_they_are_read() -> None:
    looked_at = 0
    for path in sorted(DATA.rglob("*.dcm"))[::25]:
        try:
            instance, ds = outgoing(path), read(path, stop_before="PixelData")
        except DicomError:
            continue
        assert header_of(instance) == InstanceHeader.of(ds), path
        looked_at += 1
    assert looked_at > 5
