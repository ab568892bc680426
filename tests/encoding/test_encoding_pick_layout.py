"""A remembered layout gives what the walk gives, or steps aside: on files that are alike, and on spoilt ones."""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomkit.encoding.layout import Layout
from dicomkit.encoding.pick import Wanted, pick

UID, NUMBER, POSITION, ROWS, PRIVATE, PIXELS = 0x00080018, 0x00200013, 0x00200032, 0x00280010, 0x00291010, 0x7FE00010
WANTED = Wanted.of((0x00020010, UID, NUMBER, POSITION, ROWS, PIXELS))
EVERY = Wanted.of((0x00020003, UID, NUMBER, POSITION, ROWS, PRIVATE, PIXELS))
FEW = Wanted.of((UID, NUMBER, ROWS))


def short(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value) if length is None else length) + value


def item(value: bytes, undefined: bool) -> bytes:
    if undefined:
        return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + value + b"\xfe\xff\x0d\xe0\0\0\0\0"
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(value)) + value


def even(text: str) -> bytes:
    return text.encode() + b" " * (len(text) % 2)


def made(number: int, nested: str = "x", undefined: bool = True, private: bytes = b"ab", pixels: int = 64) -> bytes:
    meta = short(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    inner = short(0x00080100, b"SH", even(nested)) + short(0x00080102, b"SH", b"DCM ")
    deep = long(0x00081115, b"SQ", item(inner, True) + b"\xfe\xff\xdd\xe0\0\0\0\0", 0xFFFFFFFF)
    body = (
        short(UID, b"UI", even(f"1.2.3.{number}"))
        + long(0x00081140, b"SQ", item(inner + deep, undefined) + b"\xfe\xff\xdd\xe0\0\0\0\0", 0xFFFFFFFF)
        + short(NUMBER, b"IS", even(str(number)))
        + short(POSITION, b"DS", even(f"0\\0\\{number / 7:.4g}"))
        + short(ROWS, b"US", b"\x04\0")
        + long(PRIVATE, b"OB", private)
        + long(PIXELS, b"OW", bytes(pixels))
    )
    return bytes(128) + b"DICM" + short(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + body


def part(data: bytes, offset: int, length: int) -> bytes:
    return data[offset : offset + length]


def found(data: bytes, wanted: Wanted, layout: Layout | None = None) -> Any:
    picked = pick(partial(part, data), len(data), wanted, layout)
    return picked and (picked.rows, picked.syntax)


@pytest.mark.parametrize("wanted", [WANTED, FEW], ids=["to the pixels", "a few"])
@pytest.mark.parametrize("pixels", [64, 70_000])
def test_files_alike_are_proved(wanted: Wanted, pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout()
    files = [made(n, "y" * (n % 5 * 2 + 2), pixels=pixels, private=b"z" * (2 * n)) for n in range(1, 60)]
    expected = [found(data, wanted) for data in files]
    assert None not in expected
    walks: list[int] = []
    learn = Layout.learn
    monkeypatch.setattr(Layout, "learn", lambda self, *a: (walks.append(1), learn(self, *a))[1])
    assert [found(data, wanted, layout) for data in files] == expected
    assert len(walks) == 1  # the first file only


def test_a_sequence_that_changes_its_form_is_walked() -> None:
    layout = Layout()
    for data in (made(1), made(2, undefined=False), made(3), made(4, "abc"), made(5, undefined=False)):
        assert found(data, WANTED, layout) == found(data, WANTED)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_spoilt_files_give_what_the_walk_gives(data: st.DataObject) -> None:
    layout = Layout()
    wanted = data.draw(st.sampled_from((WANTED, FEW)))
    found(made(1), wanted, layout)
    found(made(12345, "long", private=b"0123"), wanted, layout)
    for _ in range(3):
        number, nested = data.draw(st.integers(0, 10**6)), data.draw(st.text("abc", min_size=1, max_size=9))
        spoilt = bytearray(made(number, nested, data.draw(st.booleans()), bytes(data.draw(st.integers(0, 9)) * 2)))
        start = 128
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.integers(start, len(spoilt) - 65))
            spoilt[at] = data.draw(st.sampled_from((0, 1, 2, 4, 8, 255, 0xFE, spoilt[at] ^ 1, spoilt[at - 4])))
        kept = bytes(spoilt[: data.draw(st.sampled_from((len(spoilt), len(spoilt) - 1, len(spoilt) - 70)))])
        assert found(kept, wanted, layout) == found(kept, wanted)


@pytest.mark.parametrize("size", [100, 20_000, 60_000])
@pytest.mark.parametrize("located", [False, True])
def test_values_beyond_the_window_are_read_or_located(size: int, located: bool) -> None:
    wanted = Wanted.of((UID, ROWS, PRIVATE, PIXELS), (PRIVATE, PIXELS) if located else ())
    layout = Layout()
    for number in (1, 2, 345):
        data = made(number, private=bytes([number % 256]) * size, pixels=size)
        reads: list[int] = []

        def read_at(offset: int, length: int, data: bytes = data, reads: list[int] = reads) -> bytes:
            reads.append(length)
            return data[offset : offset + length]

        for known in (None, layout):
            reads.clear()
            picked = pick(read_at, len(data), wanted, known)
            assert picked is not None
            places = {word: at for at, word in zip(range(0, len(picked.rows), 4), picked.rows[::4], strict=True)}
            at = places[PRIVATE >> 16 | (PRIVATE & 0xFFFF) << 16]
            offset, length = picked.rows[at + 3], picked.rows[at + 2]
            assert data[offset : offset + length] == bytes([number % 256]) * size
            assert located or picked.value(at) == data[offset : offset + length]
            assert sum(reads) <= (50_000 if located else 250_000)


def test_a_file_that_gets_shorter_while_it_is_read_is_left_to_the_scanner() -> None:
    data = made(1, private=bytes(20_000))

    def read_at(offset: int, length: int) -> bytes:
        return data[offset : offset + length] if offset == 0 else b""

    assert pick(read_at, len(data), WANTED) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_said_to_be_alike_is_the_same(data: st.DataObject) -> None:
    layout = Layout()
    values: dict[tuple[Any, int], bytes] = {}
    for _ in range(8):
        number = data.draw(st.sampled_from((1, 2, 11, 12, 345)))
        file = made(
            number, data.draw(st.sampled_from("xyz")), private=data.draw(st.sampled_from((b"ab", b"cd", b"abcd")))
        )
        picked = pick(partial(part, file), len(file), EVERY, layout)
        assert picked is not None
        for at in range(0, len(picked.rows), 4):
            if picked.alike is not None and picked.rows[at] in picked.alike.words:
                value = picked.value(at)
                assert values.setdefault((picked.alike, picked.rows[at]), value) == value
