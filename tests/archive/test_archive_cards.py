"""The attributes on a card: the quick way to them gives what the careful one does."""

from hypothesis import given
from hypothesis import strategies as st
from realdata import DATA, needs_data

import dicomkit as dk
from dicomkit.archive import FolderArchive
from dicomkit.archive.cards import make_card, sliced
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.query import query
from dicomkit.samples import ct_series

EXPLICIT = "1.2.840.10008.1.2.1"


@needs_data
def test_slices_are_what_would_be_written():
    compared = 0
    for path in sorted(DATA.rglob("*.dcm"))[::5]:
        try:
            ds = dk.read(path, stop_before="PixelData")
            syntax = ds.transfer_syntax
            if ds.repairs or syntax.implicit_vr or syntax.big_endian:
                continue
            card = make_card(ds)
            quick = sliced(to_bytes(ds, EXPLICIT))
        except DicomError:
            continue
        if quick is not None:
            compared += 1
            assert quick == card.attributes, path
    assert compared > 20


@given(st.binary(max_size=200))
def test_any_bytes_are_sliced_or_not(data):
    found = sliced(data)
    assert found is None or len(found) <= len(data)


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


def test_a_cut_element_is_not_sliced():
    whole = to_bytes(next(iter(ct_series(1, 8))).drop("PixelData"), EXPLICIT)
    assert sliced(whole)
    assert sliced(whole[:-2]) is None
