"""Encapsulated pixel data as a value: equal up to the padding that each fragment gets when it is written."""

from __future__ import annotations

import io
import itertools
import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicomkit as dk
from dicomkit.dataset.diff import diff
from dicomkit.sources import Bulk, MemorySource
from dicomkit.values.fragments import Fragments

JPEG_LS = "1.2.840.10008.1.2.4.80"


def padded(part: bytes) -> bytes:
    return part + bytes(len(part) % 2)


def as_bulk(part: bytes) -> Bulk:
    return Bulk(MemorySource(b"before" + part + b"\0after"), 6, len(part))


contents = st.lists(st.binary(max_size=4).map(lambda data: bytes(byte % 2 for byte in data)), max_size=3)


@st.composite
def fragments(draw: st.DrawFn, of: st.SearchStrategy[list[bytes]] = contents) -> Fragments:
    """The same content in each of the ways in which it can stand: padded or not, here or in a source."""
    parts = [draw(st.sampled_from([part, padded(part)])) for part in draw(of)]
    return Fragments.of([draw(st.sampled_from([part, as_bulk(part)])) for part in parts])


@given(st.data(), contents)
def test_padding_makes_no_difference(data: st.DataObject, parts: list[bytes]) -> None:
    one, other = data.draw(fragments(st.just(parts))), data.draw(fragments(st.just(parts)))
    assert one == other
    assert hash(one) == hash(other)
    a, b = dk.DataSet(PixelData=one), dk.DataSet(PixelData=other)
    assert a == b
    assert hash(a) == hash(b)
    assert a.element("PixelData") == b.element("PixelData")
    assert not diff(a, b)


@given(st.lists(fragments(), min_size=3, max_size=3))
def test_equality_is_that_of_the_padded_parts(values: list[Fragments]) -> None:
    keys = [[padded(bytes(part)) for part in value.parts] for value in values]
    for (one, key), (other, other_key) in itertools.product(zip(values, keys, strict=True), repeat=2):
        assert (one == other) == (key == other_key)
        assert (dk.DataSet(PixelData=one) == dk.DataSet(PixelData=other)) == (key == other_key)
        assert one != other or hash(one) == hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(b"ab", b"ab\0\0"), (b"ab", b"ab\0"), (b"abc", b"abc "), (b"abc", b"abx\0"), (b"", b"\0"), (b"abc", b"abc\0\0\0")],
)
def test_what_is_no_padding_differs(one: bytes, other: bytes) -> None:
    assert Fragments.of([one]) != Fragments.of([other])
    assert Fragments.of([as_bulk(other)]) != Fragments.of([one])


def test_tables_and_other_types_differ() -> None:
    assert Fragments.of([b"ab"], bytes(4)) != Fragments.of([b"ab"])
    assert Fragments.of([b"ab"]) != b"ab"
    assert dk.DataSet(PixelData=Fragments.of([b"ab"])) != dk.DataSet(PixelData=b"ab")
    assert pickle.loads(pickle.dumps(Fragments.of([b"abc"]))) == Fragments.of([b"abc"])


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4))
def test_written_and_read_it_is_equal(frames: list[bytes]) -> None:
    from dicomkit.encoding.change_syntax import with_transfer_syntax
    from dicomkit.encoding.encapsulation import encapsulate

    image = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1")
    ds = with_transfer_syntax(image, JPEG_LS).assign(PixelData=encapsulate(frames).fragments)
    file = io.BytesIO()
    dk.write(ds, file)
    assert dk.read(file.getvalue()) == ds
    assert hash(dk.read(file.getvalue())) == hash(ds)


def test_comparing_does_not_copy() -> None:
    odd = bytes(10_000_001)
    one, other = Fragments.of([odd]), Fragments.of([odd + b"\0"])
    tracemalloc.start()
    assert one == other
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
