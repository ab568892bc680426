"""The attributes on a card: the quick way to them gives what the careful one does."""

from hypothesis import given
from hypothesis import strategies as st
from realdata import DATA, needs_data

import dicomkit as dk
from dicomkit import DataSet
from dicomkit.archive import FolderArchive
from dicomkit.archive.cards import make_card, plain_header
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.query import query
from dicomkit.samples import ct_series

EXPLICIT = "1.2.840.10008.1.2.1"


@needs_data
def test_plain_headers_are_what_would_be_written():
    compared = 0
    for path in sorted(DATA.rglob("*.dcm"))[::5]:
        try:
            ds = dk.read(path, stop_before="PixelData")
            syntax = ds.transfer_syntax
            if ds.repairs or syntax.implicit_vr or syntax.big_endian:
                continue
            card = make_card(ds)
            header = plain_header(to_bytes(ds, EXPLICIT))
        except DicomError:
            continue
        if header is not None:
            compared += 1
            assert header.attributes == card.attributes, path
            assert header.ds == ds, path
    assert compared > 20


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_not(data):
    found = plain_header(data)
    assert found is None or len(found.attributes) <= len(data)


def test_what_is_told_of_groups_is_only_asked_for_matches(tmp_path, monkeypatch):
    with FolderArchive(tmp_path) as archive:
        for ds in ct_series(2, 8):
            archive.store(ds)
        asked = []
        facts = archive._index.facts
        monkeypatch.setattr(archive._index, "facts", lambda *given: asked.extend(given[1]) or facts(*given))
        assert not list(archive.search(query("study", StudyDescription="nobody*")))
        assert asked == []
        (study,) = archive.search(query("study", ModalitiesInStudy="CT"))
        assert (study.ModalitiesInStudy, len(asked)) == ("CT", 1)


def test_a_header_that_is_cut_is_none():
    whole = to_bytes(next(iter(ct_series(1, 8))), EXPLICIT)
    pixels = whole.index(b"\xe0\x7f\x10\x00OW")
    assert plain_header(whole, whole=False) == plain_header(whole)
    assert plain_header(whole[:pixels], whole=False) is None
    for length in range(pixels):
        assert plain_header(whole[:length], whole=False) is None
    cut = [length for length in range(pixels) if plain_header(whole[:length]) is None]
    assert len(cut) > pixels - 200  # elsewhere it ends with an element


def test_what_is_not_plain_is_left_to_the_reader():
    plain = to_bytes(DataSet(PatientID="A1", StudyInstanceUID="1.2"), EXPLICIT)
    assert plain_header(plain).ds.StudyInstanceUID == "1.2"
    study = plain.index(b"\x20\x00\x0d\x00")
    assert plain_header(plain[study:] + plain[:study]) is None  # out of order
    assert plain_header(b"\x10\x00\x20\x00LO\x01\x00A" + plain[study:]) is None  # an odd length
    sequence = bytes.fromhex("0800 1011 5351 0000 ffffffff feff dde0 00000000")
    assert plain_header(sequence + plain) is None  # an undefined length


def test_encoded_answers_are_the_same_as_others(tmp_path):
    from dicomkit import read
    from dicomkit.archive import FolderArchive
    from dicomkit.query import query
    from dicomkit.samples import ct_series

    with FolderArchive(tmp_path) as archive:
        for ds in ct_series(3, 8):
            archive.store(ds.assign(SpecificCharacterSet="ISO_IR 192", PatientName="Ĝi^Ä"))
        asked = query(
            "image", StudyInstanceUID=ds.StudyInstanceUID, return_keys=["PatientName", "Rows", "ImageComments"]
        )
        encoded = archive.search_encoded(asked, {"RetrieveAETitle": "X"})
        found = [read(data, transfer_syntax="ExplicitVRLittleEndian").drop("RetrieveAETitle") for data in encoded]
        assert found == list(archive.search(asked))
        assert len(found) == 3
        assert archive.search_encoded(query("image", PatientID="A"), {}) is None
        assert archive.search_encoded(query("study"), {}) is None


def test_an_encoded_answer_from_a_card_with_an_undefined_length():
    from dicomkit import DataSet, read
    from dicomkit.archive.encoded_answers import encoded_answering
    from dicomkit.query import query

    answer = encoded_answering(
        query("image", StudyInstanceUID="1.2", return_keys=["PatientID"]), {"RetrieveAETitle": "X"}
    )
    sequence = bytes.fromhex("08001211 53510000 ffffffff fe ff 0d e0 00000000 fe ff dd e0 00000000".replace(" ", ""))
    card = sequence + b"\x10\x00\x20\x00LO\x02\x00A1" + b"\x20\x00\x0d\x00UI\x04\x001.2\0"
    found = read(answer(card), transfer_syntax="ExplicitVRLittleEndian")
    assert (found.PatientID, found.StudyInstanceUID, found.RetrieveAETitle) == ("A1", "1.2", "X")
    assert isinstance(found, DataSet)
