"""Sequences within sequences: as deep as can be read everything works, and deeper ones can't be made."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.dataset.diff import diff
from dicomkit.dataset.nesting import MAX_DEPTH, check_nesting
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import UnsupportedError
from dicomkit.values.tag import Tag

SEQUENCE = Tag.of("ContentSequence")
TOP = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", SOPInstanceUID="2.25.1", Modality="SR")


def nested(depth: int, leaf: str = "x") -> dk.DataSet:
    ds = dk.DataSet(CodeMeaning=leaf)
    for _ in range(depth):
        ds = dk.DataSet(ContentSequence=[ds])
    return ds


def dicts(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"CodeMeaning": "x"}
    for _ in range(depth):
        made = {"ContentSequence": [made]}
    return made


def path(depth: int) -> tuple[int | str, ...]:
    return ("ContentSequence", 0) * depth


DEEPEST = nested(MAX_DEPTH)


def test_as_deep_as_allowed_everything_works() -> None:
    ds, other = TOP.merge(DEEPEST), nested(MAX_DEPTH, "y")
    file = io.BytesIO()
    dk.write(ds, file)
    for same in (dk.read(file.getvalue()), pickle.loads(pickle.dumps(ds)), copy.deepcopy(ds), copy.copy(ds)):
        assert same == ds
        assert hash(same) == hash(ds)
    assert dk.from_json(dk.to_json(ds)) == dk.from_xml(dk.to_xml(ds)) == ds
    assert len(list(ds.walk())) == len(TOP) + MAX_DEPTH + 1
    assert ds.map(lambda element: "y" if element.keyword == "CodeMeaning" else element) == TOP.merge(other)
    assert ds.assign({(*path(MAX_DEPTH), "CodeMeaning"): "y"}) == TOP.merge(other) != ds
    assert len(diff(DEEPEST, other)) == 1
    assert len(dk.deidentify(ds, key=b"k" * 32)["ContentSequence"]) == 1
    assert dk.validate(ds).of("warning", "nesting")
    assert repr(ds)
    assert str(ds)
    assert ds._repr_html_()


@pytest.mark.parametrize(
    "make",
    [
        lambda: dk.DataSet(ContentSequence=[DEEPEST]),
        lambda: dk.DataSet(ContentSequence=DEEPEST),
        lambda: dk.DataSet([dk.Element(SEQUENCE, "SQ", (DEEPEST,))]),
        lambda: dk.DataSet([dk.Element((SEQUENCE), "SQ", (dk.DataSet(), dk.read(to_bytes(DEEPEST))))]),
        lambda: dk.DataSet(ContentSequence=[dk.read(to_bytes(nested(60))).assign(ContentSequence=[nested(99)])]),
        lambda: nested(MAX_DEPTH + 1),
        lambda: nested(400),
        lambda: dk.DataSet(dicts(MAX_DEPTH + 1)),
        lambda: dk.DataSet(dicts(20_000)),
        lambda: dk.DataSet().assign(dicts(400)),
        lambda: dk.DataSet(ContentSequence=[{"ContentSequence": [DEEPEST]}]),
        lambda: TOP.assign(ContentSequence=[DEEPEST]),
        lambda: DEEPEST.assign({(*path(MAX_DEPTH), "ContentSequence"): [{}]}),
        lambda: DEEPEST.assign({(*path(MAX_DEPTH), "ContentSequence"): []}),
        lambda: DEEPEST.assign({(*path(50), "ContentSequence"): [nested(50)]}),
        lambda: DEEPEST.map(lambda element: [DEEPEST] if element.vr == "SQ" else element),
        lambda: DEEPEST.map(lambda e: dk.Element(SEQUENCE, "SQ", (nested(50),)) if e.vr == "SQ" else e),
    ],
)
def test_deeper_it_cannot_be_made(make: Callable[[], dk.DataSet]) -> None:
    with pytest.raises(UnsupportedError, match="nested more than 100 deep"):
        make()


def test_what_is_not_deep_is_not_refused() -> None:
    read = dk.read(to_bytes(nested(MAX_DEPTH - 1)))
    assert dk.DataSet(ContentSequence=[read, read]) == dk.DataSet(ContentSequence=[nested(99), nested(99)])
    shallow = DEEPEST.assign({(*path(50), "ContentSequence"): [nested(49)]})
    assert shallow == DEEPEST
    assert DEEPEST.drop(path(1)[:1]).assign(ContentSequence=[nested(99)]) == DEEPEST
    assert dk.DataSet(dicts(MAX_DEPTH)) == DEEPEST


trees = st.recursive(st.just([]), lambda below: st.lists(below, max_size=3), max_leaves=12)


@given(trees, st.booleans(), st.data())
def test_depth_of_any_tree(tree: list[Any], read: bool, data: st.DataObject) -> None:
    def made(items: list[Any]) -> dk.DataSet:
        ds = dk.DataSet(CodeMeaning="x", ContentSequence=list(map(made, items))) if items else dk.DataSet(Rows=1)
        return dk.read(to_bytes(ds)) if data.draw(st.booleans()) else ds

    def depth(items: list[Any]) -> int:
        return 1 + max(map(depth, items)) if items else 0

    item = made(tree)
    item = dk.read(to_bytes(item)) if read else item
    fits = MAX_DEPTH - depth(tree)
    check_nesting(SEQUENCE, (dk.DataSet(), item), dk.DataSet, fits)
    with pytest.raises(UnsupportedError):
        check_nesting(SEQUENCE, (dk.DataSet(), item), dk.DataSet, fits + 1)
