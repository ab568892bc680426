"""What holds for every data set, whatever is in it."""

from __future__ import annotations

import pickle
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import Made, data_sets, encoded, part10, plain

import dicomkit as dk
from dicomkit.dataset.element import Element

SEEDS = st.integers(0, 1 << 20)


def read(made: Made, seed: int = 0, *, big: bool = False) -> dk.DataSet:
    data = encoded(made, big=big, chance=Random(seed))
    return dk.read(part10(data, "1.2.840.10008.1.2.2" if big else "1.2.840.10008.1.2.1"))


def built(made: Made) -> dk.DataSet:
    """Make the data set in Python, without bytes."""
    return dk.DataSet(
        [
            Element.of(tag, [built(item) for item in value] if vr == "SQ" else value, vr)
            for tag, (vr, value) in made.items()
        ]
    )


def items(ds: dk.DataSet) -> list[dk.DataSet]:
    found = []
    for element in ds.elements():
        if element.vr == "SQ":
            for item in element.value:
                found += [item, *items(item)]
    return found


@given(data_sets(), SEEDS)
def test_read_and_built_are_the_same(made: Made, seed: int) -> None:
    ds, new = read(made, seed), built(made)
    assert plain(new) == made
    assert ds == new
    assert hash(ds) == hash(new)
    assert dk.diff(ds, new) == ()


@given(data_sets(), SEEDS)
def test_byte_order_makes_no_difference(made: Made, seed: int) -> None:
    little = read(made, seed)
    words = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}

    def turned(inner: Made) -> Made:
        return {
            tag: (vr, [turned(item) for item in value] if vr == "SQ" else turn(value, words.get(vr, 1)))
            for tag, (vr, value) in inner.items()
        }

    def turn(value: object, size: int) -> object:
        if not isinstance(value, bytes):
            return value
        return b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))

    big = read(turned(made), seed, big=True)
    assert little == big
    assert hash(little) == hash(big)
    assert dk.diff(little, big) == ()


@given(data_sets(), SEEDS, SEEDS)
def test_equal_only_to_what_has_the_same_elements(made: Made, seed: int, place: int) -> None:
    ds = read(made, seed)
    paths = [path for path, _ in ds.walk()]
    if not paths:
        return
    path = paths[place % len(paths)]
    less = ds.drop(path)
    assert less != ds
    assert path not in less
    assert path in ds
    found = dk.diff(ds, less)
    assert [(difference.path, difference.kind) for difference in found] == [(path, "removed")]
    assert [(difference.path, difference.kind) for difference in dk.diff(less, ds)] == [(path, "added")]
    assert less.assign({path: ds.element(path)}) == ds


@given(data_sets(), SEEDS)
def test_walk_gives_paths_that_lead_back(made: Made, seed: int) -> None:
    ds = read(made, seed)
    for path, element in ds.walk():
        assert path in ds
        assert ds.element(path) == element
        assert ds[path] == element.value or element.value != element.value
        origin = element.origin
        assert origin is not None
        if element.vr != "SQ":
            assert ds.read_source(origin.offset, origin.length) == bytes(element.raw)


@given(data_sets(), SEEDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_copies_are_equal(tmp_path: Path, made: Made, seed: int) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(part10(encoded(made, chance=Random(seed)), "1.2.840.10008.1.2.1"))
    for ds in (dk.read(path), dk.read(path.read_bytes()), built(made)):
        for whole in (pickle.loads(pickle.dumps(ds)), ds.load(), ds.detach(), pickle.loads(pickle.dumps(ds.detach()))):
            assert whole == ds
            assert whole.repairs == ()
            assert whole.meta == ds.meta
            assert whole.transfer_syntax == ds.transfer_syntax
        for item in items(ds):
            assert pickle.loads(pickle.dumps(item)) == item == item.detach() == item.load()
            assert item.repairs == ()
    detached = dk.read(path).detach()
    path.unlink()
    assert plain(detached) == made


@given(data_sets(), data_sets(), SEEDS)
def test_edits(made: Made, other: Made, seed: int) -> None:
    ds, second = read(made, seed), read(other, seed + 1)
    before = plain(ds)
    assert ds.map(lambda element: element) is ds
    assert plain(ds.map(lambda element: dk.DROP)) == {}
    assert plain(ds.merge(second)) == dict(sorted((made | other).items()))
    assert plain(ds.drop(*other)) == {tag: field for tag, field in made.items() if tag not in other}
    assert ds.merge(ds) == ds
    assert dk.DataSet(ds) == ds
    assert plain(ds) == before == made


@given(data_sets(), SEEDS)
def test_untouched_elements_are_shared(made: Made, seed: int) -> None:
    ds = read(made, seed)
    values = {tag: ds[tag] for tag in ds}
    new = ds.assign(PatientID="new", Rows=3).drop("PatientName")
    for tag, value in values.items():
        if tag in new and tag not in (0x00100020, 0x00280010):
            assert new[tag] is value
    assert new.PatientID == "new"


@given(data_sets(), SEEDS)
def test_it_shows_itself_whatever_is_in_it(made: Made, seed: int) -> None:
    ds = read(made, seed)
    for shown in (str(ds), ds._repr_html_()):
        for tag in made:
            assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in shown
    assert "\n" not in repr(ds)
